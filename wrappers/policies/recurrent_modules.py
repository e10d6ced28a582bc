"""Torch modules with a memory: beside the action they return what they are to be given next.

`module(obs, *states)` returns (action, *states). States that the module cannot do without are
zeros where an episode begins.

Axes: B batch, L layers, H hidden units.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from safer_gym.wrappers.obs_layout import any_part
from safer_gym.wrappers.policies.modes import as_found
from safer_gym.wrappers.policies.recurrent import Ask, Step


def module_with_states(module: nn.Module, obs: Any) -> Ask | None:
    """How a module is asked that returns states beside its action; None for any other.

    Args:
        obs: some observations.

    Raises:
        ValueError: it needs states whose shape cannot be told.
    """
    needed = _needed(module)
    if not needed:
        if not _hands_on(module, obs):
            return None
        return lambda obs, state: _step(module, obs, () if state is None else state)
    shapes = _state_shapes(module, obs, needed)

    def ask(obs: Any, state: Any) -> Step:
        n = len(any_part(obs))
        return _step(module, obs, _zeros(shapes, n) if state is None else state)

    return ask


def _hands_on(module: nn.Module, obs: Any) -> bool:
    """Whether what it returns beside the action is what it takes beside the observation."""
    with torch.no_grad():
        try:
            told = _call(module, obs)
            is_pair = isinstance(told, tuple) and len(told) > 1
            return is_pair and isinstance(_call(module, obs, *told[1:]), tuple)
        except Exception:  # what it cannot answer, the gate asks again and explains
            return False


def _step(module: nn.Module, obs: Any, states: Any) -> Step:
    like = any_part(obs)
    action, *after = _call(module, obs, *states)
    is_batch = isinstance(action, Tensor) and 0 < action.dim() <= 2
    if not is_batch or len(action) != len(like):
        got = tuple(action.shape) if isinstance(action, Tensor) else type(action).__name__
        raise ValueError(f"a torch policy must return actions [{len(like)}, A] first; got {got}")
    return Step(action, tuple(after))


def _call(module: nn.Module, obs: Any, *states: Any) -> Any:
    own = next(module.parameters(), any_part(obs))

    def given(value: Any) -> Any:
        floats = isinstance(value, Tensor) and value.is_floating_point()
        return value.to(own.device, own.dtype) if floats else value

    shown = {k: given(v) for k, v in obs.items()} if isinstance(obs, dict) else given(obs)
    # cuDNN has no gradient of a recurrent layer in evaluation mode.
    with as_found(module), torch.backends.cudnn.flags(enabled=False):
        return module(shown, *map(given, states))


def _needed(module: nn.Module) -> int:
    """How many arguments `forward` has beside the observation and cannot do without."""
    if isinstance(module, torch.jit.ScriptModule):
        schema: Any = module.forward.schema  # type: ignore[attr-defined]
        given = schema.arguments[2:]  # after self and the observation
        return sum(not argument.has_default_value() for argument in given)
    parameters = list(inspect.signature(module.forward).parameters.values())[1:]
    required = (p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD))
    return sum(p.default is p.empty for p in required)


def _state_shapes(module: nn.Module, obs: Any, needed: int) -> list[tuple[int, ...]]:
    """Shapes of the states, with -1 for B, by trial: those that come back as they went in."""
    n = len(any_part(obs))
    for shape in _candidates(module):
        shapes = [shape] * needed
        try:
            with torch.no_grad():
                _, *after = _call(module, obs, *_zeros(shapes, n))
        except (RuntimeError, ValueError, TypeError):
            continue
        if [tuple(part.shape) for part in after] == [part.shape for part in _zeros(shapes, n)]:
            return shapes
    raise ValueError(
        f"the policy takes {needed} states beside the observation, and their shapes cannot be told "
        "from its recurrent layers: give them a default, `state: Optional[Tensor] = None`"
    )


def _candidates(module: nn.Module) -> Iterator[tuple[int, ...]]:
    hidden = [part for name, part in module.named_parameters() if "weight_hh" in name]
    widths = dict.fromkeys(part.shape[1] for part in hidden)
    for layers, width in itertools.product(range(len(hidden), 0, -1), widths):
        yield (layers, -1, width)
    for width in widths:
        yield (-1, width)


def _zeros(shapes: list[tuple[int, ...]], n: int) -> tuple[Tensor, ...]:
    return tuple(torch.zeros([n if size == -1 else size for size in shape]) for shape in shapes)
