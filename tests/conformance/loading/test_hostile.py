"""Files that would take a machine's time or memory are refused in one line, before they do."""

from __future__ import annotations

import os
import struct
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hostile_files import NORMALISERS, ONNX, ZIPS, normaliser, saved, zipped

from safer_gym.conformance.certificate import Certificate
from safer_gym.conformance.loading import UntrustedFile, load_policy, trial
from safer_gym.conformance.loading.archives import entry, opened
from safer_gym.conformance.loading.as_data import read_pickle
from safer_gym.conformance.loading.normaliser import read_normaliser
from safer_gym.conformance.loading.onnx_policy import LOOPS
from safer_gym.conformance.loading.trial import tried


def refusal(path: Path) -> str:
    with pytest.raises(ValueError, match=path.name) as caught:
        load_policy(path)
    return str(caught.value)


@pytest.mark.parametrize("name", ZIPS)
def test_a_hostile_model_is_refused_by_the_readers(name: str, tmp_path: Path) -> None:
    """Not by the limits of the process, which are the second wall."""
    said = refusal(ZIPS[name](tmp_path / f"{name}.zip"))
    assert "given up" not in said
    assert "\n" not in said
    assert len(said) < 600


@pytest.mark.parametrize("name", ONNX)
def test_a_hostile_graph_is_refused(name: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    refusal(ONNX[name](tmp_path / f"{name}.onnx"))


@pytest.mark.parametrize("name", NORMALISERS)
def test_a_hostile_normaliser_is_refused(name: str, tmp_path: Path) -> None:
    path = normaliser(tmp_path / f"{name}.pkl", **NORMALISERS[name])
    with pytest.raises(
        ValueError, match=rf"{name}\.pkl is no VecNormalize that can be read"
    ) as said:
        read_normaliser(path)
    assert len(str(said.value)) < 600


@pytest.mark.parametrize(
    "text", ["[" * 10**6, '{"a":' * 10**6, "[" + "[]," * 2_500_000 + "[]]", "9" * 10**6]
)
def test_a_hostile_certificate_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "certificate.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"certificate\.json") as said:
        Certificate.load(path)
    assert len(str(said.value)) < 600


def test_what_would_fill_the_memory_is_not_unpacked(tmp_path: Path) -> None:
    assert "bytes would become" in refusal(ZIPS["zip_bomb"](tmp_path / "bomb.zip"))


def test_a_tuple_that_holds_another_twice_is_refused_at_some_depth() -> None:
    doubled = b"".join(bytes([0x68, i, 0x68, i, 0x86, 0x71, i + 1]) for i in range(60))
    with pytest.raises(ValueError, match="a tuple of more than"):
        read_pickle(b"\x80\x04)q\x00" + doubled + b".")


def test_a_loop_cannot_hide_behind_a_longer_spelling() -> None:
    for tag in (b"\x22", b"\xa2\x00", b"\xa2\x80\x80\x00"):
        for size in (b"\x04", b"\x84\x00"):
            assert LOOPS.search(b"..." + tag + size + b"Loop")
    assert not LOOPS.search(b"\x22\x05Loops")


def spin() -> None:
    while True:
        pass


def fill() -> None:
    bytearray(2**31)


def test_the_process_has_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "MEMORY", 2**28)
    for attempt, seconds in ((spin, 1), (fill, 100), (lambda: os._exit(0), 100)):
        monkeypatch.setattr(trial, "CPU_SECONDS", seconds)
        with pytest.raises(ValueError, match="the file was given up"):
            tried(attempt, "the file")
    monkeypatch.setattr(trial, "WALL_SECONDS", 0.2)
    with pytest.raises(ValueError, match="the file was given up"):
        tried(lambda: time.sleep(600), "the file")


def test_what_was_refused_there_is_refused_here() -> None:
    def attempt() -> None:
        raise UntrustedFile("policy.zip", "it is code")

    with pytest.raises(UntrustedFile, match=r"policy\.zip .* it is code") as caught:
        tried(attempt, "the file")
    assert caught.value.reason == "it is code"
    tried(lambda: None, "the file")


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return saved(tmp_path_factory.mktemp("honest"))


def test_an_archive_that_was_cut_is_refused_wherever(
    honest: dict[str, bytes], tmp_path: Path
) -> None:
    whole = zipped(tmp_path / "whole.zip", honest).read_bytes()
    for share in range(1, 20):
        path = tmp_path / f"cut{share}.zip"
        path.write_bytes(whole[: len(whole) * share // 20])
        assert "\n" not in refusal(path)


@pytest.mark.parametrize("kind", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_archive_with_other_bytes_is_refused(
    kind: int, honest: dict[str, bytes], tmp_path: Path
) -> None:
    path = zipped(tmp_path / "damaged.zip", honest, kind)
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("policy.pth")
    middle = info.header_offset + info.compress_size // 2
    path.write_bytes(
        content[:middle]
        + bytes(b ^ 255 for b in content[middle : middle + 9])
        + content[middle + 9 :]
    )
    assert "damaged" in refusal(path)


def test_an_archive_says_each_name_once_and_stays_inside(
    honest: dict[str, bytes], tmp_path: Path
) -> None:
    for name in ("/etc/passwd", "../outside", "a/../../b", "\\windows"):
        assert "leaves the archive" in refusal(zipped(tmp_path / "out.zip", {**honest, name: b""}))
    path = zipped(tmp_path / "twice.zip", honest)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("data", b"{}")
    assert "there twice" in refusal(path)


def test_an_archive_that_is_packed_in_a_rare_way_is_refused(
    honest: dict[str, bytes], tmp_path: Path
) -> None:
    assert "rare way" in refusal(zipped(tmp_path / "lzma.zip", honest, zipfile.ZIP_LZMA))
    path = zipped(tmp_path / "locked.zip", honest)
    content, flag = path.read_bytes(), struct.pack("<H", 1)
    at = content.rindex(b"PK\x01\x02") + 8
    path.write_bytes(content[:at] + flag + content[at + 2 :])
    assert "encrypted" in refusal(path)


def test_an_honest_archive_is_read(honest: dict[str, bytes], tmp_path: Path) -> None:
    """Also one that somebody packed again."""
    path: Any = zipped(tmp_path / "again.zip", honest, zipfile.ZIP_DEFLATED)
    with opened(path, "again") as archive:
        assert entry(archive, "data", "again") == honest["data"]
    assert load_policy(path).policy.predict(load_policy(path).policy.observation_space.sample())
