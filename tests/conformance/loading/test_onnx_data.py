"""ONNX graphs read as data: as onnxruntime computes them, with gradients and bounds."""

from __future__ import annotations

import contextlib
import random
import sys
from pathlib import Path

import numpy as np
import onnx_bytes as onnx
import pytest
import torch
from torch import nn

from safer_gym.balls import LpBall
from safer_gym.bounds import enclose, sequential_layers
from safer_gym.conformance.loading import load_policy
from safer_gym.conformance.loading.onnx_data import read_onnx
from safer_gym.conformance.loading.onnx_policy import OnnxPolicy
from safer_gym.wrappers.policies.victims import as_victim

NUMBERS = np.random.default_rng(0)
TENSORS = {
    "mean": NUMBERS.normal(size=(1, 3)),
    "std": 0.5 + NUMBERS.random((1, 3)),
    "w": NUMBERS.normal(size=(4, 3)),
    "b": NUMBERS.normal(size=4),
    "v": NUMBERS.normal(size=(4, 2)),
    "scale": 0.5 + NUMBERS.random(4),
    "shift": NUMBERS.normal(size=4),
    "var": 0.5 + NUMBERS.random(4),
    "low": np.float32(-1.0),
    "high": np.float32(1.5),
    "one": np.float32(1.0),
    "half": np.float32(0.5),
    "root": np.float32(2**0.5),
    "shape": np.int64([-1, 4]),
    "keep": np.int64([0, -1]),
}
START = [
    onnx.node("Sub", ["obs", "mean"], "c"),
    onnx.node("Div", ["c", "std"], "n"),
    onnx.node("Gemm", ["n", "w", "b"], "h", transB=1),
]
END = onnx.node("MatMul", ["g", "v"], "action")
MIDDLES: dict[str, list[bytes]] = {
    "elu": [onnx.node("Elu", ["h"], "g", alpha=0.5)],
    "default elu": [onnx.node("Elu", ["h"], "g")],
    "leaky": [onnx.node("LeakyRelu", ["h"], "g", alpha=0.25)],
    "selu": [onnx.node("Selu", ["h"], "g")],
    "celu": [onnx.node("Celu", ["h"], "g", alpha=2.0)],
    "plain": [onnx.node("Relu", ["h"], "1"), onnx.node("Tanh", ["1"], "g")],
    "soft": [onnx.node("Softplus", ["h"], "1"), onnx.node("Softsign", ["1"], "g")],
    "silu": [onnx.node("Sigmoid", ["h"], "1"), onnx.node("Mul", ["h", "1"], "g")],
    "mish": [
        onnx.node("Softplus", ["h"], "1"),
        onnx.node("Tanh", ["1"], "2"),
        onnx.node("Mul", ["h", "2"], "g"),
    ],
    "gelu": [
        onnx.node("Div", ["h", "root"], "1"),
        onnx.node("Erf", ["1"], "2"),
        onnx.node("Add", ["2", "one"], "3"),
        onnx.node("Mul", ["h", "3"], "4"),
        onnx.node("Mul", ["4", "half"], "g"),
    ],
    "clip": [onnx.node("Clip", ["h", "low", "high"], "g")],
    "shapes": [
        onnx.node("Flatten", ["h"], "1", axis=1),
        onnx.node("Reshape", ["1", "shape"], "2"),
        onnx.node("Reshape", ["2", "keep"], "3"),
        onnx.node("Identity", ["3"], "g"),
    ],
    "arithmetic": [
        onnx.node("Sub", ["one", "h"], "1"),
        onnx.node("Mul", ["scale", "1"], "2"),
        onnx.node("Sqrt", ["var"], "r"),
        onnx.node("Div", ["2", "r"], "3"),
        onnx.node("Neg", ["3"], "4"),
        onnx.node("Add", ["4", "shift"], "g"),
    ],
    "layer norm": [onnx.node("LayerNormalization", ["h", "scale", "shift"], "g", epsilon=1e-3)],
    "batch norm": [
        onnx.node("BatchNormalization", ["h", "scale", "shift", "b", "var"], "g", epsilon=1e-3)
    ],
}
OBS, ACTION = onnx.value("obs", ["batch", 3]), onnx.value("action", ["batch", 2])


def graph(middle: list[bytes], obs: bytes = OBS) -> bytes:
    tensors = [onnx.tensor(name, np.asarray(value)) for name, value in TENSORS.items()]
    return onnx.model([*START, *middle, END], tensors, [obs], [ACTION], opset=17)


@pytest.mark.parametrize("name", MIDDLES)
def test_a_network_is_read_as_data_and_acts_as_it_did(name: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    path = tmp_path / "policy.onnx"
    path.write_bytes(graph(MIDDLES[name]))
    loaded = load_policy(path)
    assert (loaded.kind, loaded.ran_code) == ("onnx", False)
    assert isinstance(loaded.policy, nn.Sequential)
    obs = torch.from_numpy(np.random.default_rng(1).normal(size=(9, 3)).astype(np.float32))
    expected = OnnxPolicy(path.read_bytes()).predict(obs.numpy())[0]
    obs.requires_grad_()
    actions = as_victim(loaded.policy).action(obs)
    np.testing.assert_allclose(actions.detach(), expected, rtol=2e-5, atol=2e-6)
    (slope,) = torch.autograd.grad(actions.sum(), obs)
    assert bool((slope != 0).any())
    box = enclose(sequential_layers(loaded.policy), obs.detach(), LpBall.of("linf", 0.0))
    values = torch.from_numpy(expected).double()
    assert ((box.lower - 1e-5 <= values) & (values <= box.upper + 1e-5)).all()


def test_neither_onnx_nor_onnxruntime_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    (tmp_path / "policy.onnx").write_bytes(graph(MIDDLES["elu"]))
    assert load_policy(tmp_path / "policy.onnx").policy(torch.zeros(2, 3)).shape == (2, 2)


BRANCH = [onnx.node("Tanh", ["h"], "1"), onnx.node("Add", ["h", "1"], "g")]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (graph(BRANCH), "two branches"),
        (graph([onnx.node("Tanh", ["h"], "1"), onnx.node("Mul", ["h", "1"], "g")]), "branches"),
        (graph([onnx.node("Erf", ["h"], "g")]), "Erf"),
        (graph([onnx.node("Sin", ["h"], "g")]), "operator Sin"),
        (graph([onnx.node("Elu", ["h"], "g", "mine")]), "operator of mine"),
        (graph([onnx.node("Div", ["one", "h"], "g")]), "divided by"),
        (graph([onnx.node("Selu", ["h"], "g", alpha=2.0)]), "SELU"),
        (graph([onnx.node("Flatten", ["h"], "g", axis=0)]), "flattening"),
        (graph([onnx.node("Reshape", ["h", "shape"], "1"), END]), "'g'"),
        (graph([onnx.node("Mul", ["h", "mean"], "g")]), "3 numbers beside 4"),
        (graph(MIDDLES["elu"], onnx.value("obs", ["batch", 4])), "outputs before|inputs"),
        (graph(MIDDLES["elu"], onnx.value("obs", ["batch", 3, 3])), "row of floats"),
        (b"no graph", "wire type"),
        (b"", "no graph"),
    ],
)
def test_what_is_no_plain_network_is_not_read(content: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_onnx(content)


def test_a_branch_is_left_to_onnxruntime(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    (tmp_path / "policy.onnx").write_bytes(graph(BRANCH))
    assert isinstance(load_policy(tmp_path / "policy.onnx").policy, OnnxPolicy)


def test_a_damaged_graph_is_refused_and_nothing_else_happens() -> None:
    data = graph(MIDDLES["layer norm"])
    chance = random.Random(0)
    for _ in range(300):
        broken = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        with contextlib.suppress(ValueError):
            read_onnx(bytes(broken[: chance.randint(1, len(broken))]))
