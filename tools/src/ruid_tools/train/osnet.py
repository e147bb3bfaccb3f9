"""OSNet: omni-scale feature learning for person re-identification, written from the paper.

Source: Zhou, Yang, Cavallaro and Xiang, "Omni-Scale Feature Learning for Person Re-Identification", ICCV 2019
(section 3: lite convolution, omni-scale residual block, unified aggregation gate; table 1: the stages).

Two departures, both for the edge: every non-linearity is a ReLU (the gate's sigmoid aside), and the head ends in the
embedding itself (`embedding_dim` wide) instead of a 512-d hidden layer.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

_STREAMS = 4
_BOTTLENECK = 4
_GATE_REDUCTION = 16
_GATE_MIN_WIDTH = 4


@dataclass(frozen=True, slots=True)
class OSNetWidths:
    """Channels of the stem and of the three omni-scale stages."""

    stem: int
    stages: tuple[int, int, int]


WIDTHS: dict[str, OSNetWidths] = {
    "osnet_x0_25": OSNetWidths(stem=16, stages=(64, 96, 128)),
    "osnet_x0_5": OSNetWidths(stem=32, stages=(128, 192, 256)),
    "osnet_x1_0": OSNetWidths(stem=64, stages=(256, 384, 512)),
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
        hidden = max(channels // _GATE_REDUCTION, _GATE_MIN_WIDTH)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.squeeze = nn.Conv2d(channels, hidden, 1)
        self.excite = nn.Conv2d(hidden, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, H, W) -> the same, each channel scaled."""
        weights = torch.sigmoid(self.excite(torch.relu(self.squeeze(self.pool(features)))))
        return features * weights


class OmniScaleBlock(nn.Module):
    """Residual block of streams with growing receptive fields: 3, 5, 7 and 9 (paper, figure 4)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        middle = outputs // _BOTTLENECK
        self.reduce = _conv_bn(inputs, middle)
        self.streams = nn.ModuleList(
            nn.Sequential(*(_lite_conv(middle) for _ in range(depth))) for depth in range(1, _STREAMS + 1)
        )
        self.gate = AggregationGate(middle)
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

    def __init__(self, widths: OSNetWidths) -> None:
        super().__init__()
        first, second, third = widths.stages
        self.stem = nn.Sequential(_conv_bn(3, widths.stem, kernel=7, stride=2), nn.MaxPool2d(3, stride=2, padding=1))
        self.stages = nn.Sequential(
            *_stage(widths.stem, first),
            _transition(first),
            *_stage(first, second),
            _transition(second),
            *_stage(second, third),
            _conv_bn(third, third),
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.feature_dim = third
        _initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (N, 3, H, W) -> (N, feature_dim)."""
        return self.pool(self.stages(self.stem(images))).flatten(1)


def _stage(inputs: int, outputs: int) -> list[nn.Module]:
    return [OmniScaleBlock(inputs, outputs), OmniScaleBlock(outputs, outputs)]


def _transition(channels: int) -> nn.Sequential:
    return nn.Sequential(_conv_bn(channels, channels), nn.AvgPool2d(2, stride=2))


def _initialise(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
