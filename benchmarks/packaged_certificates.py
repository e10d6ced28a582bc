"""Small certificates of the packaged policies: `python -m benchmarks.packaged_certificates`.

They are specimens for readers of certificates, and for checkers: few episodes, a quick battery. It
takes a few minutes of one core for each. `python -m benchmarks certificates` makes larger ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safer_gym.conformance.certificate.record import Certificate
from safer_gym.conformance.certificate.requirement import MODES
from safer_gym.conformance.certify import certify
from safer_gym.conformance.loading import load_policy
from safer_gym.conformance.loading.zoo import packaged_policies
from safer_gym.wrappers.adapters.bullet_tasks import PAPER_TASKS
from safer_gym.wrappers.tasks import TASKS

FOLDER = Path(__file__).parent / "results" / "certificates"
SMALL = 0.02
"""Radius of what is asked for every adversary, as a share of the task's own."""
RATE = 0.4
NOISE = 0.3
"""Of the policies that were trained under attack: there the Gaussian filter applies."""


def certified(name: str) -> Certificate:
    """Under attack at the task's own radius, and for every adversary at a small one."""
    task = TASKS[name.split("/")[0]]
    asked = f"P(cost > {task.cost_limit:g}) <= {RATE} at eps = "
    requirements = (
        f"{asked}{task.eps:g} under attacks by the stochastic policy",
        f"{asked}{SMALL * task.eps:g} for every adversary",
    )
    noisy: dict[str, Any] = {"action_noise": NOISE}
    own: dict[str, Any] = {"modes": MODES if name.startswith("ball-circle") else None}
    found = certify(
        load_policy(name).policy,
        task.make,
        requirement=requirements,
        battery="quick",
        episodes=25,
        benign_episodes=100,
        source=name,
        **(own if name.endswith("cvpo") else noisy),
    )
    return found.naming(file_of(name).name)


def file_of(name: str) -> Path:
    """Where the certificate of a packaged policy lies."""
    return FOLDER / f"{name.replace('/', '-')}.json"


def main() -> None:
    """Write all of them."""
    known = [name for name in packaged_policies() if name.split("/")[0] in PAPER_TASKS]
    for name in sorted(known, key=lambda name: PAPER_TASKS.index(name.split("/")[0])):
        certificate = certified(name)
        certificate.save(file_of(name))
        print(
            f"{file_of(name).name}: {certificate.verdict}, {certificate.seconds:.0f} s", flush=True
        )


if __name__ == "__main__":
    main()
