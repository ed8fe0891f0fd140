"""Protection follows from class × crossing × exposure; a link below its minimum does not activate."""

from dataclasses import replace

import pytest
from tests.unit.policy import small

from oathward.policy.model import PROTECTION, Recipient, Tls
from oathward.policy.protection import Protection, Rule

MUTUAL = Tls("ca.pem", "c.pem", "c.key")
ONE_WAY = Tls("ca.pem")
ZONES = {"here": "internal", "near": "internal", "lab": "partner", "cloud": "internet"}
LINK = replace(
    small.bundle().links["ehr"], min_protection="none", classes=frozenset({"patient.name", "structure"})
)


@pytest.mark.parametrize(
    ("kind", "tls", "key", "level"),
    [
        ("mllp", None, None, "none"),
        ("mllp", None, small.KEY, "tls"),
        ("mllps", ONE_WAY, None, "tls"),
        ("mllps", ONE_WAY, small.KEY, "tls"),
        ("mllps", MUTUAL, None, "mtls"),
        ("mllps", MUTUAL, small.KEY, "mtls+e2e"),
        ("file", None, None, "none"),
        ("file", None, small.KEY, "mtls+e2e"),
    ],
)
def test_what_a_transport_gives(kind, tls, key, level):
    assert Recipient("r", "R", kind, "here", tls=tls, public_key=key).protection == level


@pytest.mark.parametrize(
    ("crossing", "exposure", "zone", "fires"),
    [
        ("any", "any", "here", True), ("same", "any", "here", True), ("same", "any", "near", False),
        ("other", "any", "here", False), ("other", "any", "near", True), ("other", "partner", "lab", True),
        ("other", "internet", "lab", False), ("any", "internet", "cloud", True), ("any", "internal", "unheard-of", False),
        ("any", "internet", "unheard-of", True),
    ],
)  # fmt: skip
def test_when_a_rule_fires(crossing, exposure, zone, fires):
    rule = Rule(frozenset({"patient.name"}), crossing, exposure, "mtls+e2e", "p:1")
    needed, why, missing = Protection("here", ZONES, (rule,)).minimum(LINK, Recipient("r", "R", "mllp", zone))
    assert needed == ("mtls+e2e" if fires else "none")
    assert why == (rule if fires else None)
    assert missing == {"structure"} | (set() if fires else {"patient.name"})


@pytest.mark.parametrize("own", PROTECTION)
@pytest.mark.parametrize("table", PROTECTION)
def test_the_strongest_minimum_counts(own, table):
    rules = (Rule(LINK.classes, "any", "any", "none"), Rule(frozenset({"structure"}), "any", "any", table))
    needed, _, missing = Protection("here", ZONES, rules).minimum(
        replace(LINK, min_protection=own), Recipient("r", "R", "mllp", "here")
    )
    assert PROTECTION.index(needed) == max(PROTECTION.index(own), PROTECTION.index(table))
    assert not missing
