"""Episodes that repeat others in order are seen; those alike by chance, or always, are not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safer_gym.conformance.statistics import repeated_run


def test_a_forked_generator_is_seen() -> None:
    """Two processes, jobs of 25 in turn: 150 distinct episodes of 300."""
    own = np.random.default_rng(0).normal(size=(6, 25))
    values = np.repeat(own, 2, axis=0).reshape(-1)
    found = repeated_run(values)
    assert found is not None
    assert found.length >= 25
    assert found.again - found.first == 25


def test_two_jobs_of_one_block_each_are_enough() -> None:
    block = np.random.default_rng(0).normal(size=25)
    assert repeated_run(np.concatenate([block, block])) is not None


@pytest.mark.parametrize("period", [1, 2, 10, 40])
def test_seeds_that_come_round_are_seen(period: int) -> None:
    """Period 1 is an environment in which nothing is random: no alarm there."""
    own = np.random.default_rng(1).normal(size=period)
    assert (repeated_run(own[np.arange(300) % period]) is None) == (period == 1)


@given(
    st.integers(1, 6),
    st.integers(2, 200),
    st.floats(0.0, 1.0),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=300)
def test_independent_episodes_raise_no_alarm(kinds: int, n: int, tilt: float, seed: int) -> None:
    """Whatever the number of starts and however unequal, down to a single one."""
    rng = np.random.default_rng(seed)
    weights = tilt ** np.arange(kinds)
    assert repeated_run(rng.choice(kinds, n, p=weights / weights.sum())) is None


def test_two_thousand_samples_raise_no_alarm() -> None:
    rng = np.random.default_rng(0)
    for _ in range(2000):
        kinds = int(rng.integers(1, 30))
        assert repeated_run(rng.choice(kinds, 60, p=rng.dirichlet(np.ones(kinds)))) is None


def test_few_values_and_none() -> None:
    assert repeated_run([]) is None
    assert repeated_run([1.0]) is None
    assert repeated_run([1.0, 1.0]) is None
