"""The parts of delta: their exact sum, and who shares with whom."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safer_gym.conformance.statistics import EVERY, WORST, allocate, delta_of, total

NAMES = ["null", "mc", "mr", "mad", "square", "learned", "mixture"]


@settings(max_examples=60)
@given(
    st.floats(1e-9, 0.999),
    st.lists(st.floats(0, 1), min_size=1, max_size=7, unique=True),
    st.integers(1, 7),
    st.sampled_from([["rate"], ["rate", "mean"], ["rate", "mean", "quantile", "cvar"]]),
    st.booleans(),
)
def test_the_parts_sum_to_delta_and_never_to_more(
    delta: float, eps: list[float], k: int, metrics: list[str], every: bool
) -> None:
    shares = allocate(delta, eps, NAMES[:k], metrics, every=every)
    assert total(shares) <= Fraction(delta)
    assert float(total(shares)) == pytest.approx(delta, rel=1e-12)
    claims = {(s.eps, s.attack, s.metric, s.side) for s in shares}
    assert len(claims) == len(shares)


def test_who_gets_what() -> None:
    shares = allocate(0.05, [0.01, 0.05], ["null", "mc"], ["rate"])
    end = pytest.approx(0.05 / 6)
    assert delta_of(shares, 0.05, EVERY, "rate", "upper") == end
    assert delta_of(shares, 0.05, WORST, "rate", "upper") == end
    assert delta_of(shares, 0.05, "mc", "rate", "upper") == end
    assert 2 * delta_of(shares, 0.05, "mc", "rate", "lower") == end
    assert len(shares) == 2 * (2 + 1 + 1)


def test_a_claim_without_a_share_cannot_be_made() -> None:
    shares = allocate(0.05, [0.01], ["mc"], ["rate", "cvar"], every=False)
    for claim in [
        (0.02, "mc", "rate", "lower"),
        (0.01, "mr", "rate", "lower"),
        (0.01, EVERY, "rate", "upper"),
        (0.01, "mc", "mean", "upper"),
        (0.01, "mc", "cvar", "lower"),
    ]:
        with pytest.raises(KeyError, match="no share"):
            delta_of(shares, *claim)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1.0, [0.1], ["mc"], ["rate"]), "delta"),
        ((0.1, [], ["mc"], ["rate"]), "eps"),
        ((0.1, [0.1, 0.1], ["mc"], ["rate"]), "none twice"),
        ((0.1, [0.1], "mc", ["rate"]), "sequence"),
        ((0.1, [0.1], ["mc"], ["rates"]), "rate"),
    ],
)
def test_bad_arguments_are_named(arguments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        allocate(*arguments)
