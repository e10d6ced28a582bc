"""Requirements: sentences, TOML files, and refusals that name the key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safer_gym.conformance.certificate.requirement import EXAMPLE, MODES, SCOPES, Requirement
from safer_gym.conformance.certificate.requirement_files import as_requirements, read_requirements
from safer_gym.types import CHANNELS


def test_the_example_sentence_is_read() -> None:
    assert Requirement.parse(EXAMPLE) == Requirement(
        limit=5, rate=0.05, eps=0.05, scope="attacks", confidence=0.95, mode="deterministic"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("P(cost > 5) <= 5 % at eps = 1e-3", Requirement(limit=5, rate=0.05, eps=0.001)),
        ("p(cost>0)<=.1 at eps=0", Requirement(limit=0, rate=0.1, eps=0.0)),
        (
            "mean cost <= 2 at eps = 0.002 for every adversary",
            Requirement(mean=2.0, eps=0.002, scope="every", mode="stochastic"),
        ),
        (
            "E[cost] <= 2 at eps = 0.1 with 99 % confidence, under attacks of the "
            "stochastic policy",
            Requirement(mean=2.0, eps=0.1, confidence=0.99, mode="stochastic"),
        ),
        (
            "P(cost > 5) <= 0.05 for every adversary, at eps = 0.002",
            Requirement(limit=5, eps=0.002, scope="every"),
        ),
        (
            "P(cost > 5) <= 0.05 at eps = 0.05 with 95 % confidence under the attack battery",
            Requirement(limit=5, eps=0.05),
        ),
    ],
)
def test_sentences_are_read(text: str, expected: Requirement) -> None:
    assert Requirement.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "P(cost > 5) <= 0.05",
        "P(cost > 5) <= 0.05 at eps = 0.1 at eps = 0.2",
        "P(cost > 5) <= 0.05 at eps = 0.1 under attacks for every adversary",
        "P(cost > 5) <= 0.05 at eps = 0.1 maybe",
        "at eps = 0.1 P(cost > 5) <= 0.05",
        "P(cost > 5) <= 0.05 at eps = 0.0.1",
    ],
)
def test_other_sentences_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        Requirement.parse(text)


numbers = st.floats(0.0, 1e6).map(lambda x: float(f"{x:.6g}"))


@given(
    st.booleans(),
    numbers,
    st.integers(0, 1000),
    numbers,
    st.sampled_from(SCOPES),
    st.integers(1, 9999),
    st.sampled_from(MODES),
)
def test_a_requirement_survives_its_own_sentence(
    mean: bool, limit: float, permille: int, eps: float, scope: str, confidence: int, mode: str
) -> None:
    made = Requirement(
        limit=None if mean else limit,
        rate=None if mean else permille / 1000,
        mean=limit if mean else None,
        eps=eps,
        scope=scope,  # type: ignore[arg-type]
        confidence=confidence / 10000,
        mode=mode,  # type: ignore[arg-type]
    )
    assert Requirement.parse(str(made)) == made


def test_a_file_holds_several(tmp_path: Path) -> None:
    path = tmp_path / "requirements.toml"
    path.write_text(
        f'[[requirement]]\ntext = "{EXAMPLE}"\n'
        '[[requirement]]\nlimit = 5\nrate = 0.1\neps = 0.002\nscope = "every"\n'
    )
    first, second = read_requirements(path)
    assert first == Requirement.parse(EXAMPLE)
    assert second == Requirement(limit=5, rate=0.1, eps=0.002, scope="every")
    assert as_requirements(str(path)) == (first, second)
    assert as_requirements([EXAMPLE, second]) == (first, second)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[requirement]]\nlimt = 5\n", "requirement 1: unknown key 'limt'.*'limit'"),
        (
            "[[requirement]]\nlimit = 5\neps = -1\n",
            "requirement 1: eps must be a finite",
        ),
        ("[[requirement]]\nlimit = true\n", "limit must be a finite number >= 0"),
        ("[[requirement]]\ntext = 'P(cost > 5)'\n", "cannot be read"),
        ("[[requirement]]\ntext = 'x'\nlimit = 5\n", "text stands alone"),
        ("limit = 5\n", "unknown key 'limit'"),
        ("", "holds no requirement"),
        ("[[", "not a TOML file"),
    ],
)
def test_a_bad_file_is_refused_by_key(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=words):
        read_requirements(path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "needs a limit"),
        ({"limit": 5, "rate": 0.1, "mean": 2}, "rate or mean"),
        ({"rate": 0.1}, "limit"),
        ({"limit": 5, "rate": 1.5}, "rate must be a number in"),
        ({"limit": float("nan")}, "limit must be a finite number >= 0"),
        ({"limit": 5, "confidence": 1.0}, "confidence"),
        ({"limit": 5, "scope": "all"}, "scope must be one of"),
        ({"limit": 5, "mode": "mean"}, "mode must be one of"),
    ],
)
def test_bad_arguments_are_refused_by_name(arguments: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Requirement(**arguments)


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_requirement_says_its_channel(channel: Any, tmp_path: Path) -> None:
    word = "" if channel == "observation" else f"{channel} "
    found = Requirement.parse(f"P(cost > 5) <= 0.1 at {word}eps = 0.1 under attacks")
    assert found.channel == channel
    assert Requirement.parse(str(found)) == found
    assert (f"at {channel} eps" in str(found)) == (channel != "observation")
    assert Requirement.parse(f"mean cost <= 2 at {channel} eps = 0.1").channel == channel
    file = tmp_path / "requirements.toml"
    file.write_text(
        f'[[requirement]]\nlimit = 5\nrate = 0.1\neps = 0.1\nchannel = "{channel}"\n'
        f'[[requirement]]\ntext = "{found}"\n'
    )
    assert [r.channel for r in as_requirements(file)] == [channel, channel]


def test_an_unknown_channel_is_refused() -> None:
    with pytest.raises(ValueError, match="Did you mean 'action'"):
        Requirement(limit=5, eps=0.1, channel="actions")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="read"):
        Requirement.parse("P(cost > 5) <= 0.1 at reward eps = 0.1")
