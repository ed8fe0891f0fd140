"""Ways round two people, and round what one may alone, that somebody tried: each is refused, with the reason."""

import hashlib
from dataclasses import replace

import orjson
import pytest
from sqlalchemy import delete
from tests import founded
from tests.founded import bundle_body, proposal
from tests.unit.vault.keeper.test_changes import Site
from tests.unit.vault.keeper.test_opening import refused
from tests.unit.vault.sites import asking

from oathward.core.db import write
from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.policy.people import GRANT, PERSON, SERVICE, Grant, Person, RoleGrant, Service
from oathward.vault.authority import authority
from oathward.vault.keeper.changing import apart, changes
from oathward.vault.keeper.proof import Person as Named
from oathward.vault.keeper.proof import console_proof, service_proof
from oathward.vault.keeper.sign_in import accounts, enrolling
from oathward.vault.keeper.sign_in.sessions import Visitor

DAY_US = 86_400_000_000
ISSUER = "https://id.hospital.example"
ADAM = Named("adam", "a test")


@pytest.fixture
def people(site, admin):
    return Site(site, admin)


def in_force(people, *texts):
    for text in texts:
        body, document = people.bundle(text)
        people.through(document, body, "ines", "paul")


def emergency(people, text="cut"):
    body, document = people.bundle(text, emergency=True)
    one = people.changes.propose(document, people.as_("sara"))
    founded.store(people.engine, people.changes.sign(one.id, [body], people.as_("sara")))
    return one


def own_record(people, who, subject):
    one = Person(id=who, name=who.title(), number=f"n-{who}", sign_ins=frozenset({(ISSUER, subject)}))
    signed = people.changes.sign_people([(PERSON, who, 0, one.body())], people.as_("adam"))
    founded.store(people.engine, signed)


# --- a captured console, before there are people


@pytest.mark.parametrize("kind", ["bundle", "grant", "service", "consent", "device"])
def test_before_there_are_people_the_console_has_nothing_but_persons_signed(site, admin, kind):
    keeper = admin._transport._keeper
    secret, _ = keeper.sessions.open(Visitor(name="ada", by="link", always_fresh=True), keeper.now_us())
    with asking(site, "app") as app:
        wanted = [(kind, "active", 0, bundle_body("a"))]
        got = refused(lambda: app.changes.sign_people(wanted, console_proof(secret)))
    assert got is Reason.NOT_PERMITTED


def test_before_there_are_people_nothing_is_taken_back_by_the_console(site, admin):
    keeper = admin._transport._keeper
    secret, _ = keeper.sessions.open(Visitor(name="ada", by="link", always_fresh=True), keeper.now_us())
    with asking(site, "app") as app:
        assert refused(lambda: app.changes.roll_back("x", console_proof(secret))) is Reason.NOT_PERMITTED


# --- who may be one of two


def test_who_was_let_in_to_look_is_neither_of_two(people):
    def looks(who):
        visitor = Visitor(name=who, by="link", person_id=who, acts=False, always_fresh=True)
        return console_proof(people.keeper.sessions.open(visitor, people.now_us)[0])

    in_force(people, "a", "b")
    body, document = people.bundle("c")
    assert refused(lambda: people.changes.propose(document, looks("ines"))) is Reason.NOT_PERMITTED
    one = people.changes.propose(document, people.as_("ines"))
    for act in (
        lambda: people.changes.approve(one.id, looks("paul")),
        lambda: people.changes.withdraw(one.id, "x", looks("ines")),
        lambda: people.changes.sign(one.id, [body], looks("ines")),
        lambda: people.changes.roll_back("x", looks("ines")),
    ):
        assert refused(act) is Reason.NOT_PERMITTED


def bot(people, id_="bot"):
    made = Service(
        id=id_, name="Bot", owner="paul", roles=frozenset({Role.INTEGRATION_ENGINEER}), jwk="a key"
    )
    people.through(proposal(SERVICE, [(id_, made.body())], base=0), made.body(), "adam", "sara")


def test_a_program_proposes_nothing(people):
    """Its owner would approve their own."""
    bot(people)
    key = hashlib.sha256(b"a key").hexdigest()
    visitor = Visitor(name="Bot", by="assertion", person_id="bot", kind="service", key=key)
    token, _ = people.keeper.sessions.open(visitor, people.now_us)
    _, document = people.bundle()
    with asking(people.settings, "app") as app:
        got = refused(lambda: app.changes.propose(document, service_proof(token)))
    assert got is Reason.NOT_PERMITTED


def test_a_program_and_a_person_have_ids_of_their_own(people):
    assert refused(lambda: bot(people, "ines")) is Reason.INPUT_INVALID
    bot(people)
    rows = [(PERSON, "bot", 0, Person(id="bot", name="Bot").body())]
    assert refused(lambda: people.changes.sign_people(rows, people.as_("adam"))) is Reason.INPUT_INVALID


def test_a_proposer_who_lost_the_role_since_proposed_nothing(people, monkeypatch):
    body, document = people.bundle()
    one = people.changes.propose(document, people.as_("ines"))
    people.changes.approve(one.id, people.as_("paul"))
    people.take("ines")
    assert refused(lambda: people.changes.sign(one.id, [body], people.as_("sara"))) is Reason.ACCESS_ROLE
    monkeypatch.setattr(apart, "_check_proposer", lambda *_: None)
    assert people.changes.sign(one.id, [body], people.as_("sara")), "the other way round"


HINDSIGHT = {
    "a role since before": lambda now, old: (*old, RoleGrant(Role.SECURITY_ANALYST, now - 40 * DAY_US)),
    "no role since before": lambda now, old: (RoleGrant(old[0].role, old[0].from_us, now - 40 * DAY_US),),
}


@pytest.mark.parametrize("name", HINDSIGHT)
def test_nothing_is_granted_in_hindsight(people, name):
    """Whoever had no role when it was proposed, or held keys then, would be a second for it."""
    who = "clara" if name == "a role since before" else "kim"
    body = Grant(who, HINDSIGHT[name](people.now_us, people.keeper_grant(who).roles)).body()
    document = proposal(GRANT, [(who, body)], base=1)
    assert refused(lambda: people.through(document, body, "adam", "prue")) is Reason.INPUT_INVALID


# --- an administrator who could be two others


@pytest.fixture
def provided(people):
    settings = people.keeper.settings
    people.keeper.settings = replace(settings, oidc=replace(settings.oidc, issuer=ISSUER))
    return people


def reset(people, who):
    accounts.reset(people.keeper, ADAM, Person(id=who, name=who))


def invite(people, who):
    known = Person(id=who, name=who, sign_ins=frozenset({(ISSUER, f"sub-{who}")}))
    accounts.invite(people.keeper, ADAM, known)


def add_sign_in(people, who):
    own_record(people, who, f"adams-{who}")


LET_IN = {"reset": reset, "invited beside the provider": invite, "a sign-in added": add_sign_in}


@pytest.mark.parametrize("second", LET_IN)
@pytest.mark.parametrize("first", LET_IN)
def test_whoever_could_be_both_is_not_two_people(provided, monkeypatch, first, second):
    people = provided
    LET_IN[first](people, "ines")
    LET_IN[second](people, "paul")
    _, document = people.bundle()
    one = people.changes.propose(document, people.as_("ines"))
    assert refused(lambda: people.changes.approve(one.id, people.as_("paul"))) is Reason.ACCESS_OWN
    assert people.changes.approve(one.id, people.as_("sara")).state == "approved", "nobody else is stopped"
    monkeypatch.setattr(accounts, "LET_IN_US", 0)
    again = people.changes.propose(people.bundle()[1], people.as_("ines"))
    assert people.changes.approve(again.id, people.as_("paul")).state == "approved", "the other way round"


@pytest.mark.parametrize("how", LET_IN)
def test_whoever_let_the_second_in_is_not_the_first(provided, how):
    people = provided
    LET_IN[how](people, "paul")
    _, document = people.bundle()
    one = people.changes.propose(document, people.as_("adam"))
    assert refused(lambda: people.changes.approve(one.id, people.as_("paul"))) is Reason.ACCESS_OWN


def test_a_record_that_lets_nobody_in_stands_in_nobodys_way(provided):
    people = provided
    for who in ("ines", "paul"):
        one = Person(id=who, name=who.title(), number=f"n-{who}", mail=f"{who}@hospital.example")
        signed = people.changes.sign_people([(PERSON, who, 0, one.body())], people.as_("adam"))
        founded.store(people.engine, signed)
    in_force(people, "a")


# --- records of people

NO_RECORD = {
    "neither here nor gone": ("state", "gone"),
    "a beginning that is no time": ("since_us", "0"),
    "a beginning that is yes or no": ("since_us", False),
    "a name that is a number": ("name", 5),
    "a mail that is a table": ("mail", {"a": 1}),
    "a unit that is a number": ("units", [1]),
    "products that are one text": ("makes", "Acme"),
    "sign-ins that are a text": ("sign_ins", "ab"),
}


@pytest.mark.parametrize("name", NO_RECORD)
def test_a_record_of_a_person_has_its_form(people, name):
    field, value = NO_RECORD[name]
    row = orjson.loads(Person(id="clara", name="Clara").body()) | {field: value}
    rows = [(PERSON, "clara", 0, orjson.dumps(row, option=orjson.OPT_SORT_KEYS))]
    assert refused(lambda: people.changes.sign_people(rows, people.as_("adam"))) is Reason.INPUT_INVALID


def test_who_left_comes_back_without_the_roles_of_before_by_no_third_state(people):
    people.leave("prue")
    old = Person(id="prue", name="Prue", number="n-prue")
    for state in ("gone", "active"):
        rows = [(PERSON, "prue", 0, replace(old, state=state).body())]
        assert refused(lambda: people.changes.sign_people(rows, people.as_("adam"))) is Reason.INPUT_INVALID  # noqa: B023  called at once


# --- one step back, and no further


def test_rows_that_are_gone_lead_to_no_older_policy(people):
    in_force(people, "wide", "narrow", "narrower")
    with write(people.engine) as db:
        db.execute(delete(authority).where(authority.c.kind == "bundle", authority.c.version == 2))
    assert refused(lambda: people.changes.roll_back("to the first", people.as_("ines"))) is Reason.NOT_FOUND


def test_rows_that_are_gone_lead_to_no_older_policy_after_a_step_back(people):
    in_force(people, "wide", "narrow", "narrower")
    back = people.changes.roll_back("to the second", people.as_("ines"))
    founded.store(people.engine, [back])
    with write(people.engine) as db:
        db.execute(delete(authority).where(authority.c.kind == "bundle", authority.c.version.in_((2, 3))))
    assert refused(lambda: people.changes.roll_back("to the first", people.as_("ines"))) is Reason.NOT_FOUND


def test_with_the_books_off_an_older_policy_comes_back(people, monkeypatch):
    in_force(people, "wide", "narrow", "narrower")
    with write(people.engine) as db:
        db.execute(delete(authority).where(authority.c.kind == "bundle", authority.c.version == 2))
    monkeypatch.setattr(changes, "_made", lambda *_: None)
    assert people.changes.roll_back("to the first", people.as_("ines")).body == bundle_body("wide")


@pytest.mark.parametrize("who", ["sara", "ines"])
def test_an_emergency_that_was_taken_back_comes_back_by_nobody_alone(people, who):
    in_force(people, "a")
    emergency(people)
    founded.store(people.engine, [people.changes.roll_back("undo", people.as_("paul"))])
    assert refused(lambda: people.changes.roll_back("redo", people.as_(who))) is Reason.CONFLICT


def test_an_emergency_that_was_assessed_may_come_back(people):
    in_force(people, "a")
    one = emergency(people)
    people.changes.approve(one.id, people.as_("paul"))
    founded.store(people.engine, [people.changes.roll_back("undo", people.as_("ines"))])
    assert people.changes.roll_back("redo", people.as_("ines")).body == bundle_body("cut")


# --- an invitation that was replaced


@pytest.mark.parametrize("replaced", [True, False])
def test_an_invitation_that_was_replaced_sets_no_password(people, replaced):
    clara = Person(id="clara", name="Clara", mail="clara@hospital.example")
    step = enrolling.begin(people.keeper, None, accounts.invite(people.keeper, ADAM, clara), "")

    def set_password():
        return enrolling.password(people.keeper, None, "long violet kettle sings 93", step["pending"])

    if replaced:
        accounts.invite(people.keeper, ADAM, clara)
        assert refused(set_password) is Reason.SIGN_IN_REFUSED
        assert not accounts.factors(people.keeper.store, "clara")
    else:
        assert set_password()["state"] == "enrol"
