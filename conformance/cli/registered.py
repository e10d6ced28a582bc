"""Help that ends with the names of a registry, those that an installed package added included."""

from __future__ import annotations

import sys
from typing import Any

from typer.core import TyperCommand

REGISTRIES = {
    "train": ("Algorithms", "safer_gym.agents.registry", "ALGORITHMS"),
    "attack": ("Attacks", "safer_gym.attacks.registry", "ATTACKS"),
    "evaluate": ("Attacks", "safer_gym.attacks.registry", "ATTACKS"),
    "report": ("Forms", "safer_gym.conformance.report.certificate.forms", "FORMS"),
}
"""By command: what it takes, and the module and name of the table."""


class NamingCommand(TyperCommand):
    """Names what is registered where that is known without an import that takes seconds.

    An extension is imported before help is shown, and a registry with it.
    """

    def format_help(self, ctx: Any, formatter: Any) -> None:
        self.epilog = names_of(str(self.name))
        super().format_help(ctx, formatter)


def names_of(command: str) -> str | None:
    """A sentence with the names that a command takes; None where there is no loaded registry."""
    title, module, table = REGISTRIES.get(command, ("", "", ""))
    if module not in sys.modules:
        return None
    return f"{title}: {', '.join(getattr(sys.modules[module], table))}."
