"""Our clusterer keeps River's contract, and tells people apart."""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from river import checks

from ruid_hub.identities import RuidClusterer


def _river_checks() -> list[Callable[[Any], None]]:
    """River's checks for clusterers; they import scikit-learn, but take no data set of it for a clusterer."""
    package = ModuleType("sklearn")
    package.datasets = ModuleType("sklearn.datasets")  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "sklearn", package)
        patch.setitem(sys.modules, "sklearn.datasets", package.datasets)
        river: Any = checks
        return list(river.yield_checks(RuidClusterer()))


@pytest.mark.parametrize("check", _river_checks(), ids=lambda check: str(check.__name__))
def test_rivers_estimator_checks_pass(check: Callable[[Any], None]) -> None:
    check(RuidClusterer())


def test_two_people_get_two_numbers() -> None:
    generator = np.random.default_rng(3)
    people = generator.normal(size=(2, 32))
    clusterer = RuidClusterer()
    for _ in range(10):
        for person in people:
            row = person + 0.1 * generator.normal(size=32)
            clusterer.learn_one({column: float(row[column]) for column in range(32)})
    numbers = [clusterer.predict_one({column: float(person[column]) for column in range(32)}) for person in people]
    assert len(set(numbers)) == 2
