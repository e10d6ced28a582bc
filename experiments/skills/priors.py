"""The data, the priors, and what each makes of data that it has not seen."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from time import process_time
from typing import Any, NamedTuple

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from experiments.skills.calibration import calibration
from experiments.skills.methods import ABLATIONS, METHODS, PRIORS, UNSAFE_WITHIN
from experiments.skills.worlds import BLUR
from safer_gym.agents.data.offline import OfflineData, offline_data, read_offline, write_offline
from safer_gym.agents.skills import PriorShape, PriorTraining, SkillPrior, train_prior
from safer_gym.agents.skills.dataset import SkillData
from safer_gym.agents.skills.latent_bound import balanced, exact_bound, sampled_bound
from safer_gym.agents.skills.losses import kl_to_standard
from safer_gym.agents.skills.scoring import (
    auc,
    latent_norms,
    log_likelihoods,
    typicality,
    unsafe_among_likely,
)
from safer_gym.conformance import provenance
from safer_gym.conformance.cli.progress import Reporter
from safer_gym.conformance.files import write_json
from safer_gym.wrappers.worlds.operation.collect import collect

STEPS, HELD_OUT = 100_000, 20_000
UPDATES = 12_000
SEEDS = {"data": 0, "held out": 1}
TOPS = (0.05, 0.1, 0.25, 0.5, 1.0)
"""Shares of the held-out data, the likeliest first; Figure 1."""
UNSAFE_SHARES = (0.0, 0.15, 0.3, 0.45)
"""Bounds on unsafe actions; Figure 4."""
DRAWN = 20_000
"""Points of each class that a bound is found from, so that both weigh the same."""


class PriorFiles(NamedTuple):
    """Where a reproduction keeps its data and priors.

    Args:
        work: its folder of runs.
        records: of finished runs.
    """

    work: Path
    records: Path

    def prior(self, kind: str, seed: int) -> Path:
        """The prior itself."""
        return self.work.parent / "priors" / f"{kind}-{seed}.pt"

    def record(self, kind: str, seed: int) -> Path:
        """What it makes of held-out data."""
        return self.records / f"prior-{kind.lower()}-{seed}.json"

    def data(self, name: str) -> Path:
        """ "data" or "held out"."""
        return self.work.parent / "priors" / f"{name.replace(' ', '-')}.npz"


def make_prior(files: PriorFiles, kind: str, seed: int, bar: Reporter) -> Path:
    """A prior and its record, made where they are missing; a training that was killed goes on."""
    path = files.prior(kind, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        if not path.exists():
            _train(files, kind, seed, bar)
    return path


def _train(files: PriorFiles, kind: str, seed: int, bar: Reporter) -> None:
    chosen, data = PRIORS[kind], _data(files, "data", bar)
    if chosen.unsafe_counts_as_safe:
        data = data._replace(costs=np.zeros_like(data.costs))
    training = PriorTraining(updates=UPDATES, seed=seed, **chosen.training)
    shape = PriorShape(data.observations.shape[1:], data.actions.shape[1], **chosen.shape)
    path, started = files.prior(kind, seed), process_time()

    def tell(progress: Any) -> None:
        bar.update("training a prior", progress.update / UPDATES, f"{kind}, seed {seed}")

    prior = train_prior(data, shape, training, folder=path.with_suffix(""), progress=tell)
    seconds = process_time() - started
    found = described(prior, _data(files, "held out", bar), seed, training.labels)
    facts = {
        "prior": kind, "seed": seed, "steps": len(data.costs), "updates": UPDATES,
        "training": chosen.training, "shape": chosen.shape, "blur": BLUR,
        "unsafe_counts_as_safe": chosen.unsafe_counts_as_safe, "cpu_seconds": round(seconds, 1),
    }  # fmt: skip
    rows = METHODS | ABLATIONS
    row = next(row for row, method in rows.items() if method[1:3] == (kind, "latent"))
    command = f'python -m experiments reproduce --paper skills --methods "{row}" --seeds {seed}'
    made = {**provenance.record(), "command": command}
    write_json(files.record(kind, seed), {**facts, **found, **made})
    prior.save(path)


def described(
    prior: SkillPrior, held_out: OfflineData, seed: int, labels: str = "every"
) -> dict[str, Any]:
    """AUC, unsafe share among likely actions, bounds eta, and roll-outs within them.

    Args:
        labels: of its training; the bound that runs take counts what is unsafe by them.
    """
    every, onset = (
        SkillData(held_out, prior.shape.window, labels) for labels in ("every", "onset")
    )
    safe, unsafe, first = (
        log_likelihoods(prior, data, rows)
        for data, rows in ((every, every.safe), (every, every.unsafe), (onset, onset.unsafe))
    )
    silenced = [
        log_likelihoods(prior, every, rows, silenced=True) for rows in (every.safe, every.unsafe)
    ]
    generator = torch.Generator().manual_seed(seed)
    inner, outer = _balanced_norms(prior, every, generator)
    exact = {str(u): exact_bound(inner, outer, 1 - u) for u in UNSAFE_SHARES}
    own = inner, outer
    if labels != "every":
        labelled = SkillData(held_out, prior.shape.window, labels)
        own = _balanced_norms(prior, labelled, generator)
    return {
        "auc": auc(safe, unsafe),
        "auc_onset": auc(safe, first),
        **_nats(safe, unsafe),
        "silenced": {"auc": auc(*silenced), **_nats(*silenced)},
        "kl": _nats_of_c(prior, every),
        "typicality": {
            name: float(typicality(prior, every, rows, torch.Generator().manual_seed(seed)).mean())
            for name, rows in (("safe", every.safe), ("unsafe", every.unsafe))
        },
        "unsafe_share": len(unsafe) / (len(safe) + len(unsafe)),
        "unsafe_among_likely": {str(t): unsafe_among_likely(safe, unsafe, t) for t in TOPS},
        "eta": _printed_bound(inner, outer, generator),
        "eta_exact": exact,
        "bound": exact_bound(*own, 1 - UNSAFE_WITHIN),
        "calibration": calibration(prior, exact, seed),
    }


def _nats(safe: Tensor, unsafe: Tensor) -> dict[str, float]:
    """Means of log p, those of unsafe steps cut off at the training's floor."""
    cut = unsafe.clamp(min=PriorTraining().floor)
    return {"log_p_safe": float(safe.mean()), "log_p_unsafe": float(cut.mean())}


@torch.no_grad()
def _nats_of_c(prior: SkillPrior, data: SkillData) -> float:
    """Mean KL(q || p) of the safe steps; 0 without a safety variable."""
    _, q = data.context(prior, data.steps(data.safe[:DRAWN]))
    return 0.0 if q is None else float(kl_to_standard(q).mean())


def _balanced_norms(
    prior: SkillPrior, data: SkillData, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """max |z| of `DRAWN` safe and `DRAWN` unsafe steps."""
    safe, unsafe = (latent_norms(prior, data, rows) for rows in (data.safe, data.unsafe))
    return balanced(safe, DRAWN, generator), balanced(unsafe, DRAWN, generator)


def _printed_bound(inner: Tensor, outer: Tensor, generator: torch.Generator) -> float:
    """Algorithm 3 as printed, for 15 %; 0 where it finds none."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "no bound has a share", UserWarning)
        return sampled_bound(inner, outer, 0.85, generator)


def _data(files: PriorFiles, name: str, bar: Reporter) -> OfflineData:
    """Scripted steps, collected where they are missing."""
    path = files.data(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        if not path.exists():
            steps = STEPS if name == "data" else HELD_OUT
            found = collect(
                steps, SEEDS[name], blur=BLUR,
                progress=lambda share: bar.update("collecting", share, name),
            )  # fmt: skip
            write_offline(offline_data(found), path)
    return read_offline(path)


def read_priors(folder: Path) -> list[dict[str, Any]]:
    """The records of priors in a folder, by kind and seed."""
    return list(_read(folder))


def _read(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("prior-*-[0-9]*.json")):
        yield json.loads(path.read_text())
