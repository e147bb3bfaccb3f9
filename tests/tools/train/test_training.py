"""Networks, losses, the exactness of resuming. Needs PyTorch."""

from pathlib import Path

import numpy as np
import pytest

from tooling import require_module

torch = require_module("torch", hint="pip install torch==2.13.0")

from ruid_tools.train.corpus import BatchShape, Corpus  # noqa: E402 - need torch
from ruid_tools.train.embedder import EMBEDDING_DIM, Embedder, update_average  # noqa: E402
from ruid_tools.train.losses import LossWeights, batch_hard_triplet, neighbourhood_divergence  # noqa: E402
from ruid_tools.train.openvino_weights import restore_batch_norms  # noqa: E402
from ruid_tools.train.osnet import DESIGNS, OSNetDesign, WeightedPool  # noqa: E402
from ruid_tools.train.pixels import PixelStore  # noqa: E402
from ruid_tools.train.replicas import Replicas  # noqa: E402
from ruid_tools.train.schedule import Schedule, one_stage  # noqa: E402
from ruid_tools.train.trainer import RunSettings, Trainer, load_weights, save_checkpoint, save_weights  # noqa: E402

SMALL = "osnet_small"


@pytest.fixture(autouse=True)
def small_design(monkeypatch: pytest.MonkeyPatch) -> None:
    design = OSNetDesign(stem=8, stages=(64, 64, 64), context=True, pool_grid=(2, 2))
    monkeypatch.setitem(DESIGNS, SMALL, design)


def make_trainer() -> Trainer:
    rng = np.random.default_rng(0)
    corpus = Corpus(
        paths=[Path(f"{index}.jpg") for index in range(10)],
        labels=np.array([0, 0, 0, 1, 1, 1, 2, 2, -1, -1]),
        cameras=np.array([1, 1, 2, 1, 1, 2, 1, 2, 0, 0]),
        unlabelled=np.array([8, 9]),
        validation=(),
    )
    settings = RunSettings(
        backbone=SMALL,
        steps=100,
        schedule=Schedule(stages=one_stage(height_px=32, width_px=32)),
        batch=BatchShape(identities=2, pictures=2, unlabelled=2),
        losses=LossWeights(ranking=0.5),
        threads=2,
        half_precision=False,
    )
    pixels = PixelStore([rng.integers(0, 256, (10, 192, 80, 3)).astype(np.uint8)])
    teacher = rng.normal(size=(10, EMBEDDING_DIM)).astype(np.float32)
    return Trainer(settings, corpus, pixels=pixels, teacher=teacher / np.linalg.norm(teacher, axis=1, keepdims=True))


def test_resumed_run_takes_the_same_steps_as_one_never_stopped(tmp_path: Path) -> None:
    whole = make_trainer()
    for _ in range(2):
        whole.take_step()
    save_checkpoint(whole, tmp_path / "checkpoint.pt")
    resumed = make_trainer()
    resumed.restore(torch.load(tmp_path / "checkpoint.pt", weights_only=False))
    losses = [trainer.take_step() for trainer in (whole, resumed) for _ in range(2)]
    assert losses[:2] == losses[2:]
    for left, right in zip(whole.average.state_dict().values(), resumed.average.state_dict().values(), strict=True):
        assert torch.equal(left, right)


def test_weights_come_back_as_they_were_written(tmp_path: Path) -> None:
    embedder = Embedder(SMALL)
    save_weights(embedder, tmp_path / "weights.npz")
    other = Embedder(SMALL)
    other.load_state_dict(load_weights(tmp_path / "weights.npz"))
    images = torch.rand(2, 3, 32, 32) * 255
    assert torch.equal(embedder.eval()(images), other.eval()(images))


def test_run_begun_from_weights_knows_its_identities_at_once(tmp_path: Path) -> None:
    save_weights(Embedder(SMALL), tmp_path / "weights.npz")
    fresh, begun = make_trainer(), make_trainer()
    begun.start_from(tmp_path / "weights.npz")
    assert begun.take_step()["loss_identity"] < fresh.take_step()["loss_identity"]


@pytest.mark.parametrize("backbone", ["osnet_x0_25", "osnet_x0_5", "osnet_lct_x0_5"])
def test_embeddings_have_unit_length(backbone: str) -> None:
    embeddings = Embedder(backbone).eval()(torch.rand(2, 3, 160, 64) * 255)
    assert embeddings.shape == (2, EMBEDDING_DIM)
    assert torch.allclose(embeddings.norm(dim=1), torch.ones(2), atol=1e-5)


@pytest.mark.filterwarnings("default")
def test_osnet_has_about_as_many_parameters_as_the_paper_says() -> None:
    """0.2 and 2.2 million there, with the 512-d hidden layer that is not here."""
    counts = {name: sum(part.numel() for part in Embedder(name).trunk.parameters()) for name in DESIGNS}
    assert 0.12e6 < counts["osnet_x0_25"] < 0.25e6
    assert 1.8e6 < counts["osnet_x1_0"] < 2.2e6


def test_weighted_pool_begins_as_an_average_at_any_resolution() -> None:
    features = torch.rand(2, 8, 5, 3)
    assert torch.allclose(WeightedPool(8, (10, 4))(features), features.mean(dim=(2, 3)), atol=1e-5)


def test_restored_batch_norms_leave_what_the_network_computes() -> None:
    embedder = Embedder(SMALL).eval()
    images = torch.rand(16, 3, 32, 32) * 255
    before = embedder(images)
    restore_batch_norms(embedder, images)
    assert torch.allclose(embedder(images), before, atol=1e-4)
    stem_norm = embedder.trunk.stem[0][1]
    assert not torch.allclose(stem_norm.running_mean, torch.zeros_like(stem_norm.running_mean))


def test_one_replica_gives_the_gradients_of_the_plain_network() -> None:
    torch.manual_seed(0)
    network, plain = Embedder(SMALL), Embedder(SMALL)
    plain.load_state_dict(network.state_dict())
    images = torch.rand(4, 3, 32, 32) * 255
    replicas = Replicas(network, threads=1, device="cpu", half_precision=False)
    (replicas.forward(lambda _: images) ** 3).sum().backward()
    replicas.backward()
    (plain.train().neck_features(images) ** 3).sum().backward()
    left, right = (
        torch.cat([part.grad.flatten() for part in trained.parameters() if part.grad is not None])
        for trained in (network, plain)
    )
    assert float(torch.nn.functional.cosine_similarity(left, right, dim=0)) > 0.9999


def test_average_moves_a_step_towards_the_current_weights() -> None:
    average, current = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    with torch.no_grad():
        average.weight.fill_(0.0)
        current.weight.fill_(1.0)
    update_average(average, current, decay=0.9)
    assert float(average.weight.detach()) == pytest.approx(0.1)


def test_triplet_loss_worked_by_hand() -> None:
    """Anchors at 0 and 90 degrees share an identity, one at 180 does not: distances sqrt 2, sqrt 2 and 2."""
    embeddings = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    labels = torch.tensor([0, 0, 1])
    first = 2**0.5 - 2 + 0.7
    second = 2**0.5 - 2**0.5 + 0.7
    assert float(batch_hard_triplet(embeddings, labels, margin=0.7)) == pytest.approx((first + second) / 3, abs=1e-5)


def test_same_neighbourhoods_diverge_by_nothing() -> None:
    embeddings = torch.nn.functional.normalize(torch.rand(6, 4), dim=1)
    turned = embeddings[:, [1, 2, 3, 0]]
    assert float(neighbourhood_divergence(embeddings, turned, temperature=0.1)) == pytest.approx(0.0, abs=1e-6)
    assert float(neighbourhood_divergence(embeddings, embeddings.flip(0), temperature=0.1)) > 0.01
