"""A change of policy by two people who saw first what it does; and every way round that, with its reason."""

from dataclasses import replace

import pytest
from tests import founded
from tests.unit.policy.test_difference import EHR, VENDOR
from tests.unit.policy.test_difference import edited as edited_of
from tests.unit.policy.test_requirements import without as without_of
from tests.unit.proposing.conftest import START

from oathward import activation, proposing
from oathward.changes import views
from oathward.core.db import read, write
from oathward.core.errors import OathwardError
from oathward.core.reasons import Reason
from oathward.policy.bundle import canonical
from oathward.proposing import deciding, looking
from oathward.vault.keeper.changing import papers


def edited(path, old, new, files=START):
    return edited_of(path, old, new, files)


def without(*words, files=START):
    return without_of(*words, files=files)


LESS = edited(VENDOR, '"ORU^R01", "ORU^R40"', '"ORU^R01"')
MORE = edited(VENDOR, '"ORU^R01", "ORU^R40"', '"ORU^R01", "ORU^R40", "ORU^R30"')
OTHER = edited("bundle.toml", "Record at the bedside", "Records")


def refused(reason, do, *args, **more):
    with pytest.raises(OathwardError) as caught:
        do(*args, **more)
    assert caught.value.reason is reason, caught.value
    return caught.value


def test_two_people_who_saw_it_put_a_bundle_in_force(site):
    row = site.proposed(LESS)
    found = proposing.shown(site.opened, row.id)
    assert [c.words for c in found.changes] == [
        "Maker's telemetry service will no longer get alarms (ORU^R40)."
    ]
    assert found.dry_run is not None
    assert found.missing == ()
    assert site.active().version == 1
    assert proposing.approve(site.opened, row.id, *site.as_("paul")).state == "approved"
    active = proposing.activate(site.opened, row.id, *site.as_("ines"))
    assert (active.version, site.active().bundle.body) == (2, canonical(LESS))
    last = site.row(row.id)
    assert (last.state, last.version, last.approver) == ("active", 2, "paul")
    with read(site.opened.engine) as db:
        events = views.one(db, site.opened.site, row.id).events
    assert [(e.kind, e.by) for e in events] == [
        ("drafted", "ines"), ("tried", "ines"), ("proposed", "ines"), ("approved", "paul"), ("active", "ines"),
    ]  # fmt: skip
    assert [len(site.records(kind)) for kind in ("proposal.drafted", "change.proposed", "change.approved", "change.signed", "bundle.activated")] == [1, 1, 1, 1, 2]  # fmt: skip


# --- by whom: what the keeper refuses, whatever this side says


BY_WHOM = [
    ("one's own", "ines", "ines", Reason.ACCESS_OWN),
    ("one's own, who might approve another's", "paul", "paul", Reason.ACCESS_OWN),
    ("a clinician", "ines", "clara", Reason.ACCESS_ROLE),
    ("an auditor", "ines", "audra", Reason.ACCESS_ROLE),
    ("a key holder", "ines", "kim", Reason.ACCESS_ROLE),
    ("an administrator", "ines", "adam", Reason.ACCESS_ROLE),
]


@pytest.mark.parametrize(("what", "proposer", "second", "reason"), BY_WHOM, ids=[r[0] for r in BY_WHOM])
def test_who_may_not_approve(site, what, proposer, second, reason):
    row = site.proposed(LESS, proposer)
    refused(reason, proposing.approve, site.opened, row.id, *site.as_(second))
    assert site.row(row.id).state == "proposed"
    refused(Reason.CONFLICT, proposing.activate, site.opened, row.id, *site.as_(proposer))
    assert site.active().version == 1


def test_another_account_of_the_same_person_is_the_same_person(site):
    row = site.proposed(LESS, "paul")
    proof, _ = site.as_("paul")
    refused(Reason.ACCESS_OWN, proposing.approve, site.opened, row.id, proof, "somebody-else")
    assert site.row(row.id).state == "proposed"


def test_a_proof_that_is_not_fresh_approves_nothing(site):
    row = site.proposed(LESS)
    refused(Reason.ACCESS_STEP_UP, proposing.approve, site.opened, row.id, *site.as_("paul", fresh=False))


@pytest.mark.parametrize("person", ["clara", "audra", "kim"])
def test_who_may_not_propose_leaves_a_draft_at_most(site, person):
    row = site.draft(LESS, person)
    proposing.try_out(site.opened, row.id, person)
    refused(Reason.ACCESS_ROLE, proposing.submit, site.opened, row.id, *site.as_(person))
    assert site.row(row.id).state == "draft"


def test_the_old_way_in_is_closed_for_a_site_with_people(site):
    """The command line of before and an import of a signed row: neither is a way round."""
    bundle = activation.check(LESS)
    args = (site.opened.engine, site.opened.site, site.opened.keeper, bundle)
    refused(Reason.NOT_PERMITTED, activation.activate, *args, [{"kind": "admin", "person": "root"}], 1)
    with write(site.opened.engine) as db:
        db.exec_driver_sql(
            "INSERT INTO authority SELECT site, kind, id, 2, body, signature, at_us FROM authority WHERE kind = 'bundle'"
        )
    refused(Reason.SIGNATURE_INVALID, site.active)


# --- what is stale


def test_what_starts_from_another_version_is_refused_with_words_and_can_be_rebased(site):
    early, late = site.proposed(LESS), site.proposed(OTHER, "sara")
    proposing.approve(site.opened, late.id, *site.as_("paul"))
    proposing.approve(site.opened, early.id, *site.as_("paul"))
    proposing.activate(site.opened, late.id, *site.as_("sara"))
    assert site.row(early.id).state == "stale"
    error = refused(Reason.PROPOSAL_STALE, proposing.activate, site.opened, early.id, *site.as_("ines"))
    assert "starts from version 1, and 2 is in force" in error.why
    again = proposing.rebase(site.opened, early.id, "ines")
    assert (again.base_version, again.rebased_from, again.state) == (2, early.id, "draft")
    told = [c.words for c in proposing.shown(site.opened, again.id).changes]
    assert told == ["Maker's telemetry service will no longer get alarms (ORU^R40)."], (
        "and nothing of the other is undone"
    )


def test_a_stale_proposal_is_found_even_where_nobody_marked_it(site):
    row = site.proposed(LESS)
    site.through(OTHER, "sara")
    with write(site.opened.engine) as db:
        db.exec_driver_sql(f"UPDATE change_proposal SET state = 'proposed' WHERE id = '{row.id}'")
    refused(Reason.PROPOSAL_STALE, proposing.approve, site.opened, row.id, *site.as_("paul"))
    assert site.row(row.id).state == "stale"


def test_two_that_change_the_same_file_are_not_merged(site):
    row = site.proposed(LESS)
    site.through(edited(VENDOR, "retention_days = 1", "retention_days = 0"), "sara")
    error = refused(Reason.CONFLICT, proposing.rebase, site.opened, row.id, "ines")
    assert VENDOR in error.why


def test_what_is_not_stale_is_not_rebased(site):
    refused(Reason.CONFLICT, proposing.rebase, site.opened, site.draft(LESS).id, "ines")


# --- what was tampered with


@pytest.mark.parametrize("column", ["body", "base_body", "dry_run"])
def test_a_stored_file_that_is_not_what_was_proposed_stops_all(site, column):
    row = site.proposed(LESS)
    digest = getattr(site.row(row.id), column)
    with write(site.opened.engine) as db:
        db.exec_driver_sql(f"UPDATE change_file SET body = X'7b7d' WHERE digest = '{digest}'")
    refused(Reason.PROPOSAL_ALTERED, proposing.approve, site.opened, row.id, *site.as_("paul"))
    refused(Reason.PROPOSAL_ALTERED, proposing.activate, site.opened, row.id, *site.as_("ines"))
    assert site.row(row.id).state == "proposed"


def test_another_bundle_under_the_name_of_the_proposal_is_not_signed(site):
    """Bytes and digest exchanged together in the database: the keeper's own document says otherwise."""
    row = site.proposed(LESS)
    proposing.approve(site.opened, row.id, *site.as_("paul"))
    wider = site.draft(edited("bundle.toml", "Record", "R"), "sara")
    with write(site.opened.engine) as db:
        db.exec_driver_sql(f"UPDATE change_proposal SET body = '{wider.body}' WHERE id = '{row.id}'")
    error = refused(Reason.CONFLICT, proposing.activate, site.opened, row.id, *site.as_("ines"))
    assert "not those that were proposed" in error.why
    assert site.active().version == 1


def test_a_state_written_by_hand_approves_nothing(site):
    row = site.proposed(LESS)
    with write(site.opened.engine) as db:
        db.exec_driver_sql(f"UPDATE change_proposal SET state = 'approved' WHERE id = '{row.id}'")
    refused(Reason.CONFLICT, proposing.activate, site.opened, row.id, *site.as_("ines"))
    assert site.active().version == 1


def test_an_altered_attachment_stops_an_approval(site):
    row = site.draft(LESS)
    proposing.attach(site.opened, row.id, "letter.txt", b"dear all", "paul")
    proposing.try_out(site.opened, row.id, "ines")
    proposing.submit(site.opened, row.id, *site.as_("ines"))
    with write(site.opened.engine) as db:
        db.exec_driver_sql("UPDATE change_file SET body = X'00' WHERE body = X'6465617220616c6c'")
    refused(Reason.PROPOSAL_ALTERED, proposing.approve, site.opened, row.id, *site.as_("paul"))


# --- what it requires


def test_a_new_recipient_needs_all_of_it_and_is_then_approved(site):
    site.through(without("vendor-cloud"))
    row = site.draft(START)
    proposing.try_out(site.opened, row.id, "ines")
    error = refused(Reason.PROPOSAL_INCOMPLETE, proposing.submit, site.opened, row.id, *site.as_("ines"))
    assert len(proposing.shown(site.opened, row.id).missing) == 8
    for words in (
        "An agreement that covers",
        "assessment of link vendor-cloud",
        "owner of recipient vendor-cloud",
        "purpose HOPERAT",
    ):
        assert words.lower() in error.why.lower()
    bundle = activation.check(START)
    site.own("link/vendor-cloud", "recipient/vendor-cloud")
    site.assess("link/vendor-cloud", bundle.links["vendor-cloud"])
    site.assess("recipient/vendor-cloud", bundle.recipients["vendor-cloud"])
    site.assess("purpose/HOPERAT")
    site.agree("MSA-2026-007", "Example Devices Inc.", "vendor-cloud", "TREAT")
    error = refused(Reason.PROPOSAL_INCOMPLETE, proposing.submit, site.opened, row.id, *site.as_("ines"))
    assert "does not permit purpose HOPERAT" in error.why
    site.agree("MSA-2026-007", "Example Devices Inc.", "vendor-cloud", "HOPERAT")
    assert proposing.submit(site.opened, row.id, *site.as_("ines")).state == "proposed"
    with read(site.opened.engine) as db:
        kinds = [(a.kind, a.about) for a in views.one(db, site.opened.site, row.id).attachments]
    assert ("agreement", "link/vendor-cloud") in kinds
    assert len(kinds) == 8
    proposing.approve(site.opened, row.id, *site.as_("paul"))
    assert proposing.activate(site.opened, row.id, *site.as_("ines")).version == 3


GONE = [
    ("the agreement ended", lambda site: site.agree("MSA-2026-007", "Example Devices Inc.", "vendor-cloud", "HOPERAT", ended_us=2)),
    ("it goes elsewhere", lambda site: site.agree("MSA-2026-007", "Example Devices Inc.", "ehr", "HOPERAT")),
    ("it is another party's", lambda site: site.agree("MSA-2026-007", "Somebody Ltd", "vendor-cloud", "HOPERAT")),
    ("it covers less", lambda site: site.agree("MSA-2026-007", "Example Devices Inc.", "vendor-cloud", "HOPERAT", classes=frozenset({"structure"}))),
]  # fmt: skip


@pytest.mark.parametrize(("what", "then"), GONE, ids=[g[0] for g in GONE])
def test_what_was_there_when_proposed_and_is_gone_blocks_the_approval(site, what, then):
    site.agree("MSA-2026-007", "Example Devices Inc.", "vendor-cloud", "HOPERAT")
    row = site.proposed(MORE)
    then(site)
    refused(Reason.PROPOSAL_INCOMPLETE, proposing.approve, site.opened, row.id, *site.as_("paul"))
    assert site.row(row.id).state == "proposed"


def test_without_the_look_at_what_is_missing_it_would_be_approved(site, monkeypatch):
    """The reverse."""
    site.agree("MSA-2026-007", "Example Devices Inc.", "vendor-cloud", "HOPERAT")
    row = site.proposed(MORE)
    GONE[0][1](site)
    monkeypatch.setattr(deciding, "check_complete", lambda _: None)
    monkeypatch.setattr(papers, "check", lambda *_: None)  # the keeper looks for itself
    assert proposing.approve(site.opened, row.id, *site.as_("paul")).state == "approved"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"approver": ""}, "is missing"),
        ({"valid_until_us": 2}, "is missing"),
        ({"reopened_us": 2}, "is missing"),
        ({"about_digest": "00"}, "is about what it was before this change"),
    ],
)
def test_an_assessment_that_does_not_stand_is_none(site, change, words):
    site.through(without("home-care"))
    site.own("link/home-care", "recipient/home-care")
    site.assess("recipient/home-care")
    site.assess("link/home-care", **change)
    row = site.draft(START)
    (one,) = proposing.shown(site.opened, row.id).missing
    assert (one.need.kind, one.need.id) == ("assessment", "home-care")
    assert words in one.words


def test_an_owner_who_left_is_none(site):
    site.through(without("home-care"))
    site.own("link/home-care", "recipient/home-care", owner="nobody")
    site.assess("recipient/home-care")
    site.assess("link/home-care")
    told = proposing.shown(site.opened, site.draft(START).id).missing
    assert {(one.need.kind, one.need.thing) for one in told} == {("owner", "link"), ("owner", "recipient")}
    assert "nobody has left, or is nobody here" in told[0].words


def test_nothing_is_proposed_that_was_not_tried(site):
    row = site.draft(LESS)
    error = refused(Reason.PROPOSAL_INCOMPLETE, proposing.submit, site.opened, row.id, *site.as_("ines"))
    assert "The dry run is missing" in error.why


# --- what is wrong from the start


HUGE = {f"links/l{n}.toml": b"x" * 500_000 for n in range(5)}
WRONG = [
    ("broken", START | {VENDOR: b"id ="}, "x", Reason.BUNDLE_INVALID),
    ("a test fails", edited("policies/links.test.toml", 'expect = "permit"', 'expect = "deny"'), "x", Reason.BUNDLE_INVALID),
    ("huge", START | HUGE, "x", Reason.BUNDLE_INVALID),
    ("many files", START | {f"policies/p{n}.cedar": b"" for n in range(2_001)}, "x", Reason.BUNDLE_INVALID),
    ("a path outside", START | {"../x.toml": b""}, "x", Reason.BUNDLE_INVALID),
    ("nothing of it is new", START, "x", Reason.CONFLICT),
    ("no reason", LESS, " ", Reason.INPUT_INVALID),
]  # fmt: skip


@pytest.mark.parametrize(("what", "files", "why", "reason"), WRONG, ids=[w[0] for w in WRONG])
def test_what_is_wrong_is_not_even_a_draft(site, what, files, why, reason):
    refused(reason, site.draft, files, "ines", why)
    with read(site.opened.engine) as db:
        assert views.proposals(db, site.opened.site) == []


# --- withdrawn, refused, twice


def test_who_proposed_withdraws_and_who_could_approve_refuses(site):
    one, two, three = site.proposed(LESS), site.proposed(OTHER), site.draft(MORE)
    refused(Reason.ACCESS_ROLE, proposing.withdraw, site.opened, one.id, "no", *site.as_("clara"))
    assert proposing.withdraw(site.opened, one.id, "not now", *site.as_("ines")).state == "withdrawn"
    assert proposing.withdraw(site.opened, two.id, "too much", *site.as_("paul")).state == "refused"
    refused(Reason.ACCESS_OWN, proposing.withdraw, site.opened, three.id, "no", *site.as_("paul"))
    assert proposing.withdraw(site.opened, three.id, "no", *site.as_("ines")).state == "withdrawn"
    for row in (one, two):
        refused(Reason.CONFLICT, proposing.approve, site.opened, row.id, *site.as_("sara"))
        refused(Reason.CONFLICT, proposing.withdraw, site.opened, row.id, "again", *site.as_("ines"))
    refused(Reason.NOT_FOUND, proposing.approve, site.opened, "none", *site.as_("sara"))


def test_a_proposal_that_the_keeper_has_already_is_proposed_once(site):
    """Killed between the keeper's word and ours: proposing again is fine."""
    row = site.draft(LESS)
    proposing.try_out(site.opened, row.id, "ines")
    proof, _ = site.as_("ines")
    site.opened.keeper.changes.propose(proposing.drafting.document_of(site.row(row.id), ()), proof)
    assert proposing.submit(site.opened, row.id, proof, "ines").state == "proposed"


# --- one step back, emergencies


def test_one_step_back_is_one_step(site):
    site.agree("MSA-2026-007", "Example Devices Inc.", "vendor-cloud", "HOPERAT")
    site.through(LESS)
    active = proposing.roll_back(site.opened, "the maker needs its alarms", *site.as_("sara"))
    assert (active.version, active.bundle.body) == (3, canonical(START))
    with read(site.opened.engine) as db:
        found = views.proposals(db, site.opened.site)
    assert [(r.kind, r.state, r.version) for r in found] == [
        ("rollback", "active", 3),
        ("bundle", "active", 2),
    ]
    assert found[1].approver == "paul", "its approval is still known"
    refused(Reason.ACCESS_ROLE, proposing.roll_back, site.opened, "x", *site.as_("adam"))


STOP = START | {
    "policies/stop.cedar": b'@id("stop") @why("a recall") forbid(principal, action == Action::"Disclose", resource == Link::"vendor-cloud");',
    "policies/links.test.toml": START["policies/links.test.toml"].replace(
        b'message_type = "ORU^R01"\nexpect = "permit"\nwithout = ["patient.*", "relative.*", "note.text"]',
        b'expect = "deny"',
    ),
}


def test_an_emergency_goes_first_and_is_assessed_by_another_in_time(site):
    row, active = proposing.emergency(site.opened, STOP, "recall", *site.as_("sara"))
    assert (active.version, site.active().version, row.state, row.unassessed) == (2, 2, "active", True)
    assert abs(row.due_us - row.created_us - 24 * 3_600_000_000) < 60_000_000
    with read(site.opened.engine) as db:
        assert views.overdue(db, site.opened.site, row.due_us - 1) == []
        assert [one.id for one in views.overdue(db, site.opened.site, row.due_us)] == [row.id]
    refused(Reason.ACCESS_OWN, proposing.approve, site.opened, row.id, *site.as_("sara"))
    refused(Reason.ACCESS_ROLE, proposing.approve, site.opened, row.id, *site.as_("ines"))
    proposing.try_out(site.opened, row.id, "paul")
    assert not proposing.approve(site.opened, row.id, *site.as_("paul")).unassessed
    refused(Reason.CONFLICT, proposing.approve, site.opened, row.id, *site.as_("prue"))


def test_ones_own_emergency_is_taken_back_by_another(site):
    row, _ = proposing.emergency(site.opened, STOP, "recall", *site.as_("sara"))
    refused(Reason.ACCESS_OWN, proposing.roll_back, site.opened, "oops", *site.as_("sara"))
    assert proposing.roll_back(site.opened, "no recall", *site.as_("paul")).bundle.body == canonical(START)
    assert not site.row(row.id).unassessed


def test_without_this_sides_look_the_keeper_still_refuses_it(site, monkeypatch):
    """The reverse: the keeper does not believe what this side says."""
    row, _ = proposing.emergency(site.opened, STOP, "recall", *site.as_("sara"))
    proof, _ = site.as_("sara")
    refused(Reason.ACCESS_OWN, proposing.roll_back, site.opened, "oops", proof, "not-sara")
    refused(Reason.ACCESS_OWN, proposing.approve, site.opened, row.id, proof, "not-sara")


TOO_WIDE = [
    ("more for the maker", MORE),
    ("a weaker table", edited("protection.toml", 'research = "partner"', 'research = "internal"')),
]


@pytest.mark.parametrize(("what", "files"), TOO_WIDE, ids=[t[0] for t in TOO_WIDE])
def test_an_emergency_does_not_widen_what_is_no_care_inside(site, what, files):
    refused(Reason.EMERGENCY_TOO_WIDE, proposing.emergency, site.opened, files, "quick", *site.as_("sara"))
    assert site.active().version == 1


def test_an_emergency_may_widen_care_inside(site):
    files = edited(EHR, 'min_assurance = "address"', 'min_assurance = "claimed"')
    cases = files["policies/links.test.toml"].replace(
        b'assurance = "claimed"\nexpect = "deny"\nreasons = ["device.assurance-too-low"]',
        b'assurance = "claimed"\nexpect = "permit"',
    )
    _, active = proposing.emergency(
        site.opened, files | {"policies/links.test.toml": cases}, "the CA is down", *site.as_("sara")
    )
    assert active.version == 2


@pytest.mark.parametrize("person", ["ines", "adam", "clara"])
def test_who_may_not_go_first(site, person):
    refused(Reason.ACCESS_ROLE, proposing.emergency, site.opened, STOP, "recall", *site.as_(person))
    assert site.active().version == 1


def test_a_device_of_a_new_model_needs_an_assessment(site, monkeypatch):
    """Models come from the inventory: what a link newly takes and no link took before."""
    from oathward.inventory.model import Device
    from oathward.proposing import register

    devices = [
        Device(id="p-1", kind="pump", make="Acme", model="Vista 3"),
        Device(id="h-1", kind="hub", make="Acme", model="Hub"),
    ]
    monkeypatch.setattr(register, "_devices", lambda *_: iter(devices))
    base = edited(EHR, 'devices = ["*"]', 'kinds = ["hub"]')
    base = without("vendor-cloud", "research-registry", files=base)
    cases = base["policies/links.test.toml"].replace(b'device_kind = "monitor"', b"").split(b"[[case]]")
    base["policies/links.test.toml"] = b"[[case]]".join(c for c in cases if b'link = "ehr"' not in c)
    base["policies/exceptions.test.toml"] = b""
    before = activation.check(base)
    after = activation.check(base | {EHR: base[EHR].replace(b'kinds = ["hub"]', b'kinds = ["hub", "pump"]')})
    changes = proposing.changes_between(before, after)
    told = register.requirements(site.opened, changes, before, after)
    assert [(one.need.thing, one.need.id, one.met) for one in told] == [
        ("device-model", "Acme|Vista 3", False)
    ]
    site.assess("device-model/Acme|Vista 3")
    assert [one.met for one in register.requirements(site.opened, changes, before, after)] == [True]


def test_what_is_shown_is_what_was_kept(site):
    row = site.proposed(LESS)
    found = looking.shown(site.opened, row.id)
    assert found.view.row == replace(row)
    assert found.bundle.digest.hex() == row.body


@pytest.mark.parametrize(("what", "files"), TOO_WIDE, ids=[t[0] for t in TOO_WIDE])
def test_the_keeper_sees_for_itself_what_an_emergency_widens(site, monkeypatch, what, files):
    """The reverse of this side's look: without it the keeper refuses, so a captured console widens nothing."""
    monkeypatch.setattr(proposing.drafting, "emergency_refusals", lambda *_: ())
    refused(Reason.EMERGENCY_TOO_WIDE, proposing.emergency, site.opened, files, "quick", *site.as_("sara"))
    assert site.active().version == 1


def test_what_is_no_bundle_is_no_emergency(site):
    proof, _ = site.as_("sara")
    body = canonical({"README.md": b"x"})
    document = founded.proposal("bundle", [("active", body)], base=1, emergency=True)
    one = site.opened.keeper.changes.propose(document, proof)
    refused(Reason.BUNDLE_INVALID, site.opened.keeper.changes.sign, one.id, [body], proof)


def test_killed_between_the_signature_and_the_commit_it_is_put_in_force_by_trying_again(site, monkeypatch):
    site.agree("MSA-2026-007", "Example Devices Inc.", "vendor-cloud", "HOPERAT")
    row = site.proposed(LESS)
    proposing.approve(site.opened, row.id, *site.as_("paul"))

    def dies(*_):
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(activation, "store", dies)
        with pytest.raises(RuntimeError):
            proposing.activate(site.opened, row.id, *site.as_("ines"))
    assert (site.active().version, site.row(row.id).state) == (1, "approved")
    active = proposing.activate(site.opened, row.id, *site.as_("ines"))
    assert active.bundle.body == canonical(LESS)
    assert proposing.roll_back(site.opened, "x", *site.as_("sara")).bundle.body == canonical(START)
