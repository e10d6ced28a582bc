"""`PYTHONPATH=tests python -m mutants.source [WORD ...]`: which mutants survive their tests.

Without words all of the table are run, in minutes; with words those whose name holds one.
"""

from __future__ import annotations

import sys
import time

from mutants.source.harness import copied, outcome, tested
from mutants.source.table import MUTANTS


def main(words: list[str]) -> int:
    """Exit code 0 if every mutant was killed."""
    chosen = [n for n in MUTANTS if not words or any(word in n for word in words)]
    survivors = []
    with copied() as copy:
        tests = dict.fromkeys(test for name in chosen for test in MUTANTS[name].tests)
        if (found := tested(tuple(tests), copy)) != "survived":
            print(
                f"without any change the tests are {found}:", (copy / "output").read_text()[-800:]
            )
            return 2
        for name in chosen:
            started = time.monotonic()
            found = outcome(MUTANTS[name], copy)
            print(f"{found:9} {time.monotonic() - started:4.0f} s  {name}", flush=True)
            if found != "killed":
                survivors.append(name)
    print(f"{len(chosen)} mutants, {len(chosen) - len(survivors)} killed, survivors: {survivors}")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
