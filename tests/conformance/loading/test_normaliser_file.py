"""The file of a VecNormalize is untrusted input, and is found where training scripts put it."""

from __future__ import annotations

import base64
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_specimens import Evil, rewritten
from normalised_models import saved, trained
from stable_baselines3 import SAC
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from safer_gym.agents import CVPO
from safer_gym.conformance.loading import load_policy
from safer_gym.conformance.loading.normaliser import (
    found_beside,
    normaliser_digest,
    read_normaliser,
)
from safer_gym.wrappers.policies.normaliser import frozen
from safer_gym.wrappers.policies.view import PolicyView


@pytest.fixture(scope="module")
def model() -> Any:
    return trained()


def changed(path: Path, **state: Any) -> Path:
    """The file with some of its attributes changed."""
    with path.open("rb") as file:
        held = pickle.load(file)
    vars(held).update(venv=None, class_attributes=None, returns=None, **state)
    path.write_bytes(pickle.dumps(held))
    return path


def test_it_is_read_as_data_and_equals_what_stable_baselines_loads(
    model: Any, tmp_path: Path
) -> None:
    _, path = saved(model, tmp_path)
    loaded = VecNormalize.load(str(path), DummyVecEnv([type(model.get_env().envs[0].unwrapped)]))
    assert read_normaliser(path) == frozen(loaded)
    assert read_normaliser(changed(path, norm_obs=False)) is None


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"clip_obs": -1.0}, "clip_obs > 0"),
        ({"epsilon": np.nan}, "finite epsilon"),
        ({"obs_rms": 3}, "its statistics are int"),
        ({"obs_rms": None}, "its statistics are NoneType"),
        ({"clip_obs": "wide"}, "where a number was expected"),
    ],
)
def test_what_makes_no_sense_is_refused(
    state: dict[str, Any], words: str, model: Any, tmp_path: Path
) -> None:
    _, path = saved(model, tmp_path)
    with pytest.raises(ValueError, match=f"no VecNormalize that can be read as data.*{words}"):
        read_normaliser(changed(path, **state))


@pytest.mark.parametrize("part", ["mean", "var"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -1e300])
def test_statistics_that_are_not_finite_are_refused(
    part: str, value: float, model: Any, tmp_path: Path
) -> None:
    _, path = saved(model, tmp_path)
    rms = model.get_vec_normalize_env().obs_rms
    other = type(rms)(shape=(2,))
    other.mean, other.var = rms.mean.copy(), rms.var.copy()
    getattr(other, part)[0] = value
    if part == "mean" and value == -1e300:
        assert read_normaliser(changed(path, obs_rms=other)) is not None
        return
    with pytest.raises(ValueError, match="must be finite, and var >= 0"):
        read_normaliser(changed(path, obs_rms=other))


def test_a_file_that_would_run_code_runs_none(model: Any, tmp_path: Path) -> None:
    path, _ = saved(model, tmp_path)
    mark, bad = tmp_path / "ran", tmp_path / "vecnormalize.pkl"
    bad.write_bytes(pickle.dumps(Evil(mark)))
    with pytest.raises(ValueError, match="not a VecNormalize"):
        load_policy(path)
    bad.write_bytes(pickle.dumps({"obs_rms": Evil(mark)}))
    with pytest.raises(ValueError, match="not a VecNormalize"):
        load_policy(path, vec_normalize=bad)
    assert not mark.exists()


@pytest.mark.parametrize(
    "content", [b"", b"\x80\x04", b"PK\x03\x04", b"\x80\x04N.", b"not a pickle"]
)
def test_a_damaged_file_is_refused(content: bytes, model: Any, tmp_path: Path) -> None:
    path, _ = saved(model, tmp_path)
    bad = tmp_path / "vec_normalize.pkl"
    bad.write_bytes(content)
    with pytest.raises(ValueError, match="no VecNormalize that can be read as data"):
        load_policy(path)


@pytest.mark.parametrize(
    ("name", "beside"),
    [
        ("model.zip", "model_vecnormalize.pkl"),
        ("model.zip", "model_vec_normalize.pkl"),
        ("model.zip", "model/vecnormalize.pkl"),
        ("model.zip", "vecnormalize.pkl"),
        ("model.zip", "vec_normalize.pkl"),
        ("rl_model_500_steps.zip", "rl_model_vecnormalize_500_steps.pkl"),
        ("best_model.zip", "Ant-v3/vecnormalize.pkl"),
    ],
)
def test_it_is_found_beside_the_model(name: str, beside: str, tmp_path: Path, model: Any) -> None:
    path, statistics = saved(model, tmp_path, beside)
    path = path.rename(tmp_path / name)
    assert found_beside(path) == statistics
    loaded = load_policy(path).policy
    assert isinstance(loaded, PolicyView)
    assert loaded.normaliser == frozen(model.get_vec_normalize_env())
    assert normaliser_digest(path) != ""
    assert normaliser_digest(path, "none") == ""


def test_it_is_not_found_where_it_may_be_anothers(tmp_path: Path, model: Any) -> None:
    path, _ = saved(model, tmp_path, "Ant-v3/vecnormalize.pkl")
    assert found_beside(path) is None
    best = path.rename(tmp_path / "best_model.zip")
    saved(model, tmp_path, "Hopper-v3/vecnormalize.pkl")
    assert found_beside(best) is None


def test_a_model_that_read_raw_observations_beside_a_file_of_statistics(
    model: Any, tmp_path: Path
) -> None:
    path, _ = saved(model, tmp_path, "vecnormalize.pkl")
    raw = rewritten(path, tmp_path / "raw.zip", lambda data: {**data, "_last_original_obs": None})
    with pytest.raises(ValueError, match="was trained without a VecNormalize"):
        load_policy(raw)
    assert not isinstance(load_policy(raw, vec_normalize=False).policy, PolicyView)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_off_policy_models_show_it_where_type_or_size_tells(kind: type, tmp_path: Path) -> None:
    path, _ = saved(trained(SAC), tmp_path)
    with pytest.raises(ValueError, match="was trained behind a VecNormalize"):
        load_policy(path)  # near 100, and near 0 behind the VecNormalize

    def small(data: dict) -> dict:
        array = np.zeros((2, 2), kind)
        text = base64.b64encode(pickle.dumps(array)).decode()
        return {**data, "_last_original_obs": {":type:": "", ":serialized:": text}}

    other = rewritten(path, tmp_path / "small.zip", small)
    if kind is np.float32:  # in a space without bounds: the file does not tell
        load_policy(other)
        return
    with pytest.raises(ValueError, match="was trained behind a VecNormalize"):
        load_policy(other)


def test_models_of_this_package_say_it_in_a_word(tmp_path: Path) -> None:
    from normalised_models import Far

    for env, word in ((VecNormalize(DummyVecEnv([Far])), True), (DummyVecEnv([Far]), False)):
        path = tmp_path / f"{word}.zip"
        CVPO("MlpPolicy", env, device="cpu", policy_kwargs={"net_arch": [8]}).save(path)
        with zipfile.ZipFile(path) as archive:
            assert json.loads(archive.read("data"))["reads_normalised"] is word
        if word:
            with pytest.raises(ValueError, match="was trained behind a VecNormalize"):
                load_policy(path)
        else:
            load_policy(path)
