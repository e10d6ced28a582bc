"""Progress of what lasts: a function that is told the share done, or True for a bar of tqdm."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tqdm.auto import tqdm

Told = Callable[[str, float], None]
"""Called with what is being done, and the share of it that is done, in [0, 1]."""
FORMAT = "{desc}: {percentage:3.0f}% |{bar}| {elapsed}, {remaining} left"


@contextmanager
def told(progress: Told | bool | None) -> Iterator[Told | None]:
    """The function to tell; True makes a bar, in a notebook one of its own kind.

    Raises:
        TypeError: neither a function, nor a bool, nor None.
    """
    if progress is None or progress is False:
        yield None
    elif callable(progress):
        yield progress
    elif progress is True:
        with _Bars() as bars:
            yield bars
    else:
        raise TypeError(f"progress must be True, a function or None, got {progress!r}")


@contextmanager
def told_as(
    progress: Callable[..., None] | bool | None, words: str, share: Callable[..., float]
) -> Iterator[Callable[..., None]]:
    """As `told`, of a function that is told something else.

    Args:
        words: beside the bar.
        share: of what the function would be told, the share done.
    """
    if callable(progress):
        yield progress
        return
    with told(progress) as bar:
        yield lambda *said: None if bar is None else bar(words, share(*said))


class _Bars:
    """A bar for each thing that is done, one after the other."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._words = ""

    def __enter__(self) -> _Bars:
        return self

    def __exit__(self, *error: Any) -> None:
        self._close()

    def __call__(self, words: str, share: float) -> None:
        if self._bar is None or words != self._words:
            self._close()
            self._bar, self._words = tqdm(total=1.0, desc=words, bar_format=FORMAT), words
        self._bar.update(min(share, 1.0) - self._bar.n)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
