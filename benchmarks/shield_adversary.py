"""An adversary that was learned against a shield, beside searches: `benchmarks.shield learned`.

    python -m benchmarks.shield learned ball-circle shielded      # 20,000 steps, seed 0
    python -m benchmarks.shield learned ball-circle plain 20000 1  # the control, another seed
    python -m benchmarks.shield searches ball-circle

SAC of Stable-Baselines3, which knows nothing of this library, moves the observation within eps. It
sees the true observation and all that the shield knows: the ends of the box of possible states, the
distance to each facet of h, and the room in the safe set. Its reward is the cost, and how near h is
to its end. The same learns against the policy alone, which is the control. A training that was
stopped goes on where it was (`runs/shield`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3 import SAC
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

from safer_gym.attacks.noise import without_objective
from safer_gym.balls import LpBall
from safer_gym.types import AttackResult, Channel, Victim
from safer_gym.wrappers import Shield
from safer_gym.wrappers.shield.attacks import Greedy
from safer_gym.wrappers.tasks import Task

ENVS = 8
EVERY = 2_000
"""Steps between two copies of a training."""
COST = 10.0
"""What a unit of cost earns; h at its largest earns nothing, and h = 0 earns one."""
FAR = 5.0
"""Where the adversary's own observation is cut."""
RUNS = Path("runs") / "shield"

Attacks = Iterator[tuple[str, Any]]


def sight(shield: Shield, prior: Tensor, obs: Tensor) -> Tensor:
    """What the adversary sees [B, F] of memories [B, size] and true observations [B, O]."""
    seen = [obs.double()]
    sizes = [2 * len(part.names) for part in shield.parts]
    for part, known in zip(shield.parts, prior.double().split(sizes, 1), strict=True):
        z = part.coordinates(obs)
        ends = [(end - z) / part.reach for end in known.chunk(2, 1)]
        facets = 1 - z @ part.rows[: part.facets].mT / part.limits[: part.facets]
        room = ((part.limits - z @ part.rows.mT) / part.rows.abs().amax(1)).amin(1, keepdim=True)
        seen += [*ends, facets, room]
    return torch.cat(seen, 1).clamp(-FAR, FAR).float()


def nearness(shield: Shield, obs: Tensor) -> Tensor:
    """1 - h, in units of the largest h, at true observations [B, O]."""
    most = min(float(part.limits[: part.facets].min()) for part in shield.parts)
    return 1 - shield.h(obs) / most


@dataclass(frozen=True, eq=False)
class Learned:
    """Shows what the actor of an SAC says.

    Args:
        shield: that it sees; where the policy has none, it sees no box.
        model: SAC.
    """

    channel: ClassVar[Channel] = "observation"
    cost_directed: ClassVar[bool] = True
    title: ClassVar = "learned"
    words: ClassVar = "SAC of Stable-Baselines3, which sees the truth and the shield's state."

    shield: Shield
    model: SAC

    @torch.no_grad()
    def __call__(
        self,
        victim: Victim,
        obs: Tensor,
        ball: LpBall,
        generator: torch.Generator | None = None,
    ) -> AttackResult:
        truth = victim.memory.observed(obs).flatten(1)
        prior = self.shield.begin(len(obs))
        if victim.memory.size:
            begins = obs[:, :1] > 0.5
            prior = torch.where(begins, prior, obs[:, 1 : victim.memory.size].double())
        lie = self.model.actor(sight(self.shield, prior, truth), deterministic=True)
        lie = torch.nn.functional.pad(lie, (victim.memory.size, 0)).view_as(obs)
        return without_objective(ball.project(obs, obs + ball.radius(obs) * lie.to(obs)))


class Lies(VecEnv):
    """Episodes side by side in which the action is the lie.

    Args:
        shield: whose state is seen, and whose h is to end.
        step: shown observations [B, O] and memories [B, size] to actions and next memories.
        make_env: makes the policy's environment.
        eps: of the lies, linf.
    """

    def __init__(
        self,
        shield: Shield,
        step: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
        make_env: Callable[[], gym.Env],
        eps: float,
        *,
        n: int = ENVS,
        seed: int = 0,
    ) -> None:
        self.shield, self._step, self.eps, self._next = shield, step, eps, seed
        self.envs = [make_env() for _ in range(n)]
        self.space: Any = self.envs[0].action_space
        size = int(np.prod(self.envs[0].observation_space.shape or ()))
        width = sight(shield, shield.begin(1), torch.zeros(1, size)).shape[1]
        super().__init__(n, gym.spaces.Box(-FAR, FAR, (width,)), gym.spaces.Box(-1.0, 1.0, (size,)))
        self.obs, self.prior = torch.zeros(n, size), shield.begin(n)

    def reset(self) -> np.ndarray:
        for index in range(self.num_envs):
            self._begin(index)
        return self._sight()

    def step_async(self, actions: np.ndarray) -> None:
        self._lies = torch.as_tensor(actions)

    def step_wait(self) -> Any:
        action, self.prior = self._step(self.obs + self.eps * self._lies, self.prior)
        sent = action.numpy().astype(self.space.dtype)
        answers = [env.step(a) for env, a in zip(self.envs, sent, strict=True)]
        self.obs = torch.as_tensor(np.stack([a[0] for a in answers]), dtype=torch.float32)
        cost = np.array([answer[4]["cost"] for answer in answers])
        reward = COST * cost + nearness(self.shield, self.obs).numpy()
        done = np.array([answer[2] or answer[3] for answer in answers])
        infos: list[dict[str, Any]] = [{} for _ in answers]
        last = self._sight()
        for index in done.nonzero()[0]:
            cut = not answers[index][2]
            infos[index] = {"terminal_observation": last[index], "TimeLimit.truncated": cut}
            self._begin(int(index))
        return self._sight(), reward.astype(np.float32), done, infos

    def close(self) -> None:
        for env in self.envs:
            env.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [getattr(self, attr_name, None)] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        raise NotImplementedError

    def env_method(self, *args: Any, **options: Any) -> list[Any]:
        raise NotImplementedError

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        return [False] * self.num_envs

    def _begin(self, index: int) -> None:
        obs, _ = self.envs[index].reset(seed=self._next)
        self._next += 1
        self.obs[index] = torch.as_tensor(obs)
        self.prior[index] = self.shield.begin(1)[0]

    def _sight(self) -> np.ndarray:
        return sight(self.shield, self.prior, self.obs).numpy()


def learn(name: str, world: Lies, *, steps: int, seed: int) -> SAC:
    """SAC after so many steps; it goes on from its last copy."""
    RUNS.mkdir(parents=True, exist_ok=True)
    kept, buffer = RUNS / f"{name}-{seed}.zip", RUNS / f"{name}-{seed}.pkl"
    if kept.is_file():
        model = SAC.load(kept, env=world, device="cpu")
        model.load_replay_buffer(buffer)
    else:
        told: dict[str, Any] = {"gamma": 0.95, "gradient_steps": 3, "learning_starts": 1_000}
        told["buffer_size"] = max(steps, 50_000)
        net = {"policy_kwargs": {"net_arch": [64, 64]}, "device": "cpu"}
        model = SAC("MlpPolicy", world, train_freq=1, seed=seed, **told, **net)
    while model.num_timesteps < steps:
        more = min(EVERY, steps - model.num_timesteps)
        model.learn(more, reset_num_timesteps=model.num_timesteps == 0)
        model.save(kept)
        model.save_replay_buffer(buffer)
        print(name, seed, model.num_timesteps, flush=True)
    return model


def world_of(kind: str, shield: Shield, inner: Victim, task: Task, seed: int) -> Lies:
    """Episodes of a policy behind its shield ("shielded") or alone ("plain")."""

    def behind(shown: Tensor, prior: Tensor) -> tuple[Tensor, Tensor]:
        step = shield.step(shown, inner.action(shown), prior)
        return step.action, step.prior

    def alone(shown: Tensor, prior: Tensor) -> tuple[Tensor, Tensor]:
        return inner.action(shown), prior

    step = torch.no_grad()({"shielded": behind, "plain": alone}[kind])
    return Lies(shield, step, task.make, task.eps, seed=1_000_000 * (seed + 1))


def more_searches(shield: Shield) -> Attacks:
    """Greedy search over more corners and further ahead; another seed is a restart."""
    yield "greedy, 60 corners", Greedy(shield, corners=60)
    yield "greedy, 60 corners, 8 steps ahead", Greedy(shield, corners=60, ahead=8)
