"""Who is at the other end of the socket, as the kernel says, and what that user may ask for."""

from __future__ import annotations

import grp
import os
import pwd
import socket
import struct
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from edge_agent.api.request import Caller
from edge_agent.commands import Privilege
from edge_agent.errors import ConfigError

ROOT: Final = 0
_CREDENTIALS: Final = struct.Struct("3i")  # pid, uid, gid (unix(7), SO_PEERCRED)


@dataclass(frozen=True)
class Access:
    """Which groups may do what; root and the station's own user may everything.

    Attributes:
        operators: this group may do what the people at the line do; "" for none.
        readers: this group may look; "" for none.
    """

    operators: str = ""
    readers: str = ""

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups that there are, each once."""
        return tuple(dict.fromkeys(group for group in (self.operators, self.readers) if group))

    @property
    def who_may(self) -> str:
        """Say for people who may do what."""
        operators = f"the group {self.operators}" if self.operators else "no group: see [api] operators"
        readers = f"the group {self.readers}" if self.readers else "no group: see [api] readers"
        return f"root and the user of the station may everything; {operators} may operate; {readers} may read"


def socket_mode(access: Access) -> tuple[int, int | None]:
    """Give the narrowest mode of the socket that lets in whoever may ask for something.

    Args:
        access: which groups may.

    Returns:
        The mode, and the number of the group that the socket is to belong to; None where that does not matter.
        Two groups need a socket that everybody may open: who asks is looked at all the same.

    Raises:
        ConfigError: there is no such group.
    """
    numbers = [number_of(group) for group in access.groups]
    if not numbers:
        return 0o600, None
    return (0o660, numbers[0]) if len(numbers) == 1 else (0o666, None)


def number_of(group: str) -> int:
    """Give the number of a group; raise `ConfigError` where there is none of that name."""
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError as error:
        raise ConfigError(
            f"there is no group {group!r} on this machine",
            hint="make it, or set [api] operators and [api] readers to groups that exist",
        ) from error


def privilege_of(uid: int, groups: Collection[str], access: Access, own_uid: int) -> Privilege | None:
    """Say what a user may ask for.

    Args:
        uid: number of the user.
        groups: names of the user's groups.
        access: which groups may do what.
        own_uid: number of the station's own user.

    Returns:
        The most that is allowed; None for nothing.
    """
    if uid in (ROOT, own_uid):
        return Privilege.ADMINISTER
    if access.operators and access.operators in groups:
        return Privilege.OPERATE
    if access.readers and access.readers in groups:
        return Privilege.READ
    return None


def caller_of(connection: socket.socket, access: Access) -> Caller:
    """Say who is at the other end of a Unix socket, and what that user may."""
    _, uid, gid = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    try:
        name = pwd.getpwuid(uid).pw_name
        numbers = set(os.getgrouplist(name, gid))
    except (KeyError, OSError):
        name, numbers = "", {gid}
    groups = {group for group in access.groups if _is_in(group, numbers)}
    return Caller(uid, name, privilege_of(uid, groups, access, os.geteuid()))


def _is_in(group: str, numbers: Collection[int]) -> bool:
    try:
        return grp.getgrnam(group).gr_gid in numbers
    except KeyError:
        return False
