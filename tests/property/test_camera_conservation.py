"""Every picture that a camera reads is delivered, refused or dropped, and none comes after it was closed."""

from __future__ import annotations

import threading

from camera_bench import opened
from hypothesis import given, settings
from hypothesis import strategies as st

Script = list[tuple[str, float]]


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["unplug", "plug", "lie", "hang", "free", "damage", "resize", "close", "open", "wait"]),
            st.floats(0.05, 3.0),
        ),
        max_size=12,
    )
)
def test_every_picture_is_delivered_refused_or_dropped_whatever_happens(script: Script) -> None:
    with opened(width_px=64, height_px=48) as bench:
        for what, seconds in script:
            fake, camera = bench.fake, bench.camera
            match what:
                case "unplug" | "plug":
                    fake.plugged = what == "plug"
                case "lie":
                    fake.lies = not fake.lies
                case "hang":
                    fake.hangs_in = {"read"}
                case "free":
                    fake.release()
                    fake._released = threading.Event()
                case "damage":
                    fake.damaged = True
                case "resize":
                    fake.size = (32, 24) if fake.size == (64, 48) else (64, 48)
                case "close":
                    camera.close()
                    closed_with = len(bench.frames)
                    threading.Event().wait(0.005)
                    assert len(bench.frames) == closed_with
                case "open":
                    camera.open()
            bench.clock.advance(seconds)
            camera.step(bench.clock.now())
            threading.Event().wait(0.004)
            stats = camera.stats()
            assert stats.read == stats.delivered + stats.refused + stats.dropped
            assert stats.hanging <= 3  # two left behind, and one that was just closed
            assert all(frame.image.shape == (48, 64, 3) for frame in bench.frames)
    assert bench.camera.stats().delivered == len(bench.frames)
