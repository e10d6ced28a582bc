"""The DRAC paper's reproduction: methods, sets, tables, claims and page, from made-up records."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from typer.testing import CliRunner

from experiments.__main__ import app
from experiments.drac.claims import CLAIMS, COMPARISONS, claims
from experiments.drac.learned_set import exact_set, from_bits, learned_set, slice_of
from experiments.drac.measuring import BANG_BANG, OWN, RESPONSES, kept
from experiments.drac.methods import METHODS, ROWS, SHIELDED, find_method
from experiments.drac.numbers import COLUMNS, mean_of, numbers
from experiments.drac.oracle import GridSet
from experiments.drac.package import package
from experiments.drac.page import write_page
from experiments.drac.reproduce import TASKS
from experiments.drac.tables import sets_table, violations_table
from experiments.harness.records import Record, read_records
from experiments.harness.resampling import draws
from safer_gym.agents import DRAC
from safer_gym.agents.registry import find_recipe
from safer_gym.conformance.cli.models import find_model, load_model
from safer_gym.conformance.evaluate.outcomes import Outcomes, Trace
from safer_gym.wrappers.policies.view import view_of
from safer_gym.wrappers.tasks import find_task

EVERY = ("natural", *OWN, *RESPONSES, *BANG_BANG)
WORLD = "double-integrator"
runner = CliRunner()


def part(reward: float, worst: float) -> dict[str, Any]:
    """Two episodes of ten steps, one as deep as `worst` and, if that is a violation, two such
    steps long."""
    paths = [[[0.0, 0.0], [1.0, 0.5]]]
    return {
        "returns": [reward, reward],
        "costs": [2.0 * (worst < 0), 0.0],
        "lengths": [10, 10],
        "worst_h": [worst, 0.3],
        "paths": paths,
    }


def record(
    folder: Path, method: str, reward: float, worst: float, seed: int = 0, **more: Any
) -> None:
    evaluation = {name: part(reward, worst if name != "natural" else 0.2) for name in EVERY}
    data = {
        "task": WORLD,
        "algorithm": "x",
        "method": method,
        "seed": seed,
        "evaluation": evaluation,
        **more,
    }
    name = f"{WORLD}-{method.lower().replace('=', '-')}-{seed}.json"
    (folder / name).write_text(json.dumps(data))


def agreed(iou: float, falsely: float) -> dict[str, Any]:
    plane = exact_set(WORLD)
    assert plane is not None
    bits = base64.b64encode(np.packbits(plane.inside).tobytes()).decode()
    return {"iou": iou, "falsely_safe": falsely, "missed": 0.01, "slice": bits}


@pytest.fixture
def records(tmp_path: Path) -> list[Record]:
    """As the paper has it: DRAC is safe and earns most, the others violate."""
    safe = {name: part(8.0, 0.05) for name in EVERY}
    for seed in (0, 1):
        own = {"set": agreed(0.96, 0.0), "evaluation_shield": safe}
        record(tmp_path, "DRAC", 9.0, 0.02, seed, **own)
    record(tmp_path, "RAC", 7.0, -0.2, set=agreed(0.74, 0.35))
    for method in ("RSAC", "SAC-Lag", "SAC"):
        record(tmp_path, method, 6.0, -0.4)
    for discount in ("0.95", "0.99"):
        record(tmp_path, f"DRAC(g_h={discount})", 6.0, -0.1, set=agreed(0.6, 0.3))
    return read_records(tmp_path)


def verdicts(found: list[Record]) -> dict[str, str]:
    return {claim.text: claim.ours.verdict for claim in claims(found, (WORLD,))}


def test_every_claim_holds_of_records_as_the_paper_has_them(records: list[Record]) -> None:
    assert verdicts(records) == dict.fromkeys([*CLAIMS, *COMPARISONS], "holds")


SPOILED = {
    "DRAC keeps safe under both": ("DRAC", "safety", -0.01),
    "DRAC keeps safe under best": ("DRAC", "performance response", -0.01),
    "DRAC with shield": ("shield", "bang_bang_held", -0.01),
    "RAC violates": ("RAC", None, 0.1),
}


@pytest.mark.parametrize(("start", "spoiled"), SPOILED.items())
def test_each_claim_can_fail(records: list[Record], start: str, spoiled: Any) -> None:
    method, attack, worst = spoiled
    key = "evaluation_shield" if method == "shield" else "evaluation"
    for found in records:
        if found.method == ("DRAC" if method == "shield" else method):
            for name in [attack] if attack else EVERY:
                found.data[key][name] = part(found.data[key][name]["returns"][0], worst)
    failed = [text for text, verdict in verdicts(records).items() if verdict == "does not hold"]
    assert [text for text in failed if text.startswith(start)]
    assert len(failed) == 1


def test_claims_on_sets_and_return_can_fail(records: list[Record]) -> None:
    for found in records:
        if found.method == "DRAC":
            found.data["set"] = agreed(0.94, 0.34)
        if found.method == "SAC":
            found.data["evaluation"]["safety"]["returns"] = [9.5, 9.5]
            found.data["evaluation"]["performance"]["returns"] = [9.5, 9.5]
    failed = {text for text, verdict in verdicts(records).items() if verdict == "does not hold"}
    assert {text.split(" ")[0] for text in failed} == {"DRAC", "The", "RAC,", "g_h"}


def test_a_narrow_comparison_of_returns_is_undecided(records: list[Record]) -> None:
    for found in records:
        if found.method == "SAC":
            for name in ("safety", "performance"):
                found.data["evaluation"][name]["returns"] = [3.0, 14.0]
    told = {c.text.split(" than")[0]: c.ours for c in claims(records, (WORLD,), draws(records))}
    assert told["DRAC earns more"].verdict == "undecided"
    assert told["DRAC keeps safe under both of its adversaries (no violation, every seed)"] == (
        claims(records, (WORLD,))[0].ours
    )


def test_claims_without_runs_are_not_run() -> None:
    assert set(verdicts([]).values()) == {"not run"}


def test_of_several_attacks_the_worst_of_each_number_counts(records: list[Record]) -> None:
    found = next(r for r in records if r.method == "SAC")
    found.data["evaluation"]["safety response"] = part(1.0, -0.1)
    found.data["evaluation"]["performance response"] = part(-3.0, 0.4)
    (worst,) = numbers(records, WORLD, "SAC", "best response")
    assert worst == (-3.0, 0.5, 0.1, -0.1)
    del found.data["evaluation"]["performance response"]
    with pytest.raises(KeyError, match="no numbers of SAC under best response"):
        numbers(records, WORLD, "SAC", "best response")
    assert mean_of(numbers(records, WORLD, "DRAC", "safety")).depth == 0.02


def test_tables_and_page_show_shares_beside_depth(records: list[Record], tmp_path: Path) -> None:
    table = violations_table(records, WORLD)
    assert [row[0] for row in table.rows][: len(ROWS)] == list(ROWS)
    assert table.head == ("method", "seeds", *COLUMNS)
    by_row = {row[0]: row for row in table.rows}
    assert by_row["RAC"][3] == "7.0; 50 % / 10 %; -0.200"
    assert by_row[SHIELDED][1] == "0, 1"
    sets = sets_table(records, WORLD)
    assert sets is not None
    assert ("RAC", "0", "0.740", "35 %", "1 %") in sets.rows
    page = write_page(tmp_path, records, (WORLD,), {(WORLD, "RSAC"): "it failed"})
    html, text = page.read_text(), (tmp_path / "README.md").read_text()
    for shown in ("7.0; 50 % / 10 %; -0.200", "RSAC on DoubleIntegrator: it failed."):
        assert shown in text
        assert shown.replace(" %", "\u00a0%") in html
    picture = (tmp_path / f"sets-{WORLD}.svg").read_text()
    assert "prefers-color-scheme:dark" in picture
    assert "--alarm" in picture
    assert "DRAC with shield, seed 0" in picture


class Known:
    """A model whose V_h is 1 in the exact set, up to `push` metres per second, and -1 outside."""

    def __init__(self, push: float, margin: float = 0.0) -> None:
        self.push = push
        self.shield_margin = margin

    def q_safety(self, states: np.ndarray) -> np.ndarray:
        from safer_gym.wrappers.worlds.double_integrator import in_robust_set

        slower = np.sign(states[:, 1]) * np.maximum(np.abs(states[:, 1]) - self.push, 0)
        return np.where(in_robust_set(np.stack([states[:, 0], slower], 1)), 1.0, -1.0)


def test_a_policy_read_from_a_file_has_a_set(tmp_path: Path) -> None:
    model = DRAC("MlpPolicy", gym.make("SaferGym/DoubleIntegrator-v0"), device="cpu")
    model.save(tmp_path / "drac.zip")
    read = load_model(find_model(str(tmp_path / "drac.zip"), "drac", find_task(WORLD)))
    found = learned_set(view_of(read).inner, WORLD)
    assert found is not None
    assert 0 <= found["iou"] <= 1


def test_a_learned_set_is_held_against_the_exact_one() -> None:
    exact = learned_set(Known(0.0), WORLD)
    assert exact is not None
    assert (exact["iou"], exact["falsely_safe"], exact["missed"]) == (1.0, 0.0, 0.0)
    wider = learned_set(Known(0.3), WORLD)
    assert wider is not None
    assert wider["falsely_safe"] > 0.1
    assert wider["missed"] == 0.0
    trusted = learned_set(Known(0.0, margin=2.0), WORLD)
    assert trusted is not None
    assert trusted["missed"] == 1.0
    plane = exact_set(WORLD)
    assert plane is not None
    np.testing.assert_array_equal(from_bits(exact["slice"], plane).inside, plane.inside)
    assert learned_set(object(), WORLD) is None
    assert learned_set(Known(0.0), "racing-car") is None


def test_a_slice_goes_through_zero() -> None:
    inside = np.zeros((3, 5, 7), bool)
    inside[:, 2, 4] = True
    plane = slice_of(GridSet(np.array([1.0, 2.0, 3.0]), inside), (0, 2))
    assert plane.half.tolist() == [1.0, 3.0]
    assert plane.inside[:, 4].all()
    assert plane.inside.sum() == 3


def test_a_record_keeps_short_paths_in_a_plane() -> None:
    trace = Trace(
        np.arange(1000.0).reshape(250, 4), np.zeros((250, 4)), np.zeros((250, 0)), np.zeros(250)
    )
    one = np.ones(1)
    outcome = Outcomes("x", 0.3, "linf", one, one, one.astype(int), 0.0, (trace,), worst_h=one)
    (path,) = kept(outcome, "cart-pole")["paths"]
    assert path[:2] == [[0.0, 2.0], [12.0, 14.0]]
    assert len(path) == 84


def test_methods_are_drac_with_parts_left_out() -> None:
    for name, own in (("RAC", {"adversary": False, "safety_policy": False}), ("RSAC", {})):
        method = find_method(name)
        kwargs = {**find_recipe(WORLD, method.algorithm)["kwargs"], **method.options}
        assert own.items() <= kwargs.items()
    assert find_method("DRAC(g_h=0.95)").options["safety_discount"] == 0.95
    assert [m.algorithm for m in METHODS.values()][-2:] == ["sac-lagrangian", "sac"]
    with pytest.raises(ValueError, match="Did you mean 'RSAC'"):
        find_method("RSCA")
    assert TASKS[0] == WORLD


def test_the_command_takes_the_paper(tmp_path: Path) -> None:
    options = ["reproduce", "--paper", "drac", "--out", str(tmp_path), "--no-run", "--json"]
    done = runner.invoke(app, options)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "index.html").exists()
    refused = runner.invoke(app, [*options, "--table", "5"])
    assert refused.exit_code != 0
    assert "belongs to --paper safer" in refused.output


def test_a_run_is_packaged_with_its_switch_off_and_on(tmp_path: Path) -> None:
    run, zoo = tmp_path / "run", tmp_path / "zoo"
    run.mkdir()
    DRAC("MlpPolicy", gym.make("SaferGym/DoubleIntegrator-v0"), device="cpu").save(
        run / "model.zip"
    )
    (run / "model.json").write_text(json.dumps({"task": WORLD, "algorithm": "drac"}))
    assert package(run, zoo) == [f"{WORLD}/drac", f"{WORLD}/drac-shield"]
    for name, shield in (("drac", False), ("drac-shield", True)):
        assert DRAC.load(zoo / WORLD / f"{name}.zip").shield is shield
        assert json.loads((zoo / WORLD / f"{name}.json").read_text())["shield"] is shield
