"""Trains a fusion model and packs it: point it at data and get a bundle. One command, from nothing.

`python -m models.workshop.learn castings --out models/bundles/castings`
`python -m models.workshop.learn FOLDER_OF_CLASS_FOLDERS --out my_bundle --run my_run`
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Final

import torch

from models.bundle import MANIFEST
from models.errors import BundleRefused
from models.manifest import FittedOn
from models.source import VibrationSpec
from models.workshop.blocks import STRENGTH
from models.workshop.build import Facts, build
from models.workshop.collect import collect
from models.workshop.corpus import Corpus
from models.workshop.courses import Course, Side, named
from models.workshop.data.sample import not_a_slug
from models.workshop.distributed import ALONE, Ranks, together
from models.workshop.errors import WorkshopError
from models.workshop.fewshot import LOSSES, FewShot, imprint
from models.workshop.fusion import IMAGE_DIMS, METHODS, SIDE_PX, UNTOUCHED_DIMS, FusionModel
from models.workshop.halve import halve
from models.workshop.options import Options
from models.workshop.quantize import DEPTHWISE_IN_FLOAT
from models.workshop.train import train
from models.workshop.weights import save_weights

VERSION: Final = "1.3.0"

EPOCHS: Final = 20


@dataclass(frozen=True)
class Choice:
    """What a training can choose.

    Attributes:
        image_encoder: its name.
        vibration_encoder: its name.
        method: of fusion.
        loss: see `fewshot.LOSSES`.
        epochs: how many.
        seed: of everything random.
        side_px: side of the square that a picture is scaled to [px].
        compression: how gradients travel between processes, see `options.COMPRESSIONS`.
        untouched_dims: of the picture's block, for what a frozen backbone sees untouched; of one that is trained, none.
    """

    image_encoder: str = "efficientnet_lite0"
    vibration_encoder: str = "filterbank"
    method: str = "attention"
    loss: str = "contrast"
    epochs: int = EPOCHS
    seed: int = 1
    side_px: int = SIDE_PX
    compression: str = "none"
    untouched_dims: int = UNTOUCHED_DIMS

    def model(self, classes: Sequence[str], vibration: VibrationSpec) -> FusionModel:
        """Make the model, not trained yet; raises `WorkshopError` where there is none of that name."""
        torch.manual_seed(self.seed)
        return FusionModel(
            self.image_encoder,
            self.vibration_encoder,
            self.method,
            classes=classes,
            vibration=vibration,
            side_px=self.side_px,
        )

    def options(self) -> Options:
        """How the loop trains; raises `WorkshopError` for what makes no sense."""
        return Options(
            epochs=self.epochs,
            objective="accuracy",
            seed=self.seed,
            threads=torch.get_num_threads(),
            compression=self.compression,
        )


def learn(
    course: Course, choice: Choice, run: Path, ranks: Ranks = ALONE
) -> tuple[FusionModel, Corpus, dict[str, float]]:
    """Train a model.

    Args:
        course: what on.
        choice: which model, and how.
        run: the run folder; an interrupted run goes on from it.
        ranks: the processes, from `distributed.together`; each has episodes of its own.

    Returns:
        The model, in the process that leads with its best weights; what it learned from; and what it came to on the
        side of validation.

    Raises:
        WorkshopError: the data cannot be learned from, or the run folder cannot be used.
    """
    model = choice.model(course.training.dataset.classes, course.vibration)
    training = _collected(course, course.training, model, varied=True)
    validation = _collected(course, course.validation, model, varied=False)
    return model, training, fit(model, training, validation, choice, run, ranks)


def fit(
    model: FusionModel, training: Corpus, validation: Corpus, choice: Choice, run: Path, ranks: Ranks = ALONE
) -> dict[str, float]:
    """Train a model on what was collected.

    Args:
        model: from `Choice.model`; in the process that leads it has its best weights afterwards.
        training: what it learns from.
        validation: what the best epoch is chosen by.
        choice: how.
        run: the run folder; an interrupted run goes on from it.
        ranks: the processes.

    Returns:
        What it came to on the side of validation.

    Raises:
        WorkshopError: the samples cannot be learned from, or the run folder cannot be used.
    """
    task = FewShot(model, training, validation, loss=choice.loss, seed=choice.seed)
    result = train(task, run, choice.options(), ranks=ranks)
    if ranks.leads:
        model.load_state_dict(torch.load(result.weights, weights_only=True))
        if choice.untouched_dims and model.image_encoder.frozen and training.modalities[0]:
            halve(model, training, choice.untouched_dims)
        imprint(model, training)
        save_weights(model, run / "weights.pth")
    return result.metrics


def pack(
    course: Course, choice: Choice, model: FusionModel, training: Corpus, metrics: dict[str, float], folder: Path
) -> None:
    """Make a bundle of a trained model; raises `WorkshopError` where INT8 is not the same model."""
    name = folder.resolve().name
    backbone = model.image_encoder.backbone.origin
    dataset = course.training.dataset
    facts = Facts(
        name=name,
        version=VERSION,
        created_by=f"models.workshop.learn {VERSION}, seed {choice.seed}",
        origin=f"{choice.image_encoder}, {backbone}; the rest trained on {course.title}",
        licence=course.licence,
        fitted_on=(FittedOn(course.title, tuple(f"{name}/{slug}" for slug in dataset.classes), dataset.licence),),
    )
    card = _card(name, course, choice, metrics, model)
    bundle, proof = build(model, training, facts, folder, seed=choice.seed, card=card)
    size = sum(path.stat().st_size for path in folder.iterdir())
    sys.stderr.write(
        f"{bundle.name} {VERSION} {bundle.digest[:12]}: {size / 1e6:.1f} MB in {folder}; "
        f"{proof.agrees:.1%} agree, the runtimes are {proof.apart:.4f} apart\n"
    )


def _collected(course: Course, side: Side, model: FusionModel, *, varied: bool) -> Corpus:
    return collect(side.dataset, side.entries, model, shows=course.shows, line_of=course.line_of, varied=varied)


def halves(model: FusionModel) -> str:
    """Give the sentence of a card about what is untouched."""
    if model.untouched is None:
        return "All of both is trained."
    own = model.design.untouched_dims
    return f"Of the picture's {IMAGE_DIMS} dimensions {own} are what the frozen network sees untouched."


def _card(name: str, course: Course, choice: Choice, metrics: dict[str, float], model: FusionModel) -> str:
    backbone = model.image_encoder.backbone.origin
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "onnx", "nncf", "openvino", "onnxruntime"))
    figures = ", ".join(f"{what.replace('accuracy_', 'by the ')} {share:.3f}" for what, share in metrics.items())
    return f"""# {name} {VERSION}

- **Picture.** {choice.image_encoder}, {backbone}, at {choice.side_px} x {choice.side_px}; INT8 but for the
  first convolution and the first {DEPTHWISE_IN_FLOAT} depthwise ones. One token for each 16 x 16 pixels.
- **Vibration.** `{choice.vibration_encoder}`.
- **Fusion.** `{choice.method}`: {METHODS[choice.method]}. Each modality has its block of the embedding; a missing one
  is masked and changes nothing in the other. {halves(model)}
- **Trained** by the loss `{choice.loss}`: {LOSSES[choice.loss]}. The best epoch was chosen by the side of validation,
  five examples of each class: {figures} (classes that a modality cannot tell count as good).
- **Data.** {course.title}; licence of the data: {course.training.dataset.licence}. Samples and physical things:

```
{course.table}
```

- **Prior.** Covariance inside the classes of the side of training, wider where dimensions are trained; worth
  {STRENGTH:g} samples.
{{proof}}
- **Limits.** What it was not trained on it has not seen; figures on things that took no part are in `docs/bundles.md`.
- **Licence.** {course.licence}.
- **Made with** {packages}.
"""


def main() -> int:
    """Train and pack; give the exit code."""
    default = Choice()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="castings, drawn, steel, a folder of class folders, or a .csv of paired files")
    parser.add_argument("--out", type=Path, required=True, help="folder of the bundle")
    parser.add_argument("--run", type=Path, help="run folder, to go on from after an interruption (default: temporary)")
    parser.add_argument("--pictures", type=Path, help="folder of X-SDD, for steel")
    parser.add_argument("--recordings", type=Path, help="folder of CWRU, for steel")
    parser.add_argument("--image-encoder", default=default.image_encoder, help="default: %(default)s")
    parser.add_argument("--vibration-encoder", default=default.vibration_encoder, help="default: %(default)s")
    parser.add_argument("--method", default=default.method, help=f"{', '.join(METHODS)} (default: %(default)s)")
    parser.add_argument("--loss", default=default.loss, choices=LOSSES, help="default: %(default)s")
    parser.add_argument("--epochs", type=int, default=default.epochs, help="default: %(default)s")
    parser.add_argument("--side-px", type=int, default=default.side_px, help="of the picture (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=default.seed, help="default: %(default)s")
    parser.add_argument("--compression", default=default.compression, help="under torchrun (default: %(default)s)")
    parser.add_argument("--untouched-dims", type=int, help="of the picture's block (default: what suits the data)")
    arguments = parser.parse_args()
    chosen = {name: getattr(arguments, name) for name in Choice.__dataclass_fields__}
    choice = Choice(**{name: value for name, value in chosen.items() if value is not None})
    try:
        _check(choice, arguments.out)
        with tempfile.TemporaryDirectory() as scratch:
            run = arguments.run or Path(scratch) / "run"
            with together() as ranks:
                course = named(arguments.data, arguments.pictures, arguments.recordings, choice.seed)
                if arguments.untouched_dims is None:
                    choice = replace(choice, untouched_dims=course.untouched_dims)
                if ranks.leads:
                    _introduce(course)
                model, training, metrics = learn(course, choice, run, ranks)
                leads = ranks.leads
            if leads:
                pack(course, choice, model, training, metrics, arguments.out)
    except (WorkshopError, BundleRefused) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"{error.filename or arguments.out}: {error.strerror or error} (nothing was replaced)\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; with the same --run, the same command goes on\n")
        return 130
    return 0


def _check(choice: Choice, folder: Path) -> None:
    """Refuse now what would be refused after minutes of training; raises `WorkshopError`."""
    choice.options()
    if not 0 <= choice.untouched_dims < IMAGE_DIMS:
        raise WorkshopError(
            f"untouched dimensions must be from 0 to {IMAGE_DIMS - 1}, got {choice.untouched_dims}",
            hint=f"take {UNTOUCHED_DIMS}",
        )
    name = folder.resolve().name
    if why := not_a_slug(name):
        raise WorkshopError(f"{folder} cannot be the folder of a bundle: {why}", hint="a bundle is named as its folder")
    if folder.exists() and not (folder / MANIFEST).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise WorkshopError(f"{folder} is there and is no bundle", hint="name a new folder, or that of a bundle")


def _introduce(course: Course) -> None:
    """Say what there is to learn from."""
    sys.stderr.write(f"{course.table}\n")
    for key, why in course.unusable.items():
        sys.stderr.write(f"left out: {key}: {why}\n")


if __name__ == "__main__":
    sys.exit(main())
