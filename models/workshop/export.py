"""From torch to ONNX: a module becomes a model with static shapes, a fusion model becomes the parts of a bundle.

It knows torch and onnx; integers are the business of `quantize`.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from models.workshop.fusion import HEADS, VALUES, FusionModel

OPSET: Final = 18


def exported(model: nn.Module, inputs: Mapping[str, Tensor], outputs: Sequence[str], path: Path) -> onnx.ModelProto:
    """Export a module.

    Args:
        model: in evaluation mode.
        inputs: examples by name, in the order of the module's arguments; their shapes are the model's.
        outputs: names.
        path: where the exporter writes.

    Returns:
        The model in float32.
    """
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own use of torch, which nobody here can change
        torch.onnx.export(
            model,
            tuple(inputs.values()),
            path,
            input_names=list(inputs),
            output_names=list(outputs),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    return _pads_folded(onnx.load(path))


def _pads_folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """Move every zero padding into the convolution behind it, where a quantised convolution can be fused."""
    constants = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    constants |= {
        node.output[0]: numpy_helper.to_array(node.attribute[0].t)
        for node in model.graph.node
        if node.op_type == "Constant" and node.attribute[0].name == "value"
    }
    pads = {node.output[0]: node for node in model.graph.node if node.op_type == "Pad"}
    for node in model.graph.node:
        if node.op_type == "Conv" and node.input[0] in pads:
            pad = pads[node.input[0]]
            begin_end = constants[pad.input[1]].reshape(2, -1)[:, -2:].reshape(-1)
            kept = [attribute for attribute in node.attribute if attribute.name not in ("pads", "auto_pad")]
            del node.attribute[:]
            node.attribute.extend([*kept, helper.make_attribute("pads", [int(p) for p in begin_end])])
            node.input[0] = pad.input[0]
    left = [node for node in model.graph.node if node.op_type != "Pad"]
    del model.graph.node[:]
    model.graph.node.extend(left)
    onnx.checker.check_model(model, full_check=True)
    return model


class ImagePart(nn.Module):
    """Picture to tokens; the standardisation is folded into the projection."""

    def __init__(self, model: FusionModel) -> None:
        super().__init__()
        self._backbone = model.image_encoder.backbone
        self._fine = _convolution(model.image_encoder.fine.folded())
        self._coarse = _convolution(model.image_encoder.coarse.folded())

    def forward(self, picture: Tensor) -> Tensor:
        """Give the tokens, (1, regions, width)."""
        maps = self._backbone(picture)
        coarse = F.interpolate(self._coarse(maps.coarse), scale_factor=2, mode="nearest")
        return (self._fine(maps.fine) + coarse).flatten(2).transpose(1, 2)


class FusionPart(nn.Module):
    """Tokens and masks to the raw blocks of the embedding, and to nothing that judging a part does not need.

    Args:
        model: trained.
        modalities: `image`, `vibration` or both, in this order.
    """

    def __init__(self, model: FusionModel, modalities: Sequence[str]) -> None:
        super().__init__()
        self._pools = _pools(model, modalities)
        self.inputs = _masked(modalities)
        self.outputs = [f"{modality}_embedding" for modality in modalities]

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Give the tensors named in `outputs` for those named in `inputs`."""
        pairs = zip(self._pools, tensors[::2], tensors[1::2], strict=True)
        return tuple(pool(tokens, mask)[2] for pool, tokens, mask in pairs)


class SharesPart(nn.Module):
    """Tokens and masks to what each raw block is a sum of; only an explanation runs it.

    The projection is applied to every value instead of to their sum, so raw = sum over heads and tokens of
    attention times value.

    Args:
        model: trained.
        modalities: `image`, `vibration` or both, in this order.
    """

    def __init__(self, model: FusionModel, modalities: Sequence[str]) -> None:
        super().__init__()
        self._pools = _pools(model, modalities)
        self.inputs = _masked(modalities)
        self.outputs = [f"{modality}_{what}" for modality in modalities for what in ("attention", "values")]

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Give attention (1, heads, tokens) and values (1, heads, tokens, dims), in the order of `outputs`."""
        made: list[Tensor] = []
        for pool, tokens, mask in zip(self._pools, tensors[::2], tensors[1::2], strict=True):
            attention, values, _ = pool(tokens, mask)
            projection = pool.get_parameter("_project.weight").unflatten(1, (HEADS, VALUES)).permute(1, 2, 0)
            made += [attention, values.transpose(1, 2) @ projection]
        return tuple(made)


def parts_of(model: FusionModel, modalities: Sequence[str]) -> dict[str, onnx.ModelProto]:
    """Export a fusion model as the parts of a bundle that judge, in float32.

    Args:
        model: trained.
        modalities: `image`, `vibration` or both, in this order: what the model was trained with.

    Returns:
        A part for each modality and `fusion`, in the order they run.
    """
    modules, sources = _encoders(model, modalities)
    parts = {m: _part(modules[m], sources[m], [f"{m}_tokens"]) for m in modalities}
    fusion = FusionPart(model, modalities).eval()
    return parts | {"fusion": _part(fusion, _tokens(modules, sources), fusion.outputs)}


def shares_of(model: FusionModel, modalities: Sequence[str]) -> onnx.ModelProto:
    """Export what a fusion model's embedding is a sum of as one more part, `shares`, in float32; see `parts_of`."""
    shares = SharesPart(model, modalities).eval()
    return _part(shares, _tokens(*_encoders(model, modalities)), shares.outputs)


_Sources = dict[str, dict[str, Tensor]]


def _encoders(model: FusionModel, modalities: Sequence[str]) -> tuple[dict[str, nn.Module], _Sources]:
    """Give the encoder of each modality, and an example of what each takes."""
    model.eval()
    encoder, side_px = model.vibration_encoder, model.design.side_px
    modules = {"image": ImagePart(model).eval(), "vibration": encoder}
    sources = {
        "image": {"picture": torch.zeros(1, 3, side_px, side_px)},
        "vibration": {encoder.source: torch.zeros(1, *encoder.shape)},
    }
    return {m: modules[m] for m in modalities}, {m: sources[m] for m in modalities}


def _tokens(modules: Mapping[str, nn.Module], sources: _Sources) -> dict[str, Tensor]:
    """Give tokens and masks as the parts behind the encoders take them."""
    examples: dict[str, Tensor] = {}
    with torch.no_grad():
        for modality, module in modules.items():
            tokens = module(*sources[modality].values())
            examples |= {f"{modality}_tokens": tokens, f"{modality}_mask": torch.ones(1, tokens.shape[1])}
    return examples


def _part(module: nn.Module, inputs: Mapping[str, Tensor], outputs: Sequence[str]) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory() as scratch:
        return exported(module, inputs, outputs, Path(scratch) / "part.onnx")


def _pools(model: FusionModel, modalities: Sequence[str]) -> nn.ModuleList:
    pools = {"image": model.image_pool, "vibration": model.vibration_pool}
    return nn.ModuleList(pools[modality] for modality in modalities)


def _masked(modalities: Sequence[str]) -> list[str]:
    return [f"{modality}_{what}" for modality in modalities for what in ("tokens", "mask")]


def _convolution(folded: tuple[Tensor, Tensor]) -> nn.Conv2d:
    weight, bias = (tensor.detach().clone() for tensor in folded)
    convolution = nn.Conv2d(weight.shape[1], weight.shape[0], 1)
    convolution.weight, convolution.bias = nn.Parameter(weight), nn.Parameter(bias)
    return convolution
