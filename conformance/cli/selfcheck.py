"""`safer-gym selfcheck`: a table of closed forms, and whether this installation gives them."""

from __future__ import annotations

import typer

from safer_gym.conformance.cli.output import print_json, print_table, stderr
from safer_gym.conformance.cli.refusals import GATE_REFUSED
from safer_gym.conformance.cli.threads import one_thread
from safer_gym.conformance.selfcheck import SelfcheckReport, selfcheck

SCOPE = "Closed forms alone; random problems and wrong versions of the code are in the tests."


def run_selfcheck(areas: str, *, as_json: bool, verbose: bool) -> None:
    """Run the checks of some areas, or all; exit with 1 unless all pass."""
    one_thread()
    names = [name.strip() for name in areas.split(",") if name.strip()] or None
    with stderr.status("...") as status:
        report = selfcheck(names, lambda result: status.update(f"{result.area}: {result.name}"))
    if as_json:
        print_json(report.to_json())
    else:
        _print(report, verbose=verbose)
    if not report.passed:
        raise typer.Exit(GATE_REFUSED)


def _print(report: SelfcheckReport, *, verbose: bool) -> None:
    rows = [
        {"area": r.area, "check": r.name, "": "ok" if r.passed else "FAILED"}
        for r in report.results
    ]
    print_table("Selfcheck", rows)
    for result in report.results:
        if verbose or not result.passed:
            print(
                f"{result.fate}: {result.area}, {result.name} ({result.claim}): {result.evidence}"
            )
    seconds = sum(result.seconds for result in report.results)
    verdict = "passed" if report.passed else "FAILED"
    print(f"{verdict}: {len(report.results)} checks, {seconds:.0f} s\n{SCOPE}")
