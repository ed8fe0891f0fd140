"""A plan is found again by all that it is made of."""

from dataclasses import replace

from tests.unit.policy.small import bundle

from oathward.deid.plan import HL7V2
from oathward.plans import Plans


def test_a_link_that_changed_has_another_plan():
    """A message that is on its way while a bundle becomes active still holds the link of the one before."""
    [link] = [link for link in bundle().links.values() if link.for_care and link.recipient != "keep"][:1]
    plans = Plans()
    before = plans.of(HL7V2, replace(link, uncatalogued="pass"), link.profile, link.classes)
    after = plans.of(HL7V2, replace(link, uncatalogued="hold"), link.profile, link.classes)
    assert before.plan is not after.plan
    assert plans.of(HL7V2, replace(link, uncatalogued="pass"), link.profile, link.classes) is before
