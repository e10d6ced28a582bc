"""Formats that are code need trust; formats that are data do not; names are the user's own code."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from model_specimens import Evil, Point, torch_bytes
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize
from test_layout import ROOT
from torch import nn

from safer_gym.conformance.loading import FORMATS, UntrustedFile, load_policy
from safer_gym.conformance.loading.rows import in_batches_of
from safer_gym.wrappers.policies.victims import as_victim


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))


def save_program(path: Path, batch: int | None) -> None:
    obs = torch.zeros(batch or 2, 3)
    shapes = None if batch else ({0: torch.export.Dim("batch")},)
    torch.export.save(torch.export.export(network(), (obs,), dynamic_shapes=shapes), path)


def save_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps(network()))


MAKERS = {
    "program.pt2": (lambda path: save_program(path, None), "exported"),
    "one.pt2": (lambda path: save_program(path, 1), "exported"),
    "three.pt2": (lambda path: save_program(path, 3), "exported"),
    "module.pth": (lambda path: torch.save(network(), path), "pickle"),
    "old.pth": (lambda path: path.write_bytes(torch_bytes(network(), legacy=True)), "pickle"),
    "policy.pkl": (save_pickle, "pickle"),
}


@pytest.mark.parametrize("name", MAKERS)
def test_programs_need_trust_and_then_act(name: str, tmp_path: Path) -> None:
    make, kind = MAKERS[name]
    path = tmp_path / name
    make(path)
    with pytest.raises(UntrustedFile, match="--trust"):
        load_policy(path)
    loaded = load_policy(path, trust=True)
    assert (loaded.kind, loaded.ran_code) == (kind, True)
    assert FORMATS[kind].needs_trust
    obs = torch.randn(4, 3, requires_grad=True)
    actions = as_victim(loaded.policy).action(obs)
    torch.testing.assert_close(actions, network()(obs))
    (slope,) = torch.autograd.grad(actions.sum(), obs)
    (expected,) = torch.autograd.grad(network()(obs).sum(), obs)
    torch.testing.assert_close(slope, expected)


@pytest.mark.parametrize("suffix", [".pkl", ".pt", ".zip", ""])
def test_a_pickle_under_any_name_is_not_run(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"policy{suffix}"
    path.write_bytes(pickle.dumps(Evil(tmp_path / "mark")))
    with pytest.raises(UntrustedFile):
        load_policy(path)
    assert not (tmp_path / "mark").exists()
    with pytest.raises(ValueError, match="holds a value of type NoneType and no policy"):
        load_policy(path, trust=True)
    assert (tmp_path / "mark").exists(), "the specimen must be live"


def checkpoint() -> dict:
    """As trainers write it."""
    model = network()
    adam = torch.optim.Adam(model.parameters())
    return {"model": model.state_dict(), "optimizer": adam.state_dict(), "iter": 7, "infos": None}


NO_POLICIES = {
    "weights.pth": (lambda: torch_bytes(network().state_dict()), "weights without their network"),
    "old.pth": (
        lambda: torch_bytes(network().state_dict(), legacy=True),
        r"weights without their network \(keys: '0.weight', '0.bias', '2.weight', '2.bias'\)",
    ),
    "model_7.pt": (lambda: torch_bytes(checkpoint()), "weights without their network"),
    "tensor.pt": (lambda: torch_bytes(torch.zeros(3)), "a tensor without a network"),
    "config.pkl": (lambda: pickle.dumps({"seed": 1}), "a dict and no policy"),
    "number.pkl": (lambda: pickle.dumps(3), "a value of type int and no policy"),
    "array.pkl": (lambda: pickle.dumps(np.zeros(3)), "an array of numpy"),
    "vecnormalize.pkl": (lambda: pickle.dumps(vec_normalize()), "VecNormalize.*--vec-normalize"),
}


def vec_normalize() -> VecNormalize:
    return VecNormalize(DummyVecEnv([Point]))


@pytest.mark.parametrize("name", NO_POLICIES)
def test_what_is_no_policy_is_told_before_anybody_is_asked_for_trust(
    name: str, tmp_path: Path
) -> None:
    make, words = NO_POLICIES[name]
    (tmp_path / name).write_bytes(make())
    for trust in (False, True):
        with pytest.raises(ValueError, match=words) as caught:
            load_policy(tmp_path / name, trust=trust)
        assert not isinstance(caught.value, UntrustedFile)


class Nothing:
    """An object that does not act."""


def test_an_object_that_does_not_act_is_no_policy(tmp_path: Path) -> None:
    (tmp_path / "thing.pkl").write_bytes(pickle.dumps(Nothing()))
    with pytest.raises(UntrustedFile):
        load_policy(tmp_path / "thing.pkl")
    with pytest.raises(ValueError, match="a value of type Nothing and no policy"):
        load_policy(tmp_path / "thing.pkl", trust=True)


def test_what_is_no_policy_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(
        ValueError, match="the formats are: Stable-Baselines3 zip, ONNX, TorchScript"
    ):
        load_policy(tmp_path / "notes.txt")
    with pytest.raises(FileNotFoundError, match="ball-circle/safer-attacked"):
        load_policy("ball-circle/saver")


def test_named_code_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_policies.py").write_text(
        "def still(obs):\n    return obs[:2] * 0\n\n\ndef make():\n    return still\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    for source in ("my_policies:still", "my_policies:make()"):
        loaded = load_policy(source)
        assert loaded.kind == "callable"
        assert len(loaded.digest) == 64
        assert as_victim(loaded.policy).action(torch.randn(4, 3)).shape == (4, 2)
    with pytest.raises(ValueError, match="no attribute 'gone'"):
        load_policy("my_policies:gone")
    with pytest.raises(ModuleNotFoundError):
        load_policy("no_such_module:policy")
    monkeypatch.delitem(sys.modules, "my_policies")


@pytest.mark.parametrize("size", [None, 1, 3, 10])
def test_batches_of_a_fixed_size_give_the_same(size: int | None) -> None:
    seen = []

    def double(rows: np.ndarray) -> np.ndarray:
        seen.append(len(rows))
        return 2 * rows

    obs = np.arange(14.0).reshape(7, 2)
    assert (in_batches_of(size, double, obs) == 2 * obs).all()
    assert set(seen) == {size or 7}


def test_the_documentation_says_of_each_format_whether_it_needs_trust() -> None:
    text = (ROOT / "docs" / "model-files.md").read_text()
    for form in FORMATS.values():
        assert f"| {form.title} | {'yes' if form.needs_trust else 'no'} |" in text
