"""A recording of a wire: what was written is read, and one that was cut or damaged is good up to there."""

import io
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.layout import encode_message
from firmware_bridge.messages import Edge, Ping
from firmware_bridge.packet import encode_packet
from firmware_bridge.recording import (
    BadRecording,
    Entry,
    Kind,
    Reader,
    RecordedPort,
    Recorder,
    read_entries,
)
from firmware_bridge.sim.loopback import loopback

entries = st.lists(st.builds(Entry, st.sampled_from(Kind), st.floats(0.0, 1e9), st.binary(max_size=200)), max_size=8)


def recorded(said: list[Entry], kind: type[Recorder] = Recorder, max_bytes: int = 1 << 20) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "wire"
        recorder = kind(path, max_bytes)
        for entry in said:
            recorder.add(entry.kind, entry.time_s, entry.data)
        recorder.close()
        return path.read_bytes()


@given(entries)
def test_what_was_recorded_is_read(said: list[Entry]) -> None:
    assert list(read_entries(io.BytesIO(recorded(said)))) == said


def assert_good_up_to_the_cut(said: list[Entry], where: int, kind: type[Recorder] = Recorder) -> None:
    data = recorded(said, kind)
    cut = data[: 17 + where % (len(data) - 16)]
    file = io.BytesIO(cut)

    read = list(read_entries(file))

    assert read == said[: len(read)]
    assert len(data) - file.tell() == sum(13 + len(entry.data) + 4 for entry in said[len(read) :])
    assert len(cut) - file.tell() < 13 + 200 + 4


@given(entries, st.integers(0, 10**6))
def test_a_recording_that_was_cut_anywhere_is_good_up_to_its_last_whole_entry(said: list[Entry], where: int) -> None:
    assert_good_up_to_the_cut(said, where)


def test_a_recorder_that_writes_lengths_without_bytes_would_be_found_out() -> None:
    class Careless(Recorder):
        def add(self, kind: Kind, time_s: float, data: bytes = b"") -> None:
            super().add(kind, time_s, data[:-1])

    with pytest.raises(AssertionError):
        assert_good_up_to_the_cut([Entry(Kind.READ, 1.0, b"abc")] * 2, 10**6, Careless)


@given(entries, st.integers(0, 10**6), st.integers(0, 7))
def test_damage_anywhere_costs_what_is_behind_it_and_nothing_before(said: list[Entry], where: int, bit: int) -> None:
    data = bytearray(recorded(said))
    at = 17 + where % max(1, len(data) - 17)
    if at < len(data):
        data[at] ^= 1 << bit

    read = list(read_entries(io.BytesIO(bytes(data))))

    assert read == said[: len(read)]


@given(st.binary(max_size=300))
def test_what_is_no_recording_says_so(data: bytes) -> None:
    with pytest.raises(BadRecording):
        list(read_entries(io.BytesIO(data)))


def test_a_recording_of_another_version_says_which() -> None:
    with pytest.raises(BadRecording, match="version 9"):
        list(read_entries(io.BytesIO(b"edge-agent wire\n\x09")))


def test_a_file_that_exists_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "mine"
    path.write_text("dear diary")

    with pytest.raises(BadRecording, match="exists"):
        Recorder(path)

    assert path.read_text() == "dear diary"


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadRecording, match="cannot be made"):
        Recorder(tmp_path / "no" / "wire")


@given(st.integers(17, 400))
def test_a_recording_never_grows_beyond_its_bound_and_counts_what_it_leaves_out(max_bytes: int) -> None:
    said = [Entry(Kind.READ, float(i), bytes(i)) for i in range(30)]

    data = recorded(said, max_bytes=max_bytes)

    assert len(data) <= max_bytes
    assert list(read_entries(io.BytesIO(data))) == said[: len(list(read_entries(io.BytesIO(data))))]


def test_a_disk_that_is_full_ends_the_recording_and_not_the_session(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "wire")
    recorder._file.close()
    recorder._file = open("/dev/full", "wb", buffering=0)  # noqa: SIM115, PTH123
    port, other = loopback()
    recorded_port = RecordedPort(port, recorder, lambda: 1.0)
    other.write(b"a")

    assert recorded_port.read() == b"a"
    assert recorded_port.write(b"b") == 1

    assert recorder.error is not None and "No space left" in recorder.error.message
    assert recorder.left_out == 2
    recorder.close()


def test_what_goes_over_a_recorded_port_is_shown_as_messages_with_their_times(tmp_path: Path) -> None:
    times = iter([100.0, 100.5, 101.0, 101.5])
    recorder = Recorder(tmp_path / "wire")
    port, other = loopback()
    recorded_port = RecordedPort(port, recorder, lambda: next(times))
    edge = encode_packet(encode_message(Edge(3, 2**63, 0, 1, 0), 9))
    other.write(edge[:5])
    recorded_port.read()
    other.write(edge[5:] + b"\x09rubbish\x00")
    recorded_port.read()
    recorded_port.write(encode_packet(encode_message(Ping(5), 0)))
    recorded_port.close()
    recorder.close()

    with (tmp_path / "wire").open("rb") as file:
        reader = Reader()
        rows = [row for entry in read_entries(file) for row in reader.rows(entry)]

    assert rows == [
        {"t": 0.0, "type": "OPENED"},
        {"t": 1.0, "to": "host", "type": "EDGE", "seq": 9, "edge_seq": 3, "ticks": 2**63, "input": 0, "level": 1}
        | {"glitches": 0},
        {"t": 1.0, "to": "host", "type": "DAMAGED", "packets": 1},
        {"t": 1.5, "to": "mcu", "type": "PING", "seq": 0, "host_ns": 5},
    ]
