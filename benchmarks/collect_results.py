"""Meet trained runs with the paper's attacks and put them beside the paper's Table 5.

    python -m benchmarks.collect_results runs/ball-circle-safer-0 runs/ball-circle-safer-1 ...

Each run is a folder that `safer-gym train` wrote. Its record with 50 episodes a row goes into
`results/<task>-<algorithm>-<seed>.json`, its learning curve beside it as CSV, and
`results/README.md` is written anew from all records there. Without arguments only the table is.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.finished_run import ATTACKS, CHOSEN, LAST, meet, parser
from safer_gym.conformance.files import write_json
from safer_gym.conformance.outcomes import Outcomes
from safer_gym.wrappers.adapters.tasks import TASKS

RESULTS = Path(__file__).resolve().parent.parent / "results"
PAPER_NAMES = {"cvpo": "CVPO-vanilla", "safer": "SAFER"}
HEAD = """# Results

Deterministic policies, 50 episodes an attack and seed, {episodes}. Mean ± deviation over the pooled
episodes; eps is the paper's (linf, in units of the observation); MC and MR use the agent's own
critics. A run's policy is the best of eleven by the paper's score, on other episodes (see
docs/algorithms.md); the rows of the last policies are without that choice. Made by
`python -m benchmarks.collect_results`; every row's command, seed, versions and hyperparameters are
in the JSON files here. The paper's numbers are its Table 5 (5 seeds).

| task | policy | seeds | steps | natural reward | cost | MC reward | cost | MR reward | cost |
|---|---|---|---|---|---|---|---|---|---|
"""


def main() -> None:
    options = parser(__doc__.splitlines()[0])
    options.add_argument("runs", type=Path, nargs="*")
    arguments = options.parse_args()
    for run in arguments.runs:
        collect(run, arguments.episodes, arguments.seed)
    (RESULTS / "README.md").write_text(table())


def collect(run: Path, episodes: int, seed: int) -> None:
    """Evaluate one run and keep its record and curve."""
    record, outcomes = meet(run, episodes, seed, CHOSEN)
    record["evaluation"] = _evaluation(outcomes, seed)
    last = outcomes if record["chosen"] == "last" else meet(run, episodes, seed, LAST)[1]
    record["evaluation_last"] = _evaluation(last, seed)
    name = f"{record['task']}-{record['algorithm']}-{record['seed']}"
    write_json(RESULTS / f"{name}.json", record)
    shutil.copyfile(run / "curve.csv", RESULTS / f"{name}.csv")


def _evaluation(outcomes: list[Outcomes], seed: int) -> dict[str, Any]:
    return {
        outcome.attack: {
            "eps": outcome.eps,
            "seed": seed,
            "returns": [round(float(x), 2) for x in outcome.returns],
            "costs": [round(float(x), 2) for x in outcome.costs],
        }
        for outcome in outcomes
    }


def table() -> str:
    """The page, from all records in the folder."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for path in sorted(RESULTS.glob("*-[0-9]*.json")):
        record = json.loads(path.read_text())
        groups[record["task"], record["algorithm"]].append(record)
    paper = _paper()
    lines = []
    for (task, algorithm), records in sorted(groups.items()):
        seeds = ", ".join(str(record["seed"]) for record in records)
        cells = [_pooled(records, attack) for attack in ATTACKS]
        steps = f"{records[0]['timesteps']:,}"
        lines.append(_line(TASKS[task].paper_name, algorithm.upper(), seeds, steps, cells))
        for record in records if len(records) > 1 else ():
            cells = [_pooled([record], attack) for attack in ATTACKS]
            lines.append(_line("", "", str(record["seed"]), "", cells))
        cells = [_pooled(records, attack, "evaluation_last") for attack in ATTACKS]
        lines.append(_line("", "last policies", seeds, "", cells))
        name = PAPER_NAMES[algorithm]
        known = [paper.get((TASKS[task].paper_name, name, attack), "") for attack in ATTACKS]
        lines.append(_line("", f"*paper's {name}*", "*5*", "", known))
    some = next(iter(groups.values()))[0]["evaluation"]["natural"] if groups else {"seed": 1000}
    return HEAD.format(episodes=f"seeds from {some['seed']} on") + "\n".join(lines) + "\n"


def _line(task: str, policy: str, seeds: str, steps: str, cells: list[str]) -> str:
    return "| " + " | ".join([task, policy, seeds, steps, *cells]) + " |"


def _pooled(records: list[dict[str, Any]], attack: str, evaluation: str = "evaluation") -> str:
    parts = []
    for key in ("returns", "costs"):
        values = np.concatenate([np.array(r[evaluation][attack][key]) for r in records])
        parts.append(f"{values.mean():.1f} ± {values.std():.1f}")
    return " | ".join(parts)


def _paper() -> dict[tuple[str, str, str], str]:
    cells: dict[tuple[str, str, str], dict[str, str]] = defaultdict(dict)
    with (RESULTS / "paper_table5.csv").open() as file:
        for row in csv.DictReader(file):
            text = f"{float(row['mean']):.1f} ± {float(row['std']):.1f}"
            cells[row["task"], row["method"], row["attack"]][row["metric"]] = text
    return {key: f"{value['reward']} | {value['cost']}" for key, value in cells.items()}


if __name__ == "__main__":
    main()
