"""An adversary that learned its own decision problem, with PPO of Stable-Baselines3."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize
from torch import Tensor, nn

from safer_gym.balls import LpBall
from safer_gym.conformance.battery.adversary_env import AdversaryEnv, moved
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
    temptation: float = 0.1
    """Weight of the victim's reward, in units of its mean size in benign steps."""


@dataclass(frozen=True, eq=False)
class LearnedAttack:
    """Shows what a network says; the network sees the standardised truth.

    It has no objective: both objectives of its results are zero.
    """

    cost_directed: ClassVar = True

    net: nn.Module
    mean: Tensor
    scale: Tensor

    @torch.no_grad()
    def __call__(
        self,
        victim: Victim,
        obs: Tensor,
        ball: LpBall,
        generator: torch.Generator | None = None,
    ) -> AttackResult:
        seen = ((obs.float() - self.mean) / self.scale).clamp(-10.0, 10.0).flatten(1)
        shown = moved(ball, obs, self.net(seen)) if not ball.is_point else obs
        nothing = obs.new_zeros(len(obs))
        return AttackResult(shown, nothing, nothing)


def train_adversary(
    victim: Victim,
    make_env: Callable[[], gym.Env],
    ball: LpBall,
    *,
    seed: int,
    options: PpoOptions | None = None,
    seat: Seat = OBSERVATION,
    draw: ActionFn | None = None,
) -> LearnedAttack:
    """Train an adversary in the ball; smaller balls may use it too, for it acts in their units."""
    options = options or PpoOptions()

    def meets(ball: LpBall, temptation: float) -> AdversaryEnv:
        return AdversaryEnv(make_env, victim, ball, temptation, seat, draw)

    size = _reward_size(meets(LpBall.of("linf", 0.0), 1.0), seed)
    temptation = options.temptation / size if size > 0.0 else 0.0
    with torch.random.fork_rng(), global_seeds(seed):
        venv: Any = DummyVecEnv([lambda: meets(ball, temptation)] * options.n_envs)
        venv.seed(seed)
        venv = VecNormalize(venv, gamma=options.gamma)
        model = PPO(
            "MlpPolicy",
            venv,
            n_steps=options.n_steps,
            batch_size=min(256, options.n_steps * options.n_envs),
            gamma=options.gamma,
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
    )


def attack_from(state: Mapping[str, Any]) -> LearnedAttack:
    """An attack from its stored tensors."""
    parameters = state["net"]
    widths = [parameters["0.weight"].shape[1], *HIDDEN]
    layers: list[nn.Module] = []
    for fan_in, fan_out in zip(widths, HIDDEN, strict=False):
        layers += [nn.Linear(fan_in, fan_out), nn.Tanh()]
    net = nn.Sequential(*layers, nn.Linear(HIDDEN[-1], parameters[f"{len(layers)}.bias"].shape[0]))
    net.load_state_dict(parameters)
    return LearnedAttack(net, state["mean"], state["scale"])


def _reward_size(env: AdversaryEnv, seed: int) -> float:
    """Mean |reward| of a step in one benign episode of at most 500 steps."""
    try:
        env.reset(seed=seed)
        sizes: list[float] = []
        done = False
        while not done and len(sizes) < 500:
            _, gain, terminated, truncated, info = env.step(np.zeros(env.action_space.shape))  # type: ignore[arg-type]
            sizes.append(abs(gain - float(info["cost"])))
            done = terminated or truncated
    finally:
        env.close()
    return float(np.mean(sizes))
