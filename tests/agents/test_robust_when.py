"""The robust step where a limit binds: it costs nothing elsewhere, and is the paper's there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from agent_envs import Timed, small_agent, vectorised

from safer_gym.agents.safer.options import RobustOptions

BALL: dict[str, Any] = {"eps": 0.3, "eps_schedule": "constant"}
BENIGN: dict[str, Any] = {"attacked_cost_critic": False}


class Free(Timed):
    """Nothing costs; the reward asks for a steep policy."""

    def judge(self, action: np.ndarray) -> tuple[float, float | None]:
        return -float(abs(action[0] - np.sign(self.state[0]))), 0.0


class Dear(Free):
    """Every step costs."""

    def judge(self, action: np.ndarray) -> tuple[float, float | None]:
        return super().judge(action)[0], 1.0


def weights_of(algorithm: str, **options: Any) -> dict[str, torch.Tensor]:
    return small_agent(algorithm, vectorised(Free, 2), **options).learn(200).policy.state_dict()


def are_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_where_no_limit_binds_safer_learns_bit_for_bit_what_cvpo_learns() -> None:
    cvpo = weights_of("CVPO")
    assert are_equal(cvpo, weights_of("SAFER", **BALL, **BENIGN, robust_when="binding"))
    assert not are_equal(cvpo, weights_of("SAFER", **BALL, **BENIGN))  # the specimen: the paper's


def stepped(robust_when: str, binds: bool, **options: Any) -> dict[str, torch.Tensor]:
    """The actor after one M-step from the same weights, data and weighted actions."""
    env = vectorised(Timed, 2)
    agent: Any = small_agent(
        "SAFER", env, **BALL, **options, robust_when=robust_when, gradient_steps=0
    ).learn(80)
    obs = agent._sample_batch(16).observations
    _, posterior = agent._expectation(obs)
    agent._maximisation(obs, posterior._replace(binds=binds))
    return agent.actor.state_dict()


def test_where_the_limit_binds_the_step_is_that_of_the_paper() -> None:
    always = stepped("always", binds=False)
    assert are_equal(always, stepped("always", binds=True))
    assert are_equal(always, stepped("binding", binds=True))
    without = stepped("binding", binds=False)
    assert not are_equal(always, without)
    weightless = stepped("always", binds=False, adversarial_weight=0.0)
    assert all(torch.allclose(without[name], weightless[name], atol=1e-6) for name in without)


@pytest.mark.parametrize(("kind", "limit", "binds"), [(Free, 5.0, False), (Dear, 0.0, True)])
def test_a_batch_binds_where_its_limit_needs_a_multiplier(
    kind: type[Timed], limit: float, binds: bool
) -> None:
    options: dict[str, Any] = {"cost_limit": limit, "gradient_steps": 20}
    agent = small_agent("SAFER", vectorised(kind, 2), **options).learn(400)
    estep, posterior = agent._expectation(agent._sample_batch(16).observations)
    assert posterior.binds == (estep.dual.lam > 0) == binds


def test_the_papers_step_is_the_default() -> None:
    assert RobustOptions().is_always_on
    assert not RobustOptions(robust_when="binding").is_always_on


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"robust_when": "never"}, "robust_when must be one of 'always', 'binding'"),
        ({"robust_when": "binding", "vanilla_step": False}, "vanilla_step must be True"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RobustOptions(**options)
