"""The detector's neck and heads as a PyTorch module, and the loss that tunes them. The backbone stays as it is.

Cells are chosen by task alignment (TOOD, Feng et al. 2021): for each person the nine cells inside the box where
confidence times overlap to the fourth power is largest. Confidences learn the overlap (quality focal loss) and boxes
learn distributions (Li et al. 2020) and generalised IoU.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ruid_core.vision import Size
from ruid_core.vision.grid import make_grid
from ruid_tools.models.nanodet import BINS, KEPT_OUTPUTS, TUNED_LAYERS, Layer

_LEVELS = 3
_STRIDES_PX = (8, 16, 32)
_CANDIDATES = 9
_OVERLAP_POWER = 4
_BOX_WEIGHT = 2.0
_DISTRIBUTION_WEIGHT = 0.25
_LEAST_OVERLAP = 0.05


class Head(nn.Module):
    """Path aggregation and heads: maps of strides 8, 16, 32 in, one row of 1 + 4·bins logits for each cell out."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__()
        tuned = list(layers)[-TUNED_LAYERS:]
        self.laterals = nn.ModuleList(_convolution(*layer) for layer in tuned[:_LEVELS])
        self.heads = nn.ModuleList(_convolution(*layer) for layer in tuned[_LEVELS::2])
        outputs = [(kernel[KEPT_OUTPUTS], bias[KEPT_OUTPUTS]) for kernel, bias in tuned[_LEVELS + 1 :: 2]]
        self.outputs = nn.ModuleList(_convolution(*layer) for layer in outputs)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Return (batch, cells, 1 + 4·bins) logits of (batch, channels, rows, columns) maps, finest first."""
        fine, middle, coarse = (lateral(tensor) for lateral, tensor in zip(self.laterals, maps, strict=True))
        middle = middle + _doubled(coarse)
        fine = fine + _doubled(middle)
        middle = middle + functional.avg_pool2d(fine, 2)
        coarse = coarse + functional.avg_pool2d(middle, 2)
        tables = [
            output(functional.leaky_relu(head(tensor), 0.1)).flatten(2).transpose(1, 2)
            for head, output, tensor in zip(self.heads, self.outputs, (fine, middle, coarse), strict=True)
        ]
        return torch.cat(tables, 1)

    def layers(self) -> list[Layer]:
        """Return the tuned layers in the network's order; outputs of other classes than person are gone."""
        pairs = [part for pair in zip(self.heads, self.outputs, strict=True) for part in pair]
        return [(_array(part.weight), _array(part.bias)) for part in (*self.laterals, *pairs)]


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """The cells of an input: their middle points (N, 2) and strides (N, 1) in pixels."""

    points_px: Tensor
    strides_px: Tensor

    @classmethod
    def of(cls, size: Size) -> "Cells":
        """Return the cells of an input of `size`."""
        grid = make_grid(size, _STRIDES_PX)
        strides = torch.from_numpy(grid.strides_px.copy())[:, None]
        return cls(torch.from_numpy(grid.corners_px.copy()) + 0.5 * strides, strides)

    def boxes(self, logits: Tensor) -> Tensor:
        """Return (N, 4) boxes in pixels of (N, 4·bins) logits."""
        bins = torch.arange(BINS, dtype=torch.float32)
        distances = (logits.reshape(-1, 4, BINS).softmax(-1) @ bins) * self.strides_px
        return torch.cat([self.points_px - distances[:, :2], self.points_px + distances[:, 2:]], 1)


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """What an input shows: (M, 4) boxes in its pixels, which are sure, and the (N,) cells that are let alone."""

    boxes_xyxy_px: Tensor
    sure: Tensor
    let_alone: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class _Assignment:
    targets: Tensor
    counted: Tensor
    owners: Tensor


def loss_of(logits: Tensor, wanted: Wanted, cells: Cells) -> tuple[Tensor, Tensor]:
    """Return one input's loss, not yet divided, and the sum of its targets, by which a batch's losses are divided."""
    boxes = cells.boxes(logits[:, 1:])
    confidences = logits[:, 0].sigmoid()
    chosen = _assign(confidences.detach(), boxes.detach(), wanted, cells)
    plain = functional.binary_cross_entropy_with_logits(logits[:, 0], chosen.targets, reduction="none")
    loss = (plain * (chosen.targets - confidences).abs() ** 2 * chosen.counted).sum()
    people = chosen.owners >= 0
    if people.any():
        truth = wanted.boxes_xyxy_px[wanted.sure][chosen.owners[people]]
        own = Cells(cells.points_px[people], cells.strides_px[people])
        box_loss = _BOX_WEIGHT * (1 - _generalised_iou(boxes[people], truth))
        box_loss = box_loss + _DISTRIBUTION_WEIGHT * _distribution_loss(logits[people, 1:], truth, own)
        loss = loss + (box_loss * chosen.targets[people]).sum()
    return loss, chosen.targets.sum()


def _assign(confidences: Tensor, boxes: Tensor, wanted: Wanted, cells: Cells) -> _Assignment:
    inside = _inside(cells.points_px, wanted.boxes_xyxy_px)
    certain = inside[:, wanted.sure]
    counted = (~inside[:, ~wanted.sure].any(1) & ~wanted.let_alone | certain.any(1)).float()
    targets, owners = torch.zeros(len(boxes)), torch.full((len(boxes),), -1)
    if not wanted.sure.any():
        return _Assignment(targets, counted, owners)
    overlaps = _iou(boxes, wanted.boxes_xyxy_px[wanted.sure]) * certain
    alignment = confidences[:, None] * overlaps**_OVERLAP_POWER
    best = alignment.topk(min(_CANDIDATES, len(boxes)), 0).indices
    taken = torch.zeros_like(certain).scatter_(0, best, True) & (overlaps > _LEAST_OVERLAP)  # noqa: FBT003 - a fill
    largest, owner = (overlaps * taken).max(1)
    people = largest > 0
    owners[people] = owner[people]
    highest = (alignment * taken).max(0).values.clamp(min=1e-9)
    ceilings = (overlaps * taken).max(0).values
    mine = owners[people]
    targets[people] = alignment[people, mine] / highest[mine] * ceilings[mine]
    return _Assignment(targets, counted, owners)


def _distribution_loss(logits: Tensor, truth: Tensor, cells: Cells) -> Tensor:
    """Return (N,) cross entropies with the two bins beside each true distance, averaged over the sides."""
    sides = torch.cat([cells.points_px - truth[:, :2], truth[:, 2:] - cells.points_px], 1)
    distances = (sides / cells.strides_px).clamp(0, BINS - 1.01)
    lower = distances.long()
    upper_share = distances - lower
    logs = functional.log_softmax(logits.reshape(-1, 4, BINS), -1)
    below, above = (logs.gather(2, bins[..., None])[..., 0] for bins in (lower, lower + 1))
    return -(below * (1 - upper_share) + above * upper_share).mean(1)


def _inside(points: Tensor, boxes: Tensor) -> Tensor:
    from_corner, to_corner = points[:, None] > boxes[None, :, :2], points[:, None] < boxes[None, :, 2:]
    return from_corner.all(2) & to_corner.all(2)


def _iou(left: Tensor, right: Tensor) -> Tensor:
    upper = torch.maximum(left[:, None, :2], right[None, :, :2])
    lower = torch.minimum(left[:, None, 2:], right[None, :, 2:])
    shared = (lower - upper).clamp(0).prod(2)
    return shared / (_areas(left)[:, None] + _areas(right)[None] - shared + 1e-9)


def _generalised_iou(left: Tensor, right: Tensor) -> Tensor:
    """Return the (N,) generalised IoU of pairs (Rezatofighi et al. 2019)."""
    upper, lower = torch.maximum(left[:, :2], right[:, :2]), torch.minimum(left[:, 2:], right[:, 2:])
    shared = (lower - upper).clamp(0).prod(1)
    union = _areas(left) + _areas(right) - shared
    hull = (torch.maximum(left[:, 2:], right[:, 2:]) - torch.minimum(left[:, :2], right[:, :2])).prod(1)
    return shared / (union + 1e-9) - (hull - union) / (hull + 1e-9)


def _areas(boxes: Tensor) -> Tensor:
    return (boxes[:, 2:] - boxes[:, :2]).prod(1)


def _doubled(tensor: Tensor) -> Tensor:
    return functional.interpolate(tensor, scale_factor=2, mode="bilinear", align_corners=False)


def _convolution(kernel: np.ndarray, bias: np.ndarray) -> nn.Conv2d:
    outputs, inputs, side, _ = kernel.shape
    layer = nn.Conv2d(inputs, outputs, side, padding=side // 2)
    layer.load_state_dict({"weight": torch.from_numpy(kernel), "bias": torch.from_numpy(bias)})
    return layer


def _array(parameter: Tensor) -> np.ndarray:
    return parameter.detach().numpy().astype(np.float32)
