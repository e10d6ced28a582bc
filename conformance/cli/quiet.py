"""Keep a dead package's advertisement out of the commands' output."""

from __future__ import annotations

from contextlib import suppress


def silence_gym_notice() -> None:
    """Bullet-Safety-Gym depends on `gym`, which prints a notice when anything imports it."""
    with suppress(ImportError):
        from gym_notices.notices import notices

        notices.clear()
