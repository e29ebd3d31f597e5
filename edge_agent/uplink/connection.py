"""One connection to a broker: TCP, TLS where it is wanted, and what was read but not yet taken.

Everything here is bounded in time but the system's own look-up of a name, which takes as long as its settings say.
Nothing blocks once the connection is made.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
from pathlib import Path
from typing import Final

from edge_agent.config.uplink import UplinkConfig
from edge_agent.errors import Unavailable
from edge_agent.runtime.clock import Clock
from edge_agent.uplink.intake import Intake
from edge_agent.uplink.refusal import no_tls, unreachable

TCP_S: Final = 5.0
"""How long making the TCP connection may take, over all addresses of the broker [s]."""

TLS_S: Final = 5.0
"""How long the TLS handshake may take, however the bytes drip [s]."""

READ_BYTES: Final = 65_536
"""How much is read before something else gets a turn [bytes]."""

REST_S: Final = 0.005
"""After a flood had to be held off nothing is read for so long [s]: TCP tells the broker to wait, and many messages are
dropped at once instead of each by itself."""

PASSWORD_BYTES: Final = 65_535
"""What MQTT has room for [bytes]."""


class Connection:
    """An open connection that never blocks; what a client for MQTT takes for a socket.

    Args:
        sock: connected, and with TLS after its handshake.
        intake: cuts what is read.
        clock: tells the time.
        where: host and port, for what is said to people.
    """

    def __init__(self, sock: socket.socket, intake: Intake, clock: Clock, where: str) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._clock = clock
        self._where = where
        self.intake = intake
        self.heard_s = clock.now()
        self.fault: Unavailable | None = None
        self.at_end = self.hung_up = False
        self._rests_until_s = 0.0

    def rest_s(self, now: float) -> float:
        """Say how long nothing is to be read, for the sake of the pace [s from now: s, host monotonic]."""
        return max(self.intake.wait_s(now) if self.intake.waits else 0.0, self._rests_until_s - now)

    def fill(self, readable: bool) -> None:
        """Read what has come, as far as the pace allows [readable: the socket, or TLS, has something]."""
        now = self._clock.now()
        try:
            if self.intake.waits:
                self.intake.feed(b"", now)
            if not readable or self.rest_s(now) > 0:
                return
            chunk = self._sock.recv(READ_BYTES)
            if chunk:
                self.heard_s = now
                dropped = self.intake.dropped
                self.intake.feed(chunk, now)
                if self.intake.dropped > dropped:
                    self._rests_until_s = now + REST_S
            else:
                self.at_end = self.hung_up = True
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError as error:
            self._break(error)
        except Unavailable as error:
            self.at_end, self.fault = True, self.fault or error

    def _break(self, error: OSError) -> None:
        self.at_end = True
        self.hung_up = self.hung_up or isinstance(error, ConnectionError)
        self.fault = self.fault or unreachable(error, self._where)

    def recv(self, size: int) -> bytes:
        """Give at most `size` bytes of whole packets; without any it is a BlockingIOError."""
        if not self.intake.ready:
            raise BlockingIOError
        return self.intake.take(size)

    def send(self, data: bytes | bytearray) -> int:
        """Send what goes without waiting.

        Args:
            data: from its beginning.

        Returns:
            How much of it went [bytes].

        Raises:
            BlockingIOError: nothing goes now.
            OSError: the connection broke.
        """
        try:
            return self._sock.send(data)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
            raise BlockingIOError from error
        except BlockingIOError:
            raise
        except OSError as error:
            self._break(self._last_word() or error)
            raise

    def _last_word(self) -> ssl.SSLError | None:
        """Give the alert with which TLS was ended: it says why, and lies unread when writing fails first."""
        try:
            while self._sock.recv(READ_BYTES):
                pass
        except ssl.SSLError as error:
            return error if "ALERT" in (error.reason or "") else None
        except OSError:
            pass
        return None

    def pending(self) -> int:
        """Give what TLS has at hand [bytes]."""
        return self._sock.pending() if isinstance(self._sock, ssl.SSLSocket) else 0

    def fileno(self) -> int:
        """Give the descriptor, -1 when closed."""
        return self._sock.fileno()

    def setblocking(self, flag: bool) -> None:
        """Never block, whatever is asked for."""

    def close(self) -> None:
        """Close; safe twice."""
        self._sock.close()


def dial(config: UplinkConfig, clock: Clock) -> socket.socket:
    """Connect to the broker, through TLS where the configuration says so.

    Args:
        config: where, and whom to trust.
        clock: tells the time.

    Returns:
        The socket.

    Raises:
        Unavailable: it did not come about.
    """
    where = place(config)
    context = tls_context(config) if config.encrypted else None
    try:
        sock = _tcp(config.host, config.port, clock)
    except OSError as error:
        raise unreachable(error, where) from error
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock if context is None else _shake_hands(sock, context, config.host, clock)
    except ConnectionError as error:
        sock.close()
        raise no_tls(where) from error
    except OSError as error:
        sock.close()
        raise unreachable(error, where) from error


def place(config: UplinkConfig) -> str:
    """Give host and port of the broker as people write them."""
    host = f"[{config.host}]" if ":" in config.host else config.host
    return f"{host}:{config.port}"


def _tcp(host: str, port: int, clock: Clock) -> socket.socket:
    """Connect to the first address that answers; each has its share of the time that is left."""
    until_s = clock.now() + TCP_S
    failed: OSError = TimeoutError()
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for index, (family, kind, protocol, _, address) in enumerate(addresses):
        left_s = until_s - clock.now()
        if left_s <= 0:
            break
        try:
            sock = socket.socket(family, kind, protocol)
        except OSError as error:  # a family that this machine does not speak
            failed = error
            continue
        try:
            sock.settimeout(left_s / (len(addresses) - index))
            sock.connect(address)
            return sock
        except OSError as error:
            failed = error
            sock.close()
    raise failed


def _shake_hands(sock: socket.socket, context: ssl.SSLContext, host: str, clock: Clock) -> socket.socket:
    """Do the handshake; its deadline is for all of it, so that a peer that drips bytes cannot hold the thread."""
    until_s = clock.now() + TLS_S
    sock.setblocking(False)
    safe = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
    try:
        while True:
            try:
                safe.do_handshake()
                return safe
            except ssl.SSLWantReadError:
                wanted = select.POLLIN
            except ssl.SSLWantWriteError:
                wanted = select.POLLOUT
            left_s = until_s - clock.now()
            poller = select.poll()
            poller.register(safe, wanted)
            if left_s <= 0 or not poller.poll(left_s * 1000.0):
                raise TimeoutError
    except BaseException:
        safe.close()
        raise


def tls_context(config: UplinkConfig) -> ssl.SSLContext:
    """Make what TLS checks and shows: the broker's certificate and name always, the station's own where it has one.

    Args:
        config: the files.

    Returns:
        The context.

    Raises:
        Unavailable: a file cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=config.ca or None)
    except OSError as error:
        raise Unavailable(
            f"cannot use the authorities in {config.ca}: {error.strerror or error}",
            hint="uplink.ca must name a file with certificates, readable for the station",
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if config.certificate:
        try:
            context.load_cert_chain(config.certificate, config.key, password=_no_passphrase)
        except (OSError, ValueError) as error:
            raise Unavailable(
                f"cannot use the certificate {config.certificate} with the key {config.key}: {error}",
                hint="uplink.certificate and uplink.key must belong together; the key must have no passphrase",
            ) from error
    return context


def _no_passphrase() -> str:
    """Stand in for the question that OpenSSL would ask on a terminal."""
    return ""


def read_password(path: str) -> str:
    """Read the password; the line's end is no part of it.

    Args:
        path: of the file.

    Returns:
        The password.

    Raises:
        Unavailable: it cannot be read, or others could read it too.
    """
    hint = "uplink.password_file must be a file for the station's user alone: chmod 600"
    try:
        with Path(path).open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(PASSWORD_BYTES + 2)
    except OSError as error:
        raise Unavailable(f"cannot read the password in {path}: {error.strerror}", hint=hint) from error
    if mode & 0o077:
        raise Unavailable(f"the password in {path} can be read by others (mode {mode & 0o777:o})", hint=hint)
    text = text.removesuffix(b"\n").removesuffix(b"\r")
    with contextlib.suppress(UnicodeDecodeError):
        if 0 < len(text) <= PASSWORD_BYTES:
            return text.decode()
    raise Unavailable(f"there is no password in {path}", hint=hint)
