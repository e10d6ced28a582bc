"""Discrete, MultiDiscrete and MultiBinary actions at every door."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx_bytes
import pytest
import torch
from discrete_envs import SPACES, Drift
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from plugin_arguments import arguments
from sb3_contrib import MaskablePPO
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.vec_env import DummyVecEnv
from torch import Tensor, nn

from safer_gym.attacks import make_attack
from safer_gym.balls import LpBall
from safer_gym.bounds import Affine, OptionLayers
from safer_gym.categorical import OptionValues, all_actions
from safer_gym.conformance.certify.entry import certify
from safer_gym.conformance.certify.replay import recorded, replay
from safer_gym.conformance.contracts.policy import check_policy
from safer_gym.conformance.evaluate.adversary_env import AdversaryEnv
from safer_gym.conformance.evaluate.evaluation import evaluate
from safer_gym.conformance.loading.load import load_policy
from safer_gym.wrappers.action_rows import action_rows
from safer_gym.wrappers.adversary import ObservationAdversary
from safer_gym.wrappers.adversary_vec_env import VecObservationAdversary
from safer_gym.wrappers.adversary_vector import VectorObservationAdversary
from safer_gym.wrappers.fitted_critics.critics import (
    critics_from_state,
    critics_state,
    fit_critics,
    iterate_mc,
)
from safer_gym.wrappers.policies.stochastic import greedy_policy, softmax_policy
from safer_gym.wrappers.policies.victims import as_victim

QUICK: dict[str, Any] = {"n_steps": 400, "updates": 60, "hidden": (16,), "batch_size": 64}
every_space = pytest.mark.parametrize("name", SPACES)


def cost_of(obs: Tensor, actions: Tensor) -> Tensor:
    """The further right, the costlier: options count by their number."""
    return obs[:, 0] + (actions * torch.arange(actions.shape[1])).sum(-1)


@cache
def model(name: str = "Discrete", kind: Any = PPO) -> Any:
    options = {"n_steps": 128} if kind is PPO else {"buffer_size": 10}
    small = {"seed": 0, "device": "cpu", "policy_kwargs": {"net_arch": [8]}}
    made = kind("MlpPolicy", Drift(SPACES[name]), **options, **small)
    with torch.no_grad():  # far from blind, and drawn often enough
        for part in made.policy.parameters():
            part.mul_(2.0)
    return made


def victim(name: str = "Discrete", kind: Any = PPO) -> Any:
    return as_victim(model(name, kind), q_cost=cost_of, q_reward=cost_of)


class Left(nn.Module):
    """Pushes left wherever it is: safe under every adversary."""

    def forward(self, obs: Tensor) -> Tensor:
        return obs[:, :1] * 0 + torch.tensor([5.0, 0.0, -5.0])


@pytest.mark.parametrize(("name", "kind"), [*((name, PPO) for name in SPACES), ("Discrete", DQN)])
def test_evaluate_attacks_by_every_name(name: str, kind: Any) -> None:
    names = ["natural", "mc", "mr", "mad", "random_search", "uniform", "gaussian", "mixture"]
    found = evaluate(
        victim(name, kind), lambda: Drift(SPACES[name]), names, eps=0.8, n_episodes=4, seed=1
    )
    means = {o.attack: o.mean_cost for o in found}
    assert list(means) == names
    assert means["mc"] >= means["natural"]
    assert max(means.values()) > means["natural"]


def test_mc_leads_a_greedy_policy_to_the_costliest_option_that_it_can_reach() -> None:
    """In one dimension the reach of the ball is known: MC finds the best option in it."""
    scores = lambda obs: torch.stack([-obs[:, 0], 0 * obs[:, 0] + 0.1, obs[:, 0]], 1)  # noqa: E731

    class Net(nn.Module):
        def forward(self, obs: Tensor) -> Tensor:
            return scores(obs)

    costs = torch.tensor([0.0, 1.0, 2.0])
    target = as_victim(
        Net(), q_cost=OptionValues(lambda obs: costs.expand(len(obs), -1)),
        action_space=spaces.Discrete(3),
    )  # fmt: skip
    obs = torch.tensor([[-0.5, 0.0], [-0.15, 0.0], [0.0, 0.0], [0.5, 0.0]])
    for attack in (make_attack("mc"), make_attack("random_search")):
        found = attack(target.deterministic, obs, LpBall(np.inf, 0.3))
        assert found.objective.tolist() == [0.0, 2.0, 2.0, 2.0]


@every_space
def test_the_three_forms_of_the_wrapper_attack_alike(name: str) -> None:
    space = SPACES[name]
    options: dict[str, Any] = {"policy": victim(name), "eps": 0.5, "seed": 3}
    single = ObservationAdversary(Drift(space), "mc", **options)
    vector = VectorObservationAdversary(
        SyncVectorEnv([lambda: Drift(space)] * 2, autoreset_mode=AutoresetMode.SAME_STEP),
        "mc", **options,
    )  # fmt: skip
    venv = VecObservationAdversary(DummyVecEnv([lambda: Drift(space)] * 2), "mc", **options)
    venv.seed(5)
    first = [single.reset(seed=5)[0], vector.reset(seed=[5, 6])[0][0], venv.reset()[0]]
    space.seed(0)
    for _ in range(5):
        np.testing.assert_allclose(first[0], first[1], atol=1e-6)
        np.testing.assert_allclose(first[0], first[2], atol=1e-6)
        action = space.sample()
        both = np.stack([action, action])
        one, info = (lambda out: (out[0], out[4]))(single.step(action))
        assert info["adversary"]["attacked"]
        first = [one, vector.step(both)[0][0], venv.step(both)[0][0]]


@every_space
def test_critics_are_fitted_to_options_and_kept(name: str) -> None:
    space = SPACES[name]
    fitted = fit_critics(model(name), lambda: Drift(space), seed=0, **QUICK)
    assert fitted.diagnostics.cost_rate > 0
    rows = action_rows(space)
    obs, every = torch.zeros(3, 2), all_actions(rows.sizes or ())
    known = torch.stack([fitted.q_cost(obs, a.expand(3, -1)) for a in every]).mean(0)
    even = torch.cat([torch.full((3, n), 1 / n) for n in rows.sizes or ()], 1)
    torch.testing.assert_close(fitted.q_cost(obs, even), known, atol=1e-4, rtol=1e-4)
    again = critics_from_state(critics_state(fitted))
    assert torch.equal(again.q_cost(obs, even), fitted.q_cost(obs, even))


def test_a_fitted_critic_knows_which_option_is_costly() -> None:
    fitted = fit_critics(Left(), Drift, seed=0, n_steps=2000, updates=400, hidden=(32,), gamma=0.5)
    near = torch.tensor([[0.5, 0.5]])
    left, _, right = (float(fitted.q_cost(near, a[None])) for a in torch.eye(3))
    assert right > left + 0.3


def test_mc_is_iterated_on_options() -> None:
    attack = iterate_mc(model(), Drift, eps=0.3, rounds=2, **QUICK)
    found = evaluate(model(), Drift, {"iterated": attack}, eps=0.3, n_episodes=2)
    assert found[0].costs.shape == (2,)


@every_space
def test_the_learned_adversary_steps_with_options(name: str) -> None:
    env = AdversaryEnv(lambda: Drift(SPACES[name]), victim(name), LpBall(np.inf, 0.3))
    env.reset(seed=0)
    obs, gain, *_ = env.step(np.ones(2, np.float32))
    assert env.observation_space.contains(obs)
    assert gain >= 0


def certified(policy: Any, name: str = "Discrete", **options: Any) -> Any:
    given: dict[str, Any] = {
        "eps": [0.01], "limit": 3.0, "battery": {"mad": make_attack("mad")}, "episodes": 50,
        "benign_episodes": 200,
        "max_step_cost": 1.0, "seed": 0, "budget": "60s",
    }  # fmt: skip
    return certify(policy, lambda: Drift(SPACES[name]), **{**given, **options})


@every_space
def test_a_certificate_has_both_ends_and_a_formal_bound_where_options_are_drawn(name: str) -> None:
    found = certified(model(name), name)
    rows = {row.mode: row for row in found.rows}
    drawn = rows["stochastic"].rate
    assert drawn.upper_every.value is not None
    assert drawn.upper_every.refused is None
    assert drawn.lower.value <= drawn.upper_every.value
    assert rows["deterministic"].rate.upper_attacks.value is not None
    assert rows["deterministic"].rate.upper_every.refused
    (said,) = [f.message for f in found.flags if f.name == "options-certain"]
    assert re.search(r"within eps 0.01 no observation changes the option .* at \d+% of", said)


class Judged:
    """A model with critics of its own, as a policy of one's own may be."""

    def __init__(self, name: str) -> None:
        self.name = name

    def victim(self) -> Any:
        return victim(self.name)

    def predict(self, obs: Any, **options: Any) -> Any:
        return model(self.name).predict(obs, **options)


def test_pass_and_fail_by_every_adversary_and_by_the_battery() -> None:
    every = "P(cost > 3) <= 0.2 at eps = 0.01 by the stochastic policy"
    safe = softmax_policy(as_layers(Left()))
    assert certified(safe, requirement=every, eps=None, limit=None).verdict == "PASS"
    risky = softmax_policy(as_layers(Right()))
    assert certified(risky, requirement=every, eps=None, limit=None).verdict == "FAIL"


class Right(Left):
    def forward(self, obs: Tensor) -> Tensor:
        return -super().forward(obs)


def as_layers(net: nn.Module) -> Any:
    bias = net(torch.zeros(1, 2))[0]
    return OptionLayers([Affine(torch.zeros(3, 2), bias)], (3,), False)


def test_a_greedy_policy_passes_by_every_adversary_where_no_option_changes() -> None:
    every = "P(cost > 3) <= 0.2 at eps = 0.01 by the stochastic policy"
    found = certified(greedy_policy(as_layers(Left())), requirement=every, eps=None, limit=None)
    assert found.verdict == "PASS"
    row = next(row for row in found.rows if row.mode == "stochastic")
    assert row.rate.upper_every.evidence == "statistical, over a formal enclosure"
    torn = greedy_policy(OptionLayers([Affine(torch.eye(3)[:, :2], torch.zeros(3))], (3,), False))
    wide = certified(torn, requirement=every, eps=0.5, limit=None)
    assert next(r for r in wide.rows if r.eps == 0.5).rate.upper_every.vacuous


def test_an_episode_is_replayed() -> None:
    found = certified(Judged("Discrete"), battery="quick", modes=["deterministic"])
    for attack, mode in (("mc", "deterministic"), ("mad", "deterministic")):
        one = recorded(found, attack, 0.01, 1, mode)
        assert replay(found, Judged("Discrete"), Drift, one).cost == one.cost


def test_a_policy_is_checked_by_its_contract() -> None:
    facts = check_policy(Judged("MultiBinary"), lambda: Drift(SPACES["MultiBinary"]))
    assert facts.gradients == "honest"
    assert facts.outside == 0.0
    assert facts.looks


def test_actions_that_have_no_distance_are_not_moved() -> None:
    with pytest.raises(TypeError, match=r"options of Discrete.3. have no distance"):
        evaluate(model(), Drift, ["uniform"], eps=0.1, channel="action")
    with pytest.raises(TypeError, match=r"options of Discrete.3. have no distance"):
        certified(model(), channel="action")
    with pytest.raises(TypeError, match=r"action_noise needs Box actions.*Discrete\(3\)"):
        certified(model(), action_noise=0.1)


@pytest.mark.parametrize("trust", [False, True])
def test_a_file_that_needs_masks_is_refused_trusted_or_not(tmp_path: Path, trust: bool) -> None:
    made = MaskablePPO("MlpPolicy", Drift(), n_steps=128, device="cpu")
    made.save(tmp_path / "masked.zip")
    with pytest.raises(ValueError, match=r"MaskablePPO.*masks.*my_module:act"):
        load_policy(tmp_path / "masked.zip", trust=trust)


@pytest.mark.parametrize("kind", [PPO, DQN])
def test_a_saved_model_of_discrete_actions_is_read_as_data(tmp_path: Path, kind: Any) -> None:
    model("Discrete", kind).save(tmp_path / "model.zip")
    loaded = load_policy(tmp_path / "model.zip")
    assert not loaded.ran_code
    (found,) = evaluate(loaded.policy, Drift, ["mad"], eps=0.5, n_episodes=3)
    (known,) = evaluate(model("Discrete", kind), Drift, ["mad"], eps=0.5, n_episodes=3)
    assert np.array_equal(found.costs, known.costs)


@pytest.mark.parametrize("name", ["Discrete", "MultiBinary"])
def test_an_onnx_graph_gives_logits_or_actions(tmp_path: Path, name: str) -> None:
    pytest.importorskip("onnxruntime")
    space = SPACES[name]
    outputs = 3 if name == "Discrete" else 2
    weight = (np.arange(2 * outputs).reshape(2, outputs) % 5 - 1.6).astype(np.float32)
    graph = onnx_bytes.model(
        [onnx_bytes.node("MatMul", ["obs", "w"], "action")],
        [onnx_bytes.tensor("w", weight)],
        [onnx_bytes.value("obs", ["batch", 2])],
        [onnx_bytes.value("action", ["batch", outputs])],
    )
    (tmp_path / "logits.onnx").write_bytes(graph)
    loaded = load_policy(tmp_path / "logits.onnx").policy
    obs = np.linspace(-1, 1, 10).reshape(5, 2).astype(np.float32)
    rows = action_rows(space)
    told = as_victim(loaded, action_space=space).action(torch.as_tensor(obs))
    assert torch.equal(told.double(), rows.pack(obs @ weight))


def test_the_plugin_certifies_discrete_actions(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import torch
        from discrete_envs import Drift
        from safer_gym.bounds import Affine, OptionLayers
        from safer_gym.wrappers.policies.stochastic import softmax_policy

        LEFT = OptionLayers(
            [Affine(torch.zeros(3, 2), torch.tensor([5.0, 0.0, -5.0]))], (3,), False
        )

        def test_safe(certify_policy):
            found = certify_policy(
                softmax_policy(LEFT), Drift,
                "P(cost > 3) <= 0.2 at eps = 0.01 by the stochastic policy",
                battery="quick", episodes=25, benign_episodes=200, max_step_cost=1.0, budget="20s",
            )
            assert found.verdict == "PASS"
        """
    )
    pytester.runpytest_inprocess(*arguments()).assert_outcomes(passed=1)
