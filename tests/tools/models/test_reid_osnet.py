"""The embedder's graph: the same numbers as plain arithmetic, and 8 bits close to float. Needs onnx."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

onnx = pytest.importorskip("onnx", reason="onnx is not installed")

from ruid_tools.models.bias_correction import correct_biases  # noqa: E402 - need onnx
from ruid_tools.models.calibration import measure_ranges  # noqa: E402
from ruid_tools.models.qdq import stored_bytes  # noqa: E402
from ruid_tools.models.reid_build import build, count_work  # noqa: E402
from ruid_tools.models.reid_equalise import equalised, refit_head  # noqa: E402
from ruid_tools.models.reid_files import FLOAT_FILE, INT8_FILE  # noqa: E402
from ruid_tools.models.reid_osnet import (  # noqa: E402
    CropSize,
    NotOsnetWeightsError,
    Weights,
    build_graph,
    folded,
    read_weights,
    stem_on_blocks,
    watched_tensors,
)

SIZE = CropSize(64, 32)
STREAMS = 4
STEM, WIDTHS, EMBEDDING = 8, (64, 64, 64), 16


class MadeUpWeights:
    """Random weights of a small network, by the names that training gives them."""

    def __init__(self, *, context: bool) -> None:
        self._rng = np.random.default_rng(1)
        self._context = context
        self.arrays: dict[str, NDArray[np.float32]] = {}
        self._stem()
        inputs = STEM
        for stage, width in zip((0, 3, 6), WIDTHS, strict=True):
            self._block(stage, inputs, width, context=False)
            self._block(stage + 1, width, width, context=context)
            inputs = width
        for stage in (2, 5):
            self._convolution(f"trunk.stages.{stage}.0.0", f"trunk.stages.{stage}.0.1", (64, 64, 1, 1))
        self._convolution("trunk.stages.8.0", "trunk.stages.8.1", (64, 64, 1, 1))
        self._head()

    def _stem(self) -> None:
        self._convolution("trunk.stem.0.0", "trunk.stem.0.1", (STEM, 3, 7, 7))
        if self._context:
            self._put("trunk.normalise.weight", np.ones(3))
            self._put("trunk.normalise.bias", np.zeros(3))

    def _block(self, stage: int, inputs: int, outputs: int, *, context: bool) -> None:
        here, middle = f"trunk.stages.{stage}", outputs // 4
        self._convolution(f"{here}.reduce.0", f"{here}.reduce.1", (middle, inputs, 1, 1))
        for stream in range(STREAMS):
            for depth in range(stream + 1):
                lite = f"{here}.streams.{stream}.{depth}"
                self._put(f"{lite}.0.weight", self._rng.normal(size=(middle, middle, 1, 1)) / middle**0.5)
                self._convolution(f"{lite}.1", f"{lite}.2", (middle, 1, 3, 3))
        if context:
            self._put(f"{here}.gate.transform.weight", self._rng.normal(size=middle))
            self._put(f"{here}.gate.transform.bias", self._rng.normal(size=middle))
        else:
            for part, shape in (("squeeze", (2, middle, 1, 1)), ("excite", (middle, 2, 1, 1))):
                self._put(f"{here}.gate.{part}.weight", self._rng.normal(size=shape))
                self._put(f"{here}.gate.{part}.bias", self._rng.normal(size=shape[0]))
        self._convolution(f"{here}.expand.0", f"{here}.expand.1", (outputs, middle, 1, 1))
        if inputs != outputs:
            self._convolution(f"{here}.shortcut.0", f"{here}.shortcut.1", (outputs, inputs, 1, 1))

    def _head(self) -> None:
        if self._context:
            self._put("trunk.pool.weight", np.full((64, SIZE.height_px // 16, SIZE.width_px // 16), 0.125))
            self._put("trunk.pool.bias", self._rng.normal(size=64) / 10)
        self._put("head.weight", self._rng.normal(size=(EMBEDDING, 64)) / 8)
        self._norm("neck", EMBEDDING)
        self._put("bend.weight", np.array([0.25]))

    def _convolution(self, name: str, norm: str, shape: tuple[int, int, int, int]) -> None:
        fan_in = shape[1] * shape[2] * shape[3]
        self._put(f"{name}.weight", self._rng.normal(size=shape) * (2 / fan_in) ** 0.5)
        self._norm(norm, shape[0])

    def _norm(self, name: str, channels: int) -> None:
        self._put(f"{name}.weight", self._rng.uniform(0.5, 1.5, channels))
        self._put(f"{name}.bias", self._rng.normal(size=channels) / 10)
        self._put(f"{name}.running_mean", self._rng.normal(size=channels) / 10)
        self._put(f"{name}.running_var", self._rng.uniform(0.5, 1.5, channels))

    def _put(self, name: str, values: NDArray[Any]) -> None:
        self.arrays[name] = values.astype(np.float32)


@pytest.fixture(params=[False, True], ids=["plain", "lct"])
def weights(request: pytest.FixtureRequest) -> Weights:
    return MadeUpWeights(context=request.param).arrays


@pytest.fixture
def crops() -> NDArray[np.uint8]:
    return np.random.default_rng(2).integers(0, 256, (12, SIZE.height_px, SIZE.width_px, 3)).astype(np.uint8)


def embed(model: Any, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    session: Any = onnxruntime.InferenceSession(stored_bytes(model), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"images": crops})[0], np.float32)


def test_stem_on_blocks_is_the_stem_with_stride_two() -> None:
    rng = np.random.default_rng(3)
    picture = rng.normal(size=(3, 12, 8))
    kernel = rng.normal(size=(2, 3, 7, 7)).astype(np.float32)
    padded = np.pad(picture, ((0, 0), (3, 3), (3, 3)))
    blocks = picture.reshape(3, 6, 2, 4, 2).transpose(2, 4, 0, 1, 3).reshape(12, 6, 4)
    padded_blocks = np.pad(blocks, ((0, 0), (2, 1), (2, 1)))
    on_blocks = stem_on_blocks(kernel)
    for row in range(6):
        for column in range(4):
            plain = np.tensordot(kernel, padded[:, 2 * row : 2 * row + 7, 2 * column : 2 * column + 7], 3)
            other = np.tensordot(on_blocks, padded_blocks[:, row : row + 4, column : column + 4], 3)
            assert np.allclose(plain, other, atol=1e-4)


def test_folding_a_batch_norm_leaves_the_sum() -> None:
    weights = MadeUpWeights(context=False).arrays
    kernel, bias = folded(weights, "trunk.stages.8.0", "trunk.stages.8.1")
    seen = np.random.default_rng(4).normal(size=64)
    convolved = weights["trunk.stages.8.0.weight"][:, :, 0, 0] @ seen
    norm = "trunk.stages.8.1"
    deviation = np.sqrt(weights[f"{norm}.running_var"] + 1e-5)
    expected = (convolved - weights[f"{norm}.running_mean"]) / deviation * weights[f"{norm}.weight"]
    assert np.allclose(kernel[:, :, 0, 0] @ seen + bias, expected + weights[f"{norm}.bias"], atol=1e-4)


def test_embeddings_have_unit_length_at_any_batch(weights: Weights, crops: NDArray[np.uint8]) -> None:
    graph = build_graph(weights, SIZE)
    together = embed(graph, crops)
    assert together.shape == (len(crops), EMBEDDING)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert np.allclose(together[:1], embed(graph, crops[:1]), atol=1e-5)


def test_eight_bits_point_where_float_points(weights: Weights, crops: NDArray[np.uint8]) -> None:
    graph = build_graph(weights, SIZE)
    ranges = measure_ranges(graph, watched_tensors(weights, SIZE), list(crops))
    eight_bits = embed(build_graph(weights, SIZE, ranges), crops)
    assert float(np.sum(embed(graph, crops) * eight_bits, axis=1).min()) > 0.95


def test_equalising_changes_nothing_in_float(weights: Weights, crops: NDArray[np.uint8]) -> None:
    changed = equalised(weights, SIZE, list(crops[:3]))
    place = "trunk.stages.0.streams.1.1.0.weight"
    assert not np.allclose(changed[place], weights[place])
    assert np.allclose(embed(build_graph(changed, SIZE), crops), embed(build_graph(weights, SIZE), crops), atol=1e-4)


@pytest.mark.parametrize("change", [correct_biases, refit_head])
def test_eight_bits_come_closer_to_float(
    change: Callable[[Any, Any, list[Any]], None], weights: Weights, crops: NDArray[np.uint8]
) -> None:
    graph = build_graph(weights, SIZE)
    quantised = build_graph(weights, SIZE, measure_ranges(graph, watched_tensors(weights, SIZE), list(crops)))
    wanted, before = embed(graph, crops), embed(quantised, crops)
    change(quantised, graph, list(crops))
    after = embed(quantised, crops)
    assert float(np.sum(wanted * after, axis=1).mean()) > float(np.sum(wanted * before, axis=1).mean())


def test_same_weights_make_the_same_files(weights: Weights, crops: NDArray[np.uint8], tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    (tmp_path / "crops").mkdir()
    for index, crop in enumerate(crops):
        cv2.imwrite(str(tmp_path / "crops" / f"{index}.png"), crop)
    arrays: dict[str, Any] = dict(weights)
    np.savez(tmp_path / "weights.npz", **arrays)
    for out in ("first", "second"):
        build(tmp_path / "weights.npz", SIZE, [(tmp_path / "crops", 12)], tmp_path / out)
    for name in (INT8_FILE, FLOAT_FILE):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_other_weights_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", weight=np.zeros(3))
    with pytest.raises(NotOsnetWeightsError, match="no OSNet weights"):
        read_weights(tmp_path / "other.npz")


def test_work_grows_with_the_picture_and_parameters_do_not() -> None:
    weights = MadeUpWeights(context=False).arrays
    small, large = (count_work(build_graph(weights, size)) for size in (SIZE, CropSize(128, 64)))
    assert large["gflop"] == pytest.approx(4 * small["gflop"], rel=0.02)
    assert large["parameters"] == small["parameters"]
