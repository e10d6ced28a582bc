"""`safer-gym`: train, prior, attack, evaluate, tasks, demo; certify, diff, verify, report, replay;
export, card, compare, leaderboard; selfcheck, doctor.

Each command's module is imported when it runs, so that `--help` answers at once.
"""

from __future__ import annotations

import typer

from safer_gym.conformance.cli.certificate_commands import certify, diff, replay, report, verify
from safer_gym.conformance.cli.installation_commands import doctor, selfcheck
from safer_gym.conformance.cli.measuring_commands import attack, evaluate, tasks
from safer_gym.conformance.cli.publishing_commands import card, compare, export, leaderboard
from safer_gym.conformance.cli.quiet import with_quiet
from safer_gym.conformance.cli.refusals import RefusingGroup
from safer_gym.conformance.cli.registered import NamingCommand
from safer_gym.conformance.cli.training_commands import demo, prior, train

EXIT_CODES = (
    "Exit codes: 0 done or PASS, 1 FAIL or a gate such as --max-cost refused, 2 INCONCLUSIVE, "
    "3 wrong usage, 4 a bug or a full disk."
)

app = typer.Typer(
    name="safer-gym",
    cls=RefusingGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Does a policy stay safe when somebody tampers with what it sees?",
    epilog=EXIT_CODES,
)
for command in (
    demo,
    train,
    prior,
    attack,
    evaluate,
    tasks,
    certify,
    diff,
    verify,
    report,
    replay,
    export,
    card,
    compare,
    leaderboard,
    selfcheck,
    doctor,
):
    app.command(cls=NamingCommand)(with_quiet(command))


def main() -> None:
    """Entry point of the console script."""
    app()


if __name__ == "__main__":
    main()
