"""Stable-Baselines3 files: loaded bit for bit as SB3 loads them, and nothing in them runs."""

from __future__ import annotations

import base64
import io
import pickle
import zipfile
from importlib import import_module
from pathlib import Path
from typing import Any

import cloudpickle
import gymnasium as gym
import numpy as np
import pytest
import torch
from model_specimens import Evil, Point, gym_bytes, poisoned, rewritten, torch_bytes
from stable_baselines3 import A2C, DDPG, DQN, PPO, SAC, TD3
from stable_baselines3.common.torch_layers import FlattenExtractor
from torch import nn

from safer_gym.agents import CVPO, SAFER, DDPGLagrangian, SACLagrangian, TD3Lagrangian
from safer_gym.bounds import evaluate
from safer_gym.conformance.loading import UntrustedFile, load_policy
from safer_gym.conformance.loading.formats import format_of
from safer_gym.conformance.loading.sb3_format import SB3
from safer_gym.conformance.loading.zoo import packaged_path, packaged_policies
from safer_gym.wrappers.policies.layers import policy_layers
from safer_gym.wrappers.policies.victims import as_victim

DICT = gym.spaces.Dict({"goal": gym.spaces.Box(-1.0, 1.0, (2,)), "mode": gym.spaces.Discrete(3)})
CASES: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "sac": (SAC, "MlpPolicy", {"policy_kwargs": {"net_arch": [8, 9]}, "buffer_size": 10}),
    "sac-tanh": (
        SAC,
        "MlpPolicy",
        {
            "policy_kwargs": {"net_arch": {"pi": [8], "qf": [7, 7]}, "activation_fn": nn.Tanh},
            "buffer_size": 10,
        },
    ),
    "sac-gsde": (
        SAC,
        "MlpPolicy",
        {"policy_kwargs": {"net_arch": [8]}, "buffer_size": 10, "use_sde": True},
    ),
    "td3": (TD3, "MlpPolicy", {"policy_kwargs": {"net_arch": [8, 8]}, "buffer_size": 10}),
    "ddpg": (DDPG, "MlpPolicy", {"policy_kwargs": {"net_arch": [8, 8]}, "buffer_size": 10}),
    "ppo": (PPO, "MlpPolicy", {"n_steps": 64}),
    "ppo-gsde": (PPO, "MlpPolicy", {"n_steps": 64, "use_sde": True}),
    "ppo-relu": (
        PPO,
        "MlpPolicy",
        {
            "n_steps": 64,
            "learning_rate": lambda progress: progress,
            "policy_kwargs": {
                "activation_fn": nn.ReLU,
                "net_arch": {"pi": [5], "vf": [6]},
                "log_std_init": -1.0,
                "ortho_init": False,
                "optimizer_class": torch.optim.SGD,
                "optimizer_kwargs": {"momentum": 0.5},
            },
        },
    ),
    "a2c": (A2C, "MlpPolicy", {}),
    "ppo-dict": (PPO, "MultiInputPolicy", {"n_steps": 64}),
    "safer": (
        SAFER,
        "MlpPolicy",
        {"policy_kwargs": {"net_arch": [8, 8], "n_critics": 2}, "buffer_size": 10},
    ),
    "cvpo": (
        CVPO,
        "MlpPolicy",
        {
            "policy_kwargs": {"net_arch": [8], "actor_kwargs": {"covariance": "full"}},
            "buffer_size": 10,
        },
    ),
}
CASES["sac-lagrangian"] = (
    SACLagrangian,
    "MlpPolicy",
    {"policy_kwargs": {"net_arch": [8], "n_cost_critics": 2}, "buffer_size": 10},
)
for _name, _kind in (("td3-lagrangian", TD3Lagrangian), ("ddpg-lagrangian", DDPGLagrangian)):
    CASES[_name] = (_kind, "MlpPolicy", {"policy_kwargs": {"net_arch": [8]}, "buffer_size": 10})
CASES["dqn"] = (DQN, "MlpPolicy", {"policy_kwargs": {"net_arch": [8]}, "buffer_size": 10})
CASES["ppo-several"] = (PPO, "MlpPolicy", {"n_steps": 64})
CASES["a2c-bits"] = (A2C, "MlpPolicy", {})
CASES["ppo-counts"] = (PPO, "MlpPolicy", {"n_steps": 64})
CONTRIB = {
    **{name: {"policy_kwargs": {"net_arch": [8]}} for name in ("TQC", "CrossQ", "TRPO", "QRDQN")},
    "ARS": {"policy_kwargs": {"net_arch": [8]}},
    "ARS-discrete": {"policy_kwargs": {"net_arch": [8]}},
    "ARS-linear": {},
}
ACTIONS = {
    "dqn": gym.spaces.Discrete(3),
    "QRDQN": gym.spaces.Discrete(3, start=2),
    "ARS-discrete": gym.spaces.Discrete(2),
    "ppo-several": gym.spaces.MultiDiscrete([3, 2]),
    "a2c-bits": gym.spaces.MultiBinary(2),
}
OBSERVATIONS = {
    "ppo-dict": DICT,
    "a2c-bits": gym.spaces.MultiBinary([2, 3]),
    "ppo-counts": gym.spaces.MultiDiscrete([3, 4]),
}


def make_model(name: str) -> Any:
    env = Point(OBSERVATIONS.get(name), ACTIONS.get(name))
    if name in CONTRIB:
        made_by = getattr(pytest.importorskip("sb3_contrib"), name.partition("-")[0])
        policy = "LinearPolicy" if name.endswith("linear") else "MlpPolicy"
        model = made_by(policy, env, seed=0, device="cpu", **CONTRIB[name])
        if name.startswith("ARS"):  # its weights start at zero
            with torch.random.fork_rng():
                torch.manual_seed(0)
                for weights in model.policy.parameters():
                    nn.init.normal_(weights)
        return model
    made_by, policy, kwargs = CASES[name]
    if "cost" in getattr(made_by, "GROUPS", {}):
        kwargs = {**kwargs, "episode_length": 5}
    return made_by(policy, env, seed=0, device="cpu", **kwargs)


@pytest.fixture
def no_unpickling(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("unpickled")

    for module, name in ((pickle, "loads"), (pickle, "load"), (cloudpickle, "loads")):
        monkeypatch.setattr(module, name, refuse)
    monkeypatch.setattr(pickle, "Unpickler", refuse)
    monkeypatch.setattr(torch, "load", refuse)


def observations(model: Any) -> Any:
    model.observation_space.seed(0)
    samples = [model.observation_space.sample() for _ in range(6)]
    if isinstance(samples[0], dict):
        return {key: np.stack([sample[key] for sample in samples]) for key in samples[0]}
    return np.stack(samples)


@pytest.mark.parametrize("name", [*CASES, *CONTRIB])
def test_a_saved_model_acts_as_it_did(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    model = make_model(name)
    model.save(tmp_path / "model.zip")
    request.getfixturevalue("no_unpickling")
    before = torch.random.get_rng_state()
    loaded = load_policy(tmp_path / "model.zip")
    assert torch.equal(before, torch.random.get_rng_state())
    assert (loaded.kind, loaded.ran_code) == ("sb3", False)
    obs = observations(model)
    expected, _ = model.predict(obs, deterministic=True)
    found, _ = loaded.policy.predict(obs, deterministic=True)
    np.testing.assert_array_equal(found, expected)
    policy = getattr(loaded.policy, "policy", loaded.policy)
    assert policy.observation_space == model.observation_space
    assert policy.action_space == model.action_space
    assert not policy.training


def aged(source: Path, target: Path) -> Path:
    """A model as saved years ago: gym's spaces, torch's old format, ARS's old names."""

    def change(data: dict) -> dict:
        for key in ("observation_space", "action_space"):
            space = pickle.loads(base64.b64decode(data[key][":serialized:"]))
            data[key] = {":serialized:": base64.b64encode(gym_bytes(space)).decode()}
        return data

    with zipfile.ZipFile(source) as archive:
        weights = torch.load(io.BytesIO(archive.read("policy.pth")), weights_only=True)
    if list(weights) == ["action_net.0.weight"]:
        weights = {"action_net.weight": weights["action_net.0.weight"]}
    return rewritten(source, target, change, policy__pth=torch_bytes(weights, legacy=True))


@pytest.mark.parametrize("name", ["sac", "dqn", "ppo-several", "ppo-dict", "ARS-linear", "QRDQN"])
def test_a_model_of_years_ago_acts_as_it_did(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    model = make_model(name)
    model.save(tmp_path / "new.zip")
    aged(tmp_path / "new.zip", tmp_path / "old.zip")
    request.getfixturevalue("no_unpickling")
    loaded = load_policy(tmp_path / "old.zip")
    assert not loaded.ran_code
    obs = observations(model)
    np.testing.assert_array_equal(
        loaded.policy.predict(obs, deterministic=True)[0], model.predict(obs, deterministic=True)[0]
    )


@pytest.mark.parametrize("name", ["ARS", "ARS-linear"])
def test_the_victim_of_ars_has_gradients_and_a_bound(name: str) -> None:
    model = make_model(name)
    obs = torch.as_tensor(observations(model), dtype=torch.float32).requires_grad_()
    actions = as_victim(model).action(obs)
    expected = model.predict(obs.detach().numpy(), deterministic=True)[0]
    np.testing.assert_allclose(actions.detach(), expected, rtol=1e-6)
    (slope,) = torch.autograd.grad(actions.sum(), obs)
    assert bool((slope != 0).any())
    layers = policy_layers(model)
    torch.testing.assert_close(
        evaluate(layers.layers, obs), model.policy.action_net(obs.flatten(1))
    )


@pytest.mark.parametrize(
    "name", [name for name in packaged_policies() if format_of(packaged_path(name)) is SB3]
)
def test_packaged_policies_are_built_with_all_their_weights(name: str) -> None:
    """Files of an earlier layout, whose classes lay in other modules."""
    with zipfile.ZipFile(packaged_path(name)) as archive:
        stored = torch.load(io.BytesIO(archive.read("policy.pth")), weights_only=True)
    loaded = load_policy(name)
    assert (loaded.source, loaded.ran_code) == (name, False)
    built = getattr(loaded.policy, "policy", loaded.policy).state_dict()
    assert built.keys() == stored.keys()
    assert all(torch.equal(tensor, stored[key]) for key, tensor in built.items())


def test_an_agent_of_an_earlier_layout_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"layout 1; this one reads layout 3.*load_policy"):
        SAFER.load(packaged_path("ball-circle/safer-attacked"))


@pytest.fixture(scope="module")
def sac(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "sac.zip"
    make_model("sac").save(path)
    return path


KEYS = ("policy_class", "policy_kwargs", "observation_space", "lr_schedule", "train_freq", "extra")


@pytest.mark.parametrize("key", KEYS)
def test_code_in_a_saved_model_does_not_run(key: str, sac: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    bad = rewritten(sac, tmp_path / "bad.zip", poisoned(key, mark))
    if key in KEYS[:3]:
        with pytest.raises(UntrustedFile, match="--trust"):
            load_policy(bad)
    else:  # nothing that acting needs: not even read
        assert not load_policy(bad).ran_code
    assert not mark.exists()
    with pytest.raises(Exception):  # noqa: B017, PT011
        raise_after(SAC.load, bad)
    assert mark.exists(), "the specimen must be live"


def raise_after(function: Any, *args: Any) -> None:
    function(*args)
    raise RuntimeError("loaded")


@pytest.mark.parametrize("entry", ["policy__pth", "pytorch_variables__pth", "actor.optimizer__pth"])
def test_code_among_the_weights_does_not_run(entry: str, sac: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    evil = {entry: torch_bytes({"actor.mu.weight": Evil(mark)})}
    bad = rewritten(sac, tmp_path / "bad.zip", **evil)
    if entry.startswith("policy"):
        with pytest.raises(ValueError, match="dict of tensors"):
            load_policy(bad)
    else:
        load_policy(bad)
    assert not mark.exists()
    with zipfile.ZipFile(bad) as archive, archive.open(entry.replace("__", ".")) as file:
        torch.load(file, weights_only=False)
    assert mark.exists(), "the specimen must be live"


class OwnExtractor(FlattenExtractor):
    """A class that no list of ours can know."""


def test_a_class_of_its_own_needs_trust(tmp_path: Path) -> None:
    model = PPO(
        "MlpPolicy",
        Point(),
        n_steps=64,
        device="cpu",
        policy_kwargs={"features_extractor_class": OwnExtractor},
    )
    path = tmp_path / "own.zip"
    model.save(path)
    with pytest.raises(UntrustedFile, match="features_extractor_class"):
        load_policy(path)
    loaded = load_policy(path, trust=True)
    assert loaded.ran_code
    obs = observations(model)
    np.testing.assert_array_equal(
        loaded.policy.predict(obs, deterministic=True)[0], model.predict(obs, deterministic=True)[0]
    )


@pytest.mark.parametrize("name", [*CASES, *CONTRIB])
def test_a_trusted_file_is_loaded_by_the_algorithm_that_wrote_it(name: str, tmp_path: Path) -> None:
    from safer_gym.conformance.loading.sb3_unpickled import unpickle_model

    model = make_model(name)
    model.save(tmp_path / "model.zip")
    found = unpickle_model(tmp_path / "model.zip")
    assert type(found).__name__ == type(model).__name__


def changed(**values: Any) -> Any:
    return lambda data: {**data, **values}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (changed(policy_kwargs={"net_arch": [10**9, 10**9]}), "more than \\d+ numbers"),
        (changed(policy_kwargs={"net_arch": [8, 9], "n_critics": 10**9}), "n_critics"),
        (changed(policy_kwargs={"net_arch": [9, 8]}), "do not fit"),
        (changed(policy_kwargs={"surprise": 1}), "surprise"),
        (changed(policy_class=None), "policy class"),
        (changed(observation_space={":serialized:": "no base64!"}), "observation_space"),
        (poisoned("policy_class", Path(), SAC), "stable_baselines3.sac.sac.SAC"),
        (poisoned("action_space", Path(), gym.spaces.Tuple([])), "spaces.tuple.Tuple"),
        (lambda data: {k: v for k, v in data.items() if k != "action_space"}, "action_space"),
    ],
)
def test_what_can_not_be_built_is_refused_with_the_reason(
    change: Any, words: str, sac: Path, tmp_path: Path
) -> None:
    bad = rewritten(sac, tmp_path / "bad.zip", change)
    with pytest.raises(UntrustedFile, match=words):
        load_policy(bad)


def test_what_decides_is_what_stable_baselines3_would_load(sac: Path, tmp_path: Path) -> None:
    """The readable text beside a pickled value is for people; it may lie."""
    space = gym.spaces.Box(-1.0, 1.0, (3,))
    text = base64.b64encode(pickle.dumps(space)).decode()
    lie = {":type:": "Box", ":serialized:": text, "low": "[-9. -9. -9.]"}
    path = rewritten(sac, tmp_path / "lie.zip", changed(observation_space=lie))
    assert load_policy(path).policy.observation_space == space


def test_a_damaged_file_is_no_matter_of_trust(sac: Path, tmp_path: Path) -> None:
    rewritten(sac, tmp_path / "weights.zip", policy__pth=b"nothing")
    for name, entries in {
        "other.zip": {"hello": b"world"},
        "deep.zip": {"data": b"[" * 100_000, "policy.pth": b""},
        "list.zip": {"data": b"[]", "policy.pth": b""},
    }.items():
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for entry, content in entries.items():
                archive.writestr(entry, content)
    for name in ("weights.zip", "other.zip", "deep.zip", "list.zip"):
        with pytest.raises(ValueError, match=name) as caught:
            load_policy(tmp_path / name, trust=True)
        assert not isinstance(caught.value, UntrustedFile)


def test_half_a_file_is_refused_with_and_without_trust(sac: Path, tmp_path: Path) -> None:
    path = tmp_path / "half.zip"
    path.write_bytes(sac.read_bytes()[: sac.stat().st_size // 2])
    for trust in (False, True):
        with pytest.raises(ValueError, match=r"half.zip"):
            load_policy(path, trust=trust)


def test_an_entry_that_claims_to_be_huge_is_refused(
    sac: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archives = import_module("safer_gym.conformance.loading.archives")
    monkeypatch.setattr(archives, "MAX_UNPACKED", 1000)
    with pytest.raises(ValueError, match="unpacked"):
        load_policy(sac)


def test_the_text_form_of_a_box_would_not_be_enough() -> None:
    """Why pickled spaces are read as data: their printed bounds are rounded."""
    high = Point().observation_space.high
    printed = [float(text) for text in str(high).strip("[]").split()]
    assert printed != high.tolist()
    assert printed == pytest.approx(high.tolist())
