"""Ray workers give what one process gives, bit for bit; a lost worker costs its own job.

With a stand-in for Ray where it is not installed, and with Ray itself where it is.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from certify_toys import Line, Push, homing
from conformance_envs import Ladder
from fake_ray import FakeRay

from safer_gym.conformance.certify import certify
from safer_gym.conformance.cli.workers import workers_of
from safer_gym.conformance.evaluate import evaluate
from safer_gym.conformance.evaluate.parts import parts_of
from safer_gym.conformance.workers import RayWorkers
from safer_gym.conformance.workers.pool import Pool, Workers
from safer_gym.conformance.workers.ray_workers import WorkerLostError


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    ray = FakeRay()
    monkeypatch.setitem(sys.modules, "ray", ray)
    return ray


@pytest.fixture(scope="module")
def real() -> Iterator[RayWorkers]:
    pytest.importorskip("ray")
    with RayWorkers("local", 2) as workers:
        yield workers


@pytest.fixture(params=["fake", "real"])
def workers(request: pytest.FixtureRequest) -> Iterator[RayWorkers]:
    if request.param == "real":
        yield request.getfixturevalue("real")
        return
    request.getfixturevalue("fake")
    with RayWorkers("local", 2) as made:
        yield made


def later(world: int, job: int) -> int:
    """Small jobs take long."""
    time.sleep(0.02 / (1 + job))
    return world + job


def numbers(**options: Any) -> list[Any]:
    """Of an evaluation of a policy that repeats what it sees."""
    found = evaluate(
        lambda obs: obs, Ladder, ["natural", "uniform"],
        eps=0.3, n_episodes=27, traces=3, **options,
    )  # fmt: skip
    return [
        (o.attack, o.costs.tobytes(), o.returns.tobytes(), o.lengths.tobytes(), len(o.traces))
        for o in found
    ]


def certificate(workers: int | Workers) -> dict[str, Any]:
    made = certify(
        homing(), Line, eps=[0.1], limit=0.0, battery={"push": Push()}, episodes=50,
        workers=workers, modes=["deterministic", "stochastic"],
    ).to_json()  # fmt: skip
    return {
        key: value
        for key, value in made.items()
        if key not in ("seconds", "created", "content_hash")
    }


def test_results_come_in_order_and_never_more_jobs_than_workers(fake: FakeRay) -> None:
    with RayWorkers("local") as workers, Pool(later, 10, workers) as pool:
        assert list(pool.run(range(9))) == list(range(10, 19))
        assert list(pool.run([1], time.monotonic() - 1.0)) == []
    assert fake.most == fake.cpus == 2


def test_an_evaluation_is_the_same_bit_for_bit(workers: RayWorkers) -> None:
    assert numbers(workers=workers) == numbers()


def test_processes_evaluate_the_same_too() -> None:
    assert numbers(workers=2) == numbers()


def test_a_certificate_is_the_same_bit_for_bit(workers: RayWorkers) -> None:
    assert certificate(workers) == certificate(1)


def test_a_jobs_own_error_is_raised(workers: RayWorkers) -> None:
    def fail(world: None, job: int) -> int:
        raise ValueError(f"job {job} failed")

    with Pool(fail, None, workers) as pool, pytest.raises(ValueError, match=r"^job 7 failed$"):
        list(pool.run([7]))


def test_a_killed_worker_costs_its_own_job(real: RayWorkers, tmp_path: Path) -> None:
    def once(folder: str, job: int) -> int:
        with open(f"{folder}/{job}", "a") as file:
            file.write(".")
        if job == 2 and os.path.getsize(f"{folder}/{job}") == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return job

    with Pool(once, str(tmp_path), real) as pool:
        assert list(pool.run(range(6))) == list(range(6))
    begun = {int(path.name): path.read_text() for path in tmp_path.iterdir()}
    assert begun == {job: ".." if job == 2 else "." for job in range(6)}


def test_a_job_whose_worker_is_lost_again_and_again_says_so(fake: FakeRay) -> None:
    fake.losses = 1
    with RayWorkers("local") as workers, Pool(later, 0, workers) as pool:
        with pytest.raises(WorkerLostError, match="a Ray task was lost: LostError"):
            list(pool.run([1]))
        assert list(pool.run([1])) == [1]


def test_what_still_runs_is_cancelled_at_the_end(fake: FakeRay) -> None:
    gate = threading.Event()
    fake.threads.submit(gate.wait)
    with RayWorkers("local", 1) as workers:
        fake.threads._max_workers = 1
        with workers.started(later, 0) as submit:
            for _ in range(9):
                submit(0)
    gate.set()
    assert "cancel" in fake.calls


def test_a_program_that_is_connected_stays_connected(fake: FakeRay) -> None:
    fake.init()
    with RayWorkers("auto") as workers:
        assert workers.size == 2
    assert fake.calls == ["init"]


@pytest.mark.parametrize(
    ("ray", "address", "says"),
    [
        (FakeRay(), "nowhere:1", "no Ray cluster at 'nowhere:1': nobody answers"),
        (FakeRay(cpus=0), "auto", "the Ray cluster at 'auto' has no CPU for a job"),
    ],
)
def test_a_cluster_that_is_of_no_use_is_refused(
    ray: FakeRay, address: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", ray)
    with pytest.raises(ValueError, match=f"^{says}$"), workers_of(None, address):
        pass
    assert not ray.is_initialized()


def test_without_ray_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'safer-gym\[ray\]'$"):
        RayWorkers("auto")


@pytest.mark.usefixtures("fake")
def test_what_cannot_be_sent_is_refused() -> None:
    says = "jobs of a Ray cluster run elsewhere.*cannot be.*lock"
    with (
        RayWorkers("local") as workers,
        pytest.raises(ValueError, match=says),
        Pool(later, threading.Lock(), workers),
    ):
        pass


def test_parts_cover_all_episodes_once() -> None:
    for n in range(1, 120):
        for workers in (1, 2, 3, 8, 200):
            parts = parts_of(n, workers)
            numbers = [part.first + i for part in parts for i in range(part.episodes)]
            assert numbers == list(range(n))
            assert len(parts) >= min(n, workers) / 2
            assert max(part.episodes for part in parts) <= 25


def test_workers_are_a_number_or_workers() -> None:
    with pytest.raises(ValueError, match=r"workers must be a whole number >= 1; got 0"):
        evaluate(lambda obs: obs, Ladder, eps=0.1, workers=0)
    with pytest.raises(TypeError, match="workers must be"):
        evaluate(lambda obs: obs, Ladder, eps=0.1, workers="two")  # type: ignore[arg-type]
