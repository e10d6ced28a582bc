"""Does a policy remember? Told by what it does, never by its class or its attributes' names.

Episodes run side by side and attacks ask a policy many times a step, so that an answer has to
depend on the observation alone, or on the observation and the state that the policy was given.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from safer_gym.wrappers.gate.questions import Questions, apart
from safer_gym.wrappers.gate.traces import buffers_of, traces_of

AGAIN = 1e-5
"""Tolerance for the same batch asked twice."""
BATCHED = 1e-3
"""Tolerance for other batches: a product of matrices may add up in another order."""


def check_no_memory(questions: Questions, rows: Any) -> None:
    """Refuse a policy whose answer depends on more than the observation.

    Args:
        questions: the policy.
        rows: a batch of observations.

    Raises:
        ValueError: says how the memory showed.
    """
    view, packed = questions.view, questions.packed(rows)
    first = packed[:1]
    before = buffers_of(view)
    answer = questions.measured(first)
    if changed := _changed(before, buffers_of(view)):
        raise memory_error(f"its buffer {changed!r} changed when it was asked")
    _check_repeats(questions, packed, first, answer)
    once = traces_of(view)
    questions.measured(first)
    if changed := _changed(once, traces_of(view)):
        raise memory_error(f"its {changed} changes each time it is asked")
    _check_rows(questions, packed)


def _check_repeats(questions: Questions, packed: Tensor, first: Tensor, answer: Tensor) -> None:
    if found := apart(answer, questions.measured(first), AGAIN):
        raise memory_error(
            f"the same observation asked twice is answered differently, by {found[1]:.3g}"
        )
    questions.alone(packed[1:5])
    if found := apart(answer, questions.measured(first), AGAIN):
        raise memory_error(f"its answer changed after other observations, by {found[1]:.3g}")


def _check_rows(questions: Questions, packed: Tensor) -> None:
    together, n = questions.measured(packed), len(packed)
    if found := apart(together, questions.measured(packed), AGAIN):
        raise memory_error(f"the same batch asked twice is answered differently, by {found[1]:.3g}")
    turned = list(range(n))[::-1]
    for other in (questions.measured(packed[turned])[turned], questions.alone(packed)):
        if found := apart(together, other, BATCHED):
            raise memory_error(
                f"its answer depends on the other observations of its batch, by {found[1]:.3g}"
            )


def _changed(before: dict[str, Any], after: dict[str, Any]) -> str:
    """The first name whose value differs; "" where all agree."""
    names = [*before, *(name for name in after if name not in before)]
    return next((name for name in names if before.get(name) != after.get(name)), "")


def memory_error(how: str) -> ValueError:
    """The refusal of a policy with a memory."""
    return ValueError(
        f"the policy has a memory of its own, or draws random numbers: {how}. Only policies whose "
        "action depends on the observation, and on a state that they return and are given again, "
        "can be measured"
    )
