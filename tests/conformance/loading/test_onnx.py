"""ONNX: the graph's actions, whatever its batch size; what reaches outside is refused."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import numpy as np
import onnx_bytes as onnx
import pytest
import torch

from safer_gym.conformance.loading import load_policy
from safer_gym.conformance.loading.onnx_policy import OnnxPolicy
from safer_gym.wrappers.policies.victims import as_victim

WEIGHT = np.float32([[1.0, 0.0, 2.0], [0.5, -1.0, 0.0]]).T


def graph(batch: int | str = "batch", weight: bytes | None = None, op: str = "Tanh") -> bytes:
    domain = "own.operators" if op == "Own" else ""
    return onnx.model(
        [onnx.node("MatMul", ["obs", "w"], "h"), onnx.node(op, ["h"], "action", domain)],
        [weight or onnx.tensor("w", WEIGHT)],
        [onnx.value("obs", [batch, 3])],
        [onnx.value("action", [batch, 2])],
    )


@pytest.mark.parametrize("batch", ["batch", 1, 4])
def test_a_graph_acts(batch: int | str, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    path = tmp_path / "policy.onnx"
    path.write_bytes(graph(batch))
    loaded = load_policy(path)
    assert (loaded.kind, loaded.ran_code) == ("onnx", False)
    obs = torch.randn(7, 3)
    expected = np.tanh(obs.numpy() @ WEIGHT)
    np.testing.assert_allclose(as_victim(loaded.policy).action(obs), expected, rtol=1e-5)


def test_a_graph_can_be_sent_to_another_process(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    policy = OnnxPolicy(graph())
    obs = np.float32([[1.0, 2.0, 3.0]])
    sent = pickle.loads(pickle.dumps(policy))
    np.testing.assert_array_equal(sent.predict(obs)[0], policy.predict(obs)[0])


def test_what_reaches_outside_the_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    (tmp_path / "numbers.bin").write_bytes(WEIGHT.tobytes())
    monkeypatch.chdir(tmp_path)
    elsewhere = onnx.external_tensor("w", WEIGHT.shape, "numbers.bin")
    for content in (graph(weight=elsewhere), graph(op="Own"), b"no graph"):
        (tmp_path / "policy.onnx").write_bytes(content)
        with pytest.raises(ValueError, match=r"policy.onnx: onnxruntime refuses it"):
            load_policy(tmp_path / "policy.onnx")


def test_the_input_and_the_output_must_be_told(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    two = onnx.model(
        [onnx.node("Add", ["a", "b"], "sum"), onnx.node("Tanh", ["sum"], "other")],
        [],
        [onnx.value("a", [1, 3]), onnx.value("b", [1, 3])],
        [onnx.value("sum", [1, 3])],
    )
    (tmp_path / "two.onnx").write_bytes(two)
    with pytest.raises(ValueError, match="must return each of them"):
        load_policy(tmp_path / "two.onnx")


def test_without_onnxruntime_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    (tmp_path / "policy.onnx").write_bytes(graph(op="Sin"))
    with pytest.raises(ModuleNotFoundError, match=r"safer-gym\[onnx\]"):
        load_policy(tmp_path / "policy.onnx")
