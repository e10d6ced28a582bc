"""All episodes of a small problem."""

from __future__ import annotations

import numpy as np
import pytest
from theory.paths import benign_paths
from theory.tables import occupancy

from safer_gym.tabular import random_cases, unattacked, worst_mean, worst_rate
from safer_gym.tabular.random_cmdps import picked, random_case


@pytest.mark.parametrize("place", [0, 1, 4])
def test_paths_have_the_chances_and_costs_of_the_episode(place: int) -> None:
    case = picked(list(random_cases(15, seed=1))[place], 0)
    paths = benign_paths(case.cmdp, case.policy, 3)
    calm = unattacked(case.cmdp)
    assert paths.chance.sum() == pytest.approx(1.0)
    assert paths.chance @ paths.costs == pytest.approx(worst_mean(calm, case.policy, 3).value)
    over = paths.chance @ (paths.costs > 1)
    assert over == pytest.approx(worst_rate(calm, case.policy, 3, 1.0).value)
    visits = [
        np.bincount(paths.states[:, t], paths.chance, minlength=case.cmdp.n_states)
        for t in range(3)
    ]
    np.testing.assert_allclose(visits, occupancy(case.cmdp, case.policy, 3), atol=1e-12)


def test_too_many_paths_and_batches_are_refused() -> None:
    case = next(iter(random_cases(15, seed=1)))
    with pytest.raises(ValueError, match="one problem at a time"):
        benign_paths(case.cmdp, case.policy, 2)
    with pytest.raises(ValueError, match="more than"):
        benign_paths(*picked(case, 0)[:2], 12)


def test_occupancy_is_a_distribution() -> None:
    case = random_case((5, 3), 50, np.random.default_rng(4))
    visits = occupancy(case.cmdp, case.policy, 7)
    assert visits.shape == (7, 50, 5)
    np.testing.assert_allclose(visits.sum(-1), 1.0)
    assert np.array_equal(visits[0], case.cmdp.start)
