"""Does an attack's result keep to its ball? Nothing that the attack says of itself counts."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from safer_gym.balls import LpBall
from safer_gym.types import AttackResult


class AdversaryError(ValueError, RuntimeError):
    """An attack broke its contract: it left the ball, or returned something else than asked.

    A ValueError as every refused argument, and a RuntimeError since the attack has run by then.
    """


def verify_result(name: str, clean: Tensor, result: Any, ball: LpBall) -> AttackResult:
    """The result without graphs of gradients, once every row of it is known to be legal.

    Args:
        name: of the attack, for the message.
        clean: the observations that the attack was given [B, *O].
        result: what it returned.
        ball: where it may move them.

    Raises:
        AdversaryError: not an AttackResult; observations of another shape or type, not finite,
            outside the ball or the observation box; objectives that are not one finite number a
            row.
    """
    parts = {field: getattr(result, field, result) for field in AttackResult._fields}
    for field, part in parts.items():
        if type(part) not in (Tensor, nn.Parameter):  # a subclass decides what "equal" means
            raise AdversaryError(
                f"attack {name!r} must return an AttackResult of tensors; got "
                f"{type(part).__name__}{'' if part is result else f' as {field}'}"
            )
    shown, *values = (part.detach() for part in parts.values())
    if shown.shape != clean.shape or shown.dtype != clean.dtype:
        raise AdversaryError(
            f"attack {name!r} must return observations {tuple(clean.shape)} of {clean.dtype}; got "
            f"{tuple(shown.shape)} of {shown.dtype}"
        )
    verify_inside(name, clean, shown, ball)
    for field, value in zip(AttackResult._fields[1:], values, strict=True):
        if value.shape != clean.shape[:1] or not bool(torch.isfinite(value).all()):
            raise AdversaryError(
                f"attack {name!r} must return one finite number a row as {field}; got "
                f"{value.tolist()!r:.80}"
            )
    return AttackResult(shown, *values)


def verify_inside(name: str, clean: Tensor, shown: Tensor, ball: LpBall) -> None:
    """Every row [B, *O] is finite, in the ball around its clean observation, and in the box.

    Raises:
        AdversaryError: names the attack and how far it went.
    """
    if torch.equal(clean, shown):
        return
    inside = ball.contains(clean, shown) & torch.isfinite(shown).flatten(1).all(1)
    if bool(inside.all()):
        return
    row = int((~inside).nonzero()[0])
    delta = (shown.double() - clean.double())[row : row + 1]
    raise AdversaryError(
        f"attack {name!r} left its ball: norm {float(ball.norm(delta)):.9g}, "
        f"{float(ball.gauge(delta)):.9g} of the allowed radius "
        f"(eps {ball.eps.max().item():.9g}), or left the observation space"
    )
