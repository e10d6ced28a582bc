"""One package out of four folders: no module is lost, whatever way it is installed."""

from __future__ import annotations

import pkgutil
from pathlib import Path

import safer_gym

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("safer_gym", "agents", "wrappers", "conformance")


def files_of(folder: Path) -> set[str]:
    """Dotted names of the modules in one real folder; links inside are not followed."""
    prefix = "safer_gym" if folder.name == "safer_gym" else f"safer_gym.{folder.name}"
    names = set()
    for path in folder.rglob("*.py"):
        parts = path.relative_to(folder).with_suffix("").parts
        if any((folder / part).is_symlink() for part in parts[:1]):
            continue
        names.add(".".join((prefix, *(part for part in parts if part != "__init__"))))
    return names


def test_every_file_is_a_module_of_the_package() -> None:
    files = set().union(*(files_of(ROOT / folder) for folder in FOLDERS))
    found = {m.name for m in pkgutil.walk_packages(safer_gym.__path__, "safer_gym.")}
    assert found | {"safer_gym"} == files
    assert len(files) > 50


def test_the_links_are_relative() -> None:
    for folder in FOLDERS[1:]:
        assert (ROOT / "safer_gym" / folder).readlink() == Path("..") / folder
