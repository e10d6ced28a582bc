"""One picture of a certificate: the radii that attacks reached and those that are certified."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup

from safer_gym.conformance.certificate.view import (
    Data,
    every_of,
    headline_of,
    is_void,
    modes_of,
    rows_of,
)
from safer_gym.conformance.figures.radius_bars import Bar, paint_radii, radius_frame
from safer_gym.conformance.report.certificate.given_model import model_of
from safer_gym.conformance.report.templates import drawn

LABEL = "Radii that attacks reached, and radii that are certified"


def radii_picture(certificate: Data) -> Markup | None:
    """The picture, of the certificate's own figures; None where it has none."""
    bars, tried = list(radius_bars(certificate)), radii_tried(certificate)
    if not tried or all(bar.holds is None and bar.broken is None for bar in bars):
        return None
    return drawn(lambda ax: paint_radii(ax, bars, tried), LABEL, radius_frame(len(bars)))


def radii_tried(certificate: Data) -> list[float]:
    """All radii above 0."""
    return sorted({row["eps"] for row in certificate["rows"] if row["eps"] > 0})


def radius_bars(certificate: Data) -> Iterator[Bar]:
    """A bar for each kind of evidence, in each mode of the policy."""
    modes = [] if is_void(certificate) else modes_of(certificate)
    for mode in modes:
        headline, rows = headline_of(certificate, mode), rows_of(certificate, mode)
        if headline is None:
            continue
        of = f" ({mode})" if len(modes) > 1 else ""
        stood, fell = headline["certified_eps_attacks"], headline["attacked_eps"]
        measured = any(row["attacks"] for row in rows if row["eps"] > 0)
        covered = any(every_of(row["rate"]) for row in rows)
        absent = ("none" if measured else "not measured"), ("none" if covered else "no bound")
        yield Bar(f"withstood ε{of}", "s0", stood, fell, absent[0])
        yield Bar(f"certified ε{of}", "s1", headline["certified_eps"], None, absent[1])
        if model_of(certificate) is not None and mode == "deterministic":
            given = headline.get("certified_eps_given_model")
            yield Bar(f"certified ε given a model{of}", "s2", given)
