"""Files that were made to take a machine's time or memory, each small itself."""

from __future__ import annotations

import base64
import io
import json
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx_bytes
import torch
from gymnasium import spaces
from model_specimens import Point, torch_bytes
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

Data = dict[str, Any]


def saved(folder: Path, algorithm: str = "sac") -> dict[str, bytes]:
    """The entries of an honest saved model."""
    options: Data = {"device": "cpu", "seed": 0, "policy_kwargs": {"net_arch": [8, 9]}}
    model: Any = (
        SAC("MlpPolicy", Point(), buffer_size=10, **options)
        if algorithm == "sac"
        else PPO("MlpPolicy", Point(), n_steps=8, batch_size=8, **options)
    )
    path = folder / "honest.zip"
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(path: Path, entries: dict[str, bytes], kind: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def pickled(raw: bytes) -> Data:
    return {":type:": "x", ":serialized:": base64.b64encode(raw).decode()}


def with_data(path: Path, algorithm: str = "sac", **values: Any) -> Path:
    """A saved model with other attributes."""
    entries = saved(path.parent, algorithm)
    entries["data"] = json.dumps({**json.loads(entries["data"]), **values}).encode()
    return zipped(path, entries)


def doubled_tuples(path: Path) -> Path:
    """A dict whose key is a tuple of two tuples of two tuples...: 2^60 steps to hash."""
    doubled = b"\x80\x04})q\x00"
    for i in range(60):
        doubled += bytes([0x68, i, 0x68, i, 0x86, 0x71, i + 1])
    return with_data(path, policy_kwargs=pickled(doubled + b"K\x01s."))


def nested_lists(path: Path) -> Path:
    """A list in a list in a list, 90,000 times."""
    depth = 90_000
    return with_data(
        path, policy_kwargs=pickled(b"\x80\x04" + b"]" * depth + b"a" * (depth - 1) + b".")
    )


def opcodes(path: Path) -> Path:
    """Six million instructions."""
    return with_data(path, policy_kwargs=pickled(b"\x80\x04(" + b"N" * 6_000_000 + b"l."))


def many_layers(path: Path) -> Path:
    return with_data(path, policy_kwargs={"net_arch": [128] * 9_000})


def wide_layers(path: Path) -> Path:
    return with_data(path, policy_kwargs={"net_arch": [10**9, 10**9]})


def no_widths(path: Path) -> Path:
    """Widths that are no whole numbers."""
    return with_data(path, policy_kwargs={"net_arch": [1e308, 0.5]})


def widths_in_words(path: Path) -> Path:
    return with_data(path, policy_kwargs={"net_arch": "9" * 1_000_000})


def negative_width(path: Path) -> Path:
    return with_data(path, policy_kwargs={"net_arch": [-5]})


def critics_in_words(path: Path) -> Path:
    return with_data(path, policy_kwargs={"net_arch": [8, 9], "n_critics": "many"})


def many_critics(path: Path) -> Path:
    return with_data(path, policy_kwargs={"net_arch": [8, 9], "n_critics": 10**9})


def wide_observation(path: Path) -> Path:
    """Discrete(3e6), which a network reads as three million inputs."""
    return with_data(
        path, "ppo", observation_space=pickled(pickle.dumps(spaces.Discrete(3_000_000)))
    )


def huge_observation(path: Path) -> Path:
    return with_data(path, "ppo", observation_space=pickled(pickle.dumps(spaces.Discrete(10**18))))


class Made:
    """Pickled as the call of a function."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> Any:
        return self.call


def array(raw: Any, dtype: Any) -> Made:
    core = getattr(np, "_core", None) or np.core  # its name before numpy 2
    return Made(core.numeric._frombuffer, raw, dtype, (3,), "C")


def box_of(low: Made) -> Data:
    """A pickled Box with this lower bound."""
    space = spaces.Box(-1.0, 1.0, (3,))
    vars(space)["low"] = low
    return pickled(pickle.dumps(space))


def bytes_of_a_number(path: Path) -> Path:
    """`bytes(10**11)` is a hundred gigabytes of zeros."""
    return with_data(path, observation_space=box_of(array(10**11, np.dtype("f4"))))


WIDE = Made(np.dtype, "(1000000000,)f8", False, True)


def wide_dtype(path: Path) -> Path:
    """A billion numbers in one entry of an array."""
    return with_data(path, observation_space=box_of(array(b"\0" * 12, WIDE)))


def long_number(path: Path) -> Path:
    """A whole number of eight million bits."""
    raw = b"\x80\x04\x8b" + struct.pack("<i", 10**6) + b"\x7f" * 10**6 + b"."
    return with_data(path, policy_kwargs=pickled(raw))


def deep_json(path: Path) -> Path:
    return zipped(path, {**saved(path.parent), "data": b'{"a":' * 100_000})


def wide_json(path: Path) -> Path:
    """Nine million lists in 27 MB."""
    return zipped(path, {**saved(path.parent), "data": b'{"a":[' + b"[]," * 9_000_000 + b"[]]}"})


def zeros(gigabytes: float) -> tuple[bytes, int]:
    """Deflated zeros, without the time that it takes to deflate them."""
    part = 2**26
    count = int(gigabytes * 2**30) // part
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    once = packer.compress(bytes(part)) + packer.flush(zlib.Z_FULL_FLUSH)
    return once * count + packer.flush(zlib.Z_FINISH), part * count


def zip_bomb(path: Path, gigabytes: float = 8.0) -> Path:
    """Eight megabytes that become as many gigabytes, in the four entries of a saved model."""
    packed, size = zeros(gigabytes / 4)
    names = ["data", "policy.pth", "pytorch_variables.pth", "policy.optimizer.pth"]
    body, central = io.BytesIO(), io.BytesIO()
    for name in names:
        sizes = struct.pack("<III", 0, len(packed), size)
        at, head = body.tell(), struct.pack("<HHHHH", 20, 0, 8, 0, 0x21) + sizes
        head += struct.pack("<HH", len(name), 0)
        body.write(b"PK\x03\x04" + head + name.encode() + packed)
        tail = struct.pack("<HHHII", 0, 0, 0, 0, at)
        central.write(b"PK\x01\x02\x14\x00" + head + tail + name.encode())
    start = body.tell()
    end = struct.pack("<HHHHIIH", 0, 0, 4, 4, len(central.getvalue()), start, 0)
    path.write_bytes(body.getvalue() + central.getvalue() + b"PK\x05\x06" + end)
    return path


def bomb_of_weights(path: Path) -> Path:
    """Weights that are deflated zeros inside the archive of the weights."""
    entries = saved(path.parent)
    found, weights = io.BytesIO(), torch_bytes({"w": torch.zeros(2**26)})
    with (
        zipfile.ZipFile(io.BytesIO(weights)) as old,
        zipfile.ZipFile(found, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return zipped(path, {**entries, "policy.pth": found.getvalue()})


def repeated_tensors(path: Path) -> Path:
    """Five thousand names for one tensor of four megabytes."""
    tensor = torch.ones(2**20)
    weights = torch_bytes({f"w{i}": tensor for i in range(5_000)})
    return zipped(path, {**saved(path.parent), "policy.pth": weights})


def expanded_tensor(path: Path) -> Path:
    """One number that is said to be a matrix of 10^10."""
    weights = torch_bytes({"w": torch.ones(1).expand(10**5, 10**5)})
    return zipped(path, {**saved(path.parent), "policy.pth": weights})


def many_entries(path: Path) -> Path:
    return zipped(path, {**saved(path.parent), **{f"{i}": b"" for i in range(30_000)}})


ZIPS: dict[str, Callable[[Path], Path]] = {
    make.__name__: make
    for make in (
        *(doubled_tuples, nested_lists, opcodes, many_layers, wide_layers, many_critics),
        *(wide_observation, huge_observation, bytes_of_a_number, wide_dtype, long_number),
        *(no_widths, widths_in_words, negative_width, critics_in_words),
        *(deep_json, wide_json, zip_bomb, bomb_of_weights, repeated_tensors, expanded_tensor),
        many_entries,
    )
}
"""Saved models."""


def loop(path: Path) -> Path:
    """An ONNX graph that goes round 2^62 times."""
    body = onnx_bytes.text(1, onnx_bytes.node("Identity", ["go"], "on"))
    body += onnx_bytes.text(1, onnx_bytes.node("Identity", ["was"], "is")) + onnx_bytes.text(2, "b")
    body += onnx_bytes.text(11, typed("i", [], 7)) + onnx_bytes.text(11, typed("go", [], 9))
    body += onnx_bytes.text(11, typed("was", ["b", 3], 1))
    body += onnx_bytes.text(12, typed("on", [], 9)) + onnx_bytes.text(12, typed("is", ["b", 3], 1))
    attribute = onnx_bytes.text(1, "body") + onnx_bytes.text(6, body) + onnx_bytes.number(20, 5)
    node = onnx_bytes.node("Loop", ["most", "", "obs"], "action") + onnx_bytes.text(5, attribute)
    dims, raw = b"", struct.pack("<q", 2**62)
    most = dims + onnx_bytes.number(2, 7) + onnx_bytes.text(8, "most") + onnx_bytes.text(9, raw)
    return onnx_file(path, [node], [most])


def filled(path: Path) -> Path:
    """An ONNX graph that makes a tensor of 2^40 numbers, as constant as a constant can be."""
    sizes = onnx_bytes.number(1, 2) + onnx_bytes.number(2, 7) + onnx_bytes.text(8, "sizes")
    sizes += onnx_bytes.text(9, struct.pack("<qq", 2**20, 2**20))
    nodes = [
        onnx_bytes.node("ConstantOfShape", ["sizes"], "large"),
        onnx_bytes.node("ReduceSum", ["large"], "sum"),
        onnx_bytes.node("Add", ["obs", "sum"], "action"),
    ]
    return onnx_file(path, nodes, [sizes])


def typed(name: str, shape: list[Any], kind: int) -> bytes:
    dims = b"".join(
        onnx_bytes.text(1, onnx_bytes.number(1, n) if isinstance(n, int) else onnx_bytes.text(2, n))
        for n in shape
    )
    inner = onnx_bytes.number(1, kind) + onnx_bytes.text(2, dims)
    return onnx_bytes.text(1, name) + onnx_bytes.text(2, onnx_bytes.text(1, inner))


def onnx_file(path: Path, nodes: list[bytes], tensors: list[bytes]) -> Path:
    ends = [typed("obs", ["b", 3], 1)], [typed("action", ["b", 3], 1)]
    path.write_bytes(onnx_bytes.model(nodes, tensors, *ends))
    return path


ONNX: dict[str, Callable[[Path], Path]] = {"loop": loop, "filled": filled}


def statistics(raw: Any, dtype: Any) -> Any:
    rms = RunningMeanStd(shape=(3,))
    rms.mean = array(raw, dtype)
    return rms


def normaliser(path: Path, **state: Any) -> Path:
    """The file of a VecNormalize with other attributes."""
    env = VecNormalize(DummyVecEnv([Point]))
    vars(env).update(venv=None, class_attributes=None, returns=None, **state)
    path.write_bytes(pickle.dumps(env))
    return path


NORMALISERS: dict[str, dict[str, Any]] = {
    "quoted_billions": {"obs_rms": statistics(b"\0" * 24, WIDE)},
    "bytes_of_a_number": {"obs_rms": statistics(10**11, np.dtype("f8"))},
    "long_clip": {"clip_obs": 10**100_000},
}
