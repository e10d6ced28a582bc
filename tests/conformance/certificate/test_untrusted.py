"""Files from strangers: what is no certificate is refused in one line, by place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sample_certificates import sample
from typer.testing import CliRunner

from safer_gym.conformance import untrusted
from safer_gym.conformance.certificate import Certificate
from safer_gym.conformance.certificate.requirement_files import read_requirements
from safer_gym.conformance.cli.main import app
from safer_gym.conformance.untrusted import read_json


def sealed() -> dict[str, Any]:
    return Certificate.from_json(sample()).sealed().to_json()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ('{"a": 1, "a": 1}', "the key 'a' is there twice"),
        ('{"a": {"b": 1, "b": 2}}', "the key 'b' is there twice"),
        ("[" * 100_000, "nested too deeply"),
        ("1" * 5000, "integer string conversion|digits"),
    ],
)
def test_bad_json_is_refused(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=words):
        read_json(path)
    result = CliRunner().invoke(app, ["verify", str(path)])
    assert (result.exit_code, result.output.count("\n")) == (3, 1)


def test_other_bytes_and_large_files_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="not UTF-8"):
        read_json(path)
    path.write_text("[1, 2, 3, 4]")
    with pytest.raises(ValueError, match="larger than 3 bytes"):
        untrusted.read_text(path, 3)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("limit", 5, "limit has the wrong type"),
        ("limit", True, "limit has the wrong type"),
        ("limit", "5.0", "limit has the wrong type"),
        ("limit", float("nan"), "limit must be finite"),
        ("limit", float("inf"), "limit must be finite"),
        ("seed", 0.0, "seed has the wrong type"),
        ("seed", 2**64, "seed is too large"),
        ("rows", {}, "rows has the wrong type"),
        ("versions", [], "versions has the wrong type"),
        ("versions", {"python": 3}, r"versions.python has the wrong type"),
        ("created", "\x1b[2K PASS", "created holds control characters"),
        ("created", "\ud800", "created holds control characters"),
        ("verdict", "pass", "verdict must be one of"),
        ("verdict", ["PASS"], "verdict must be one of"),
        ("schema", "safer-gym/certificate/3", "schema must be"),
        ("schema", [1], "schema must be"),
        ("policy", None, "policy must be an object"),
        ("more", 1, "unknown key 'more'"),
        ("a" * 500, 1, r"unknown key 'aaa.*\.\.\..*aaa'$"),
    ],
)
def test_wrong_values_are_refused_by_place(key: str, value: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words) as refusal:
        Certificate.from_json({**sealed(), key: value})
    assert len(str(refusal.value)) < 200


@pytest.mark.parametrize("key", sorted(set(sealed()) - {"schema"}))
def test_no_key_may_be_left_out(key: str) -> None:
    data = sealed()
    del data[key]
    with pytest.raises(ValueError, match=f"lacks the key '{key}'"):
        Certificate.from_json(data)


@pytest.mark.parametrize("trace", [{"costs": {}}, {"costs": [[[[[1.0]]]]]}, {"costs": [1e999]}])
def test_a_trace_holds_finite_numbers_in_a_few_lists(trace: Any) -> None:
    data = sealed()
    data["episodes_of_note"][0]["trace"] = trace
    with pytest.raises(ValueError, match=r"trace\.costs"):
        Certificate.from_json(data)


@pytest.mark.parametrize(
    "text",
    [
        "requirement = 5",
        "requirement = [1]",
        "requirement = 'at most 5'",
        "[[requirement]]\ntext = 5",
        "[[requirement]]\nlimit = nan\neps = 0.1",
        "[[requirement]]\nlimit = 5\nscope = ['every']",
        "requirement = " + "[" * 5000,
    ],
)
def test_bad_requirement_files_are_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "requirements.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"requirements\.toml"):
        read_requirements(path)


@pytest.mark.parametrize("record", ["[]", '"safer"', "{", '{"task": "a", "task": "b"}'])
def test_bad_records_beside_a_model_are_refused(record: str, tmp_path: Path) -> None:
    (tmp_path / "model.zip").write_bytes(b"")
    (tmp_path / "model.json").write_text(record)
    result = CliRunner().invoke(app, ["evaluate", str(tmp_path / "model.zip")])
    assert (result.exit_code, "model.json" in result.output) == (3, True)


def spiteful(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A certificate, in a folder with a module that leaves a mark wherever it is imported."""
    mark = folder / "mark"
    (folder / "spiteful.py").write_text(
        f"open({str(mark)!r}, 'w').close()\n\n\ndef policy():\n    return lambda obs: obs\n"
    )
    monkeypatch.chdir(folder)
    return folder / "certificate.json", mark


@pytest.mark.parametrize(
    ("source", "env"),
    [
        ("spiteful:policy()", "SaferGym/BallCircle-v0"),
        ("spiteful:policy", "SaferGym/BallCircle-v0"),
        ("ball-circle/safer-attacked", "spiteful:Env-v0"),
        ("./ball-circle/safer-attacked", "SaferGym/BallCircle-v0"),
        ("spiteful.py", "SaferGym/BallCircle-v0"),
        ("../ball-circle/safer-attacked.zip", "SaferGym/BallCircle-v0"),
        (None, "SaferGym/BallCircle-v0"),
        ("ball-circle/safer-attacked", "CartPole-v1"),
    ],
)
@pytest.mark.parametrize("trust", [(), ("--trust",)])
def test_replay_follows_no_name_in_a_certificate(
    source: str | None,
    env: str,
    trust: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not even with --trust, which is about the file that the user names."""
    path, mark = spiteful(tmp_path, monkeypatch)
    data = {**sample(), "policy": {**sample()["policy"], "source": source}}
    data["environment"]["id"] = env
    Certificate.from_json(data).sealed().save(path)
    for command in ("replay", "verify", "report"):
        options = trust if command == "replay" else ()
        result = CliRunner().invoke(app, [command, str(path), *options])
        assert not mark.exists()
        if command == "replay":
            assert (result.exit_code, "pass it as --" in result.output) == (3, True)


def test_another_policy_than_the_certificate_s_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The names are those of a packaged policy and task; the digest is not."""
    path, _ = spiteful(tmp_path, monkeypatch)
    Certificate.from_json(sample(0.05)).sealed().save(path)
    monkeypatch.setattr(
        "safer_gym.conformance.certify.run.Certification.prepare",
        lambda *_: pytest.fail("it ran"),
    )
    result = CliRunner().invoke(app, ["replay", str(path)])
    assert (result.exit_code, "not the certificate's policy" in result.output) == (3, True)
