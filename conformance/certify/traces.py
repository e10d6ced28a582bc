"""What a recorded trace must show: its own cost, and an adversary that kept to its ball."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from safer_gym.conformance.certificate.record import Certificate, EpisodeOfNote

KEYS = ("clean", "attacked", "positions", "costs", "calm_positions", "calm_costs")
ROUNDED = 0.5e-4
"""Traces are rounded to four digits."""
SINGLE = 1e-6
"""Observations are float32."""


def trace_faults(certificate: Certificate, note: EpisodeOfNote) -> Iterator[str]:
    """What is wrong with the trace of an episode of note, in words."""
    if note.trace is None or note.trace.keys() != {*KEYS}:
        yield f"its trace must hold {', '.join(KEYS)}"
        return
    trace = {name: np.asarray(note.trace[name], dtype=float) for name in KEYS}
    steps = len(trace["costs"])
    if {len(trace[name]) for name in ("clean", "attacked", "positions", "costs")} != {steps}:
        yield f"its trace has {steps} costs and other numbers of observations or positions"
        return
    if len(trace["calm_positions"]) != len(trace["calm_costs"]):
        yield "its trace without an attack has other numbers of costs and of positions"
    if trace["costs"].ndim != 1 or trace["calm_costs"].ndim != 1:
        yield "a cost of its trace is no number"
        return
    if abs(trace["costs"].sum() - note.cost) > ROUNDED * steps + 1e-9 * abs(note.cost):
        yield f"its trace costs {trace['costs'].sum():g}, recorded {note.cost:g}"
    if trace["clean"].shape != trace["attacked"].shape:
        yield "what the environment said and what the policy was shown differ in shape"
    elif not _inside(certificate, note.eps, trace["clean"], trace["attacked"]):
        yield f"its adversary left the ball of radius {note.eps:g}"


def _inside(
    certificate: Certificate,
    eps: float,
    clean: NDArray[np.float64],
    shown: NDArray[np.float64],
) -> bool:
    if certificate.channel != "observation":
        return np.array_equal(clean, shown)
    clean, shown = clean.reshape(len(clean), -1), shown.reshape(len(shown), -1)
    if clean.shape[1] == 0:  # images are not written down
        return True
    scale = np.ones(clean.shape[1]) if certificate.scale is None else np.array(certificate.scale)
    if scale.shape != clean.shape[1:]:
        raise ValueError(f"scale has {scale.size} entries, an observation {clean.shape[1]}")
    slack = 2 * ROUNDED + SINGLE * np.abs(clean)
    moved = np.maximum(np.abs(shown - clean) - slack, 0.0)
    if (moved[:, scale == 0] > 0).any():
        return False
    parts = moved[:, scale > 0] / scale[scale > 0]
    order = {"l1": 1, "l2": 2, "linf": np.inf}[certificate.norm]
    return parts.size == 0 or bool(
        (np.linalg.norm(parts, order, axis=1) <= eps * (1 + SINGLE)).all()
    )
