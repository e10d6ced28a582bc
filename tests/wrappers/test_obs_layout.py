import numpy as np
import pytest
import torch
from adversary_toys import DictEnv
from gymnasium import spaces
from gymnasium.utils.env_checker import data_equivalence
from hypothesis import given
from hypothesis import strategies as st

from safer_gym.wrappers.obs_layout import ObsLayout, batch_of, pick, replace, stack

DICT = DictEnv().observation_space
DTYPES = [np.float16, np.float32, np.float64, np.uint8, np.int32]


@pytest.mark.parametrize("space", [DICT, spaces.Box(0, 255, (4, 4, 3), np.uint8)])
def test_packing_and_restoring_is_the_identity(space):
    space.seed(0)
    batch = stack([space.sample() for _ in range(4)])
    layout = ObsLayout(space)
    assert data_equivalence(layout.restore(batch, layout.pack(batch)), batch, exact=True)


def test_unpacked_parts_have_the_shapes_of_the_space():
    layout = ObsLayout(DICT)
    parts = layout.unpack(layout.pack(stack([DICT.sample() for _ in range(4)])))
    assert {k: tuple(v.shape) for k, v in parts.items()} == {
        "pos": (4, 2),
        "far": (4, 1),
        "mode": (4,),
    }


def test_only_chosen_keys_come_back_changed():
    layout, batch = ObsLayout(DICT, ["pos"]), batch_of(DICT.sample())
    restored = layout.restore(batch, layout.pack(batch) + 1)
    np.testing.assert_allclose(restored["pos"], batch["pos"] + 1)
    assert restored["far"] is batch["far"]
    assert restored["mode"] is batch["mode"]


@given(st.sampled_from(DTYPES), st.integers(0, 10_000))
def test_inward_rounding_never_moves_farther(dtype, seed):
    rng = np.random.default_rng(seed)
    clean = rng.uniform(0, 200, (5, 3)).astype(dtype)
    space = spaces.Box(0, 255, (3,), dtype)
    layout = ObsLayout(space)
    packed = layout.pack(clean)
    wanted = (packed + torch.as_tensor(rng.normal(0, 3, (5, 3))).to(packed)).clamp(0, 255)
    for inward in (True, False):
        got = layout.restore(clean, wanted, inward=inward)
        assert got.dtype == dtype
    got = layout.restore(clean, wanted, inward=True).astype(float)
    assert (np.abs(got - clean) <= np.abs(wanted.double().numpy() - clean) + 1e-12).all()


def test_wide_types_are_packed_without_loss():
    assert ObsLayout(spaces.Box(-1, 1, (2,), np.float64)).pack(np.zeros((1, 2))).dtype is (
        torch.float64
    )
    big = np.array([[2**30 + 1]], np.int32)
    assert int(ObsLayout(spaces.Box(0, 2**31 - 2, (1,), np.int32)).pack(big)[0, 0]) == 2**30 + 1


def test_replace_copies():
    obs = {"a": np.zeros((3, 2))}
    new = replace(obs, [1], {"a": np.ones((1, 2))})
    assert obs["a"].sum() == 0
    assert new["a"].tolist() == [[0, 0], [1, 1], [0, 0]]
    assert pick(new, 1)["a"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("space", "keys", "message"),
    [
        (DICT, ["poss"], r"poss.*available: \['far', 'pos'\]"),
        (DICT, ["mode"], "available"),
        (DICT, [], "available"),
        (spaces.Box(0, 1, (2,)), ["pos"], "needs a Dict"),
        (spaces.Tuple([spaces.Discrete(3)]), None, "must be a Box or a Dict"),
        (spaces.Dict({"in": spaces.Dict({"x": spaces.Box(0, 1)})}), None, "nested"),
    ],
)
def test_bad_spaces_and_keys_are_refused(space, keys, message):
    with pytest.raises(ValueError, match=message):
        ObsLayout(space, keys)
