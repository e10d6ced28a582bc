"""Does an observation stack frames? Told by what it does: its frames reappear one step later."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from numpy.typing import NDArray

FEWEST = 8
"""Steps at which the newest frame must have changed, to tell a stack from what hardly moves."""


def stacks_frames(episodes: Sequence[NDArray]) -> bool:
    """Whether every observation holds frames of the one before it, moved along an axis.

    Args:
        episodes: the observations of each episode's steps, [T_i, *O].
    """
    return any(
        all((newer == older).all() for newer, older in pairs)
        and sum(_changes(newer) for newer, _ in pairs) >= FEWEST
        for pairs in _candidates(episodes)
    )


def _candidates(episodes: Sequence[NDArray]) -> Iterator[list[tuple[NDArray, NDArray]]]:
    """For each axis, size of a frame and order: what must be equal, episode by episode [T-1, ...].

    The newest frame is the last one, or the first.
    """
    shape = episodes[0].shape[1:]
    for axis, size in enumerate(shape, start=1):
        for frame in (width for width in range(1, size) if size % width == 0):
            kept, moved = slice(0, size - frame), slice(frame, size)
            for newer, older in ((kept, moved), (moved, kept)):
                yield [(_cut(e[1:], axis, newer), _cut(e[:-1], axis, older)) for e in episodes]


def _cut(array: NDArray, axis: int, part: slice) -> NDArray:
    return array[(slice(None),) * axis + (part,)]


def _changes(steps: NDArray) -> int:
    """At how many steps [T] anything is another than before."""
    return int((steps[1:] != steps[:-1]).reshape(max(len(steps) - 1, 0), -1).any(axis=1).sum())
