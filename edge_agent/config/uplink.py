"""The way to the console as a person describes it. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from edge_agent.config.section import Conflict, OptionalPath, Section

BrokerUrl = Annotated[
    str,
    Meta(
        pattern=r"\A(mqtts?://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?)?\Z",
        description='"mqtts://HOST", "mqtts://HOST:PORT", or ""',
    ),
]
TopicRoot = Annotated[
    str,
    Meta(pattern=r"\A[^/+#$\0][^+#\0]{0,98}[^/+#\0]\Z", description="2 to 100 characters without +, # or / at an end"),
]
DEFAULT_PORTS = {"mqtts": 8883, "mqtt": 1883}


class UplinkConfig(Section, frozen=True):
    """The broker, how the station proves who it is, and whose word it takes."""

    broker: BrokerUrl = ""
    root: TopicRoot = "insp/v1"
    protocol: Literal["auto", "5", "3.1.1"] = "auto"
    acknowledge: Literal["console", "broker"] = "console"
    ca: OptionalPath = ""
    certificate: OptionalPath = ""
    key: OptionalPath = ""
    username: Annotated[str, Meta(max_length=200, description="at most 200 characters")] = ""
    password_file: OptionalPath = ""
    plaintext: bool = False
    keepalive_s: Annotated[int, Meta(ge=5, le=600)] = 30
    backlog_per_s: Annotated[int, Meta(ge=1, le=10_000)] = 200
    trusted: OptionalPath = ""

    @property
    def encrypted(self) -> bool:
        """The connection is TLS."""
        return self.broker.startswith("mqtts:")

    @property
    def host(self) -> str:
        """Name or address of the broker."""
        return urlsplit(self.broker).hostname or ""

    @property
    def port(self) -> int:
        """The broker's port."""
        address = urlsplit(self.broker)
        return address.port or DEFAULT_PORTS[address.scheme]

    def resolved(self, folder: Path, state_dir: Path) -> UplinkConfig:
        """Make paths absolute, relative ones as seen from `folder`; what identity keeps lies in `state_dir`."""

        def path(text: str) -> str:
            return str(folder / text) if text else ""

        return msgspec.structs.replace(
            self,
            ca=path(self.ca),
            certificate=path(self.certificate),
            key=path(self.key),
            password_file=path(self.password_file),
            trusted=path(self.trusted) or str(state_dir / "trusted.toml"),
        )


def uplink_conflicts(uplink: UplinkConfig) -> Iterator[Conflict]:
    """Give what cannot work together."""
    if not uplink.broker:
        return
    try:
        reachable = uplink.port > 0
    except ValueError:
        reachable = False
    if not reachable:
        yield Conflict(("uplink.broker",), "must name a port from 1 to 65535", "leave it out for 8883, the usual one")
        return
    if not uplink.encrypted and not uplink.plaintext and not _is_loopback(uplink.host):
        yield Conflict(
            ("uplink.broker", "uplink.plaintext"),
            "must begin with mqtts:// unless plaintext = true",
            "anybody on the way could read the verdicts, and send commands in the name of the console",
        )
    if bool(uplink.certificate) != bool(uplink.key):
        yield Conflict(
            ("uplink.certificate", "uplink.key"),
            "must stand together with uplink.key, or both be left out",
            "see docs/uplink.md",
        )
    if uplink.password_file and not uplink.username:
        yield Conflict(("uplink.password_file", "uplink.username"), "needs uplink.username")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
