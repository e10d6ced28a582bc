"""An ONNX graph read as data: a network without branches, built from torch's own modules."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from safer_gym.conformance.loading.chain import (
    Chain,
    Erf,
    batch_norm,
    clamp,
    layer_norm,
    linear,
    of_width,
)
from safer_gym.conformance.loading.operations import operation
from safer_gym.conformance.loading.protobuf import Message

DTYPES = {1: np.float32, 7: np.int64, 6: np.int32, 9: np.bool_, 11: np.float64}
FLOATS = (1, 11)
MAX_NODES = 10_000
ACTION_NAMES = ("action", "actions", "mean_actions")


class Node(NamedTuple):
    """One operator."""

    kind: str
    inputs: Sequence[str]
    output: str
    attributes: Mapping[str, Any]


def read_onnx(content: bytes) -> nn.Sequential:
    """The network of an ONNX file.

    Raises:
        ValueError: it is no network without branches, or damaged.
    """
    try:
        graphs = Message(content).messages(7)
        if len(graphs) != 1:
            raise ValueError("it has no graph")
        found = _followed(graphs[0])
    except (ArithmeticError, IndexError, KeyError, RuntimeError, TypeError) as error:
        raise ValueError(f"a step that is not read as data: {error!r}") from error
    if not isinstance(found, Chain):
        raise ValueError("its action does not depend on the observation")
    return found.network()


def _followed(graph: Message) -> Any:
    """The value of the output, with the observation as an unknown."""
    values: dict[str, Any] = {"": None}
    values |= {part.text(8): _tensor(part) for part in graph.messages(5)}
    inputs = [part for part in graph.messages(11) if part.text(1) not in values]
    if len(inputs) != 1:
        raise ValueError("it has several inputs")
    values[inputs[0].text(1)] = _observation(inputs[0])
    nodes = graph.messages(1)
    if len(nodes) > MAX_NODES:
        raise ValueError(f"more than {MAX_NODES} operators")
    for part in nodes:
        node = _node(part)
        values[node.output] = _result(node, [values[name] for name in node.inputs])
    return values[action_name([part.text(1) for part in graph.messages(12)])]


def action_name(names: Sequence[str]) -> str:
    """Which output is the action.

    Raises:
        ValueError: there are several, and none is named so.
    """
    named = [name for name in names if name in ACTION_NAMES]
    if len(names) != 1 and len(named) != 1:
        raise ValueError(
            f"it has the outputs {', '.join(names)}; name the one with the actions 'action'"
        )
    return named[0] if named else names[0]


def _observation(value: Message) -> Chain:
    (kind,) = value.messages(2)[0].messages(1)
    sizes = [size.integers(1) for size in kind.messages(2)[0].messages(1)]
    if kind.integers(1)[0] not in FLOATS or len(sizes) != 2:
        raise ValueError("its observation is no row of floats")
    width = sizes[1]
    return Chain([of_width(width[0])] if width else [])


def _tensor(part: Message) -> Tensor:
    kind, dims = (part.integers(2) or [0])[-1], part.integers(1)
    if part.raw(13) or 1 in part.integers(14):
        raise ValueError("its numbers are in another file")
    if kind not in DTYPES:
        raise ValueError(f"numbers of kind {kind}")
    dtype = np.dtype(DTYPES[kind])
    raw = part.raw(9)
    if raw:
        numbers = np.frombuffer(raw[-1], dtype.newbyteorder("<")).astype(dtype)
    else:
        fields = {1: part.floats(4), 11: part.floats(10, "d"), 7: part.integers(7)}
        numbers = np.array(fields.get(kind, part.integers(5)), dtype)
    if min(dims, default=0) < 0 or math.prod(dims) != len(numbers):
        raise ValueError(f"{len(numbers)} numbers of shape {dims}")
    return torch.from_numpy(numbers.reshape(dims).copy())


def _node(part: Message) -> Node:
    if part.text(7) not in ("", "ai.onnx"):
        raise ValueError(f"an operator of {part.text(7)}")
    outputs = [name for name in part.texts(2) if name]
    attributes = {a.text(1): _attribute(a) for a in part.messages(5)}
    return Node(part.text(4), part.texts(1), outputs[0], attributes)


def _attribute(part: Message) -> Any:
    kinds: dict[int, Callable[[], Any]] = {
        1: lambda: part.floats(2)[-1],
        2: lambda: part.integers(3)[-1],
        3: lambda: part.raw(4)[-1].decode(),
        4: lambda: _tensor(part.messages(5)[-1]),
        6: lambda: torch.tensor(part.floats(7)),
        7: lambda: torch.tensor(part.integers(8)),
    }
    return kinds[part.integers(20)[-1]]()


def _result(node: Node, args: Sequence[Any]) -> Any:
    if node.kind in NAMES and not node.attributes:
        return operation(NAMES[node.kind], args, {})
    if node.kind not in OPERATORS:
        raise ValueError(f"the operator {node.kind}")
    first, *rest = args or [None]
    if any(isinstance(arg, Chain) for arg in rest):
        raise ValueError(f"{node.kind} of two branches")
    if node.kind in ("Constant", "Identity"):
        return first if first is not None else next(iter(node.attributes.values()))
    if not isinstance(first, Chain):
        raise ValueError(f"the operator {node.kind} of constants")
    return first.then(OPERATORS[node.kind](*rest, **node.attributes))


def _gemm(
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,
    transB: int = 0,
) -> nn.Module:
    if transA or alpha != 1.0 or beta != 1.0:
        raise ValueError("a Gemm with factors")
    return linear(weight if transB else weight.mT, bias)


def _selu(*, alpha: float = 1.67326, gamma: float = 1.0507) -> nn.Module:
    if abs(alpha - 1.67326) > 1e-5 or abs(gamma - 1.0507) > 1e-5:
        raise ValueError("a SELU with numbers of its own")
    return nn.SELU()


def _clip(low: Any = None, high: Any = None, **ends: float) -> nn.Module:
    return clamp(ends.get("min", low), ends.get("max", high))


def _flatten(*, axis: int = 1) -> nn.Module:
    if axis != 1:
        raise ValueError(f"a flattening at axis {axis}")
    return nn.Flatten()


def _reshape(shape: Tensor, *, allowzero: int = 0) -> nn.Module:
    rows, *columns = shape.tolist()
    if rows not in (0, -1) or len(columns) != 1 or (rows, columns[0]) == (-1, -1) or allowzero:
        raise ValueError(f"a reshaping to {shape.tolist()}")
    return nn.Identity() if columns[0] == -1 else of_width(columns[0])


def _dropout(ratio: Any = None, training: Any = None, **options: Any) -> nn.Module:
    if training is not None and bool(training):
        raise ValueError("dropout in training")
    return nn.Identity()


def _layer_normalization(
    weight: Tensor, bias: Tensor | None = None, *, axis: int = -1, epsilon: float = 1e-5, **_: Any
) -> nn.Module:
    if axis not in (-1, 1):
        raise ValueError(f"a LayerNormalization from axis {axis}")
    return layer_norm(weight.numel(), weight, bias, epsilon)


def _batch_normalization(
    weight: Tensor,
    bias: Tensor,
    mean: Tensor,
    variance: Tensor,
    *,
    epsilon: float = 1e-5,
    training_mode: int = 0,
    **_: Any,
) -> nn.Module:
    if training_mode:
        raise ValueError("a BatchNormalization in training")
    return batch_norm(mean, variance, weight, bias, epsilon)


NAMES = {
    **{"Add": "add", "Sub": "sub", "Mul": "mul", "Div": "div", "Neg": "neg", "Exp": "exp"},
    **{"Sqrt": "sqrt", "Reciprocal": "reciprocal", "MatMul": "matmul", "Relu": "relu"},
    **{"Tanh": "tanh", "Sigmoid": "sigmoid", "Softplus": "softplus", "Mish": "mish"},
}
"""Operators without attributes, by torch's names."""
OPERATORS: dict[str, Callable[..., nn.Module]] = {
    "Gemm": _gemm,
    "Elu": lambda *, alpha=1.0: nn.ELU(alpha),
    "Celu": lambda *, alpha=1.0: nn.CELU(alpha),
    "LeakyRelu": lambda *, alpha=0.01: nn.LeakyReLU(alpha),
    "Selu": _selu,
    "Gelu": lambda *, approximate="none": nn.GELU(approximate),
    "Softsign": nn.Softsign,
    "Erf": Erf,
    "Clip": _clip,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Dropout": _dropout,
    "LayerNormalization": _layer_normalization,
    "BatchNormalization": _batch_normalization,
    "Identity": nn.Identity,
    "Constant": nn.Identity,
}
"""The others: from the inputs after the first, and the attributes, to a module."""
