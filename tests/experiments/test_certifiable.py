"""Trials of training for certifiability: what they change, and what their records may say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from experiments.safer.certifiable import RECORDS, SHORT, TRIALS, agent_of
from experiments.safer.certifiable_picture import draw
from experiments.safer.indicated import EPS, EVERY, RATE, Benign, budgets, summary
from safer_gym.bounds import gaussian_filter
from safer_gym.conformance.loading import load_policy

ROOT = Path(__file__).parents[2]
RECORDED = sorted((ROOT / RECORDS).glob("*.json"))


def episodes(costs: list[float]) -> Benign:
    n = len(costs)
    return Benign(np.ones(n), np.array(costs), np.zeros((n, 3, 8), np.float32))


def test_a_trial_begins_with_the_packaged_policy() -> None:
    agent, packaged = agent_of("wide-3", 0), load_policy("ball-circle/safer").policy
    assert agent.certified.certified_weight == 3.0
    obs = 0.3 * torch.randn(16, 8)
    with torch.no_grad():
        torch.testing.assert_close(agent.actor.distribution(obs).scale, torch.full((16, 2), 0.8))
        torch.testing.assert_close(
            agent.actor(obs, deterministic=True),
            packaged.policy.actor(obs, deterministic=True),
        )


def test_a_budget_grows_with_the_radius() -> None:
    found = budgets(agent_of("weight-0", 0), episodes([0.0, 0.0]))
    values = [found[eps] for eps in EPS]
    assert values == sorted(values)
    assert values[0] > 0


def test_a_budget_stands_for_the_states_between() -> None:
    """Of equal states M is m times the root of all steps, enclosed or not."""
    agent = agent_of("weight-0", 0)
    few = budgets(agent, Benign(np.ones(1), np.ones(1), np.zeros((1, 1, 8), np.float32)))
    many = budgets(agent, Benign(np.ones(1), np.ones(1), np.zeros((1, 4, 8), np.float32)))
    for eps in EPS:
        assert many[eps] == pytest.approx(2 * few[eps], rel=1e-3)
    assert EVERY > 1


@given(st.integers(0, 60), st.floats(0.0, 3.0))
def test_the_indicated_radius_is_the_largest_that_is_good_enough(hits: int, slope: float) -> None:
    shifts = {eps: 100 * slope * eps for eps in EPS}
    found = summary(episodes([9.0] * hits + [0.0] * (60 - hits)), shifts)
    assert found["violations"] == hits
    good = [eps for eps in EPS if found["rate"][f"{eps:g}"] <= RATE]
    assert found["indicated_eps"] == max(good, default=0.0)
    assert list(found["rate"].values()) == sorted(found["rate"].values())


def test_a_policy_that_violates_is_never_good_enough() -> None:
    assert summary(episodes([9.0] * 60), dict.fromkeys(EPS, 0.0))["indicated_eps"] == 0.0


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_a_record_agrees_with_itself(path: Path) -> None:
    record = json.loads(path.read_text())
    assert path.stem == f"{record['trial']}-{record['seed']}"
    assert record["options"] == SHORT | TRIALS[record["trial"]]
    for eps, shift in record["M"].items():
        least = gaussian_filter(record["violations"] / record["episodes"], shift)
        assert record["rate"][eps] >= least - 1e-3
    good = [float(eps) for eps, rate in record["rate"].items() if rate <= RATE]
    assert record["indicated_eps"] == max(good, default=0.0)


def test_no_record_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no record"):
        draw(tmp_path)
