"""Networks on the node: files with model cards, runtimes behind one protocol, a detector and an embedder.

Whoever loads a model gets an object that takes pictures; nothing outside this package knows about tensors.
"""

from ruid_edge.inference.cards import ModelCard, ModelFile, find_model, shipped_cards
from ruid_edge.inference.detector import PersonDetector, load_detector
from ruid_edge.inference.embedder import Embedder, load_embedder
from ruid_edge.inference.errors import InferenceError
from ruid_edge.inference.runtimes import RUNTIMES, Runtime, open_runtime

__all__ = [
    "RUNTIMES",
    "Embedder",
    "InferenceError",
    "ModelCard",
    "ModelFile",
    "PersonDetector",
    "Runtime",
    "find_model",
    "load_detector",
    "load_embedder",
    "open_runtime",
    "shipped_cards",
]
