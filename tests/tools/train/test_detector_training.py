"""The tuning of the detector's neck and heads, on made-up pictures and a network of random weights."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

pytest.importorskip("onnx", reason="onnx is not installed")
torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from ruid_core.vision import Detections, Size  # noqa: E402 - need onnx and PyTorch
from ruid_tools.models.nanodet import (  # noqa: E402
    TUNED_LAYERS,
    Layer,
    build_graph,
    persons_alone,
    read_tuned,
    store_tuned,
)
from ruid_tools.models.qdq import stored_bytes  # noqa: E402
from ruid_tools.train.detector_command import HeldOutError, numbers_in  # noqa: E402
from ruid_tools.train.detector_head import Cells, Head, Wanted, loss_of  # noqa: E402
from ruid_tools.train.detector_labels import Labels, fuse  # noqa: E402
from ruid_tools.train.detector_training import Recipe, blended, labelled_pictures, make_lessons, tune  # noqa: E402

_SIZE = Size(64, 64)
_CELLS = 8 * 8 + 4 * 4 + 2 * 2
_WIDTHS = [
    *[(3, 32), (32, 32), (32, 16), (16, 16), (32, 32)],
    *[(64, 64), *[(64, 32), (32, 32)] * 2, (64, 64)],
    *[(128, 128), *[(128, 64), (64, 64)] * 2, (128, 128)],
    *[(256, 256), *[(256, 128), (128, 128)] * 3, (256, 256)],
]


@pytest.fixture(scope="module")
def layers() -> list[Layer]:
    """The network with random weights that neither fade nor blow up."""
    shapes = [(*pair, 3) for pair in _WIDTHS]
    shapes += [(128, 128, 1), (256, 128, 1), (512, 128, 1), *[(128, 128, 3), (128, 124, 1)] * 3]
    rng = np.random.default_rng(5)
    made: list[Layer] = []
    for inputs, outputs, side in shapes:
        spread = (2 / (inputs * side * side)) ** 0.5 / (60 if inputs == 3 else 1)
        kernel = rng.normal(0, spread, (outputs, inputs, side, side)).astype(np.float32)
        made.append((kernel, rng.normal(0, 0.1, outputs).astype(np.float32)))
    return made


def _wanted(boxes: list[list[float]], sure: list[bool]) -> Wanted:
    let_alone = torch.zeros(_CELLS, dtype=torch.bool)
    return Wanted(torch.tensor(boxes).reshape(-1, 4), torch.tensor(sure, dtype=torch.bool), let_alone)


def test_the_module_answers_as_the_graph_does(layers: list[Layer]) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (1, 64, 64, 3)).astype(np.uint8)
    graph = build_graph(layers)
    names = ["s2", "s3", "s4", "boxes"]
    graph.graph.output.extend(onnx_value(name) for name in names[:3])
    session = onnxruntime.InferenceSession(stored_bytes(graph), providers=["CPUExecutionProvider"])
    *maps, boxes = session.run(names, {"images": picture})
    with torch.no_grad():
        table = Head(layers)([torch.from_numpy(tensor) for tensor in maps])
    np.testing.assert_allclose(table[0, :, 1:].numpy(), boxes[0], atol=2e-3)


def onnx_value(name: str) -> object:
    from onnx import TensorProto, helper  # noqa: PLC0415 - only after importorskip

    return helper.make_tensor_value_info(name, TensorProto.FLOAT, None)


def test_the_cells_that_fit_a_person_best_learn_it_and_the_others_do_not() -> None:
    table = torch.zeros(_CELLS, 45)
    table[:, 0] = -6
    table.requires_grad_()
    loss, targets = loss_of(table, _wanted([[10, 10, 50, 60]], [True]), Cells.of(_SIZE))
    loss.backward()
    assert table.grad is not None
    pulled_up = table.grad[:, 0] < 0
    assert 1 <= int(pulled_up.sum()) <= 9
    points = Cells.of(_SIZE).points_px[pulled_up]
    assert bool(((points > 10) & (points < 60)).all())
    assert float(targets) > 0


def test_people_who_are_not_sure_are_neither_learned_nor_unlearned() -> None:
    table = torch.zeros(_CELLS, 45, requires_grad=True)
    loss, targets = loss_of(table, _wanted([[0, 0, 64, 64]], [False]), Cells.of(_SIZE))
    assert float(loss.detach()) == float(targets) == 0


def test_a_tuned_network_loses_less_and_is_kept_as_it_was_stored(layers: list[Layer], tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    pictures = [rng.integers(0, 256, (300, 300, 3)).astype(np.uint8) for _ in range(2)]
    labelled = labelled_pictures(pictures, _Somebody(), rng)
    lessons = make_lessons(labelled, layers, rng)
    assert len(lessons) == 4, "each picture and a crop of it"
    epochs = list(tune(layers, lessons, Recipe(epochs=3, batch=2)))
    assert epochs[-1][0] < epochs[0][0]
    store_tuned(epochs[-1][1], tmp_path / "head.npz")
    kept = read_tuned(tmp_path / "head.npz")
    assert [kernel.shape for kernel, _ in kept] == [kernel.shape for kernel, _ in epochs[-1][1]]
    graphs = [build_graph([*layers[:-TUNED_LAYERS], *tuned]) for tuned in (kept, epochs[-1][1])]
    assert len({len(stored_bytes(graph)) for graph in graphs}) == 1


class _Somebody:
    def label(self, picture: np.ndarray) -> Labels:
        height, width = picture.shape[:2]
        box = np.array([[width * 0.3, height * 0.3, width * 0.6, height * 0.8]], np.float32)
        return Labels(box, np.array([True]))


def test_a_blend_lies_between_its_two_networks(layers: list[Layer]) -> None:
    ones = [(np.ones_like(kernel), np.ones_like(bias)) for kernel, bias in layers]
    halfway = blended(layers, ones, 0.5)
    assert [len(bias) for _, bias in persons_alone(layers)[-1:]] == [45]
    np.testing.assert_allclose(halfway[0][0], (layers[0][0] + 1) / 2, atol=1e-6)


def test_boxes_that_most_looks_agree_on_become_one() -> None:
    box = np.array([[10, 10, 50, 90]], np.float32)
    far = np.array([[10, 10, 50, 90], [60, 0, 90, 30]], np.float32)
    looks = [_seen(box, 0.9), _seen(box + 2, 0.3), _seen(far, 0.6)]
    boxes, confidences, agreeing = fuse(looks)
    np.testing.assert_allclose(boxes[0], box[0] + 2 * 0.3 / 1.8, atol=1e-4)
    np.testing.assert_allclose(confidences, [0.6, 0.2], atol=1e-6)
    np.testing.assert_allclose(agreeing, [1, 1 / 3])


def _seen(boxes: np.ndarray, confidence: float) -> Detections:
    return Detections(boxes.astype(np.float32), np.full(len(boxes), confidence, np.float32))


def test_nobody_in_any_look_is_nobody() -> None:
    boxes, confidences, agreeing = fuse([_seen(np.zeros((0, 4)), 0.5)])
    assert len(boxes) == len(confidences) == len(agreeing) == 0


def test_numbers_are_named_by_spans_and_alone() -> None:
    assert numbers_in("3,5-7") == {3, 5, 6, 7}
    assert numbers_in("") == set()


@pytest.mark.parametrize("spans", ["abc", "3-", "-4", "1-2-3"])
def test_spans_that_name_no_pictures_are_told(spans: str) -> None:
    with pytest.raises(HeldOutError, match=f"as in 3,500-689; not as {spans}$"):
        numbers_in(spans)
