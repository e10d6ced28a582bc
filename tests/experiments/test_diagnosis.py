"""The diagnosis: its cost-to-go, and that an untrained agent can be diagnosed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from experiments.safer import diagnosis
from experiments.safer.diagnosis import cost_to_go, diagnose
from safer_gym.agents import SAFER
from safer_gym.wrappers.tasks import find_task


@given(
    arrays(np.float64, (6, 2), elements=st.floats(0.0, 10.0)),
    st.floats(0.0, 1.0),
)
def test_the_cost_to_go_is_the_discounted_sum_of_what_follows(
    costs: np.ndarray, gamma: float
) -> None:
    found = cost_to_go(costs, gamma)
    for t in range(6):
        powers = gamma ** np.arange(6 - t)
        np.testing.assert_allclose(found[t], powers @ costs[t:], atol=1e-9)


def test_an_agent_is_diagnosed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "EPISODES", 2)
    monkeypatch.setattr(diagnosis, "NEAR", 100.0)
    env = find_task("ball-circle").make()
    agent = SAFER("MlpPolicy", env, policy_kwargs={"net_arch": [8]}, device="cpu", seed=0)
    found = diagnose(agent)
    assert found["near_share"] == 1.0
    assert found["near_q_cost"] == pytest.approx(found["q_cost"])
    assert found["near_cost_to_go"] == pytest.approx(found["cost_to_go"])
    assert found["cost_to_go"] >= 0.0
    assert all(np.isfinite(v) for k, v in found.items() if k != "correlation")
