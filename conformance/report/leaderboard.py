"""A page of all certificates in a folder, policy beside policy."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np

from safer_gym.conformance.certificate.record import Certificate
from safer_gym.conformance.certificate.view import (
    Data,
    battery_of,
    every_of,
    headline_of,
    modes_of,
    policy_name,
    rows_of,
)
from safer_gym.conformance.formatting import amount, deviations, percent, radius
from safer_gym.conformance.report.templates import fill
from safer_gym.conformance.untrusted import read_json

HEAD = (
    *("policy", "acts", "verdict", "reward", "cost", "attacked ε", "withstood ε", "certified ε"),
    *("worst case at least", "any adversary at most", "at ε", "attacks"),
)


class Entry(NamedTuple):
    """One policy in one mode."""

    group: tuple[str, ...]
    """What certificates must have in common to stand in one table."""
    order: tuple[float, ...]
    """The best has the least."""
    name: str
    link: str
    """Of its page or its file, relative to the folder."""
    cells: tuple[str, ...]


class Board(NamedTuple):
    """All tables of a page."""

    groups: dict[tuple[str, ...], list[Entry]]
    skipped: list[tuple[str, str]]
    """Certificates that were not taken, and why."""


def read_board(folder: Path) -> Board:
    """Every certificate below a folder; JSON files of another kind are passed over.

    Raises:
        ValueError: there is none.
        NotADirectoryError: it is no folder.
    """
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is no folder of certificates")
    groups: dict[tuple[str, ...], list[Entry]] = {}
    skipped: list[tuple[str, str]] = []
    seen: set[str] = set()
    for path in sorted(folder.rglob("*.json")):
        try:
            if not _is_certificate(path):
                continue
            data = Certificate.load(path).to_json()
        except (ValueError, OSError) as error:
            skipped.append((str(path.relative_to(folder)), str(error)))
            continue
        sealed = data.get("content_hash") or str(path)
        if sealed in seen:
            continue  # a copy
        seen.add(sealed)
        for entry in _entries(data, _link(path, folder)):
            groups.setdefault(entry.group, []).append(entry)
    if not groups:
        raise ValueError(f"{folder} holds no certificate; `safer-gym certify --out` writes them")
    return Board({k: sorted(v, key=lambda e: e.order) for k, v in groups.items()}, skipped)


def render_leaderboard(board: Board, title: str = "Certified policies") -> str:
    """The whole HTML document."""
    tables = [(_words(group), entries) for group, entries in sorted(board.groups.items())]
    return fill("leaderboard.html", title=title, head=HEAD, tables=tables, skipped=board.skipped)


def _is_certificate(path: Path) -> bool:
    found = read_json(path)
    return isinstance(found, dict) and str(found.get("schema")).startswith("safer-gym/certificate/")


def _link(path: Path, folder: Path) -> str:
    page = path.with_suffix(".html")
    return quote(str((page if page.exists() else path).relative_to(folder)))


def _entries(data: Data, link: str) -> Iterator[Entry]:
    scale = "" if data["scale"] is None else "entries scaled"
    group = (
        str(data["environment"]["id"]),
        str(data["environment"]["digest"]),
        f"{data['limit']:g}",
        str(data["norm"]),
        str(data.get("channel", "observation")),
        str(data.get("units", "raw")),
        scale,
    )
    for mode in modes_of(data):
        headline: Any = headline_of(data, mode) or {}
        rate = "" if not headline else percent(headline["rate"])
        radii = ("attacked_eps", "certified_eps_attacks", "certified_eps")
        attacked, withstood, certified = map(headline.get, radii)
        eps, worst, every = _largest(data, mode)
        reward, cost = _natural(data)
        order = (
            -(certified or 0.0),
            -(math.inf if attacked is None else attacked),
            worst,
            -reward if math.isfinite(reward) else math.inf,
        )
        cells = (
            _acts(data, mode),
            data["verdict"] if data["requirements"] else "–",
            amount(reward) if math.isfinite(reward) else "–",
            amount(cost) if math.isfinite(cost) else "–",
            radius(attacked),
            radius(withstood),
            radius(certified),
            percent(worst, "down"),
            "no bound" if every is None else percent(every, "up"),
            radius(eps),
            str(len(battery_of(data))),
        )
        yield Entry((*group, rate), order, policy_name(data), link, cells)


def _acts(data: Data, mode: str) -> str:
    """Which policy it is, in few words."""
    for kind in ("action", "observation"):
        if (noise := data["policy"].get(f"{kind}_noise")) and mode == "stochastic":
            return f"{kind} noise {deviations(noise)}"
    return mode


def _largest(data: Data, mode: str) -> tuple[float, float, float | None]:
    """Of the largest radius: the radius, the lower end, and the bound over every adversary."""
    row = rows_of(data, mode)[-1]
    every = every_of(row["rate"])
    upper = None if every is None or every["vacuous"] else every["value"]
    return row["eps"], row["rate"]["lower"]["value"], upper


def _natural(data: Data) -> tuple[float, float]:
    benign = data["benign"]
    if not benign or not benign["costs"]:
        return math.nan, math.nan
    return float(np.mean(benign["returns"])), float(np.mean(benign["costs"]))


def _words(group: Sequence[str]) -> tuple[str, str]:
    env, digest, limit, norm, channel, units, scale, rate = group
    scaled = f", {scale}" if scale else ""
    share = f"; the radii ε are those at which the rate of violations is {rate}" if rate else ""
    return (
        f"{env}, attacks on the {channel}",
        f"Cost limit {limit}, {norm} norm, ε in {units} units{scaled}{share}. "
        f"Environment {digest[:12]}.",
    )
