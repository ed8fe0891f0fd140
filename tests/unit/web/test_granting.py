"""Services and what goes wrong on the way, by the steps that pages and commands share; the keeper is real."""

import pytest
from tests.unit.web.people import console, copied
from tests.unit.web.test_people_pages import Site

from oathward import granting
from oathward.core.clock import micros
from oathward.core.db import read, write
from oathward.core.errors import InputError, KeeperError
from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.people import granted_sql, views
from oathward.policy.people import Service
from oathward.vault.authority import Seen, trust_anchor
from oathward.vault.keeper.proof import console_proof
from oathward.vault.opened import Opened

FEED = Service(
    id="hr-feed",
    name="Staff register",
    owner="anna",
    roles=frozenset({Role.PROVISIONER}),
    certificate="ab" * 32,
)


class Office:
    """A founded site as a page has it: Ida and Priya propose, Sam approves."""

    def __init__(self, site: Site) -> None:
        self.site, house = site, site.house
        site.person("ida", "Ida Engineer", Role.INTEGRATION_ENGINEER)
        self.anchor = trust_anchor(site.settings)
        self.opened = Opened(
            site.settings, "app", site.engine, house.time.clock, house.app, self.anchor, Seen()
        )
        self.windows = {who: site.as_(who) for who in ("ida", "priya", "sam")}

    @property
    def now(self) -> int:
        return micros(self.site.house.time.clock.now())

    def as_(self, who):
        return {"now_us": self.now, "proof": console_proof(self.windows[who].session)}

    def service(self, **more):
        return granting.propose_service(
            self.opened, Service(**{**fields(FEED), **more}), why="staff", **self.as_("ida")
        )

    def services(self):
        with read(self.opened.engine) as db:
            return views.services(db, self.opened.site, views.Reader(self.anchor, Seen(), self.now))

    def kept(self) -> bool:
        with read(self.opened.engine) as db:
            return granted_sql.any_proposed(db, self.opened.site)


def fields(service: Service):
    return {name: getattr(service, name) for name in Service.__dataclass_fields__}


@pytest.fixture
def office(prepared, tmp_path):
    with console(copied(prepared.settings.data, tmp_path / "site")) as (house, browser):
        yield Office(Site(house.settings, house, browser))


def test_a_service_takes_two_people_and_ends_the_same_way(office):
    made = office.service()
    [row] = granting.waiting(office.opened, **office.as_("sam"))
    assert row.words == (
        "Staff register becomes provisioner; Anna Berg answers for it; it proves itself by its certificate",
    )
    with pytest.raises(KeeperError) as error:
        granting.approve(office.opened, made.id, **office.as_("ida"))
    assert error.value.reason in {Reason.ACCESS_OWN, Reason.ACCESS_ROLE}
    granting.approve(office.opened, made.id, **office.as_("sam"))
    [one] = office.services()
    assert (one.alive, one.proposer, one.approver) == (True, "ida", "sam")
    assert not office.kept()
    token = office.site.house.people.service_certificate("ab" * 32, "192.0.2.7")[0]
    assert token
    office.site.house.time.pass_(seconds=60)
    ended = office.service(state="left")
    granting.approve(office.opened, ended.id, **office.as_("sam"))
    assert [view.alive for view in office.services()] == [False]
    with pytest.raises(KeeperError):
        office.site.house.people.service_certificate("ab" * 32, "192.0.2.7")


@pytest.mark.parametrize(
    ("change", "where", "reason"),
    [
        ({"owner": "nobody"}, "owner", Reason.NOT_FOUND),
        ({"roles": frozenset({Role.KEY_HOLDER})}, "role", Reason.ROLES_APART),
        ({"certificate": ""}, "certificate", Reason.INPUT_INVALID),
    ],
)
def test_a_service_that_cannot_be_is_refused_and_leaves_nothing(office, change, where, reason):
    with pytest.raises(InputError) as error:
        office.service(**change)
    assert (error.value.where, error.value.reason) == (where, reason)
    assert not office.kept()


def test_what_the_keeper_refuses_leaves_nothing(office):
    with pytest.raises(KeeperError) as error:
        granting.propose_role(office.opened, "anna", Role.CLINICIAN, why="x", **office.as_("sam"))
    assert error.value.reason is Reason.ACCESS_ROLE
    assert not office.kept()
    assert granting.waiting(office.opened, **office.as_("sam")) == []


def test_a_body_that_somebody_changed_is_never_signed(office):
    made = granting.propose_role(office.opened, "anna", Role.CLINICIAN, why="nurse", **office.as_("priya"))
    with write(office.opened.engine) as db:
        db.exec_driver_sql(
            "UPDATE person_proposal SET body = CAST(replace(CAST(body AS TEXT), 'clinician', 'administrator') AS BLOB)"
        )
    [row] = granting.waiting(office.opened, **office.as_("sam"))
    assert not row.readable
    with pytest.raises(KeeperError) as error:
        granting.approve(office.opened, made.id, **office.as_("sam"))
    assert error.value.reason is Reason.CONFLICT
    assert office.site.roles("anna") == []


def test_what_was_approved_and_not_stored_is_finished_by_either_of_the_two(office, monkeypatch):
    made = granting.propose_role(office.opened, "anna", Role.CLINICIAN, why="nurse", **office.as_("priya"))
    with monkeypatch.context() as broken:
        broken.setattr(granting, "_finish", lambda *_: None)
        granting.approve(office.opened, made.id, **office.as_("sam"))
    assert office.site.roles("anna") == []
    assert [row.proposal.state for row in granting.waiting(office.opened, **office.as_("sam"))] == [
        "approved"
    ]
    granting.approve(office.opened, made.id, **office.as_("priya"))
    assert office.site.roles("anna") == [Role.CLINICIAN]


def test_of_two_proposals_from_one_state_the_second_is_refused(office):
    first = granting.propose_role(office.opened, "anna", Role.CLINICIAN, why="nurse", **office.as_("priya"))
    second = granting.propose_role(
        office.opened, "anna", Role.CLINICAL_ENGINEER, why="pumps", **office.as_("priya")
    )
    granting.approve(office.opened, first.id, **office.as_("sam"))
    with pytest.raises(KeeperError) as error:
        granting.approve(office.opened, second.id, **office.as_("sam"))
    assert error.value.reason is Reason.CONFLICT
    assert office.site.roles("anna") == [Role.CLINICIAN]


def test_no_proposal_is_not_found(office):
    with pytest.raises(InputError) as error:
        granting.approve(office.opened, "no-such", **office.as_("sam"))
    assert error.value.reason is Reason.NOT_FOUND
