"""The verb about who the station is: `identity`."""

from __future__ import annotations

import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from edge_agent.config import Config
from edge_agent.errors import BadData
from edge_agent.runtime.clock import SystemClock
from edge_agent.runtime.disk import RealDisk, check_owner
from edge_agent.terminal.printing import say, say_json
from edge_agent.terminal.printout import check_folder, write_file
from edge_agent.trust.certificate import Certificate
from edge_agent.trust.identity import CA, MAX_BYTES, STATION, Identities, Identity, hardware_of


def show_identity(config: Config, *, as_json: bool) -> int:
    """Print what there is of the station's identity; 0 when there is a certificate that is valid, else 1."""
    state_dir = Path(config.station.state_dir)
    identity = _identities(config).look(state_dir, hardware_of(), SystemClock().utc())
    if as_json:
        say_json(identity)
    else:
        _print(identity)
    return 0 if identity.days_left is not None and identity.days_left > 0 else 1


def make_identity(config: Config, *, as_json: bool) -> int:
    """Make the device key, and say its fingerprint."""
    check_owner(Path(config.station.state_dir))
    fingerprint = _identities(config).make()
    if as_json:
        say_json({"pending": fingerprint})
    else:
        say(f"made the device key {fingerprint}")
        say("now have a certificate made for it: edge-agent identity request FILE.csr")
    return 0


def write_request(config: Config, out: Path, *, new_key: bool, as_json: bool) -> int:
    """Write a certificate request.

    Args:
        config: the station's.
        out: where to.
        new_key: for a new key, beside the one in use.
        as_json: print JSON.

    Returns:
        The exit code.
    """
    check_folder(out)
    if new_key:
        check_owner(Path(config.station.state_dir))
    identities = _identities(config)
    write_file(out, identities.renew() if new_key else identities.request())
    identity = identities.look(Path(config.station.state_dir), hardware_of(), SystemClock().utc())
    if as_json:
        say_json({"request": str(out), "pending": identity.pending, "days_left": identity.days_left})
        return 0
    say(f"written to {out}, for {identity.station}, key {identity.pending or identity.key}")
    if identity.days_left is not None:
        say(f"the certificate in use is valid for {identity.days_left:.0f} more days")
    say("have the authority sign it, then: edge-agent identity install FILE --ca FILE")
    return 0


def install_certificate(config: Config, file: Path, ca: Path | None, *, as_json: bool) -> int:
    """Check a certificate, and put it in the place of the one in use.

    Args:
        config: the station's.
        file: the certificate.
        ca: the authority's; None: the one that is known.
        as_json: print JSON.

    Returns:
        The exit code.
    """
    check_owner(Path(config.station.state_dir))
    utc = SystemClock().utc()
    authority = None if ca is None else _bytes(ca)
    said = _identities(config).install(_bytes(file), authority, utc)
    if as_json:
        say_json({**asdict(said), "days_left": said.days_left(utc)})
        return 0
    _print_certificate(said, said.days_left(utc))
    state_dir = Path(config.station.state_dir)
    if config.uplink.certificate != str(state_dir / STATION):
        say("for the station to use it, write in its configuration:")
        say("  [uplink]")
        for key, name in (("certificate", STATION), ("key", STATION), ("ca", CA)):
            say(f'  {key} = "{state_dir / name}"')
    return 0


def _identities(config: Config) -> Identities:
    return Identities(RealDisk(Path(config.station.state_dir)), config.station.name)


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size > MAX_BYTES:
                raise BadData(f"{path} has more than {MAX_BYTES} bytes, no certificate has")
            return file.read(MAX_BYTES)
    except OSError as error:
        raise BadData(f"{path}: {error.strerror or error}", hint="name a file that you may read") from error


def _print(identity: Identity) -> None:
    say(f"station      {identity.station}")
    say(f"folder       {identity.folder}")
    say(f"device key   {identity.key or 'none in use'}")
    if identity.pending:
        say(f"pending key  {identity.pending}, waits for its certificate")
    if identity.certificate is not None and identity.days_left is not None:
        _print_certificate(identity.certificate, identity.days_left)
    else:
        say("certificate  none")
    say(f"authority    {'known' if identity.ca else 'not known'}")
    for name, value in asdict(identity.hardware).items():
        say(f"{name:<12} {value or 'cannot be read here'}")


def _print_certificate(said: Certificate, days_left: float) -> None:
    until = datetime.fromtimestamp(said.valid_to_utc, UTC).strftime("%Y-%m-%d")
    left = f"{days_left:.0f} days" if days_left > 0 else "it has expired"
    say(f"certificate  {said.name}, number {said.serial}, by {said.issuer}")
    say(f"valid until  {until}, {left}")
