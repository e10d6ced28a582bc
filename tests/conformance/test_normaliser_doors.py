"""Every door measures a policy through the statistics that it was trained behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from normalised_models import Far, saved, trained, truth
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnvWrapper, VecMonitor, VecNormalize
from typer.testing import CliRunner

from safer_gym.attacks import make_attack
from safer_gym.conformance.certificate.record import Certificate
from safer_gym.conformance.certify import certify
from safer_gym.conformance.certify.replay import recorded, replay
from safer_gym.conformance.certify.strongest import strongest_attack
from safer_gym.conformance.certify.world import seed_of
from safer_gym.conformance.cli.main import app
from safer_gym.conformance.evaluate import evaluate
from safer_gym.conformance.loading import load_policy
from safer_gym.conformance.loading.normaliser import read_normaliser
from safer_gym.conformance.pytest_gate import certified
from safer_gym.wrappers import ObservationAdversary, VecObservationAdversary, fit_critics
from safer_gym.wrappers.policies.normaliser import frozen
from safer_gym.wrappers.policies.trained_behind import was_changed

N = 25
OPTIONS: dict[str, Any] = {
    "eps": [0.0, 0.01], "limit": 2.0, "modes": ["deterministic"], "episodes": N,
    "benign_episodes": N, "battery": {"uniform": make_attack("uniform")},
}  # fmt: skip
RAW: dict[str, Any] = {"vec_normalize": False}
Costs = list[float]


def _evaluated(policy: Any, **options: Any) -> Costs:
    return evaluate(policy, Far, ["natural"], eps=0.0, n_episodes=N, **options)[0].costs.tolist()


def _of(certificate: Certificate) -> Costs:
    (null,) = (a for a in certificate.rows[0].attacks if a.attack == "null")
    return list(null.costs)


def _certified(policy: Any, **options: Any) -> Costs:
    return _of(certify(policy, Far, **OPTIONS, **options))


@pytest.fixture(scope="module")
def model() -> Any:
    """Its own VecNormalize is attached."""
    return trained()


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory, model: Any) -> Any:
    """The same without its environment."""
    path, _ = saved(model, tmp_path_factory.mktemp("bare"))
    return PPO.load(path, device="cpu")


def test_raw_observations_tell_another_cost(model: Any) -> None:
    assert _evaluated(model, vec_normalize=False) != truth(model, range(N))


@pytest.mark.parametrize("cls", [PPO, SAC])
def test_evaluate_sees_through_an_attached_one(cls: Any) -> None:
    model = trained(cls)
    assert _evaluated(model) == truth(model, range(N))


def test_evaluate_sees_through_a_given_one(model: Any, bare: Any, tmp_path: Path) -> None:
    normaliser, want = model.get_vec_normalize_env(), truth(model, range(N))
    _, statistics = saved(model, tmp_path)
    for given in (normaliser, frozen(normaliser), statistics, str(statistics)):
        assert _evaluated(bare, vec_normalize=given) == want
    assert _evaluated(bare, vec_normalize=False) != want


@pytest.mark.parametrize("cls", [PPO, SAC])
@pytest.mark.parametrize("door", ["evaluate", "certify", "the wrapper", "the critics"])
def test_a_model_that_lost_its_normaliser_is_refused(door: str, cls: Any, tmp_path: Path) -> None:
    path, _ = saved(trained(cls), tmp_path)
    model = cls.load(path, device="cpu")
    with pytest.raises(ValueError, match="trained behind a VecNormalize"):
        LOST[door](model)
    with pytest.raises(ValueError, match="trained behind a VecNormalize"):
        load_policy(path)
    assert len(_evaluated(model, vec_normalize=False)) == N


@pytest.mark.parametrize("method", ["normalize_obs", "_normalize_obs"])
@pytest.mark.parametrize("place", ["class", "object"])
def test_a_normaliser_of_another_kind_is_not_read_as_one(method: str, place: str) -> None:
    model = trained()
    normaliser = model.get_vec_normalize_env()

    class Another(VecNormalize):
        def normalize_obs(self, obs: Any) -> Any:
            return -super().normalize_obs(obs)

        def _normalize_obs(self, obs: Any, obs_rms: Any) -> Any:
            return -super()._normalize_obs(obs, obs_rms)

    if place == "class":
        normaliser.__class__ = type("Another", (VecNormalize,), {method: vars(Another)[method]})
    else:
        setattr(normaliser, method, lambda obs, *_: obs)
    with pytest.raises(ValueError, match=f"has a '{method}' of its own"):
        _evaluated(model)


class Shifted(VecEnvWrapper):
    """A normaliser by hand: observations less 100."""

    def reset(self) -> Any:
        return (self.venv.reset() - 100.0).astype(np.float32)

    def step_wait(self) -> Any:
        obs, rewards, dones, infos = self.venv.step_wait()
        return (obs - 100.0).astype(np.float32), rewards, dones, infos


class Watched(Shifted):
    """One that changes nothing."""

    def reset(self) -> Any:
        return self.venv.reset()

    def step_wait(self) -> Any:
        return self.venv.step_wait()


class Centred(gym.ObservationWrapper):
    def observation(self, obs: Any) -> Any:
        return (obs - 100.0).astype(np.float32)


def _trained_in(env: Any) -> Any:
    return PPO("MlpPolicy", env, n_steps=8, batch_size=8, device="cpu").learn(8)


def test_a_normaliser_that_is_no_vec_normalize_is_noticed() -> None:
    model = _trained_in(Shifted(DummyVecEnv([Far])))
    with pytest.raises(ValueError, match="behind a Shifted, which may change observations"):
        _evaluated(model)
    _evaluated(model, vec_normalize=False)
    _evaluated(_trained_in(Watched(VecMonitor(DummyVecEnv([Far])))))
    with pytest.raises(ValueError, match="has 2 VecNormalize around each other"):
        _evaluated(_trained_in(VecNormalize(VecNormalize(DummyVecEnv([Far])))))


@pytest.mark.parametrize("door", ["evaluate", "certify"])
def test_an_observation_wrapper_that_is_missing_is_noticed(door: str) -> None:
    model = _trained_in(DummyVecEnv([lambda: Centred(Far())]))
    with pytest.raises(ValueError, match="shows observations through Centred"):
        DOORS[door](model)
    evaluate(model, lambda: Centred(Far()), ["natural"], eps=0.0, n_episodes=1, max_steps=5)


@pytest.mark.parametrize("door", ["evaluate", "certify"])
@pytest.mark.parametrize("many", [DummyVecEnv, gym.vector.SyncVectorEnv])
def test_a_vector_environment_is_not_one_environment(door: str, many: Any) -> None:
    with pytest.raises(TypeError, match="make_env must make one environment of gymnasium; got a"):
        INTO[door](lambda: many([Far]))


def test_an_off_policy_model_on_raw_observations_shows_no_normaliser() -> None:
    """What it kept is the observation of the step before."""
    small, large = np.ones((1, 2), np.float32), np.full((1, 2), 100.0, np.float32)
    space = Far.observation_space
    assert not was_changed(large, large, space)
    assert not was_changed(small, small, space)
    assert not was_changed(large, small, space)
    assert was_changed(small, large, space)
    assert was_changed(small, small.astype(np.float64), space)
    assert not was_changed(None, small, space)


def test_certify_and_the_pytest_gate_see_through_it(model: Any, bare: Any, tmp_path: Path) -> None:
    normaliser = model.get_vec_normalize_env()
    want = truth(model, [seed_of(0, "measure", k) for k in range(N)])
    assert _certified(model) == want
    assert _certified(bare, vec_normalize=normaliser) == want
    path, statistics = saved(model, tmp_path)
    asked = "P(cost > 2) <= 0.9 at eps = 0 by the deterministic policy"
    options = {"episodes": N, "benign_episodes": N, "battery": OPTIONS["battery"]}
    for policy, given in ((bare, normaliser), (path, statistics.relative_to(tmp_path))):
        found = certified(policy, Far, asked, folder=tmp_path, vec_normalize=given, **options)
        assert _of(found)[:5] == want[:5]


def test_the_digest_knows_the_statistics_and_replay_wants_them(model: Any, bare: Any) -> None:
    normaliser = model.get_vec_normalize_env()
    certificate = certify(bare, Far, **OPTIONS, vec_normalize=normaliser)
    assert certificate.policy.digest == certify(model, Far, **OPTIONS).policy.digest
    assert certificate.policy.digest != certify(bare, Far, **OPTIONS, **RAW).policy.digest
    note, battery = recorded(certificate, "uniform", 0.01, 3), OPTIONS["battery"]
    again = replay(certificate, bare, Far, note, battery=battery, vec_normalize=normaliser)
    assert again.cost == note.cost
    with pytest.raises(ValueError, match="not the certificate's policy"):
        replay(certificate, bare, Far, note, battery=battery, **RAW)


def test_strongest_attack_sees_through_it(model: Any, bare: Any) -> None:
    options: dict[str, Any] = {"eps": 0.0, "battery": "quick", "n_episodes": 5}
    normaliser = model.get_vec_normalize_env()
    found = strongest_attack(bare, Far, vec_normalize=normaliser, **options)
    assert found.outcome.costs.tolist() == truth(model, range(5))


def test_wrappers_attack_what_the_policy_reads(model: Any) -> None:
    normaliser = model.get_vec_normalize_env()
    single = ObservationAdversary(Far(), "mad", policy=model, eps=0.1)
    whole = VecObservationAdversary(DummyVecEnv([Far]), "mad", policy=model, eps=0.1)
    obs = torch.as_tensor(Far().reset(seed=0)[0][None])
    want = model.predict(normaliser.normalize_obs(obs.numpy()), deterministic=True)[0]
    for env in (single, whole):
        np.testing.assert_allclose(env.engine.victim.action(obs).detach(), want, atol=1e-5)


def test_two_normalisers_that_differ_are_refused(model: Any) -> None:
    other = trained().get_vec_normalize_env()
    other.obs_rms.mean = other.obs_rms.mean + 1.0
    with pytest.raises(ValueError, match="vec_normalize differs from the statistics"):
        _evaluated(model, vec_normalize=other)
    with pytest.raises(TypeError, match="VecNormalize, a Normaliser, or False"):
        _evaluated(model, vec_normalize=3)


def test_statistics_of_other_observations_are_refused(bare: Any, model: Any) -> None:
    own = frozen(model.get_vec_normalize_env())
    assert own is not None
    short = type(own)(type(own.obs_rms)(own.obs_rms.mean[:1], own.obs_rms.var[:1]))
    with pytest.raises(ValueError, match=r"statistics have shape \(1,\)"):
        _evaluated(bare, vec_normalize=short)


def test_running_statistics_get_no_bound_and_are_measured_as_they_are(model: Any) -> None:
    running = trained()
    running.get_vec_normalize_env().training = True
    want = truth(running, range(N))
    before = running.get_vec_normalize_env().obs_rms.count
    assert _evaluated(running) == want
    assert running.get_vec_normalize_env().obs_rms.count == before
    options = {**OPTIONS, "modes": None, "battery": OPTIONS["battery"]}
    found = certify(running, Far, **options)
    assert any("running normalisation" in str(refusal) for refusal in found.refusals)


def test_eps_counts_what_is_said(model: Any, bare: Any) -> None:
    normaliser: Any = frozen(model.get_vec_normalize_env())
    deviation = np.sqrt(normaliser.obs_rms.var + normaliser.epsilon)
    options: dict[str, Any] = {"n_episodes": 3, "traces": 1}
    raw, stated = (
        evaluate(model, Far, ["uniform"], eps=eps, units=units, **options)[0]
        for eps, units in ((0.5 * deviation, "raw"), (0.5, "normalised"))
    )
    assert (raw.units, stated.units, stated.eps) == ("raw", "normalised", 0.5)
    np.testing.assert_array_equal(raw.traces[0].attacked, stated.traces[0].attacked)
    assert stated.to_json()["units"] == "normalised"
    with pytest.raises(ValueError, match="units='normalised' needs the VecNormalize"):
        evaluate(bare, Far, ["uniform"], eps=0.5, units="normalised", **RAW)
    with pytest.raises(ValueError, match="Did you mean 'normalised'"):
        evaluate(model, Far, ["uniform"], eps=0.5, units="normalized")


def test_a_certificate_says_what_its_eps_counts(model: Any, bare: Any) -> None:
    normaliser: Any = frozen(model.get_vec_normalize_env())
    raw = certify(model, Far, **OPTIONS)
    stated = certify(model, Far, **OPTIONS, units="normalised")
    assert (raw.units, raw.scale, raw.policy.normaliser) == ("raw", None, normaliser.digest)
    assert stated.units == "normalised"
    np.testing.assert_allclose(stated.scale, np.sqrt(normaliser.obs_rms.var + normaliser.epsilon))
    assert certify(bare, Far, **OPTIONS, **RAW).policy.normaliser is None
    with pytest.raises(ValueError, match="not both"):
        certify(model, Far, **OPTIONS, units="normalised", scale=[1.0, 1.0])


@pytest.fixture(autouse=True)
def registered() -> Any:
    gym.register("Far-v0", Far, max_episode_steps=5)
    yield
    del gym.registry["Far-v0"]


def run(*arguments: Any) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.output


@pytest.mark.parametrize("command", ["evaluate", "attack"])
@pytest.mark.parametrize("where", ["given", "beside"])
def test_the_command_line_sees_through_it(
    model: Any, tmp_path: Path, command: str, where: str
) -> None:
    path, statistics = saved(model, tmp_path, "vecnormalize.pkl" if where == "beside" else "")
    given = ("--vec-normalize", statistics) if where == "given" else ()
    attacks = ("--attacks", "uniform", "--eps", "0.001")
    code, said = run(command, path, "--task", "Far-v0", "--episodes", 5, *attacks, "--json", *given)
    assert code == 0, said
    if command == "attack":
        natural = json.loads(said[said.index("{") :])["outcomes"][0]
        assert natural["costs"] == truth(model, range(5))
    code, said = run(command, path, "--task", "Far-v0", "--episodes", 1, *attacks, "--json",
                     "--units", "normalised", *given)  # fmt: skip
    assert json.loads(said[said.index("{") :])["outcomes"][-1]["units"] == "normalised"


def test_the_command_line_refuses_a_model_without_its_statistics(
    model: Any, tmp_path: Path
) -> None:
    path, _ = saved(model, tmp_path)
    for command in (
        ("evaluate", path, "--task", "Far-v0", "--attacks", "natural", "--episodes", 1),
        ("attack", path, "--task", "Far-v0", "--attacks", "uniform", "--episodes", 1),
        ("certify", path, "--env", "Far-v0", "--eps", "0.01", "--limit", 2, "--episodes", 1),
    ):
        code, said = run(*command)
        assert (code, "--vec-normalize FILE" in " ".join(said.split())) == (3, True), said
    command = ("evaluate", path, "--task", "Far-v0", "--attacks", "natural", "--episodes", 1)
    assert run(*command, "--vec-normalize", "none")[0] == 0
    assert run(*command, "--vec-normalize", tmp_path / "nowhere.pkl")[0] == 3


def test_certify_and_replay_of_the_command_line(model: Any, tmp_path: Path) -> None:
    path, statistics = saved(model, tmp_path)
    given = ("--vec-normalize", statistics, "--cache", tmp_path / "learned")
    code, said = run(
        "certify", path, "--env", "Far-v0", "--eps", "0.01", "--limit", 2, "--episodes", 25,
        "--modes", "deterministic", "--battery", "quick", "--out", tmp_path / "out", *given,
    )  # fmt: skip
    assert code == 0, said
    again = ("replay", tmp_path / "out/certificate.json", "--model", path, "--env", "Far-v0")
    assert run(*again, *given)[0] == 0
    assert run(*again, "--vec-normalize", "none")[0] == 3


def test_a_loaded_policy_brings_its_statistics_along(model: Any, tmp_path: Path) -> None:
    path, statistics = saved(model, tmp_path, "model_vecnormalize.pkl")
    loaded = load_policy(path)
    assert _evaluated(loaded.policy) == truth(model, range(N))
    told, state = loaded.policy.predict(Far().reset(seed=0)[0])
    assert told.shape == (1,)
    assert state is None
    assert load_policy(path, vec_normalize=False).policy.action_space == Far.action_space
    assert read_normaliser(statistics) == frozen(model.get_vec_normalize_env())


LOST: dict[str, Callable[[Any], Any]] = {
    "evaluate": _evaluated,
    "certify": _certified,
    "the wrapper": lambda m: ObservationAdversary(Far(), "uniform", policy=m, eps=0.1),
    "the critics": lambda m: fit_critics(m, Far, n_steps=8, updates=1),
}
INTO: dict[str, Callable[[Any], Any]] = {
    "evaluate": lambda make: evaluate(torch.nn.Linear(2, 1), make, ["natural"], eps=0.0),
    "certify": lambda make: certify(torch.nn.Linear(2, 1), make, **OPTIONS),
}
DOORS: dict[str, Callable[..., Any]] = {"evaluate": _evaluated, "certify": _certified}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("change", ["mean", "var"])
def test_statistics_that_make_no_sense_are_refused(
    door: str, change: str, bare: Any, model: Any
) -> None:
    broken = trained().get_vec_normalize_env()
    setattr(broken.obs_rms, change, np.array([-1.0, np.nan]))
    with pytest.raises(ValueError, match="must be finite, and var >= 0"):
        DOORS[door](bare, vec_normalize=broken)


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_observations_far_from_zero_get_their_bound(offset: float) -> None:
    class Further(Far):
        def reset(self, **options: Any) -> tuple[np.ndarray, dict]:
            super().reset(**options)
            self.x = self.x + offset
            return self.x.astype(np.float32), {}

    model = trained()
    model.get_vec_normalize_env().obs_rms.mean += offset
    found = certify(model, Further, **{**OPTIONS, "modes": ("stochastic",)})
    assert found.rows[-1].rate.upper_every.value is not None
