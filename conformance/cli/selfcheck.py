"""`safer-gym selfcheck`: a table of checks, and of the mutants that they killed."""

from __future__ import annotations

import typer

from safer_gym.conformance.cli.output import print_json, print_table, stderr
from safer_gym.conformance.cli.refusals import GATE_REFUSED
from safer_gym.conformance.cli.threads import one_thread
from safer_gym.conformance.selfcheck import CheckResult, SelfcheckReport, selfcheck
from safer_gym.conformance.selfcheck.check import KILLED


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
    print_table("Selfcheck", [_row(result) for result in report.results])
    for result in report.results:
        if not result.holds:
            print(f"FAILED  {result.area}, {result.name}: {result.evidence}")
        for mutant in result.mutants:
            if verbose or mutant.fate != KILLED:
                print(f"{mutant.fate}: {result.name}, {mutant.mutant}: {mutant.how}")
    killed, total = report.mutants
    seconds = sum(result.seconds for result in report.results)
    verdict = "passed" if report.passed else "FAILED"
    print(
        f"{verdict}: {len(report.results)} checks, {killed} of {total} mutants killed, "
        f"{seconds:.0f} s"
    )


def _row(result: CheckResult) -> dict[str, str]:
    killed = sum(mutant.fate == KILLED for mutant in result.mutants)
    return {
        "area": result.area,
        "check": result.name,
        "": "ok" if result.passed else "FAILED",
        "mutants killed": f"{killed} of {len(result.mutants)}",
    }
