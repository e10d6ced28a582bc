"""Installed packages that add attacks, algorithms, tasks, formats or reports to every command.

A package says so in its pyproject.toml, and registers when the named module is imported:

    [project.entry-points."safer_gym.extensions"]
    my_package = "my_package.safer_gym_extension"
"""

from __future__ import annotations

from importlib.metadata import entry_points

GROUP = "safer_gym.extensions"


def load_extensions() -> tuple[str, ...]:
    """Import every installed extension, and return their names. Importing one twice does nothing.

    Raises:
        ImportError: an extension cannot be imported; names it and its package.
    """
    names = []
    for entry in entry_points(group=GROUP):
        try:
            entry.load()
        except Exception as error:
            package = entry.dist.name if entry.dist else "an unknown package"
            raise ImportError(
                f"the extension {entry.name!r} ({entry.value}) of {package} cannot be imported: "
                f"{type(error).__name__}: {error}; mend or uninstall that package"
            ) from error
        names.append(entry.name)
    return tuple(names)
