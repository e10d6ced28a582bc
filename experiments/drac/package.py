"""Put a trained DRAC policy, and the same with its switch on, among the packaged policies.

    python -m experiments.drac.package runs/drac/runs/cart-pole-drac-0

writes cart-pole/drac and cart-pole/drac-shield, each with the record of its training.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from safer_gym.agents import DRAC
from safer_gym.conformance.files import write_atomically
from safer_gym.conformance.loading.zoo import ZOO


def package(run: Path, zoo: Path) -> list[str]:
    """Write both policies of a finished run, and return their names.

    Raises:
        OSError: the run has no model, or a file could not be written.
    """
    record = json.loads((run / "model.json").read_text())
    folder = zoo / record["task"]
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(run / "model.zip", folder / "drac.zip")
    model = DRAC.load(run / "model.zip", device="cpu")
    model.shield = True
    model.save(folder / "drac-shield.zip")
    for name, shield in (("drac", False), ("drac-shield", True)):
        text = json.dumps({**record, "shield": shield}, indent=1)
        write_atomically(folder / f"{name}.json", text + "\n")
    return [f"{record['task']}/{name}" for name in ("drac", "drac-shield")]


def main() -> None:
    """Package one run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="a folder with model.zip and model.json")
    parser.add_argument("--zoo", type=Path, default=Path(str(ZOO)))
    arguments = parser.parse_args()
    print("\n".join(package(arguments.run, arguments.zoo)))


if __name__ == "__main__":
    main()
