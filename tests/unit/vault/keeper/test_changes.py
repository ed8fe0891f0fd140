"""Two people for what takes two: every way round it that we could think of, with the reason that is given."""

import hashlib

import pyotp
import pytest
from tests import founded
from tests.founded import FIRST, bundle_body, proposal, signed_in, version_of
from tests.site import bundle as site_bundle
from tests.unit.vault.keeper.people import HERE, PASSWORD
from tests.unit.vault.keeper.test_opening import records, refused

from oathward.core.db import connect
from oathward.core.errors import KeeperError
from oathward.core.ids import uuid7
from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.policy.files import canonical
from oathward.policy.people import GRANT, PERSON, SERVICE, Grant, Person, RoleGrant, Service
from oathward.vault.keeper import roles
from oathward.vault.keeper.changing import apart, emergencies, lockout, papers, proposals
from oathward.vault.keeper.proof import admin_proof, console_proof, pending_proof
from oathward.vault.keeper.sign_in import accounts

PEOPLE = FIRST | {
    "prue": Role.PRIVACY_OFFICER,
    "kim": Role.KEY_HOLDER,
    "audra": Role.AUDITOR,
    "clara": Role.CLINICIAN,
}


class Site:
    """A founded site, its keeper in this process."""

    def __init__(self, settings, admin):
        self.admin, self.settings = admin, settings
        self.keeper = admin._transport._keeper
        self.engine = connect(settings.database_url)
        self.changes = admin.changes
        founded.found(admin, self.engine, self.now_us, PEOPLE)
        founded.register_first(self.keeper)

    @property
    def now_us(self):
        return self.keeper.now_us()

    def as_(self, person, **how):
        return signed_in(self.keeper, person, **how)

    def bundle(self, text="a", **more):
        body = bundle_body(text)
        founded.keep(self.engine, self.keeper.site, body)
        return body, proposal(
            "bundle", [("active", body)], base=version_of(self.keeper, "bundle", "active"), **more
        )

    def grant(self, person, *roles, until_us=None):
        body = Grant(person, tuple(RoleGrant(role, self.now_us, until_us) for role in roles)).body()
        old = self.keeper_grant(person)
        if old is not None:
            body = Grant(person, (*old.roles, *(RoleGrant(r, self.now_us, until_us) for r in roles))).body()
        return body, proposal(GRANT, [(person, body)], base=version_of(self.keeper, GRANT, person))

    def keeper_grant(self, person):
        return roles.grant_of(self.keeper, person)

    def take(self, person):
        """Take every role of a person away, by two others."""
        old = self.keeper_grant(person)
        body = Grant(person, tuple(RoleGrant(r.role, r.from_us, self.now_us) for r in old.roles)).body()
        self.through(
            proposal(GRANT, [(person, body)], base=version_of(self.keeper, GRANT, person)),
            body,
            "adam",
            "prue" if person != "prue" else "paul",
        )

    def through(self, document, body, proposer, approver):
        one = self.changes.propose(document, self.as_(proposer))
        self.changes.approve(one.id, self.as_(approver))
        founded.store(self.engine, self.changes.sign(one.id, [body], self.as_(approver)))
        return one

    def leave(self, person):
        gone = Person(id=person, name=person.capitalize(), number=f"n-{person}", state="left")
        founded.store(
            self.engine, self.changes.sign_people([(PERSON, person, 0, gone.body())], self.as_("adam"))
        )


@pytest.fixture
def site(site, admin):
    return Site(site, admin)


def test_two_people_change_the_policy_and_it_is_on_record(site):
    body, document = site.bundle()
    one = site.changes.propose(document, site.as_("ines"))
    assert (one.state, one.proposer) == ("proposed", "ines")
    assert site.changes.approve(one.id, site.as_("paul")).state == "approved"
    (signed,) = site.changes.sign(one.id, [body], site.as_("ines"))
    founded.store(site.engine, [signed])
    assert (signed.version, signed.body) == (1, body)
    assert site.changes.one(one.id, site.as_("audra")).state == "signed"
    kinds = ["change.proposed", "change.approved", "change.signed"]
    told = [r["body"] for r in records(site.settings, *kinds)]
    assert [r["person"] for r in told] == ["ines", "paul", "ines"]
    assert told[0]["digest"] == hashlib.sha256(document).hexdigest()
    approvals = records(site.settings, "authority.signed")[-1]["body"]["approvals"]
    assert approvals == ["ines", "paul"]


ROUND_IT = {
    "one's own": ("paul", "paul", Reason.ACCESS_OWN),
    "a role that may not approve": ("ines", "clara", Reason.ACCESS_ROLE),
    "an auditor": ("ines", "audra", Reason.ACCESS_ROLE),
    "an administrator": ("ines", "adam", Reason.ACCESS_ROLE),
    "a key holder": ("ines", "kim", Reason.ACCESS_ROLE),
    "the proposer's colleague, of the same role": ("ines", "ines", Reason.ACCESS_OWN),
}


@pytest.mark.parametrize("name", ROUND_IT)
def test_who_may_not_be_the_second(site, name):
    proposer, approver, reason = ROUND_IT[name]
    _, document = site.bundle()
    one = site.changes.propose(document, site.as_(proposer))
    got = refused(lambda: site.changes.approve(one.id, site.as_(approver)))
    assert got in {reason, Reason.ACCESS_ROLE}
    assert site.changes.one(one.id, site.as_("audra")).state == "proposed"


def test_a_name_is_nobody_on_a_site_with_people(site):
    """The command line, too: whoever reaches the admin socket could say any name."""
    _, document = site.bundle()
    name = admin_proof("paul")
    one = site.changes.propose(document, site.as_("ines"))
    for act in (
        lambda: site.changes.propose(document, name),
        lambda: site.changes.approve(one.id, name),
        lambda: site.admin.sign_authority("bundle", "active", 0, b"{}", [name]),
        lambda: site.admin.sign_authority("bundle", "active", 0, b"{}", [name, admin_proof("sara")]),
        lambda: site.admin.sign_authority(GRANT, "ines", 0, Grant("ines").body(), [name]),
        lambda: site.admin.rotate_site_key(name),
        lambda: site.admin.erase("s-1", "test", name),
        lambda: site.admin.back_up(name),
        lambda: site.admin.certify("device", ["d"], b"x", name),
        lambda: site.admin.restart_checkpoints([name, admin_proof("sara")]),
    ):
        assert refused(act) in {Reason.ACCESS_SIGN_IN, Reason.NOT_PERMITTED}


def test_what_takes_two_is_signed_for_nobody_alone(site):
    body, _ = site.bundle()
    for person in ("ines", "paul", "sara", "adam"):
        proof = site.as_(person)
        assert (
            refused(lambda proof=proof: site.admin.sign_authority("bundle", "active", 0, body, [proof]))
            is Reason.NOT_PERMITTED
        )
        assert (
            refused(lambda proof=proof: site.changes.sign_people([("bundle", "active", 0, body)], proof))
            is Reason.NOT_PERMITTED
        )
        grant = Grant(person, (RoleGrant(Role.PRIVACY_OFFICER, site.now_us),)).body()
        assert (
            refused(
                lambda proof=proof, person=person, grant=grant: site.changes.sign_people(
                    [(GRANT, person, 0, grant)], proof
                )
            )
            is Reason.NOT_PERMITTED
        )


def test_not_approved_is_not_signed(site):
    body, document = site.bundle()
    one = site.changes.propose(document, site.as_("paul"))
    assert refused(lambda: site.changes.sign(one.id, [body], site.as_("paul"))) is Reason.CONFLICT
    site.changes.withdraw(one.id, "no", site.as_("sara"))
    assert site.changes.one(one.id, site.as_("audra")).state == "refused"
    assert refused(lambda: site.changes.approve(one.id, site.as_("sara"))) is Reason.CONFLICT


def test_other_bytes_than_were_approved_are_not_signed(site):
    body, document = site.bundle()
    one = site.changes.propose(document, site.as_("ines"))
    site.changes.approve(one.id, site.as_("paul"))
    other = canonical({"README.md": b"another"})
    for bodies in ([other], [body, body]):
        assert (
            refused(lambda bodies=bodies: site.changes.sign(one.id, bodies, site.as_("ines")))
            is Reason.CONFLICT
        )


def test_a_proposal_is_signed_once_and_only_from_the_version_it_starts_from(site):
    body, document = site.bundle("a")
    rival_body, rival = site.bundle("b")
    second = site.changes.propose(rival, site.as_("ines"))
    site.changes.approve(second.id, site.as_("sara"))
    one = site.through(document, body, "ines", "paul")
    assert refused(lambda: site.changes.sign(one.id, [body], site.as_("paul"))) is Reason.CONFLICT
    assert refused(lambda: site.changes.sign(second.id, [rival_body], site.as_("ines"))) is Reason.CONFLICT


def test_a_role_got_after_the_proposal_does_not_count_for_it(site):
    """A role changed half-way: clara is made a security analyst in order to approve."""
    body, document = site.bundle()
    one = site.changes.propose(document, site.as_("ines"))
    granted, role = site.grant("clara", Role.SECURITY_ANALYST)
    site.through(role, granted, "adam", "paul")
    assert refused(lambda: site.changes.approve(one.id, site.as_("clara"))) is Reason.ACCESS_ROLE
    site.changes.withdraw(one.id, "again", site.as_("ines"))
    later = site.changes.propose(site.bundle("c")[1], site.as_("ines"))
    assert site.changes.approve(later.id, site.as_("clara")).state == "approved"
    assert body


def test_a_role_lost_before_the_signing_counts_no_more(site):
    body, document = site.bundle()
    one = site.changes.propose(document, site.as_("ines"))
    site.changes.approve(one.id, site.as_("sara"))
    site.take("sara")
    assert refused(lambda: site.changes.sign(one.id, [body], site.as_("ines"))) is Reason.ACCESS_ROLE


@pytest.mark.parametrize("gone", ["ines", "sara"])
def test_who_left_before_the_signing_counts_no_more(site, gone):
    body, document = site.bundle()
    one = site.changes.propose(document, site.as_("ines"))
    site.changes.approve(one.id, site.as_("sara"))
    site.leave(gone)
    assert refused(lambda: site.changes.sign(one.id, [body], site.as_("paul"))) is Reason.NOT_PERMITTED


def test_a_session_of_somebody_who_left_is_nobodys(site):
    proof = site.as_("sara")
    _, document = site.bundle()
    one = site.changes.propose(document, site.as_("ines"))
    site.leave("sara")
    assert refused(lambda: site.changes.approve(one.id, proof)) is Reason.NOT_PERMITTED


def test_a_key_holder_since_the_proposal_is_no_second(site):
    """Approver and key holder are two people; handing the keys back a moment before does not help."""
    granted, role = site.grant("kim", Role.CLINICIAN)
    site.through(role, granted, "adam", "paul")
    _, document = site.bundle()
    one = site.changes.propose(document, site.as_("ines"))
    site.take("kim")
    assert refused(lambda: site.changes.approve(one.id, site.as_("kim"))) is Reason.ACCESS_ROLE


def test_nobody_decides_about_themselves(site):
    body, document = site.grant("sara", Role.INTEGRATION_ENGINEER)
    assert refused(lambda: site.changes.propose(document, site.as_("sara"))) in {
        Reason.ACCESS_OWN,
        Reason.ACCESS_ROLE,
    }
    one = site.changes.propose(document, site.as_("adam"))
    assert refused(lambda: site.changes.approve(one.id, site.as_("sara"))) is Reason.ACCESS_OWN
    site.changes.approve(one.id, site.as_("paul"))
    founded.store(site.engine, site.changes.sign(one.id, [body], site.as_("paul")))


CONFLICTING = {
    "administrator and auditor": ("adam", Role.AUDITOR),
    "auditor and administrator": ("audra", Role.ADMINISTRATOR),
    "key holder and privacy officer": ("kim", Role.PRIVACY_OFFICER),
    "privacy officer and key holder": ("prue", Role.KEY_HOLDER),
    "nobody is granted setup": ("clara", Role.SETUP),
    "nobody is granted provisioner": ("clara", Role.PROVISIONER),
}


@pytest.mark.parametrize("name", CONFLICTING)
def test_roles_that_nobody_may_hold_together_are_not_signed(site, name):
    person, role = CONFLICTING[name]
    body, document = site.grant(person, role)
    proposer = "paul" if person == "adam" else "adam"
    one = site.changes.propose(document, site.as_(proposer))
    site.changes.approve(one.id, site.as_("sara"))
    assert refused(lambda: site.changes.sign(one.id, [body], site.as_("sara"))) is Reason.INPUT_INVALID


def test_who_made_an_account_anew_is_not_its_owners_first(site):
    """Whoever reset somebody's account could be signing in as them."""
    row = ("paul", "paul", b"handle", 1, 1, "ines")
    with site.keeper.store.transaction():
        site.keeper.store.rows(f"INSERT INTO account VALUES ({', '.join('?' * len(row))})", *row)
    assert accounts.inviter_of(site.keeper, "paul") == "ines"
    _, document = site.bundle()
    one = site.changes.propose(document, site.as_("ines"))
    assert refused(lambda: site.changes.approve(one.id, site.as_("paul"))) is Reason.ACCESS_OWN
    assert site.changes.approve(one.id, site.as_("prue")).state == "approved"


def enrol(site, key):
    """Use an invitation; whoever has its key."""
    people = site.admin.people
    step = people.enrol_password(PASSWORD, people.enrol_begin(key, HERE).pending)
    pending = pending_proof(step.pending)
    secret, _ = people.enrol_totp_begin(pending)
    code = pyotp.TOTP(secret).at(site.now_us // 1_000_000)
    return console_proof(people.enrol_totp_finish(code, "", pending).secret)


def both_by_adam(site):
    """Adam invites two and uses both invitations; one of them another administrator had invited before."""
    people = site.admin.people
    if roles.actor_of(site.keeper, "clara").roles >= {Role.ADMINISTRATOR}:
        people.account_invite("paul", "", site.as_("clara"))
    keys = [people.account_invite(one, "", site.as_("adam")) for one in ("paul", "ines")]
    return [enrol(site, key) for key in keys]


def test_two_whom_one_person_let_in_are_not_two_where_another_could_have(site):
    body, document = site.grant("clara", Role.ADMINISTRATOR)
    site.through(document, body, "adam", "prue")
    paul, ines = both_by_adam(site)
    told_of = {
        r["body"]["person"]: r["body"]["invited_by"] for r in records(site.settings, "account.enrolled")
    }
    assert told_of == {"ines": "adam", "paul": "adam"}
    one = site.changes.propose(site.bundle()[1], ines)
    assert refused(lambda: site.changes.approve(one.id, paul)) is Reason.ACCESS_OWN
    key = site.admin.people.account_reset("paul", site.as_("clara"))
    assert site.changes.approve(one.id, enrol(site, key)).state == "approved", "the way out"


def test_at_the_signing_too(site):
    paul, ines = both_by_adam(site)
    body, document = site.bundle()
    one = site.changes.propose(document, ines)
    site.changes.approve(one.id, paul)
    granted, role = site.grant("clara", Role.ADMINISTRATOR)
    site.through(role, granted, "adam", "prue")
    assert refused(lambda: site.changes.sign(one.id, [body], ines)) is Reason.ACCESS_OWN


def test_a_site_with_one_administrator_goes_on(site):
    """The policy's review names the three."""
    paul, ines = both_by_adam(site)
    one = site.changes.propose(site.bundle()[1], ines)
    assert site.changes.approve(one.id, paul).state == "approved"


def test_who_replaced_anothers_invitation_is_remembered_until_the_next_is_used(site, monkeypatch):
    monkeypatch.setattr(apart, "_check_doors", lambda *_: None)  # this one alone
    body, document = site.grant("clara", Role.ADMINISTRATOR)
    site.through(document, body, "adam", "prue")
    both_by_adam(site)
    assert accounts.let_in_by(site.keeper, "paul") == {"adam"}
    assert accounts.let_in_by(site.keeper, "ines") == frozenset()
    monkeypatch.setattr(accounts, "LET_IN_US", 0)  # long ago
    assert accounts.let_in_by(site.keeper, "paul") == {"adam"}
    enrol(site, site.admin.people.account_reset("paul", site.as_("clara")))
    assert accounts.let_in_by(site.keeper, "paul") == frozenset()
    one = site.changes.propose(site.grant("kim", Role.CLINICIAN)[1], site.as_("adam"))
    assert site.changes.approve(one.id, site.as_("paul")).state == "approved"


def test_replacing_ones_own_does_not_hide_whose_was_replaced(site):
    body, document = site.grant("clara", Role.ADMINISTRATOR)
    site.through(document, body, "adam", "prue")
    people = site.admin.people
    people.account_invite("paul", "", site.as_("clara"))
    people.account_invite("paul", "", site.as_("adam"))
    enrol(site, people.account_invite("paul", "", site.as_("adam")))
    assert accounts.let_in_by(site.keeper, "paul") == {"adam"}


def test_an_old_proof_and_a_single_factor_are_told_so(site):
    _, document = site.bundle()
    one = site.changes.propose(document, site.as_("ines"))
    stale = site.as_("paul", fresh=False)
    assert refused(lambda: site.changes.approve(one.id, stale)) is Reason.ACCESS_STEP_UP
    weak = site.as_("paul", strong=False)
    assert refused(lambda: site.changes.approve(one.id, weak)) is Reason.ACCESS_FACTOR
    denied = records(site.settings, "access.denied")
    assert [r["body"]["why"] for r in denied] == ["access.step-up", "access.second-factor"]


def test_an_emergency_goes_first_and_is_assessed_by_another(site):
    body, document = site.bundle(emergency=True)
    assert refused(lambda: site.changes.propose(document, site.as_("ines"))) is Reason.ACCESS_ROLE
    one = site.changes.propose(document, site.as_("sara"))
    assert refused(lambda: site.changes.sign(one.id, [body], site.as_("paul"))) is Reason.ACCESS_OWN
    founded.store(site.engine, site.changes.sign(one.id, [body], site.as_("sara")))
    assert site.changes.one(one.id, site.as_("audra")).state == "unassessed"
    assert refused(lambda: site.changes.approve(one.id, site.as_("sara"))) is Reason.ACCESS_OWN
    assert site.changes.approve(one.id, site.as_("paul")).state == "assessed"


def about_people(site, content, **more):
    """A bundle with a policy about people, which its own tests pass."""
    body = canonical(site_bundle({}) | {"README.md": b"x", "people/off.cedar": content})
    founded.keep(site.engine, site.keeper.site, body)
    return body, proposal(
        "bundle", [("active", body)], base=version_of(site.keeper, "bundle", "active"), **more
    )


OFF = b'@id("off") @why("maintenance") forbid(principal, action%s, resource);'


def test_no_emergency_changes_what_people_may_do(site):
    site.through(*reversed(site.bundle()), "ines", "paul")
    body, document = about_people(site, OFF % b' == Action::"ledger.see"', emergency=True)
    one = site.changes.propose(document, site.as_("sara"))
    assert refused(lambda: site.changes.sign(one.id, [body], site.as_("sara"))) is Reason.EMERGENCY_TOO_WIDE


LOCKED = {
    "everything": b"",
    "approving": b' == Action::"policy.approve"',
    "whoever is a second person": b' in Action::"Approve"',
    "putting in force": b' == Action::"policy.activate"',
    "going back": b' == Action::"policy.rollback"',
    "proposing": b' == Action::"policy.propose"',
}


@pytest.mark.parametrize("name", LOCKED)
def test_two_people_do_not_lock_everybody_out_either(site, name):
    body, document = about_people(site, OFF % LOCKED[name])
    one = site.changes.propose(document, site.as_("ines"))
    site.changes.approve(one.id, site.as_("paul"))
    assert refused(lambda: site.changes.sign(one.id, [body], site.as_("ines"))) is Reason.LOCKS_OUT


def test_nor_by_an_emergency(site, monkeypatch):
    """Each look is one of its own: with the other off it is still not signed; with both it would lock everybody out."""
    monkeypatch.setattr(emergencies, "emergency_refusals", lambda *_: ())
    site.through(*reversed(site.bundle()), "ines", "paul")
    body, document = about_people(site, OFF % b"", emergency=True)
    one = site.changes.propose(document, site.as_("sara"))
    assert refused(lambda: site.changes.sign(one.id, [body], site.as_("sara"))) is Reason.LOCKS_OUT
    monkeypatch.setattr(lockout, "check", lambda *_: None)
    founded.store(site.engine, site.changes.sign(one.id, [body], site.as_("sara")))
    assert refused(lambda: site.changes.roll_back("undo", site.as_("paul"))) is Reason.ACCESS_ROLE


def test_nor_by_a_step_back(site, monkeypatch):
    """Approving was the security analysts' once; since, the only one has left."""
    only = b' when { !context.roles.contains("security-analyst") };'
    body, document = about_people(site, OFF.replace(b";", only) % b' == Action::"policy.approve"')
    site.through(document, body, "ines", "paul")
    monkeypatch.setattr(papers, "check", lambda *_: None)  # what a widening brings along is another promise
    site.through(*reversed(site.bundle()), "ines", "sara")
    site.leave("sara")
    assert refused(lambda: site.changes.roll_back("undo", site.as_("paul"))) is Reason.LOCKS_OUT


def test_what_is_left_to_a_role_that_nobody_has_is_left_to_nobody(site):
    only = b' when { !context.roles.contains("security-analyst") };'
    some = OFF.replace(b";", only) % b' == Action::"policy.approve"'
    body, document = about_people(site, some)
    one = site.changes.propose(document, site.as_("ines"))
    site.changes.approve(one.id, site.as_("paul"))
    site.leave("sara")
    assert refused(lambda: site.changes.sign(one.id, [body], site.as_("ines"))) is Reason.LOCKS_OUT
    body, document = about_people(site, some.replace(b"security-analyst", b"privacy-officer"))
    site.through(document, body, "ines", "paul")


def test_one_step_back(site):
    first, document = site.bundle("a")
    site.through(document, first, "ines", "paul")
    assert refused(lambda: site.changes.roll_back("oops", site.as_("ines"))) is Reason.NOT_FOUND
    second, document = site.bundle("b")
    site.through(document, second, "ines", "paul")
    back = site.changes.roll_back("oops", site.as_("ines"))
    founded.store(site.engine, [back])
    assert (back.version, back.body) == (3, first)
    assert records(site.settings, "change.rolled-back")[0]["body"]["to"] == 1


def test_an_emergency_is_taken_back_by_another_person(site):
    first, document = site.bundle("a")
    site.through(document, first, "ines", "paul")
    body, document = site.bundle("cut", emergency=True)
    one = site.changes.propose(document, site.as_("sara"))
    founded.store(site.engine, site.changes.sign(one.id, [body], site.as_("sara")))
    assert refused(lambda: site.changes.roll_back("undo", site.as_("sara"))) is Reason.ACCESS_OWN
    founded.store(site.engine, [site.changes.roll_back("undo", site.as_("paul"))])


def test_an_emergency_that_was_taken_back_waits_for_nobody_any_more(site):
    """Nobody could assess it, and in a long list it stood before what does wait."""
    first, document = site.bundle("a")
    site.through(document, first, "ines", "paul")
    body, document = site.bundle("cut", emergency=True)
    one = site.changes.propose(document, site.as_("sara"))
    founded.store(site.engine, site.changes.sign(one.id, [body], site.as_("sara")))
    founded.store(site.engine, [site.changes.roll_back("undo", site.as_("paul"))])
    assert site.changes.one(one.id, site.as_("audra")).state == "taken-back"
    assert site.changes.listed(site.as_("audra"), open_only=True) == []
    assert refused(lambda: site.changes.approve(one.id, site.as_("paul"))) is Reason.CONFLICT
    assert refused(lambda: site.changes.sign(one.id, [body], site.as_("sara"))) is Reason.CONFLICT
    assert refused(lambda: site.changes.roll_back("redo", site.as_("ines"))) is Reason.CONFLICT
    later, document = site.bundle("b")
    site.through(document, later, "ines", "paul")
    assert site.changes.roll_back("oops", site.as_("ines")).body == first


def test_an_emergency_whose_end_was_never_stored_waits_still(site):
    """Killed between the keeper's signature of the step back and the database's commit: the emergency is in force."""
    first, document = site.bundle("a")
    site.through(document, first, "ines", "paul")
    body, document = site.bundle("cut", emergency=True)
    one = site.changes.propose(document, site.as_("sara"))
    founded.store(site.engine, site.changes.sign(one.id, [body], site.as_("sara")))
    assert site.changes.roll_back("undo", site.as_("paul")).body == first
    assert refused(lambda: site.changes.roll_back("undo", site.as_("sara"))) is Reason.ACCESS_OWN
    assert refused(lambda: site.changes.approve(one.id, site.as_("sara"))) is Reason.ACCESS_OWN
    assert site.changes.approve(one.id, site.as_("paul")).state == "assessed"


def test_what_was_signed_and_never_stored_is_signed_again_and_in_nobodys_way(site):
    """Killed between the keeper's signature and the database's commit."""
    first, document = site.bundle("a")
    site.through(document, first, "ines", "paul")
    body, document = site.bundle("b")
    one = site.changes.propose(document, site.as_("ines"))
    site.changes.approve(one.id, site.as_("paul"))
    (lost,) = site.changes.sign(one.id, [body], site.as_("ines"))
    assert version_of(site.keeper, "bundle", "active") == 1
    (again,) = site.changes.sign(one.id, [body], site.as_("ines"))
    assert (lost.version, again.version) == (2, 3)
    founded.store(site.engine, [again])
    assert refused(lambda: site.changes.sign(one.id, [body], site.as_("ines"))) is Reason.CONFLICT
    back = site.changes.roll_back("a gap is no version", site.as_("ines"))
    assert back.body == first


def test_a_service_has_an_owner_and_no_role_of_people(site):
    def asked(service, proposer="adam", approver="paul"):
        body = service.body()
        one = site.changes.propose(proposal(SERVICE, [(service.id, body)], base=0), site.as_(proposer))
        site.changes.approve(one.id, site.as_(approver))
        return site.changes.sign(one.id, [body], site.as_(approver))

    good = Service(id="scim", name="Staff register", owner="adam", roles=frozenset({Role.PROVISIONER}))
    founded.store(site.engine, asked(good))
    nobody = Service(id="x1", name="X", owner="nobody", roles=frozenset({Role.PROVISIONER}))
    assert refused(lambda: asked(nobody)) is Reason.INPUT_INVALID
    nurse = Service(id="x2", name="X", owner="adam", roles=frozenset({Role.CLINICIAN}))
    assert refused(lambda: asked(nurse)) is Reason.INPUT_INVALID


MISSHAPEN = {
    "not JSON": b"{",
    "not canonical": b'{"kind": "bundle"}',
    "a list": b"[]",
    "unknown kind": proposal("device", [("d", b"x")], base=0),
    "two bundles": proposal("bundle", [("active", b"x"), ("active", b"y")], base=0),
    "another bundle": proposal("bundle", [("other", b"x")], base=0),
    "an emergency grant": proposal(GRANT, [("ines", b"x")], base=1, emergency=True),
    "a dry run that is no digest": proposal("bundle", [("active", b"x")], base=0, dry_run="<b>tried</b>"),
    "a dry run of half a digest": proposal("bundle", [("active", b"x")], base=0, dry_run="ab" * 31),
    "a dry run in capitals": proposal("bundle", [("active", b"x")], base=0, dry_run="AB" * 32),
    "a dry run with a line's end": proposal("bundle", [("active", b"x")], base=0, dry_run="ab" * 32 + "\n"),
    "no documents": proposal("bundle", [], base=0),
    "an endless id": proposal("bundle", [("active", b"x")], base=0, id_="x" * 65),
    "an id that moves the cursor": proposal("bundle", [("active", b"x")], base=0, id_="a\x1b[2J"),
    "an id that turns the writing round": proposal("bundle", [("active", b"x")], base=0, id_="a\u202eb"),
    "an id of several words": proposal("bundle", [("active", b"x")], base=0, id_="a b"),
    "an id with a line's end": proposal("bundle", [("active", b"x")], base=0, id_="abc\n"),
    "a service whose id moves the cursor": proposal(SERVICE, [("s\x1b[2J", b"x")], base=0),
    "a service whose id is endless": proposal(SERVICE, [("s" * 65, b"x")], base=0),
    "a grant of an id that is no id": proposal(GRANT, [("../ines", b"x")], base=0),
    "an attachment nobody can read": proposal(
        "bundle", [("active", b"x")], base=0, attached=[("note", "a\x00b", "0" * 64)]
    ),
}


@pytest.mark.parametrize("name", MISSHAPEN)
def test_misshapen_proposals_are_refused(site, name):
    assert refused(lambda: site.changes.propose(MISSHAPEN[name], site.as_("paul"))) is Reason.INPUT_INVALID


def test_an_id_is_used_once(site):
    id_ = uuid7()
    site.changes.propose(site.bundle(id_=id_)[1], site.as_("ines"))
    assert refused(lambda: site.changes.propose(site.bundle(id_=id_)[1], site.as_("paul"))) is Reason.CONFLICT


def test_nobody_fills_the_room_of_all_others(site, monkeypatch):
    """Whatever one person proposes, the others propose, and what cannot wait goes first."""
    monkeypatch.setattr(proposals, "OPEN_OF_ONE_MAX", 3)
    ines, sara, paul = map(site.as_, ("ines", "sara", "paul"))
    for _ in range(3):
        last = site.changes.propose(site.bundle()[1], ines)
    assert refused(lambda: site.changes.propose(site.bundle()[1], ines)) is Reason.LIMIT_EXCEEDED
    assert site.changes.propose(site.grant("clara", Role.AUDITOR)[1], site.as_("adam"))
    site.changes.withdraw(last.id, "room", ines)
    assert site.changes.propose(site.bundle()[1], ines), "what was withdrawn waits no longer"
    for _ in range(3):
        site.changes.propose(site.bundle()[1], sara)
    monkeypatch.setattr(proposals, "OPEN_MAX", 7)
    assert refused(lambda: site.changes.propose(site.bundle()[1], paul)) is Reason.LIMIT_EXCEEDED
    for _ in range(3):
        assert site.changes.propose(site.bundle(emergency=True)[1], sara), "an emergency goes first"
    again = site.bundle(emergency=True)[1]
    assert refused(lambda: site.changes.propose(again, sara)) is Reason.LIMIT_EXCEEDED
    assert site.changes.propose(site.bundle(emergency=True)[1], paul)


def test_the_room_of_one_is_well_below_that_of_all():
    assert proposals.OPEN_OF_ONE_MAX * 4 < proposals.OPEN_MAX


def test_another_persons_proposal_that_is_not_there(site):
    assert refused(lambda: site.changes.approve("no-such", site.as_("paul"))) is Reason.NOT_FOUND


def told(act):
    """What somebody is told: where, why, and for which reason."""
    with pytest.raises(KeeperError) as caught:
        act()
    return caught.value.where, caught.value.why, caught.value.reason


ASKED = {
    "approve": lambda site, id_, proof: site.changes.approve(id_, proof),
    "withdraw": lambda site, id_, proof: site.changes.withdraw(id_, "no", proof),
    "sign": lambda site, id_, proof: site.changes.sign(id_, [b"x"], proof),
}


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("person", ["clara", "audra", "kim"])
def test_who_may_not_learns_of_no_proposal_whether_it_is_there(site, name, person):
    """Bundles and grants, in each state, and an id of nothing: one answer, and one record of it."""
    body, document = site.bundle()
    waiting = site.changes.propose(document, site.as_("ines"))
    done = site.through(*reversed(site.bundle("b")), "ines", "paul")
    granted = site.changes.propose(site.grant("clara", Role.AUDITOR)[1], site.as_("adam"))
    proof = site.as_(person)
    answers = [
        told(lambda id_=id_: ASKED[name](site, id_, proof))
        for id_ in (waiting.id, done.id, granted.id, "no-such")
    ]
    assert set(answers) == {answers[-1]}
    assert answers[-1][2] is Reason.ACCESS_ROLE
    assert len(records(site.settings, "access.denied")) == 4, "each is on record"
    assert body


def test_a_role_that_is_proposed_is_there_for_those_alone_who_see_people(site):
    """Who puts policy in force sees no people: of such a proposal they learn what they learn of one that is not there."""
    one = site.changes.propose(site.grant("clara", Role.AUDITOR)[1], site.as_("adam"))
    proof = site.as_("ines")
    answers = {told(lambda id_=id_: site.changes.sign(id_, [b"x"], proof)) for id_ in (one.id, "no-such")}
    assert len(answers) == 1


GUARDS = {
    "the second is another, with the role then": ("apart", "check_apart"),
    "both are still who they were": ("apart", "check_still"),
    "nothing was signed meanwhile": ("changes", "_check_base"),
    "a grant fits": ("changes", "_check_bodies"),
    "the session's person may": ("roles", "permit"),
}


@pytest.mark.parametrize("name", GUARDS)
def test_with_a_guard_off_something_gets_through(site, monkeypatch, name):
    """The other way round: each guard is what refuses, not something beside it."""
    from oathward.vault.keeper.changing import changes

    monkeypatch.setattr(
        {"apart": apart, "changes": changes, "roles": roles}[GUARDS[name][0]],
        GUARDS[name][1],
        lambda *_, **__: None,
    )
    body, document = site.bundle()
    match name:
        case "the second is another, with the role then":
            one = site.changes.propose(document, site.as_("ines"))
            site.through(*reversed(site.grant("clara", Role.SECURITY_ANALYST)), "adam", "paul")
            assert site.changes.approve(one.id, site.as_("clara")).state == "approved"
        case "both are still who they were":
            one = site.changes.propose(document, site.as_("ines"))
            site.changes.approve(one.id, site.as_("sara"))
            site.leave("sara")
            assert site.changes.sign(one.id, [body], site.as_("ines"))
        case "nothing was signed meanwhile":
            rival_body, rival = site.bundle("b")
            site.through(document, body, "ines", "paul")
            assert site.through(rival, rival_body, "ines", "paul")
        case "a grant fits":
            granted, role = site.grant("audra", Role.ADMINISTRATOR)
            assert site.through(role, granted, "adam", "paul")
        case "the session's person may":
            assert site.changes.propose(document, site.as_("clara")).proposer == "clara"


def test_who_is_to_get_which_role_is_for_those_who_see_people(site):
    _, document = site.grant("clara", Role.AUDITOR)
    one = site.changes.propose(document, site.as_("adam"))
    policy = site.changes.propose(site.bundle()[1], site.as_("ines"))
    assert {p.id for p in site.changes.listed(site.as_("audra"))} == {one.id, policy.id}
    assert {p.id for p in site.changes.listed(site.as_("ines"))} == {policy.id}, "sees policy, and no people"
    assert refused(lambda: site.changes.one(one.id, site.as_("ines"))) is Reason.NOT_FOUND
    assert records(site.settings, "access.denied") == [], "a list that is cut denies nobody anything"
