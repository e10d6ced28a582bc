"""The model card: valid for the Hub, equal to the certificate, and hard to deceive."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sample_certificates import sample
from typer.testing import CliRunner

from safer_gym.conformance.cli.main import app
from safer_gym.conformance.report.certificate.annex import CLAUSES, annex_tables
from safer_gym.conformance.report.certificate.card import render_card

ModelCard = pytest.importorskip("huggingface_hub").ModelCard

PACKAGED = Path("benchmarks/results/certificates")


def packaged(name: str) -> Any:
    return json.loads((PACKAGED / f"ball-circle-{name}.json").read_text())


def card(data: Any, **options: Any) -> Any:
    return ModelCard(render_card(data, **options))


@pytest.mark.parametrize("data", [sample(), sample(0.05, requirements=False), packaged("cvpo")])
def test_the_hub_reads_it(data: Any) -> None:
    made = card(data, name="a policy", licence="mit", library="stable-baselines3")
    assert made.data.model_name == "a policy"
    assert (made.data.license, made.data.library_name) == ("mit", "stable-baselines3")
    results = {(r.metric_type, r.metric_name): r.metric_value for r in made.data.eval_results}
    row = data["rows"][0]
    lower = row["rate"]["lower"]["value"]
    assert lower in [v for (kind, _), v in results.items() if kind == "violation_rate_at_least"]
    assert {r.dataset_name for r in made.data.eval_results} == {data["environment"]["id"]}


def test_holds_table_hash_intervals_threat_model_and_limits() -> None:
    data = packaged("safer-attacked")
    text = render_card(data)
    assert data["content_hash"] in text
    assert data["policy"]["digest"] in text
    assert "31.8 %" in text  # the bound over every adversary at eps 0.001
    for title in ("## Certificate", "## Threat model", "## Limits", "## What the certificate says"):
        assert title in text
    assert "Annex" not in text
    assert "## Annex for assessors" in render_card(data, annex=True)


def test_a_hostile_name_stays_text() -> None:
    """Neither YAML, nor Markdown, nor HTML."""
    name = '---\nlicense: evil\n"}] <script>alert(1)</script> |'
    data = sample()
    data["policy"]["source"] = data["environment"]["id"] = name
    made = card(data)
    assert made.data.license is None
    assert "<script>" not in made.text
    assert card(data, name=name).data.license is None


@given(st.text(min_size=1))
@example("robot \U0001f916")
@example("a\x7fb\u2028c\ufeffd\\ud83e")
def test_any_name_is_read_as_it_was_written(name: str) -> None:
    data = sample()
    data["environment"]["id"] = name
    made = card(data, name=name)
    words = " ".join(name.split())
    assert made.data.model_name == (words or data["policy"]["source"])
    assert {r.dataset_name for r in made.data.eval_results} == {name}
    assert all(made.data.tags)
    assert ModelCard(str(made).encode().decode()).data.model_name == made.data.model_name


def test_no_bound_of_a_void_certificate_reaches_the_annex() -> None:
    data = sample(0.05)
    said = [str(table) for _, table in annex_tables(data)]
    assert any("at most" in text and "cost limit" in text for text in said)
    data["flags"] = [{"name": "broken", "level": "error", "message": "no"}]
    assert "exceed the cost limit" not in "".join(str(table) for _, table in annex_tables(data))


def test_every_clause_says_what_is_not_shown() -> None:
    titles = " ".join(CLAUSES)
    for word in ("2024/1689, Article 15", "chapter C11", "NIST AI 100-2", "10218", "25785"):
        assert word in titles
    for _, (head, rows) in annex_tables(sample()):
        assert all(all(cell for cell in row) and len(row) == len(head) for row in rows)


def test_the_annex_names_only_attacks_that_were_run() -> None:
    data = packaged("safer-attacked")
    measured = {a["attack"] for row in data["rows"] for a in row["attacks"]}
    assert "random_search" not in measured
    text = " ".join(str(table) for _, table in annex_tables(data))
    assert "Attacks that were run: mc." in text


def test_the_command(tmp_path: Path) -> None:
    path = PACKAGED / "ball-circle-cvpo.json"
    out = tmp_path / "README.md"
    done = CliRunner().invoke(app, ["card", str(path), "--out", str(out), "--license", "mit"])
    assert done.exit_code == 0, done.output
    assert ModelCard.load(out).data.license == "mit"
    printed = CliRunner().invoke(app, ["card", str(path), "--license", "mit"])
    assert printed.stdout == out.read_text()
    (tmp_path / "other.json").write_text('{"schema": "other"}')
    assert CliRunner().invoke(app, ["card", str(tmp_path / "other.json")]).exit_code == 3
