"""A policy that never heard of disturbances, certified against them; a safe one is not refused."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import pytest
from disturbed_toys import IDLE, Ledge
from test_layout import ROOT

from safer_gym.conformance.certificate.record import Certificate
from safer_gym.conformance.certify import certify
from safer_gym.conformance.loading import load_policy
from safer_gym.conformance.report.certificate.tables import attacks_table

POLICY = ROOT / "examples" / "policies" / "cart-pole-sac.zip"


def test_a_plain_sac_on_cart_pole_fails_under_pushes() -> None:
    certificate = certify(
        load_policy(str(POLICY)).policy,
        lambda: gym.make("SaferGym/CartPole-v0"),
        requirement="P(cost > 0) <= 0.05 at disturbance eps = 0.3 under attacks",
        battery="quick",
        episodes=25,
    )
    assert certificate.verdict == "FAIL"
    (row,) = certificate.rows
    for attack in row.attacks:
        assert len(attack.worst_h) == attack.n
        assert attack.violations == sum(h < 0 for h in attack.worst_h)
    again = Certificate.from_json(certificate.to_json())
    assert again == certificate
    table = attacks_table(certificate.to_json())
    assert table.head[-1] == "worst h"
    assert float(table.rows[0][-1]) == pytest.approx(min(row.attacks[0].worst_h), abs=1e-3)


@pytest.mark.slow
def test_drac_with_its_shield_passes_where_a_plain_sac_fails() -> None:
    certificate = certify(
        load_policy("cart-pole/drac-shield").policy,
        lambda: gym.make("SaferGym/CartPole-v0"),
        requirement="P(cost > 0) <= 0.05 at disturbance eps = 0.3 under attacks",
        battery="quick",
        episodes=125,
    )
    assert certificate.verdict == "PASS"
    assert all(attack.violations == 0 for attack in certificate.rows[0].attacks)


def test_who_reports_no_h_has_no_column_of_it() -> None:
    class Mute(Ledge):
        def _info(self) -> dict[str, Any]:
            return {"cost": super()._info()["cost"]}

    for make_env, has_h in ((Ledge, True), (Mute, False)):
        certificate = certify(
            IDLE, make_env, eps=0.1, limit=0.0, channel="disturbance", battery="quick",
            modes=("deterministic",), episodes=25,
        )  # fmt: skip
        text = certificate.to_json()["rows"][0]["attacks"][0]
        assert ("worst_h" in text) == has_h
        assert ("worst h" in attacks_table(certificate.to_json()).head) == has_h
