"""Attacks that learn something of the policy before they meet it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from safer_gym.attacks import Traits
from safer_gym.attacks.traits import GRADIENT
from safer_gym.choices import choose
from safer_gym.conformance.evaluate.adversaries import PpoOptions, train_adversary
from safer_gym.conformance.evaluate.digests import environment_digest, policy_digest
from safer_gym.conformance.evaluate.given_adversary import adversary_from
from safer_gym.conformance.evaluate.goals import GOALS
from safer_gym.conformance.evaluate.seat import ball_in, seat_in
from safer_gym.conformance.evaluate.store import store_for
from safer_gym.types import Attack, Channel, Victim
from safer_gym.wrappers.fitted_critics.critics import iterate_mc
from safer_gym.wrappers.policies.view import view_of


class OwnAdversary(NamedTuple):
    """An adversary that a policy was trained against and brings along."""

    name: str
    """As the policy's method `disturbance` knows it."""
    traits: Traits


OWN = {
    "own_safety_adversary": OwnAdversary(
        "safety", Traits(cost_directed=True, channel="disturbance")
    ),
    "own_performance_adversary": OwnAdversary("task", Traits(channel="disturbance")),
}
LEARNED = {
    "iterated_mc": Traits(needs=(GRADIENT,), cost_directed=True, channel="observation"),
    **{name: goal.traits for name, goal in GOALS.items()},
    **{name: own.traits for name, own in OWN.items()},
}
"""Traits by name, beside the names that `make_attack` knows."""

APART = 1_000_000
"""Distance between the seeds of the episodes learned from and of those measured."""

MakeEnv = Callable[[], gym.Env]


def learn_attack(
    name: str,
    policy: Any,
    make_env: MakeEnv,
    *,
    eps: ArrayLike,
    norm: str,
    seed: int,
    channel: Channel = "observation",
    cache: Path | str | None = None,
    **options: Any,
) -> Attack:
    """Learn an attack on `policy` in the environments of `make_env`.

    "iterated_mc" fits critics to rollouts of the policy, then to rollouts under the MC attack that
    those lead. It needs no critic of the policy's own, and foresees its own next steps. Those of
    `goals.GOALS` are best responses to the policy, learned by PPO on any channel. Those of OWN are
    not learned: the policy has a method `disturbance(observations, adversary)`, as those of DRAC.

    Args:
        cache: folder where an adversary is kept under a digest of policy, environment (what it does
            in a few episodes, too) and settings.
        options: for `iterate_mc` and, through it, `fit_critics`; or fields of `PpoOptions`.

    Raises:
        ValueError: an unknown name, or actions or observations that critics cannot be learned of.
    """
    learn = _LEARNERS[choose("learned attack", name, LEARNED)]
    ball = {"eps": eps, "norm": norm}
    return learn(policy, make_env, **ball, seed=seed + APART, place=(channel, cache), **options)


def _iterated_mc(
    policy: Any, make_env: MakeEnv, *, place: Any, timesteps: int | None = None, **options: Any
) -> Attack:
    steps: dict[str, Any] = {} if timesteps is None else {"n_steps": timesteps}
    return iterate_mc(policy, make_env, **steps, **options)


def _best_response(
    goal: str,
    policy: Any,
    make_env: MakeEnv,
    *,
    eps: ArrayLike,
    norm: str,
    seed: int,
    place: tuple[Channel, Path | str | None],
    **options: Any,
) -> Attack:
    view, (channel, cache) = view_of(policy), place
    victim, ppo = view.victim(), PpoOptions(**options)
    if view.draw is None:
        victim = victim.deterministic
    with closing(make_env()) as env:
        space: Any = env.observation_space
        environment = environment_digest(env)
        seat = seat_in(env, channel, victim.memory)
        ball = ball_in(env, seat, norm, eps)
    key = {
        "policy": policy_digest(view, victim, space),
        "environment": environment,
        "eps": np.asarray(eps).tolist(),
        "norm": norm,
        "seed": seed,
        "channel": channel,
    }
    draw, generator = view.draw, torch.Generator().manual_seed(seed)

    def learn() -> Any:
        return train_adversary(
            victim,
            make_env,
            ball,
            seed=seed,
            options=ppo,
            seat=seat,
            draw=None if draw is None else lambda obs: draw(obs, generator),
            goal=goal,
        )

    folder = None if cache is None else Path(cache)
    store = store_for(folder, key, make_env, disturbed=channel == "disturbance")
    return store.adversary([goal, *ppo], learn)


def own_adversary(policy: Any, make_env: MakeEnv, name: str) -> Attack:
    """One of OWN, of a policy that brings it along; any policy may be attacked by it.

    Raises:
        ValueError: the policy brings none, or not this one.
    """
    inner, own = view_of(policy).inner, OWN[choose("adversary", name, OWN)]
    if not callable(getattr(inner, "disturbance", None)):
        raise ValueError(
            f"attack {name!r} needs a policy that brings its adversaries along, as DRAC's do; got "
            f"{type(inner).__name__}. 'safety_adversary' and 'performance_adversary' learn some"
        )

    def act(obs: Tensor) -> Tensor:
        return torch.as_tensor(inner.disturbance(obs.cpu().numpy(), own.name)).to(obs)

    attack = adversary_from(Victim(act), make_env, cost_directed=own.traits.cost_directed)
    act(torch.zeros(1, *attack.rows.obs_shape))  # a policy that learned without it refuses
    return attack


def own_adversaries(policy: Any, make_env: MakeEnv, channel: Channel) -> dict[str, Attack]:
    """Those of OWN that a policy brings along for a channel."""
    found: dict[str, Attack] = {}
    for name in OWN if channel == "disturbance" else ():
        try:
            found[name] = own_adversary(policy, make_env, name)
        except ValueError:
            continue
    return found


def _own(name: str, policy: Any, make_env: MakeEnv, **settings: Any) -> Attack:
    return own_adversary(policy, make_env, name)


_LEARNERS: dict[str, Callable[..., Attack]] = {
    "iterated_mc": _iterated_mc,
    **{name: partial(_best_response, name) for name in GOALS},
    **{name: partial(_own, name) for name in OWN},
}
