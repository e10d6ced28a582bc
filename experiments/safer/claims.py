"""The paper's claims: tried on our chosen policies, on our last ones, and on its own numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import product
from typing import NamedTuple

from experiments.harness.finding import Finding, Verdict, tried
from experiments.harness.records import EVALUATIONS, Record, select
from experiments.harness.resampling import firmly
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


class Looks(NamedTuple):
    """A task's numbers."""

    runs: Look
    drawn: list[Look]
    """Of each draw of seeds and episodes."""


def claims(
    records: Sequence[Record],
    tasks: Sequence[str] = PAPER_TASKS,
    drawn: Sequence[Sequence[Record]] = (),
) -> list[Claim]:
    """Every claim on every task that the paper makes it of.

    Args:
        drawn: draws of seeds and episodes, which tell how firm a verdict is; none takes all.
    """
    found: list[Claim] = []
    for task in tasks:
        looks = {policy: _looks(records, drawn, task, policy) for policy in EVALUATIONS}
        found += [
            Claim(text, task, *_firmly(test_of(task), looks), _on_paper(test_of(task), task))
            for text, test_of in CLAIMS.items()
        ]
        found += _sweeps(task, looks)
        found += _trainings(records, drawn, task)
    order = list(dict.fromkeys(claim.text for claim in found))
    return sorted(found, key=lambda claim: order.index(claim.text))


def _looks(
    records: Sequence[Record], drawn: Sequence[Sequence[Record]], task: str, policy: str
) -> Looks:
    known = [r for r in records if r.task == task]
    return Looks(
        our_look(known, task, policy), [our_look(draw, task, policy) for draw in drawn if known]
    )


def _firmly(test: Test, looks: Mapping[str, Looks]) -> tuple[Finding, Finding]:
    """By the chosen policies, and by the last ones."""
    best, last = (firmly(test, look.runs, look.drawn) for look in looks.values())
    return best, last


def _on_paper(test: Test, task: str, missing: Verdict = "no numbers") -> Finding:
    return tried(partial(test, paper_look(task)), missing)


def our_look(records: Sequence[Record], task: str, policy: str = "best") -> Look:
    """Looks numbers up in records; of the "best" or of the "last" policies."""

    @cache
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


def _sweeps(task: str, looks: Mapping[str, Looks]) -> Iterator[Claim]:
    text = f"The larger xi-tilde, the larger the attacked cost (rank correlation above {RISES:g})"
    methods = table_methods(7, task)
    if methods:
        test = partial(sweep, methods)
        yield Claim(text, task, *_firmly(test, looks), _on_paper(test, task, "not run"))


def _trainings(
    records: Sequence[Record], drawn: Sequence[Sequence[Record]], task: str
) -> Iterator[Claim]:
    """Claims on training itself, which are the same whatever policy is kept."""
    figure = {"SAFER": "drawn in its Figure 2", "SAFER-attacked": "ours, not in the paper"}
    for method, baseline in product(SAFERS, ON_POLICY):
        text = (
            f"{method} needs less cumulative cost than {baseline} for the same reward "
            f"({SAME_REWARD:.0%} of the lower of their highest)"
        )
        test = partial(cheaper, task=task, method=method, baseline=baseline)
        ours = firmly(test, records, drawn)
        yield Claim(text, task, ours, ours, Finding("no numbers", figure[method]))
    for method, baseline in product(SAFERS, ON_POLICY):
        text = f"{method} takes more time for an environment step than {baseline}"
        test = partial(slower, task=task, method=method, baseline=baseline)
        ours = firmly(test, records, drawn)
        yield Claim(text, task, ours, ours, Finding("no numbers", "says so without numbers"))
