"""DRAC's losses, as pure functions of tensors.

The paper's text is public only in parts: that there are a task policy pi, a safety policy pi_h, two
adversaries mu and mu_h, twin Q, a safety value Q_h, a multiplier network lambda(x) with a loss
L_A + L_B, and dual policy iteration. What is marked "ours" is our reconstruction.

Axes: B batch, K critics. h >= 0 is safe, and so is Q_h >= 0.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Split(NamedTuple):
    """The two parts of the multiplier's loss."""

    inside: Tensor
    """L_A: dual ascent within the robust invariant set."""
    outside: Tensor
    """L_B: towards the cap, since the exact multiplier of an infeasible state is infinite."""


def safety_target(
    h: Tensor, next_h: Tensor, next_value: Tensor, terminated: Tensor, discount: float
) -> Tensor:
    """T_h: (1 - g_h) h(x) + g_h min{h(x), V_h(x')}, [B].

    Args:
        h, next_h: the constraint at x and x' [B].
        next_value: Q_h(x', pi_h(x'), mu_h(x')) of the target critics, the lower of the twins [B].
        terminated: where x' ended the episode, other than by a time limit [B]; h(x') stands for
            its value there, since an episode that ends must not look safe.
        discount: g_h; the fixed point errs towards safe unless it is close to 1.
    """
    following = torch.where(terminated.bool(), next_h, next_value)
    return (1 - discount) * h + discount * torch.minimum(h, following)


def clamped_safety_target(
    next_h: Tensor, next_value: Tensor, terminated: Tensor, discount: float
) -> Tensor:
    """MADAC's target: g_h min{h(x'), V_h(x')} with V_h cut to at most 0, [B]. An option."""
    following = torch.where(terminated.bool(), torch.zeros_like(next_value), next_value)
    return discount * torch.minimum(next_h, following.clamp(max=0.0))


def task_target(
    rewards: Tensor,
    discounts: Tensor,
    terminated: Tensor,
    next_value: Tensor,
    next_entropy: Tensor,
) -> Tensor:
    """r + gamma (1 - d) (Q(x', u', mu(x')) - alpha log pi(u' | x')), [B].

    Args:
        rewards, terminated: of the transition [B].
        discounts: gamma to the number of summed steps [B].
        next_value: the lower of the twin target critics [B].
        next_entropy: -alpha log pi(u' | x') [B].
    """
    return rewards + discounts * (1 - terminated) * (next_value + next_entropy)


def inside_set(safety_values: Tensor, margin: float = 0.0) -> Tensor:
    """Where Q_h(x, pi_h(x), mu_h(x)) is at least the margin, bool [B]; no gradient goes through."""
    return safety_values.detach() >= margin


def split_policy_loss(inside: Tensor, within: Tensor, outside: Tensor) -> Tensor:
    """Step 4 of dual policy iteration as a loss: `within` the set one thing, `outside` another.

    Args:
        inside: see `inside_set` [B].
        within: minus the Lagrangian [B].
        outside: the distance to the safety policy, or alpha log pi - Q_h [B].
    """
    return torch.where(inside, within, outside).mean()


def lagrangian(q: Tensor, q_safety: Tensor, lam: Tensor) -> Tensor:
    """(Q + lambda Q_h) / (1 + lambda), [B]; ours.

    Args:
        q: Q(x, u, mu(x)) - alpha log pi(u | x) [B]. The entropy's bonus is weighed as the return
            is: where lambda is large it would otherwise outweigh Q_h, which is of order 1.
        q_safety: Q_h(x, u, mu_h(x)) [B].
        lam: lambda(x), whose gradient is not followed; [B] or [].
    """
    lam = lam.detach()
    return (q + lam * q_safety) / (1 + lam)


def augmented_lagrangian(q: Tensor, q_safety: Tensor, lam: Tensor, rho: float) -> Tensor:
    """MADAC's: Q - (relu(lam - rho Q_h)^2 - lam^2) / (2 rho), [B].

    Args:
        q, q_safety: see `lagrangian` [B].
        lam: one multiplier, [].
        rho: weight of the square.
    """
    lam = lam.detach()
    return q - ((lam - rho * q_safety).relu().square() - lam.square()) / (2 * rho)


def imitation(control: Tensor, safe_control: Tensor) -> Tensor:
    """The mean squared distance of controls [B, A] in units of their range, [B]. An option."""
    return ((control - safe_control.detach()) / 2).square().mean(-1)


def augmented_multiplier(
    lam: Tensor, q_safety: Tensor, rho: float, rate: float, cap: float
) -> Tensor:
    """The next lam: lam + rate / rho (mean relu(lam - rho Q_h) - lam), in [0, cap]."""
    step = (lam - rho * q_safety.detach()).relu().mean() - lam
    return (lam + rate / rho * step).clamp(0.0, cap)


def split_multiplier_loss(lam: Tensor, q_safety: Tensor, inside: Tensor, cap: float) -> Split:
    """L_A + L_B by our reading R1.

    Args:
        lam: lambda(x) >= 0 [B].
        q_safety: Q_h(x, pi(x), mu_h(x)), whose gradient is not followed [B].
        inside: see `inside_set` [B].
        cap: lambda_max; distances to it are counted in its unit, or they would drown L_A.
    """
    within = inside.to(lam)
    ascent = (within * lam * q_safety.detach()).mean()
    return Split(ascent, ((1 - within) * (lam / cap - 1).square()).mean())


def ascent_multiplier_loss(lam: Tensor, q_safety: Tensor) -> Tensor:
    """RCRL's: -lambda times the violation -Q_h, cut to [-10, 100], at every state. An option."""
    return -(lam * (-q_safety.detach()).clamp(-10.0, 100.0)).mean()


def annealed(start: float, end: float, progress: float, share: float) -> float:
    """g_h: 1 - g_h falls geometrically from `start` to `end` over a share of training."""
    done = min(progress / share, 1.0) if share > 0 else 1.0
    return float(1 - (1 - start) ** (1 - done) * (1 - end) ** done)
