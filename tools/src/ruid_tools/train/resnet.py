"""ResNet-50 (He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, table 1), as a ReID trunk.

The last stage keeps its resolution (stride 1), as the ReID baselines do. It is here to compare with: at 256×128 it
costs some fifty times what the shipped embedder costs.
"""

import torch
from torch import Tensor, nn

_EXPANSION = 4
_STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 1))


class Bottleneck(nn.Module):
    """1×1, 3×3, 1×1 with a shortcut; the stride sits on the 3×3."""

    def __init__(self, inputs: int, width: int, *, stride: int) -> None:
        super().__init__()
        outputs = width * _EXPANSION
        self.residual = nn.Sequential(
            nn.Conv2d(inputs, width, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        changes_shape = stride != 1 or inputs != outputs
        projection = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs))
        self.shortcut = projection if changes_shape else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, 4 * width, H / stride, W / stride)."""
        return torch.relu(self.residual(features) + self.shortcut(features))


class ResNet50(nn.Module):
    """ResNet-50 trunk: (N, 3, H, W) -> pooled features (N, 2048)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        blocks: list[nn.Module] = []
        inputs = 64
        for width, depth, stride in _STAGES:
            for position in range(depth):
                blocks.append(Bottleneck(inputs, width, stride=stride if position == 0 else 1))
                inputs = width * _EXPANSION
        self.stages = nn.Sequential(*blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.feature_dim = inputs

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (N, 3, H, W) -> (N, 2048)."""
        return self.pool(self.stages(self.stem(images))).flatten(1)
