"""What a person sees of a wire: counters and rates that are true, and nothing of the device that moves the cursor."""

from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from rich.console import Console
from scripted_mcu import Scripted

from firmware_bridge.bridge import Bridge, Down
from firmware_bridge.codes import BlockFlag
from firmware_bridge.errors import PortLost
from firmware_bridge.handshake import State
from firmware_bridge.messages import Block, Log
from firmware_bridge.monitor import Figures, Monitor, as_json, line, printable, table
from firmware_bridge.port import Port


def no_port() -> Port:
    raise AssertionError("nothing is opened")


class Rig:
    """A monitor of a bridge whose thread does not run."""

    def __init__(self) -> None:
        self.mcu = Scripted()
        self.monitor = Monitor(self.mcu.now)
        self.bridge = Bridge(no_port, self.mcu.session, lambda: self.mcu.now, self.monitor.hear)

    def figures(self) -> Figures:
        for heard in self.mcu.heard:
            self.monitor.hear(heard)
        self.mcu.heard.clear()
        return self.monitor.figures(self.bridge, self.mcu.now)


def watched() -> Rig:
    rig = Rig()
    rig.mcu.reach(State.UP, edges=4)
    rig.figures()
    rig.mcu.now += 1.0
    samples = np.ones((64, 3), np.int16)
    for seq in (0, 1, 3):
        flags = BlockFlag.SATURATED if seq == 1 else 0
        rig.mcu.say(Block(seq, 64 * seq, rig.mcu.ticks(), 0, flags, 3150, samples))
    rig.mcu.edge(5)
    rig.mcu.edge(7)
    return rig


def test_nothing_is_known_before_somebody_answers() -> None:
    figures = Rig().figures()

    assert not figures.up
    assert figures.uncertainty_us is None
    assert line(figures) == "down: greeting"


def test_counters_and_rates_are_those_of_the_wire() -> None:
    figures = watched().figures()

    assert (figures.up, figures.sensor, figures.series) == (True, "SCRIPT", f"{7:016x}")
    assert (figures.samples, figures.lost, figures.samples_hz, figures.saturated) == (192, 64, 192.0, 1)
    assert (figures.edges, figures.edges_lost, figures.edges_per_min) == (7, 1, 120.0)
    assert [number for number, _ in figures.last_edges] == [5, 7]
    assert figures.temperature_celsius == 31.5
    assert figures.uncertainty_us is not None and figures.uncertainty_us < 1000.0


def test_rates_are_those_since_it_was_asked_last() -> None:
    rig = watched()
    rig.figures()
    rig.mcu.now += 0.5

    assert rig.figures().samples_hz == rig.figures().edges_per_min == 0.0


def test_why_a_session_is_down_is_shown_with_what_to_do() -> None:
    rig = Rig()
    rig.bridge.error = PortLost("sensor: the device is gone", hint="plug it in again")
    rig.monitor.hear(Down(rig.bridge.error, 0.1))

    figures = rig.figures()

    assert "the device is gone" in line(figures)
    assert figures.hint == "plug it in again"
    assert not rig.monitor.was_up and rig.monitor.last_down is not None


def drawn(figures: Figures) -> str:
    out = StringIO()
    Console(file=out, width=120, force_terminal=False).print(table(figures, "/dev/[bold]x"))
    return out.getvalue()


def test_the_table_shows_everything_and_takes_nothing_of_the_device_for_markup() -> None:
    rig = watched()
    rig.mcu.say(Log(1, "[red]hot\x1b[2J\nwarm"))

    text = drawn(rig.figures())

    assert "/dev/[bold]x" in text
    assert "[red]hot?[2J?warm" in text
    assert "192/s" in text and "120/min" in text


@pytest.mark.parametrize("text", ["\x1b[2J", "a\rb", "\x9b1m", "\u202eabc"])
def test_what_could_move_the_cursor_is_replaced(text: str) -> None:
    assert printable(text).isprintable()
    assert printable("31 °C, ok") == "31 °C, ok"


def test_a_name_with_control_characters_is_shown_without() -> None:
    rig = Rig()
    rig.mcu.hello = replace(rig.mcu.hello, sensor="A\x1b[2J")
    rig.mcu.reach(State.UP)

    assert rig.figures().sensor == "A?[2J"


def test_json_has_every_figure() -> None:
    figures = watched().figures()

    assert as_json(figures)["last_edges"] == figures.last_edges
    assert set(as_json(figures)) == set(Figures.__dataclass_fields__)
