"""The contract of policies: one function of the observation, and no trace of being asked."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import gymnasium as gym
import torch
from torch import Tensor, nn

from safer_gym import domains
from safer_gym.conformance.contracts.contract import (
    global_randomness_untouched,
    refusals_named,
    require,
)
from safer_gym.types import Victim
from safer_gym.wrappers.action_rows import ActionRows, action_rows
from safer_gym.wrappers.gate.policy import admit
from safer_gym.wrappers.obs_layout import ObsLayout, pick, stack
from safer_gym.wrappers.policies.victims import through
from safer_gym.wrappers.policies.view import view_of

MakeEnv = Callable[[], gym.Env]


class PolicyFacts(NamedTuple):
    """What a policy offers; none of these is a broken contract, each narrows what can be said."""

    distribution: bool
    """Whether it gives its action distribution: bounds over every adversary need it."""
    q_cost: bool
    """Whether it gives a cost critic: MC needs one, its own or a fitted one."""
    gradients: str
    """ "honest", "misleading" (they disagree with differences), "zero" or "none"."""
    looks: bool
    """Whether its action depends on the observation at all."""
    outside: float
    """Share of actions outside the action space; evaluation clips them."""
    clauses: tuple[str, ...]


class _Trial(NamedTuple):
    policy: Any
    victim: Victim
    obs: Tensor
    """Observations of random episodes [B, *O]; rows, where the policy has a memory."""
    rows: ActionRows
    """How actions are written."""
    shown: Any = None
    """The observations as the environment shows them."""

    def act(self, obs: Tensor) -> Tensor:
        """Deterministic actions [B, A] for a copy of `obs`."""
        with torch.no_grad():
            return self.victim.action(obs.clone()).detach()


def check_policy(policy: Any, make_env: MakeEnv, *, seed: int = 0, rows: int = 32) -> PolicyFacts:
    """Can a policy be attacked and certified, and is what comes out of it the policy's own?

    Args:
        policy: whatever `safer_gym.wrappers.as_victim` takes.
        make_env: makes an environment; its actions are a Box or discrete.
        seed: of the random episode whose observations are used.
        rows: number of observations.

    Raises:
        ContractError: names the first clause that is broken, and how.
    """
    domains.require(domains.SEED, seed=seed)
    seed = int(seed)  # environments refuse numpy's
    domains.require(domains.AT_LEAST_ONE, rows=rows)
    shown, spaces = _observations(make_env, seed, rows)
    layout = ObsLayout(spaces[0])
    with refusals_named("readable", "safer_gym.wrappers.as_victim"):
        view = replace(view_of(policy), actions=spaces[1])
        view = view.in_space(spaces[0], layout.pack(shown).float())
        victim = through(layout, view.victim())
    obs = victim.memory.at_start(layout.pack(shown).float())
    trial = _Trial(policy, victim, obs, action_rows(spaces[1]), shown)
    for clause, check in _CLAUSES.items():
        with refusals_named(clause, "the policy"):
            check(trial, clause)
    with refusals_named("admitted", "the gate of all measurements"):
        admit(view, *spaces, around=pick(shown, 0))
    actions = trial.act(obs)
    with refusals_named("gradients", "the policy"):
        movable = torch.as_tensor(layout.movable).float().unsqueeze(0)
        moves = victim.memory.rows(movable, torch.zeros(1, victim.memory.size))
        gradients = _gradients(victim, obs, moves)
    return PolicyFacts(
        distribution=victim.distribution is not None,
        q_cost=victim.q_cost is not None,
        gradients=gradients,
        looks=bool((actions - actions[:1]).abs().max() > 0),
        outside=_outside(actions, trial.rows),
        clauses=("readable", *_CLAUSES, "admitted"),
    )


def _observations(
    make_env: MakeEnv, seed: int, rows: int
) -> tuple[Any, tuple[gym.Space, gym.Space]]:
    env = make_env()
    space = env.action_space
    actions = copy.deepcopy(space)
    actions.seed(seed)
    obs, _ = env.reset(seed=seed)
    seen = [copy.deepcopy(obs)]
    while len(seen) < rows:
        obs, _, terminated, truncated, _ = env.step(actions.sample())
        seen.append(copy.deepcopy(obs))
        if terminated or truncated:
            obs, _ = env.reset()
    env.close()
    spaces: Any = env.observation_space, space
    return stack(seen), spaces


def _well_formed(trial: _Trial, clause: str) -> None:
    for obs in (trial.obs, trial.obs[:1]):
        actions = trial.act(obs)
        wanted = (len(obs), trial.rows.width)
        require(
            tuple(actions.shape) == wanted,
            clause,
            f"actions must have shape {wanted}; got {tuple(actions.shape)}",
        )
        require(torch.isfinite(actions).all(), clause, "an action holds NaN or infinity")


def _repeatable(trial: _Trial, clause: str) -> None:
    with global_randomness_untouched(clause, "the policy's deterministic action"):
        first = trial.act(trial.obs)
    again = trial.act(trial.obs)
    require(torch.equal(first, again), clause, "two calls on the same observations differ")


def _stateless(trial: _Trial, clause: str) -> None:
    first = trial.act(trial.obs[:1])
    for row in trial.obs[1:5]:
        trial.act(row[None])
    again = trial.act(trial.obs[:1])
    require(
        torch.equal(first, again),
        clause,
        "the action depends on what was asked before: a recurrent policy, or one that counts",
    )


def _rows_alone(trial: _Trial, clause: str) -> None:
    together = trial.act(trial.obs)
    alone = torch.cat([trial.act(row[None]) for row in trial.obs])
    error = float((together - alone).abs().max())
    require(
        _close(together, alone),
        clause,
        f"an action depends on the other observations of its batch, by {error:.3g}",
    )


def _untouched(trial: _Trial, clause: str) -> None:
    modules = _modules(trial.policy)
    before = [(m, m.training, copy.deepcopy(m.state_dict())) for m in modules]
    obs = trial.obs.clone()
    with torch.no_grad():
        trial.victim.action(obs)
    require(torch.equal(obs, trial.obs), clause, "the observations were changed in place")
    for module, training, state in before:
        require(module.training == training, clause, "the train/eval mode was changed")
        for name, value in module.state_dict().items():
            require(torch.equal(value, state[name]), clause, f"{name} changed by being asked")


def _one_policy(trial: _Trial, clause: str) -> None:
    predict = getattr(trial.policy, "predict", None)
    if not callable(predict):
        return
    if trial.victim.memory.size:  # its gate asks `predict` with states
        return
    told, _ = predict(trial.shown, deterministic=True)
    clipped = [trial.rows.clipped(a) for a in (trial.rows.pack(told), trial.act(trial.obs))]
    error = float((clipped[0] - clipped[1]).abs().max())
    require(
        _close(*clipped),
        clause,
        f"predict(deterministic=True) and the function under attack differ by {error:.3g}",
    )


def _distribution(trial: _Trial, clause: str) -> None:
    if trial.victim.distribution is None:
        return
    fault = trial.victim.distribution(trial.obs).fault()
    require(not fault, clause, fault)


def _critics(trial: _Trial, clause: str) -> None:
    actions = trial.act(trial.obs)
    for name in ("q_reward", "q_cost"):
        critic = getattr(trial.victim, name)
        if critic is None:
            continue
        values = critic(trial.obs, actions)
        require(
            tuple(values.shape) == (len(trial.obs),),
            clause,
            f"{name} must give one number a row; got shape {tuple(values.shape)}",
        )
        require(torch.isfinite(values).all(), clause, f"{name} holds NaN or infinity")


def _close(a: Tensor, b: Tensor) -> bool:
    return torch.allclose(a, b, rtol=1e-4, atol=1e-5)


def _modules(policy: Any) -> list[nn.Module]:
    found = (policy, getattr(policy, "policy", None))
    return [module for module in found if isinstance(module, nn.Module)]


def _gradients(victim: Victim, obs: Tensor, moves: Tensor, step: float = 1e-2) -> str:
    """Do gradients of the actions, or of the options' scores, agree with differences along random
    directions?

    Args:
        moves: 1 at the entries that an attack can move, 0 at the others [1, *O].
    """
    leaf = obs.clone().requires_grad_()
    smooth = victim.action if victim.leaning is None else partial(_scores, victim)
    actions = smooth(leaf)
    if not actions.requires_grad:
        return "none"
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(actions.shape, generator=generator)
    (gradient,) = torch.autograd.grad((actions * weight).sum(), leaf)
    if not gradient.any():
        return "zero"
    along = moves * torch.randn(obs.shape, generator=generator)
    along = along / along.flatten(1).norm(dim=1).view(-1, *[1] * (obs.dim() - 1))
    with torch.no_grad():
        ends = [(smooth(obs + sign * step * along) * weight).sum(1) for sign in (1, -1)]
    difference = (ends[0] - ends[1]) / (2 * step)
    slope = (gradient * along).flatten(1).sum(1)
    error = (difference - slope).norm() / torch.maximum(difference.norm(), slope.norm())
    return "honest" if error < 0.3 else "misleading"


def _scores(victim: Victim, obs: Tensor) -> Tensor:
    assert victim.distribution is not None
    found: Tensor = next(iter(victim.distribution(obs).parameters.values()))
    return found


def _outside(actions: Tensor, rows: ActionRows) -> float:
    slack = 1e-5 * (rows.high - rows.low).nan_to_num(posinf=0.0)
    wrong = (actions < rows.low - slack) | (actions > rows.high + slack)
    return float(wrong.any(1).float().mean())


_CLAUSES: dict[str, Callable[[_Trial, str], None]] = {
    "well formed": _well_formed,
    "repeatable": _repeatable,
    "stateless": _stateless,
    "rows alone": _rows_alone,
    "untouched": _untouched,
    "one policy": _one_policy,
    "distribution": _distribution,
    "critics": _critics,
}
