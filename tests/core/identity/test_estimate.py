"""The number of people is estimated from what links must have been missed."""

import numpy as np
import pytest

from ruid_core.identity.estimate import (
    LINK_SPREAD,
    Links,
    measure_links,
    share_found,
    share_shown,
    stray_identities,
)


@pytest.mark.parametrize("cut", [-0.2, 0.0, 0.3])
def test_the_share_of_a_bell_above_a_cut_is_found_from_its_mean(cut: float) -> None:
    bell = np.random.default_rng(2).normal(0.1, LINK_SPREAD, 200_000)
    above = bell[bell > cut]
    assert share_found(float(above.mean() - cut)) == pytest.approx(max(0.2, len(above) / len(bell)), abs=0.02)


def test_with_every_link_found_identities_are_people() -> None:
    estimate = Links(identities=100, appearances=250, strays=0.0, share=1.0).estimate(100)
    assert estimate.value == pytest.approx(100, rel=0.02)
    assert estimate.low < 100 < estimate.high


def test_missed_links_mean_fewer_people_than_identities() -> None:
    people, cameras, share = 1000, 2, 0.5
    identities = people + int(people * (cameras - 1) * (1 - share))
    estimate = Links(identities, people * cameras, 0.0, share).estimate(identities)
    assert estimate.value == pytest.approx(people, rel=0.05)


def test_the_estimate_grows_with_the_identities_between_consolidations() -> None:
    links = Links(identities=100, appearances=100, strays=0.0, share=1.0)
    assert links.estimate(200).value == pytest.approx(2 * links.estimate(100).value)


def test_a_surplus_of_people_seen_once_is_strays() -> None:
    regular = np.repeat(np.arange(60), 10)
    assert stray_identities(regular) == 0.0
    assert stray_identities(np.r_[regular, np.arange(100, 112)]) == pytest.approx(10.7, abs=0.1)


def test_people_who_were_all_seen_once_are_people() -> None:
    assert stray_identities(np.arange(100)) == pytest.approx(3.0)


def test_one_camera_has_no_links_to_miss() -> None:
    vectors = np.eye(4, dtype=np.float32)
    links = measure_links(vectors, np.arange(4), np.zeros(4, np.int64), 0.3)
    assert (links.identities, links.appearances, links.share) == (4, 4, 1.0)


@pytest.mark.parametrize("cut", [-2.0, -1.0, 0.0])
def test_the_shape_alone_shows_less_than_was_found(cut: float) -> None:
    bell = np.random.default_rng(5).normal(size=20_000).astype(np.float32)
    shown = share_shown(bell[bell > cut] * np.float32(0.04), 0.04 * cut)
    assert shown <= (bell > cut).mean() + 0.02


def test_links_that_all_lie_far_above_the_cut_for_their_spread_were_all_found() -> None:
    links = np.random.default_rng(5).normal(0.6, 0.03, 100).astype(np.float32)
    assert share_shown(links, 0.45) > 0.99
    assert share_found(0.15) < 0.85, "a wider bell would have been cut"


def test_few_links_show_nothing() -> None:
    assert share_shown(np.array([0.5, 0.52], np.float32), 0.49) == 0.0
