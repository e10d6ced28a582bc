"""Tables, figure and claims from records: the arithmetic, the empty cells, the verdicts."""

from __future__ import annotations

import csv
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from reproduction_records import BALL, met, put

from experiments.harness.records import (
    Record,
    read_records,
    seeds_of,
    select,
)
from experiments.harness.summary import WORST, summarise, summary_of
from experiments.safer.claims import claims
from experiments.safer.figure import cost_to_reach, figure, frontier
from experiments.safer.folder import write_reproduction
from experiments.safer.page import Shown, render_page
from experiments.safer.paper import (
    TABLES,
    paper_numbers,
    published,
    table_methods,
)
from experiments.safer.runs import effort
from experiments.safer.tables import NOT_RUN, blocks_of, over
from safer_gym.wrappers.adapters.bullet_tasks import PAPER_TASKS

RESULTS = Path(__file__).resolve().parents[2] / "experiments" / "results"


def verdict(folder: Path, words: str, task: str = BALL, policy: str = "ours") -> str:
    (found,) = (c for c in claims(read_records(folder), [task]) if words in c.text)
    return getattr(found, policy).verdict


def test_the_papers_tables_are_whole() -> None:
    assert len(table_methods(5, BALL)) == 7
    assert "SAFER(xi_tilde=0.03)" in table_methods(7, BALL)
    assert table_methods(7, "drone-run") == ()
    assert {key[0] for key in paper_numbers()} == set(TABLES)
    assert published(BALL, "SAFER", "mr", "cost") == (1.99, 3.51)
    for task in PAPER_TASKS:
        for method in table_methods(5, task):
            three = [published(task, method, a, "cost") for a in ("natural", "mc", "mr")]
            average = published(task, method, "average", "cost")
            assert average is not None
            means = [number.mean for number in three if number is not None]
            assert np.mean(means) == pytest.approx(average.mean, abs=0.011)


@given(
    st.lists(
        arrays(np.float64, 5, elements=st.floats(-1e3, 1e3, allow_nan=False)),
        min_size=1,
        max_size=4,
    )
)
def test_pooled_and_seed_deviations_add_up(parts: list[np.ndarray]) -> None:
    """Total variance is that within seeds and that between their means."""
    found = summarise(parts)
    assert found is not None
    within = np.mean([part.var() for part in parts])
    n = len(parts)
    between = 0.0 if found.seeds_std is None else found.seeds_std**2 * (n - 1) / n
    assert found.std**2 == pytest.approx(within + between, abs=1e-6)
    assert (found.seeds_std is None) == (n == 1)
    assert found.episodes == 5 * n


def test_the_mean_is_over_episodes_and_not_over_seeds() -> None:
    found = summarise([np.zeros(1), np.ones(3)])
    assert found is not None
    assert (found.mean, found.seeds, found.episodes) == (0.75, 2, 4)


def test_no_seed_is_no_number() -> None:
    assert summarise([]) is None


def test_worst_of_two_takes_reward_and_cost_of_the_same_attack(tmp_path: Path) -> None:
    records = [
        put(tmp_path, "SAFER", 0, mc=(100.0, 3.0), mr=(900.0, 5.0)),
        put(tmp_path, "SAFER", 1, mc=(200.0, 9.0), mr=(800.0, 5.0)),
    ]
    cost, reward = (summary_of(records, WORST, metric) for metric in ("cost", "reward"))
    assert cost is not None
    assert reward is not None
    assert (cost.mean, reward.mean) == (6.0, 150.0)


def test_the_average_is_over_attacks_of_the_same_episode() -> None:
    data = {
        "evaluation": {
            "natural": {"returns": [0, 3], "costs": [0, 0]},
            "mc": {"returns": [3, 0], "costs": [3, 6]},
            "mr": {"returns": [0, 0], "costs": [0, 0]},
        }
    }
    record = Record(Path("x.json"), data)
    assert record.values("average", "reward").tolist() == [1.0, 1.0]  # type: ignore[union-attr]
    assert record.values("average", "cost").tolist() == [1.0, 2.0]  # type: ignore[union-attr]
    del data["evaluation"]["mr"]
    assert record.values("average", "cost") is None


def test_two_records_of_one_run_are_refused(tmp_path: Path) -> None:
    record = put(tmp_path, "SAFER")
    record.path.with_name("other-0.json").write_text(record.path.read_text())
    with pytest.raises(ValueError, match="keep one"):
        read_records(tmp_path)


def test_the_committed_results_are_read() -> None:
    """Records of `safer-gym train`, some older than this table, and nothing else there."""
    records = read_records(RESULTS)
    methods = {(r.task, r.method) for r in records}
    assert {(BALL, "CVPO-vanilla"), (BALL, "SAFER-attacked")} <= methods
    block = next(b for b in blocks_of(records, 5, BALL) if b.method == "CVPO-vanilla")
    natural = block.ours("natural", "reward")
    assert natural is not None
    assert natural.seeds >= 3
    assert (block.paper("natural", "reward") or (0, 0))[0] == 622.47


def test_a_run_that_stands_for_another_fills_its_row(tmp_path: Path) -> None:
    record = put(tmp_path, "SAFER-paper")
    record.data["stands_for"] = ["SAFER(xi_tilde=0.05)"]
    found = select([record], BALL, "SAFER(xi_tilde=0.05)")
    assert [r.method for r in found] == ["SAFER-paper"]


def test_runs_stand_in_the_order_of_their_seeds(tmp_path: Path) -> None:
    records = [put(tmp_path, "SAFER", seed) for seed in (10, 2, 0)]
    for runs in (records, read_records(tmp_path)):
        assert seeds_of(select(runs, BALL, "SAFER")) == "0, 2, 10"


def test_what_has_not_run_stays_empty(tmp_path: Path) -> None:
    put(tmp_path, "SAFER", 0, strongest=(500.0, 7.0))
    states = {(BALL, "ADV-PPOL"): "failed: <boom>"}
    shown = Shown(read_records(tmp_path), (5, 7), (BALL,), states)
    page = render_page(shown)
    assert page.count(f">{NOT_RUN}</td>") == 5 + 5
    assert "failed: &lt;boom&gt;" in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert '<td class="over">7.0 ± 0.0<small class="by">mc iterated</small></td>' in page


def test_everything_is_written_and_the_csv_holds_the_numbers(tmp_path: Path) -> None:
    records = tmp_path / "records"
    records.mkdir()
    put(records, "SAFER", 0, curve=((10.0, 1.0), (100.0, 5.0)), natural=(610.0, 1.0))
    put(records, "SAFER", 1, curve=((20.0, 1.0), (200.0, 4.0)), natural=(630.0, 3.0))
    shown = Shown(read_records(records), (5,), (BALL,), {})
    write_reproduction(tmp_path, shown)
    with (tmp_path / "tables.csv").open(newline="") as file:
        rows = {
            (r["method"], r["policy"], r["attack"], r["metric"]): r for r in csv.DictReader(file)
        }
    row = rows["SAFER", "best", "natural", "reward"]
    assert (float(row["mean"]), float(row["std_episodes"])) == (620.0, 10.0)
    assert float(row["std_seeds"]) == pytest.approx(math.sqrt(200.0), abs=1e-3)
    assert float(row["paper_mean"]) == 610.03
    assert rows["ADV-PPOL", "best", "mc", "cost"]["mean"] == ""
    with (tmp_path / "runs.csv").open(newline="") as file:
        runs = list(csv.DictReader(file))
    assert [float(run["training_cost"]) for run in runs] == [100.0, 200.0]
    text = (tmp_path / "README.md").read_text()
    assert "| SAFER | best, seed 0, 1 | 620.0 ± 10.0 \\(seeds" not in text
    assert "620.0 ± 10.0 (seeds ± 14.1)" in text
    assert "figure2-ball-circle.svg" in text
    assert "curves-ball-circle.svg" in text
    assert (tmp_path / "curves-ball-circle.svg").read_text().count("<svg ") == 1
    assert (tmp_path / "figure2-ball-circle.svg").read_text().startswith("<svg xmlns")


def test_without_matplotlib_only_the_pictures_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "SAFER", 0, curve=((10.0, 1.0), (100.0, 5.0)))
    shown = Shown(read_records(tmp_path), (5,), (BALL,), {})
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    page = write_reproduction(tmp_path, shown).read_text()
    assert page.count("No figure: figures need matplotlib") == 3
    assert (tmp_path / "tables.csv").stat().st_size > 0
    assert "svg" not in (tmp_path / "README.md").read_text()
    assert list(tmp_path.glob("*.svg")) == []


def test_the_figure_is_of_recorded_costs_alone(tmp_path: Path) -> None:
    old = put(tmp_path, "SAFER")
    old.path.with_suffix(".csv").write_text(
        "timesteps,ep_rew_mean,ep_cost_mean,seconds\n100,5,1,2\n"
    )
    assert frontier(old).shape == (0, 2)
    assert figure([old], BALL) == ""
    assert old.total("total_cost") is None
    assert old.total("seconds") == 2.0


def test_the_frontier_never_falls(tmp_path: Path) -> None:
    record = put(tmp_path, "SAFER", curve=((0.0, 3.0), (10.0, 1.0), (20.0, 9.0)))
    assert frontier(record).tolist() == [[0.0, 3.0], [10.0, 3.0], [20.0, 9.0]]
    assert "Highest reward so far" in figure([record], BALL)


def test_cost_for_the_same_reward(tmp_path: Path) -> None:
    one = [put(tmp_path, "SAFER", curve=((5.0, 50.0), (10.0, 95.0), (50.0, 200.0)))]
    other = [put(tmp_path, "ADV-PPOL", curve=((100.0, 50.0), (300.0, 100.0)))]
    assert cost_to_reach(one, other, 0.9) == (90.0, 10.0, 300.0)
    assert cost_to_reach(one, [], 0.9) is None


def test_the_cost_of_a_reward_is_the_median_of_the_seeds(tmp_path: Path) -> None:
    """One seed never gets there, which is no reason to forget it."""
    costs = (10.0, 30.0, 70.0)
    one = [put(tmp_path, "SAFER", i, curve=((cost, 100.0),)) for i, cost in enumerate(costs)]
    low = put(tmp_path, "ADV-PPOL", 0, curve=((1.0, 80.0),))
    high = put(tmp_path, "ADV-PPOL", 1, curve=((50.0, 120.0),))
    assert cost_to_reach(one, [high], 1.0) == (100.0, 30.0, 50.0)
    assert cost_to_reach(one, [low, high], 1.0) == (100.0, 30.0, math.inf)


def test_what_runs_took_is_their_mean(tmp_path: Path) -> None:
    put(tmp_path, "SAFER", 0, curve=((10.0, 1.0), (100.0, 5.0)))
    put(tmp_path, "SAFER", 1, curve=((20.0, 1.0), (200.0, 4.0), (500.0, 4.0)), timesteps=3000)
    (block,) = (b for b in blocks_of(read_records(tmp_path), 5, BALL) if b.method == "SAFER")
    assert effort(block) == ("1,000, 3,000", "300", "2 s")
    page = render_page(Shown(block.records, (5,), (BALL,), {}))
    assert "SAFER: its seeds differ in timesteps, too." in page


@pytest.mark.parametrize(("cost", "expected"), [(5.0, False), (5.1, True)])
def test_red_is_a_cost_above_the_limit(cost: float, expected: bool) -> None:
    number = summarise([np.full(2, cost)])
    assert over(number, "cost") is expected
    assert not over(number, "reward")
    assert not over(None, "cost")


def test_claims_are_tried_by_the_best_policies(tmp_path: Path) -> None:
    record = put(tmp_path, "CVPO-vanilla", mc=(600.0, 20.0), mr=(600.0, 20.0))
    record.data["evaluation_last"] = {name: met(600.0, 0.0) for name in ("natural", "mc", "mr")}
    record.path.write_text(json.dumps(record.data))
    assert verdict(tmp_path, "CVPO is unsafe") == "holds"


@pytest.mark.parametrize(("mr", "expected"), [(30.0, "holds"), (4.9, "does not hold")])
def test_unsafe_means_under_both_attacks(tmp_path: Path, mr: float, expected: str) -> None:
    assert verdict(tmp_path, "CVPO is unsafe") == "not run"
    put(tmp_path, "CVPO-vanilla", mc=(600.0, 20.0), mr=(600.0, mr))
    assert verdict(tmp_path, "CVPO is unsafe") == expected


@pytest.mark.parametrize(
    ("reward", "cost", "expected"),
    [
        (59.0, 0.0, "holds"),
        (61.0, 0.0, "does not hold"),
        (300.0, 5.1, "holds"),
        (300.0, 5.0, "does not hold"),
    ],
)
def test_failing_is_no_reward_or_too_much_cost(
    tmp_path: Path, reward: float, cost: float, expected: str
) -> None:
    put(tmp_path, "CVPO-vanilla")
    put(tmp_path, "ADV-CVPO", natural=(reward, cost))
    assert verdict(tmp_path, "ADV-CVPO fails") == expected


@pytest.mark.parametrize(
    ("reward", "cost", "expected"),
    [
        (481.0, 1.9, "holds"),
        (481.0, 2.1, "does not hold"),
        (479.0, 0.0, "does not hold"),
    ],
)
def test_safer_has_to_keep_the_reward(
    tmp_path: Path, reward: float, cost: float, expected: str
) -> None:
    put(tmp_path, "CVPO-vanilla")
    put(tmp_path, "SAFER", natural=(reward, 0.0), mr=(500.0, cost))
    assert verdict(tmp_path, "SAFER, from benign data alone") == expected


def test_ablations_are_held_against_the_papers_step(tmp_path: Path) -> None:
    put(tmp_path, "SAFER-paper", mc=(600.0, 1.0))
    put(tmp_path, "without-VM", natural=(50.0, 0.0), mc=(50.0, 0.0), mr=(50.0, 0.0))
    put(tmp_path, "without-KL", mc=(600.0, 30.0))
    put(tmp_path, "without-MLE")
    assert verdict(tmp_path, "vanilla M-step") == "holds"
    assert verdict(tmp_path, "KL bound") == "holds"
    assert verdict(tmp_path, "likelihood") == "does not hold"


@pytest.mark.parametrize(("reward", "expected"), [(539.0, "holds"), (541.0, "does not hold")])
def test_an_ablation_hurts_by_a_tenth_of_the_reward(
    tmp_path: Path, reward: float, expected: str
) -> None:
    put(tmp_path, "SAFER-paper")
    put(tmp_path, "without-MLE", **dict.fromkeys(("natural", "mc", "mr"), (reward, 0.0)))
    assert verdict(tmp_path, "likelihood") == expected


@pytest.mark.parametrize(("reward", "expected"), [(299.0, "holds"), (301.0, "does not hold")])
def test_half_of_the_reward_is_not_learned(tmp_path: Path, reward: float, expected: str) -> None:
    put(tmp_path, "SAFER-paper")
    put(tmp_path, "without-VM", **dict.fromkeys(("natural", "mc", "mr"), (reward, 0.0)))
    assert verdict(tmp_path, "fails to learn") == expected


@pytest.mark.parametrize(
    ("reward", "mc", "expected"),
    [
        (541.0, 0.9, "holds"),
        (541.0, 1.1, "does not hold"),  # SA-PPOL costs less
        (539.0, 0.9, "does not hold"),  # ADV-PPOL earns a tenth more
    ],
)
def test_the_best_of_those_that_learn(
    tmp_path: Path, reward: float, mc: float, expected: str
) -> None:
    """ADV-CVPO costs nothing and is out: it earns nothing."""
    words = "SAFER has the lowest cost"
    put(tmp_path, "SAFER", natural=(reward, 0.0), mc=(600.0, mc))
    assert verdict(tmp_path, words) == "not run"
    for method in ("CVPO-vanilla", "ADV-PPOL"):
        put(tmp_path, method, mr=(600.0, 30.0))
    put(tmp_path, "SA-PPOL", mc=(600.0, 1.0))
    put(tmp_path, "ADV-CVPO", natural=(59.0, 0.0))
    assert verdict(tmp_path, words) == expected


@pytest.mark.parametrize(("attacked", "expected"), [(2.9, "holds"), (3.1, "does not hold")])
def test_hardly_any_more_cost_is_two(tmp_path: Path, attacked: float, expected: str) -> None:
    put(tmp_path, "CVPO-vanilla", natural=(600.0, 1.0))
    assert verdict(tmp_path, "minimum-reward") == "not run"
    put(tmp_path, "CVPO-vanilla", natural=(600.0, 1.0), min_reward=(50.0, attacked))
    assert verdict(tmp_path, "minimum-reward") == expected


@pytest.mark.parametrize(("mr", "expected"), [(600.0, "holds"), (599.0, "does not hold")])
def test_a_stealthy_attack_keeps_the_reward(tmp_path: Path, mr: float, expected: str) -> None:
    put(tmp_path, "CVPO-vanilla", mr=(mr, 30.0))
    assert verdict(tmp_path, "stealthy") == expected


@pytest.mark.parametrize(("steps", "expected"), [(999, "holds"), (1001, "does not hold")])
def test_time_counts_by_the_step(tmp_path: Path, steps: int, expected: str) -> None:
    """Both took a second, one for 1000 steps."""
    words = "SAFER takes more time for an environment step than ADV-PPOL"
    put(tmp_path, "ADV-PPOL", curve=((1.0, 1.0),))
    put(tmp_path, "SAFER", timesteps=steps)
    assert verdict(tmp_path, words) == "not run"
    put(tmp_path, "SAFER", timesteps=steps, curve=((1.0, 1.0),))
    assert verdict(tmp_path, words) == expected


@pytest.mark.parametrize(("cost", "expected"), [(2.6, "holds"), (2.4, "does not hold")])
def test_an_ablation_hurts_by_half_a_cost(tmp_path: Path, cost: float, expected: str) -> None:
    """Of the average over three attacks, of which one costs."""
    put(tmp_path, "SAFER-paper", mc=(600.0, 1.0))
    put(tmp_path, "without-KL", mc=(600.0, cost))
    assert verdict(tmp_path, "KL bound") == expected


@pytest.mark.parametrize(
    ("costs", "expected"),
    [
        ((1.0, 2.0, 4.0), "holds"),
        ((4.0, 2.0, 1.0), "does not hold"),
        ((1.0, 2.0), "not run"),
        ((2.0, 1.0, 4.0, 3.0), "holds"),
        ((1.0, 4.0, 2.0, 3.0), "does not hold"),
    ],
)
def test_the_sweep_is_about_order(tmp_path: Path, costs: tuple[float, ...], expected: str) -> None:
    """Rank correlations of 1, -1, none, 0.6 and 0.4."""
    for xi, cost in zip((0.03, 0.07, 0.09, 0.11), costs, strict=False):
        put(tmp_path, f"SAFER(xi_tilde={xi})", mc=(600.0, cost))
    assert verdict(tmp_path, "xi-tilde") == expected
    assert verdict(tmp_path, "xi-tilde", policy="last") == expected


def test_the_last_policies_have_a_verdict_of_their_own(tmp_path: Path) -> None:
    put(tmp_path, "CVPO-vanilla")
    record = put(tmp_path, "SAFER", natural=(590.0, 0.0), mr=(600.0, 0.5))
    record.data["evaluation_last"] = record.data["evaluation"] | {"mr": met(600.0, 4.0)}
    record.path.write_text(json.dumps(record.data))
    assert verdict(tmp_path, "from benign data alone") == "holds"
    assert verdict(tmp_path, "from benign data alone", policy="last") == "does not hold"
    assert "3 hold by the chosen policies, 2 by the last ones" in render_page(
        Shown(read_records(tmp_path), (5,), (BALL,), {})
    )


def test_the_last_policies_are_a_sweep_of_their_own(tmp_path: Path) -> None:
    for xi, cost in zip((0.03, 0.07, 0.09), (1.0, 2.0, 4.0), strict=True):
        record = put(tmp_path, f"SAFER(xi_tilde={xi})", mc=(600.0, cost))
        record.data["evaluation_last"] = record.data["evaluation"] | {"mc": met(600.0, 4.0 - cost)}
        record.path.write_text(json.dumps(record.data))
    assert verdict(tmp_path, "xi-tilde") == "holds"
    assert verdict(tmp_path, "xi-tilde", policy="last") == "does not hold"


@pytest.mark.parametrize(("cost", "expected"), [(299.0, "holds"), (300.0, "does not hold")])
def test_efficiency_needs_both_curves(tmp_path: Path, cost: float, expected: str) -> None:
    words = "SAFER needs less cumulative cost than ADV-PPOL"
    put(tmp_path, "SAFER", curve=((cost, 100.0),))
    assert verdict(tmp_path, words) == "not run"
    put(tmp_path, "ADV-PPOL", curve=((300.0, 100.0),))
    assert verdict(tmp_path, words) == expected


@pytest.mark.parametrize(("reward", "expected"), [(91.0, "holds"), (89.0, "does not hold")])
def test_the_same_reward_is_nine_tenths(tmp_path: Path, reward: float, expected: str) -> None:
    """Both end at 100; where SAFER's cheap part is below 90, its dear one counts."""
    put(tmp_path, "SAFER", curve=((10.0, reward), (900.0, 100.0)))
    put(tmp_path, "ADV-PPOL", curve=((300.0, 100.0),))
    assert verdict(tmp_path, "SAFER needs less cumulative cost than ADV-PPOL") == expected


def test_runs_that_recorded_no_costs_have_run(tmp_path: Path) -> None:
    put(tmp_path, "SAFER")
    put(tmp_path, "ADV-PPOL", curve=((300.0, 100.0),))
    shown = Shown(read_records(tmp_path), (5,), (BALL,), {})
    page = render_page(shown)
    assert 'SAFER <span class="muted">its costs were not recorded</span>' in page
    assert f'SA-PPOL <span class="muted">{NOT_RUN}</span>' in page
    assert "the runs of SAFER recorded no costs" in page


def test_a_table_of_the_papers_numbers_alone_is_folded(tmp_path: Path) -> None:
    """SAFER is in Table 6 to be read against; its own row is ADV-EM-CVPO."""
    put(tmp_path, "SAFER")
    folded = f'buffer: <span class="empty">{NOT_RUN}</span></summary>'
    assert folded in render_page(Shown(read_records(tmp_path), (6,), (BALL,), {}))
    put(tmp_path, "ADV-EM-CVPO")
    assert folded not in render_page(Shown(read_records(tmp_path), (6,), (BALL,), {}))


def test_the_papers_own_numbers_are_tried_too() -> None:
    found = [c.paper.verdict for c in claims([], PAPER_TASKS) if c.paper.verdict != "no numbers"]
    assert found.count("holds") > 20
    assert {c.ours.verdict for c in claims([], PAPER_TASKS)} == {"not run"}
    sweeps = [c for c in claims([], PAPER_TASKS) if "xi-tilde" in c.text]
    assert [c.paper.verdict for c in sweeps] == ["holds"] * 3
