"""The contract of attacks: inside the ball, never worse than clean, and nothing left behind."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from safer_gym.attacks import traits_of
from safer_gym.balls import NORMS, LpBall
from safer_gym.conformance.contracts.contract import (
    ContractError,
    global_randomness_untouched,
    refusals_named,
    require,
)
from safer_gym.conformance.contracts.toy_victim import (
    linear_optimum,
    linear_victim,
    observations,
    toy_victim,
)
from safer_gym.types import Attack, AttackResult

_ROWS = 5
_BOX = 1.5


class _Trial(NamedTuple):
    attack: Attack
    obs_shape: tuple[int, ...]
    norms: tuple[str, ...]
    eps: float
    objective: Any
    strength: float | None

    def obs(self, seed: int = 0, rows: int = _ROWS, dtype: torch.dtype = torch.float32) -> Tensor:
        return observations(self.obs_shape, rows, seed, dtype)

    def run(self, obs: Tensor, ball: LpBall, seed: int | None = 0) -> AttackResult:
        victim = toy_victim(self.obs_shape, 1, obs.dtype).victim()
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        return self.attack(victim, obs, ball, generator)

    def balls(self) -> list[LpBall]:
        """Each norm with one radius, with one a coordinate (some zero), and with a box."""
        steps = torch.arange(math.prod(self.obs_shape)).view(self.obs_shape)
        each = self.eps * (steps % 3) / 2
        made = []
        for norm in self.norms:
            made += [LpBall.of(norm, self.eps), LpBall.of(norm, each)]
            made += [LpBall.of(norm, e, -_BOX, _BOX) for e in (self.eps, each)]
        return made


def check_attack(
    attack: Attack,
    *,
    obs_shape: Sequence[int] = (6,),
    norms: Sequence[str] = NORMS,
    eps: float = 0.3,
    objective: Any = None,
    strength: float | None = None,
) -> tuple[str, ...]:
    """Does an attack keep the contract of `safer_gym.types.Attack`? Needs no policy or critic.

    Args:
        attack: called as attack(victim, obs, ball, generator), with small victims made here.
        obs_shape: of the observations it is meant for.
        norms: the balls it is meant for, of "l1", "l2", "linf".
        eps: radius of the trials.
        objective: what it claims to raise (see `safer_gym.attacks.MaxCost`), so that the numbers
            it reports are computed again; default: its attribute `objective`, if it has one.
        strength: share in (0, 1] of the known optimum of a linear victim that it must reach. Asks
            that `objective` is MC. Default: not asked.

    Returns:
        The names of the clauses that were checked.

    Raises:
        ContractError: names the first clause that is broken, and how.
    """
    objective = objective if objective is not None else getattr(attack, "objective", None)
    trial = _Trial(attack, tuple(obs_shape), tuple(norms), eps, objective, strength)
    for clause, check in _CLAUSES.items():
        with refusals_named(clause, "the attack"):
            check(trial, clause)
    return tuple(_CLAUSES)


def _well_formed(trial: _Trial, clause: str) -> None:
    for dtype in (torch.float32, torch.float64):
        for rows in (1, _ROWS):
            obs = trial.obs(rows=rows, dtype=dtype)
            result = trial.run(obs, trial.balls()[0])
            require(
                all(hasattr(result, name) for name in AttackResult._fields),
                clause,
                f"the result must have the fields {AttackResult._fields}; got {type(result)}",
            )
            _well_typed(result, obs, clause)


def _well_typed(result: AttackResult, obs: Tensor, clause: str) -> None:
    wanted = {"obs": obs.shape, "objective": obs.shape[:1], "clean_objective": obs.shape[:1]}
    for name, shape in wanted.items():
        value = getattr(result, name)
        require(isinstance(value, Tensor), clause, f"{name} must be a tensor; got {type(value)}")
        require(
            value.shape == shape,
            clause,
            f"{name} must have shape {tuple(shape)}; got {tuple(value.shape)}",
        )
        require(torch.isfinite(value).all(), clause, f"{name} holds NaN or infinity")
        require(not value.requires_grad, clause, f"{name} still hangs on a graph of gradients")
    require(
        result.obs.dtype == obs.dtype,
        clause,
        f"obs must keep its dtype {obs.dtype}; got {result.obs.dtype}",
    )


def _inside(trial: _Trial, clause: str) -> None:
    for seed, ball in enumerate(trial.balls()):
        obs = trial.obs(seed, dtype=(torch.float32, torch.float64)[seed % 2])
        moved = trial.run(obs, ball, seed).obs
        outside = ~ball.contains(obs, moved)
        gauge = float(ball.gauge(moved.double() - obs.double()).max())
        require(
            not outside.any(),
            clause,
            f"left the l{ball.p:g} ball or the box in {int(outside.sum())} of {_ROWS} rows, "
            f"{obs.dtype}: up to {gauge:.6g} times the radius",
        )


def _never_worse(trial: _Trial, clause: str) -> None:
    for seed, ball in enumerate(trial.balls()[::2]):
        obs = trial.obs(seed, dtype=torch.float64)
        result = trial.run(obs, ball, seed)
        require(
            (result.objective >= result.clean_objective).all(),
            clause,
            "returned a point with a lower objective than the clean observation",
        )
        if trial.objective is None:
            continue
        score = trial.objective(toy_victim(trial.obs_shape, 1, obs.dtype).victim(), obs)
        for name, points, told in (
            ("objective", result.obs, result.objective),
            ("clean_objective", obs, result.clean_objective),
        ):
            error = float((score(points).detach() - told).abs().max())
            require(error <= 1e-6, clause, f"{name} is told wrong, by up to {error:.3g}")


def _zero_radius(trial: _Trial, clause: str) -> None:
    obs = trial.obs()
    for norm in trial.norms:
        for zero in (0.0, torch.zeros(trial.obs_shape)):
            moved = trial.run(obs, LpBall.of(norm, zero)).obs
            require(torch.equal(moved, obs), clause, f"eps = 0 changed the observation ({norm})")


def _repeatable(trial: _Trial, clause: str) -> None:
    obs, ball = trial.obs(), trial.balls()[0]
    for seed in (3, None):
        with global_randomness_untouched(clause, "the attack"):
            first = trial.run(obs, ball, seed).obs
        given = "the same generator" if seed is not None else "no generator"
        same = torch.equal(first, trial.run(obs, ball, seed).obs)
        require(same, clause, f"two calls with {given} differ")


def _stateless(trial: _Trial, clause: str) -> None:
    obs, ball = trial.obs(), trial.balls()[0]
    first = trial.run(obs, ball).obs
    trial.run(trial.obs(7, rows=2 * _ROWS), ball, 9)
    trial.run(trial.obs(8), ball, None)
    again = trial.run(obs, ball).obs
    require(torch.equal(first, again), clause, "attacking other observations changed the result")


def _rows_alone(trial: _Trial, clause: str) -> None:
    obs, ball = trial.obs(dtype=torch.float64), trial.balls()[0]
    together = trial.run(obs, ball).obs[:1]
    crowds = {
        "alone": obs[:1],
        "among others": torch.cat([obs[:1], 5 * trial.obs(11, dtype=torch.float64)[1:]]),
    }
    for where, crowd in crowds.items():
        error = float((trial.run(crowd, ball).obs[:1] - together).abs().max())
        require(
            error <= 1e-9,
            clause,
            f"the first row {where} is moved elsewhere, by {error:.3g}: rows must not depend on "
            "their neighbours",
        )


def _noise_declared(trial: _Trial, clause: str) -> None:
    same = trial.obs(dtype=torch.float64)[:1].expand(_ROWS, *trial.obs_shape).clone()
    moved = trial.run(same, trial.balls()[0]).obs
    require(
        torch.equal(moved, moved[:1].expand_as(moved))
        or bool(traits_of(trial.attack).per_row_noise),
        clause,
        "equal rows are moved apart: declare `per_row_noise = True`, so that each environment gets "
        "a stream of its own",
    )


def _victim_untouched(trial: _Trial, clause: str) -> None:
    made = toy_victim(trial.obs_shape, 1, torch.float32)
    for net in made:
        net.train(net is made.actor)
        for place, parameter in enumerate(net.parameters()):
            parameter.grad = torch.full_like(parameter, 7.0) if place % 2 else None
    before = [copy.deepcopy(net.state_dict()) for net in made]
    obs = trial.obs()
    kept = obs.clone()
    trial.attack(made.victim(), obs, trial.balls()[0], torch.Generator().manual_seed(0))
    require(torch.equal(obs, kept), clause, "the observations passed in were changed in place")
    for net, state in zip(made, before, strict=True):
        require(net.training == (net is made.actor), clause, "the train/eval mode was changed")
        for place, (name, parameter) in enumerate(net.named_parameters()):
            require(torch.equal(parameter, state[name]), clause, "parameters were changed")
            require(parameter.requires_grad, clause, "requires_grad of parameters was changed")
            grad = parameter.grad
            kept_grad = (grad == 7).all() if place % 2 and grad is not None else grad is None
            require(kept_grad and (grad is None) == (place % 2 == 0), clause, ".grad was changed")


def _refuses_nan(trial: _Trial, clause: str) -> None:
    obs = trial.obs()
    obs.view(_ROWS, -1)[1, 0] = torch.nan
    try:
        result = trial.run(obs, trial.balls()[0])
    except (ValueError, FloatingPointError):
        return
    raise ContractError(
        clause,
        "an observation of NaN must raise ValueError; got "
        f"{'NaN' if torch.isnan(result.obs).any() else 'numbers'} back",
    )


def _strong(trial: _Trial, clause: str) -> None:
    if trial.strength is None:
        return
    obs = trial.obs(dtype=torch.float64)
    gain = trial.obs(4, rows=1, dtype=torch.float64).flatten()
    for norm in trial.norms:
        ball = LpBall.of(norm, trial.eps)
        result = trial.attack(linear_victim(gain), obs, ball, torch.Generator().manual_seed(0))
        gained = (result.obs - obs).flatten(1) @ gain
        share = float((gained / linear_optimum(gain, ball)).min())
        require(
            share >= trial.strength,
            clause,
            f"reaches {share:.1%} of the optimum of a linear victim in the {norm} ball; "
            f"{trial.strength:.1%} are asked",
        )


_CLAUSES: dict[str, Callable[[_Trial, str], None]] = {
    "well formed": _well_formed,
    "inside the ball": _inside,
    "never worse than clean": _never_worse,
    "eps 0 is the identity": _zero_radius,
    "repeatable": _repeatable,
    "stateless": _stateless,
    "rows alone": _rows_alone,
    "noise declared": _noise_declared,
    "victim untouched": _victim_untouched,
    "refuses NaN": _refuses_nan,
    "strong": _strong,
}
