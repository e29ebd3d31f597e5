"""The station's configuration: frozen records that mirror one TOML file, with all defaults and limits.

Settings of the deployment, read once at start. Pure: `file` reads it and says what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from edge_agent.config.camera import CameraConfig, camera_conflicts
from edge_agent.config.section import ClassSlug, Conflict, OptionalPath, OptionalSlug, RequiredPath, Section, Slug
from edge_agent.config.uplink import UplinkConfig, uplink_conflicts
from edge_agent.config.wire import GateConfig, RecipeGateConfig, WireConfig, wire_conflicts
from edge_agent.records import Action, Modality

SHIPPED_BUNDLES: Final = Path(__file__).resolve().parents[2] / "models" / "bundles"
"""Folder of the bundles that are installed with the program."""

ORDINARY: Final = 0.02
"""How probable a defective part is to be as ordinary as can be, in units of a good part; `inspection.decision`."""

Share = Annotated[float, Meta(ge=0, le=1)]
GreyLevel = Annotated[float, Meta(ge=0, le=255)]
Price = Annotated[float, Meta(ge=0.01, le=1_000_000)]


class StationConfig(Section, frozen=True):
    """Which station this is and where it keeps its state."""

    name: Slug = "station-1"
    state_dir: RequiredPath = "state"
    recipes: tuple[RequiredPath, ...] = ()


class SimlineConfig(Section, frozen=True):
    """The simulated line."""

    seed: Annotated[int, Meta(ge=0, le=4_294_967_295)] = 1
    parts_per_s: Annotated[float, Meta(ge=0.1, le=50)] = 5.0
    defect_share: Share = 0.2
    parts: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 0


class ReplayConfig(Section, frozen=True):
    """A folder of recorded parts."""

    folder: OptionalPath = ""
    pace: Literal["recorded", "fixed", "unpaced"] = "recorded"
    parts_per_s: Annotated[float, Meta(ge=0.1, le=50)] = 5.0


class SourceConfig(Section, frozen=True):
    """Where parts come from."""

    kind: Literal["simline", "replay", "wire"] = "simline"
    cameras: tuple[RequiredPath, ...] = ()
    simline: SimlineConfig = SimlineConfig()
    replay: ReplayConfig = ReplayConfig()
    wire: WireConfig = WireConfig()


class PairingConfig(Section, frozen=True):
    """Which frame and which vibration window belong to a trigger."""

    frame_before_ms: Annotated[float, Meta(ge=0, le=10_000)] = 50.0
    frame_after_ms: Annotated[float, Meta(ge=0, le=10_000)] = 100.0
    window_ms: Annotated[float, Meta(ge=1, le=10_000)] = 80.0
    wait_ms: Annotated[float, Meta(ge=1, le=30_000)] = 150.0
    max_uncertainty_ms: Annotated[float, Meta(ge=0.01, le=1000)] = 5.0


class ActionsConfig(Section, frozen=True):
    """What the reject output does with each answer."""

    ok: Action = Action.PASS
    ng: Action = Action.REJECT
    unsure: Action = Action.REJECT


class CostsConfig(Section, frozen=True):
    """What an answer costs, in any unit: only the ratios matter."""

    escape: Price = 100.0
    false_reject: Price = 10.0
    second_look: Price = 8.0


class RecipeConfig(Section, frozen=True):
    """The product that is inspected, and how strictly."""

    name: Slug = "default"
    bundle: RequiredPath = "generic"
    deadline_ms: Annotated[float, Meta(ge=20, le=60_000)] = 250.0
    modalities: Annotated[tuple[Modality, ...], Meta(min_length=1)] = (Modality.IMAGE, Modality.VIBRATION)
    camera: OptionalSlug = ""
    normality: bool = True
    guided: bool = True
    hurried: Literal["none", "image", "vibration"] = "none"
    false_reject: Annotated[float, Meta(ge=0.0001, le=0.2)] = 0.01
    defect_share: Annotated[float, Meta(ge=0.0001, le=0.5)] = 0.05
    draw_one_in: Annotated[int, Meta(ge=1, le=1_000_000)] = 200
    protected: tuple[ClassSlug, ...] = ()
    costs: CostsConfig = CostsConfig()
    actions: ActionsConfig = ActionsConfig()
    gate: RecipeGateConfig = RecipeGateConfig()

    @property
    def bundle_dir(self) -> Path:
        """Folder of the bundle, shipped or not; absolute once the configuration is resolved."""
        return SHIPPED_BUNDLES / self.bundle

    def resolved(self, folder: Path) -> RecipeConfig:
        """Make the bundle's path absolute, as seen from `folder`, where it is a path."""
        return msgspec.structs.replace(self, bundle=str(folder / self.bundle)) if "/" in self.bundle else self


class EngineConfig(Section, frozen=True):
    """What computes."""

    runtime: Literal["auto", "onnxruntime", "openvino"] = "openvino"
    device: Literal["cpu", "gpu", "npu"] = "cpu"
    threads: Annotated[int, Meta(ge=1, le=64)] = 1
    cpu_ratio: Share = 1.0
    gpu_ratio: Share = 1.0
    npu_fallback: bool = True
    parts_per_s: Annotated[float, Meta(ge=0.1, le=1000)] = 10.0
    memory_mb: Annotated[int, Meta(ge=100, le=1_000_000)] = 250
    timeout_ms: Annotated[float, Meta(ge=50, le=60_000)] = 2000.0


class ImageHealthConfig(Section, frozen=True):
    """When a picture is not good enough to judge a part by."""

    dark_mean_below: GreyLevel = 12.0
    bright_mean_above: GreyLevel = 243.0
    saturated_share_above: Share = 0.5
    blurred_sharpness_below: Annotated[float, Meta(ge=0, le=10_000)] = 5.0
    frozen_repeats: Annotated[int, Meta(ge=2, le=1000)] = 2


class LedgerConfig(Section, frozen=True):
    """What is kept."""

    keep_evidence: tuple[Literal["OK", "NG", "UNSURE"], ...] = ("NG", "UNSURE")
    max_mb: Annotated[int, Meta(ge=100, le=10_000_000)] = 20_000
    evidence_max_mb: Annotated[int, Meta(ge=10, le=10_000_000)] = 2000
    commit_queue: Annotated[int, Meta(ge=1, le=4096)] = 256


Group = Annotated[str, Meta(pattern=r"\A([a-z_][a-z0-9_-]{0,31})?\Z", description='a group of this machine, or ""')]


class ApiConfig(Section, frozen=True):
    """Where the command line reaches the running station, and who else may."""

    socket: OptionalPath = ""
    operators: Group = ""
    readers: Group = ""


class WatchdogConfig(Section, frozen=True):
    """When the station counts as stuck."""

    stall_s: Annotated[float, Meta(ge=5, le=600)] = 20.0


class Config(Section, frozen=True):
    """Everything a person sets; paths are absolute once it is resolved."""

    station: StationConfig = StationConfig()
    source: SourceConfig = SourceConfig()
    camera: CameraConfig = CameraConfig()
    pairing: PairingConfig = PairingConfig()
    recipe: RecipeConfig = RecipeConfig()
    gate: GateConfig = GateConfig()
    engine: EngineConfig = EngineConfig()
    image_health: ImageHealthConfig = ImageHealthConfig()
    ledger: LedgerConfig = LedgerConfig()
    api: ApiConfig = ApiConfig()
    uplink: UplinkConfig = UplinkConfig()
    watchdog: WatchdogConfig = WatchdogConfig()

    @classmethod
    def defaults(cls, state_dir: Path) -> Config:
        """Give the defaults with the state in `state_dir`."""
        return cls(station=StationConfig(state_dir=str(state_dir))).resolved(Path())

    def resolved(self, folder: Path) -> Config:
        """Make every path absolute, relative ones as seen from `folder`, and fill in the default socket."""
        here = folder.absolute()
        state_dir = here / self.station.state_dir
        replay, recipes = self.source.replay, tuple(str(here / file) for file in self.station.recipes)
        if replay.folder:
            replay = msgspec.structs.replace(replay, folder=str(here / replay.folder))
        cameras = tuple(str(here / file) for file in self.source.cameras)
        socket = here / self.api.socket if self.api.socket else state_dir / "api.sock"
        return msgspec.structs.replace(
            self,
            station=msgspec.structs.replace(self.station, state_dir=str(state_dir), recipes=recipes),
            source=msgspec.structs.replace(self.source, replay=replay, cameras=cameras),
            camera=self.camera.resolved(here),
            recipe=self.recipe.resolved(here),
            api=msgspec.structs.replace(self.api, socket=str(socket)),
            uplink=self.uplink.resolved(here, state_dir),
        )

    def conflicts(self) -> Iterator[Conflict]:
        """Give what cannot work together, though each value is within its own limits."""
        pairing, recipe, engine, health = self.pairing, self.recipe, self.engine, self.image_health
        if recipe.deadline_ms <= pairing.wait_ms:
            yield Conflict(
                ("recipe.deadline_ms", "pairing.wait_ms"),
                f"must be more than pairing.wait_ms ({pairing.wait_ms:g}), not {recipe.deadline_ms:g}",
                "a part that waits for its picture must still be judged before its deadline",
            )
        for modality, key, needed_ms in (
            (Modality.IMAGE, "pairing.frame_after_ms", pairing.frame_after_ms),
            (Modality.VIBRATION, "pairing.window_ms", pairing.window_ms),
        ):
            if modality in recipe.modalities and pairing.wait_ms < needed_ms:
                yield Conflict(
                    ("pairing.wait_ms", key, "recipe.modalities"),
                    f"must be at least {key} ({needed_ms:g}), not {pairing.wait_ms:g}",
                    "what may come that late would never be waited for",
                )
        if recipe.hurried not in ("none", *recipe.modalities):
            yield Conflict(
                ("recipe.hurried", "recipe.modalities"),
                f'must be "none" or one of recipe.modalities, not "{recipe.hurried}"',
                "a part cannot be judged in a hurry by what it is not judged by",
            )
        yield from self._cost_conflicts()
        if engine.runtime == "onnxruntime" and engine.device != "cpu":
            yield Conflict(
                ("engine.device", "engine.runtime"),
                f'must be "cpu" with runtime "onnxruntime", not "{engine.device}"',
                f'for "{engine.device}" set runtime = "openvino"',
            )
        if engine.runtime == "auto" and not engine.cpu_ratio and not engine.gpu_ratio:
            yield Conflict(
                ("engine.cpu_ratio", "engine.gpu_ratio", "engine.runtime"),
                "must not be 0 when engine.gpu_ratio is 0 as well",
                "nothing could prepare a picture, nor stand in for an NPU",
            )
        if health.dark_mean_below >= health.bright_mean_above:
            yield Conflict(
                ("image_health.dark_mean_below", "image_health.bright_mean_above"),
                f"must be less than bright_mean_above ({health.bright_mean_above:g})",
                "no picture would be good",
            )
        if self.watchdog.stall_s <= engine.timeout_ms / 1e3:
            yield Conflict(
                ("watchdog.stall_s", "engine.timeout_ms"),
                f"must be more than engine.timeout_ms ({engine.timeout_ms / 1e3:g} s)",
                "a device that hangs must be found before the station counts as stuck",
            )
        if self.source.kind == "replay" and not self.source.replay.folder:
            yield Conflict(("source.replay.folder", "source.kind"), 'must name a folder with source.kind = "replay"')
        yield from uplink_conflicts(self.uplink)
        yield from camera_conflicts(self.camera, pairing.max_uncertainty_ms, pairing.wait_ms)
        if self.source.kind == "wire":
            window_ms = pairing.window_ms if Modality.VIBRATION in recipe.modalities else None
            yield from wire_conflicts(self.source.wire, recipe.gate, recipe.deadline_ms, pairing.wait_ms, window_ms)

    def _cost_conflicts(self) -> Iterator[Conflict]:
        recipe = self.recipe
        costs = recipe.costs
        most = costs.escape * costs.false_reject / (costs.escape + costs.false_reject)
        if costs.second_look >= most:
            yield Conflict(
                ("recipe.costs.second_look", "recipe.costs.escape", "recipe.costs.false_reject"),
                f"must be less than {most:.4g} (escape × false_reject / (escape + false_reject)), "
                f"not {costs.second_look:g}",
                "no part would be UNSURE: one wrong answer or the other would always be the cheaper risk",
            )
        else:
            ok = costs.second_look / costs.escape
            share = ok / (ok + (1.0 - ok) * ORDINARY)
            if recipe.defect_share >= share:
                yield Conflict(
                    ("recipe.defect_share", "recipe.costs.escape", "recipe.costs.second_look"),
                    f"must be less than {share:.3g} with these prices, not {recipe.defect_share:g}",
                    "no part would be OK: at costs.escape even the most ordinary one would be worth a second look",
                )
