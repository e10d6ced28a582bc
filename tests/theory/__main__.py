"""The table of all statements: `PYTHONPATH=tests python -m theory [PROBLEMS]`."""

from __future__ import annotations

import sys

from theory import try_theory


def main() -> None:
    """Print a row for each statement, then what is only observed."""
    rows, observed = try_theory(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
    for row in rows:
        verdict = "holds" if row.holds else "VIOLATED" if row.violations else "no power"
        counts = f"{row.violations} of {row.instances} violated"
        ratios = f"ratio {row.median:.4f} median, {row.largest:.4f} largest, {row.floor:.4f} floor"
        print(f"{verdict:8} {row.name} ({row.label}): {counts}; {ratios}")
    for name, value in observed.items():
        print(f"observed {name}: {value:.5g}")


if __name__ == "__main__":
    main()
