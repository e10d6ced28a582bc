"""The command `prior`: a skill prior from offline data, and the bound on its latent actions."""

from __future__ import annotations

import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from safer_gym.agents.data.offline import read_offline
from safer_gym.agents.skills.dataset import SkillData
from safer_gym.agents.skills.latent_bound import balanced, exact_bound, sampled_bound
from safer_gym.agents.skills.prior import PriorShape, SkillPrior
from safer_gym.agents.skills.scoring import auc, latent_norms, log_likelihoods
from safer_gym.agents.skills.train import PriorTraining, train_prior
from safer_gym.conformance.cli.output import print_json, stderr
from safer_gym.conformance.cli.progress import Bar
from safer_gym.conformance.cli.threads import one_thread
from safer_gym.domains import POSITIVE, require


def run_prior(
    data: Path,
    out: Path,
    *,
    options: dict[str, Any],
    training: PriorTraining,
    safe_share: float,
    eta_0: float,
    held_out: Path | None,
    tensorboard: Path | None,
    as_json: bool,
) -> None:
    """Train, or go on training; write `prior.pt` and say what it makes of the data."""
    require(POSITIVE, eta_0=eta_0)
    one_thread()
    read = read_offline(data)
    shape = PriorShape(read.observations.shape[1:], read.actions.shape[1], **options)
    measured = _measured(held_out or data, shape, training)
    with Bar() as bar:

        def tell(progress: Any) -> None:
            note = f"log p safe {progress.loss.safe:.1f}, unsafe {progress.loss.unsafe:.1f}"
            bar.update("training", progress.update / training.updates, note)

        prior = train_prior(
            read, shape, training,
            folder=out, progress=tell, tensorboard=tensorboard, source=str(data),
        )  # fmt: skip
    prior.save(out / "prior.pt")
    result = {
        "prior": str(out / "prior.pt"),
        "measured_on": f"held-out data {held_out}" if held_out else f"training data {data}",
        **described(prior, measured, training.seed, safe_share, eta_0),
        "shape": asdict(shape),
        "training": asdict(training),
    }
    _tell_result(result, as_json)


def _measured(path: Path, shape: PriorShape, training: PriorTraining) -> SkillData:
    """What the prior is measured on; refused before the training, and not after it."""
    data = read_offline(path)
    found = {"observations": data.observations.shape[1:], "actions": data.actions.shape[1:]}
    wanted = {"observations": tuple(shape.observation_shape), "actions": (shape.action_size,)}
    for name, size in found.items():
        if size != wanted[name]:
            raise ValueError(
                f"{path}: {name} must have the training data's shape {wanted[name]}; got {size}"
            )
    return SkillData(data, shape.window, training.labels, str(path))


def described(
    prior: SkillPrior, data: SkillData, seed: int, safe_share: float, eta_0: float
) -> dict[str, Any]:
    """How well it tells unsafe steps from safe ones; eta, and Algorithm 3's from eta_0."""
    if not len(data.unsafe):
        return {"safe_steps": len(data.safe), "unsafe_steps": 0}
    safe, unsafe = (log_likelihoods(prior, data, rows) for rows in (data.safe, data.unsafe))
    generator = torch.Generator().manual_seed(seed)
    count = min(len(data.safe), len(data.unsafe))
    inner, outer = (
        balanced(latent_norms(prior, data, rows), count, generator)
        for rows in (data.safe, data.unsafe)
    )
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        sampled = sampled_bound(inner, outer, safe_share, generator, start=eta_0)
    for warning in found:
        stderr.print(f"eta_algorithm_3 is 0: {warning.message}")
    return {
        "safe_steps": len(data.safe),
        "unsafe_steps": len(data.unsafe),
        "auc": auc(safe, unsafe),
        "eta": exact_bound(inner, outer, safe_share),
        "eta_algorithm_3": sampled,
        "eta_0": eta_0,
    }


def _tell_result(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(result)
    else:
        shown = {k: v for k, v in result.items() if k not in ("shape", "training")}
        print("  ".join(f"{key} {_short(value)}" for key, value in shown.items()))


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
