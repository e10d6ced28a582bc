"""An adversary between any Gymnasium environment and its policy: it tampers with observations."""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs
from typing_extensions import Unpack

from safer_gym.networks import MlpAction, MlpCritic
from safer_gym.types import Attack, Channel, Victim
from safer_gym.wrappers.engine import INFO_KEY, AdversaryEngine
from safer_gym.wrappers.gate.policy import admit
from safer_gym.wrappers.obs_layout import batch_of, pick
from safer_gym.wrappers.options import AdversaryOptions, complete
from safer_gym.wrappers.streams import peek


class Adversary(gym.Wrapper, RecordConstructorArgs):
    """What the adversaries of one environment share; see `ObservationAdversary`."""

    channel: ClassVar[Channel] = "observation"

    def __init__(
        self,
        env: gym.Env,
        attack: str | Attack,
        *,
        policy: Any = None,
        **options: Unpack[AdversaryOptions],
    ) -> None:
        spaces = env.observation_space, env.action_space
        victim, chosen = victim_of(policy, *spaces), complete(options)
        # The victim's plain functions, not the model: specs are deep-copied.
        RecordConstructorArgs.__init__(
            self, _disable_deepcopy=True, policy=victim, attack=attack, **chosen
        )
        gym.Wrapper.__init__(self, env)
        space = self._space()
        self.engine = AdversaryEngine(space, attack, victim, 1, chosen, self.channel, spaces)

    def set_progress(self, progress: float) -> None:
        """Where the eps schedule stands, in [0, 1]."""
        self.engine.set_progress(progress)

    def set_policy(self, policy: Any) -> None:
        """Attack this policy from now on, e.g. a model that was made with this very env."""
        self.engine.set_victim(victim_of(policy, self.env.observation_space, self.env.action_space))

    def _space(self) -> Any:
        """The space of what is moved."""
        return self.env.observation_space


class ObservationAdversary(Adversary):
    """Shows the policy perturbed observations; the environment itself is never touched.

        env = ObservationAdversary(env, "mc", policy=model, eps=0.05)

    Every observation is attacked, that of `reset` and the last one of an episode too. With eps=0,
    or attack "null", all observations are bit for bit those of `env`.

    `info["adversary"]` holds, for the observation returned with it: "clean_obs" (a copy),
    "attack" (name), "attacked", "eps" (radius in force, in its units; the largest entry if there
    are several), "norm" (lp norm of the perturbation in the units of eps), "gauge" (the share of
    the allowed ball that was used, at most 1) and "gain" (rise of the attack's objective; for
    integer observations before rounding). SB3's DummyVecEnv copies all of it at every step.

    Order: env -> TimeLimit -> CostTracker -> ObservationAdversary -> Monitor -> VecEnv ->
    VecNormalize, so that cost comes from the true state. An SB3 model that was trained behind a
    VecNormalize is attacked through a frozen look at its statistics.

    Same seed, same perturbations: `reset(seed=...)` starts the adversary's random stream anew.
    Without any seed it begins from a look at the environment's generator, which is not advanced.

    Args:
        env: environment with Box or Dict observations; its actions are a Box or discrete.
        attack: a name of `safer_gym.attacks.ATTACKS`, or an `Attack`.
        policy: the victim, whatever `as_victim` takes. Not needed by null, uniform and gaussian.
        eps: radius >= 0: a number, an array with one radius for each entry, or for Dict
            observations a dict of either by key.
        norm: "linf", "l2" or "l1".
        schedule: name ("linear", ...) or function from progress in [0, 1] to a share of eps in
            [0, 1]. Progress is 0 until `set_progress`, or counts steps if `total_steps` is given.
        every: attack every n-th observation of an episode, the first included.
        mask: mask(step, obs, info) -> bool, asked with the clean observation; attack where True.
        keys: keys of a Dict observation to attack; default: all that are a Box.
        units: "raw": eps counts in units of the observation (pixel steps for uint8 images).
            "normalised": in units of `scale`.
        scale: for "normalised": None for the width high - low of the space; a VecNormalize for
            standard deviations (a frozen copy of its statistics); an array or dict of arrays.
        total_steps: steps, of all environments together, in which progress goes from 0 to 1.
        seed: part of the adversary's random stream, beside the seed of `reset`.

    Raises:
        ValueError, TypeError: at once, for arguments out of range and for unknown names (with the
            nearest one); at the first attack, when it lacks what it needs of the policy, and for
            observations that are not finite.
        AdversaryError: if an attack ever leaves its ball.
    """

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset the environment; the first observation is attacked too."""
        obs, info = self.env.reset(seed=seed, options=options)
        self.engine.start(0, seed, lambda: peek(self.env.unwrapped.np_random))
        return self._perturb(obs, info)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step the environment and attack what it shows."""
        self.engine.check_actions([action])
        obs, reward, terminated, truncated, info = self.env.step(action)
        self.engine.count_step()
        seen, info = self._perturb(obs, info)
        return seen, reward, terminated, truncated, info

    def _perturb(self, obs: Any, info: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        batch = batch_of(obs)
        seen, (record,) = self.engine.perturb([0], batch, [info])
        info = {**info, INFO_KEY: record}
        if seen is batch:
            return obs, info
        seen = pick(seen, 0)
        if isinstance(obs, dict):
            seen = {**obs, **{key: seen[key] for key in self.engine.layout.keys}}
        return seen, info


def victim_of(
    policy: Any, observation_space: gym.Space, action_space: gym.Space, *, raw: bool = True
) -> Victim | None:
    """The policy as a victim with plain functions; None for no policy.

    Args:
        raw: whether the attack sees observations before the model's own VecNormalize.

    Raises:
        ValueError: for a policy that cannot be measured.
        TypeError: actions that are neither a Box nor discrete.
    """
    if policy is None:
        return None
    chosen = None if raw else False
    view = admit(policy, observation_space, action_space, vec_normalize=chosen, live=True)
    return view.victim().mapped(_plain)


def _plain(function: Any) -> Any:
    """A function that deepcopy leaves alone, whatever object is behind it."""
    if function is None or isinstance(function, (MlpAction, MlpCritic)):
        return function
    return lambda *args: function(*args)
