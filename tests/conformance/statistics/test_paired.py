"""Paired differences: they cover the truth as often as they say, and turn with the sides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from safer_gym.conformance.statistics import paired_means, paired_rates

PAIRS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40)


@given(PAIRS)
def test_the_sides_turn(pairs: list[tuple[bool, bool]]) -> None:
    a, b = np.array(pairs).T
    one, other = paired_rates(a, b, 0.1), paired_rates(b, a, 0.1)
    assert one.difference == pytest.approx(-other.difference)
    assert (one.lower, one.upper) == pytest.approx((-other.upper, -other.lower))
    assert one.p_value == pytest.approx(other.p_value)
    assert -1 <= one.lower <= one.difference <= one.upper <= 1


def test_mcnemar_by_hand() -> None:
    """8 pairs differ, 7 of them to one side: 2 (1 + 8) / 2^8."""
    b = np.array([1] * 7 + [0] + [1] * 5 + [0] * 7)
    a = np.array([0] * 7 + [1] + [1] * 5 + [0] * 7)
    assert paired_rates(a, b, 0.05).p_value == pytest.approx(2 * 9 / 2**8)


def coverage(interval: object, draw: object, truth: float, runs: int = 400) -> int:
    chance = np.random.default_rng(0)
    hits = 0
    for _ in range(runs):
        found = interval(*draw(chance))  # type: ignore[operator]
        hits += found.lower <= truth <= found.upper
    return hits


@pytest.mark.parametrize("n", [5, 20])
@pytest.mark.parametrize("cells", [(0.7, 0.2, 0.05, 0.05), (0.97, 0.03, 0.0, 0.0)])
def test_rates_are_covered(n: int, cells: tuple[float, ...]) -> None:
    """Cells: neither, B alone, A alone, both."""

    def draw(chance: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        kind = chance.choice(4, n, p=cells)
        return np.isin(kind, (2, 3)), np.isin(kind, (1, 3))

    hits = coverage(lambda a, b: paired_rates(a, b, 0.2), draw, cells[1] - cells[2])
    assert binomtest(hits, 400, 0.8, alternative="less").pvalue > 1e-3


def test_an_interval_at_a_fifth_of_its_width_is_noticed() -> None:
    """The specimen of the test above."""

    def narrow(a: np.ndarray, b: np.ndarray) -> object:
        found = paired_rates(a, b, 0.2)
        width = (found.upper - found.lower) / 10
        return found._replace(lower=found.difference - width, upper=found.difference + width)

    def draw(chance: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return chance.random(20) < 0.3, chance.random(20) < 0.5

    assert binomtest(coverage(narrow, draw, 0.2), 400, 0.8, alternative="less").pvalue < 1e-3


@pytest.mark.parametrize("seeds", [1, 12])
def test_means_are_nearly_covered(seeds: int) -> None:
    """40 episodes; with several training seeds these differ too."""

    def draw(chance: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        shared = chance.gamma(2.0, 3.0, (1, 40))
        spread = 0.0 if seeds == 1 else 1.0
        a, b = (spread * chance.normal(size=(seeds, 1)) for _ in range(2))
        return shared + a, shared + 1.0 + b + chance.normal(size=(seeds, 40))

    chance = np.random.default_rng(1)
    hits = coverage(lambda a, b: paired_means(a, b, 0.1, chance, 500), draw, 1.0)
    assert hits > 0.8 * 400


def test_two_training_seeds_are_covered() -> None:
    """What the bootstrap alone covers in less than 60 % of all draws."""

    def draw(chance: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return chance.normal(0, 0.1, (1, 10)), chance.normal(1, 1, (2, 1)) + np.zeros((2, 10))

    chance = np.random.default_rng(4)
    hits = coverage(lambda a, b: paired_means(a, b, 0.1, chance, 500), draw, 1.0)
    assert hits > 0.87 * 400


def test_few_pairs_that_differ_are_not_enough() -> None:
    chance = np.random.default_rng(5)
    b = np.zeros((1, 50))
    for differing, enough in ((0, False), (9, False), (10, True)):
        b[0, :differing] = 1.0
        assert paired_means(np.zeros((1, 50)), b, 0.05, chance).enough is enough
    assert paired_rates([0] * 3, [0] * 3, 0.05).enough


def test_pairing_sharpens() -> None:
    """What both meet alike is no difference."""
    chance = np.random.default_rng(2)
    a = chance.gamma(2.0, 30.0, (1, 50))
    b = a + chance.normal(1.0, 0.5, (1, 50))
    paired = paired_means(a, b, 0.05, chance)
    apart = paired_means(a, b[:, ::-1], 0.05, chance)
    assert paired.upper - paired.lower < 0.1 * (apart.upper - apart.lower)
    assert paired.differing == 50


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda g: paired_rates([1, 0], [1], 0.1), "same episodes"),
        (lambda g: paired_rates([0.5], [1], 0.1), "bools"),
        (lambda g: paired_rates([1], [1], 1.5), "delta"),
        (lambda g: paired_means([[1.0]], [[np.nan]], 0.1, g), "finite"),
        (lambda g: paired_means([[1.0]], [[1.0]], 0.1, g), "episodes must be"),
        (lambda g: paired_means([[1.0]], [[1.0, 2.0]], 0.1, g), "same episodes"),
        (lambda g: paired_means([1.0], [[1.0]], 0.1, g), "seeds, episodes"),
        (lambda g: paired_means([[1.0, 2.0]], [[1.0, 2.0]], 0.1, g, 0), "resamples"),
    ],
)
def test_refusals(call: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call(np.random.default_rng(0))  # type: ignore[operator]
