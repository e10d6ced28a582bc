"""A network without branches as an ONNX graph: one or two operators a layer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor, nn

from safer_gym.elementwise import Elementwise

OPSET = 20
IR_VERSION = 9
"""Of ONNX 1.15, which onnxruntime reads from 1.17 on."""
INPUT, OUTPUT = "obs", "action"


class Operator(NamedTuple):
    """An ONNX operator: of what stands before it (and what stood one before), and of constants."""

    kind: str
    constants: tuple[Tensor, ...] = ()
    attributes: dict[str, Any] = {}
    twice: bool = False
    """Whether it also reads what the operator before it read."""


def onnx_bytes(network: nn.Sequential, stated: dict[str, Any]) -> bytes:
    """The file's content.

    Args:
        network: [B, O] -> [B, A], of the layers in LAYERS.
        stated: what the file says of itself, as JSON in its metadata.

    Raises:
        ValueError: a layer that ONNX has no operator for.
        ModuleNotFoundError: onnx is not installed.
    """
    try:
        import onnx
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "an ONNX file is written with onnx: pip install safer-gym[onnx]"
        ) from error
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[Any] = []
    constants: list[Any] = []
    now = before = INPUT
    for operator in _operators(network):
        names = [f"constant_{len(constants) + k}" for k in range(len(operator.constants))]
        for name, value in zip(names, operator.constants, strict=True):
            numbers = np.ascontiguousarray(value.detach().float().numpy())
            constants.append(numpy_helper.from_array(numbers, name))
        inputs = [*((before,) if operator.twice else ()), now, *names]
        output = f"value_{len(nodes)}"
        nodes.append(helper.make_node(operator.kind, inputs, [output], **operator.attributes))
        before, now = now, output
    nodes[-1].output[0] = OUTPUT
    widths = [module for module in network if isinstance(module, nn.Linear)]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width])
        for name, width in ((INPUT, widths[0].in_features), (OUTPUT, widths[-1].out_features))
    ]
    graph = helper.make_graph(nodes, "policy", ends[:1], ends[1:], constants)
    model = helper.make_model(
        graph,
        producer_name="safer-gym",
        producer_version=version("safer-gym"),
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
    )
    helper.set_model_props(model, {"safer-gym": json.dumps(stated)})
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def _operators(network: nn.Sequential) -> Iterator[Operator]:
    for module in network:
        kind = type(module)
        if kind not in LAYERS:
            raise ValueError(f"an ONNX file has no operator for the layer {kind.__name__}")
        yield from LAYERS[kind](module)


def _linear(module: Any) -> list[Operator]:
    bias = () if module.bias is None else (module.bias,)
    return [Operator("Gemm", (module.weight, *bias), {"transB": 1})]


def _softplus(module: Any) -> list[Operator]:
    if module.beta != 1:
        raise ValueError(f"an ONNX file has no operator for a Softplus of beta {module.beta}")
    return [Operator("Softplus")]


def _layer_norm(module: Any) -> list[Operator]:
    weight = module.weight if module.weight is not None else _ones(module.normalized_shape[0])
    bias = () if module.bias is None else (module.bias,)
    return [Operator("LayerNormalization", (weight, *bias), {"epsilon": module.eps})]


def _batch_norm(module: Any) -> list[Operator]:
    n = module.num_features
    weight, bias = (module.weight, module.bias) if module.affine else (_ones(n), 0 * _ones(n))
    moments = (module.running_mean, module.running_var)
    return [Operator("BatchNormalization", (weight, bias, *moments), {"epsilon": module.eps})]


def _clip(low: float, high: float) -> list[Operator]:
    return [Operator("Clip", (Tensor([low])[0], Tensor([high])[0]))]


def _ones(n: int) -> Tensor:
    return Tensor([1.0] * n)


BINARY = {"add": "Add", "subtract": "Sub", "multiply": "Mul", "divide": "Div"}
LAYERS: dict[type[nn.Module], Callable[[Any], list[Operator]]] = {
    nn.Linear: _linear,
    Elementwise: lambda m: [Operator(BINARY[m.operation], (m.amount,))],
    nn.ReLU: lambda m: [Operator("Relu")],
    nn.LeakyReLU: lambda m: [Operator("LeakyRelu", (), {"alpha": m.negative_slope})],
    nn.Tanh: lambda m: [Operator("Tanh")],
    nn.ELU: lambda m: [Operator("Elu", (), {"alpha": m.alpha})],
    nn.CELU: lambda m: [Operator("Celu", (), {"alpha": m.alpha})],
    nn.SELU: lambda m: [Operator("Selu")],
    nn.SiLU: lambda m: [Operator("Sigmoid"), Operator("Mul", twice=True)],
    nn.GELU: lambda m: [Operator("Gelu", (), {"approximate": m.approximate})],
    nn.Mish: lambda m: [Operator("Mish")],
    nn.Sigmoid: lambda m: [Operator("Sigmoid")],
    nn.Softplus: _softplus,
    nn.Softsign: lambda m: [Operator("Softsign")],
    nn.Hardtanh: lambda m: _clip(m.min_val, m.max_val),
    nn.ReLU6: lambda m: _clip(0.0, 6.0),
    nn.LayerNorm: _layer_norm,
    nn.BatchNorm1d: _batch_norm,
    nn.Dropout: lambda m: [],
    nn.AlphaDropout: lambda m: [],
    nn.Identity: lambda m: [],
    nn.Flatten: lambda m: [],
}
"""By the kind of layer; the same kinds as `safer_gym.bounds.MODULES`."""
