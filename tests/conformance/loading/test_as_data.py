"""Pickles and tensors read as data: equal to what loading gives, and nothing of a file runs."""

from __future__ import annotations

import contextlib
import io
import pickle
import random
import zipfile
from collections import OrderedDict
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from model_specimens import Evil, gym_bytes, torch_bytes

from safer_gym.conformance.loading.as_data import Call, Name, read_pickle
from safer_gym.conformance.loading.spaces import space_of
from safer_gym.conformance.loading.values import array_of, plain
from safer_gym.conformance.loading.weights import read_weights

leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.recursive(
    leaves | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(), inner, max_size=4)
        | st.tuples(inner, inner)
    ),
    max_leaves=12,
)


@given(values, st.sampled_from([3, 4, 5]))
def test_plain_values_come_out_as_unpickling_gives_them(value: object, protocol: int) -> None:
    assert read_pickle(pickle.dumps(value, protocol)) == value


def test_a_call_is_written_down_and_not_made(tmp_path: Path) -> None:
    data = pickle.dumps(Evil(tmp_path / "mark"))
    found = read_pickle(data)
    assert isinstance(found, Call)
    assert found.function.name.endswith("touch") or found.function == Name("builtins", "getattr")
    assert not (tmp_path / "mark").exists()
    pickle.loads(data)
    assert (tmp_path / "mark").exists(), "the specimen must be live"


def test_a_damaged_pickle_is_refused_and_nothing_else_happens() -> None:
    data = pickle.dumps({"net_arch": [64, 64], "pair": (1, 2.0, "x"), "set": {1}})
    chance = random.Random(0)
    for _ in range(3_000):
        broken = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        with contextlib.suppress(ValueError):
            read_pickle(bytes(broken[: chance.randint(1, len(broken))]))


def test_other_opcodes_are_refused() -> None:
    with pytest.raises(ValueError, match="opcode INST"):
        read_pickle(b"(ios\nsystem\n.")


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "bool", ">f4"])
def test_arrays_come_out_bit_for_bit(dtype: str) -> None:
    array = np.arange(12).reshape(3, 4).astype(dtype) * 1
    for one in (array, np.asfortranarray(array), array[:, ::2]):
        for protocol in (4, 5):
            found = array_of(read_pickle(pickle.dumps(one, protocol)))
            assert (found == one).all()
            assert found.shape == one.shape
    assert plain(read_pickle(pickle.dumps({"x": np.float32(0.1)})))["x"] == np.float32(0.1)


def test_too_many_values_are_refused() -> None:
    bomb: list = []
    for _ in range(40):
        bomb = [bomb, bomb]
    with pytest.raises(ValueError, match="more than"):
        plain(read_pickle(pickle.dumps(bomb)))


def state() -> OrderedDict:
    shared = torch.arange(24, dtype=torch.float32)
    return OrderedDict(
        weight=torch.randn(3, 4),
        transposed=torch.randn(3, 4).T,
        view=shared[5:9],
        shared=shared.view(2, 12),
        half=torch.randn(2).half(),
        brain=torch.randn(2).bfloat16(),
        count=torch.tensor(7),
        mask=torch.tensor([True, False]),
        parameter=torch.nn.Parameter(torch.randn(2, 2)),
    )


def test_tensors_equal_those_of_torch() -> None:
    saved = state()
    for value in (saved, dict(saved), torch.nn.Linear(3, 2).state_dict()):
        found = read_weights(torch_bytes(value), "file")
        assert list(found) == list(value)
        for name, tensor in value.items():
            assert found[name].dtype == tensor.dtype
            assert torch.equal(found[name], tensor.detach())


def test_tensors_of_the_old_format_equal_those_of_torch() -> None:
    saved = state()
    found = read_weights(torch_bytes(saved, legacy=True), "file")
    assert list(found) == list(saved)
    for name, tensor in saved.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor.detach())


def test_a_damaged_file_of_the_old_format_is_refused_and_nothing_else_happens() -> None:
    data = torch_bytes({"w": torch.arange(6.0), "b": torch.zeros(2)}, legacy=True)
    chance = random.Random(0)
    for _ in range(1_000):
        broken = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        with contextlib.suppress(ValueError):
            read_weights(bytes(broken[: chance.randint(1, len(broken))]), "file")


SPACES = (
    gym.spaces.Box(np.float32([-1.0, -np.inf]), np.float32([0.1234567, 1.0])),
    gym.spaces.Box(0, 255, (2, 2, 3), np.uint8),
    gym.spaces.Box(-1, 1, (), np.float64),
    gym.spaces.Discrete(3),
    gym.spaces.Discrete(3, start=-1),
    gym.spaces.MultiDiscrete([3, 2]),
    gym.spaces.MultiDiscrete(np.array([[3, 2]]), start=np.array([[1, 0]])),
    gym.spaces.MultiBinary(4),
    gym.spaces.MultiBinary([2, 3]),
    gym.spaces.Dict({"b": gym.spaces.MultiBinary(2), "a": gym.spaces.Box(-1, 1, (2,))}),
)


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_spaces_come_out_as_gymnasium_has_them(space: gym.Space) -> None:
    space.seed(0)
    space.sample()
    for data in (gym_bytes(space), *(pickle.dumps(space, protocol) for protocol in (4, 5))):
        assert space_of(read_pickle(data)) == space


def test_what_gym_did_not_write_yet_has_its_value_of_then() -> None:
    """Before 0.22 a Discrete had no start, and shapes stood in `shape`."""
    data = {"n": 3, "shape": (), "dtype": Name("numpy", "int64"), "np_random": None}
    found = space_of(Call(Name("gym.spaces.discrete", "Discrete"), (), data))
    assert found == gym.spaces.Discrete(3)


def reaching(size: tuple, stride: tuple, offset: int) -> bytes:
    """A file of six numbers whose tensor claims another shape."""
    whole, start = b"K\x00K\x06\x85", b"K\x01\x85"
    found = io.BytesIO()
    data = torch_bytes({"w": torch.arange(6.0)})
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(found, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith("data.pkl"):
                assert whole in content
                assert start in content
                content = content.replace(whole, b"K" + bytes([offset]) + as_tuple(size))
                content = content.replace(start, as_tuple(stride))
            target.writestr(name, content)
    return found.getvalue()


def as_tuple(numbers: tuple) -> bytes:
    return b"".join(b"K" + bytes([n]) for n in numbers) + {1: b"\x85", 2: b"\x86"}[len(numbers)]


@pytest.mark.parametrize(
    ("size", "stride", "offset"),
    [((7,), (1,), 0), ((6,), (1,), 1), ((3,), (3,), 0), ((2, 6), (1, 1), 0)],
)
def test_a_tensor_can_not_reach_beyond_its_storage(size: tuple, stride: tuple, offset: int) -> None:
    with pytest.raises(ValueError, match=r"beyond its storage|does not fit"):
        read_weights(reaching(size, stride, offset), "file")
    assert len(read_weights(reaching((6,), (1,), 0), "file")["w"]) == 6


def test_a_module_or_a_program_is_no_dict_of_tensors(tmp_path: Path) -> None:
    for value in (torch.nn.Linear(2, 2), {"w": Evil(tmp_path / "mark")}, {"w": 3}):
        with pytest.raises(ValueError, match="dict of tensors"):
            read_weights(torch_bytes(value), "file")
    assert not (tmp_path / "mark").exists()
    for content in (b"", b"PK", b"\x80\x02}."):
        with pytest.raises(ValueError, match="file"):
            read_weights(content, "file")
