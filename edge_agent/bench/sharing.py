"""Memory of four recipes that use one bundle, beside four copies of it: `edge-agent bench --sharing`.

Each case is a process of its own, so that none finds what another left behind. What only importing the runtime takes is
subtracted from both.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from edge_agent.config import RecipeConfig
from edge_agent.engines import Spot, load_engines
from edge_agent.engines.spot import DeviceName
from edge_agent.errors import Unavailable
from edge_agent.inspection.encode import Encoder, load_bundle
from edge_agent.inspection.encoders import Encoders
from edge_agent.runtime.machine import processor, pss_mb
from edge_agent.terminal.printing import say, say_json
from models import Bundle

USERS: Final = 4
TIMEOUT_S: Final = 120.0
SPOT: Final = Spot(DeviceName("openvino", "cpu"), 1)
PLAIN: Final = Spot(DeviceName("onnxruntime", "cpu"), 1)


class Case(StrEnum):
    """What a process holds."""

    BARE_OPENVINO = "OpenVINO imported"
    BARE_ONNXRUNTIME = "onnxruntime imported"
    SHARED = "four recipes, one encoder"
    OPENVINO = "four compiled models of OpenVINO"
    ONNXRUNTIME = "four sessions of onnxruntime"


@dataclass(frozen=True)
class SharingReport:
    """What was measured.

    Attributes:
        bundle: its name.
        mb: proportional set size of each case [MB].
        of_openvino: what sharing takes as a share of four compiled models, both without the bare runtime.
        of_onnxruntime: the same of four sessions of onnxruntime.
        machine: processor.
    """

    bundle: str
    mb: dict[str, float]
    of_openvino: float
    of_onnxruntime: float
    machine: str


def run_sharing(bundle: str, *, as_json: bool) -> int:
    """Measure and print.

    Args:
        bundle: a shipped one, or its folder.
        as_json: print JSON.

    Returns:
        0.

    Raises:
        ConfigError: there is no such bundle.
        Unavailable: the system does not say how much memory a process takes, or a process did not answer.
    """
    folder = RecipeConfig(bundle=bundle).resolved(Path.cwd()).bundle_dir
    load_bundle(folder)
    mb = {case: _asked(case, folder) for case in Case}
    shared = mb[Case.SHARED] - mb[Case.BARE_OPENVINO]
    report = SharingReport(
        bundle=folder.name,
        mb={str(case): value for case, value in mb.items()},
        of_openvino=shared / (mb[Case.OPENVINO] - mb[Case.BARE_OPENVINO]),
        of_onnxruntime=shared / (mb[Case.ONNXRUNTIME] - mb[Case.BARE_ONNXRUNTIME]),
        machine=processor(),
    )
    if as_json:
        say_json(report)
        return 0
    say(f"bundle {report.bundle}, {report.machine}, proportional set size")
    for case, value in report.mb.items():
        say(f"{case:<36}{value:8.1f} MB")
    say(
        f"without the bare runtime, sharing takes {report.of_openvino:.0%} of four compiled models "
        f"and {report.of_onnxruntime:.0%} of four sessions"
    )
    return 0


def _asked(case: Case, bundle: Path) -> float:
    """Give the memory of one case [MB]."""
    command = [sys.executable, "-m", "edge_agent.bench.sharing", case.name, str(bundle)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{case} did not answer within {TIMEOUT_S:g} s", hint="try it again") from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise Unavailable(f"{case} cannot be measured: {said[-1] if said else 'it said nothing'}", hint="try it again")
    return float(msgspec.json.decode(done.stdout))


def _held(case: Case, folder: Path) -> float:
    """Hold what a case holds, run it once, and give the memory of this process [MB]."""
    bundle = Bundle.load(folder)
    spot = PLAIN if case in (Case.BARE_ONNXRUNTIME, Case.ONNXRUNTIME) else SPOT
    held: list[Encoder] = []
    if case is Case.SHARED:
        encoders = Encoders(lambda wanted: Encoder.at_spots(wanted, spot), lambda: True)
        held += [encoders.of(bundle) for _ in range(USERS)]
    elif case in (Case.OPENVINO, Case.ONNXRUNTIME):
        for _ in range(USERS):
            encoder = Encoder.at_spots(bundle, spot)
            encoder.prove()
            held.append(encoder)
    else:  # the smallest part, let go again: the runtime is imported and has run
        for engine in load_engines(bundle, spot, bundle.manifest.judging[-1:]).values():
            engine.close()
    mb = pss_mb()
    if mb is None:
        raise SystemExit("the system does not say how much memory a process takes")
    return mb


if __name__ == "__main__":
    sys.stdout.write(f"{_held(Case[sys.argv[1]], Path(sys.argv[2]))}\n")
