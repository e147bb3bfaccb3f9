"""A memory of every labelled picture's last embedding, and a loss that ranks against all of it.

What is scored is a ranking: pictures of the same person by another camera before everyone else, those by the same
camera included. A batch shows few of these rivals; the memory shows them all (Wang et al., "Cross-Batch Memory for
Embedding Learning", CVPR 2020).
"""

import torch
from torch import Tensor
from torch.nn import functional

_NEVER = -1e4


class PictureMemory:
    """One row per picture of the corpus.

    `labels` (N,) is -1 without an identity; `cameras` (N,) counts within a set.
    """

    def __init__(self, labels: Tensor, cameras: Tensor, *, dim: int) -> None:
        self._labels = labels
        self._cameras = cameras
        self.rows = torch.zeros(len(labels), dim, device=labels.device)

    def keep(self, positions: Tensor, embeddings: Tensor) -> None:
        """Remember the embeddings (N, dim) of these pictures; those without an identity are passed over."""
        places = positions.to(self.rows.device)
        known = self._labels[places] >= 0
        self.rows[places[known]] = embeddings.detach().to(self.rows)[known]

    def ranking_loss(self, positions: Tensor, embeddings: Tensor, *, temperature: float) -> Tensor:
        """Mean over labelled pictures of -log of each right answer's share against all wrong ones.

        Right answers are the same identity by other cameras, or by the same one where there is no other.
        """
        known = self._labels[positions] >= 0
        anchors, vectors = positions[known], embeddings[known]
        kept = torch.nonzero((self._labels >= 0) & (self.rows != 0).any(dim=1)).squeeze(1)
        logits = vectors @ self.rows[kept].T / temperature
        same = self._labels[anchors][:, None] == self._labels[kept][None]
        itself = anchors[:, None] == kept[None]
        right = _right_answers(same & ~itself, self._cameras[anchors][:, None] != self._cameras[kept][None])
        rivals = torch.logsumexp(logits.masked_fill(same, _NEVER), dim=1, keepdim=True)
        misses = functional.softplus(rivals - logits).masked_fill(~right, 0.0)
        return (misses.sum(dim=1) / right.sum(dim=1).clamp(min=1)).mean()


def _right_answers(same: Tensor, elsewhere: Tensor) -> Tensor:
    across = same & elsewhere
    return torch.where(across.any(dim=1, keepdim=True), across, same)
