"""The command `demo`: attack the packaged policies, train a safer one, attack that, report."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import NamedTuple

from safer_gym.agents.training.curve import CurvePoint
from safer_gym.agents.training.plan import planned
from safer_gym.conformance import provenance
from safer_gym.conformance.cli.measure import Plan, measure
from safer_gym.conformance.cli.models import ModelFile, find_model
from safer_gym.conformance.cli.output import print_json, print_outcomes
from safer_gym.conformance.cli.progress import Bar
from safer_gym.conformance.cli.threads import one_thread
from safer_gym.conformance.cli.trainings import train_policy
from safer_gym.conformance.evaluate.cache import OutcomesCache
from safer_gym.conformance.loading.zoo import packaged_policies
from safer_gym.conformance.report.content import Content, Subject
from safer_gym.conformance.report.folder import RESULTS, write_report
from safer_gym.domains import SEED, require
from safer_gym.wrappers.tasks import COST_LIMIT, Task, find_task

TASK = "ball-circle"
PACKAGED = {"CVPO": f"{TASK}/cvpo", "SAFER-attacked": f"{TASK}/safer-attacked"}
RADII = (0.01, 0.025, 0.05)
TRACES = 3
FRESH = "SAFER-attacked, fresh"
QUICK, FULL = "demo", "full"
"""Names of the recipes: one of ten minutes, and that of the results."""


class _Demo(NamedTuple):
    """One run of the demo and its folder."""

    out: Path
    task: Task
    plan: Plan
    bar: Bar

    def measured(self, name: str, file: ModelFile, curve: list[CurvePoint]) -> Subject:
        """Attack one policy, or take what an earlier run measured."""
        shown = file._replace(name=f"attacking {name}")
        cache = OutcomesCache(self.out / "evaluations")
        return Subject(
            name, file.record, measure(shown, self.task, self.plan, self.bar, cache), curve
        )

    def report(self, subjects: list[Subject], note: str = "") -> Path:
        """Write the report on what is known by now."""
        return write_report(
            self.out,
            Content(
                title="Ball-Circle under attack",
                task=self.task.env_id,
                cost_limit=COST_LIMIT,
                geometry=self.task.geometry,
                subjects=subjects,
                provenance=provenance.record(),
                note=note,
            ),
        )


def run_demo(
    out: Path, *, full: bool, train: bool, episodes: int, seed: int, as_json: bool
) -> None:
    """Run what is not done yet, and say where the report is.

    Raises:
        ValueError: the packaged policies are missing from the installation.
    """
    one_thread()
    require(SEED, seed=seed)
    plan = Plan(("natural", "mc", "mr"), RADII, "linf", episodes, seed=0, traces=TRACES)
    with Bar() as bar:
        demo = _Demo(out, find_task(TASK), plan, bar)
        subjects = _packaged(demo)
        page = demo.report(subjects, _note(train=train))
        if train:
            if not as_json:
                _show(subjects)
                bar.say(f"Report: {page.resolve()}\nTraining {FRESH}; it is added when done.")
            subjects.append(_fresh(demo, full=full, seed=seed))
            page = demo.report(subjects)
    if as_json:
        print_json({"report": str(page), **json.loads((out / RESULTS).read_text())})
    else:
        _show(subjects)
        print(f"Report: {page.resolve()}")


def _packaged(demo: _Demo) -> list[Subject]:
    found = {name: model for name, model in PACKAGED.items() if model in packaged_policies()}
    if not found:
        raise ValueError("this installation holds no packaged policies; install a release")
    return [demo.measured(name, find_model(model), []) for name, model in found.items()]


def _fresh(demo: _Demo, *, full: bool, seed: int) -> Subject:
    recipe = FULL if full else QUICK
    out = demo.out / f"training-{recipe}-{seed}"
    run = planned(demo.task, "safer-attacked", out, seed=seed, recipe=recipe, overlap=True)
    curve = train_policy(run, demo.bar)
    for suffix in (".zip", ".json"):
        shutil.copyfile(run.model.with_suffix(suffix), demo.out / f"model{suffix}")
    name = f"{FRESH} (full)" if full else FRESH
    return demo.measured(name, find_model(str(demo.out / "model.zip")), curve)


def _show(subjects: list[Subject]) -> None:
    rows = [(subject.name, outcome) for subject in subjects for outcome in subject.outcomes]
    print_outcomes(f"{TASK}, cost limit {COST_LIMIT:g}", rows)


def _note(*, train: bool) -> str:
    return (
        "A fresh SAFER-attacked is in training; its part is added when it is done." if train else ""
    )
