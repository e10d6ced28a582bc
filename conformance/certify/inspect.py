"""Reasons why an evaluation may be wrong, looked for after it was made."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np
import torch
from scipy.stats import spearmanr

from safer_gym.attacks import has_gradient
from safer_gym.balls import LpBall
from safer_gym.bounds import NotCoveredError, OptionLayers, certified_radius
from safer_gym.conformance.battery.build import GRADIENT_FREE
from safer_gym.conformance.certificate.evidence import Row, Sandwich
from safer_gym.conformance.certificate.record import Flag
from safer_gym.conformance.certificate.requirement import METRICS
from safer_gym.conformance.evaluate.fitted_critics import FITTED
from safer_gym.conformance.evaluate.outcomes import Trace
from safer_gym.types import Victim
from safer_gym.wrappers.action_rows import options_of
from safer_gym.wrappers.policies.layers import policy_layers
from safer_gym.wrappers.policies.view import PolicyView

STATES = 2000
"""Most states at which the options are enclosed."""
LOOK_AHEAD = 50
"""Steps over which a critic's word is held against the cost that followed."""


def policy_flags(victim: Victim, traces: Sequence[Trace]) -> list[Flag]:
    """Flags from search episodes without an attack: blindness, flat gradients, idle critics."""
    obs = torch.as_tensor(np.concatenate([t.clean for t in traces]).astype(np.float32))
    obs = victim.memory.at_start(obs)
    flags = _blindness(victim, obs)
    if has_gradient(victim, obs[:1]):
        flags += _flatness(victim, obs[:500])
    else:
        flags.append(
            Flag(
                "no-gradient",
                "the policy gives no gradient: gradient attacks are "
                "left out, and the lower end is weaker",
                "warning",
            )
        )
    return flags


def option_flags(
    view: PolicyView | None, ball: LpBall, radii: Sequence[float], traces: Sequence[Trace]
) -> list[Flag]:
    """Of discrete actions: where no observation in the ball changes the option with the best score.

    Args:
        view: the policy; nothing is said of one whose network is not known.
        ball: at radius 1.
        radii: ascending.
        traces: search episodes without an attack.
    """
    if view is None or not options_of(view.actions):
        return []
    try:
        layers = policy_layers(view)
    except NotCoveredError:
        return []
    assert isinstance(layers, OptionLayers)
    obs = torch.as_tensor(np.concatenate([t.clean for t in traces])[:STATES].astype(np.float32))
    reach = certified_radius(layers, obs, ball, [eps for eps in radii if eps > 0])
    return [
        Flag(
            "options-certain",
            f"within eps {eps:g} no observation changes the option with the best score at "
            f"{float((reach >= eps).double().mean()):.0%} of {len(obs)} states of search episodes "
            "(certified by an enclosure of the network)",
            "note",
        )
        for eps in radii
        if eps > 0
    ]


def critic_flags(victim: Victim, traces: Sequence[Trace]) -> list[Flag]:
    """Does the policy's cost critic order states by the cost that follows them?

    Args:
        traces: search episodes in which costs occur, under attack where there are none without.
    """
    if victim.q_cost is None:
        return []
    follows = np.concatenate([_following(t.costs) for t in traces])
    if not follows.any():
        return [
            Flag(
                "critic-untested",
                "no cost in any search episode: whether the cost critic "
                "predicts cost cannot be told",
                "note",
            )
        ]
    values = _judged(victim, traces)
    rank = 0.0 if np.ptp(values) == 0 else float(spearmanr(values, follows).statistic)
    if rank >= 0.2:
        return []
    return [
        Flag(
            "critic-does-not-predict",
            f"rank correlation {rank:.2f} of the cost critic with "
            "the cost that followed: attacks that climb it may be weak",
            "warning",
        )
    ]


def is_flat(victim: Victim, traces: Sequence[Trace]) -> bool:
    """Whether the policy's own cost critic says one number of all that was visited: nobody who
    climbs it seeks cost."""
    if victim.q_cost is None or not traces:
        return False
    return float(np.ptp(_judged(victim, traces))) == 0.0


def _judged(victim: Victim, traces: Sequence[Trace]) -> np.ndarray:
    """The cost critic's values of the true states with what was done there."""
    shown, clean = (
        torch.as_tensor(np.concatenate(parts).astype(np.float32))
        for parts in ([t.attacked for t in traces], [t.clean for t in traces])
    )
    assert victim.q_cost is not None
    with torch.no_grad():
        actions = victim.action(victim.memory.at_start(shown))
        return victim.q_cost(victim.memory.at_start(clean), actions).double().cpu().numpy()


def battery_flags(rows: Sequence[Row], climbers: Collection[str]) -> list[Flag]:
    """The gradient-free attack does better than all that climb gradients."""
    for row in rows:
        means = {a.attack: a for a in row.attacks}
        free = means.get(GRADIENT_FREE) or means.get(GRADIENT_FREE + FITTED)
        climbing = [a for label, a in means.items() if label in climbers]
        if free is None or not climbing:
            continue
        best = max(climbing, key=lambda a: a.mean_cost)
        if free.rate_lower > best.rate_upper or free.mean_cost > 1.25 * best.mean_cost + 1.0:
            return [
                Flag(
                    "gradient-free-wins",
                    f"at eps {row.eps:g} ({row.mode}) random search "
                    f"costs {free.mean_cost:.2f}, the best gradient attack ({best.attack}) "
                    f"{best.mean_cost:.2f}: gradients may be masked",
                    "warning",
                )
            ]
    return []


def contradiction_flags(rows: Sequence[Row]) -> list[Flag]:
    """No lower end may exceed an upper end that must cover it, see `_contradictions`."""
    return [
        Flag("ends-contradict", f"at eps {row.eps:g} ({row.mode}) {words}", "error")
        for row in rows
        for words in _contradictions(row)
    ]


def _contradictions(row: Row) -> Iterator[str]:
    """An attack's lower end above its own upper end, the battery's, or that of every adversary."""
    for metric in METRICS:
        sandwich: Sandwich = getattr(row, metric)
        every = ("every adversary", sandwich.upper_every.value)
        covers = (("the battery", sandwich.upper_attacks.value), every)
        lower = sandwich.lower
        claims: list[tuple[str | None, float | None, tuple[tuple[str, float | None], ...]]]
        claims = [(lower.attack, lower.value, (every,))]
        for a in row.attacks:
            own = (a.attack, getattr(a, f"{metric}_upper"))
            claims.append((a.attack, getattr(a, f"{metric}_lower"), (own, *covers)))
        for attack, least, uppers in claims:
            for whose, most in uppers:
                if least is not None and most is not None and least > most:
                    yield (
                        f"{attack} has a {metric} of at least {least:.4g}, above the bound of "
                        f"{most:.4g} for {whose}: a bound is wrong, or the attack left its ball"
                    )


def _blindness(victim: Victim, obs: torch.Tensor) -> list[Flag]:
    with torch.no_grad():
        actions = victim.judged(obs)
    if float((actions - actions[:1]).abs().max()) > 1e-6:
        return []
    return [
        Flag(
            "ignores-observations",
            "the policy acts alike at all observations of the search "
            "episodes: no attack on observations can move it",
            "warning",
        )
    ]


def _flatness(victim: Victim, obs: torch.Tensor) -> list[Flag]:
    with torch.enable_grad():
        leaf = obs.clone().requires_grad_(True)
        actions = victim.judged(leaf)
        # The entries have weights: probabilities sum to one wherever they are.
        weighted = (actions / torch.arange(1, actions.shape[1] + 1).to(actions)).sum()
        (slope,) = torch.autograd.grad(weighted, leaf)
    flat = float((slope == 0).flatten(1).all(1).float().mean())
    if flat < 0.5:
        return []
    return [
        Flag(
            "zero-gradients",
            f"the action's gradient is exactly zero at {flat:.0%} of the "
            "visited observations: gradient attacks are blind there",
            "warning",
        )
    ]


def _following(costs: np.ndarray) -> np.ndarray:
    sums = np.concatenate([[0.0], np.cumsum(costs)])
    ends = np.minimum(np.arange(len(costs)) + LOOK_AHEAD, len(costs))
    return sums[ends] - sums[:-1]
