"""The detector's graph against plain arithmetic, and its 8 bits against its float."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

onnx = pytest.importorskip("onnx", reason="onnx is not installed")

from ruid_tools.models.calibration import letterboxed, measure_ranges  # noqa: E402 - need onnx
from ruid_tools.models.nanodet import Layer, build_graph, build_planes, read_layers, watched_tensors  # noqa: E402
from ruid_tools.models.qdq import stored_bytes  # noqa: E402

_WIDTHS = [
    *[(3, 32), (32, 32), (32, 16), (16, 16), (32, 32)],
    *[(64, 64), *[(64, 32), (32, 32)] * 2, (64, 64)],
    *[(128, 128), *[(128, 64), (64, 64)] * 2, (128, 128)],
    *[(256, 256), *[(256, 128), (128, 128)] * 3, (256, 256)],
]
_LATERALS = [(128, 128), (256, 128), (512, 128)]
_HEADS = [(128, 128, 3), (128, 124, 1)] * 3
_GREY = 112


@pytest.fixture(scope="module")
def layers() -> list[Layer]:
    """The network with random weights that neither fade nor blow up."""
    shapes = [(*pair, 3) for pair in _WIDTHS] + [(*pair, 1) for pair in _LATERALS] + _HEADS
    rng = np.random.default_rng(5)
    return [_layer(rng, *shape) for shape in shapes]


@pytest.fixture(scope="module")
def pictures() -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(6)
    small = rng.integers(0, 256, (4, 9, 12, 3)).astype(np.uint8)
    return [letterboxed(picture, width_px=96, height_px=64) for picture in small]


def _layer(rng: np.random.Generator, inputs: int, outputs: int, side: int) -> Layer:
    spread = (2 / (inputs * side * side)) ** 0.5
    kernel = rng.normal(0, spread, (outputs, inputs, side, side)).astype(np.float32)
    if inputs == 3:
        kernel /= 60
    return kernel, rng.normal(0, 0.1, outputs).astype(np.float32)


def _run(graph: Any, picture: NDArray[np.uint8], names: list[str] | None = None) -> list[NDArray[np.float32]]:
    session: Any = onnxruntime.InferenceSession(stored_bytes(graph), providers=["CPUExecutionProvider"])
    return session.run(names, {"images": picture[None]})


def _convolved(picture: NDArray[np.uint8], layer: Layer) -> NDArray[np.float64]:
    """A 3×3 convolution with stride 2 around grey, tap by tap: rows × columns × outputs."""
    padded = np.pad(picture.astype(np.float64) - _GREY, ((1, 1), (1, 1), (0, 0)))
    rows, columns = picture.shape[0] // 2, picture.shape[1] // 2
    answer = np.zeros((rows, columns, len(layer[1]))) + layer[1]
    for down in range(3):
        for across in range(3):
            seen = padded[down : down + 2 * rows : 2, across : across + 2 * columns : 2]
            answer += seen @ layer[0][:, :, down, across].T
    return answer


def test_the_first_layer_in_blocks_of_four_is_the_plain_convolution(
    layers: list[Layer], pictures: list[NDArray[np.uint8]]
) -> None:
    graph = build_graph(layers)
    graph.graph.output.append(onnx.helper.make_tensor_value_info("stem.map", onnx.TensorProto.FLOAT, None))
    (found,) = _run(graph, pictures[0], ["stem.map"])
    np.testing.assert_allclose(found[0].transpose(1, 2, 0), _convolved(pictures[0], layers[0]), atol=1e-4)


def test_the_answer_has_a_row_for_every_cell(layers: list[Layer], pictures: list[NDArray[np.uint8]]) -> None:
    people, boxes = _run(build_graph(layers), pictures[0])
    cells = 12 * 8 + 6 * 4 + 3 * 2
    assert people.shape == (1, cells, 1)
    assert boxes.shape == (1, cells, 44)
    assert ((people >= 0) & (people <= 1)).all()


def test_the_graph_for_converters_answers_like_the_other_one(
    layers: list[Layer], pictures: list[NDArray[np.uint8]]
) -> None:
    planes = build_planes(layers, width_px=96, height_px=64)
    session: Any = onnxruntime.InferenceSession(stored_bytes(planes), providers=["CPUExecutionProvider"])
    normalised = (pictures[0] - np.array([103.53, 116.28, 123.675])) / np.array([57.375, 57.12, 58.395])
    found = session.run(None, {"images": normalised.transpose(2, 0, 1)[None].astype(np.float32)})
    for one, other in zip(found, _run(build_graph(layers), pictures[0]), strict=True):
        np.testing.assert_allclose(one, other, atol=2e-3)


def test_eight_bits_answer_like_float(layers: list[Layer], pictures: list[NDArray[np.uint8]]) -> None:
    graph = build_graph(layers)
    ranges = measure_ranges(graph, watched_tensors(layers), pictures)
    small = build_graph(layers, ranges)
    for picture in pictures:
        exact, rounded = _run(graph, picture)[1].ravel(), _run(small, picture)[1].ravel()
        kept = exact > -9.5  # logits that say "nothing" are cut off at -10
        assert np.corrcoef(exact[kept], rounded[kept])[0, 1] > 0.98
    assert len(stored_bytes(small)) < len(stored_bytes(graph)) / 3


def test_the_same_input_gives_the_same_bytes(layers: list[Layer], pictures: list[NDArray[np.uint8]]) -> None:
    graph = build_graph(layers)
    ranges = [measure_ranges(graph, watched_tensors(layers), pictures[:2]) for _ in range(2)]
    assert stored_bytes(build_graph(layers, ranges[0])) == stored_bytes(build_graph(layers, ranges[1]))


def test_ranges_hold_every_value_and_little_more(layers: list[Layer], pictures: list[NDArray[np.uint8]]) -> None:
    graph = build_graph(layers)
    low, high = measure_ranges(graph, ["lateral0"], pictures[:1])["lateral0"]
    graph.graph.output.append(onnx.helper.make_tensor_value_info("lateral0", onnx.TensorProto.FLOAT, None))
    (seen,) = _run(graph, pictures[0], ["lateral0"])
    assert low <= seen.min() <= low * 0.99
    assert high * 0.99 <= seen.max() <= high


def test_ranges_of_a_share_of_the_pictures_are_narrower(layers: list[Layer], pictures: list[NDArray[np.uint8]]) -> None:
    graph = build_graph(layers)
    whole, most = (measure_ranges(graph, ["lateral0"], pictures, share=share)["lateral0"] for share in (1.0, 0.6))
    assert whole[0] <= most[0] <= most[1] <= whole[1]
    assert most[1] - most[0] < whole[1] - whole[0]


def test_normalisation_is_folded_into_the_first_layer(tmp_path: Path) -> None:
    kernel = np.arange(15, dtype=np.float32).reshape(1, 1, 3, 5)
    bias = np.full(5, 2, np.float32)
    entries: list[dict[str, Any]] = []
    stored = b""
    for index in range(34):
        name = "PartitionedCall/split" + (f"_{index}" if index else "")
        entries.append({"name": name, "shape": [1, 1, 3, 5], "dtype": "float32"})
        entries.append({"name": f"unknown_{index}", "shape": [5], "dtype": "float32"})
        stored += kernel.tobytes() + (bias + index).tobytes()
    (tmp_path / "weights.bin").write_bytes(stored)
    model = tmp_path / "model.json"
    model.write_text(json.dumps({"weightsManifest": [{"paths": ["weights.bin"], "weights": entries}]}))
    layers = read_layers(model)
    pixel = np.array([30.0, 128.0, 255.0])
    normalised = (pixel - [103.53, 116.28, 123.675]) / [57.375, 57.12, 58.395]
    folded = layers[0][0][:, :, 0, 0] @ (pixel - _GREY) + layers[0][1]
    np.testing.assert_allclose(folded, normalised @ kernel[0, 0] + bias, rtol=1e-5)
    assert [float(layer[1][0]) for layer in layers[1:]] == [2.0 + index for index in range(1, 34)]
