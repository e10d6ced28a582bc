"""Try bad values at every public border, and count how each is refused.

python tests/fuzz --inputs 3000 --seed 0
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections import Counter
from pathlib import Path

import torch

from fuzz.borders import BORDERS
from fuzz.commands import command_inputs
from fuzz.newer import NEWER
from fuzz.outcome import outcome_of

KINDS = ("clear", "vague", "raw", "hang", "accepted", "fine", "refused")


def main() -> None:
    """Print a line for each outcome that should not be, then the counts."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--inputs", type=int, default=3000)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--only", default="", help="borders whose name begins so")
    arguments = options.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        inputs = [i for border in [*BORDERS, *NEWER] for i in border.inputs()]
        inputs += command_inputs(Path(folder))
        inputs = [i for i in inputs if i.border.startswith(arguments.only)]
        random.Random(arguments.seed).shuffle(inputs)
        counts: Counter[str] = Counter()
        for given in inputs[: arguments.inputs]:
            found = outcome_of(given)
            counts[found.kind] += 1
            if found.kind not in ("clear", "fine"):
                print(f"{found.kind:9}{given.shown}: {found.text}".replace("\n", " "), flush=True)
    print(f"of {len(inputs)}:", ", ".join(f"{counts[kind]} {kind}" for kind in KINDS))


if __name__ == "__main__":
    main()
