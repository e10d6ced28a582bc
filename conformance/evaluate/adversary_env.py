"""The adversary's own decision problem: see the truth, choose what is moved, earn by its goal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray

from safer_gym.balls import LpBall
from safer_gym.conformance.evaluate.goals import Gain, cost_of
from safer_gym.conformance.evaluate.seat import OBSERVATION, Seat
from safer_gym.types import ActionFn, Victim
from safer_gym.wrappers.action_rows import action_rows
from safer_gym.wrappers.gate.environment import EnvironmentGate
from safer_gym.wrappers.gate.finite import check_finite


class AdversaryEnv(gym.Env):
    """Its observation is what an attack is given, its action a place in the ball, its reward what
    its goal makes of the step.

    Args:
        make_env: makes the victim's environment, with `info["cost"]`.
        victim: who is attacked; it acts by its `action`.
        ball: what the adversary may do to the rows of its seat.
        gain: the adversary's reward.
        seat: where the adversary sits.
        draw: how a policy with noise acts.

    An action a in [-1, 1] moves by the projection of eps a on the ball. `info` is the victim's,
    with `info["cost"]`.
    """

    def __init__(
        self,
        make_env: Callable[[], gym.Env],
        victim: Victim,
        ball: LpBall,
        gain: Gain = cost_of,
        seat: Seat = OBSERVATION,
        draw: ActionFn | None = None,
    ) -> None:
        self.env = make_env()
        space = self.env.observation_space
        if not isinstance(space, gym.spaces.Box):
            raise TypeError(f"an adversary needs packed observations, the environment has {space}")
        self._gate = EnvironmentGate(space, bounded=False)
        self._rows = action_rows(self.env.action_space)
        self.victim, self.ball, self.gain = victim, ball, gain
        self.seat, self.draw = seat, draw
        is_shown, rows = seat.channel == "observation", seat.rows
        given = victim.memory.shape(space.shape) if is_shown else (sum(rows.sizes),)
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, given, np.float32)
        moves = space.shape if is_shown else (rows.n_moved,)
        self.action_space = gym.spaces.Box(-1.0, 1.0, moves)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode of the victim's environment."""
        super().reset(seed=seed)
        obs, info = self._gate.reset(self.env.reset(seed=seed, options=options), seed)
        self._memory = self.victim.memory.begin(1)
        return self._begin(obs), info

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Attack the victim, and let it act."""
        answer = self._gate.step(self.env.step(self._attacked(action)))
        obs, reward, terminated, truncated, info = answer
        gain = self.gain(reward, self._gate.cost(info), info)
        return self._begin(obs), gain, terminated, truncated, info

    def close(self) -> None:
        """Close the victim's environment."""
        self.env.close()

    def _begin(self, obs: Any) -> NDArray[np.float32]:
        with torch.no_grad():
            given = torch.as_tensor(np.asarray(obs, np.float32)).unsqueeze(0)
            row = self.victim.memory.rows(given, self._memory)
            self._turn = self.seat.begin(self.victim, row, self.draw)
        return self._turn.centre[0].numpy().astype(np.float32)

    def _attacked(self, action: NDArray[np.float32]) -> Any:
        """The victim's action under attack; the world is disturbed on the way."""
        centre = self._turn.centre
        points = moved(self.ball, centre, torch.as_tensor(action).unsqueeze(0))
        with torch.no_grad():
            answer = self.seat.end(self._turn, points, self.draw or self.victim.action)
            self._memory = self.victim.memory.after(answer.seen)
        if answer.disturbance is not None:
            inner: Any = self.env.unwrapped
            inner.disturb(answer.disturbance[0].numpy())
        chosen = answer.action[0].cpu().numpy()
        check_finite(chosen, f" at the observation {answer.seen[0].numpy()!r}")
        return self._rows.legal(chosen)


def moved(ball: LpBall, rows: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
    """What an adversary's action in [-1, 1] makes of rows [B, *X]; it moves their last entries."""
    steps = action.flatten(1).clamp(-1.0, 1.0).to(rows)
    fixed = rows.flatten(1).shape[1] - steps.shape[1]
    steps = torch.nn.functional.pad(steps, (fixed, 0)).view_as(rows)
    return ball.settle(rows, ball.project(rows, rows + ball.eps.to(rows) * steps))
