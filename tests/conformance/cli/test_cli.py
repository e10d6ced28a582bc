"""The command line: exit codes, JSON, refusals; on small untrained policies."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
import stable_baselines3
import typer
from model_specimens import poisoned, rewritten
from stable_baselines3 import PPO, SAC
from typer.testing import CliRunner

from safer_gym.agents import CVPO, SAFER, PPOLagrangian
from safer_gym.agents.training.checkpoint import CheckpointCallback, latest_checkpoint
from safer_gym.agents.training.plan import Run
from safer_gym.conformance.cli import demo as demo_module
from safer_gym.conformance.cli.main import app
from safer_gym.conformance.cli.measure import parse_radii
from safer_gym.conformance.cli.models import find_model, load_model
from safer_gym.conformance.cli.progress import Bar
from safer_gym.conformance.cli.trainings import train_policy
from safer_gym.conformance.loading import zoo
from safer_gym.wrappers.tasks import Task, find_task

runner = CliRunner()
SMALL: dict[str, Any] = {"policy_kwargs": {"net_arch": [16, 16]}, "device": "cpu", "seed": 0}


@pytest.fixture(scope="session")
def small_zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zoo")
    (folder / "ball-circle").mkdir()
    env = gym.make("SaferGym/BallCircle-v0")
    for name, algorithm in {"cvpo": CVPO, "safer-attacked": SAFER}.items():
        path = folder / "ball-circle" / f"{name}.zip"
        algorithm("MlpPolicy", env, **SMALL).save(path)
        record = {"task": "ball-circle", "algorithm": name, "seed": 0, "command": "none"}
        path.with_suffix(".json").write_text(json.dumps(record))
    for sb3 in (PPO, SAC):
        sb3("MlpPolicy", env, **SMALL).save(folder / sb3.__name__.lower())
    (folder / "broken.zip").write_bytes(b"not a zip")
    env.close()
    return folder


@pytest.fixture(autouse=True)
def _packaged(small_zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The small policies for the packaged ones, and evaluations of 12 steps an episode."""
    monkeypatch.setattr(zoo, "ZOO", small_zoo)
    monkeypatch.setattr(
        Task, "make", lambda task, **options: gym.make(task.env_id, max_episode_steps=12, **options)
    )


def run(*arguments: str) -> tuple[int, str, str]:
    result = runner.invoke(app, list(arguments))
    return result.exit_code, result.stdout, result.stderr


def test_help_needs_no_torch() -> None:
    """Help is quick because it loads none of the heavy parts."""
    code = (
        "import sys; from safer_gym.conformance.cli import main; "
        "heavy = {'torch', 'stable_baselines3', 'matplotlib', 'pybullet', 'gymnasium', 'numpy'}; "
        "heavy &= set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})


@pytest.mark.parametrize("command", ["demo", "train", "attack", "evaluate", "tasks"])
def test_every_command_has_help(command: str) -> None:
    code, out, _ = run(command, "--help")
    assert code == 0
    assert "--json" in out


def test_tasks_lists_sizes_and_packaged_policies() -> None:
    code, out, _ = run("tasks", "--json")
    assert code == 0
    rows = {row["task"]: row for row in json.loads(out)}
    ball = rows["ball-circle"]
    assert (ball["observation"], ball["action"], ball["horizon"], ball["eps"]) == (8, 2, 200, 0.05)
    assert ball["policies"] == ["ball-circle/cvpo", "ball-circle/safer-attacked"]
    assert rows["car-circle"]["policies"] == []
    code, out, _ = run("tasks")
    assert code == 0
    assert "cvpo, safer" in out


def test_evaluate_prints_json_for_machines() -> None:
    code, out, _ = run(
        "evaluate", "ball-circle/safer-attacked", "--episodes", "2", "--eps", "0.01,0.05", "--json"
    )
    assert code == 0
    result = json.loads(out)
    jobs = [(o["attack"], o["eps"]) for o in result["outcomes"]]
    assert jobs == [("natural", 0.0), ("mc", 0.01), ("mc", 0.05), ("mr", 0.01), ("mr", 0.05)]
    assert result["passed"]
    assert result["worst_mean_cost"] == max(o["mean_cost"] for o in result["outcomes"])


def test_attack_puts_the_natural_line_first() -> None:
    code, out, _ = run("attack", "ball-circle/cvpo", "--attacks", "mc", "--episodes", "1")
    assert code == 0
    assert out.index("natural") < out.index("mc  ")


@pytest.mark.parametrize(("max_cost", "expected"), [("1000", 0), ("-1", 1)])
def test_max_cost_is_a_gate(max_cost: str, expected: int) -> None:
    code, _, err = run(
        "evaluate",
        "ball-circle/safer-attacked",
        "--attacks",
        "natural",
        "--episodes",
        "1",
        "--max-cost",
        max_cost,
    )
    assert code == expected
    assert ("refused: mean cost" in err) == (expected == 1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["evaluate"], "model"),
        (["evaluate", "ball-circle/safer-attacked", "--bogus"], "bogus"),
        (["evaluat"], "evaluat"),
        (["evaluate", "ball-circle/safe"], "ball-circle/safer-attacked"),
        (["evaluate", "ball-circle/safer-attacked", "--task", "ball-circel"], "'ball-circle'"),
        (["evaluate", "ball-circle/safer-attacked", "--attacks", "mcc"], "'mc'"),
        (["evaluate", "ball-circle/safer-attacked", "--attacks", ","], "at least one"),
        (
            ["evaluate", "ball-circle/safer-attacked", "--eps", "-1"],
            "eps must be a finite",
        ),
        (
            ["evaluate", "ball-circle/safer-attacked", "--eps", "nan"],
            "eps must be a finite",
        ),
        (["evaluate", "ball-circle/safer-attacked", "--eps", "x"], "0.01,0.05"),
        (["evaluate", "ball-circle/safer-attacked", "--norm", "3"], "'linf'"),
        (
            ["evaluate", "ball-circle/safer-attacked", "--algorithm", "cvpo"],
            "holds a safer-attacked model",
        ),
        (["evaluate", "{zoo}/broken.zip", "--task", "ball-circle"], "no policy that can be loaded"),
        (["evaluate", "{zoo}/sac.zip"], "--env"),
        (
            ["evaluate", "{zoo}/ppo.zip", "--task", "ball-circle", "--algorithm", "sac"],
            "holds a ppo model",
        ),
        (["train", "ball-circle", "--timesteps", "-5"], "timesteps"),
        (["train", "ball-circl"], "'ball-circle'"),
    ],
)
def test_wrong_usage_is_3_and_says_what_is_right(
    arguments: list[str], words: str, small_zoo: Path
) -> None:
    code, out, err = run(*(argument.format(zoo=small_zoo) for argument in arguments))
    assert code == 3, out + err
    assert words in " ".join((out + err).split())


def test_a_bug_is_4(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoo, "ZOO", None)
    code, _, err = run("tasks")
    assert code == 4
    assert "Traceback" in err


def test_a_plain_sb3_model_is_evaluated(small_zoo: Path) -> None:
    code, out, _ = run(
        "evaluate",
        str(small_zoo / "sac.zip"),
        "--task",
        "SaferGym/BallCircle-v0",
        "--attacks",
        "natural,uniform,mr",
        "--episodes",
        "1",
        "--json",
    )
    assert code == 0
    assert json.loads(out)["algorithm"] == "sac"


def test_the_file_or_its_record_names_the_algorithm(small_zoo: Path) -> None:
    for name in ("sac", "ppo"):
        assert find_model(str(small_zoo / f"{name}.zip"), env="ball-circle").algorithm == name
    assert find_model(str(small_zoo / "ball-circle" / "cvpo.zip")).algorithm == "cvpo"


@pytest.mark.parametrize("command", ["evaluate", "attack"])
@pytest.mark.parametrize("key", ["policy_class", "lr_schedule"])
def test_nothing_in_a_model_file_runs(
    command: str, key: str, small_zoo: Path, tmp_path: Path
) -> None:
    """One trap where reading must stop, one where nothing that acting needs is."""
    mark = tmp_path / "mark"
    bad = rewritten(small_zoo / "sac.zip", tmp_path / "bad.zip", poisoned(key, mark))
    arguments = [command, str(bad), "--task", "ball-circle", "--attacks", "uniform"]
    code, out, err = run(*arguments, "--episodes", "1")
    refused = key == "policy_class"
    assert code == (3 if refused else 0), out + err
    assert ("--trust" in " ".join(err.split())) == refused
    assert not mark.exists()
    run(*arguments, "--episodes", "1", "--trust")
    assert mark.exists() == refused, "what can be read as data is read so, trusted or not"


def test_a_packaged_policy_is_read_as_data_too(small_zoo: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    own = small_zoo / "ball-circle" / "safer-attacked.zip"
    kept = own.read_bytes()
    try:
        rewritten(own, tmp_path / "bad.zip", poisoned("lr_schedule", mark)).replace(own)
        code, out, err = run("evaluate", "ball-circle/safer-attacked", "--episodes", "1")
        assert code == 0, out + err
        policy = load_model(find_model("ball-circle/safer-attacked"))
        assert policy.victim().q_cost is not None
        assert not mark.exists()
        with suppress(Exception):
            SAFER.load(own)
        assert mark.exists(), "the specimen must be live"
    finally:
        own.write_bytes(kept)


@pytest.mark.parametrize("name", ["PPO", "SAC", "A2C", "TD3", "DDPG", "TQC", "CrossQ", "TRPO"])
def test_models_of_every_algorithm_are_measured(name: str, tmp_path: Path) -> None:
    made_by = getattr(stable_baselines3, name, None)
    made_by = made_by or getattr(pytest.importorskip("sb3_contrib"), name)
    path = tmp_path / "model.zip"
    kwargs = {"policy_kwargs": {"net_arch": [8]}, "seed": 0, "device": "cpu"}
    made_by("MlpPolicy", gym.make("SaferGym/BallCircle-v0"), **kwargs).save(path)
    attacks = "uniform,mad" if name in ("PPO", "A2C", "TRPO") else "min_reward"
    for command in ("attack", "evaluate"):
        code, out, err = run(
            *(command, str(path), "--task", "ball-circle", "--attacks", attacks),
            *("--episodes", "1", "--json", "--algorithm", name.lower()),
        )
        assert code == 0, out + err
        assert json.loads(out)["algorithm"] == name.lower()


def test_one_class_with_several_names_is_told_by_its_record(tmp_path: Path) -> None:
    model = tmp_path / "model.zip"
    env = gym.make("SaferGym/BallCircle-v0")
    PPOLagrangian("MlpPolicy", env, n_steps=8, batch_size=8, buffer_size=10).save(model)
    assert find_model(str(model), env="ball-circle").algorithm == "ppol"
    assert find_model(str(model), "adv-ppol", "ball-circle").algorithm == "adv-ppol"
    with pytest.raises(ValueError, match="holds a ppol model, not safer"):
        find_model(str(model), "safer", "ball-circle")
    model.with_suffix(".json").write_text('{"algorithm": "sa-ppol", "task": "ball-circle"}')
    assert find_model(str(model)).algorithm == "sa-ppol"


def test_radii() -> None:
    assert parse_radii("0.01, 0.05") == (0.01, 0.05)
    assert parse_radii("") == ()


def small_run(out: Path, timesteps: int, algorithm: str = "safer", seed: int = 0) -> Run:
    kwargs = {"policy_kwargs": {"net_arch": [16, 16]}, "learning_starts": 200, "gradient_steps": 2}
    return Run(find_task("ball-circle"), algorithm, timesteps, 2, kwargs, seed, out)


def test_training_resumes_and_is_not_repeated(tmp_path: Path) -> None:
    with Bar() as bar:
        first = train_policy(small_run(tmp_path, 800), bar)
        again = train_policy(small_run(tmp_path, 800), bar)
        longer = train_policy(small_run(tmp_path, 1200), bar)
    assert [p.timesteps for p in again] == [p.timesteps for p in first]
    assert [p.timesteps for p in longer[: len(first)]] == [p.timesteps for p in first]
    assert longer[-1].timesteps == 1200
    record = json.loads((tmp_path / "model.json").read_text())
    assert record["timesteps"] == 1200
    assert record["command"] == (
        "safer-gym train ball-circle --algorithm safer --timesteps 1200 --seed 0"
    )
    assert str(tmp_path) not in json.dumps(record)
    assert record["versions"]["torch"]
    assert find_model(str(tmp_path / "model.zip")).algorithm == "safer"


def test_training_leaves_nothing_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SB3_LOGDIR", str(tmp_path / "elsewhere"))
    with Bar() as bar:
        train_policy(small_run(tmp_path / "run", 800), bar)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_an_on_policy_training_resumes_under_its_own_name(tmp_path: Path) -> None:
    kwargs = {"n_steps": 50, "batch_size": 50, "n_epochs": 1, "critic_updates": 1}
    run = Run(find_task("ball-circle"), "ppol-random", 200, 2, kwargs, 0, tmp_path)
    with Bar() as bar:
        train_policy(run, bar)
        train_policy(run._replace(timesteps=400), bar)
    found = find_model(str(tmp_path / "model.zip"))
    assert (found.algorithm, found.record["timesteps"]) == ("ppol-random", 400)
    assert PPOLagrangian.load(tmp_path / "last.zip").num_timesteps == 400


class Fails(gym.Wrapper):
    """A sensor that fails at a step of the whole training, once."""

    def __init__(self, env: gym.Env, at: list[int]) -> None:
        super().__init__(env)
        self.left = at

    def step(self, action: Any) -> Any:
        obs, reward, *ends = super().step(action)
        self.left[0] -= 1
        return obs, float("nan") if self.left[0] == 0 else reward, *ends


def test_a_training_that_meets_a_wrong_number_keeps_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stops, names the checkpoint, and the same command goes on from there."""
    left = [700]
    make = Task.make
    monkeypatch.setattr(Task, "make", lambda task, **options: Fails(make(task, **options), left))
    original = CheckpointCallback.__init__

    def often(self: CheckpointCallback, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.every_seconds = 0.0

    monkeypatch.setattr(CheckpointCallback, "__init__", often)
    with (
        Bar() as bar,
        pytest.raises(ValueError, match=r"the reward of .*step_000000400"),
    ):
        train_policy(small_run(tmp_path, 800), bar)
    kept = latest_checkpoint(tmp_path / "checkpoints")
    assert kept is not None
    assert kept.name == "step_000000400"
    assert not (tmp_path / "model.zip").exists()
    with Bar() as bar:
        curve = train_policy(small_run(tmp_path, 800), bar)
    assert curve[-1].timesteps == 800


def test_another_run_in_the_folder_is_not_overwritten(tmp_path: Path) -> None:
    with Bar() as bar:
        train_policy(small_run(tmp_path, 400), bar)
        with pytest.raises(ValueError, match="no-resume"):
            train_policy(small_run(tmp_path, 400, seed=1), bar)
        train_policy(small_run(tmp_path, 400, seed=1), bar, resume=False)
    assert json.loads((tmp_path / "model.json").read_text())["seed"] == 1


def test_sigterm_saves_and_the_same_command_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = CheckpointCallback._on_rollout_start

    def ask_to_stop(self: CheckpointCallback) -> None:
        original(self)
        if self.num_timesteps >= 400:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patched, Bar() as bar:
        patched.setattr(CheckpointCallback, "_on_rollout_start", ask_to_stop)
        with pytest.raises(typer.Exit) as ended:
            train_policy(small_run(tmp_path, 2000), bar)
    assert ended.value.exit_code == 130
    assert latest_checkpoint(tmp_path / "checkpoints") is not None
    assert not (tmp_path / "model.zip").exists()
    with Bar() as bar:
        curve = train_policy(small_run(tmp_path, 800), bar)
    assert 800 <= curve[-1].timesteps < 1200


def test_when_only_the_policy_fits_on_the_disk_it_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(SAFER, "save_replay_buffer", full)
    with Bar() as bar:
        train_policy(small_run(tmp_path, 400), bar)
    assert find_model(str(tmp_path / "model.zip")).algorithm == "safer"


def test_a_full_disk_is_one_line_and_4(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(demo_module, "write_report", full)
    code, _, err = run("demo", "--no-train", "--episodes", "1", "--out", str(tmp_path))
    assert code == 4
    assert "No space left" in err
    assert "Traceback" not in err


def test_the_demo_reports_then_trains_and_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_module, "RADII", (0.05,))
    monkeypatch.setattr(
        demo_module, "planned", lambda task, name, out, **own: small_run(out, 600)._replace(
            overlap=own["overlap"]
        )
    )  # fmt: skip
    arguments = ["demo", "--out", str(tmp_path), "--episodes", "1", "--json"]
    code, out, err = run(*arguments, "--no-train")
    assert code == 0, err
    assert list(json.loads(out)["policies"]) == ["CVPO", "SAFER-attacked"]
    cached = {path: path.stat().st_mtime_ns for path in (tmp_path / "evaluations").iterdir()}
    assert len(cached) == 2 * 3
    code, out, err = run(*arguments)
    assert code == 0, err
    assert list(json.loads(out)["policies"]) == ["CVPO", "SAFER-attacked", "SAFER-attacked, fresh"]
    assert all(path.stat().st_mtime_ns == made for path, made in cached.items())
    assert "Training of SAFER-attacked, fresh" in (tmp_path / "index.html").read_text()
    assert (tmp_path / "model.zip").exists()
    assert (tmp_path / "film.gif").exists()
