"""The command `doctor`: what is installed, with how many threads, and whether it works."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from time import perf_counter
from typing import Any, NamedTuple

import torch
import typer

from safer_gym.conformance.cli.extras import PACKAGE, declared
from safer_gym.conformance.cli.output import print_json, print_table, stderr
from safer_gym.conformance.cli.refusals import GATE_REFUSED
from safer_gym.conformance.cli.threads import one_thread
from safer_gym.conformance.evaluate import evaluate
from safer_gym.conformance.selfcheck import selfcheck
from safer_gym.wrappers.tasks import find_task

AREAS = ("balls", "statistics")
"""Of the selfcheck: those that take a second or two."""
TASK = "cart-pole"


class Need(NamedTuple):
    """A package that this one asks for."""

    name: str
    asked: str
    found: str
    """"missing" where there is none."""
    fits: bool
    extra: str
    """"" for what is always needed."""


def run_doctor(*, as_json: bool) -> None:
    """Print what was found; exit with 1 where something that is needed is missing or wrong.

    Raises:
        typer.Exit: with 1.
    """
    one_thread()
    found = list(needs())
    with stderr.status("self-test ..."):
        tested = list(self_test())
    healthy = all(n.fits for n in found if not n.extra) and all(ok for _, ok, _ in tested)
    if as_json:
        print_json(
            {
                "healthy": healthy,
                "machine": machine(),
                "packages": [need._asdict() for need in found],
                "self_test": [{"what": w, "passed": ok, "seconds": s} for w, ok, s in tested],
            }
        )
    else:
        _print(found, tested, healthy=healthy)
    if not healthy:
        raise typer.Exit(GATE_REFUSED)


def machine() -> dict[str, Any]:
    """Interpreter, system, processors, threads."""
    return {
        "safer-gym": version(PACKAGE),
        "python": platform.python_version(),
        "interpreter": sys.executable,
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "torch threads": torch.get_num_threads(),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "not set"),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
    }


def needs() -> Iterator[Need]:
    """Every package of the declared dependencies, and of the extras that bring a feature."""
    for requirement, extra in declared():
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            found = "missing"
        fits = found != "missing" and requirement.specifier.contains(found, prereleases=True)
        yield Need(requirement.name, str(requirement.specifier), found, fits, extra)


def self_test() -> Iterator[tuple[str, bool, float]]:
    """What was tried, whether it worked, and in how many seconds: about ten in all."""
    started = perf_counter()
    report = selfcheck(AREAS)
    yield f"closed forms ({', '.join(AREAS)})", report.passed, perf_counter() - started
    started = perf_counter()
    task = find_task(TASK)
    env = task.make()
    still = 0.0 * env.action_space.sample()
    env.close()
    outcomes = evaluate(
        lambda observation: still, task.make, ["natural", "uniform"], eps=0.05, n_episodes=2
    )
    passed = len(outcomes) == 2 and all(len(o.costs) == 2 for o in outcomes)
    yield f"two attacked episodes of {TASK}", passed, perf_counter() - started


def _print(found: list[Need], tested: list[tuple[str, bool, float]], *, healthy: bool) -> None:
    print_table("This machine", [{"": k, "value": str(v)} for k, v in machine().items()])
    rows = [
        {
            "package": need.name,
            "version": need.found,
            "asked": need.asked or "any",
            "for": need.extra or "everything",
            "": "ok" if need.fits else "missing" if need.found == "missing" else "does not fit",
        }
        for need in found
    ]
    print_table("Packages", rows)
    for extra in dict.fromkeys(need.extra for need in found if need.extra and not need.fits):
        print(f"extra {extra}: pip install 'safer-gym[{extra}]'")
    tests = [
        {"self-test": what, "": "ok" if passed else "FAILED", "seconds": round(seconds, 1)}
        for what, passed, seconds in tested
    ]
    print_table("Self-test", tests)
    print("healthy" if healthy else "not healthy: see the rows above that are not ok")
