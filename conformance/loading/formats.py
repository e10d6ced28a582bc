"""Which kind of file it is, by what is inside; and which kinds are data and which are code."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import NamedTuple


class Format(NamedTuple):
    """One way in which a policy can arrive."""

    name: str
    title: str
    needs_trust: bool
    why: str
    """What loading it does, in a sentence."""


FORMATS = {
    form.name: form
    for form in (
        Format(
            "sb3",
            "Stable-Baselines3 zip",
            False,
            "options and weights are read as data and the network is built again; a file with "
            "classes of its own can only be unpickled, and then needs trust",
        ),
        Format(
            "onnx",
            "ONNX",
            False,
            "a graph of standard operators, computed by onnxruntime; operators from a library and "
            "numbers from other files are refused",
        ),
        Format(
            "callable",
            "module:function",
            False,
            "it is code, and naming it is asking for it to be imported: name only modules of yours",
        ),
        Format(
            "torchscript", "TorchScript", True, "it is a program, run by torch's own interpreter"
        ),
        Format(
            "exported",
            "torch.export program",
            True,
            "its graph is a program, and torch loads parts of it with pickle",
        ),
        Format("pickle", "pickled object", True, "to unpickle is to run the file"),
    )
}


def format_of(path: Path) -> Format:
    """The format of a file, by its content; the name decides only for ONNX, which has no mark.

    Raises:
        ValueError: none of those known, or weights without a network.
    """
    if path.suffix.lower() == ".onnx":
        return FORMATS["onnx"]
    if zipfile.is_zipfile(path):
        return FORMATS[_kind_of_zip(path)]
    if _head(path, 4) == b"PK\x03\x04":
        raise ValueError(f"{path} is a zip that was cut short")
    if _starts_as_pickle(path) or path.suffix.lower() in (".pkl", ".pickle", ".joblib"):
        return FORMATS["pickle"]
    raise ValueError(f"{path} is no policy that can be loaded; the formats are: {titles()}")


def titles() -> str:
    """All formats, for messages."""
    return ", ".join(form.title for form in FORMATS.values())


def _kind_of_zip(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    inside = {name.partition("/")[2] for name in names}
    if "data" in names and "policy.pth" in names:
        return "sb3"
    if "constants.pkl" in inside:
        return "torchscript"
    if "archive_format" in inside or "serialized_exported_program.json" in names:
        return "exported"
    if "data.pkl" in inside:
        return "pickle"
    raise ValueError(f"{path} is a zip, but no policy; the formats are: {titles()}")


def _starts_as_pickle(path: Path) -> bool:
    head = _head(path, 2)
    return len(head) == 2 and head[0] == 0x80 and head[1] <= 5


def _head(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        return file.read(size)
