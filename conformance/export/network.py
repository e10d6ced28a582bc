"""A policy as one network without branches: from raw observations to the environment's actions.

What the policy computes is written down operation by operation, and read by the same reader that
opens model files as data. So what is exported can be read back, and nothing else is exported.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from safer_gym.conformance.loading.chain import Chain, elementwise
from safer_gym.conformance.loading.operations import operation
from safer_gym.elementwise import Elementwise
from safer_gym.wrappers.policies.normaliser import moments_by_key
from safer_gym.wrappers.policies.view import PolicyView

SAME = ("_to_copy", "alias", "clone", "detach", "expand", "lift_fresh", "lift_fresh_copy", "view")
"""Operations that change no number of a row."""
RENAMED = {"native_layer_norm": "layer_norm", "_native_batch_norm_legit_no_training": "batch_norm"}
SELU = (1.6732632423543772, 1.0507009873554805)
"""Slope and scale, as torch writes it down."""


def network_of(view: PolicyView) -> nn.Sequential:
    """The deterministic policy [B, O] -> [B, A], with its normaliser as its first layers.

    Of discrete actions the outputs are scores, an option each, of which the largest is taken.

    Raises:
        ValueError: a policy that is no network without branches, or observations that are no row.
    """
    if not view.modules:
        kind = type(view.inner).__name__
        raise ValueError(f"export takes a policy with a torch network; this one is a {kind}")
    space = view.observation_space
    if not isinstance(space, spaces.Box) or len(space.shape) != 1:
        raise ValueError(
            "export takes a policy of Box observations with one axis; this policy's observation "
            f"space is {space}"
        )
    normaliser = [] if view.normaliser is None else _normalising(view.normaliser)
    try:
        chain = _read(_answer(replace(view, normaliser=None)), torch.zeros(2, *space.shape))
        return nn.Sequential(*map(_owned, Chain([*normaliser, *chain.modules]).network()))
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(
            "export takes networks without branches, made of linear layers, activations and "
            f"norms, and cannot take this policy: {error}"
        ) from error


def _answer(view: PolicyView) -> Callable[[Tensor], Tensor]:
    victim = view.victim()
    if isinstance(view.action_space, spaces.Box):
        return victim.deterministic.action

    def scores(obs: Tensor) -> Tensor:
        assert victim.distribution is not None
        found: Any = victim.distribution(obs)
        return found.scores if hasattr(found, "scores") else found.logits

    return scores


class _Reader(TorchDispatchMode):
    """Follows what becomes of an observation through all operations on it.

    An operation that cannot be followed is an error only where the answer depends on it.
    """

    def __init__(self, obs: Tensor) -> None:
        super().__init__()
        self._found: dict[int, tuple[Tensor, Chain | ValueError]] = {id(obs): (obs, Chain())}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        values = [self._value(arg) for arg in args]
        if any(isinstance(value, (Chain, ValueError)) for value in values):
            # Of a norm and its statistics, the norm.
            first = result[0] if isinstance(result, (list, tuple)) else result
            self._found[id(first)] = (first, self._followed(func, values, kwargs or {}))
        return result

    def _value(self, arg: Any) -> Any:
        if isinstance(arg, (list, tuple)) and any(id(part) in self._found for part in arg):
            return ValueError("several branches that meet")
        return self._found[id(arg)][1] if id(arg) in self._found else arg

    def _followed(self, func: Any, values: list[Any], kwargs: Any) -> Chain | ValueError:
        errors = [value for value in values if isinstance(value, ValueError)]
        if errors:
            return errors[0]
        try:
            return _step(func._schema.name.removeprefix("aten::"), values, kwargs)
        except ValueError as error:
            return error

    def chain(self, answer: Tensor) -> Chain:
        """What the observation has become.

        Raises:
            ValueError: no chain of operations that are known.
        """
        _, found = self._found.get(id(answer), (answer, ValueError("no dependence on it")))
        if isinstance(found, ValueError):
            raise found
        return found


def _read(function: Callable[[Tensor], Tensor], obs: Tensor) -> Chain:
    """What a function does to a batch, step by step."""
    reader = _Reader(obs)
    with torch.no_grad(), reader:
        answer = function(obs)
    return reader.chain(answer)


def _step(name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    if name in SAME:
        return args[0]
    if name == "clamp" and any(isinstance(end, Tensor) and end.numel() > 1 for end in args[1:]):
        return args[0].then(*_cut(*args[1:]))
    if name == "elu" and tuple(args[1:3]) == SELU:
        return args[0].then(nn.SELU())
    if name == "_native_batch_norm_legit_no_training":
        chain, weight, bias, mean, variance, momentum, eps = args
        args = [chain, weight, bias, mean, variance, False, momentum, eps]
    return operation(RENAMED.get(name, name), args, kwargs)


def _owned(module: nn.Module) -> nn.Module:
    """With numbers of its own: a file of a tensor that repeats one number is not read back."""
    if isinstance(module, Elementwise):
        return Elementwise(module.operation, module.amount.contiguous())
    return module


def _normalising(normaliser: Any) -> list[nn.Module]:
    """(obs - mean) / deviation, cut. Far from zero a mean has too few digits in float32: it goes
    in two parts, the first of which is subtracted without round-off where it matters."""
    mean, variance = moments_by_key(normaliser)[""]
    deviation, limit = np.sqrt(variance + normaliser.epsilon), float(normaliser.clip_obs)
    coarse = mean.astype(np.float32)
    parts = [("subtract", coarse), ("subtract", mean - coarse), ("divide", deviation)]
    made = [elementwise(name, torch.as_tensor(value).float()) for name, value in parts]
    return [*made, nn.Hardtanh(-limit, limit)]


def _cut(low: Tensor, high: Tensor) -> Sequence[nn.Module]:
    """To a box [A]. One whose sides differ becomes [-1, 1] first."""
    low, high = low.double(), high.double()
    if (low == low[0]).all() and (high == high[0]).all():
        return [nn.Hardtanh(float(low[0]), float(high[0]))]
    centre, half = ((low + high) / 2).float(), ((high - low) / 2).float()
    before = [elementwise("subtract", centre), elementwise("divide", half)]
    after = [elementwise("multiply", half), elementwise("add", centre)]
    return [*before, nn.Hardtanh(-1.0, 1.0), *after]
