"""`python -m experiments reproduce`: each run once, whatever happens to the processes."""

from __future__ import annotations

import copy
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from conformance_envs import Ladder
from filelock import FileLock, Timeout
from kills import check_kills
from typer.testing import CliRunner

from experiments.__main__ import app
from experiments.harness import fleet as fleet_module
from experiments.harness import local as local_module
from experiments.harness import work as work_module
from experiments.harness.cells import Cell
from experiments.harness.fleet import drive
from experiments.harness.local import Processes
from experiments.harness.records import Record, read_records
from experiments.harness.reproduce import parse_methods
from experiments.harness.work import (
    BUSY,
    FAILURE,
    LOCK,
    STOPPED,
    finished,
    work,
)
from experiments.safer import chosen, measuring, methods
from experiments.safer.chosen import (
    chosen_methods,
    parse_numbers,
    parse_tables,
)
from experiments.safer.methods import Method, find_method
from safer_gym.agents import CVPO
from safer_gym.agents.training import recipes
from safer_gym.agents.training import run as run_module
from safer_gym.agents.training.checkpoint import CheckpointCallback
from safer_gym.conformance.certify.strongest import strongest_attack
from safer_gym.conformance.cli import selection as selection_module
from safer_gym.conformance.cli import trainings as train_module
from safer_gym.conformance.cli.progress import Bar
from safer_gym.conformance.cli.progress_file import ProgressFile, read_progress
from safer_gym.conformance.cli.stopping import stop_flag
from safer_gym.conformance.evaluate import evaluate
from safer_gym.conformance.workers.ray_workers import handlers_kept
from safer_gym.wrappers.tasks import Task

runner = CliRunner()
HORIZON, ROUND = 12, 24
TINY = {
    "total_timesteps": 2 * ROUND,
    "n_envs": 2,
    "kwargs": {
        "policy_kwargs": {"net_arch": [16, 16]},
        "episode_length": HORIZON,
        "train_freq": HORIZON,
        "learning_starts": 10,
        "gradient_steps": 2,
        "eps": 0.05,
    },
}


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recipes of two rounds, in an environment that costs nothing to make; no waiting."""
    monkeypatch.setitem(recipes.RECIPES, "ball-circle", {"cvpo": TINY, "safer": TINY})
    monkeypatch.setattr(Task, "make", lambda task, **options: Ladder(horizon=HORIZON))
    monkeypatch.setattr(selection_module, "EPISODES", 1)
    monkeypatch.setattr(work_module, "PATIENCE", 0.0)
    monkeypatch.setattr(fleet_module, "POLL_SECONDS", 0.01)


def cell_of(folder: Path, method: str = "CVPO-random", seed: int = 0, **own: Any) -> Cell:
    values = {"timesteps": 0, "episodes": 2, "battery": "none", **own}
    return chosen.cell_of(
        "ball-circle",
        method,
        seed=seed,
        work=folder / "runs",
        records=folder / "records",
        **values,
    )


def do(cell: Cell) -> str:
    return work(cell, ProgressFile(cell.folder))


def data_of(cell: Cell) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(cell.record.read_text())
    return found


@pytest.mark.usefixtures("tiny")
def test_a_run_leaves_its_record_and_is_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = cell_of(tmp_path, battery="quick")
    assert do(cell) == ""
    data = data_of(cell)
    assert (data["method"], data["algorithm"], data["timesteps"]) == ("CVPO-random", "cvpo", 48)
    assert data["kwargs"]["collection_attack"] == "gaussian"
    assert data["commit"] is not None
    assert data["versions"]["torch"]
    assert set(data["evaluation"]) == {"natural", "mc", "mr", "strongest"}
    assert set(data["evaluation_last"]) == {"natural", "mc", "mr"}
    assert data["evaluation"]["strongest"]["attack"] in data["evaluation"]["strongest"]["screened"]
    assert '--methods "CVPO-random" --seeds 0 --timesteps 48' in data["command"]
    assert "--seeds 7 " in cell._replace(seed=7).run().command
    monkeypatch.setattr(work_module, "train_policy", lambda *_, **__: pytest.fail("trained again"))
    assert do(cell) == ""
    assert data_of(cell) == data


@pytest.mark.usefixtures("tiny")
def test_the_curve_adds_up_the_cost_of_every_step(tmp_path: Path) -> None:
    cell = cell_of(tmp_path, "CVPO-vanilla")
    assert do(cell) == ""
    agent = CVPO.load(cell.folder / "last.zip", device="cpu")
    record = Record(cell.record, data_of(cell))
    assert record.total("total_cost") == pytest.approx(agent.cost_monitor.total_cost)
    assert (record.total("seconds") or 0.0) > 0.0


@pytest.mark.usefixtures("tiny")
def test_a_killed_training_goes_on_from_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = cell_of(tmp_path, "CVPO-vanilla")
    original = CheckpointCallback._on_rollout_start

    def die(self: CheckpointCallback) -> None:
        self.every_seconds = 0.0
        original(self)
        if self.num_timesteps >= ROUND:
            raise MemoryError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(CheckpointCallback, "_on_rollout_start", die)
        assert do(cell) == "MemoryError: killed"
    assert "MemoryError" in (cell.folder / FAILURE).read_text()
    assert not cell.record.exists()
    started: list[int] = []
    begin = CheckpointCallback._on_training_start

    def note(self: CheckpointCallback) -> None:
        started.append(self.model.num_timesteps)
        begin(self)

    monkeypatch.setattr(CheckpointCallback, "_on_training_start", note)
    assert do(cell) == ""
    assert started == [ROUND]
    assert not (cell.folder / FAILURE).exists()
    rows = Record(cell.record, data_of(cell)).curve()
    steps, costs = ([row[key] for row in rows] for key in ("timesteps", "total_cost"))
    assert steps == sorted(set(steps))
    assert steps[-1] == 2 * ROUND
    assert costs == sorted(costs)
    agent = CVPO.load(cell.folder / "last.zip", device="cpu")
    assert costs[-1] == pytest.approx(agent.cost_monitor.total_cost)


@pytest.mark.usefixtures("tiny")
def test_a_kill_between_policy_and_record_loses_neither(tmp_path: Path) -> None:
    cell = cell_of(tmp_path)
    assert do(cell) == ""
    data = data_of(cell)
    for path in (cell.record, cell.folder / "model.json"):
        path.unlink()
    assert do(cell) == ""
    again = data_of(cell)
    assert again["timesteps"] == data["timesteps"]
    assert again["evaluation"] == data["evaluation"]
    assert len(Record(cell.record, again).curve()) == 2


@pytest.mark.usefixtures("tiny")
def test_a_run_killed_at_any_moment_ends_as_one_that_was_not(tmp_path: Path) -> None:
    folder = tmp_path / "all"
    cell = cell_of(folder)
    check_kills(lambda: do(cell), cell.record, folder, 4, seed=2)
    assert data_of(cell)["timesteps"] == 48


@pytest.mark.usefixtures("tiny")
def test_what_a_record_lacks_is_measured_and_not_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = cell_of(tmp_path, "CVPO-vanilla", episodes=1)
    assert do(cell) == ""
    before = data_of(cell)
    monkeypatch.setattr(run_module, "_learn", lambda *_: pytest.fail("trained again"))
    more = cell._replace(episodes=2, battery="quick")
    assert finished(more) is None
    assert do(more) == ""
    evaluation = data_of(more)["evaluation"]
    assert {len(met["costs"]) for met in evaluation.values()} == {2}
    assert evaluation["natural"]["costs"][:1] == before["evaluation"]["natural"]["costs"]
    assert "strongest" in evaluation
    assert finished(cell) is not None  # fewer are asked for than it has met
    elsewhere = more._replace(episodes=9, work=tmp_path / "elsewhere")
    assert finished(elsewhere) is not None  # where its policy is not, nothing can be measured


@pytest.mark.usefixtures("tiny")
def test_training_writes_nothing_into_the_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stable-Baselines3's SAC adds to the `policy_kwargs` that it is given."""
    own: Any = copy.deepcopy(TINY)
    del own["kwargs"]["eps"]
    before = copy.deepcopy(own)
    monkeypatch.setitem(recipes.RECIPES, "ball-circle", {"sac-lagrangian": own})
    cell = cell_of(tmp_path, "SAC-Lagrangian")
    assert do(cell) == ""
    assert own == before
    assert data_of(cell)["kwargs"] == before["kwargs"]


def test_the_committed_records_are_of_the_present_recipes() -> None:
    """Or `reproduce --records results` would train them again, or refuse to."""
    results = Path(__file__).parents[2] / "experiments" / "results"
    for record in read_records(results):
        where = {"work": results / "none", "records": results}
        cell = cell_of(results, record.method, record.seed, episodes=50)
        found = finished(cell._replace(task=record.task, **where))
        assert found is not None, record.path
        assert found.path == record.path


@pytest.mark.usefixtures("tiny")
def test_a_run_with_other_settings_is_not_taken_for_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = cell_of(tmp_path)
    assert do(cell) == ""
    before = cell.record.read_bytes()
    assert "other asked_timesteps" in do(cell._replace(timesteps=ROUND))
    own = TINY | {"kwargs": TINY["kwargs"] | {"gamma": 0.5}}  # type: ignore[operator]
    monkeypatch.setitem(recipes.RECIPES, "ball-circle", {"cvpo": own})
    assert "other kwargs" in do(cell)
    monkeypatch.setitem(recipes.RECIPES, "ball-circle", {"cvpo": TINY | {"n_envs": 3}})
    assert "other n_envs" in do(cell)
    assert cell.record.read_bytes() == before


@pytest.mark.usefixtures("tiny")
def test_the_best_and_the_last_policy_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best is a copy of the first that was kept; what attacks the last does not attack it."""
    met: list[bytes] = []
    measure = measuring.measure

    def note(file: Any, *arguments: Any) -> Any:
        met.append(Path(file.source).read_bytes())
        return measure(file, *arguments)

    def first(paths: Any, *_: Any) -> Any:
        return selection_module.Choice(paths[0], [])

    monkeypatch.setattr(train_module, "choose_policy", first)
    monkeypatch.setattr(measuring, "measure", note)
    cell = cell_of(tmp_path, "CVPO-vanilla", timesteps=4 * ROUND)
    assert do(cell) == ""
    assert met == [(cell.folder / name).read_bytes() for name in ("model.zip", "last.zip")]
    assert met[0] != met[1]


def test_every_method_has_a_seed_before_any_has_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[str, int]] = []

    def note(cells: Any, *_: Any) -> dict[Cell, str]:
        given.extend((cell.method, cell.seed) for cell in cells)
        return {}

    monkeypatch.setattr("experiments.harness.reproduce.drive", note)
    arguments = ["--methods", "SAFER,CVPO-vanilla", "--seeds", "0,1", "--out", str(tmp_path)]
    assert runner.invoke(app, ["reproduce", *arguments]).exit_code == 0
    assert given == [(name, seed) for seed in (0, 1) for name in ("SAFER", "CVPO-vanilla")]


@pytest.mark.usefixtures("tiny")
def test_only_one_process_is_at_a_run(tmp_path: Path) -> None:
    cell = cell_of(tmp_path)
    cell.folder.mkdir(parents=True)
    with FileLock(cell.folder / LOCK):
        assert do(cell) == BUSY
    assert not cell.record.exists()


class Inline:
    """Runs at once, in this process; what it was given."""

    size = 2

    def __init__(self) -> None:
        self.given: list[Cell] = []
        self.stopped = False
        self._over: list[tuple[Cell, str]] = []

    def start(self, cell: Cell) -> None:
        self.given.append(cell)
        self._over.append((cell, do(cell)))

    def ended(self) -> list[tuple[Cell, str]]:
        over, self._over = self._over, []
        return over

    def stop(self) -> None:
        self.stopped = True


@pytest.mark.usefixtures("tiny")
def test_a_failure_stops_nobody_and_what_is_done_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Method("cvpo", {"gamma": "much"})
    monkeypatch.setitem(methods.METHODS, "broken", broken)
    cells = [cell_of(tmp_path, name) for name in ("broken", "CVPO-vanilla", "CVPO-random")]
    assert do(cells[1]) == ""
    made = cells[1].record.stat().st_mtime_ns
    fleet = Inline()
    told: list[int] = []
    with Bar() as bar:
        verdicts = drive(
            cells, lambda: fleet, bar, lambda: False, lambda now: told.append(len(now))
        )
    assert fleet.given == [cells[0], cells[2]]
    assert fleet.stopped
    assert told == [1, 2, 3]
    assert verdicts[cells[0]] != ""
    assert (verdicts[cells[1]], verdicts[cells[2]]) == ("", "")
    assert cells[1].record.stat().st_mtime_ns == made
    with Bar() as bar:
        drive(cells[1:], lambda: pytest.fail("nothing is left to run"), bar, lambda: False, len)


@pytest.mark.usefixtures("tiny")
def test_a_stop_leaves_the_rest_for_another_time(tmp_path: Path) -> None:
    with Bar() as bar:
        verdicts = drive([cell_of(tmp_path)], Inline, bar, lambda: True, lambda now: None)
    assert list(verdicts.values()) == [STOPPED]


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Processes]:
    """Forked, so that they know what the test has put in place of a run."""
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("needs fork")

    def act(cell: Cell, says: Any) -> None:
        if cell.seed == 1:
            os._exit(7)
        if cell.seed == 2:
            time.sleep(60)
        says.send("")

    monkeypatch.setattr(local_module, "_alone", act)
    found = Processes(3)
    found._context = multiprocessing.get_context("fork")
    yield found
    found.stop()


def test_a_process_that_dies_takes_no_other_with_it(tmp_path: Path, processes: Processes) -> None:
    cells = [cell_of(tmp_path, seed=seed) for seed in range(3)]
    for cell in cells:
        processes.start(cell)
    over: dict[Cell, str] = {}
    while len(over) < 2:
        over |= dict(processes.ended())
        time.sleep(0.01)
    assert over == {cells[0]: "", cells[1]: "its process died with exit code 7"}
    processes.stop()
    assert not processes._running[0].process.is_alive()


def test_a_librarys_handlers_do_not_outlive_its_start() -> None:
    """As Ray's would, which abort the process where it should stop in order."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    with stop_flag() as stop:
        ours = [signal.getsignal(number) for number in numbers]
        with handlers_kept():
            for number in numbers:
                signal.signal(number, signal.SIG_IGN)
        assert [signal.getsignal(number) for number in numbers] == ours
        signal.raise_signal(signal.SIGTERM)
        assert stop()


def test_progress_is_read_where_it_was_written(tmp_path: Path) -> None:
    assert read_progress(tmp_path).share == 0.0
    ProgressFile(tmp_path).update("attacking model", 0.5, "mc")
    told = read_progress(tmp_path)
    assert 0.75 < told.share < 0.85
    assert told.what == "attacking model 50% mc"


def test_tables_and_figures_name_their_methods() -> None:
    assert parse_tables("", "") == ((5,), ())
    assert parse_tables("", "2") == ((), (2,))
    assert parse_tables("all", "") == ((5, 6, 7, 8), ())
    assert len(chosen_methods((5,), (), "ball-circle", ())) == 7
    assert chosen_methods((8,), (), "ball-circle", ())[0] == "SAFER-paper"
    assert chosen_methods((), (2,), "ball-circle", ())[-2:] == ["SAFER", "SAFER-attacked"]
    swept = chosen_methods((7,), (), "ball-circle", ())
    assert "SAFER-paper" in swept
    assert "SAFER(xi_tilde=0.05)" not in swept
    assert len(chosen_methods((7, 8), (), "ball-circle", ())) == 4 + 4
    assert chosen_methods((5,), (), "ball-circle", ("SAFER",)) == ["SAFER"]


def test_a_method_without_an_algorithm_or_a_recipe_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert find_method("SAFER", "ball-circle").obstacle("ball-circle") == ""
    monkeypatch.setitem(methods.METHODS, "new", Method("dreamer"))
    assert "dreamer" in find_method("new", "ball-circle").obstacle("ball-circle")
    monkeypatch.setitem(recipes.RECIPES, "ant-run", {})
    assert "no recipe" in find_method("SAFER", "ant-run").obstacle("ant-run")


@pytest.mark.parametrize("text", ["a", "-1", "1.5", "1;2"])
def test_seeds_are_whole_numbers(text: str) -> None:
    with pytest.raises(ValueError, match="seeds"):
        parse_numbers(text, "seeds")


def test_unknown_methods_are_refused() -> None:
    with pytest.raises(ValueError, match="'CVPO-random'"):
        parse_methods("SAFER,CVPO-randm", partial(find_method, task=""))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--table", "9"], "'5'"),
        (["--figure", "3"], "'2'"),
        (["--task", "ball-circl"], "'ball-circle'"),
        (["--methods", "SAFRE"], "'SAFER'"),
        (["--battery", "hard"], "'standard'"),
        (["--timesteps", "-5"], "timesteps"),
        (["--seeds", "x"], "0,1,2"),
        (["--collect", "nowhere"], "nowhere"),
    ],
)
def test_wrong_usage_is_3(tmp_path: Path, arguments: list[str], words: str) -> None:
    result = runner.invoke(app, ["reproduce", "--no-run", "--out", str(tmp_path), *arguments])
    assert result.exit_code == 3, result.stderr
    assert words in " ".join(result.stderr.split())


def test_a_method_that_can_not_be_run_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(methods.METHODS, "new", Method("dreamer"))
    result = runner.invoke(app, ["reproduce", "--methods", "new", "--out", str(tmp_path)])
    assert result.exit_code == 3
    assert "dreamer" in result.stderr


@pytest.mark.usefixtures("tiny")
def test_the_command_runs_writes_and_fails_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = "experiments.harness.reproduce._fleet"
    monkeypatch.setattr(fleet, lambda asked: Inline())
    out = str(tmp_path / "out")
    arguments = ["reproduce", "--out", out, "--seeds", "0", "--episodes", "1", "--battery", "none"]
    result = runner.invoke(app, [*arguments, "--methods", "CVPO-vanilla", "--json"])
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["done"] == ["ball-circle-cvpo-vanilla-0"]
    monkeypatch.setitem(methods.METHODS, "broken", Method("cvpo", {"gamma": "much"}))
    result = runner.invoke(app, [*arguments, "--methods", "broken,CVPO-vanilla", "--json"])
    assert result.exit_code == 1
    answer = json.loads(result.stdout)
    assert list(answer["not_done"]) == ["ball-circle-broken-0"]
    assert answer["done"] == ["ball-circle-cvpo-vanilla-0"]
    page = Path(answer["page"]).read_text()
    assert "CVPO-vanilla" in page


@pytest.mark.usefixtures("tiny")
def test_finished_trainings_are_collected(tmp_path: Path) -> None:
    cell = cell_of(tmp_path, "CVPO-vanilla")
    assert do(cell) == ""
    arguments = ["--no-run", "--episodes", "1", "--battery", "none", "--out", str(tmp_path / "new")]
    result = runner.invoke(app, ["reproduce", "--collect", str(cell.folder), *arguments])
    assert result.exit_code == 0, result.stderr
    data = json.loads((tmp_path / "new/records/ball-circle-cvpo-vanilla-0.json").read_text())
    assert len(data["evaluation"]["mc"]["costs"]) == 1


def test_the_strongest_is_no_weaker_than_the_others_that_were_measured() -> None:
    env = Ladder()
    small = {"policy_kwargs": {"net_arch": [8, 8]}, "episode_length": HORIZON}
    agent = CVPO("MlpPolicy", env, device="cpu", seed=0, **small)
    found = strongest_attack(agent, Ladder, eps=0.5, battery="quick", n_episodes=3, seed=5)
    assert set(found.screened) == {"mc", "mr", "mad", "uniform"}
    ranked = list(found.screened)
    assert sorted(found.screened.values(), reverse=True) == list(found.screened.values())
    finalists = [name for name in ranked[:3] if name != "uniform"]
    measured = evaluate(agent, Ladder, finalists, eps=0.5, n_episodes=3, seed=5)
    assert found.outcome.mean_cost >= max(o.mean_cost for o in measured)
    assert found.outcome.attack in ranked[:3]


COMMAND = (
    *("reproduce", "--methods", "CVPO-vanilla,CVPO-random", "--seeds", "0", "--timesteps", "4000"),
    *("--episodes", "1", "--battery", "none", "--workers", "1"),
)


def start(out: Path, *more: str) -> subprocess.Popen[str]:
    code = "from experiments.__main__ import app; app()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *COMMAND, "--out", str(out), *more],
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    while not path.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


@pytest.mark.slow
def test_kill_9_in_the_middle_does_nothing_twice_and_loses_nothing(tmp_path: Path) -> None:
    first, second = (cell_of(tmp_path, name) for name in ("CVPO-vanilla", "CVPO-random"))
    process = start(tmp_path)
    wait_for(second.folder / "settings.json", process)
    assert first.record.exists()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = {path: path.stat().st_mtime_ns for path in first.folder.rglob("*.zip")}
    made = first.record.stat().st_mtime_ns
    again = start(tmp_path, "--json")
    answer, errors = again.communicate()
    assert again.returncode == 0, errors
    assert json.loads(answer)["done"] == [first.name, second.name]
    assert first.record.stat().st_mtime_ns == made
    assert {path: path.stat().st_mtime_ns for path in first.folder.rglob("*.zip")} == done
    assert second.record.exists()
    try:
        FileLock(second.folder / LOCK, timeout=0).acquire()
    except Timeout:
        pytest.fail("a process outlived its command")


@pytest.mark.slow
def test_two_workers_of_a_ray_cluster_do_the_same(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    process = start(tmp_path, "--ray", "local", "--workers", "2", "--json")
    answer, errors = process.communicate()
    assert process.returncode == 0, errors
    assert len(json.loads(answer)["done"]) == 2
    curves = list((tmp_path / "records").glob("*.csv"))
    assert len(curves) == 2
