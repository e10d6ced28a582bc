"""The command `compare`: is B worse than A?"""

from __future__ import annotations

from typing import Any

import typer

from safer_gym.choices import choose
from safer_gym.conformance.cli.environments import EnvWords
from safer_gym.conformance.cli.measure import parse_names, parse_radii, whole_box
from safer_gym.conformance.cli.models import find_model, load_model
from safer_gym.conformance.cli.output import new_table, plain, print_json, show
from safer_gym.conformance.cli.progress import Bar
from safer_gym.conformance.cli.threads import one_thread
from safer_gym.conformance.compare import METRICS, Comparison, compare
from safer_gym.conformance.formatting import percent
from safer_gym.conformance.statistics import Difference, Verdict
from safer_gym.types import CHANNELS

EXIT_CODES = {Verdict.PASS: 0, Verdict.FAIL: 1, Verdict.INCONCLUSIVE: 2}


def run_compare(
    a: str,
    b: str,
    env: EnvWords,
    *,
    attacks: str,
    eps: str,
    limit: float | None,
    channel: str,
    trust: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Compare, print, and exit with the verdict's code.

    Raises:
        typer.Exit: with 1 where B is worse by more than the margin, with 2 where that is open.
        ValueError: several radii, or policies of different environments.
    """
    one_thread()
    moved = choose("channel", channel, CHANNELS)
    names = [[part.strip() for part in side.split(",") if part.strip()] for side in (a, b)]
    files = [[find_model(name, "", env, trust=trust) for name in side] for side in names]
    tasks = {(file.task.env_id, repr(file.task.changes)): file.task for s in files for file in s}
    if len(tasks) != 1:
        told = ", ".join(sorted(env_id for env_id, _ in tasks)) or "none"
        raise ValueError(f"compare needs policies of one environment, got those of {told}")
    (task,) = tasks.values()
    radii = parse_radii(eps) or (whole_box(task, moved),)
    if len(radii) != 1:
        raise ValueError(f"compare takes one radius, got {eps}")
    loaded = [[load_model(file) for file in side] for side in files]
    with Bar() as bar:
        found = compare(
            loaded[0],
            loaded[1],
            task.make,
            parse_names(attacks),
            eps=radii[0],
            limit=task.cost_limit if limit is None else limit,
            channel=moved,
            progress=lambda words, share: bar.update("comparing", share, words),
            **options,
        )
    if as_json:
        print_json({"a": names[0], "b": names[1], "eps": radii[0], **as_plain(found)})
    else:
        _print(found, names, task.env_id, radii[0])
    if code := EXIT_CODES[found.verdict]:
        raise typer.Exit(code)


def as_plain(found: Comparison) -> dict[str, Any]:
    """A comparison as JSON has it."""
    conditions = [
        {
            key: value._asdict() if isinstance(value, Difference) else value
            for key, value in condition._asdict().items()
        }
        for condition in found.conditions
    ]
    return {**found._asdict(), "conditions": conditions}


def _print(found: Comparison, names: list[list[str]], env: str, eps: float) -> None:
    sides = " against ".join(", ".join(side) for side in reversed(names))
    table = new_table(f"{sides} on {env}, eps {eps:g}")
    for column in ("", "A", "B", "B - A"):
        table.add_column(column, justify="right" if column else "left", overflow="fold")
    sure = percent(found.confidence)
    table.add_column(f"{sure} interval", justify="right", overflow="fold")
    table.add_column("p", justify="right", no_wrap=True)
    for condition in found.conditions:
        table.add_section()
        attacks = [", ".join(dict.fromkeys(c)) for c in (condition.attacks_a, condition.attacks_b)]
        table.add_row(f"[bold]{plain(condition.name)}[/]", *map(plain, attacks), "", "", "")
        table.add_row("reward", *_cells(condition.reward, "{:.1f}"))
        table.add_row("cost", *_cells(condition.cost, "{:.2f}"))
        table.add_row(f"P(cost > {found.limit:g})", *_cells(condition.rate, "{:.3f}"))
    show(table)
    for condition in found.conditions:
        print(f"{condition.name}: {condition.verdict.value}")
    claim = f"B is not worse than A by more than {found.margin:g} in {METRICS[found.metric]}"
    print(f'"{claim}": {found.verdict.value}')
    print(
        f"{found.episodes} paired episodes a condition; each interval holds with {sure} confidence."
    )
    for note in found.notes:
        print(plain(f"note: {note}"))


def _cells(found: Difference, form: str) -> list[str]:
    values = [form.format(value) for value in (found.a, found.b, found.difference)]
    interval = f"[{form.format(found.lower)}, {form.format(found.upper)}]"
    return [*values, plain(interval), "" if found.p_value is None else f"{found.p_value:.2g}"]
