"""Wheel and sdist: built from the checkout, with and without its links, they hold everything."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from test_layout import FOLDERS, ROOT, files_of

pytest.importorskip("build")

WALK = """
import pkgutil, sys
sys.path.insert(0, sys.argv[1])
import safer_gym
assert safer_gym.__file__.startswith(sys.argv[1]), safer_gym.__file__
for module in pkgutil.walk_packages(safer_gym.__path__, "safer_gym."):
    print(module.name)
import safer_gym.conformance.evaluate
from importlib.resources import files
templates = files("safer_gym.conformance.report.templates")
for name in ("base.html", "certificate.html", "report.html", "certificate.css", "badge.svg"):
    assert (templates / name).is_file(), name
assert (files("safer_gym") / "py.typed").is_file()
"""


def run(*arguments: str, cwd: Path) -> str:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    result = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def copy_of_the_checkout(target: Path, *, links: bool) -> Path:
    """The tracked files and those that git would track."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        source, copy = ROOT / name, target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            if links:
                copy.symlink_to(source.readlink())
        elif source.is_file():
            copy.write_bytes(source.read_bytes())
    return target


@pytest.mark.parametrize("links", [True, False])
def test_the_built_package_holds_every_file(tmp_path: Path, links: bool) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout")
    checkout = copy_of_the_checkout(tmp_path / "checkout", links=links)
    # The default of build: the wheel is made from the sdist, so that both are tried.
    run("-m", "build", "--no-isolation", "--outdir", str(tmp_path / "dist"), cwd=checkout)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    (sdist,) = (tmp_path / "dist").glob("*.tar.gz")
    expected = set().union(*(files_of(checkout / folder) for folder in FOLDERS))
    packaged_policies = {
        path.relative_to(checkout).as_posix()
        for path in (checkout / "safer_gym" / "zoo").rglob("*")
        if path.is_file()
    }
    names = set(zipfile.ZipFile(wheel).namelist())
    assert packaged_policies <= names
    assert not {name for name in names if name.split("/")[0] in FOLDERS[1:]}
    with tarfile.open(sdist) as archive:
        inside = {"/".join(member.name.split("/")[1:]) for member in archive.getmembers()}
    assert {"setup.py", "pyproject.toml", "README.md", "LICENSE", *packaged_policies} <= inside
    site = tmp_path / "site"
    install = ("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site))
    run(*install, str(wheel), cwd=tmp_path)
    walked = run("-c", WALK, str(site), cwd=tmp_path).split()
    assert {*walked, "safer_gym"} == expected
