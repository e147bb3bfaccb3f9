"""OSNet: omni-scale feature learning for person re-identification, written from the paper.

Source: Zhou, Yang, Cavallaro and Xiang, "Omni-Scale Feature Learning for Person Re-Identification", ICCV 2019
(section 3: lite convolution, omni-scale residual block, unified aggregation gate; table 1: the stages).

Departures, for the edge: every non-linearity is a ReLU (the gates' sigmoid aside), and there is no 512-d hidden layer.

The `lct` designs are OSNet as Intel's person-reidentification-retail models build it, so that training can begin from
their weights: each picture is normalised by its own mean and deviation, the second block of a stage gates its streams
by a linear context transform (Ruan et al., "Linear Context Transform Block", AAAI 2020), and pooling weighs places.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

_STREAMS = 4
_BOTTLENECK = 4
_GATE_REDUCTION = 16


_CONTEXT_GROUPS = 16


@dataclass(frozen=True, slots=True)
class OSNetDesign:
    """Channels of the stem and of the three omni-scale stages, and whether it is an `lct` design.

    `pool_grid`: rows and columns of the weights of an `lct` design's pooling.
    """

    stem: int
    stages: tuple[int, int, int]
    context: bool = False
    pool_grid: tuple[int, int] = (10, 4)


DESIGNS: dict[str, OSNetDesign] = {
    "osnet_x0_25": OSNetDesign(stem=16, stages=(64, 96, 128)),
    "osnet_x0_5": OSNetDesign(stem=32, stages=(128, 192, 256)),
    "osnet_x1_0": OSNetDesign(stem=64, stages=(256, 384, 512)),
    "osnet_lct_x0_5": OSNetDesign(stem=32, stages=(128, 192, 256), context=True),
}


def _conv_bn(inputs: int, outputs: int, *, kernel: int = 1, stride: int = 1, relu: bool = True) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False)
    layers: list[nn.Module] = [conv, nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)


def _lite_conv(channels: int) -> nn.Sequential:
    """A 3×3 convolution factorised into a linear 1×1 and a depthwise 3×3 (paper, section 3.1)."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
    )


class AggregationGate(nn.Module):
    """Channel weights in (0, 1) from the global average; one gate serves all streams (paper, section 3.2)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(channels // _GATE_REDUCTION, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.squeeze = nn.Conv2d(channels, hidden, 1)
        self.excite = nn.Conv2d(hidden, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, H, W) -> the same, each channel scaled."""
        weights = torch.sigmoid(self.excite(torch.relu(self.squeeze(self.pool(features)))))
        return features * weights


class ContextGate(nn.Module):
    """Channel weights from the global average normalised within groups, by one factor and shift per channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.transform = nn.GroupNorm(_CONTEXT_GROUPS, channels)

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, H, W) -> the same, each channel scaled."""
        return features * torch.sigmoid(self.transform(self.pool(features).float())).to(features.dtype)


class WeightedPool(nn.Module):
    """The sum of each channel over all places, with a learned weight for each place (on a grid that is stretched)."""

    def __init__(self, channels: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels, *grid), 1 / (grid[0] * grid[1])))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C)."""
        size = features.shape[2:]
        weight = self.weight
        if weight.shape[1:] != size:
            share = weight.shape[1] * weight.shape[2] / (size[0] * size[1])
            weight = share * functional.interpolate(weight[None], size=size, mode="bilinear", align_corners=False)[0]
        return (features * weight).sum(dim=(2, 3)) + self.bias


class OmniScaleBlock(nn.Module):
    """Residual block of streams with growing receptive fields: 3, 5, 7 and 9 (paper, figure 4)."""

    def __init__(self, inputs: int, outputs: int, *, context: bool = False) -> None:
        super().__init__()
        middle = outputs // _BOTTLENECK
        self.reduce = _conv_bn(inputs, middle)
        self.streams = nn.ModuleList(
            nn.Sequential(*(_lite_conv(middle) for _ in range(depth))) for depth in range(1, _STREAMS + 1)
        )
        self.gate = ContextGate(middle) if context else AggregationGate(middle)
        self.expand = _conv_bn(middle, outputs, relu=False)
        self.shortcut = _conv_bn(inputs, outputs, relu=False) if inputs != outputs else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H, W)."""
        reduced = self.reduce(features)
        mixed = self.gate(self.streams[0](reduced))
        for stream in self.streams[1:]:
            mixed = mixed + self.gate(stream(reduced))
        return torch.relu(self.expand(mixed) + self.shortcut(features))


class OSNet(nn.Module):
    """OSNet trunk: (N, 3, H, W) -> pooled features (N, stages[-1]). H and W are multiples of 16."""

    def __init__(self, design: OSNetDesign) -> None:
        super().__init__()
        first, second, third = design.stages
        self.normalise = nn.InstanceNorm2d(3, affine=True) if design.context else nn.Identity()
        self.stem = nn.Sequential(_conv_bn(3, design.stem, kernel=7, stride=2), nn.MaxPool2d(3, stride=2, padding=1))
        self.stages = nn.Sequential(
            *_stage(design.stem, first, context=design.context),
            _transition(first),
            *_stage(first, second, context=design.context),
            _transition(second),
            *_stage(second, third, context=design.context),
            _conv_bn(third, third),
        )
        plain_pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.pool = WeightedPool(third, design.pool_grid) if design.context else plain_pool
        self.feature_dim = third
        _initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Scaled images (N, 3, H, W) -> (N, feature_dim)."""
        return self.pool(self.stages(self.stem(self.normalise(images))))


def _stage(inputs: int, outputs: int, *, context: bool) -> list[nn.Module]:
    return [OmniScaleBlock(inputs, outputs), OmniScaleBlock(outputs, outputs, context=context)]


def _transition(channels: int) -> nn.Sequential:
    return nn.Sequential(_conv_bn(channels, channels), nn.AvgPool2d(2, stride=2))


def _initialise(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
