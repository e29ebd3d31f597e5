"""Who may ask what through the socket: the kernel says who asks, and processes of other users try it."""

from __future__ import annotations

import grp
import json
import os
import pwd
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_agent import api
from edge_agent.api.peer import Access, caller_of, privilege_of, socket_mode
from edge_agent.commands import COMMANDS, Privilege
from edge_agent.errors import BadData, ConfigError
from edge_agent.runtime.clock import SystemClock
from edge_agent.runtime.loop import Loop

NOBODY = 65534
OPERATORS, READERS = "users", "games"
BOTH = Access(OPERATORS, READERS)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be other users")

ASK = """
import socket, sys
with socket.socket(socket.AF_UNIX) as client:
    client.connect(sys.argv[1])
    client.sendall(f"GET /v1/{sys.argv[2]} HTTP/1.0\\r\\n\\r\\n".encode())
    answer = b""
    while piece := client.recv(65536):
        answer += piece
print(answer.decode())
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody may enter."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@contextmanager
def served(path: Path, access: Access) -> Iterator[list[api.Request]]:
    taken: list[api.Request] = []
    loop = Loop(SystemClock())

    def answer(request: api.Request, now: float) -> None:
        taken.append(request)
        request.done({"ok": True})

    server = api.ApiServer(path, dict.fromkeys(COMMANDS, answer), loop.poke, access=access)
    loop.add(server)
    server.open()
    thread = threading.Thread(target=loop.run)
    thread.start()
    try:
        yield taken
    finally:
        loop.stop()
        thread.join()
        server.close()
        assert server.join(SystemClock().now() + 5.0)


def as_user(path: Path, command: str, group: int) -> tuple[int, dict[str, str]]:
    """Ask as nobody, with a primary group; give status and body."""
    program = [shutil.which("python3", path="/usr/bin") or sys.executable, "-I", "-c", ASK, str(path), command]
    done = subprocess.run(
        program, user=NOBODY, group=group, extra_groups=[], capture_output=True, text=True, check=False, cwd="/"
    )
    if done.returncode:
        return 0, {"error": done.stderr}
    head, _, body = done.stdout.partition("\r\n\r\n") if "\r\n\r\n" in done.stdout else done.stdout.partition("\n\n")
    return int(head.split()[1]), json.loads(body)


@pytest.mark.parametrize(
    ("uid", "groups", "allowed"),
    [
        (0, set(), Privilege.ADMINISTER),
        (990, set(), Privilege.ADMINISTER),
        (1000, {OPERATORS}, Privilege.OPERATE),
        (1000, {OPERATORS, READERS}, Privilege.OPERATE),
        (1000, {READERS}, Privilege.READ),
        (1000, {"wheel"}, None),
        (1000, set(), None),
    ],
)
def test_user_and_groups_say_what_may_be_asked_for(uid: int, groups: set[str], allowed: Privilege | None) -> None:
    assert privilege_of(uid, groups, BOTH, own_uid=990) == allowed


def test_no_group_is_meant_by_an_empty_name() -> None:
    assert privilege_of(1000, {""}, Access(), own_uid=990) is None


def test_each_privilege_includes_those_before_it() -> None:
    assert [[a.covers(b) for b in Privilege] for a in Privilege] == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]


def test_the_socket_is_as_narrow_as_its_groups_allow() -> None:
    users, games = grp.getgrnam(OPERATORS).gr_gid, grp.getgrnam(READERS).gr_gid
    assert socket_mode(Access()) == (0o600, None)
    assert socket_mode(Access(operators=OPERATORS)) == (0o660, users)
    assert socket_mode(Access(readers=READERS)) == (0o660, games)
    assert socket_mode(Access(OPERATORS, OPERATORS)) == (0o660, users)
    assert socket_mode(BOTH) == (0o666, None)
    with pytest.raises(ConfigError, match="no group 'nosuchgroup'"):
        socket_mode(Access("nosuchgroup"))


def test_the_kernel_says_who_is_at_the_other_end() -> None:
    here, there = socket.socketpair()
    with here, there:
        caller = caller_of(here, Access())

    assert (caller.uid, caller.name) == (os.geteuid(), pwd.getpwuid(os.geteuid()).pw_name)
    assert caller.privilege is Privilege.ADMINISTER


@needs_root
@pytest.mark.parametrize(
    ("group", "command", "status"),
    [
        (OPERATORS, "status", 200),
        (OPERATORS, "gate?to=bypass&who=me", 200),
        (OPERATORS, "restart?who=me", 403),
        (READERS, "status", 200),
        (READERS, "gate?to=bypass&who=me", 403),
        ("nogroup", "status", 403),
    ],
)
def test_members_of_a_group_may_what_the_group_may(folder: Path, group: str, command: str, status: int) -> None:
    with served(folder / "api.sock", BOTH) as taken:
        answered, body = as_user(folder / "api.sock", command, grp.getgrnam(group).gr_gid)

    assert answered == status
    assert len(taken) == (status == 200)
    if status == 403:
        assert "nobody may" in body["error"]
        assert f"the group {OPERATORS} may operate" in body["hint"]


@needs_root
def test_with_one_group_the_socket_is_its_own_and_closed_to_others(folder: Path) -> None:
    path = folder / "api.sock"
    group = grp.getgrnam(READERS).gr_gid
    with served(path, Access(readers=READERS)):
        found = path.stat()
        assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o660, group)
        assert as_user(path, "status", group)[0] == 200
        refused, body = as_user(path, "status", grp.getgrnam(OPERATORS).gr_gid)
    assert refused == 0
    assert "PermissionError" in body["error"]


def test_a_group_that_is_not_there_is_a_matter_of_configuration(folder: Path) -> None:
    loop = Loop(SystemClock())
    server = api.ApiServer(folder / "api.sock", {}, loop.poke, access=Access("nosuchgroup"))
    with pytest.raises(ConfigError, match="nosuchgroup"):
        server.open()


@pytest.mark.parametrize("asked_id", ["a b", "x" * 65, "a/b", "a:b"])
def test_an_id_is_short_and_plain(folder: Path, asked_id: str) -> None:
    with served(folder / "api.sock", Access()) as taken:
        with pytest.raises(BadData, match="`id`"):
            api.call(folder / "api.sock", "status", {"id": asked_id})
        api.call(folder / "api.sock", "status", {"id": "tap-1.2_3"})
    assert [request.id for request in taken] == ["tap-1.2_3"]
