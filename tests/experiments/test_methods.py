"""The paper's names: each is a valid call of a known algorithm, and the ablations differ by one."""

from __future__ import annotations

import inspect
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from experiments.harness.records import file_name, read_records
from experiments.safer.chosen import cell_of
from experiments.safer.methods import METHODS, PAPER_SAFER, SAFERS, canonical, find_method
from experiments.safer.paper import TABLES, table_methods
from safer_gym.agents import CVPO, SAFER
from safer_gym.agents.cvpo.variational import Variational
from safer_gym.conformance.loading.zoo import packaged_policies, packaged_record
from safer_gym.wrappers.adapters.bullet_tasks import PAPER_TASKS

CLASSES = {"cvpo": CVPO, "safer": SAFER, "safer-attacked": SAFER}


@pytest.mark.parametrize("task", PAPER_TASKS)
def test_every_row_of_the_paper_has_a_method(task: str) -> None:
    for table in TABLES:
        for name in table_methods(table, task):
            assert find_method(name, task).algorithm


@pytest.mark.parametrize("name", [n for n, m in METHODS.items() if m.algorithm in CLASSES])
def test_options_are_arguments_of_the_algorithm(name: str) -> None:
    method = find_method(name, "ball-circle")
    known = set(inspect.signature(CLASSES[method.algorithm].__init__).parameters)
    known |= set(inspect.signature(Variational.__init__).parameters)
    groups = CLASSES[method.algorithm].GROUPS.values()
    known |= {field.name for group in groups for field in fields(group)}
    assert set(method.options) <= known


@pytest.mark.parametrize("name", ["without-VM", "without-KL", "without-MLE"])
def test_an_ablation_leaves_one_part_out(name: str) -> None:
    full, without = (find_method(n, "car-circle").options for n in (PAPER_SAFER, name))
    parts = {"vanilla_step", "adversarial_kl", "adversarial_mle"}
    changed = {k for k in full.keys() | without.keys() if full.get(k) != without.get(k)}
    assert len(changed & parts) == 1
    assert changed - parts <= {"kl_bound_adversarial", "kl_bound_adversarial_cov"}


def test_the_sweep_sets_both_parts_of_the_bound() -> None:
    options = find_method("SAFER(xi_tilde=0.03)", "ball-circle").options
    assert options["kl_bound_adversarial"] == 0.03
    assert options["kl_bound_adversarial_cov"] == 0.015
    assert options["adversarial_kl"]
    assert not options["attacked_cost_critic"]


def test_one_training_has_one_name() -> None:
    assert canonical("SAFER(xi_tilde=0.05)", "ball-circle") == PAPER_SAFER
    assert canonical("SAFER(xi_tilde=0.05)", "ant-run") == "SAFER(xi_tilde=0.05)"
    assert canonical(PAPER_SAFER, "ant-run") == PAPER_SAFER


@pytest.mark.parametrize("name", ["SAFR", "SAFER(xi_tilde=)", "SAFER(xi_tilde=-1)"])
def test_an_unknown_method_is_refused_with_the_nearest(name: str) -> None:
    with pytest.raises(ValueError, match="SAFER"):
        find_method(name, "ball-circle")


@pytest.mark.parametrize("task", PAPER_TASKS)
def test_safer_never_attacks_the_agent_and_safer_attacked_does(task: str) -> None:
    """By the recipes: what the paper's title promises, and what is ours."""
    for name in (SAFERS[0], PAPER_SAFER, "without-VM", "without-KL", "without-MLE"):
        assert kwargs_of(name, task).get("attacked_share", 0.0) == 0.0, name
    assert kwargs_of("SAFER", task)["offset_steps"] > 0
    assert kwargs_of("SAFER-attacked", task)["attacked_share"] > 0
    assert "offset_steps" not in kwargs_of(PAPER_SAFER, task)


def kwargs_of(name: str, task: str) -> dict[str, Any]:
    folder = Path("nowhere")
    cell = cell_of(
        task, name, seed=0, timesteps=0, episodes=1, battery="none", work=folder, records=folder
    )
    return cell.run().kwargs


def test_no_committed_record_of_safer_was_trained_under_attack() -> None:
    """Whatever a file is called: its settings say how the agent was trained."""
    for record in read_records(Path(__file__).parents[2] / "experiments" / "results"):
        attacked = record.data["kwargs"].get("attacked_share", 0.0) > 0
        assert attacked == (record.method == "SAFER-attacked"), record.path
        assert record.path.stem.startswith(f"{record.task}-"), record.path
        if attacked:
            assert record.path.stem == file_name(record.task, record.method, record.seed)
            assert record.data["algorithm"] == "safer-attacked"


@pytest.mark.parametrize("name", packaged_policies())
def test_no_packaged_safer_was_trained_under_attack(name: str) -> None:
    kwargs, algorithm = packaged_record(name)["kwargs"], name.partition("/")[2]
    assert (kwargs.get("attacked_share", 0.0) > 0) == (algorithm == "safer-attacked")
    trained = {"skill-safer": "sac", "parrot": "sac", "drac-shield": "drac"}.get(
        algorithm, algorithm
    )
    assert packaged_record(name)["algorithm"] == trained
