"""How to have the pytest plugin in a test's own pytest: installed, or from this checkout."""

from __future__ import annotations

from importlib.metadata import entry_points

PLUGIN = "safer_gym.conformance.pytest_plugin"


def arguments() -> list[str]:
    """Options for pytest; none where the installed package brings the plugin."""
    installed = any(point.value == PLUGIN for point in entry_points(group="pytest11"))
    return [] if installed else ["-p", PLUGIN]
