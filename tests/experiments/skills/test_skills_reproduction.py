"""The reproduction of skill priors: methods, tables, claims and page, from made-up records."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from typer.testing import CliRunner

from experiments.__main__ import app
from experiments.harness.cells import Cell
from experiments.harness.records import Record, read_records
from experiments.harness.resampling import draws
from experiments.skills.calibration import truncated, uniform
from experiments.skills.claims import PRIOR_CLAIMS, RUN_CLAIMS, claims
from experiments.skills.measuring import PROTOCOL, latent_bound
from experiments.skills.methods import ABLATIONS, METHODS, PRIORS, bound_of, find_method
from experiments.skills.numbers import mean_of, numbers, published
from experiments.skills.page import write_page
from experiments.skills.priors import read_priors
from experiments.skills.reproduce import TASKS
from safer_gym.agents.registry import find_recipe

TASK = TASKS[0]
# Success of two episodes in two, one in two or none, and violations, as the paper orders them.
AS_CLAIMED = {
    "SAC": (0, 200), "PARROT": (1, 300), "Context-PARROT": (1, 280), "Prior-Explore": (0, 250),
    "SkillSAFER": (2, 40), "SkillSAFER(onset)": (2, 30), "SkillSAFER(no c)": (1, 90),
    "SkillSAFER(recovery)": (2, 30), "SkillSAFER(kl=0.3)": (2, 30),
    "PARROT(unsafe data)": (1, 400), "SkillSAFER(eta=0.25)": (1, 10), "SkillSAFER(eta=1)": (2, 40),
    "SkillSAFER(eta=2)": (2, 200),
}  # fmt: skip


def write_run(folder: Path, method: str, successes: int, violations: float, seed: int = 0) -> None:
    returns = [-8.0] * successes + [-40.0] * (2 - successes)
    lengths = [10] * successes + [40] * (2 - successes)
    data = {
        "task": TASK, "algorithm": "sac", "method": method, "seed": seed, "timesteps": 20_000,
        "evaluation": {"natural": {"returns": returns, "lengths": lengths, "costs": [1.0, 0.0]}},
    }  # fmt: skip
    stem = folder / f"{TASK}-{method.lower().replace('(', '-').replace('=', '-')}-{seed}"
    stem.with_suffix(".json").write_text(json.dumps(data))
    with stem.with_suffix(".csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("timesteps", "total_cost", "ep_rew_mean", "seconds"))
        writer.writerows([(10_000, 0.7 * violations, -20, 50), (20_000, violations, -10, 100)])


def write_prior(folder: Path, kind: str, auc: float, likely: float, unsafe: float) -> None:
    rolled = {"0.15": {"eta": 1.0, "unsafe": [unsafe, 0.0], "success": 0.5}, "0.0": None}
    data = {
        "prior": kind, "seed": 0, "auc": auc, "auc_onset": auc, "eta": 1.0, "cpu_seconds": 60.0,
        "eta_exact": {"0.0": 0.2, "0.15": 1.2}, "bound": 0.4,
        "unsafe_among_likely": {"0.1": likely, "0.5": likely, "1.0": 0.2},
        "calibration": {"truncated": rolled, "uniform": rolled},
        "log_p_safe": 3.5, "log_p_unsafe": -9.0, "kl": 1.0,
        "silenced": {"auc": auc, "log_p_safe": 3.0, "log_p_unsafe": -9.0},
        "typicality": {"safe": 0.5, "unsafe": 0.02 if auc >= 0.9 else 0.5},
    }  # fmt: skip
    (folder / f"prior-{kind.lower()}-0.json").write_text(json.dumps(data))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for method, (successes, violations) in AS_CLAIMED.items():
        write_run(tmp_path, method, successes, violations)
    for kind in PRIORS:
        safer = kind.startswith("SkillSAFER")
        numbers = (0.95, 0.01, 0.1) if safer else (0.5, 0.2, 0.3)
        write_prior(tmp_path, kind, *numbers)
    return tmp_path


def verdicts(folder: Path) -> dict[str, str]:
    found = claims(read_priors(folder), read_records(folder), (TASK,))
    return {claim.text: claim.ours.verdict for claim in found}


def test_every_claim_holds_of_records_as_the_paper_has_them(folder: Path) -> None:
    assert verdicts(folder) == dict.fromkeys([*PRIOR_CLAIMS, *RUN_CLAIMS], "holds")


def test_without_records_nothing_was_tried(tmp_path: Path) -> None:
    assert set(verdicts(tmp_path).values()) == {"not run"}


SPOILED: dict[str, tuple[int, float]] = {
    "SkillSAFER": (0, 900), "SkillSAFER(onset)": (0, 900), "PARROT(unsafe data)": (1, 100),
    "SkillSAFER(recovery)": (0, 900), "SkillSAFER(kl=0.3)": (2, 900),
    "SkillSAFER(no c)": (2, 10), "SkillSAFER(eta=2)": (2, 5),
}  # fmt: skip


@pytest.mark.parametrize("method", SPOILED)
def test_each_claim_on_runs_can_fail(folder: Path, method: str) -> None:
    write_run(folder, method, *SPOILED[method])
    failed = {text for text, verdict in verdicts(folder).items() if verdict == "does not hold"}
    expected = {
        "SkillSAFER": {t for t in RUN_CLAIMS if t.startswith(("Table 1", "Figure 8"))},
        "SkillSAFER(onset)": {t for t in RUN_CLAIMS if t.startswith("SkillSAFER(onset)")},
        "SkillSAFER(recovery)": {t for t in RUN_CLAIMS if t.startswith("SkillSAFER(recovery)")},
        "PARROT(unsafe data)": {t for t in RUN_CLAIMS if t.startswith("Figure 9")},
        "SkillSAFER(kl=0.3)": {t for t in RUN_CLAIMS if t.startswith("SkillSAFER(kl=0.3)")},
        "SkillSAFER(no c)": {
            t for t in RUN_CLAIMS if "there are more violations" in t or "(kl=0.3)" in t
        },
        "SkillSAFER(eta=2)": {t for t in RUN_CLAIMS if t.startswith("Figure 5")},
    }[method]
    assert failed == expected


def test_a_narrow_comparison_of_runs_is_undecided(folder: Path) -> None:
    for seed in (1, 2):
        write_run(folder, "PARROT", 1, 300, seed)
        write_run(folder, "SkillSAFER", 2, 40, seed)
    write_run(folder, "SkillSAFER", 2, 700, 2)  # one seed of three against the others
    runs = read_records(folder)
    found = claims(read_priors(folder), runs, (TASK,), draws(runs))
    verdict = {claim.text: claim.ours for claim in found}
    fewer = verdict["Table 1: SkillSAFER has fewer violations than PARROT"]
    assert fewer.verdict == "undecided"
    assert "of the draws" in fewer.numbers
    assert verdict["SkillSAFER(onset) has fewer violations than PARROT; ours"].verdict == "holds"


@pytest.mark.parametrize(
    ("kind", "numbers", "count"),
    [("SkillSAFER", (0.89, 0.3, 0.4), 5), ("PARROT", (0.7, 0.2, 0.2), 1),
     ("PARROT", (0.95, 0.2, 0.2), 2), ("SkillSAFER-onset", (0.9, 0.0, 0.4), 1)],
)  # fmt: skip
def test_each_claim_on_priors_can_fail(
    folder: Path, kind: str, numbers: tuple[float, float, float], count: int
) -> None:
    write_prior(folder, kind, *numbers)
    assert list(verdicts(folder).values()).count("does not hold") == count


def test_a_safety_variable_that_says_nothing_refutes_its_claim(folder: Path) -> None:
    path = folder / "prior-skillsafer-kl-0.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "log_p_safe": 2.9}))
    failed = {text for text, verdict in verdicts(folder).items() if verdict == "does not hold"}
    assert failed == {text for text in PRIOR_CLAIMS if text.startswith("With three tenths")}


def test_numbers_are_counted_from_episodes_and_curve(folder: Path) -> None:
    write_run(folder, "PARROT", 2, 100, seed=1)
    found = mean_of(numbers(read_records(folder), TASK, "PARROT"))
    assert found.success == 0.75
    assert found.violations == 200
    assert found.rate == 10
    assert found.deployed == pytest.approx((1000 / 50 + 1000 / 20) / 2)
    with pytest.raises(KeyError, match="no run of SAC-Lag"):
        numbers([], TASK, "SAC-Lag")


def test_the_papers_numbers_are_read() -> None:
    found = published()
    assert set(found) == set(METHODS)
    assert found["SkillSAFER"].success == pytest.approx(0.6058, abs=1e-3)
    assert found["PARROT"].rate == pytest.approx(35.13, abs=0.01)


def test_methods_by_name() -> None:
    assert find_method("SkillSAFER(eta=0.5)").eta == bound_of("SkillSAFER(eta=0.5)") == 0.5
    labelled = find_method("SkillSAFER(recovery eta=0.5)")
    assert labelled == find_method("SkillSAFER(recovery)")._replace(eta=0.5)
    assert bound_of("SkillSAFER(recovery eta=0.5)") is None  # no point of Figure 5's sweep
    assert all(method.prior in PRIORS for method in (METHODS | ABLATIONS).values())
    for task in TASKS:
        assert all(m.training.obstacle(task) == "" for m in METHODS.values())
        assert find_recipe(task, "sac") == find_recipe(task, "prior-explore")
    with pytest.raises(ValueError, match="Did you mean 'SkillSAFER'"):
        find_method("SkillSAFR")


def test_the_bound_of_skillsafer_is_that_of_its_own_prior(folder: Path) -> None:
    def bound(method: str) -> float:
        found = find_method(method).training
        return latent_bound(Cell(TASK, method, found, 0, 0, 1, "none", folder, folder, PROTOCOL))

    assert bound("SkillSAFER") == bound("SkillSAFER(recovery)") == 0.4
    assert bound("SkillSAFER(eta=0.5)") == 0.5
    assert bound("PARROT") == bound("Context-PARROT") == 1.0


@pytest.mark.parametrize("draw", [truncated, uniform])
def test_drawn_latent_actions_lie_within_the_bound(draw: Any) -> None:
    rng = np.random.default_rng(0)
    z = np.array([draw(rng, 0.7) for _ in range(300)])
    assert np.abs(z).max() <= 0.7
    assert z.std() > 0.3


def test_the_page_shows_all_of_it(folder: Path, tmp_path: Path) -> None:
    records: list[Record] = read_records(folder)
    page = write_page(tmp_path / "out", read_priors(folder), records, (TASK,), {})
    html, text = page.read_text(), (tmp_path / "out" / "README.md").read_text()
    for word in ("SkillSAFER(eta=0.25)", "Figure 9", "Context-PARROT", "holds"):
        assert word in html
        assert word in text
    assert (tmp_path / "out" / "priors.svg").exists()
    assert (tmp_path / "out" / f"training-{TASK}.svg").exists()
    drawn = (tmp_path / "out" / f"ablations-{TASK}.svg").read_text()
    assert [drawn.count(f"Figure {n}") for n in (5, 8, 9)] == [2, 2, 2]


def test_the_command_writes_without_running(folder: Path, tmp_path: Path) -> None:
    asked = ["reproduce", "--paper", "skills", "--no-run", "--records", str(folder), "--json"]
    found = CliRunner().invoke(app, [*asked, "--out", str(tmp_path / "out"), "--task", TASK])
    assert found.exit_code == 0, found.output
    told = {c["text"]: c["ours"]["verdict"] for c in json.loads(found.stdout)["claims"]}
    assert {told[text] for text in PRIOR_CLAIMS} == {"holds"}
    # Two episodes decide nothing about success.
    assert {told[text] for text in RUN_CLAIMS} == {"holds", "undecided"}
    refused = CliRunner().invoke(app, [*asked, "--figure", "2", "--out", str(tmp_path / "out")])
    assert refused.exit_code != 0


def test_a_run_trains_through_its_prior(tmp_path: Path) -> None:
    pytest.importorskip("pybullet")
    from experiments.skills.worlds import explored, latent
    from safer_gym.agents.skills import PriorExplore, PriorShape, SkillPrior

    path = tmp_path / "prior.pt"
    SkillPrior(PriorShape((14,), 5, window=3, safety_size=2, layers=1, hidden=4)).save(path)
    env = latent(TASK, str(path), 0.5)
    assert env.action_space == gym.spaces.Box(-0.5, 0.5, (5,), np.float32)
    env.reset(seed=0)
    assert env.step(env.action_space.sample())[4]["cost"] in (0.0, 1.0)
    env.close()
    beside = explored(TASK, str(path))
    model = PriorExplore("MlpPolicy", beside, learning_starts=2, buffer_size=10, device="cpu")
    model.learn(3)
    assert model.prior is not None
    beside.close()
