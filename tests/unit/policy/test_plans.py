"""A plan is found again by all that it is made of."""

from dataclasses import replace

from tests.unit.policy.small import bundle

from oathward.deid.plan import HL7V2
from oathward.plans import Plans, permit_of, route_of, wire_of_type
from oathward.policy.model import Permit


def care_link():
    return next(link for link in bundle().links.values() if link.for_care and link.recipient != "keep")


def test_a_link_that_changed_has_another_plan():
    """A message that is on its way while a bundle becomes active still holds the link of the one before."""
    link, plans = care_link(), Plans()
    permit = Permit(link.id, link.classes, link.profile)
    before = plans.of(HL7V2, replace(link, uncatalogued="pass"), permit)
    after = plans.of(HL7V2, replace(link, uncatalogued="hold"), permit)
    assert before.plan is not after.plan
    assert plans.of(HL7V2, replace(link, uncatalogued="pass"), permit) is before


def test_what_is_withheld_is_part_of_what_was_planned():
    link, plans = care_link(), Plans()
    all_of_it = Permit(link.id, link.classes, link.profile)
    permits = [
        all_of_it,
        replace(all_of_it, withheld=frozenset({"LN|1"})),
        replace(all_of_it, only=frozenset({"LN|2"})),
        replace(all_of_it, only=frozenset()),
    ]
    planned = [plans.of(HL7V2, link, permit) for permit in permits]
    assert len({one.key for one in planned}) == 4
    assert len({id(one.plan) for one in planned}) == 1
    today = Permit(link.id, frozenset(), link.profile, basis=("link:other",))
    for permit, one in zip(permits, planned, strict=True):
        again = permit_of(one.body, today)
        assert (again.classes, again.withheld, again.only) == (permit.classes, permit.withheld, permit.only)
        assert again.basis == today.basis


def test_a_route_follows_from_the_messages_type_and_the_recipient():
    link = care_link()
    assert route_of(bundle(), link, wire_of_type("ORU^R01")) == HL7V2
    assert wire_of_type("FHIR^Observation") == "fhir"
    assert wire_of_type(None) == "hl7v2"
