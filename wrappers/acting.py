"""Adversaries behind the policy: they move its actions, or disturb the world."""

from __future__ import annotations

from typing import Any

from safer_gym.wrappers.action_rows import moved_actions
from safer_gym.wrappers.adversary import Adversary
from safer_gym.wrappers.disturbances import disturbance_space
from safer_gym.wrappers.engine import INFO_KEY, Situation
from safer_gym.wrappers.obs_layout import batch_of, pick
from safer_gym.wrappers.streams import peek


class ActingAdversary(Adversary):
    """What `ActionAdversary` and `DisturbanceAdversary` share; see there."""

    _last: tuple[Any, dict[str, Any]] = (None, {})

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset the environment; nothing is attacked yet."""
        self._last = self.env.reset(seed=seed, options=options)
        self.engine.start(0, seed, lambda: peek(self.env.unwrapped.np_random))
        return self._last

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Attack, then step the environment."""
        (obs, info), actions = self._last, batch_of(action)
        clean = self.engine.untouched(actions)
        situation = Situation(batch_of(obs), actions)
        moved, (record,) = self.engine.perturb([0], clean, [info], situation)
        if moved is not clean:
            action = self._act(action, pick(moved, 0))
        obs, reward, terminated, truncated, info = self.env.step(action)
        self.engine.count_step()
        self._last = obs, info
        return obs, reward, terminated, truncated, {**info, INFO_KEY: record}

    def _act(self, action: Any, moved: Any) -> Any:
        """What the attack does before the next step, and the action of that step."""
        raise NotImplementedError


class ActionAdversary(ActingAdversary):
    """Moves the policy's actions inside a ball, cut by the action space.

        env = ActionAdversary(env, "mc", policy=model, eps=0.1)

    The attack sees the observation and the action that the policy took, its noise included, and
    ascends Q(s, a') over the actions a' in the ball around it. With eps=0, or attack "null", the
    environment is stepped bit for bit as without it.

    `info["adversary"]` belongs to the step that returned it: "channel", "clean_action" (the
    policy's), "action" (what was done), and otherwise as of `ObservationAdversary`. Of two
    adversaries the outer one's record stays. It sees what the environment shows to it: put an
    ObservationAdversary outside.

    Arguments and errors are those of `ObservationAdversary`; `policy` brings the critics. Its
    actions must be a Box; eps counts in their units, or in widths of their space.
    """

    channel = "action"

    def _space(self) -> Any:
        return moved_actions(self.env.action_space)

    def _act(self, action: Any, moved: Any) -> Any:
        return moved


class DisturbanceAdversary(ActingAdversary):
    """Disturbs the world before each step, inside a ball around zero, cut by the space.

        env = ActionDisturbance(env, bound=0.5)
        env = DisturbanceAdversary(env, "mc", policy=victim, eps=0.5)

    The environment must be one that can be disturbed: `unwrapped.disturbance_space` is a Box and
    `unwrapped.disturb(d)` counts for the next step. The attack ascends the victim's critics of
    (observation, action, disturbance): `q_cost_disturbed` and `q_reward_disturbed`.

    `info["adversary"]` has "disturbance"; otherwise all is as of `ActionAdversary`.
    """

    channel = "disturbance"

    def _space(self) -> Any:
        return disturbance_space(self.env)

    def _act(self, action: Any, moved: Any) -> Any:
        inner: Any = self.env.unwrapped
        inner.disturb(moved)
        return action
