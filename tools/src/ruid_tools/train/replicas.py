"""Data-parallel training inside one process: each thread runs a replica of the network on its slice of the batch.

On few CPU cores this beats threads inside each operator, above all when other work takes a core away: the threads
meet twice per step instead of at every operator. The loss still sees the whole batch: each replica's features are cut
off from their graphs, the loss is taken on them together, and their gradients are handed back to the replicas.
"""

import copy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from ruid_tools.train.embedder import Embedder

LoadSlice = Callable[[int], Tensor]


class Replicas:
    """The network and its copies. Only the first is optimised and keeps batch-norm statistics that count."""

    def __init__(self, first: Embedder, *, threads: int, device: str, half_precision: bool) -> None:
        self._networks = [first, *(copy.deepcopy(first) for _ in range(threads - 1))]
        self._pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
        self._device = device.split(":", maxsplit=1)[0]
        self._half_precision = half_precision
        self._pending: list[tuple[Tensor, Tensor]] = []

    def __len__(self) -> int:
        return len(self._networks)

    def forward(self, load: LoadSlice) -> Tensor:
        """Return the neck features of all slices, in slice order, as leaves; `load(i)` gives the images of slice i."""
        self._share_weights()
        outputs = list(self._pool.map(lambda index: self._forward_one(index, load), range(len(self))))
        self._pending = [(output, output.detach().float().requires_grad_()) for output in outputs]
        return torch.cat([leaf for _, leaf in self._pending])

    def backward(self) -> None:
        """Push the gradients that the leaves received through the replicas; sum them in the first network."""
        list(self._pool.map(_backward_one, self._pending))
        self._pending = []
        for replica in self._networks[1:]:
            for kept, other in zip(self._networks[0].parameters(), replica.parameters(), strict=True):
                if kept.grad is not None and other.grad is not None:
                    kept.grad += other.grad
                other.grad = None

    def _forward_one(self, index: int, load: LoadSlice) -> Tensor:
        network = self._networks[index].train()
        images = load(index)
        with torch.autocast(self._device, dtype=torch.bfloat16, enabled=self._half_precision):
            return network.neck_features(images)

    @torch.no_grad()
    def _share_weights(self) -> None:
        for replica in self._networks[1:]:
            for copied, original in zip(replica.parameters(), self._networks[0].parameters(), strict=True):
                copied.copy_(original)


def _backward_one(pending: tuple[Tensor, Tensor]) -> None:
    output, leaf = pending
    output.backward(leaf.grad.to(output.dtype) if leaf.grad is not None else None)
