"""The training losses, and how they are weighed.

Identity: cross entropy with label smoothing. Metric: batch-hard triplets (Hermans et al., "In Defense of the Triplet
Loss", 2017) on unit embeddings. Distillation: the embedding, through a learned linear map, follows the teacher's; and
the neighbourhoods inside a batch follow the teacher's neighbourhoods (relational distillation: Passalis and Tefas,
"Learning Deep Representations with Probabilistic Knowledge Transfer", ECCV 2018).
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ruid_tools.train.embedder import TrainingOutput

_FAR = 4.0


@dataclass(frozen=True, slots=True)
class LossWeights:
    """Weights of the losses and their constants."""

    identity: float = 1.0
    label_smoothing: float = 0.1
    triplet: float = 1.0
    triplet_margin: float = 0.3
    imitation: float = 10.0
    neighbourhood: float = 2.0
    temperature: float = 0.08
    ranking: float = 0.0
    ranking_temperature: float = 0.06


def training_loss(
    output: TrainingOutput, labels: Tensor, teacher: Tensor | None, *, weights: LossWeights
) -> dict[str, Tensor]:
    """Return the weighted terms of the loss by name.

    `labels` (N,) is -1 for pictures without a known identity: those only take part in distillation.
    `teacher` (N, D) holds the teacher's unit embeddings, or None.
    """
    labelled = labels >= 0
    terms = {
        "identity": weights.identity
        * functional.cross_entropy(output.logits[labelled], labels[labelled], label_smoothing=weights.label_smoothing),
        "triplet": weights.triplet
        * batch_hard_triplet(output.embeddings[labelled], labels[labelled], margin=weights.triplet_margin),
    }
    if teacher is not None and output.projected is not None:
        terms["imitation"] = weights.imitation * (1 - (output.projected * teacher).sum(dim=1)).mean()
        terms["neighbourhood"] = weights.neighbourhood * neighbourhood_divergence(
            output.embeddings, teacher, temperature=weights.temperature
        )
    return terms


def batch_hard_triplet(embeddings: Tensor, labels: Tensor, *, margin: float) -> Tensor:
    """Mean over anchors of: farthest of the same identity, minus nearest of another, plus the margin, if positive."""
    distances = torch.cdist(embeddings, embeddings)
    same = labels[:, None] == labels[None, :]
    farthest_same = distances.masked_fill(~same, 0.0).amax(dim=1)
    nearest_other = distances.masked_fill(same, _FAR).amin(dim=1)
    return functional.relu(farthest_same - nearest_other + margin).mean()


def neighbourhood_divergence(embeddings: Tensor, teacher: Tensor, *, temperature: float) -> Tensor:
    """Mean KL divergence between the teacher's and the student's softmax over the other pictures of the batch."""
    itself = torch.eye(len(embeddings), dtype=torch.bool, device=embeddings.device)
    student_log = _log_neighbours(embeddings, itself, temperature=temperature)
    teacher_log = _log_neighbours(teacher, itself, temperature=temperature)
    return functional.kl_div(student_log, teacher_log, log_target=True, reduction="batchmean")


def _log_neighbours(embeddings: Tensor, itself: Tensor, *, temperature: float) -> Tensor:
    similarities = (embeddings @ embeddings.T) / temperature
    count = len(embeddings)
    others = similarities[~itself].view(count, count - 1)
    return functional.log_softmax(others, dim=1)
