"""Exported policies: as `predict`, read back as data, and honest about what is not inside."""

from __future__ import annotations

import copy
import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sb3_contrib
import torch
from gymnasium import spaces
from model_specimens import Point
from normalised_models import venv
from stable_baselines3 import DQN, PPO, SAC, TD3
from torch import nn
from typer.testing import CliRunner

from safer_gym.agents import CVPO, PPOLagrangian, SACLagrangian, TD3Lagrangian
from safer_gym.conformance.cli.main import app
from safer_gym.conformance.export import TARGETS, export_policy
from safer_gym.conformance.export import export as export_module
from safer_gym.conformance.export.onnx_file import LAYERS
from safer_gym.conformance.loading import load_policy
from safer_gym.conformance.loading.onnx_policy import OnnxPolicy

onnx = pytest.importorskip("onnx")

SMALL: dict[str, Any] = {"device": "cpu", "seed": 0}
CHOICES = {
    "discrete": spaces.Discrete(4),
    "several": spaces.MultiDiscrete([2, 3]),
}
OWN = (CVPO, PPOLagrangian, SACLagrangian, TD3Lagrangian)
MODELS: dict[str, Any] = {
    **{kind.__name__: kind for kind in (SAC, TD3, PPO, *OWN)},
    **{name: getattr(sb3_contrib, name) for name in ("TQC", "CrossQ", "TRPO", "ARS")},
}
ACTIVATIONS = ("ELU", "SiLU", "GELU", "Mish", "LeakyReLU", "Softplus", "SELU", "CELU", "ReLU6")


def model(kind: Any, env: Any = None, **options: Any) -> Any:
    # A dict of its own: Stable-Baselines3 writes into it.
    policy = {"net_arch": [8, 8]} | options.pop("policy_kwargs", {})
    return kind("MlpPolicy", env or Point(), **SMALL, policy_kwargs=policy, **options)


@pytest.mark.parametrize("name", MODELS)
def test_acts_as_predict(name: str, tmp_path: Path) -> None:
    own = MODELS[name].__module__.startswith("safer_gym")
    steps = {"episode_length": 5} if own and name != "PPOLagrangian" else {}
    made = model(MODELS[name], **steps)
    for ending in TARGETS:
        written = export_policy(made, tmp_path / f"policy{ending}")
        assert written.difference <= 1e-6
        assert not load_policy(written.path).ran_code


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name: str, tmp_path: Path) -> None:
    options = {"net_arch": [8], "activation_fn": getattr(nn, name)}
    made = model(PPO, policy_kwargs=options)
    for ending in TARGETS:
        assert export_policy(made, tmp_path / f"policy{ending}").difference <= 1e-6


@pytest.mark.parametrize("name", CHOICES)
def test_scores_of_options(name: str, tmp_path: Path) -> None:
    env = Point(action_space=CHOICES[name])
    for kind in (PPO, DQN)[: 2 if name == "discrete" else 1]:
        written = export_policy(model(kind, env), tmp_path / "policy.onnx")
        assert written.difference == 0.0
        assert "score" in written.stated["action"]["output"]


def test_runs_elsewhere(tmp_path: Path) -> None:
    """Also in onnxruntime and in torch's interpreter, which know nothing of this package."""
    made = model(SAC)
    obs = np.stack([Point().observation_space.sample() for _ in range(7)])
    asked = made.predict(obs, deterministic=True)[0]
    graph = export_policy(made, tmp_path / "policy.onnx").path.read_bytes()
    np.testing.assert_allclose(OnnxPolicy(graph).predict(obs)[0], asked, atol=1e-6)
    program = _loaded(export_policy(made, tmp_path / "policy.pt").path)
    np.testing.assert_allclose(program(torch.as_tensor(obs)).numpy(), asked, atol=1e-6)


def _loaded(path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer releases of torch call TorchScript deprecated
        return torch.jit.load(str(path))


def test_the_normaliser_is_inside(tmp_path: Path) -> None:
    behind = venv()
    behind.obs_rms.mean, behind.obs_rms.var = np.float64([1e3, -2]), np.float64([1e-4, 9.0])
    behind.training = False
    made = PPO("MlpPolicy", behind, n_steps=16, batch_size=16, **SMALL)
    written = export_policy(made, tmp_path / "policy.onnx")
    assert written.stated["normaliser"]["mean"] == [1e3, -2.0]
    bare = export_policy(made, tmp_path / "bare.onnx", vec_normalize=False)
    assert bare.stated["normaliser"] is None
    assert bare.digest != written.digest


def test_the_noise_is_stated(tmp_path: Path) -> None:
    said = {
        kind.__name__: export_policy(model(kind), tmp_path / "policy.pt").stated["noise"]
        for kind in (PPO, SAC, TD3)
    }
    assert said["PPO"]["deviations"] == [1.0, 1.0]
    assert "depends on the observation" in said["SAC"]
    assert "deterministic" in said["TD3"]


def test_the_files_say_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "policy.json").write_text('{"seed": 3}')
    written = export_policy(model(PPO), tmp_path / "policy.onnx", record={"task": "ball-circle"})
    beside = json.loads((tmp_path / "policy.json").read_text())
    assert (beside["seed"], beside["task"]) == (3, "ball-circle")
    (props,) = onnx.load(written.path).metadata_props
    assert json.loads(props.value)["noise"] == beside["export"]["noise"]
    archive = zipfile.ZipFile(export_policy(model(PPO), tmp_path / "policy.pt").path)
    assert any(name.endswith("safer-gym.json") for name in archive.namelist())


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (lambda: lambda obs: obs, "a torch network"),
        (lambda: model(PPO, Point(spaces.Box(0, 1, (3, 2)))), "one axis"),
        (lambda: model(PPO, policy_kwargs={"activation_fn": nn.Softsign}), "the operation abs"),
        (lambda: sb3_contrib.RecurrentPPO("MlpLstmPolicy", Point(), device="cpu"), "recurrent"),
    ],
)
def test_refusals(policy: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=words):
        export_policy(policy(), tmp_path / "policy.onnx")
    assert not list(tmp_path.iterdir())


def test_a_file_that_acts_otherwise_is_not_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(network: nn.Sequential, stated: Any) -> bytes:
        network = copy.deepcopy(network)  # its weights are the policy's
        last = [m for m in network if isinstance(m, nn.Linear)][-1]
        last.bias.data += 1e-3
        return TARGETS[".onnx"](network, stated)

    monkeypatch.setattr(export_module, "TARGETS", {".onnx": wrong})
    with pytest.raises(ValueError, match="acts otherwise"):
        export_policy(model(TD3), tmp_path / "policy.onnx")
    assert not list(tmp_path.iterdir())


def test_every_layer_that_is_read_is_written() -> None:
    from safer_gym.bounds import MODULES

    assert set(LAYERS) == set(MODULES)


def test_the_command(tmp_path: Path) -> None:
    model(PPO).save(tmp_path / "model.zip")
    out = tmp_path / "deployed.onnx"
    arguments = ["export", str(tmp_path / "model.zip"), "--out", str(out), "--json"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)[0]["difference"] <= 1e-6
    refused = CliRunner().invoke(app, [*arguments[:3], str(tmp_path / "a.txt")])
    assert refused.exit_code == 3
    assert "'.onnx', '.pt'" in refused.stderr
