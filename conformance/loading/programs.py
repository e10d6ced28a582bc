"""Formats that are code: TorchScript beyond plain networks, exported programs, pickles."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from safer_gym.conformance.loading.formats import Format, Opened, head, inside, register_format
from safer_gym.conformance.loading.legacy_torch import MARK, is_legacy
from safer_gym.conformance.loading.no_policy import no_policy, not_a_policy
from safer_gym.conformance.loading.refusals import UntrustedFile
from safer_gym.conformance.loading.torchscript_data import read_torchscript


def load_torchscript(path: Path, trust: bool) -> Opened:
    """A module [B, *O] -> [B, A]: a plain network as data, any other program with trust.

    Raises:
        UntrustedFile: (a ValueError) it is no plain network, and is not trusted.
        ValueError: a damaged file.
    """
    try:
        return Opened(read_torchscript(path), ran_code=False)
    except ValueError as error:
        if not trust:
            raise UntrustedFile(
                str(path), f"its TorchScript is no plain network: {error}"
            ) from error
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*torch.jit.load.*", DeprecationWarning)
        try:
            return Opened(torch.jit.load(str(path), map_location="cpu").eval(), ran_code=True)
        except RuntimeError as error:
            raise ValueError(f"{path} is damaged TorchScript: {error}") from error


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
    if reason := not_a_policy(found):
        raise ValueError(f"{path} holds {reason}")
    return found.eval() if isinstance(found, nn.Module) else found


TORCHSCRIPT = register_format(
    Format(
        "torchscript",
        "TorchScript",
        False,
        "the text of a network without branches is read as data; any other program is run by "
        "torch's own interpreter, and then needs trust",
        lambda path: "constants.pkl" in inside(path),
        load_torchscript,
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
        no_policy,
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
    if zipfile.is_zipfile(path) or is_legacy(head(path, len(MARK))):
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
