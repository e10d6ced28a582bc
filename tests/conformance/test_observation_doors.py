"""Every door takes Dict, image, scalar and stacked observations, and says what it moves."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.wrappers import FrameStackObservation
from observed_envs import HORIZON, SPACES, Seen
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize
from typer.testing import CliRunner

from safer_gym.attacks import make_attack
from safer_gym.conformance.certify import certify
from safer_gym.conformance.certify.replay import recorded, replay
from safer_gym.conformance.cli.main import app
from safer_gym.conformance.contracts import check_policy
from safer_gym.conformance.evaluate import evaluate
from safer_gym.conformance.pytest_gate import certified
from safer_gym.types import AttackResult
from safer_gym.wrappers import ObservationAdversary, fit_critics

SHORT: dict[str, Any] = {"episodes": 3, "benign_episodes": 3, "limit": 1.0}
LITTLE = {"n_steps": 16, "n_envs": 2, "updates": 4, "batch_size": 8, "hidden": (8,)}
EPS = {"dict": 0.3, "mixed": 2.0, "image": 2.0}


def ppo(kind: str, **options: Any) -> Any:
    policy = "CnnPolicy" if kind == "image" else "MultiInputPolicy"
    small = {"features_extractor_kwargs": {"features_dim": 8}} if kind == "image" else {}
    return PPO(
        policy, DummyVecEnv([lambda: Seen(kind)]), n_steps=8, batch_size=8, seed=0, device="cpu",
        policy_kwargs={"net_arch": [8], **small}, **options,
    )  # fmt: skip


def idle(obs: Any) -> np.ndarray:
    """Does nothing, whatever it sees."""
    return np.zeros(1, np.float32)


class Strict:
    """Does nothing, and takes nothing but what the environment itself would show."""

    def __init__(self, kind: str) -> None:
        self.space, self.own = SPACES[kind], Seen(kind).reset(seed=0)[0]

    def __call__(self, obs: Any) -> np.ndarray:
        if not self.space.contains(obs if isinstance(obs, dict) else np.asarray(obs)):
            raise AssertionError(f"shown {obs!r}")
        for shown, own in zip(self._parts(obs), self._parts(self.own), strict=True):
            if (np.shape(shown), shown.dtype.kind) != (np.shape(own), np.asarray(own).dtype.kind):
                raise AssertionError(f"shown {shown!r}, as {own!r}")
        return np.zeros(1, np.float32)

    def _parts(self, obs: Any) -> list[Any]:
        return [obs[key] for key in self.own] if isinstance(self.own, dict) else [obs]


@pytest.mark.parametrize("kind", [*SPACES])
def test_a_policy_is_shown_observations_of_the_space(kind: str) -> None:
    make = functools.partial(Seen, kind)
    assert len(evaluate(Strict(kind), make, ["natural", "uniform"], eps=0.4, n_episodes=2)) == 2
    with pytest.raises((ValueError, AssertionError), match="shown"):
        evaluate(Strict("dict" if kind != "dict" else "mixed"), make, ["uniform"], eps=0.4)


class Outward:
    """Moves every entry by its whole radius, as far as the box allows."""

    per_row_noise = False

    def __call__(self, victim: Any, obs: Any, ball: Any, generator: Any = None) -> AttackResult:
        nothing = obs.new_zeros(len(obs))
        points = ball.project(obs, obs + ball.radius(obs) * torch.ones_like(obs))
        return AttackResult(points, nothing, nothing)


@pytest.mark.parametrize(
    ("eps", "scale", "x", "v"),
    [
        (0.5, None, 0.5, 0.5),
        (0.5, {"x": 1.0}, 0.5, 0.0),
        (0.5, {"x": 0.5, "v": 2.0}, 0.25, 1.0),
        ({"x": 0.2, "v": 0.1}, None, 0.2, 0.1),
    ],
)
def test_each_key_has_its_radius_and_the_others_stay(
    eps: Any, scale: Any, x: float, v: float
) -> None:
    outcome = evaluate(
        idle, Seen, {"out": Outward()}, eps=eps, scale=scale,
        n_episodes=1, traces=1,
    )[0]  # fmt: skip
    moved = np.abs(outcome.traces[0].attacked - outcome.traces[0].clean)
    # Gymnasium sorts the keys: bits, mode, v, x.
    np.testing.assert_allclose(moved[:, :3], 0.0)
    np.testing.assert_allclose(moved[:, 3], v, atol=1e-6)
    np.testing.assert_allclose(moved[:, 4], x, atol=1e-6)


@pytest.mark.parametrize(("eps", "steps"), [(2.0, 2), (2.9, 2), (0.9, 0)])
def test_pixels_move_by_whole_steps_inside_the_ball(eps: float, steps: int) -> None:
    make = functools.partial(Seen, "image")
    found = evaluate(idle, make, {"out": Outward()}, eps=eps, n_episodes=1, traces=1)[0]
    trace = found.traces[0]
    assert (trace.attacked == np.rint(trace.attacked)).all()
    assert np.abs(trace.attacked - trace.clean).max() == steps
    assert found.threat == (
        f"eps = {eps:g} is {steps} of 255 pixel steps: what is shown is rounded to whole ones",
    )


def test_what_is_not_attacked_is_said() -> None:
    words = evaluate(ppo("dict"), Seen, ["mad"], eps=0.1, scale={"x": 1.0}, n_episodes=1)[0].threat
    assert words == (
        "not attacked, and shown as it is: 'v' (Box(-3.0, 3.0, (1,), float32)), "
        "'bits' (MultiBinary(2)), 'mode' (Discrete(3))",
    )


def test_stacked_frames_are_moved_anew_and_that_is_said() -> None:
    def make() -> Any:
        return FrameStackObservation(Seen("plain"), 3)

    model = PPO("MlpPolicy", make(), n_steps=8, batch_size=8, seed=0, device="cpu")
    assert "moves all frames" in evaluate(model, make, ["mad"], eps=0.1, n_episodes=1)[0].threat[0]
    certificate = certify(model, make, eps=[0.1], battery={"mad": make_attack("mad")}, **SHORT)
    assert any("moves all frames" in flag.message for flag in certificate.flags)
    assert "stacks frames" in str(certificate.rows[-1].rate.upper_every.refused)


@pytest.mark.parametrize("kind", EPS)
def test_gradients_reach_the_pixels_and_the_keys(kind: str) -> None:
    model = ppo(kind)
    env = ObservationAdversary(Seen(kind), "mad", policy=model, eps=EPS[kind])
    _, info = env.reset(seed=0)
    assert info["adversary"]["gain"] > 0
    outcome = evaluate(model, functools.partial(Seen, kind), ["mad"], eps=EPS[kind], n_episodes=1,
                       traces=1)[0]  # fmt: skip
    trace = outcome.traces[0]
    assert (np.abs(trace.attacked - trace.clean).max(1 if kind != "image" else (1, 2, 3)) > 0).all()


@pytest.mark.parametrize("kind", EPS)
def test_certify_and_replay(kind: str) -> None:
    model, make = ppo(kind), functools.partial(Seen, kind)
    battery = {"mad": make_attack("mad")}
    scale = {"x": 1.0, "v": 0.5} if kind == "dict" else None
    certificate = certify(model, make, eps=[EPS[kind]], battery=battery, scale=scale, **SHORT)
    row = certificate.rows[-1]
    assert row.attacks[0].n >= 1
    words = {"dict": "Dict observations", "mixed": "Dict observations", "image": "images"}[kind]
    assert words in str(row.rate.upper_every.refused)
    note = recorded(certificate, row.attacks[0].attack, row.eps, 0, row.mode)
    again = replay(certificate, model, make, note, battery=battery)
    assert (again.cost, again.reward) == (note.cost, note.reward)
    assert not [flag for flag in certificate.flags if flag.level == "error"]


def test_pytest_contracts_and_critics() -> None:
    model = ppo("dict")
    with pytest.warns(UserWarning, match="no cost"):
        critics = fit_critics(lambda obs: np.full(1, -1.0, np.float32), Seen, **LITTLE)
    assert critics.diagnostics.cost_rate == 0.0
    assert check_policy(model, Seen).gradients == "honest"
    certified(
        model, Seen, "P(cost > 6) <= 0.95 at eps = 0.1", folder=Path(), episodes=5,
        benign_episodes=5, battery={"mad": make_attack("mad")},
    )  # fmt: skip


def test_the_shell(tmp_path: Path) -> None:
    import gymnasium as gym

    ppo("dict").save(tmp_path / "model.zip")
    gym.register("Seen-v0", Seen, max_episode_steps=HORIZON)
    try:
        shown = CliRunner().invoke(
            app, ["evaluate", str(tmp_path / "model.zip"), "--task", "Seen-v0", "--attacks", "mad",
                  "--eps", "0.1", "--episodes", "2"],
        )  # fmt: skip
        scaled = [
            CliRunner().invoke(
                app, [command, str(tmp_path / "model.zip"), "--env", "Seen-v0", "--attacks", "mad",
                      "--eps", "0.1", "--episodes", "2", "--scale", "x=1"],
            )
            for command in ("evaluate", "attack")
        ]  # fmt: skip
        judged = CliRunner().invoke(
            app, ["certify", str(tmp_path / "model.zip"), "--env", "Seen-v0", "--eps", "0.1",
                  "--limit", "6", "--episodes", "3", "--battery", "quick", "--budget", "5s",
                  "--scale", "x=1,v=0.5"],
        )  # fmt: skip
    finally:
        del gym.registry["Seen-v0"]
    for found in (shown, judged, *scaled):
        assert found.exit_code == 0, found.output
        words = " ".join(found.output.split())
        assert "'mode' (Discrete(3))" in words
        assert ("'v' (Box" in words) == (found in scaled)


def test_a_normaliser_of_some_keys_goes_before_the_policy() -> None:
    venv = VecNormalize(DummyVecEnv([Seen]), norm_obs_keys=["x", "v"])
    venv.obs_rms["x"].mean[:], venv.obs_rms["x"].var[:] = 0.5, 4.0
    model = PPO("MultiInputPolicy", venv, n_steps=8, batch_size=8, seed=0, device="cpu")
    outcome = evaluate(model, Seen, ["natural"], eps=0.0, n_episodes=1)[0]
    env, total, done = Seen(), 0.0, False
    obs, _ = env.reset(seed=0)
    while not done:
        batch = {key: np.asarray(value)[None] for key, value in obs.items()}
        action, _ = model.predict(venv.normalize_obs(batch), deterministic=True)
        obs, reward, _, done, _ = env.step(action[0])
        total += reward
    assert outcome.mean_return == pytest.approx(total, abs=1e-5)
    moved = evaluate(model, Seen, {"out": Outward()}, eps=0.1, units="normalised", n_episodes=1,
                     traces=1)[0].traces[0]  # fmt: skip
    assert np.abs(moved.attacked - moved.clean).max() == pytest.approx(0.2, rel=1e-4)
