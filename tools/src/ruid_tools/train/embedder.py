"""The network that is trained: a trunk, an embedding head with a BNNeck, and the identity classifier.

BNNeck: Luo et al., "Bag of Tricks and a Strong Baseline for Deep Person Re-identification", CVPR workshops 2019.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ruid_tools.train.osnet import DESIGNS, OSNet
from ruid_tools.train.resnet import ResNet50

EMBEDDING_DIM = 256
PIXEL_MEAN = 128.0
PIXEL_SCALE = 1 / 64
LOGIT_SCALE = 20.0
BACKBONES = (*DESIGNS, "resnet50")


class TrainingOutput(NamedTuple):
    """What the losses need: unit embeddings (N, 256), identity logits (N, identities), and the projection of the
    embedding into the teacher's space (N, teacher dimension), None without a teacher."""

    embeddings: Tensor
    logits: Tensor
    projected: Tensor | None


class Embedder(nn.Module):
    """What ships: BGR images (N, 3, H, W), float 0 to 255 -> unit embeddings (N, 256)."""

    def __init__(self, backbone: str) -> None:
        super().__init__()
        self.trunk = OSNet(DESIGNS[backbone]) if backbone in DESIGNS else ResNet50()
        self.head = nn.Linear(self.trunk.feature_dim, EMBEDDING_DIM, bias=False)
        self.neck = nn.BatchNorm1d(EMBEDDING_DIM)
        self.bend = nn.PReLU(init=1.0)

    @staticmethod
    def scaled(images: Tensor) -> Tensor:
        """Pixels 0 to 255 -> numbers about 0."""
        return (images - PIXEL_MEAN) * PIXEL_SCALE

    def neck_features(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> batch-normalised features (N, 256), not yet of unit length."""
        return self.bend(self.neck(self.head(self.trunk(self.scaled(images)))))

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> unit embeddings (N, 256)."""
        return functional.normalize(self.neck_features(images), dim=1)


class TrainingHeads(nn.Module):
    """The parts that only training needs: the identity classifier and the map into the teacher's space.

    The classifier compares directions (Wang et al., "NormFace", ACM MM 2017), because matching does too.
    """

    def __init__(self, *, identities: int, teacher_dim: int | None) -> None:
        super().__init__()
        self.prototypes = nn.Parameter(functional.normalize(torch.randn(identities, EMBEDDING_DIM), dim=1))
        self.projection = None if teacher_dim is None else nn.Linear(EMBEDDING_DIM, teacher_dim, bias=False)
        if self.projection is not None:
            nn.init.eye_(self.projection.weight)

    def forward(self, neck_features: Tensor) -> TrainingOutput:
        """Neck features (N, 256) -> everything the losses need."""
        embeddings = functional.normalize(neck_features, dim=1)
        projected = None if self.projection is None else functional.normalize(self.projection(embeddings), dim=1)
        logits = LOGIT_SCALE * embeddings @ functional.normalize(self.prototypes, dim=1).T
        return TrainingOutput(embeddings, logits, projected)


@torch.no_grad()
def update_average(average: nn.Module, current: nn.Module, *, decay: float) -> None:
    """Move the averaged weights (and batch-norm statistics) a step towards the current ones."""
    kept, new = _split_by_kind(average), _split_by_kind(current)
    torch._foreach_lerp_(kept.fractions, new.fractions, 1 - decay)
    for counter, value in zip(kept.counters, new.counters, strict=True):
        counter.copy_(value)


class _Tensors(NamedTuple):
    fractions: list[Tensor]
    counters: list[Tensor]


def _split_by_kind(network: nn.Module) -> _Tensors:
    tensors = [*network.parameters(), *network.buffers()]
    floating = [tensor for tensor in tensors if tensor.dtype.is_floating_point]
    return _Tensors(floating, [tensor for tensor in tensors if not tensor.dtype.is_floating_point])
