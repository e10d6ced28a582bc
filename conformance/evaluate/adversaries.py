"""Adversaries as best responses to one policy, learned with PPO of Stable-Baselines3."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize
from torch import Tensor, nn

from safer_gym.attacks.noise import without_objective
from safer_gym.balls import LpBall
from safer_gym.choices import choose
from safer_gym.conformance.evaluate.adversary_env import AdversaryEnv, moved
from safer_gym.conformance.evaluate.goals import GOALS, Gain
from safer_gym.conformance.evaluate.seat import OBSERVATION, Seat
from safer_gym.types import ActionFn, AttackResult, Victim
from safer_gym.wrappers.adapters.global_seeds import global_seeds

HIDDEN = (64, 64)


class PpoOptions(NamedTuple):
    """How the adversary learns."""

    timesteps: int = 30_000
    n_envs: int = 8
    n_steps: int = 256
    gamma: float = 0.97
    learning_rate: float = 3e-4
    temptation: float = 0.1
    """Weight of the victim's reward for goals that are tempted, in units of its mean size in
    benign steps."""


@dataclass(frozen=True, eq=False)
class LearnedAttack:
    """Shows what a network says; the network sees the standardised truth.

    It has no objective: both objectives of its results are zero.
    """

    net: nn.Module
    mean: Tensor
    scale: Tensor
    goal: str = "cost_adversary"
    """What it learned for, a name of GOALS."""

    @property
    def cost_directed(self) -> bool:
        """Whether its goal seeks cost."""
        return GOALS[self.goal].traits.cost_directed

    @property
    def title(self) -> str:
        """How reports call it."""
        return GOALS[self.goal].traits.title

    @property
    def words(self) -> str:
        """What it does."""
        return GOALS[self.goal].traits.words

    @torch.no_grad()
    def __call__(
        self,
        victim: Victim,
        obs: Tensor,
        ball: LpBall,
        generator: torch.Generator | None = None,
    ) -> AttackResult:
        seen = ((obs.float() - self.mean) / self.scale).clamp(-10.0, 10.0).flatten(1)
        return without_objective(obs if ball.is_point else moved(ball, obs, self.net(seen)))


def train_adversary(
    victim: Victim,
    make_env: Callable[[], gym.Env],
    ball: LpBall,
    *,
    seed: int,
    options: PpoOptions | None = None,
    seat: Seat = OBSERVATION,
    draw: ActionFn | None = None,
    goal: str = "cost_adversary",
) -> LearnedAttack:
    """Train an adversary in the ball; smaller balls may use it too, for it acts in their units.

    Args:
        victim: who is attacked.
        make_env: makes the victim's environment.
        ball: of the rows of the seat.
        seed: of the learning.
        options: how it learns.
        seat: where the adversary sits.
        draw: how a policy with noise acts.
        goal: what it is after, a name of `goals.GOALS`.

    Raises:
        ValueError: an unknown goal, or one that needs an h that the environment does not report.
    """
    options = options or PpoOptions()
    gain, wanted = GOALS[choose("goal", goal, GOALS)].gain, GOALS[goal]

    def world(ball: LpBall, gain: Gain) -> AdversaryEnv:
        return AdversaryEnv(make_env, victim, ball, gain, seat, draw)

    if wanted.tempted:
        size = _reward_size(world(LpBall.of("linf", 0.0), lambda reward, cost, info: reward), seed)
        gain = _tempted(gain, options.temptation / size if size > 0.0 else 0.0)
    with torch.random.fork_rng(), global_seeds(seed):
        venv: Any = DummyVecEnv([lambda: world(ball, gain)] * options.n_envs)
        venv.seed(seed)
        venv = VecNormalize(venv, gamma=options.gamma)
        model = PPO(
            "MlpPolicy",
            venv,
            n_steps=options.n_steps,
            batch_size=min(256, options.n_steps * options.n_envs),
            gamma=options.gamma,
            learning_rate=options.learning_rate,
            seed=seed,
            device="cpu",
            policy_kwargs={"net_arch": list(HIDDEN)},
        )
        try:
            model.learn(options.timesteps)
        finally:
            venv.close()
    shape = venv.observation_space.shape
    return LearnedAttack(
        nn.Sequential(*model.policy.mlp_extractor.policy_net, model.policy.action_net),
        torch.as_tensor(venv.obs_rms.mean.reshape(shape), dtype=torch.float32),
        torch.as_tensor(np.sqrt(venv.obs_rms.var + venv.epsilon).reshape(shape)).float(),
        goal,
    )


def _tempted(gain: Gain, weight: float) -> Gain:
    return lambda reward, cost, info: gain(reward, cost, info) + weight * reward


def attack_from(state: Mapping[str, Any]) -> LearnedAttack:
    """An attack from its stored tensors."""
    parameters = state["net"]
    widths = [parameters["0.weight"].shape[1], *HIDDEN]
    layers: list[nn.Module] = []
    for fan_in, fan_out in zip(widths, HIDDEN, strict=False):
        layers += [nn.Linear(fan_in, fan_out), nn.Tanh()]
    net = nn.Sequential(*layers, nn.Linear(HIDDEN[-1], parameters[f"{len(layers)}.bias"].shape[0]))
    net.load_state_dict(parameters)
    return LearnedAttack(net, state["mean"], state["scale"], state.get("goal", "cost_adversary"))


def _reward_size(env: AdversaryEnv, seed: int) -> float:
    """Mean |reward| of a step in one benign episode of at most 500 steps."""
    try:
        env.reset(seed=seed)
        sizes: list[float] = []
        done = False
        while not done and len(sizes) < 500:
            _, reward, terminated, truncated, _ = env.step(np.zeros(env.action_space.shape))  # type: ignore[arg-type]
            sizes.append(abs(reward))
            done = terminated or truncated
    finally:
        env.close()
    return float(np.mean(sizes))
