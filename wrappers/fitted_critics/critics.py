"""Critics for a policy that has none: fitted Q evaluation from rollouts.

With them MC and MR attack a plain PPO, and any agent by critics that it did not train.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from safer_gym.attacks import WithCritics, make_attack
from safer_gym.attacks.channels import ChannelRows
from safer_gym.categorical import ExpectedValue, Sizes
from safer_gym.domains import AT_LEAST_ONE, NOT_NEGATIVE, POSITIVE, SEED, SHARE_BELOW_ONE, require
from safer_gym.memory import Memory
from safer_gym.progress import Told, told
from safer_gym.types import ActionFn, Attack, QFn
from safer_gym.wrappers.action_rows import action_rows
from safer_gym.wrappers.fitted_critics.fqe import QPair
from safer_gym.wrappers.fitted_critics.rollouts import MakeEnv, collect
from safer_gym.wrappers.fitted_critics.training import (
    Diagnostics,
    as_batch,
    diagnose,
    fit,
    network_inputs,
)
from safer_gym.wrappers.gate.attack import gated
from safer_gym.wrappers.gate.policy import admit
from safer_gym.wrappers.gate.probes import first_observation
from safer_gym.wrappers.obs_layout import ObsLayout
from safer_gym.wrappers.policies.victims import through
from safer_gym.wrappers.policies.view import PolicyView, view_of
from safer_gym.wrappers.units import make_ball, radius

FRESH = 100_000
"""Distance between the seeds of the training and of the measuring episodes."""


class FittedCritics(NamedTuple):
    """Q_r and Q_c of a policy, for `as_victim(policy, q_reward=..., q_cost=...)`."""

    q_reward: QFn
    q_cost: QFn
    diagnostics: Diagnostics


def fit_critics(
    policy: Any,
    make_env: MakeEnv,
    *,
    n_steps: int = 20_000,
    n_envs: int = 8,
    gamma: float = 0.97,
    noise: float = 1.0,
    hidden: Sequence[int] = (256, 256),
    updates: int = 4_000,
    batch_size: int = 256,
    learning_rate: float = 1e-3,
    attack: str | Attack | None = None,
    eps: Any = 0.0,
    norm: str = "linf",
    seed: int = 0,
    vec_normalize: Any = None,
    progress: Told | bool | None = None,
) -> FittedCritics:
    """Learn the discounted reward and cost that follow an action if `policy` acts thereafter.

    Rolls the policy's deterministic action out with exploration noise, takes the policy's own
    action as the next one, bootstraps at time limits and not at terminal states. Nothing in the
    policy and no global random state is touched.

    Args:
        policy: whatever `as_victim` takes; a model trained behind a VecNormalize is fed through it.
        make_env: makes one environment with `info["cost"]` and raw observations.
        n_steps: transitions in all to learn from; a fifth more are drawn to measure the result.
        n_envs: environments stepped together.
        gamma: discount, below 1. The default looks some 30 steps ahead and is learned well from few
            transitions; 0.99 takes many more.
        noise: largest exploration noise, a standard deviation in halves of the action range; of
            discrete actions twice the largest share that is replaced by random ones.
        hidden: widths of both networks.
        updates: gradient steps; the first quarter fits observed sums, the rest TD targets.
        attack, eps, norm: evaluate the policy under this attack instead of the policy alone.
        vec_normalize: the VecNormalize that the policy was trained behind; None takes the one that
            is attached to the model, False takes none.
        progress: True shows a bar of the gradient steps; a function is called with words and the
            share done.

    Raises:
        ValueError: for arguments out of range, and for a step without cost.
    """
    counts = {"n_steps": n_steps, "n_envs": n_envs, "updates": updates, "batch_size": batch_size}
    require(AT_LEAST_ONE, **counts)
    require(SHARE_BELOW_ONE, gamma=gamma)
    require(NOT_NEGATIVE, noise=noise)
    require(POSITIVE, learning_rate=learning_rate)
    require(SEED, seed=seed)
    seed = int(seed)  # environments refuse numpy's
    view, layout = _admitted(view_of(policy, vec_normalize), make_env, seed)
    acting = _acting(view, layout, attack, eps, norm, seed)
    steps = math.ceil(n_steps / n_envs)
    data = collect(
        acting.act,
        make_env,
        steps=steps,
        n_envs=n_envs,
        noise=noise,
        seed=seed,
        show=acting.show,
        memory=acting.memory,
    )
    if not bool(data.signals[1].any()):
        warnings.warn(
            f"no cost in {n_steps} steps of the policy: its q_cost will be flat and MC weak; "
            "raise noise or n_steps",
            stacklevel=2,
        )
    with told(progress) as telling:
        pair = fit(
            as_batch(data, acting.answer, gamma),
            gamma=gamma,
            hidden=hidden,
            updates=updates,
            batch_size=batch_size,
            learning_rate=learning_rate,
            seed=seed,
            progress=telling,
        )
    steps = math.ceil(steps / 5)
    fresh = collect(
        acting.act,
        make_env,
        steps=steps,
        n_envs=n_envs,
        noise=0.0,
        seed=seed + FRESH,
        show=acting.show,
        memory=acting.memory,
    )
    rate = float(data.signals[1].mean())
    diagnostics = diagnose(pair, as_batch(fresh, acting.answer, gamma), gamma, rate)
    assert view.actions is not None
    return _heads(pair, diagnostics, action_rows(view.actions).sizes)


def iterate_mc(
    policy: Any,
    make_env: MakeEnv,
    *,
    eps: Any,
    norm: str = "linf",
    rounds: int = 2,
    attack_options: dict[str, Any] | None = None,
    seed: int = 0,
    **fit_options: Any,
) -> WithCritics:
    """Iterated MC: policy iteration of the adversary.

    Round 1 attacks with critics of the policy itself, each further round with critics of the
    policy under the attack of the round before, so that the attack foresees its own next steps.
    `fit_options` go to `fit_critics`.

    Raises:
        ValueError: if rounds < 1.
    """
    require(AT_LEAST_ONE, rounds=rounds)
    require(SEED, seed=seed)
    plain, attack = make_attack("mc", **(attack_options or {})), None
    for k in range(rounds):
        critics = fit_critics(
            policy, make_env, attack=attack, eps=eps, norm=norm, seed=seed + k, **fit_options
        )
        attack = WithCritics(plain, q_reward=critics.q_reward, q_cost=critics.q_cost)
    assert attack is not None
    return attack


def critics_state(critics: FittedCritics) -> dict[str, Any]:
    """Critics as tensors and numbers, for `torch.save`; `critics_from_state` is the inverse."""
    pair: QPair = critics.q_reward.pair  # type: ignore[attr-defined]
    return {
        "parameters": dict(pair.state_dict()),
        "hidden": [bias.shape[-1] for bias in pair.net.biases][:-1],
        "diagnostics": list(critics.diagnostics),
        "sizes": critics.q_reward.sizes,  # type: ignore[attr-defined]
    }


def critics_from_state(state: dict[str, Any]) -> FittedCritics:
    """Critics from `critics_state`."""
    parameters = state["parameters"]
    inputs = torch.zeros(2, len(parameters["input_mean"]))
    returns = torch.zeros(len(parameters["mean"]), 2)
    pair = QPair(inputs, returns, state["hidden"], torch.Generator())
    pair.load_state_dict(parameters)
    pair.requires_grad_(False)
    return _heads(pair, Diagnostics(*state["diagnostics"]), state.get("sizes"))


class Acting(NamedTuple):
    """A policy in its environments, with or without an attack."""

    show: Callable[[Tensor], Tensor]
    """From the truth to what the policy is shown, rows [B, *O]."""
    act: ActionFn
    """From what is shown to the action."""
    memory: Memory

    def answer(self, rows: Tensor) -> Tensor:
        """The action at the truth [B, A]."""
        return self.act(self.show(rows))


def _heads(pair: QPair, diagnostics: Diagnostics, sizes: Sizes | None) -> FittedCritics:
    q_cost = _Head(pair, 1, sizes, is_flat=diagnostics.cost_rate == 0.0)
    return FittedCritics(_Head(pair, 0, sizes), q_cost, diagnostics)


class _Head:
    """One of two critics as a function of observations (tensor or dict) and actions [B, A].

    Of discrete actions, in choices of these sizes, it also takes their probabilities.
    """

    takes_probabilities = True

    def __init__(
        self, pair: QPair, index: int, sizes: Sizes | None, *, is_flat: bool = False
    ) -> None:
        self.pair, self.index, self.sizes, self.is_flat = pair, index, sizes, is_flat

    def __call__(self, obs: Any, action: Tensor) -> Tensor:
        if self.sizes is None:
            return self._of_actions(obs, action)
        return ExpectedValue(self._of_actions, self.sizes)(obs, action)

    def _of_actions(self, obs: Any, action: Tensor) -> Tensor:
        inputs = network_inputs(obs, action).to(self.pair.mean.device)
        return self.pair(inputs)[self.index].to(action)


def _admitted(policy: Any, make_env: MakeEnv, seed: int) -> tuple[PolicyView, ObsLayout]:
    with closing(make_env()) as env:
        layout, actions = ObsLayout(env.observation_space), env.action_space
        return admit(policy, layout.space, actions, around=first_observation(env, seed)), layout


def _acting(
    view: PolicyView, layout: ObsLayout, attack: str | Attack | None, eps: Any, norm: str, seed: int
) -> Acting:
    """The policy, or the policy under attack, in packed observations."""
    victim = through(layout, view.victim())
    memory = victim.memory
    rows = ChannelRows("observation", memory.shape(layout.shape), n_memory=memory.size)
    ball = rows.ball(make_ball(layout, norm, radius(layout, eps, np.ones(()))))
    rule = None if attack is None else gated(attack)
    generator = torch.Generator().manual_seed(seed)
    assert view.actions is not None
    clipped = action_rows(view.actions).clipped

    def show(clean: Tensor) -> Tensor:
        return clean if rule is None else rule(victim, clean, ball, generator).obs

    def act(seen: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = victim.action(seen)
            return clipped(wanted).to(wanted)

    return Acting(show, act, memory)
