"""Put a trained DRAC policy, and the same with its switch on, among the packaged policies.

    python -m experiments.drac.package runs/drac/runs/cart-pole-drac-0

writes cart-pole/drac and cart-pole/drac-shield, each with the record of its training.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from experiments.harness.packaging import ZOO, put
from safer_gym.agents import DRAC


def package(run: Path, zoo: Path) -> list[str]:
    """Write both policies of a finished run, and return their names.

    Raises:
        OSError: the run has no model, or a file could not be written.
    """
    record = json.loads((run / "model.json").read_text())
    model = DRAC.load(run / "model.zip", device="cpu")
    names = []
    for name, shield in (("drac", False), ("drac-shield", True)):
        names.append(f"{record['task']}/{name}")
        model.shield = shield
        put(names[-1], model.save, {**record, "shield": shield}, zoo)
    return names


def main() -> None:
    """Package one run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="a folder with model.zip and model.json")
    parser.add_argument("--zoo", type=Path, default=ZOO)
    arguments = parser.parse_args()
    print("\n".join(package(arguments.run, arguments.zoo)))


if __name__ == "__main__":
    main()
