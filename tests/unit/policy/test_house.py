"""What the people of this house see by labels alone: very restricted stays shut until the glass is broken, and so does what is not known."""

from dataclasses import replace

import pytest
from tests.unit.policy.small import FACTS

from oathward.core.labels import Confidentiality
from oathward.policy import house

NOW_US = 1_800_000_000_000_000
PLAIN = replace(
    FACTS,
    consents=(),
    codes_present=frozenset(),
    sensitivity=frozenset(),
    classes_present=frozenset({"observation.value"}),
)


@pytest.mark.parametrize("label", list(Confidentiality))
def test_everything_up_to_restricted_is_shown_and_very_restricted_is_not(label):
    shown = house.shows(replace(PLAIN, confidentiality=label), NOW_US)
    assert shown is (label is not Confidentiality.V)


@pytest.mark.parametrize("unknown", ["confidentiality", "sensitivity", "classes_present", "consents"])
def test_what_is_not_known_is_withheld(unknown):
    fine = replace(PLAIN, confidentiality=Confidentiality.N)
    assert house.shows(fine, NOW_US)
    assert not house.shows(replace(fine, **{unknown: None}), NOW_US)
