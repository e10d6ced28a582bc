"""Formats that are code need trust; formats that are data do not; names are the user's own code."""

from __future__ import annotations

import pickle
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from model_specimens import Evil
from test_layout import ROOT
from torch import nn

from safer_gym.conformance.loading import FORMATS, UntrustedFile, load_policy
from safer_gym.conformance.loading.rows import in_batches_of
from safer_gym.wrappers.policies.victims import as_victim


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))


def save_script(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.trace(network(), torch.zeros(2, 3)).save(str(path))


def save_program(path: Path, batch: int | None) -> None:
    obs = torch.zeros(batch or 2, 3)
    shapes = None if batch else ({0: torch.export.Dim("batch")},)
    torch.export.save(torch.export.export(network(), (obs,), dynamic_shapes=shapes), path)


def save_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps(network()))


MAKERS = {
    "script.pt": (save_script, "torchscript"),
    "program.pt2": (lambda path: save_program(path, None), "exported"),
    "one.pt2": (lambda path: save_program(path, 1), "exported"),
    "three.pt2": (lambda path: save_program(path, 3), "exported"),
    "module.pth": (lambda path: torch.save(network(), path), "pickle"),
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
    load_policy(path, trust=True)
    assert (tmp_path / "mark").exists(), "the specimen must be live"


def test_weights_alone_are_no_policy(tmp_path: Path) -> None:
    torch.save(network().state_dict(), tmp_path / "weights.pth")
    with pytest.raises(ValueError, match="without their network"):
        load_policy(tmp_path / "weights.pth", trust=True)


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
