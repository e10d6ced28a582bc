"""What the certificate says and what it does not, in sentences that somebody could sign."""

from __future__ import annotations

from collections.abc import Iterator

from safer_gym.conformance.certificate.view import (
    NO_ATTACK,
    Data,
    battery_of,
    every_of,
    headline_of,
    is_void,
    modes_of,
    policy_name,
    rows_of,
)
from safer_gym.conformance.certify.compositions import title as composition_title
from safer_gym.conformance.formatting import amount, deviations, percent
from safer_gym.conformance.report.certificate import given_model

VERDICTS = {
    "PASS": "meets every requirement",
    "FAIL": "does not meet its requirements",
    "INCONCLUSIVE": "is neither shown to meet its requirements nor shown to break them",
}
POLICY = {
    "deterministic": "the deterministic policy (mean action)",
    "stochastic": "the stochastic policy (drawn action)",
}
NOISY = {
    "action_noise": "the policy with Gaussian noise on its mean action",
    "observation_noise": "the policy behind Gaussian observation noise",
}
"""By the key of the noise in the policy's record."""
EVIDENCE = (
    ("empirical", "an episode that was seen. It can refute a claim and never prove one."),
    (
        "statistical",
        "a bound from independent fresh episodes. All bounds of this page hold together with the "
        "stated confidence, also though the measurement stopped early and though the strongest "
        "attack was chosen among several.",
    ),
    ("formal", "computed for every point of the ball, with no chance involved."),
    (
        "formal given a model",
        "proved of a shield for every adversary and every state that fits, as far as its model of "
        "the world holds. The model is tested on fresh episodes, and not proved. Never part of a "
        "bound without a model.",
    ),
)


def policy_in(certificate: Data, mode: str) -> str:
    """The policy in one mode, with the noise that it has on request."""
    policy = certificate["policy"]
    for key, words in NOISY.items():
        if policy.get(key) and mode == "stochastic":
            return f"{words} (standard deviation {deviations(policy[key])})"
    return POLICY[mode]


def lead(certificate: Data) -> str:
    """The first sentence of every report."""
    name, sure = policy_name(certificate), confidence(certificate)
    found = f"{name} {VERDICTS[certificate['verdict']]}, with {sure}."
    if not certificate["requirements"]:
        found = f"What is known of {name} under attack, with {sure}."
    reasons = dict.fromkeys(h.get("reason") for h in certificate["headlines"])
    why = [f"{capital(reason)}." for reason in reasons if reason]
    return " ".join([found, attacks_run(certificate), *why])


def attacks_run(certificate: Data) -> str:
    """Which attacks the verdict rests on: those with fresh episodes."""
    measured = {a["attack"] for row in certificate["rows"] for a in row["attacks"]}
    names = [attack for attack in battery_of(certificate) if attack in measured]
    return f"Attacks that were run: {', '.join(names)}." if names else "No attack was run."


def confidence(certificate: Data) -> str:
    """With which all bounds of the certificate hold together."""
    return f"{percent(round(1.0 - certificate['delta'], 12), 'down')} confidence"


def said(certificate: Data) -> list[str]:
    """The claims, each with the policy, the adversaries, the radius and the number."""
    limit = f"{certificate['limit']:g}"
    found: list[str] = []
    for mode in () if is_void(certificate) else modes_of(certificate):
        found += _attacked(certificate, mode, limit)
        found += _under_attacks(certificate, mode, limit)
        found += _under_every(certificate, mode, limit)
    return [*found, *given_model.claims(certificate)]


_MOVES = {
    "observation": "The adversary moves what the policy sees, by at most ε in the {norm} norm at "
    "each step, and never beyond the bounds that the observation space declares. Other ways to "
    "interfere, with actions, dynamics or the reward of training, are not covered.",
    "action": "The adversary moves the policy's action, by at most ε in the {norm} norm at each "
    "step, and never beyond the bounds that the action space declares. Of a policy with noise it "
    "knows all but the noise of the step. Other ways to interfere, with observations, dynamics or "
    "the reward of training, are not covered.",
    "disturbance": "The adversary disturbs the world, by at most ε in the {norm} norm at each "
    "step, and never beyond the bounds that the disturbance space declares. Other ways to "
    "interfere, with observations, actions or the reward of training, are not covered.",
}
"""What the adversary does, by channel."""


def moves(certificate: Data) -> str:
    """What the adversary may do, and what it may not."""
    return _MOVES.get(certificate["channel"], "").format(norm=certificate["norm"])


def not_said(certificate: Data) -> list[str]:
    """The limits of the claims: first those of this certificate, then those of any."""
    found = [f"{capital(r['what'])}: {r['reason']}" for r in certificate["refusals"]]
    found += [*_vacuous(certificate), *_unmeasured(certificate)]
    found += given_model.limits(certificate)
    return [
        *found,
        *_undeployed(certificate),
        "The bounds under the attacks speak of the attacks that were run. A stronger attack may "
        "do more; only the bounds over every adversary exclude that.",
        moves(certificate),
        "All episodes ran in this environment, from the starts that it draws. How well it stands "
        "for the real system is not a question that this certificate can answer.",
        "It is about exactly the policy and the environment whose digests it states; after "
        "any further training it says nothing.",
    ]


def headline_words(certificate: Data, mode: str) -> list[tuple[str, str, str]]:
    """Figure, name and meaning of the headline figures of one mode."""
    headline = headline_of(certificate, mode)
    if headline is None:
        return []
    rate = percent(headline["rate"])
    measured = any(row["attacks"] for row in rows_of(certificate, mode))
    return [
        (
            _eps(headline["attacked_eps"], "none found" if measured else "not measured"),
            "attacked ε",
            f"smallest radius at which an attack exceeds the limit in more than {rate} of episodes",
        ),
        (
            _eps(headline["certified_eps_attacks"], "none" if measured else "not measured"),
            "withstood ε",
            f"largest radius up to which no attack of the battery does so in more than {rate}",
        ),
        (
            _eps(
                headline["certified_eps"], "none" if _is_covered(certificate, mode) else "no bound"
            ),
            "certified ε",
            f"largest radius at which no adversary whatever does so in more than {rate}",
        ),
        *_given_model(certificate, mode, headline, rate),
    ]


def _given_model(
    certificate: Data, mode: str, headline: Data, rate: str
) -> Iterator[tuple[str, str, str]]:
    if given_model.model_of(certificate) is not None and mode == "deterministic":
        yield (
            _eps(headline.get("certified_eps_given_model"), "none"),
            "certified ε given a model",
            f"largest radius at which no adversary does so in more than {rate}, as far as the "
            "model of the shield holds",
        )


def _is_covered(certificate: Data, mode: str) -> bool:
    """Whether there is a bound over every adversary at all, even one that excludes nothing."""
    return any(every_of(row["rate"]) is not None for row in rows_of(certificate, mode))


def _attacked(certificate: Data, mode: str, limit: str) -> Iterator[str]:
    """The lower end where it first exceeds the headline's rate, and where it is largest."""
    rows = [r for r in rows_of(certificate, mode) if r["rate"]["lower"]["value"] > 0]
    headline = headline_of(certificate, mode)
    first = [r for r in rows if headline is not None and r["eps"] == headline["attacked_eps"]]
    largest = sorted(rows, key=lambda r: (-r["rate"]["lower"]["value"], r["eps"]))[:1]
    ends = {r["rate"]["lower"]["value"]: r["rate"]["lower"] for r in first + largest}
    for value, end in ends.items():
        rate = f"the cost limit of {limit} in at least {percent(value, 'down')} of episodes."
        if end["attack"] in NO_ATTACK:
            yield f"Without any attack, {policy_in(certificate, mode)} exceeds {rate}"
        else:
            within = f"Within ε = {end['eps']:g}, the attack {end['attack']}"
            yield f"{within} makes {policy_in(certificate, mode)} exceed {rate}"


def _under_attacks(certificate: Data, mode: str, limit: str) -> Iterator[str]:
    headline = headline_of(certificate, mode)
    for row in rows_of(certificate, mode):
        under = row["rate"]["upper_attacks"]
        if headline is None or row["eps"] != headline["certified_eps_attacks"]:
            continue
        if not under["vacuous"]:
            count = len(battery_of(certificate))
            yield (
                f"At ε = {row['eps']:g}, none of the {count} attacks of the battery "
                f"makes {policy_in(certificate, mode)} exceed a cost of {limit} in more than "
                f"{percent(under['value'], 'up')} of episodes."
            )


def _under_every(certificate: Data, mode: str, limit: str) -> Iterator[str]:
    headline = headline_of(certificate, mode)
    proved = [(r["eps"], every_of(r["rate"])) for r in rows_of(certificate, mode)]
    useful = [(eps, every) for eps, every in proved if every and not every["vacuous"]]
    within = [u for u in useful if headline is not None and u[0] == headline["certified_eps"]]
    for eps, every in (within or useful)[:1]:
        policy = policy_in(certificate, mode)
        if every["method"] is None:
            most = percent(every["value"], "up")
            yield f"Without an adversary, {policy} exceeds {limit} in at most {most} of episodes."
            continue
        yield (
            f"No adversary within ε = {eps:g}, however it adapts, makes {policy} exceed a cost of "
            f"{limit} in more than {percent(every['value'], 'up')} of episodes. This follows from "
            f"{every['n']} episodes without an attack and a formal enclosure of the action "
            f"distribution ({composition_title(every['method'])})."
        )


def _undeployed(certificate: Data) -> Iterator[str]:
    """A bound on drawn actions is void where actions are not drawn."""
    if "stochastic" in modes_of(certificate):
        yield (
            f"What is said of {policy_in(certificate, 'stochastic')} holds where it is deployed "
            "with that noise, fresh at every step."
        )


def _vacuous(certificate: Data) -> Iterator[str]:
    for mode in modes_of(certificate):
        rows = rows_of(certificate, mode)
        empty = [r["eps"] for r in rows if (e := every_of(r["rate"])) and e["vacuous"]]
        refused = {r["rate"]["upper_every"].get("refused") for r in rows} - {None, ""}
        if empty:
            yield (
                f"Over every adversary, nothing is known of {policy_in(certificate, mode)} at ε = "
                f"{', '.join(f'{eps:g}' for eps in empty)}: the bound excludes nothing there."
            )
        for reason in sorted(refused - {r["reason"] for r in certificate["refusals"]}):
            yield f"Over every adversary, no bound of {policy_in(certificate, mode)}: {reason}"


def _unmeasured(certificate: Data) -> Iterator[str]:
    measured = {a["attack"] for row in certificate["rows"] for a in row["attacks"]}
    missing = [attack for attack in battery_of(certificate) if attack not in measured]
    if missing:
        yield (
            f"Of the battery, {', '.join(missing)} had no fresh episodes: what was asked was "
            "settled before, or the time was over."
        )


def _eps(value: float | None, none: str) -> str:
    return none if value is None else f"{value:g}"


def capital(text: str) -> str:
    """The text as the start of a sentence."""
    return text[:1].upper() + text[1:]


def bound_words(metric: str, value: float | None, side: str) -> str:
    """A bound as its metric prints it, or that there is none."""
    return percent(value, side) if metric == "rate" else amount(value, side)
