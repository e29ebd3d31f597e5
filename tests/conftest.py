"""What holds for every test: it cleans up after itself, and a unit test never sleeps."""

import contextlib
import gc
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

GRACE_S = 2.0
"""A thread or child that is already ending gets this long to be gone."""

UNIT = Path(__file__).parent / "unit"

FOLDERS = ("system", "workshop", "contract", "fault", "property", "interop", "unit")
"""Those whose files take longest come first, so that no worker ends long before the other."""

settings.register_profile("station", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("station")


@pytest.hookimpl(trylast=True)  # behind the plugin that shuffles
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the tests by folder; within a folder they stay in their random order."""
    here = Path(__file__).parent
    items.sort(key=lambda item: FOLDERS.index(item.path.relative_to(here).parts[0]))


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    before = _held()
    yield
    left = _held() - before
    give_up_at = time.monotonic() + GRACE_S
    while left and time.monotonic() < give_up_at:
        gc.collect()
        threading.Event().wait(0.01)
        left = _held() - before
    if left:
        pytest.fail("the test left behind: " + ", ".join(sorted(left)), pytrace=False)


@pytest.fixture(autouse=True)
def _no_sleep_in_unit_tests(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(seconds: float) -> None:
        pytest.fail(f"a unit test sleeps for {seconds} s; advance a ManualClock instead")

    if request.path.is_relative_to(UNIT):
        monkeypatch.setattr(time, "sleep", forbidden)


def _held() -> set[str]:
    return _threads() | _children() | _open_files()


def _threads() -> set[str]:
    return {f"thread {thread.name!r} ({thread.ident})" for thread in threading.enumerate()}


def _children() -> set[str]:
    found = set()
    for task in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread that has ended meanwhile
            found |= {f"child process {pid}" for pid in task.read_text().split()}
    return found


def _open_files() -> set[str]:
    """Files and sockets, not devices: a driver may keep those for good once it is loaded."""
    held = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except FileNotFoundError:  # the listing's own
            continue
        if target.startswith(("socket:", "/")) and not target.startswith(("/dev/", "/proc/", "/sys/")):
            held.add(f"open file {descriptor.name} ({target})")
    return held
