"""TorchScript: a plain network is read as data and acts as torch's own interpreter; else trust."""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from safer_gym.balls import LpBall
from safer_gym.bounds import enclose, sequential_layers
from safer_gym.conformance.loading import UntrustedFile, load_policy
from safer_gym.wrappers.policies.victims import as_victim


class Normaliser(nn.Module):
    """As the trainers of legged robots have it: it counts, in training alone."""

    def __init__(self) -> None:
        super().__init__()
        self.eps = 1e-2
        for name in ("mean", "std"):
            self.register_buffer(name, torch.rand(1, 4))
        self.register_buffer("count", torch.tensor(0))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.count += x.shape[0]
        return (x - self.mean) / (self.std + self.eps)


class Exported(nn.Module):
    """A normaliser and an actor, as they are exported together."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.actor = nn.Sequential(nn.Linear(4, 8), *layers, nn.Linear(8, 2), nn.Tanh())
        self.normalizer = Normaliser()

    def forward(self, x: Tensor) -> Tensor:
        return self.actor(self.normalizer(x))

    @torch.jit.export
    def reset(self) -> None:
        """Deployments call it; a policy without a memory has nothing to do."""


class ByHand(nn.Module):
    """Arithmetic of numbers before, between and after the layers."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 8), nn.Linear(8, 2, bias=False)
        self.scale = nn.Parameter(torch.rand(2))

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.a(torch.clamp((x - 0.5) / 2.0, -1.0, 1.0)))
        return 1.0 - torch.tanh(self.b(x)) * self.scale


class Residual(ByHand):
    """A branch."""

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.a(x)
        return self.b(hidden + torch.tanh(hidden))


class Deciding(ByHand):
    """What it does depends on a condition of the observation."""

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.a(x if bool(x.sum() > 0) else -x))


class Remembering(ByHand):
    """It changes itself."""

    def forward(self, x: Tensor) -> Tensor:
        self.scale += 1.0
        return self.b(self.a(x)) * self.scale


class OfTwo(ByHand):
    """Two inputs."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.b(self.a(x + y))


LAYERS: dict[str, list[nn.Module]] = {
    "elu": [nn.ELU()],
    "silu": [nn.SiLU(), nn.Dropout()],
    "gelu": [nn.GELU(), nn.GELU("tanh")],
    "sigmoid": [nn.Sigmoid(), nn.Identity(), nn.ReLU6()],
    "softplus": [nn.Softplus(2.0, 15.0), nn.Hardtanh(-2.0, 2.0)],
    "others": [nn.LeakyReLU(0.2), nn.SELU(), nn.Mish(), nn.CELU(0.5)],
    "layer norm": [nn.LayerNorm(8), nn.Tanh(), nn.LayerNorm(8, elementwise_affine=False)],
    "batch norm": [nn.BatchNorm1d(8), nn.ReLU()],
}
SAVED: dict[str, Callable[[nn.Module], torch.jit.ScriptModule]] = {
    "scripted": torch.jit.script,
    "traced": lambda module: torch.jit.trace(module, torch.zeros(1, 4)),
    "frozen": lambda module: torch.jit.freeze(torch.jit.script(module)),
}


def network(name: str) -> nn.Module:
    torch.manual_seed(0)
    module = ByHand() if name == "by hand" else Exported(*LAYERS[name])
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d):
            part.running_mean, part.running_var = torch.rand(8), 0.5 + torch.rand(8)
    return module.eval()


def save(module: nn.Module, path: Path, how: str = "scripted") -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        SAVED[how](module).save(str(path))
    return path


@pytest.fixture
def no_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("run")

    monkeypatch.setattr(torch.jit, "load", refuse)
    monkeypatch.setattr(torch, "load", refuse)
    monkeypatch.setattr(pickle, "loads", refuse)


@pytest.mark.parametrize("how", SAVED)
@pytest.mark.parametrize("name", [*LAYERS, "by hand"])
def test_a_network_is_read_as_data_and_acts_as_it_did(
    name: str, how: str, tmp_path: Path, no_interpreter: None
) -> None:
    module = network(name)
    loaded = load_policy(save(module, tmp_path / "policy.pt", how))
    assert (loaded.kind, loaded.ran_code) == ("torchscript", False)
    obs = torch.randn(7, 4, requires_grad=True)
    actions = as_victim(loaded.policy).action(obs)
    torch.testing.assert_close(actions, module(obs), rtol=1e-5, atol=1e-6)
    (slope,) = torch.autograd.grad(actions.sum(), obs)
    (expected,) = torch.autograd.grad(module(obs).sum(), obs)
    torch.testing.assert_close(slope, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [*LAYERS, "by hand"])
def test_what_is_read_has_a_bound(name: str, tmp_path: Path) -> None:
    module = network(name)
    policy = load_policy(save(module, tmp_path / "policy.pt", "frozen")).policy
    obs, eps = torch.randn(5, 4), 0.01
    box = enclose(sequential_layers(policy), obs, LpBall.of("linf", eps))
    for _ in range(20):
        with torch.no_grad():
            value = module(obs + eps * (2 * torch.rand(5, 4) - 1)).double()
        assert ((box.lower <= value) & (value <= box.upper)).all()


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (Residual(), "two branches"),
        (Deciding(), "a call of bool"),
        (Remembering(), "add of constants|assignment|something else"),
        (OfTwo(), "takes 3 values"),
    ],
)
def test_any_other_program_needs_trust(module: nn.Module, words: str, tmp_path: Path) -> None:
    path = save(module, tmp_path / "policy.pt")
    with pytest.raises(UntrustedFile, match=words):
        load_policy(path)
    loaded = load_policy(path, trust=True)
    assert loaded.ran_code


def test_dropout_that_was_traced_in_training_stays_a_program(tmp_path: Path) -> None:
    module = Exported(nn.Dropout())
    path = tmp_path / "policy.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(module.train(), torch.zeros(1, 4), check_trace=False).save(str(path))
    with pytest.raises(UntrustedFile):
        load_policy(path)


def with_text(source: Path, target: Path, change: Callable[[str], str]) -> Path:
    """A copy whose text is changed."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, change(content.decode()) if name.endswith(".py") else content)
    return target


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("torch.elu(input, 1.)", "torch.elu(input, 1., 2.)"),
        lambda text: text.replace("torch.tanh(", "torch.from_file("),
        lambda text: text.replace("torch.tanh(", "torch.ops.mine.tanh("),
        lambda text: text.replace("return torch.tanh", "return (self).forward"),
        lambda text: text.replace("return torch.tanh(", "return open("),
        lambda text: text.replace("return torch.tanh(", "import os\n    return torch.tanh("),
        lambda text: "(" * 100_000,
        lambda text: "",
        lambda text: text.replace("CONSTANTS.c0", "CONSTANTS.c99"),
        lambda text: text.replace("CONSTANTS.c0", "CONSTANTS.c5"),
        lambda text: text.replace("CONSTANTS.c2", "x"),
    ],
)
def test_a_strange_text_is_no_data(change: Callable[[str], str], tmp_path: Path) -> None:
    source = save(network("elu"), tmp_path / "policy.pt", "frozen")
    with pytest.raises(UntrustedFile):
        load_policy(with_text(source, tmp_path / "strange.pt", change))


def test_text_that_calls_itself_ends(tmp_path: Path) -> None:
    """2^39 calls would not."""
    twice = "return (self).forward((self).forward(input, ), )"
    source = save(nn.Sequential(nn.Linear(4, 2)).eval(), tmp_path / "policy.pt", "frozen")

    def change(text: str) -> str:
        return re.sub("return .*", twice, text)

    with pytest.raises(UntrustedFile, match=r"too deeply|steps"):
        load_policy(with_text(source, tmp_path / "strange.pt", change))


def test_damage_is_no_matter_of_trust(tmp_path: Path) -> None:
    path = save(network("elu"), tmp_path / "policy.pt")
    broken = with_text(path, tmp_path / "broken.pt", lambda text: "def def")
    with pytest.raises(ValueError, match="damaged") as caught:
        load_policy(broken, trust=True)
    assert not isinstance(caught.value, UntrustedFile)


def test_a_text_cannot_ask_for_more_numbers_than_its_file_has(tmp_path: Path) -> None:
    source = save(network("layer norm"), tmp_path / "policy.pt", "frozen")
    large = with_text(
        source, tmp_path / "large.pt", lambda text: text.replace("[8]", f"[{10**11}]")
    )
    with pytest.raises(UntrustedFile, match="over 100000000000 entries"):
        load_policy(large)
