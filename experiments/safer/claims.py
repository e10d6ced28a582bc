"""The paper's claims: tried on our chosen policies, on our last ones, and on its own numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product
from typing import NamedTuple

from experiments.harness.finding import Finding, Verdict, tried
from experiments.harness.records import Record, select
from experiments.harness.summary import summary_of
from experiments.safer import claim_tests as tests
from experiments.safer.claim_curves import RISES, SAME_REWARD, cheaper, slower, sweep
from experiments.safer.claim_tests import Look, Test
from experiments.safer.methods import SAFERS
from experiments.safer.paper import published, table_methods
from safer_gym.wrappers.adapters.bullet_tasks import PAPER_TASKS
from safer_gym.wrappers.tasks import COST_LIMIT

ON_POLICY = ("SA-PPOL", "SA-PPOL(MC)", "ADV-PPOL")


class Claim(NamedTuple):
    """A claim on one task, tried by our chosen policies, by our last ones, and by the paper's."""

    text: str
    task: str
    ours: Finding
    """By the policy that each run keeps, its best by reward / 20 - cost."""
    last: Finding
    """By the policies that the trainings ended with; a claim on training itself is the same."""
    paper: Finding

    @property
    def is_the_papers(self) -> bool:
        """Whether the paper makes it; it has no SAFER-attacked."""
        return not self.text.startswith("SAFER-attacked")


def claims(records: Sequence[Record], tasks: Sequence[str] = PAPER_TASKS) -> list[Claim]:
    """Every claim on every task that the paper makes it of."""
    found = []
    for text, test_of in CLAIMS.items():
        for task in tasks:
            test = test_of(task)
            ours, last = (_try(test, our_look(records, task, p)) for p in ("best", "last"))
            found.append(Claim(text, task, ours, last, _try(test, paper_look(task), "no numbers")))
    return [*found, *_sweeps(records, tasks), *_trainings(records, tasks)]


def our_look(records: Sequence[Record], task: str, policy: str = "best") -> Look:
    """Looks numbers up in records; of the "best" or of the "last" policies."""

    def look(method: str, attack: str, metric: str) -> float:
        runs = select(records, task, method)
        found = summary_of(runs, attack, metric, policy)
        if found is None:
            raise KeyError(f"no numbers of {method}" + (f" under {attack}" if runs else ""))
        return found.mean

    return look


def paper_look(task: str) -> Look:
    """Looks numbers up in the paper."""

    def look(method: str, attack: str, metric: str) -> float:
        found = published(task, method, attack, metric)
        if found is None:
            raise KeyError(f"no numbers of {method}")
        return found.mean

    return look


def _try(test: Test, look: Look, missing: Verdict = "not run") -> Finding:
    return tried(partial(test, look), missing)


def _everywhere(test: Test) -> Callable[[str], Test]:
    """The same test on every task."""
    return lambda task: test


ROBUST = (
    f"attacked cost is near zero (at most {tests.NEAR_ZERO:g}) at a natural reward close to CVPO's "
    f"(at least {tests.CLOSE:.0%}; both bounds are ours)"
)
BEST = (
    "has the lowest cost under MC and MR of the methods that do not fail, at a reward comparable "
    f"to ADV-PPOL's (at least {tests.COMPARABLE:.0%}, our bound)"
)
CLAIMS: dict[str, Callable[[str], Test]] = {
    "CVPO is safe where nobody attacks (natural cost near zero)": _everywhere(
        tests.safe_without_attack("CVPO-vanilla")
    ),
    f"CVPO is unsafe under MC and MR (cost above {COST_LIMIT:g})": _everywhere(
        tests.unsafe("CVPO-vanilla")
    ),
    "CVPO-random is unsafe under MC and MR": _everywhere(tests.unsafe("CVPO-random")),
    "MR is stealthy: CVPO keeps its reward under it": _everywhere(tests.stealthy),
    "The minimum-reward attack hardly raises CVPO's cost": _everywhere(
        tests.harmless("min_reward")
    ),
    "MAD hardly raises CVPO's cost": _everywhere(tests.harmless("mad")),
    "SA-PPOL is unsafe under MC and MR": _everywhere(tests.unsafe("SA-PPOL")),
    "SA-PPOL(MC) is unsafe under MC and MR": _everywhere(tests.unsafe("SA-PPOL(MC)")),
    f"ADV-CVPO fails (reward below {tests.FAILING:.0%} of CVPO's, or a cost above the limit)": (
        _everywhere(tests.fails("ADV-CVPO"))
    ),
    "ADV-EM-CVPO fails (the same)": _everywhere(tests.fails("ADV-EM-CVPO")),
    f"SAFER, from benign data alone: its {ROBUST}": _everywhere(tests.robust("SAFER")),
    f"SAFER-attacked, ours, trained under attack: its {ROBUST}": _everywhere(
        tests.robust("SAFER-attacked")
    ),
    f"SAFER {BEST}": lambda task: tests.best_of_those_that_learn("SAFER", task),
    f"SAFER-attacked {BEST}": lambda task: tests.best_of_those_that_learn("SAFER-attacked", task),
    "Without the vanilla M-step SAFER fails to learn (reward below "
    f"{tests.UNLEARNED:.0%} of that with it, our bound)": _everywhere(
        tests.unlearned("without-VM")
    ),
    f"Without the KL bound SAFER costs more (at least {tests.COSTS_MORE:g})": _everywhere(
        tests.costs_more("without-KL")
    ),
    f"Without the likelihood SAFER loses reward (at least {tests.HURT:.0%})": _everywhere(
        tests.hurt("without-MLE")
    ),
}


def _sweeps(records: Sequence[Record], tasks: Sequence[str]) -> Iterator[Claim]:
    text = f"The larger xi-tilde, the larger the attacked cost (rank correlation above {RISES:g})"
    for task in tasks:
        methods = table_methods(7, task)
        if methods:
            looks = (*(our_look(records, task, p) for p in ("best", "last")), paper_look(task))
            ours, last, paper = (tried(partial(sweep, methods, look)) for look in looks)
            yield Claim(text, task, ours, last, paper)


def _trainings(records: Sequence[Record], tasks: Sequence[str]) -> Iterator[Claim]:
    """Claims on training itself, which are the same whatever policy is kept."""
    figure = {"SAFER": "drawn in its Figure 2", "SAFER-attacked": "ours, not in the paper"}
    for method, baseline, task in product(SAFERS, ON_POLICY, tasks):
        text = (
            f"{method} needs less cumulative cost than {baseline} for the same reward "
            f"({SAME_REWARD:.0%} of the lower of their highest)"
        )
        ours = tried(partial(cheaper, records, task, method, baseline))
        yield Claim(text, task, ours, ours, Finding("no numbers", figure[method]))
    for method, baseline, task in product(SAFERS, ON_POLICY, tasks):
        text = f"{method} takes more time for an environment step than {baseline}"
        ours = tried(partial(slower, records, task, method, baseline))
        yield Claim(text, task, ours, ours, Finding("no numbers", "says so without numbers"))
