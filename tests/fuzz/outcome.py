"""How a call ended: clear, vague, raw, accepted, or refused where it should have been accepted."""

from __future__ import annotations

import contextlib
import io
import re
import signal
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

SECONDS = 60
LONGEST = 1500
"""Characters of a clear message; the option parser's have a frame."""


class Input(NamedTuple):
    """One bad (or good) value for one argument of something public."""

    border: str
    argument: str
    value: Any
    call: Callable[[], Any]
    good: bool = False
    words: tuple[str, ...] = ()
    """Any of which names the argument; default: its name."""

    @property
    def shown(self) -> str:
        text = repr(self.value)
        return f"{self.border}({self.argument}={text[:60]})"


class Outcome(NamedTuple):
    """Of one input."""

    kind: str
    text: str


class _Hang(BaseException):
    """It took longer than SECONDS."""


def outcome_of(given: Input) -> Outcome:
    """Make the call and class what came."""

    def stop(*_: Any) -> None:
        raise _Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    silence = io.StringIO()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(silence):
            warnings.simplefilter("ignore")
            given.call()
    except _Hang:
        return Outcome("hang", "")
    except (ValueError, TypeError) as error:
        return _refused(given, error)
    except Exception as error:
        return Outcome("raw", f"{type(error).__name__}: {error}"[:300])
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return Outcome("fine" if given.good else "accepted", "")


def _refused(given: Input, error: Exception) -> Outcome:
    text = f"{type(error).__name__}: {error}"
    if given.good:
        return Outcome("refused", text[:300])
    words = given.words or (given.argument,)
    named = any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", str(error)) for word in words)
    return Outcome("clear" if named and len(text) < LONGEST else "vague", text[:300])
