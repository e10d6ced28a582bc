"""What can be said of a certificate's recorded parts before anything is derived from them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from datetime import datetime

import numpy as np

from safer_gym.balls import NORMS, UNITS
from safer_gym.conformance.battery.build import BATTERIES, GRADIENT_FREE, UNABLE, labels_of
from safer_gym.conformance.battery.members import NULL
from safer_gym.conformance.certificate.evidence import AttackEvidence, Benign, Row, UpperEvery
from safer_gym.conformance.certificate.model_evidence import KIND, ModelEvidence
from safer_gym.conformance.certificate.record import (
    BEYOND,
    EVERY_ADVERSARY,
    LEFT_OUT,
    NO_MEAN,
    NO_MODE,
    REPLAY_OPTIONS,
    Certificate,
    replay_command,
)
from safer_gym.conformance.certificate.requirement import MODES
from safer_gym.conformance.certify.compositions.registry import TRIVIAL
from safer_gym.conformance.certify.given_model import AWARE, PUSHES, shield_tests
from safer_gym.conformance.certify.model_tests import MOST
from safer_gym.conformance.certify.noise import noise_of
from safer_gym.conformance.certify.search import CALM, CHOSEN, EPISODES
from safer_gym.conformance.certify.traces import trace_faults
from safer_gym.conformance.evaluate.attacked_policy import ROWS
from safer_gym.conformance.evaluate.fitted_critics import FITTED
from safer_gym.conformance.evaluate.limits import Limits

MOST_STEPS = 10_000_000
"""Of an episode."""
_DIGEST = re.compile("[0-9a-f]{64}")
_SIGNATURE = re.compile("[0-9a-f]{128}")


def inconsistencies(certificate: Certificate) -> Iterator[str]:
    """What is wrong, in words.

    Raises:
        ValueError: wrong in a way that leaves no more to be said.
    """
    yield from _facts(certificate)
    yield from _policy(certificate)
    yield from _battery(certificate)
    yield from _refusals(certificate)
    yield from _counts(certificate)
    yield from _notes(certificate)
    if certificate.model is not None:
        yield from _model(certificate, certificate.model)
    for row in certificate.rows:
        for evidence in row.attacks:
            place = f"row eps {row.eps:g} ({row.mode}), {evidence.attack}"
            yield from (f"{place}: {words}" for words in _search(certificate, row, evidence))
        for metric, every in (("rate", row.rate.upper_every), ("mean", row.mean.upper_every)):
            place = f"row eps {row.eps:g} ({row.mode}), {metric}"
            yield from (f"{place}: {words}" for words in _every(certificate, row, every))


def _facts(certificate: Certificate) -> Iterator[str]:
    datetime.fromisoformat(certificate.created)
    if not {"safer-gym", "python"} <= certificate.versions.keys():
        yield "versions must name safer-gym and python"
    for name in ("policy", "environment"):
        digest = getattr(certificate, name).digest
        if not _DIGEST.fullmatch(digest):
            yield f"the {name}'s digest must be 64 hexadecimal digits, got {digest!r}"
    if not (certificate.policy.kind and certificate.environment.id):
        yield "the policy's kind and the environment's id must not be empty"
    if certificate.signature is not None and not _SIGNATURE.fullmatch(certificate.signature):
        yield "the signature must be 128 hexadecimal digits"
    if certificate.norm not in NORMS:
        yield f"norm must be one of {NORMS}, got {certificate.norm!r}"
    if certificate.scale is not None and not all(s >= 0 for s in certificate.scale):
        yield "scale must be numbers >= 0"
    if certificate.seconds < 0:
        yield f"seconds must be >= 0, got {certificate.seconds}"
    horizon, largest = certificate.environment.horizon, certificate.environment.max_step_cost
    if not 1 <= (horizon or 1) <= MOST_STEPS or horizon == 0:
        yield f"horizon must be in [1, {MOST_STEPS}], got {horizon}"
    if largest is not None and largest <= 0:
        yield f"max_step_cost must be a positive number, got {largest}"


def _policy(certificate: Certificate) -> Iterator[str]:
    policy = certificate.policy
    if policy.normaliser is not None and not _DIGEST.fullmatch(policy.normaliser):
        yield f"the normaliser's digest must be 64 hexadecimal digits, got {policy.normaliser!r}"
    has_deviations = policy.normaliser is not None and certificate.scale is not None
    if certificate.units not in UNITS or (certificate.units != UNITS[0] and not has_deviations):
        yield f"units {certificate.units!r} need a normaliser and its deviations as scale"
    noise = noise_of(policy.action_noise, policy.observation_noise)
    if noise.is_any and {row.mode for row in certificate.rows} != {"stochastic"}:
        yield "a policy with noise has stochastic rows only"


def _battery(certificate: Certificate) -> Iterator[str]:
    attacks = certificate.attacks
    if attacks[:1] != (NULL,) or len(set(attacks)) < len(attacks):
        yield f"attacks must be distinct and begin with {NULL!r}, got {attacks}"
    kept, unlearned = _named_battery(certificate)
    if attacks[1:] != kept:
        yield f"the battery {certificate.battery!r} has the attacks {kept}, got {attacks[1:]}"
    if certificate.unlearned != unlearned:
        yield f"unlearned is {certificate.unlearned}, but the refusals name {unlearned}"
    lower = [share for share in certificate.allocation if share.side == "lower"]
    for row in certificate.rows:
        allowed = attacks if row.eps > 0 else (NULL,)
        chosen = {s.attack for s in lower if (s.mode, s.eps) == (row.mode, row.eps)}
        if len(chosen) != min(CHOSEN, len(allowed)) or not chosen <= {*allowed}:
            place = f"row eps {row.eps:g} ({row.mode})"
            yield f"{place}: lower ends must be of {CHOSEN} of the battery's, got {sorted(chosen)}"


def _named_battery(certificate: Certificate) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The attacks that a battery of that name has beside those left out, and those not learned."""
    if certificate.battery not in BATTERIES:
        return certificate.attacks[1:], ()
    blind = any(flag.name == "no-gradient" for flag in certificate.flags)
    reasons = {refusal.what: refusal.reason for refusal in certificate.refusals}
    labels = labels_of(certificate.battery, has_gradient=not blind, channel=certificate.channel)
    why = {label: reasons.get(LEFT_OUT.format(label=label)) for label in labels}
    # An attack led by critics that were fitted for it says so in its label.
    kept = [
        label + FITTED * (label not in certificate.attacks)
        for label, reason in why.items()
        if reason is None
    ]
    unlearned = [label for label, reason in why.items() if reason not in (None, *UNABLE)]
    return tuple(dict.fromkeys(kept)), tuple(unlearned)


def _refusals(certificate: Certificate) -> Iterator[str]:
    found = {refusal.what: refusal.reason for refusal in certificate.refusals}
    modes = {row.mode for row in certificate.rows}
    needed = {NO_MODE.format(mode=r.mode) for r in certificate.requirements if r.mode not in modes}
    for row in certificate.rows:
        if row.mode == "deterministic" or row.rate.upper_every.refused is not None:
            needed.add(EVERY_ADVERSARY.format(mode=row.mode))
    environment = certificate.environment
    if environment.horizon is None or environment.max_step_cost is None:
        needed.add(NO_MEAN)
    for what in sorted(needed):
        if not found.get(what):
            yield f"the refusals do not give a reason for {what!r}"
    allowed = needed | {NO_MODE.format(mode=mode) for mode in MODES if mode not in modes}
    allowed.add(BEYOND.format(channel=certificate.channel))
    labels = (*BATTERIES.get(certificate.battery, ()), GRADIENT_FREE)
    allowed |= {LEFT_OUT.format(label=label) for label in labels}
    if surplus := found.keys() - allowed:
        yield f"the refusals {sorted(surplus)} contradict the rows, or are none"
    if len(found) < len(certificate.refusals):
        yield "something is refused twice"


def _counts(certificate: Certificate) -> Iterator[str]:
    most, benign = certificate.episodes, certificate.benign
    if most.keys() != {"search", "measure", "benign"} or most["search"] != EPISODES:
        raise ValueError(f"episodes must be of search ({EPISODES}), measure and benign: {most}")
    if benign is not None:
        yield from _episodes(certificate, "benign episodes", benign, most["benign"])
    for row in certificate.rows:
        for evidence in row.attacks:
            place = f"row eps {row.eps:g} ({row.mode}), {evidence.attack}"
            if row.mode == "stochastic" and evidence.attack == NULL:
                if benign is None:
                    raise ValueError(f"{place}: its episodes, the benign ones, are not recorded")
                continue
            yield from _episodes(certificate, place, evidence, most["measure"])
            if evidence.n != most["measure"] and evidence.n % ROWS:
                yield f"{place}: {evidence.n} episodes are not whole blocks of {ROWS}"


def _episodes(
    certificate: Certificate, place: str, source: AttackEvidence | Benign, most: int
) -> Iterator[str]:
    lengths = {source.n, len(source.costs), len(source.returns), len(source.lengths)}
    if len(lengths) > 1 or source.n < 1:
        raise ValueError(f"{place}: n, costs, returns and lengths must agree; got {lengths}")
    if len(source.worst_h) not in (0, source.n):
        raise ValueError(f"{place}: worst_h must hold {source.n} numbers or none")
    if source.n > most:
        yield f"{place}: {source.n} episodes, {most} are the most"
    if max(source.lengths) > MOST_STEPS:
        raise ValueError(f"{place}: an episode is longer than {MOST_STEPS} steps")
    limits = Limits.recorded(certificate.environment)
    faults = limits.faults(np.array(source.costs), np.array(source.lengths, dtype=np.int64))
    if fault := next(faults, None):
        raise ValueError(f"{place}: {fault}")  # no bound is defined of such episodes


def _search(certificate: Certificate, row: Row, evidence: AttackEvidence) -> Iterator[str]:
    """Eight search episodes, or 25 of the stochastic policy without an attack."""
    mean, largest = evidence.search_mean_cost, evidence.search_max_cost
    if (mean is None) != (largest is None):
        yield "search_mean_cost and search_max_cost belong together"
    if mean is None or largest is None:
        return
    is_benign = row.mode == "stochastic" and evidence.attack == NULL
    n = CALM if is_benign else EPISODES
    if not 0 <= largest / n * (1 - 1e-9) <= mean <= largest * (1 + 1e-9):
        yield f"{n} search episodes cannot have a mean cost of {mean} and a largest of {largest}"


def _every(certificate: Certificate, row: Row, every: UpperEvery) -> Iterator[str]:
    benign = 0 if certificate.benign is None else certificate.benign.n
    if len(every.spent) > benign:
        raise ValueError(f"spent has {len(every.spent)} entries for {benign} benign episodes")
    if any(total is not None and total < 0 for total in every.spent):
        yield "spent must be numbers >= 0"
    promises = every.promises or {}
    is_own = every.eps == row.eps and every.method not in (None, TRIVIAL)
    if is_own and promises.get(every.method or "") != min(promises.values(), default=None):
        yield f"the method {every.method!r} is not the one that promised most: {promises}"


def _model(certificate: Certificate, model: ModelEvidence) -> Iterator[str]:
    """What can be said of the tests of a shield's model: their counts follow from nothing else."""
    own = shield_tests(certificate.channel)
    radii = {row.eps for row in certificate.rows if row.mode == "deterministic"}
    known = {(label, eps) for label in (*own, *certificate.attacks[1:]) for eps in radii if eps > 0}
    places = [(test.attack, test.eps) for test in model.tests]
    if not radii:
        yield "a model is given, but there are no deterministic rows"
    if len(set(places)) < len(places) or not set(places) <= known | {(NULL, 0.0)}:
        yield f"the model's tests must be distinct, and of the battery or {own}, got {places}"
    if taken := sorted({*certificate.attacks} & {*AWARE, *PUSHES}):
        yield f"the labels {taken} stand for tests of the shield's model, and for no attacks"
    if model.delta != certificate.delta:
        yield f"the model's tests have another delta ({model.delta}) than the certificate"
    n = min(certificate.episodes["measure"], MOST)
    if any(test.n != n for test in model.tests):
        yield f"a test of the model has other than {n} episodes"
    if model.evidence != KIND:
        yield f"the evidence given a model is {KIND!r}, got {model.evidence!r}"


def _notes(certificate: Certificate) -> Iterator[str]:
    first = certificate.episodes_of_note[:1]
    words = shlex.split(first[0].replay) if first else []
    path, options, source = "".join(words[2:3]), words[5:], certificate.policy.source
    names = options[::2]
    once = [name for name in names if name != "--env-arg"]
    if len(options) % 2 or len(set(once)) < len(once) or not set(names) <= set(REPLAY_OPTIONS):
        yield f"replay commands take {', '.join(REPLAY_OPTIONS)}, got {options}"
    elif "--model" in names and options[names.index("--model") * 2 + 1] != source:
        yield "replay commands name another policy than the certificate"
    for number, note in enumerate(certificate.episodes_of_note):
        if note.replay != replay_command(path, number, *options):
            yield f"episode of note {number}: the command {note.replay!r} does not run it"
        yield from (
            f"episode of note {number}: {words}" for words in trace_faults(certificate, note)
        )
