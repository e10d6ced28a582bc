"""Formats that are code: TorchScript, exported programs, pickles. For trusted files only."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from safer_gym.conformance.loading.formats import Format, Opened, head, inside, register_format


def load_torchscript(path: Path) -> nn.Module:
    """A TorchScript module [B, *O] -> [B, A]."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*torch.jit.load.*", DeprecationWarning)
        return torch.jit.load(str(path), map_location="cpu").eval()


def load_exported(path: Path) -> nn.Module:
    """An exported program as a module [B, *O] -> [B, A], for any B.

    Raises:
        ValueError: it takes more than one input.
    """
    program = torch.export.load(path)
    names = program.graph_signature.user_inputs
    if len(names) != 1:
        raise ValueError(f"{path} must take one input, the observation; it takes {names}")
    shape = next(node.meta["val"].shape for node in program.graph.nodes if node.name == names[0])
    return _Program(program.module(), shape[0] if isinstance(shape[0], int) else None)


def load_pickled(path: Path) -> Any:
    """Whatever a pickle holds: a torch module, or an object that acts.

    Raises:
        ValueError: a damaged file, or weights without the network that they belong to.
        ModuleNotFoundError: it needs a module that is not installed.
    """
    try:
        found = _unpickled(path)
    except (pickle.UnpicklingError, RuntimeError, EOFError, AttributeError) as error:
        raise ValueError(f"{path} cannot be unpickled: {error}") from error
    if isinstance(found, dict):
        raise ValueError(
            f"{path} holds weights without their network; save the whole module, export it, or "
            "name a function with module:function"
        )
    return found.eval() if isinstance(found, nn.Module) else found


TORCHSCRIPT = register_format(
    Format(
        "torchscript",
        "TorchScript",
        True,
        "it is a program, run by torch's own interpreter",
        lambda path: "constants.pkl" in inside(path),
        lambda path, trust: Opened(load_torchscript(path), ran_code=True),
    )
)
EXPORTED = register_format(
    Format(
        "exported",
        "torch.export program",
        True,
        "its graph is a program, and torch loads parts of it with pickle",
        lambda path: bool({"archive_format", "serialized_exported_program.json"} & inside(path)),
        lambda path, trust: Opened(load_exported(path), ran_code=True),
    )
)
PICKLE = register_format(
    Format(
        "pickle",
        "pickled object",
        True,
        "to unpickle is to run the file",
        lambda path: _is_pickle(path),
        lambda path, trust: Opened(load_pickled(path), ran_code=True),
    )
)


def _is_pickle(path: Path) -> bool:
    if zipfile.is_zipfile(path):
        return "data.pkl" in inside(path)
    start = head(path, 2)
    says_so = len(start) == 2 and start[0] == 0x80 and start[1] <= 5
    named = path.suffix.lower() in (".pkl", ".pickle", ".joblib")
    return says_so or (named and start != b"PK")


def _unpickled(path: Path) -> Any:
    if zipfile.is_zipfile(path):
        return torch.load(path, map_location="cpu", weights_only=False)
    return pickle.loads(path.read_bytes())


class _Program(nn.Module):
    """A graph that may insist on the batch size with which it was exported."""

    def __init__(self, graph: nn.Module, batch: int | None) -> None:
        super().__init__()
        self.graph, self.batch = graph, batch

    def forward(self, obs: Tensor) -> Tensor:
        if self.batch is None:
            return self.graph(obs)
        missing = -len(obs) % self.batch
        filled = torch.cat([obs, obs[-1:].expand(missing, *obs.shape[1:])])
        parts = [self.graph(part) for part in filled.split(self.batch)]
        return torch.cat(parts)[: len(obs)]
