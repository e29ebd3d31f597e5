"""From torch to ONNX: a module becomes a model with static shapes, a fusion model becomes the parts of a bundle.

It knows torch and onnx; integers are the business of `quantize`.
"""

from __future__ import annotations

import logging
import math
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from models.workshop.encoders import Lite0, Maps
from models.workshop.fusion import HEADS, VALUES, FusionModel, side_by_side

OPSET: Final = 18

MAPS: Final = tuple(f"image_{name}" for name in Maps._fields)
"""What the picture's part gives beside tokens where something is left untouched."""

SHORTEST: Final = 1e-12
"""Nothing is divided by less, as in `normalize` of torch."""


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


def with_maps(part: onnx.ModelProto) -> onnx.ModelProto:
    """Let a picture's part that gives tokens only give the maps as well; what it gave before stays as it is."""
    whole = onnx.ModelProto()
    whole.CopyFrom(part)
    joined = [node.output[0] for node in part.graph.node if node.op_type == "Concat"]
    names = dict(
        zip(joined, MAPS, strict=True)
    )  # renamed, not copied: OpenVINO gives a copy the name of what it copies
    for node in whole.graph.node:
        for tensors in (node.input, node.output):
            tensors[:] = [names.get(name, name) for name in tensors]
    places = part.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    for name, channels, stride in zip(MAPS, Lite0.channels, (1, 2), strict=True):
        side = math.isqrt(places) // stride
        whole.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, channels, side, side)))
    del whole.graph.value_info[:]
    onnx.checker.check_model(whole, full_check=True)
    return whole


class ImagePart(nn.Module):
    """Picture to tokens, and to the maps where a part behind it needs them; the standardisation is folded in.

    Args:
        model: trained.
    """

    def __init__(self, model: FusionModel) -> None:
        super().__init__()
        self._backbone = model.image_encoder.backbone
        self._fine = _convolution(model.image_encoder.fine.folded())
        self._coarse = _convolution(model.image_encoder.coarse.folded())
        self.outputs = ["image_tokens", *([] if model.untouched is None else MAPS)]

    def forward(self, picture: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Give the tokens, (1, regions, width), and what else `outputs` names."""
        maps = self._backbone(picture)
        coarse = F.interpolate(self._coarse(maps.coarse), scale_factor=2, mode="nearest")
        tokens: Tensor = (self._fine(maps.fine) + coarse).flatten(2).transpose(1, 2)
        return tokens if len(self.outputs) == 1 else (tokens, *maps)


class FusionPart(nn.Module):
    """Tokens, masks and maps to the raw blocks of the embedding, and to nothing that judging a part does not need.

    Args:
        model: trained.
        modalities: `image`, `vibration` or both, in this order.
    """

    def __init__(self, model: FusionModel, modalities: Sequence[str]) -> None:
        super().__init__()
        self._pools = _pools(model, modalities)
        self._untouched = model.untouched if "image" in modalities else None
        self.inputs = _inputs(modalities, maps=self._untouched is not None)
        self.outputs = [f"{modality}_embedding" for modality in modalities]

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Give the tensors named in `outputs` for those named in `inputs`."""
        pairs = zip(self._pools, tensors[::2], tensors[1::2], strict=False)
        raw = [pool(tokens, mask)[2] for pool, tokens, mask in pairs]
        if self._untouched is not None:
            raw[0] = side_by_side(self._untouched(Maps(*tensors[-2:])), raw[0], tensors[1])
        return tuple(raw)


class SharesPart(nn.Module):
    """Tokens, masks and maps to what each raw block is a sum of; only an explanation runs it.

    The projection is applied to every value instead of to their sum, so raw = sum over heads and tokens of
    attention times value. What is untouched is one head more, which attends to every token alike.

    Args:
        model: trained.
        modalities: `image`, `vibration` or both, in this order.
    """

    def __init__(self, model: FusionModel, modalities: Sequence[str]) -> None:
        super().__init__()
        self._pools = _pools(model, modalities)
        self._untouched = model.untouched if "image" in modalities else None
        self.inputs = _inputs(modalities, maps=self._untouched is not None)
        self.outputs = [f"{modality}_{what}" for modality in modalities for what in ("attention", "values")]

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Give attention (1, heads, tokens) and values (1, heads, tokens, dims), in the order of `outputs`."""
        made: list[Tensor] = []
        for pool, tokens, mask in zip(self._pools, tensors[::2], tensors[1::2], strict=False):
            attention, values, raw = pool(tokens, mask)
            projection = pool.get_parameter("_project.weight").unflatten(1, (HEADS, VALUES)).permute(1, 2, 0)
            projected = values.transpose(1, 2) @ projection
            if self._untouched is not None and not made:
                terms = self._untouched.terms(Maps(*tensors[-2:]))
                attention, projected = _with_untouched(terms, attention, projected, raw, mask)
            made += [attention, projected]
        return tuple(made)


def _with_untouched(
    terms: Tensor, attention: Tensor, projected: Tensor, raw: Tensor, mask: Tensor
) -> tuple[Tensor, Tensor]:
    """Add the head of what is untouched; both halves are brought to length 1, as `side_by_side` does it."""
    own, left = projected.shape[3], terms.shape[2]
    length = raw.norm(dim=1).clamp_min(SHORTEST)[:, None, None, None]
    trained = torch.cat([projected.new_zeros(*projected.shape[:3], left), projected / length], 3)
    even = mask / mask.shape[1]
    scaled = terms * mask.shape[1] / terms.sum(1).norm(dim=1).clamp_min(SHORTEST)[:, None, None]
    untouched = torch.cat([scaled, scaled.new_zeros(*scaled.shape[:2], own)], 2)
    return torch.cat([attention, even[:, None]], 1), torch.cat([trained, untouched[:, None]], 1)


def parts_of(model: FusionModel, modalities: Sequence[str]) -> dict[str, onnx.ModelProto]:
    """Export a fusion model as the parts of a bundle that judge, in float32.

    Args:
        model: trained.
        modalities: `image`, `vibration` or both, in this order: what the model was trained with.

    Returns:
        A part for each modality and `fusion`, in the order they run.
    """
    modules, sources = _encoders(model, modalities)
    parts = {m: _part(modules[m], sources[m], _outputs(m, modules[m])) for m in modalities}
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
    """Give tokens, masks and maps as the parts behind the encoders take them."""
    examples: dict[str, Tensor] = {}
    maps: dict[str, Tensor] = {}
    with torch.no_grad():
        for modality, module in modules.items():
            made = module(*sources[modality].values())
            tokens, *others = made if isinstance(made, tuple) else (made,)
            examples |= {f"{modality}_tokens": tokens, f"{modality}_mask": torch.ones(1, tokens.shape[1])}
            maps |= zip(_outputs(modality, module)[1:], others, strict=True)
    return examples | maps


def _outputs(modality: str, module: nn.Module) -> list[str]:
    return module.outputs if isinstance(module, ImagePart) else [f"{modality}_tokens"]


def _part(module: nn.Module, inputs: Mapping[str, Tensor], outputs: Sequence[str]) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory() as scratch:
        return exported(module, inputs, outputs, Path(scratch) / "part.onnx")


def _pools(model: FusionModel, modalities: Sequence[str]) -> nn.ModuleList:
    pools = {"image": model.image_pool, "vibration": model.vibration_pool}
    return nn.ModuleList(pools[modality] for modality in modalities)


def _inputs(modalities: Sequence[str], *, maps: bool) -> list[str]:
    return [f"{modality}_{what}" for modality in modalities for what in ("tokens", "mask")] + (maps * [*MAPS])


def _convolution(folded: tuple[Tensor, Tensor]) -> nn.Conv2d:
    weight, bias = (tensor.detach().clone() for tensor in folded)
    convolution = nn.Conv2d(weight.shape[1], weight.shape[0], 1)
    convolution.weight, convolution.bias = nn.Parameter(weight), nn.Parameter(bias)
    return convolution
