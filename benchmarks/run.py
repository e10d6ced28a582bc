"""Run benchmarks, print tables, write JSON.

python -m benchmarks                         # all of them, at the paper's sizes
python -m benchmarks certifiable             # updates with the penalty on the enclosed shift
python -m benchmarks collection              # environment steps, beside the package's own
python -m benchmarks drac                    # updates of DRAC, beside SB3's SAC
python -m benchmarks enclosure               # bounds of the packaged actors: tight? fast?
python -m benchmarks engine                  # enclosures and gates: how fast?
python -m benchmarks gates                   # errors and early stopping of the gate
python -m benchmarks imports                 # what a user waits for before the first line
python -m benchmarks live                    # one environment under attack: how long is a step?
python -m benchmarks overlap                 # collecting during the updates, beside not
python -m benchmarks rounds                  # what a round of training is made of
python -m benchmarks skills                  # grasping beside its physics; updates of a prior
python -m benchmarks precision robust_time   # trainings: is bfloat16 harmless? quality by time
python -m benchmarks memory                  # a million transitions; many episodes
python -m benchmarks updates --json out.json
python -m benchmarks certificates action_noise --json benchmarks/results/certificates.json \\
    --markdown benchmarks/results/certificates.md   # the packaged policies' certificates
python -m benchmarks updates imports --results benchmarks/results
python -m benchmarks evaluation --task SaferGym/BallCircle-v0 --task SaferGym/AntRun-v0
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks import (
    action_noise,
    attacks,
    certifiable,
    certificates,
    collection,
    drac,
    enclosure,
    engine,
    evaluation,
    gates,
    imports,
    learning,
    live,
    memory,
    overlap,
    precision,
    robust_time,
    rounds,
    skills,
    updates,
)
from benchmarks.machine import describe
from benchmarks.table import lines, markdown
from safer_gym.attacks import UniformNoise, make_attack
from safer_gym.choices import choose
from safer_gym.conformance.provenance import command

NAMES = (
    "attacks",
    "certifiable",
    "collection",
    "drac",
    "enclosure",
    "engine",
    "evaluation",
    "gates",
    "imports",
    "live",
    "memory",
    "overlap",
    "rounds",
    "skills",
    "updates",
)
LONG = ("certificates", "action_noise", "precision", "robust_time")
"""Many minutes each; only where they are named."""

_HEAD = """# Measured

Made by `{command}`; commit, machine, versions and all digits are in the JSON file beside this one.

"""


_SHORT_ROUNDS = {"train_freq": 2, "gradient_steps": 1, "learning_starts": 20}


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Parse, measure, print, write; returns what was written."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    machine = describe()
    print(
        f"{machine['processor']}, {machine['instructions']}, {machine['cores']} cores, load "
        f"{machine['load_1min']:.1f}, nice {machine['nice']}, threads {machine['threads']}, "
        f"torch {machine['versions'].get('torch')}\n",
        flush=True,
    )
    results = []
    for name in [choose("benchmark", name, _RUNNERS) for name in options.names] or NAMES:
        result = _RUNNERS[name](options)
        results.append(result)
        print("\n".join(lines(result)), flush=True)
        if options.results is not None:
            options.results.mkdir(parents=True, exist_ok=True)
            _write(options.results / f"{name}.json", {"machine": machine, "results": [result]})
    written = {"machine": machine, "results": results}
    if options.json is not None:
        _write(options.json, written)
    if options.markdown is not None:
        page = _HEAD.format(command=command()) + "\n".join(map(markdown, results))
        options.markdown.write_text(page, encoding="utf-8")
    return written


def _write(path: Path, written: dict[str, Any]) -> None:
    path.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Speed of attacks, attacked evaluation, updates, certificates, collection and "
        "imports; memory; and how tight enclosures are. "
        "Variants run in turns; compare ratios of one run, by CPU time where others compute too.",
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="name",
        help=f"{', '.join((*NAMES, *LONG))}; default: all but the last four",
    )
    parser.add_argument("--json", type=Path, help="write all numbers to this file")
    parser.add_argument("--markdown", type=Path, help="write the tables to this file")
    parser.add_argument("--results", type=Path, help="write a file for each benchmark here")
    parser.add_argument("--workers", type=int, default=2, help="of a certificate (default 2)")
    parser.add_argument("--threads", type=int, default=1, help="torch threads (default 1)")
    parser.add_argument("--repetitions", type=int, help="laps of each variant")
    parser.add_argument("--task", action="append", help="task of `evaluation`; may be repeated")
    parser.add_argument(
        "--max-steps", type=int, default=100, help="of an `evaluation` episode (default 100)"
    )
    parser.add_argument("--case", action="append", help="of `precision` or `robust_time`; all")
    parser.add_argument("--seed", action="append", type=int, help="of their trainings; 0 and 1")
    parser.add_argument("--no-malloc", action="store_true", help="`updates` without that variant")
    parser.add_argument("--tiny", action="store_true", help="tiny sizes: does it run at all?")
    return parser


def _repeated(options: argparse.Namespace) -> dict[str, Any]:
    if options.repetitions is not None:
        return {"repetitions": options.repetitions}
    return {"repetitions": 1} if options.tiny else {}


def _attacks(options: argparse.Namespace) -> dict[str, Any]:
    tiny = {"batches": (1, 4), "steps": 2, "width": 8} if options.tiny else {}
    return attacks.measure(**tiny, **_repeated(options))


def _engine(options: argparse.Namespace) -> dict[str, Any]:
    tiny: dict[str, Any] = {"batches": (2,), "cases": ((2, 1, 1),)} if options.tiny else {}
    return engine.measure(**tiny, **_repeated(options))


def _collection(options: argparse.Namespace) -> dict[str, Any]:
    tiny: dict[str, Any] = (
        {"tasks": ("ball-circle",), "steps": 3, "package": False} if options.tiny else {}
    )
    return collection.measure(**tiny, **_repeated(options))


def _drac(options: argparse.Namespace) -> dict[str, Any]:
    tiny = {"setting": drac.Setting(8, 8, 20, 4)} if options.tiny else {}
    return drac.measure(**tiny, **_repeated(options))


def _skills(options: argparse.Namespace) -> dict[str, Any]:
    tiny = {"setting": skills.Setting(3, 1, 60, 8)} if options.tiny else {}
    return skills.measure(**tiny, **_repeated(options))


def _imports(options: argparse.Namespace) -> dict[str, Any]:
    tiny: dict[str, Any] = {"cases": imports.CASES[-1:], "warm_up": 0} if options.tiny else {}
    return imports.measure(**tiny, **_repeated(options))


def _live(options: argparse.Namespace) -> dict[str, Any]:
    tiny: dict[str, Any] = (
        {"tasks": ("ball-circle",), "steps": 2, "width": 8, "walk": 2} if options.tiny else {}
    )
    return live.measure(**tiny, **_repeated(options))


def _rounds(options: argparse.Namespace) -> dict[str, Any]:
    tiny: dict[str, Any] = {"tasks": ("ball-circle",), "rounds": 2, **_SHORT_ROUNDS}
    return rounds.measure(**(tiny if options.tiny else {}))


def _overlap(options: argparse.Namespace) -> dict[str, Any]:
    tiny: dict[str, Any] = {
        "tasks": ("ball-circle",),
        "methods": ("SAFER-attacked",),
        **_SHORT_ROUNDS,
    }
    return overlap.measure(**(tiny if options.tiny else {}), **_repeated(options))


def _precision(options: argparse.Namespace) -> dict[str, Any]:
    return precision.table(_trained(options, "precision", precision.CASES))


def _robust_time(options: argparse.Namespace) -> dict[str, Any]:
    return robust_time.table(_trained(options, "robust_time", robust_time.CASES))


def _trained(
    options: argparse.Namespace, name: str, known: dict[str, learning.Case]
) -> list[learning.Run]:
    """The chosen cases and seeds; what is not trained yet, here or in --results, is trained now."""
    if options.tiny:
        return [learning.learn(learning.TINY, 0, kept=None)]
    cases = [known[choose("case", name, known)] for name in options.case or known]
    made = learning.recorded(options.results / f"{name}.json") if options.results else []
    return [learning.learn(case, seed, made) for case in cases for seed in options.seed or (0, 1)]


def _memory(options: argparse.Namespace) -> dict[str, Any]:
    tiny: dict[str, Any] = {"buffer_size": 100, "episodes": (2,), "width": 8}
    return memory.measure(**(tiny if options.tiny else {}))


def _enclosure(options: argparse.Namespace) -> dict[str, Any]:
    tiny: dict[str, Any] = {}
    if options.tiny:
        tiny = {"eps": (0.01,), "states": 8, "searched": 2, "samples": 100, "steps": 2}
    return enclosure.measure(**tiny, **_repeated(options))


def _evaluation(options: argparse.Namespace) -> dict[str, Any]:
    chosen: dict[str, Any] = {"max_steps": options.max_steps}
    if options.tiny:
        tasks = {"tasks": ("SaferGym/BallCircle-v0",)}
        chosen = tasks | {"n_envs": (2,), "max_steps": 3, "steps": 2, "width": 8}
    if options.task:
        chosen["tasks"] = tuple(options.task)
    return evaluation.measure(**chosen, **_repeated(options))


def _gates(options: argparse.Namespace) -> dict[str, Any]:
    return gates.measure(**({"gates": 20, "longest": 40} if options.tiny else {}))


def _certificates(options: argparse.Namespace) -> dict[str, Any]:
    return certificates.measure(_effort(options, "standard"), *([(0.3,)] if options.tiny else []))


def _action_noise(options: argparse.Namespace) -> dict[str, Any]:
    effort = _effort(options, {"mc": make_attack("mc")})
    return action_noise.measure(effort, *([(0.3,)] if options.tiny else []))


def _effort(options: argparse.Namespace, battery: Any) -> certificates.Effort:
    effort = certificates.Effort(battery=battery, workers=options.workers)
    if not options.tiny:
        return effort
    return effort._replace(
        policies=("ball-circle/safer-attacked",), eps=(0.001,), battery={"uniform": UniformNoise()},
        episodes=1, workers=1,
    )  # fmt: skip


def _certifiable(options: argparse.Namespace) -> dict[str, Any]:
    tiny = updates.Setting(batch=8, particles=4, m_steps=1, width=8, transitions=50, updates=1)
    chosen: dict[str, Any] = {"settings": {"tiny": tiny}} if options.tiny else {}
    return certifiable.measure(**chosen, **_repeated(options))


def _updates(options: argparse.Namespace) -> dict[str, Any]:
    setting = updates.Setting()
    if options.tiny:
        setting = updates.Setting(
            batch=8, particles=4, m_steps=2, width=8, attack_steps=2, transitions=50, updates=1
        )
    return updates.measure(
        setting=setting, malloc=not options.no_malloc and not options.tiny, **_repeated(options)
    )


_RUNNERS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "action_noise": _action_noise,
    "attacks": _attacks,
    "certifiable": _certifiable,
    "certificates": _certificates,
    "collection": _collection,
    "drac": _drac,
    "enclosure": _enclosure,
    "engine": _engine,
    "evaluation": _evaluation,
    "gates": _gates,
    "imports": _imports,
    "live": _live,
    "memory": _memory,
    "overlap": _overlap,
    "precision": _precision,
    "robust_time": _robust_time,
    "rounds": _rounds,
    "skills": _skills,
    "updates": _updates,
}
