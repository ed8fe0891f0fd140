"""Promises of the keeper about what a proxy is not shown: what the patient denies the house, under whichever of their numbers."""

import pytest
from tests.care import adt, peopled, person
from tests.site import Site, bundle, local
from tests.unit.vault.keeper.people import Direct
from tests.unit.vault.keeper.test_breaking import admitted, no, says, take
from tests.unit.vault.keeper.test_portal import HOME, MORE

from oathward.core.db import read
from oathward.core.ids import uuid7
from oathward.core.labels import Role
from oathward.core.phi import Phi
from oathward.vault import kept
from oathward.vault.authority import trust_anchor
from oathward.vault.keeper.client import Client
from oathward.vault.keeper.client.portal import holder_proof


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    site = Site.make(tmp_path_factory.mktemp("s"), more=MORE)
    site.activate(bundle({"ehr": "mllp://127.0.0.1:9"}))
    site.add(local("adt-1", "ADT1", kind="registration", authoritative_adt=True), local("mon-1", "MON1"))
    with peopled(site, [(person("p-privacy"), [Role.PRIVACY_OFFICER])]) as found:
        found.client = Client(Direct(found.keeper, "portal"), "portal", trust_anchor(site.settings))
        yield found


@pytest.fixture
def mrn():
    return f"7{uuid7().replace('-', '')[-9:]}".upper()


def proxy(world, subject):
    """Let a friend of the patient sign in; gives their proof."""
    address, portal = f"{uuid7()}@example.org", world.client.portal
    staff = world.enter("p-privacy")
    world.app.portal.invite(
        subject, Phi("Ben Lind"), Phi(address), staff, basis="wish", scope=("see", "request")
    )
    (letter,) = [one for one in world.app.portal.letters_take() if one.kind == "invitation"]
    world.app.portal.letter_settle(letter.id, sent=True)
    entry = portal.enrol_begin(letter.values.reveal()["key"], HOME)
    (code,) = [one for one in world.app.portal.letters_take() if one.kind == "code"]
    world.app.portal.letter_settle(code.id, sent=True)
    return holder_proof(portal.sign_in_code(entry.pending, code.values.reveal()["code"], HOME).secret)


def shown(world, subject, proof):
    """What a proxy sees on the page, and what a copy holds: messages, and whether there is a card."""
    with read(world.keeper.engine) as db:
        ids = kept.newest_ids(db, world.keeper.site, subject, limit=100)
    page = {one.message for one in world.client.portal.open(subject, ids, proof).originals}
    begun = world.client.asks.begin(
        subject, world.client.asks.request(subject, uuid7(), proof), "bundle", proof
    )
    copy = {one.message for part in world.client.asks.parts(begun) for one in part}
    assert begun.messages == len(copy), "what is withheld is not counted either: the record of it can be read"
    return page, copy, begun.card is not None


def test_a_proxy_sees_what_is_not_denied_and_nothing_of_what_is(world, mrn):
    subject, message = admitted(world, mrn)
    friend = proxy(world, subject)
    page, copy, card = shown(world, subject, friend)
    assert message in page & copy
    assert card
    says(world, subject, no())
    assert shown(world, subject, friend) == (set(), set(), False)


def test_what_is_denied_under_another_number_is_withheld_from_the_first_message_of_a_merge_on(world, mrn):
    subject, message = admitted(world, mrn)
    older = f"{mrn[:-1]}X"
    other, _ = admitted(world, older)
    says(world, other, no())
    friend = proxy(world, subject)
    assert message in shown(world, subject, friend)[0]
    take(world, adt("A40", said="20260504083000", mrn=mrn, mrg=older))
    assert shown(world, subject, friend) == (set(), set(), False)
