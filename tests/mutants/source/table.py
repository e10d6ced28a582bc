"""Mutants by name: what was changed, and the tests that must turn red."""
# ruff: noqa: E501  (a change is a text of its file, as it stands there)

from __future__ import annotations

from mutants.source.mutant import Mutant

STATISTICS = "conformance/statistics/"
CERTIFIES = "conformance/certify/"
KINDS = "conformance/certify/compositions/"
BOUNDS = "safer_gym/bounds/"
LOADING = "conformance/loading/"

DRAC_LOSSES = "tests/agents/drac/test_losses.py"
DRAC_UPDATE = "tests/agents/drac/test_update.py"
DRAC_BUFFER = (
    "tests/agents/drac/test_drac.py::test_the_buffer_keeps_h_before_and_after_and_the_disturbance"
)
DRAC_SHIELD = (
    "tests/agents/drac/test_drac.py::test_the_shield_switches_exactly_where_the_control_is_not_safe"
)
SEQUENCES = "tests/conformance/statistics/test_sequences.py"
CALIBRATION = "tests/conformance/statistics/test_calibration.py"
ALLOCATION = "tests/conformance/statistics/test_allocation.py"
TAILS = "tests/conformance/statistics/test_tails.py"
BINOMIAL = "tests/conformance/statistics/test_binomial.py"
REPEATS = "tests/conformance/statistics/test_repeats.py"
SPENDING = "tests/conformance/certify/test_spending_laws.py"
LAWS = "tests/conformance/certify/test_ledger_laws.py"
COMPOSITION_LAWS = "tests/conformance/certify/test_composition_laws.py"
CERTIFY = "tests/conformance/certify/test_certify.py"
PARTS = "tests/conformance/certify/test_certification_parts.py"
COMPOSITIONS = "tests/conformance/certify/test_compositions.py"
FRESH = (
    "tests/conformance/certify/test_fresh_episodes.py::test_no_episode_of_the_search_is_in_a_bound"
)
SEEDS = "tests/conformance/certify/test_fresh_episodes.py::test_no_two_episodes_of_a_certificate_share_a_seed"
AFRESH = "tests/conformance/certify/test_fresh_episodes.py::test_certificates_of_other_seeds_are_measured_afresh"
PHASE = "tests/conformance/certify/test_fresh_episodes.py::test_a_phase_ends_where_the_next_begins"
INDEPENDENCE = "tests/conformance/certify/test_independence.py"
LIMITS = "tests/conformance/certify/test_limits.py"
THREATS = "tests/conformance/certify/test_threats.py"
DOMAINS = "tests/core/test_domains.py"
HOSTILE = "tests/conformance/loading/test_hostile.py"
KILLED = "tests/agents/test_killed.py"
POOL = "tests/conformance/workers/test_pool.py"
ROUND_OFF = "tests/core/bounds/test_roundoff_laws.py"
ENCLOSURE = "tests/core/bounds/test_enclosure.py"
TORCHSCRIPT = "tests/conformance/loading/test_torchscript.py"
ONNX = "tests/conformance/loading/test_onnx_data.py"
FORMATS = "tests/conformance/loading/test_formats.py"
CURVES = "tests/core/bounds/test_curves.py"
RELAXATIONS = "tests/core/bounds/test_relaxations.py"
FILTERS = "tests/core/bounds/test_filters.py"
SHIFT = "tests/core/bounds/test_shift.py"
SMOOTHING = "tests/core/bounds/test_smoothing.py"
MAXIMUM = "tests/core/bounds/test_exact_maximum.py"
SOFTMAX = "tests/core/bounds/test_softmax.py"
CATEGORICAL = "tests/core/test_categorical.py"
CHOOSING = "tests/wrappers/policies/test_choosing.py"
ATTACK_GATE = "tests/wrappers/gate/test_attack_gate.py"
ENVIRONMENT_GATE = "tests/wrappers/gate/test_environment_gate.py"
FORGERY = "tests/conformance/certify/test_forgery.py"
WRONG_VERSIONS = "tests/mutants/test_mutants.py"
EVALUATE = "tests/conformance/evaluate/test_evaluate.py"
ADVERSARIES = "tests/conformance/evaluate/test_adversaries.py"
MULTIPLIERS = "tests/core/test_multipliers.py"
HINDSIGHT = "tests/agents/test_hindsight.py"

NAMES = "tests/wrappers/test_named_environments.py"
STRANGER = "tests/conformance/cli/test_own_environment.py::test_a_strangers_record_runs_nothing"
EXIT_CODES = "tests/conformance/cli/test_exit_codes.py::test_the_class_of_an_error_decides"
REPORT = "tests/conformance/report/test_report.py"

SHARED_DRAWS = "tests/conformance/certify/test_spending_laws.py::test_draws_that_are_shared_in_spite_of_what_is_said_are_refused"
ONE_NUMBER = "tests/conformance/certify/test_threats.py::test_a_policy_whose_own_cost_critic_says_one_number_is_under_no_threat"
POLICY_GATE = "tests/wrappers/gate/test_policy_gate.py"
UNKNOWN_PARTS = "tests/conformance/certify/test_unknown_parts.py"
NORMALISERS = "tests/conformance/test_normaliser_doors.py"
SEAL = "tests/conformance/certificate/test_seal.py::test_a_true_certificate_that_lost_its_hash_is_not_verified"

MUTANTS = {
    "multipliers: the integral winds up past the cap": Mutant(
        "safer_gym/multipliers.py",
        "min(max(state.integral + error, 0.0), largest)",
        "max(state.integral + error, 0.0)",
        (MULTIPLIERS,),
    ),
    "hindsight: a step under another goal costs what it cost": Mutant(
        "agents/data/hindsight.py",
        'if self.hindsight_cost == "computed":\n            told',
        'if self.hindsight_cost == "other":\n            told',
        (HINDSIGHT,),
    ),
    "hindsight: the goal shown is the one that was": Mutant(
        "agents/data/hindsight.py", '{"desired_goal": goals}', "{}", (HINDSIGHT,)
    ),
    "hindsight: an environment that computes no cost is let through": Mutant(
        "agents/data/hindsight.py", "not env.has_attr", "env.has_attr", (HINDSIGHT,)
    ),
    "ppo-lagrangian: discrete actions do not pay for their cost": Mutant(
        "agents/ppo_lagrangian/actor_critics.py",
        "return torch.cat([self.value_net(latent), self.cost_value_net(latent)], dim=-1)",
        "return torch.cat([self.value_net(latent), self.value_net(latent)], dim=-1)",
        ("tests/agents/ppo_lagrangian/test_contract.py",),
    ),
    "selection: measured on the search's episodes": Mutant(
        CERTIFIES + "seeds.py", '"measure": SPAN,', '"measure": 0,', (FRESH,)
    ),
    "selection: the pilot's episodes taken as benign": Mutant(
        CERTIFIES + "seeds.py", '"benign": 2 * SPAN,', '"benign": 0,', (FRESH,)
    ),
    "selection: benign episodes are those measured under attack": Mutant(
        CERTIFIES + "seeds.py", '"benign": 2 * SPAN,', '"benign": SPAN,', (FRESH,)
    ),
    "selection: one noise for search and measurement": Mutant(
        CERTIFIES + "seeds.py", "return start + OFFSETS[phase]\n", "return start\n", (FRESH,)
    ),
    "selection: jobs of the measurement are of the search": Mutant(
        CERTIFIES + "schedule.py", 'return Job("measure",', 'return Job("search",', (FRESH,)
    ),
    "selection: benign jobs are of the search": Mutant(
        CERTIFIES + "schedule.py",
        'Job("benign", "stochastic"',
        'Job("search", "stochastic"',
        (FRESH,),
    ),
    "selection: search episodes count in the ledger": Mutant(
        CERTIFIES + "search.py",
        "        ledger.caps[key] = float(result.costs.max())",
        "        ledger.cell(key).add(result)\n        ledger.caps[key] = float(result.costs.max())",
        (
            FRESH,
            CERTIFY,
        ),
    ),
    "seeds: certificates of seeds 0 and 1 share episodes": Mutant(
        CERTIFIES + "seeds.py", "return word % (LARGEST - 4 * SPAN)", "return int(seed)", (AFRESH,)
    ),
    "seeds: episodes run into the next phase": Mutant(
        CERTIFIES + "seeds.py", "if not 0 <= episode < SPAN:", "if not 0 <= episode:", (PHASE,)
    ),
    "seeds: learning in the benign episodes": Mutant(
        "conformance/battery/learning.py",
        "LEARNING_SEED = 3_000_000",
        "LEARNING_SEED = 2_000_000",
        (SEEDS,),
    ),
    "sequences: the lower side spends the upper's delta": Mutant(
        STATISTICS + "sequences.py",
        "lower=refuted_by_counts(k, n, delta, even_shares())",
        "lower=refuted_by_counts(k, n, delta_upper, even_shares())",
        (SEQUENCES,),
    ),
    "sequences: bounds may move outwards": Mutant(
        STATISTICS + "sequences.py",
        "np.maximum.accumulate(bounds.lower)",
        "bounds.lower",
        (
            SEQUENCES,
            CALIBRATION,
        ),
    ),
    "sequences: the mean's upper end forgets its scale": Mutant(
        STATISTICS + "sequences.py",
        "upper=high * (1.0 - refuted_by_values(1.0 - z,",
        "upper=(1.0 - refuted_by_values(1.0 - z,",
        (SEQUENCES,),
    ),
    "sequences: delta twice as large": Mutant(
        STATISTICS + "refuted.py",
        "target = np.log(len(c)) - np.log(delta)",
        "target = np.log(len(c)) - np.log(2 * delta)",
        (
            SEQUENCES,
            CALIBRATION,
        ),
    ),
    "sequences: delta of values twice as large": Mutant(
        STATISTICS + "refuted.py",
        "target = np.log(len(shares)) - np.log(delta)",
        "target = np.log(len(shares)) - np.log(2 * delta)",
        (
            SEQUENCES,
            CALIBRATION,
        ),
    ),
    "sequences: the mixture's weights forgotten": Mutant(
        STATISTICS + "refuted.py",
        "target = np.log(len(c)) - np.log(delta)",
        "target = -np.log(delta)",
        (
            SEQUENCES,
            CALIBRATION,
        ),
    ),
    "sequences: rounding inwards": Mutant(
        STATISTICS + "refuted.py",
        "s = _root_of_counts(k[some].astype(float), (n - k)[some].astype(float), delta, shares)\n        bound[some] = np.exp(-s) * (1.0 - ROUND_OUT)",
        "s = _root_of_counts(k[some].astype(float), (n - k)[some].astype(float), delta, shares)\n        bound[some] = np.exp(-s) * (1.0 + 1e-3)",
        (
            SEQUENCES,
            CALIBRATION,
        ),
    ),
    "allocation: attacks do not split the lower end": Mutant(
        STATISTICS + "allocation.py",
        "_round_down(part / len(names))",
        "_round_down(part)",
        (ALLOCATION,),
    ),
    "allocation: parts rounded up": Mutant(
        STATISTICS + "allocation.py",
        "np.nextafter(np.nextafter(delta, 0.0), 0.0)",
        "np.nextafter(np.nextafter(delta, 1.0), 1.0)",
        (ALLOCATION,),
    ),
    "tails: a quantile one episode too low": Mutant(
        STATISTICS + "tail_bounds.py",
        "return float(ordered[possible]) if possible < n else float(high)",
        "return float(ordered[max(possible - 1, 0)]) if possible < n else float(high)",
        (TAILS,),
    ),
    "tails: CVaR without the tail's share": Mutant(
        STATISTICS + "tail_bounds.py",
        "claims = 1.0 - (1.0 - level) * (v - below) / room",
        "claims = 1.0 - (v - below) / room",
        (TAILS,),
    ),
    "tails: every threshold a coin of its own": Mutant(
        STATISTICS + "tail_bounds.py",
        "np.log(THRESHOLDS * len(shares))",
        "np.log(len(shares))",
        (
            TAILS,
            CALIBRATION,
        ),
    ),
    "binomial: lower one hit too high": Mutant(
        STATISTICS + "binomial.py",
        "betaincinv(k, n - k + 1, delta)",
        "betaincinv(k + 1, n - k + 1, delta)",
        (BINOMIAL,),
    ),
    "repeats: a chance run raises the alarm": Mutant(
        STATISTICS + "repeats.py",
        "math.log(n * n / 2 / FALSE_ALARM)",
        "math.log(1 / FALSE_ALARM) - 12",
        (REPEATS,),
    ),
    "shares: modes do not share delta": Mutant(
        CERTIFIES + "shares.py",
        "plan.delta / (len(plan.modes) * len(plan.eps))",
        "plan.delta / len(plan.eps)",
        (
            LAWS,
            CERTIFY,
        ),
    ),
    "shares: radii do not share delta": Mutant(
        CERTIFIES + "shares.py",
        "plan.delta / (len(plan.modes) * len(plan.eps))",
        "plan.delta / len(plan.modes)",
        (
            LAWS,
            CERTIFY,
        ),
    ),
    "shares: all attacks may count, whatever was chosen": Mutant(
        CERTIFIES + "run.py",
        "labels[:CHOSEN]",
        "labels",
        (
            SPENDING,
            LAWS,
            CERTIFY,
        ),
    ),
    "cells: a cost at the limit is a violation": Mutant(
        CERTIFIES + "cells.py",
        "hits = costs > limit",
        "hits = costs >= limit",
        (
            LAWS,
            PARTS,
        ),
    ),
    "cells: no episode means no cost": Mutant(
        CERTIFIES + "cells.py",
        "return Ends(0.0, 1.0)",
        "return Ends(0.0, 0.0)",
        (
            LAWS,
            PARTS,
        ),
    ),
    "cells: an unknown largest cost is the cap": Mutant(
        CERTIFIES + "cells.py",
        "return Ends(float(mean_sequence(np.minimum(costs, cap), cap, lower).lower[-1]), np.inf)",
        "return Ends(*(float(e[-1]) for e in mean_sequence(np.minimum(costs, cap), cap, lower)))",
        (
            LAWS,
            PARTS,
        ),
    ),
    "cells: the cap is not applied": Mutant(
        CERTIFIES + "cells.py",
        "mean_sequence(np.minimum(costs, cap), cap, lower)",
        "mean_sequence(costs, max(cap, float(costs.max())), lower)",
        (
            LAWS,
            PARTS,
        ),
    ),
    "ledger: attacks that were not chosen have lower ends": Mutant(
        CERTIFIES + "ledger.py",
        "return found if lower is not None else found._replace(lower=0.0)",
        "return found",
        (
            LAWS,
            PARTS,
        ),
    ),
    "ledger: episodes in any order": Mutant(
        CERTIFIES + "ledger.py",
        "if job.first != cell.n:",
        "if job.first > cell.n:",
        (
            LAWS,
            PARTS,
        ),
    ),
    "ledger: violations do not count among the hits": Mutant(
        CERTIFIES + "ledger.py",
        "            hits |= shares > 0\n",
        "            pass\n",
        (
            LAWS,
            CERTIFY,
        ),
    ),
    "ledger: overruns do not count among the hits": Mutant(
        CERTIFIES + "ledger.py",
        "chosen.values(shares, spent), chosen.overruns(spent)",
        "chosen.values(shares, spent), np.zeros(len(shares), bool)",
        (
            LAWS,
            CERTIFY,
        ),
    ),
    "ledger: benign episodes misaligned with what they spent": Mutant(
        CERTIFIES + "ledger.py",
        "costs[: len(spent)]",
        "costs[-len(spent) :]",
        (
            LAWS,
            PARTS,
        ),
    ),
    "ledger: the mean's share of another cost": Mutant(
        CERTIFIES + "ledger.py",
        "else costs / self.scale(metric)",
        "else costs / (2 * self.scale(metric))",
        (
            LAWS,
            CERTIFY,
        ),
    ),
    "rows: the lower end takes larger radii too": Mutant(
        CERTIFIES + "rows.py",
        "for radius in (r for r in ledger.plan.eps if r <= eps):",
        "for radius in ledger.plan.eps:",
        (
            LAWS,
            CERTIFY,
        ),
    ),
    "rows: the upper end takes smaller radii too": Mutant(
        CERTIFIES + "rows.py",
        "if radius > eps and refused is None]",
        "if radius != eps and refused is None]",
        (
            LAWS,
            CERTIFY,
        ),
    ),
    "rows: the luckiest attack bounds the battery": Mutant(
        CERTIFIES + "rows.py",
        "worst = max(ends, key=lambda attack: ends[attack])",
        "worst = min(ends, key=lambda attack: ends[attack])",
        (
            LAWS,
            CERTIFY,
        ),
    ),
    "rows: attacks without episodes are left out of the battery's end": Mutant(
        CERTIFIES + "rows.py",
        "ledger.ends(mode, eps, a, metric).upper for a in ledger.attacks_at(eps)}",
        "ledger.ends(mode, eps, a, metric).upper for a in ledger.attacks_at(eps) if ledger.cell(Key.of(mode, a, eps)).n or a == NULL}",
        (
            LAWS,
            CERTIFY,
        ),
    ),
    "decide: FAIL at the bound itself": Mutant(
        CERTIFIES + "decide.py",
        "    if lower.value > bound:",
        "    if lower.value >= bound:",
        (
            LAWS,
            CERTIFY,
        ),
    ),
    "decide: PASS of every adversary from the battery's end": Mutant(
        CERTIFIES + "decide.py",
        '    if scope == "every":\n',
        '    if scope == "never":\n',
        (
            LAWS,
            CERTIFY,
        ),
    ),
    "decide: one PASS passes all": Mutant(
        CERTIFIES + "decide.py",
        'return "PASS" if verdicts == {"PASS"} else "INCONCLUSIVE"',
        'return "PASS" if "PASS" in verdicts else "INCONCLUSIVE"',
        (
            LAWS,
            CERTIFY,
        ),
    ),
    "decide: a FAIL is outvoted": Mutant(
        CERTIFIES + "decide.py",
        '    if "FAIL" in verdicts:\n',
        '    if verdicts == {"FAIL"}:\n',
        (
            LAWS,
            CERTIFY,
        ),
    ),
    "decide: withstood above a radius that fell": Mutant(
        CERTIFIES + "decide.py",
        "(e for e in stood if fell is None or e < fell)",
        "iter(stood)",
        (
            LAWS,
            CERTIFY,
        ),
    ),
    "decide: certified at the least radius": Mutant(
        CERTIFIES + "decide.py",
        "certified_eps=max(certified, default=None)",
        "certified_eps=min(certified, default=None)",
        (
            LAWS,
            CERTIFY,
        ),
    ),
    "stopping: larger radii refute smaller ones": Mutant(
        CERTIFIES + "stopping.py",
        "        if radius <= eps\n",
        "",
        (
            LAWS,
            PARTS,
        ),
    ),
    "stopping: the bound of a smaller radius settles a larger one": Mutant(
        CERTIFIES + "stopping.py",
        "for r in ledger.plan.eps if r >= eps]",
        "for r in ledger.plan.eps]",
        (
            LAWS,
            PARTS,
        ),
    ),
    "stopping: hopeless too early": Mutant(
        CERTIFIES + "stopping.py",
        "int(most * binomial_lower(found.hits, found.n, GUESS))",
        "int(most * (found.hits + 1) / found.n)",
        (
            LAWS,
            PARTS,
        ),
    ),
    "schedule: no attack after the first": Mutant(
        CERTIFIES + "schedule.py",
        "only_first = waits or is_new or is_refuted",
        "only_first = True",
        (
            LAWS,
            PARTS,
        ),
    ),
    "schedule: more episodes than were asked for": Mutant(
        CERTIFIES + "schedule.py",
        "min(ROWS, caps.attack - first)",
        "ROWS",
        (
            LAWS,
            PARTS,
        ),
    ),
    "schedule: benign episodes without end": Mutant(
        CERTIFIES + "schedule.py",
        "end = min(n + blocks * ROWS, most)",
        "end = n + blocks * ROWS",
        (
            LAWS,
            PARTS,
        ),
    ),
    "search: the weakest attacks first": Mutant(
        CERTIFIES + "search.py",
        "sorted(order, key=strength, reverse=True)",
        "sorted(order, key=strength)",
        (
            LAWS,
            PARTS,
        ),
    ),
    "search: the worst composition is chosen": Mutant(
        CERTIFIES + "search.py",
        "min(found, key=lambda pair: pair[0])[1]",
        "max(found, key=lambda pair: pair[0])[1]",
        (
            LAWS,
            PARTS,
        ),
    ),
    "compositions: an overrun counts nothing": Mutant(
        KINDS + "composition.py",
        "np.where(self.overruns(spent), 1.0, shares)",
        "shares",
        (
            COMPOSITION_LAWS,
            WRONG_VERSIONS,
        ),
    ),
    "compositions: an unknown spending is no overrun": Mutant(
        KINDS + "composition.py",
        "return ~(spent[:, self.column] <= self.budget)",
        "return spent[:, self.column] > self.budget",
        (
            COMPOSITION_LAWS,
            PARTS,
        ),
    ),
    "compositions: Gaussian budget not rooted": Mutant(
        KINDS + "gaussian.py",
        '        """M."""\n        return float(np.sqrt(self.budget))\n\n    def bound',
        '        """M."""\n        return float(self.budget)\n\n    def bound',
        (
            COMPOSITION_LAWS,
            WRONG_VERSIONS,
        ),
    ),
    "compositions: Hoelder's order by the budget alone": Mutant(
        KINDS + "gaussian.py",
        "lambda order: order * self.budget / 2",
        "lambda order: self.budget / 2",
        (
            COMPOSITION_LAWS,
            WRONG_VERSIONS,
        ),
    ),
    "compositions: additive spends nothing": Mutant(
        KINDS + "additive.py",
        "np.where(self.overruns(spent), self.top, shares + used)",
        "np.where(self.overruns(spent), self.top, shares)",
        (
            COMPOSITION_LAWS,
            WRONG_VERSIONS,
        ),
    ),
    "compositions: the mean's additive column is the rate's": Mutant(
        KINDS + "additive.py",
        'TV if metric == "rate" else TV_LEFT',
        "TV_LEFT",
        (
            COMPOSITION_LAWS,
            CERTIFY,
        ),
    ),
    "compositions: additive overruns below the top": Mutant(
        KINDS + "additive.py",
        "return 1.0 + self.budget",
        "return 1.0",
        (
            COMPOSITION_LAWS,
            WRONG_VERSIONS,
        ),
    ),
    "divergence: the last step costs nothing": Mutant(
        CERTIFIES + "divergence.py",
        "np.add.reduceat(step, starts, axis=0)",
        "np.add.reduceat(step * (1 - np.isin(np.arange(len(step)), starts[1:] - 1))[:, None], starts, axis=0)",
        (
            COMPOSITIONS,
            CERTIFY,
        ),
    ),
    "divergence: steps left count from one too late": Mutant(
        CERTIFIES + "divergence.py",
        "(horizon - passed) / horizon",
        "(horizon - passed - 1) / horizon",
        (
            COMPOSITIONS,
            CERTIFY,
        ),
    ),
    "divergence: shifts are not squared": Mutant(
        "wrappers/policies/stochastic.py",
        "shift = mean_shift(mean, benign.mean, benign.scale)\n        still",
        "shift = mean_shift(mean, benign.mean, benign.scale).sqrt()\n        still",
        (
            SPENDING,
            COMPOSITIONS,
            CERTIFY,
        ),
    ),
    "divergence: TV of a smoothed policy halved": Mutant(
        BOUNDS + "steps.py",
        "torch.erf(shift / math.sqrt(8))",
        "torch.erf(shift / math.sqrt(32))",
        (
            SPENDING,
            COMPOSITIONS,
            CERTIFY,
        ),
    ),
    "enclosure: the ball's margin is left out": Mutant(
        BOUNDS + "region.py",
        "* (1 + _MARGIN)\n    low",
        "* 1.0\n    low",
        (
            ROUND_OFF,
            ENCLOSURE,
        ),
    ),
    "enclosure: round-off of layers is left out": Mutant(
        BOUNDS + "rounding.py",
        "return gamma * (size @ layer.weight.abs().mT + layer.bias.abs())",
        "return 0.0 * gamma * (size @ layer.weight.abs().mT + layer.bias.abs())",
        (
            ROUND_OFF,
            ENCLOSURE,
        ),
    ),
    "enclosure: round-off of tanh is left out": Mutant(
        BOUNDS + "curve.py",
        "ULPS = 4.0",
        "ULPS = 0.0",
        (
            ROUND_OFF,
            ENCLOSURE,
        ),
    ),
    "enclosure: pending errors are not absorbed": Mutant(
        BOUNDS + "crown.py",
        "widened(relax(layer, before), pending, error)",
        "widened(relax(layer, before), 0.0, error)",
        (
            ROUND_OFF,
            ENCLOSURE,
        ),
    ),
    "enclosure: errors do not pass through an affine layer": Mutant(
        BOUNDS + "crown.py",
        "pending @ layer.weight.abs().mT if",
        "0.0 * pending @ layer.weight.abs().mT if",
        (
            ROUND_OFF,
            ENCLOSURE,
        ),
    ),
    "enclosure: the box cuts where the observation is outside": Mutant(
        BOUNDS + "region.py",
        'valid = torch.minimum(_fit("low", ball.low, shape).to(center), center)',
        'valid = _fit("low", ball.low, shape).to(center)',
        (
            ROUND_OFF,
            ENCLOSURE,
        ),
    ),
    "enclosure: observations lose no digits": Mutant(
        BOUNDS + "region.py",
        "slack = unit * torch.maximum(low.abs(), high.abs())",
        "slack = 0.0 * torch.maximum(low.abs(), high.abs())",
        (
            ROUND_OFF,
            ENCLOSURE,
        ),
    ),
    "enclosure: l1 has the dual of l2": Mutant(
        BOUNDS + "region.py",
        "_DUAL = {1.0: math.inf,",
        "_DUAL = {1.0: 2.0,",
        (
            ENCLOSURE,
            MAXIMUM,
        ),
    ),
    "enclosure: l2 has the dual of l1": Mutant(
        BOUNDS + "region.py",
        "2.0: 2.0}",
        "2.0: math.inf}",
        (
            ENCLOSURE,
            MAXIMUM,
        ),
    ),
    "relaxations: ReLU's chord without its offset": Mutant(
        BOUNDS + "relaxations.py",
        "offset = torch.where(straddles, value_low - chord * low, 0.0)",
        "offset = torch.where(straddles, 0.5 * (value_low - chord * low), 0.0)",
        (RELAXATIONS,),
    ),
    "relaxations: tanh's chord where it is concave": Mutant(
        BOUNDS + "relaxations.py",
        "is_chord = (width > 1e-6) & ((high <= 0) | (1 - at_high.square() >= chord))",
        "is_chord = width > 1e-6",
        (RELAXATIONS,),
    ),
    "relaxations: a short interval by its lower end": Mutant(
        BOUNDS + "relaxations.py",
        "offset = torch.where(flat, at_high, offset)",
        "offset = torch.where(flat, at_low, offset)",
        (RELAXATIONS,),
    ),
    "relaxations: no room for tanh's own errors": Mutant(
        BOUNDS + "relaxations.py",
        "return slope, offset + _PAD * (1 + low.abs() + high.abs())",
        "return slope, offset",
        (RELAXATIONS,),
    ),
    "curves: the dip is forgotten": Mutant(
        BOUNDS + "curve.py",
        "return torch.where((low < at) & (at < high), self(at), least), most",
        "return least, most",
        (CURVES,),
    ),
    "curve: a tangent ends where it touches": Mutant(
        BOUNDS + "curve.py",
        "[tangent(left, a), tangent(left, right), tangent(right, right), tangent(right, b)]",
        "[tangent(left, left), tangent(right, right)]",
        (CURVES,),
    ),
    "standardise: the other inputs by their largest squares": Mutant(
        BOUNDS + "standardise.py",
        "torch.where(x >= 0, r_least, r_most)",
        "torch.where(x >= 0, r_most, r_most)",
        (CURVES,),
    ),
    "modules: a shared module counts once": Mutant(
        BOUNDS + "modules.py",
        "live_layers(iter(module))",
        "live_layers(module.children())",
        (CURVES,),
    ),
    "cuts: pieces are averaged": Mutant(
        BOUNDS + "cuts.py",
        "Enclosure(lower.amin(0), upper.amax(0))",
        "Enclosure(lower.mean(0), upper.mean(0))",
        (ENCLOSURE,),
    ),
    "shift: corners of a factor's box by their middle": Mutant(
        BOUNDS + "shift.py",
        "(corners @ inverse.mT).norm(dim=-1).amax(-1)",
        "(corners @ inverse.mT).norm(dim=-1).mean(-1)",
        (SHIFT,),
    ),
    "shift: the nearer end of the mean": Mutant(
        BOUNDS + "shift.py",
        "return (torch.maximum(low.abs(), high.abs()) / scale).norm(dim=-1)",
        "return (torch.minimum(low.abs(), high.abs()) / scale).norm(dim=-1)",
        (SHIFT,),
    ),
    "shift: only the upper end of the deviation": Mutant(
        BOUNDS + "shift.py",
        "return torch.maximum(*ends).sum(-1)",
        "return ends[1].sum(-1)",
        (SHIFT,),
    ),
    "shift: a curvature's term forgotten": Mutant(
        BOUNDS + "shift.py",
        "curvature = curvature + 2 * (alpha - 1) * (1 + small).square() / safe.square()",
        "curvature = curvature",
        (SHIFT,),
    ),
    "filters: rounding down": Mutant(
        BOUNDS + "filters.py", "_UP = 1 + 1e-12", "_UP = 1 - 1e-9", (FILTERS,)
    ),
    "filters: bisection from below": Mutant(
        BOUNDS + "filters.py",
        "        below, above = np.where(inside, q, below), np.where(inside, above, q)\n    return above",
        "        below, above = np.where(inside, q, below), np.where(inside, above, q)\n    return below * (1 - 1e-9)",
        (
            COMPOSITION_LAWS,
            FILTERS,
        ),
    ),
    "filters: an infinite budget says nothing of p = 0": Mutant(
        BOUNDS + "filters.py",
        "np.where(p == 0, np.where(np.isinf(M), 1.0, 0.0), moved)",
        "np.where(p == 0, 0.0, moved)",
        (FILTERS,),
    ),
    "smoothing: l1 and l2 alike linf the other way": Mutant(
        BOUNDS + "smoothing.py",
        "reach = ratio.norm(dim=-1) if p == math.inf else ratio.amax(-1)",
        "reach = ratio.amax(-1)",
        (SMOOTHING,),
    ),
    "smoothing: steps do not add up": Mutant(
        BOUNDS + "smoothing.py",
        "math.sqrt(steps) * smoothing_shift",
        "smoothing_shift",
        (SMOOTHING,),
    ),
    "verify: a coarse tolerance": Mutant(
        CERTIFIES + "verify.py", "TOLERANCE = 1e-9", "TOLERANCE = 1e-2", (FORGERY,)
    ),
    "verify: shares need not be exact": Mutant(
        CERTIFIES + "verify.py", 'exact=place.startswith("allocation")', "exact=False", (FORGERY,)
    ),
    "verify: the hash is not looked at": Mutant(
        CERTIFIES + "verify.py",
        "(why,) if why else ()",
        "()",
        (
            CERTIFY,
            FORGERY,
        ),
    ),
    "verify: nothing is derived": Mutant(
        CERTIFIES + "verify.py",
        " or _said(again, certificate)",
        "",
        (
            CERTIFY,
            FORGERY,
        ),
    ),
    "verify: rows as recorded": Mutant(
        CERTIFIES + "derive.py",
        "        rows=rows,\n        requirements",
        "        requirements",
        (FORGERY,),
    ),
    "verify: the allocation as recorded": Mutant(
        CERTIFIES + "derive.py", "        allocation=shares,\n", "", (FORGERY,)
    ),
    "verify: the verdict as recorded": Mutant(
        CERTIFIES + "derive.py", "        verdict=overall(decisions, doubt),\n", "", (FORGERY,)
    ),
    "verify: headlines as recorded": Mutant(
        CERTIFIES + "derive.py", "        headlines=headlines,\n", "", (FORGERY,)
    ),
    "verify: flags as recorded": Mutant(
        CERTIFIES + "derive.py", "        flags=flags,\n", "", (FORGERY,)
    ),
    "verify: notes as recorded": Mutant(
        CERTIFIES + "derive.py", "        episodes_of_note=notes,\n", "", (FORGERY,)
    ),
    "verify: more episodes than were allowed": Mutant(
        CERTIFIES + "consistency.py", "    if source.n > most:\n", "    if False:\n", (FORGERY,)
    ),
    "verify: any number of attacks with lower ends": Mutant(
        CERTIFIES + "consistency.py",
        "if len(chosen) != min(CHOSEN, len(allowed)) or",
        "if",
        (FORGERY,),
    ),
    "verify: limits are not held against episodes": Mutant(
        CERTIFIES + "consistency.py",
        "    if fault := next(faults, None):\n",
        "    if False:\n",
        (
            LIMITS,
            FORGERY,
        ),
    ),
    "world: every attack draws for its rows alike": Mutant(
        CERTIFIES + "world.py",
        "fixed=not member.own_noise",
        "fixed=False",
        (
            SPENDING,
            CERTIFY,
            FRESH,
            THREATS,
        ),
    ),
    "world: the radius is not applied": Mutant(
        CERTIFIES + "world.py", "world.ball.scaled(job.eps)", "world.ball", (CERTIFY,)
    ),
    "world: budgets at the wrong radius": Mutant(
        CERTIFIES + "world.py",
        "[world.ball.scaled(eps) for eps in job.radii]",
        "[world.ball.scaled(job.radii[0]) for _ in job.radii]",
        (
            CERTIFY,
            COMPOSITIONS,
        ),
    ),
    "episodes: an episode's seed is its row": Mutant(
        "conformance/evaluate/episodes.py",
        "Episode, env_pool, seeds[n - first],",
        "Episode, env_pool, seeds[(n - first) % ROWS],",
        (
            EVALUATE,
            INDEPENDENCE,
        ),
    ),
    "episodes: global generators are not lent": Mutant(
        "conformance/evaluate/episodes.py",
        "GlobalStream(_STREAM, seed, names=names) if names else nullcontext()",
        "nullcontext()",
        (INDEPENDENCE,),
    ),
    "gate: results inside by the attack's word": Mutant(
        "safer_gym/attacks/verify.py",
        "    verify_inside(name, clean, shown, ball)\n",
        "",
        (ATTACK_GATE,),
    ),
    "gate: bounds of the space are not looked at": Mutant(
        "conformance/evaluate/episodes.py", "bounded=True", "bounded=False", (ENVIRONMENT_GATE,)
    ),
    "independence: one run is enough": Mutant(
        CERTIFIES + "independence.py",
        '    if not all(run_job(world, job).streams[0] == first for _ in range(2)):\n        return [not_repeatable("in this process")]\n',
        "",
        (INDEPENDENCE,),
    ),
    "independence: repetitions are not looked for": Mutant(
        CERTIFIES + "independence.py",
        "        if repeat is not None:\n",
        "        if False:\n",
        (INDEPENDENCE,),
    ),
    "softmax: the spread of ratios is halved": Mutant(
        BOUNDS + "softmax.py",
        ".amax(-1).clamp(min=0) / 4)",
        ".amax(-1).clamp(min=0) / 8)",
        (SOFTMAX,),
    ),
    "softmax: the attacked leads are the benign ones": Mutant(
        BOUNDS + "softmax.py",
        "    against = torch.exp(-leads.upper)\n",
        "    against = torch.exp(-leads.lower)\n",
        (SOFTMAX,),
    ),
    "softmax: the steepest option comes last": Mutant(
        BOUNDS + "softmax.py",
        "steep.argsort(-1, descending=True)",
        "steep.argsort(-1)",
        (SOFTMAX,),
    ),
    "softmax: a tie is a choice": Mutant(
        BOUNDS + "softmax.py",
        "ahead = (leads.lower > 0) |",
        "ahead = (leads.lower >= 0) |",
        (SOFTMAX,),
    ),
    "categorical: the margin is to the option taken": Mutant(
        "safer_gym/categorical.py",
        "return torch.where(taken, -math.inf, scores).amax(-1) - own",
        "return scores.amax(-1) - own",
        (CATEGORICAL,),
    ),
    "choosing: a row's draw is the first row's": Mutant(
        "wrappers/policies/choosing.py",
        "    index = (random >= p",
        "    index = (random[:1] >= p",
        (CHOOSING,),
    ),
    "gate: options are not held against predict": Mutant(
        "wrappers/gate/questions.py",
        "return torch.where(close.to(read.device)[:, None], told.to(read), read)",
        "return told.to(read)",
        (CHOOSING,),
    ),
    "adversaries: the safety adversary maximises h": Mutant(
        "conformance/evaluate/goals.py",
        'return -float(info["h"])',
        'return float(info["h"])',
        (ADVERSARIES,),
    ),
    "adversaries: a held corner is drawn at every step": Mutant(
        "conformance/evaluate/attacked_policy.py",
        "(() if self.held else (step,))",
        "(step,)",
        (ADVERSARIES,),
    ),
    "episodes: the worst h forgets the first state": Mutant(
        "conformance/evaluate/episodes.py",
        "self.worst_h = self._gate.h(info)",
        "self.worst_h = np.inf",
        (ADVERSARIES,),
    ),
    "learned sets: what is unsafe counts as missed": Mutant(
        "experiments/drac/oracle.py",
        '"falsely_safe": float((found & ~exact).sum() / size)',
        '"falsely_safe": float((~found & exact).sum() / size)',
        ("tests/experiments/drac/test_reproduction.py",),
    ),
    "drac: an episode's end looks safe": Mutant(
        "agents/drac/losses.py",
        "    following = torch.where(terminated.bool(), next_h, next_value)\n",
        "    following = torch.where(terminated.bool(), torch.zeros_like(next_h), next_value)\n",
        (DRAC_LOSSES,),
    ),
    "drac: mu_h helps pi_h": Mutant(
        "agents/drac/dual_iteration.py",
        "players.safety_adversary, value, by_move(down))",
        "players.safety_adversary, value, by_move(-down))",
        (DRAC_UPDATE,),
    ),
    "drac: imitation is paid for by entropy": Mutant(
        "agents/drac/dual_iteration.py",
        "entropy = torch.where(free, -self._temperature() * log_prob, 0.0)",
        "entropy = -self._temperature() * log_prob",
        (DRAC_UPDATE,),
    ),
    "drac: the least deviation is for ever": Mutant(
        "agents/drac/networks.py",
        "Held.apply(log_std, *LOG_STD)",
        "log_std.clamp(*LOG_STD)",
        (DRAC_UPDATE,),
    ),
    "drac: h of the step before is that of the episode before": Mutant(
        "agents/drac/drac.py",
        "            self._h[indices] = first_h(self.env, indices)\n",
        "            pass\n",
        (DRAC_BUFFER,),
    ),
    "drac: the switch is the wrong way round": Mutant(
        "agents/drac/policies.py",
        "return torch.where(is_safe, control, followers.safety_control(obs))",
        "return torch.where(is_safe, followers.safety_control(obs), control)",
        (DRAC_SHIELD,),
    ),
    "domains: a flag is a number": Mutant(
        "safer_gym/domains.py",
        "isinstance(value, kind) and not is_flag",
        "isinstance(value, kind)",
        (DOMAINS,),
    ),
    "domains: infinity is finite": Mutant(
        "safer_gym/domains.py",
        'NOT_NEGATIVE = Domain("a finite number >= 0", low=0.0, high=_END)',
        'NOT_NEGATIVE = Domain("a finite number >= 0", low=0.0)',
        (DOMAINS,),
    ),
    "archives: no budget for what is unpacked": Mutant(
        "conformance/loading/archives.py", "    if unpacked > most:", "    if False:", (HOSTILE,)
    ),
    "as_data: a tuple may hold another twice, and that another": Mutant(
        "conformance/loading/as_data.py",
        "        if weight > MAX_TUPLE:",
        "        if len(values) > MAX_TUPLE:",
        (HOSTILE,),
    ),
    "trial: no limit on memory": Mutant(
        "conformance/loading/trial.py",
        "    resource.setrlimit(resource.RLIMIT_AS, (most, most))\n",
        "    resource.setrlimit(resource.RLIMIT_AS, (20 * most, 20 * most))\n",
        (f"{HOSTILE}::test_the_process_has_limits",),
    ),
    "claim: starting over keeps the checkpoints": Mutant(
        "agents/training/claim.py",
        "    for name in (CHECKPOINTS, POLICIES):",
        "    for name in (POLICIES,):",
        (KILLED,),
    ),
    "claim: a folder is nobody's": Mutant(
        "agents/training/claim.py",
        "        with FileLock(folder / LOCK, timeout=0):",
        "        if True:",
        (KILLED,),
    ),
    "pool: workers outlive their parent": Mutant(
        "conformance/workers/processes.py", "    end_with_parent()\n", "", (POOL,)
    ),
    "independence: an episode run again outlives its parent": Mutant(
        CERTIFIES + "independence.py", "    end_with_parent()\n", "", (POOL,)
    ),
    "loading: a number less a network is the network less it": Mutant(
        LOADING + "chain.py",
        'return right.then(elementwise("multiply", -1.0), elementwise("add", left))',
        'return right.then(elementwise("subtract", left))',
        (TORCHSCRIPT, ONNX),
    ),
    "loading: a branch is taken for an activation": Mutant(
        LOADING + "chain.py",
        "if kinds == (nn.Sigmoid,):",
        "if len(kinds) == 1:",
        (ONNX,),
    ),
    "loading: a saved policy is read as it trains": Mutant(
        LOADING + "torchscript_data.py",
        "return False  # a policy is deployed out of training",
        "return True",
        (TORCHSCRIPT,),
    ),
    "loading: weights alone are asked to be trusted": Mutant(
        LOADING + "load.py",
        "if held := form.no_policy(path):",
        "if held := None:",
        (FORMATS,),
    ),
    "memory: an episode begins with the last one's": Mutant(
        "conformance/evaluate/attacked_policy.py",
        "        if step == 0:\n",
        "        if step < 0:\n",
        ("tests/conformance/test_memory_doors.py::test_an_episode_goes_as_it_is_deployed",),
    ),
    "memory: wrappers keep it across episodes": Mutant(
        "wrappers/engine.py",
        "        self._held[row] = self.memory.begin(1)[0]\n",
        "",
        (
            "tests/conformance/test_memory_doors.py"
            "::test_wrappers_follow_the_memory_through_what_they_show",
        ),
    ),
    "observations: pixels between two whole numbers": Mutant(
        "wrappers/gate/attack.py",
        "found._replace(obs=ball.settle(clean, found.obs))",
        "found",
        (
            "tests/conformance/test_observation_doors.py"
            "::test_pixels_move_by_whole_steps_inside_the_ball",
        ),
    ),
    "observations: whole numbers out of the ball": Mutant(
        "safer_gym/balls.py",
        "return torch.where(inside, nearest, inward)",
        "return nearest",
        ("tests/core/test_memory.py::test_settled_points_are_whole_and_inside",),
    ),
    "names: an environment without an end is run": Mutant(
        "wrappers/gate/ends.py",
        "if stated_limit(env) is None and not _ends(env, seed):",
        "if False:",
        (NAMES,),
    ),
    "names: a record's code is followed": Mutant(
        "conformance/cli/environments.py",
        "    if not trust and _names_code(name, changes) and not was_named(name, changes):\n",
        "    if False:\n",
        (STRANGER,),
    ),
    "names: the arguments in a record count as no code": Mutant(
        "conformance/cli/environments.py",
        ' or bool(changes.get("env_args"))',
        "",
        (STRANGER,),
    ),
    "exit codes: Gymnasium's errors are bugs": Mutant(
        "conformance/cli/refusals.py",
        "isinstance(error, REFUSALS) or from_gymnasium or from_parser",
        "isinstance(error, REFUSALS) or from_parser",
        (EXIT_CODES,),
    ),
    "report: the attacks that were run are not named": Mutant(
        "conformance/report/sentences.py",
        "under the attacks that were run ({', '.join(names)})",
        "under every attack",
        (REPORT,),
    ),
    "gate: a subclass of the gate counts as one": Mutant(
        "wrappers/gate/attack.py",
        "if type(attack) is GatedAttack:",
        "if isinstance(attack, GatedAttack):",
        (f"{ATTACK_GATE}::test_a_gate_of_ones_own_is_none",),
    ),
    "gate: an attack is given the ball that it is checked against": Mutant(
        "wrappers/gate/attack.py",
        "(ball, copy.deepcopy(ball))",
        "(ball, ball)",
        (f"{ATTACK_GATE}::test_a_broken_attack_is_named_at_every_door",),
    ),
    "gate: a tensor of any kind is a result": Mutant(
        "safer_gym/attacks/verify.py",
        "type(part) not in (Tensor, nn.Parameter)",
        "not isinstance(part, Tensor)",
        (f"{ATTACK_GATE}::test_a_broken_attack_is_named_at_every_door",),
    ),
    "gate: a policy that its attack changed is measured": Mutant(
        "conformance/certify/world.py",
        "    check_unchanged(actor.victim, actor.before)\n",
        "",
        (f"{ATTACK_GATE}::test_an_attack_that_changes_the_policy_is_noticed",),
    ),
    "gate: the policy is asked first when the attack has been called": Mutant(
        "conformance/evaluate/attacked_policy.py",
        "        if self.before is None:\n            self.before = self._first_words(obs)\n"
        "        recall, clean = self.victim.memory, self._padded(obs)\n",
        "        recall, clean = self.victim.memory, self._padded(obs)\n"
        "        if self.before is None:\n            self.before = self._first_words(obs)\n",
        (f"{ATTACK_GATE}::test_the_policy_is_asked_before_its_attack_is_ever_called",),
    ),
    "gate: draws that are shared count as a row's own": Mutant(
        "conformance/certify/run.py",
        "        self._check_noise(battery)\n",
        "",
        (SHARED_DRAWS,),
    ),
    "gate: who climbs a flat critic seeks cost": Mutant(
        "conformance/certify/run.py",
        "if member.cost_directed and not (flat and climbs_cost_critic(member.attack))",
        "if member.cost_directed",
        (ONE_NUMBER,),
    ),
    "gate: nobody looks into what a model is made of": Mutant(
        "wrappers/gate/holdings.py",
        "((BaseAlgorithm, BaseModel), _of_model)",
        "((BaseAlgorithm, BaseModel), lambda thing: {})",
        (f"{POLICY_GATE}::test_a_look_finds_what_no_answer_shows",),
    ),
    "gate: nobody looks where iterators stand": Mutant(
        "wrappers/gate/holdings.py",
        "    (Iterator, _of_iterator),\n",
        "",
        (f"{POLICY_GATE}::test_a_look_finds_what_no_answer_shows",),
    ),
    "gate: a changed class of a library is read as it was": Mutant(
        "safer_gym/bounds/modules.py",
        "itertools.chain(own, of_class)",
        "own",
        (f"{UNKNOWN_PARTS}::test_a_library_class_that_was_changed_is_noticed",),
    ),
    "gate: any distribution is a known one": Mutant(
        "wrappers/policies/altered.py",
        "if drawing is not None and not _is_of_library(type(drawing)):",
        "if False:",
        (f"{POLICY_GATE}::test_a_distribution_of_its_own_is_not_read",),
    ),
    "independence: only first episodes are looked at": Mutant(
        CERTIFIES + "independence.py",
        "if place := remembered(world.env_pool.make_env, seeds):",
        "if place := '':",
        (f"{INDEPENDENCE}::test_what_only_a_second_episode_shows_decides_nothing",),
    ),
    "independence: the length of a second episode does not count": Mutant(
        "wrappers/gate/forgetting.py",
        'return "" if len(runs[0]) == len(runs[1]) else "at its end"',
        'return ""',
        (f"{INDEPENDENCE}::test_the_last_digits_of_an_earlier_episode_are_no_memory",),
    ),
    "normaliser: a model that lost its own is measured raw": Mutant(
        "wrappers/policies/view.py",
        "        check_seen_raw(policy)\n",
        "        pass\n",
        (f"{NORMALISERS}::test_a_model_that_lost_its_normaliser_is_refused",),
    ),
    "normaliser: a subclass is read as a VecNormalize": Mutant(
        "wrappers/policies/normaliser.py",
        'for name in ("normalize_obs", "_normalize_obs"):',
        "for name in ():",
        (f"{NORMALISERS}::test_a_normaliser_of_another_kind_is_not_read_as_one",),
    ),
    "verify: a certificate that lost its hash is valid": Mutant(
        CERTIFIES + "verify.py",
        "UNPROTECTED if certificate.schema == UNSEALED else certificate.why_broken",
        "certificate.why_broken",
        (SEAL,),
    ),
}
