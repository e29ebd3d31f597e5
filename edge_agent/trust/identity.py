"""Who the station is: its device key, made here and never leaving, and the certificate for it.

Key and certificate are one file, `station.pem`, so that no power cut leaves a pair that does not fit. A key that still
waits for its certificate is `pending.key`; the pair of before stays as `previous.pem`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_agent.errors import BadData, ConfigError
from edge_agent.runtime.disk import Disk, Missing, replace
from edge_agent.trust import certificate
from edge_agent.trust.certificate import Certificate

STATION: Final = "identity/station.pem"
"""Key and certificate in use; `uplink.certificate` and `uplink.key` both point there."""

PENDING: Final = "identity/pending.key"
PREVIOUS: Final = "identity/previous.pem"
CA: Final = "identity/ca.pem"
"""The authority that signed the certificate; `uplink.ca` points there."""

MAX_BYTES: Final = 64 * 1024
"""Of a file with keys or certificates; a chain of five has 10 KiB."""

NO_KEY_HINT: Final = "make one: edge-agent identity make"


@dataclass(frozen=True)
class Hardware:
    """Numbers that the machine can be told apart by; None where there is none to be read.

    Attributes:
        machine_id: of this installation of Linux, /etc/machine-id.
        dmi_serial: of the mainboard's maker; often for root's eyes alone.
        cpu_serial: of the processor, on ARM boards.
        mac: of the first network card.
    """

    machine_id: str | None
    dmi_serial: str | None
    cpu_serial: str | None
    mac: str | None


@dataclass(frozen=True)
class Identity:
    """What there is of a station's identity.

    Attributes:
        station: its name.
        folder: where it lies.
        key: fingerprint of the key in use; None without a certificate.
        pending: fingerprint of a key that waits for its certificate; None where none does.
        certificate: the one in use; None without.
        days_left: how long that is still valid [d].
        ca: the authority is known here.
        hardware: what the machine itself can be told apart by.
    """

    station: str
    folder: str
    key: str | None
    pending: str | None
    certificate: Certificate | None
    days_left: float | None
    ca: bool
    hardware: Hardware


class Identities:
    """The identity of one station, on its disk.

    Args:
        disk: the state directory.
        name: of the station.
    """

    def __init__(self, disk: Disk, name: str) -> None:
        self._disk, self._name = disk, name

    def look(self, folder: Path, hardware: Hardware, utc: float) -> Identity:
        """Say what there is.

        Args:
            folder: the state directory, to be shown.
            hardware: what the machine says of itself.
            utc: the time now [s since the epoch].

        Returns:
            What there is.
        """
        station, pending = self._read(STATION), self._pending()
        said = None if station is None else certificate.certificate_of(station)
        return Identity(
            self._name,
            str(folder / "identity"),
            None if station is None else certificate.key_fingerprint(station),
            None if pending is None else certificate.key_fingerprint(pending),
            said,
            None if said is None else said.days_left(utc),
            self._disk.exists(CA),
            hardware,
        )

    def make(self) -> str:
        """Make the device key; it never leaves this machine.

        Returns:
            Its fingerprint.

        Raises:
            ConfigError: there is one.
        """
        for name in (STATION, PENDING):
            if self._disk.exists(name):
                raise ConfigError(
                    f"there is a device key already, {name} in the state directory",
                    hint="a new one beside it, for when its certificate ends: edge-agent identity renew FILE",
                )
        return self._make()

    def request(self) -> bytes:
        """Write a certificate request for the key that waits for one, else for the one in use; PEM."""
        key = self._pending() or self._read(STATION)
        if key is None:
            raise ConfigError("there is no device key", hint=NO_KEY_HINT)
        return certificate.request(key, self._name)

    def renew(self) -> bytes:
        """Write a request for a new key beside the one in use, which goes on being used.

        Returns:
            The request, PEM; the same key's when it is asked for again.

        Raises:
            ConfigError: there is nothing to renew.
        """
        if not self._disk.exists(STATION):
            raise ConfigError(
                "there is no certificate to renew",
                hint=NO_KEY_HINT if not self._disk.exists(PENDING) else "edge-agent identity request FILE",
            )
        if self._pending() is None:
            self._make()
        return self.request()

    def install(self, chain: bytes, ca: bytes | None, utc: float) -> Certificate:
        """Put a certificate, with the key that it is for, in the place of those in use.

        Nothing is changed unless the certificate is good; after a power cut it can be installed again.

        Args:
            chain: the certificate, and those between it and the authority, PEM.
            ca: the authority's; None: the one that is known here.
            utc: the time now [s since the epoch].

        Returns:
            What the certificate says.

        Raises:
            BadData: it is not one that this station may use.
            ConfigError: there is no authority to check it against, or no key.
        """
        authority = ca if ca is not None else self._read(CA)
        if authority is None:
            hint = "name its file: edge-agent identity install FILE --ca FILE"
            raise ConfigError("no authority is known here that could have signed the certificate", hint=hint)
        said, certificates = certificate.checked_chain(chain, authority, self._name, utc)
        key = self._key_of(said)
        before = self._read(STATION)
        after = key + certificates
        if ca is not None and ca != self._read(CA):
            replace(self._disk, CA, ca)
        if before is not None and before != after:
            replace(self._disk, PREVIOUS, before)
        replace(self._disk, STATION, after)
        pending = self._read(PENDING)
        if pending is not None and certificate.key_fingerprint(pending) == said.key:
            self._disk.remove(PENDING)
            self._disk.sync("identity")
        return said

    def _key_of(self, said: Certificate) -> bytes:
        pending, station = self._read(PENDING), self._read(STATION)
        if pending is None and station is None:
            raise ConfigError("there is no device key", hint=NO_KEY_HINT)
        for held in (pending, station):
            if held is not None and certificate.key_fingerprint(held) == said.key:
                return certificate.key_alone(held)
        raise BadData(
            "the certificate is for another key than this station's",
            hint="have a request of this station signed: edge-agent identity request FILE",
        )

    def _make(self) -> str:
        key = certificate.make_key()
        replace(self._disk, PENDING, key)
        return certificate.key_fingerprint(key)

    def _pending(self) -> bytes | None:
        """Read the key that waits; one that is in use, as a power cut at the end of `install` leaves it, is none."""
        pending, station = self._read(PENDING), self._read(STATION)
        if pending is None or station is None:
            return pending
        used = certificate.key_fingerprint(pending) == certificate.key_fingerprint(station)
        return None if used else pending

    def _read(self, name: str) -> bytes | None:
        try:
            return self._disk.read(name, MAX_BYTES)
        except Missing:
            return None


def hardware_of(root: Path = Path("/")) -> Hardware:
    """Read what the machine can be told apart by.

    Args:
        root: where `etc`, `proc` and `sys` are.

    Returns:
        What could be read.
    """
    cards = sorted((root / "sys/class/net").glob("*/address"))
    return Hardware(
        _line(root / "etc/machine-id"),
        _line(root / "sys/class/dmi/id/product_serial"),
        _cpu_serial(root / "proc/cpuinfo"),
        next((mac for card in cards if (mac := _line(card)) and set(mac) - {"0", ":"}), None),
    )


def _line(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def _cpu_serial(path: Path) -> str | None:
    lines: Iterable[str] = (_line(path) or "").splitlines()
    found = [line.partition(":")[2].strip() for line in lines if line.startswith("Serial")]
    return next((serial for serial in found if set(serial) - {"0"}), None)
