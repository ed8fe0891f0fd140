"""A captured console asks the keeper itself: what a change must bring along the keeper looks up, and believes no words."""

import hashlib
from dataclasses import replace

import orjson
import pytest
from tests import founded
from tests.founded import version_of
from tests.unit.policy.test_difference import EHR
from tests.unit.proposing.conftest import START
from tests.unit.proposing.test_proposing import LESS, MORE, edited, refused

from oathward import proposing
from oathward.core.db import write
from oathward.core.reasons import Reason
from oathward.policy.files import canonical
from oathward.proposing import deciding, drafting, register
from oathward.vault.keeper.changing import papers

DAY_US = 86_400_000_000
HELD = (("agreement", "MSA-2026-007", "0" * 64),)


@pytest.fixture
def captured(site):
    """A site whose register covers ``MORE``, asked past the console."""
    site.agree("MSA-2026-007", "Example Devices Inc.", "vendor-cloud", "HOPERAT")
    return Captured(site)


class Captured:
    """Writes proposals by hand."""

    def __init__(self, site):
        self.site, self.keeper, self.changes = site, site.keeper, site.opened.keeper.changes
        row = site.draft(MORE)
        self.dry_run = proposing.try_out(site.opened, row.id, "ines")

    def kept(self, body):
        founded.keep(self.site.opened.engine, self.site.opened.site, body)
        return body

    def proposed(self, files=MORE, *, keep=True, **more):
        body = canonical(files)
        if keep:
            self.kept(body)
        more = {"attached": HELD, "dry_run": self.dry_run.digest.hex()} | more
        document = founded.proposal("bundle", [("active", body)], base=1, **more)
        return self.changes.propose(document, self.as_("ines")), body

    def as_(self, person):
        return self.site.as_(person)[0]

    def approve(self, one):
        return self.changes.approve(one.id, self.as_("paul"))

    def other_dry_run(self, **changed):
        return digest(self.kept(replace(self.dry_run, **changed).body()))


def digest(body):
    return hashlib.sha256(body).hexdigest()


def test_with_all_of_it_a_widening_is_approved_and_signed(captured):
    one, body = captured.proposed()
    assert captured.approve(one).state == "approved"
    assert captured.changes.sign(one.id, [body], captured.as_("ines"))


LACKING = {
    "no dry run": lambda _: {"dry_run": ""},
    "a dry run that nobody kept": lambda _: {"dry_run": "ab" * 32},
    "a dry run of another bundle": lambda c: {"dry_run": c.other_dry_run(after="00" * 32)},
    "a dry run from another bundle": lambda c: {"dry_run": c.other_dry_run(before="00" * 32)},
    "a file that is no dry run": lambda c: {"dry_run": digest(c.kept(b"{}"))},
    "a dry run over no time": lambda c: {"dry_run": c.other_dry_run(since_us=0, until_us=0)},
    "a dry run of less than a day": lambda c: {
        "dry_run": c.other_dry_run(since_us=c.dry_run.until_us - DAY_US + 1)
    },
    "a dry run of a time that was not yet": lambda c: {"dry_run": c.other_dry_run(until_us=2**60)},
    "a dry run of times that are none": lambda c: {"dry_run": c.other_dry_run(until_us="now")},
    "a list that nobody kept": lambda _: {"attached": (("list", "x", "0" * 64),)},
    "a list that is none": lambda c: {"attached": (("list", "x", digest(c.kept(b"{}"))),)},
    "a list of numbers": lambda c: {"attached": (("list", "x", digest(c.kept(b"[1]"))),)},
    "a list without it": lambda c: {
        "attached": (("list", "x", digest(c.kept(orjson.dumps([["note", "x", "0" * 64]])))),)
    },
    "nothing attached": lambda _: {"attached": ()},
    "another kind attached": lambda _: {"attached": (("note", "an agreement", "0" * 64),)},
}


@pytest.mark.parametrize("name", LACKING)
def test_a_widening_that_lacks_something_is_not_approved(captured, name):
    one, _ = captured.proposed(**LACKING[name](captured))
    refused(Reason.PROPOSAL_INCOMPLETE, captured.approve, one)
    assert captured.changes.one(one.id, captured.as_("paul")).state == "proposed"


def test_what_a_kept_list_has_is_attached(captured):
    """A proposal with more attachments than fit its document names one list of them."""
    rows = orjson.dumps([["note", f"n{n}", "0" * 64] for n in range(200)] + [list(row) for row in HELD])
    one, _ = captured.proposed(attached=(("list", "201 attachments", digest(captured.kept(rows))),))
    assert captured.approve(one).state == "approved"


def test_the_console_keeps_the_list_it_names(site, monkeypatch):
    monkeypatch.setattr(drafting, "_ROWS_MAX", 0)
    site.agree("MSA-2026-007", "Example Devices Inc.", "vendor-cloud", "HOPERAT")
    row = site.proposed(MORE)
    assert proposing.approve(site.opened, row.id, *site.as_("paul")).state == "approved"


@pytest.mark.turns(3, "name")  # every third; of all of them it is not approved, above
@pytest.mark.parametrize("name", LACKING)
def test_nor_is_it_signed(captured, monkeypatch, name):
    """Approved by a keeper of before; and with neither look it would be signed."""
    one, body = captured.proposed(**LACKING[name](captured))
    with monkeypatch.context() as off:
        off.setattr(papers, "check", lambda *_: None)
        captured.approve(one)
    refused(Reason.PROPOSAL_INCOMPLETE, captured.changes.sign, one.id, [body], captured.as_("ines"))
    monkeypatch.setattr(papers, "check", lambda *_: None)
    assert captured.changes.sign(one.id, [body], captured.as_("ines")), "the other way round"


def test_what_is_attached_and_not_in_the_register_is_a_word_only(captured):
    one, body = captured.proposed()
    captured.approve(one)
    captured.site.agree("MSA-2026-007", "Example Devices Inc.", "vendor-cloud", "HOPERAT", ended_us=2)
    error = refused(Reason.PROPOSAL_INCOMPLETE, captured.changes.sign, one.id, [body], captured.as_("ines"))
    assert "An agreement that covers" in error.why


def test_a_bundle_that_is_not_kept_is_not_approved(captured):
    """Nobody could have looked at it."""
    with write(captured.site.opened.engine) as db:
        db.exec_driver_sql("DELETE FROM change_file")
    one, _ = captured.proposed(keep=False)
    refused(Reason.PROPOSAL_INCOMPLETE, captured.approve, one)


def in_force(captured, files, **more):
    """Two people put a bundle in force."""
    body = captured.kept(canonical(files))
    base = version_of(captured.keeper, "bundle", "active")
    document = founded.proposal("bundle", [("active", body)], base=base, **more)
    one = captured.changes.propose(document, captured.as_("ines"))
    captured.approve(one)
    founded.store(captured.site.opened.engine, captured.changes.sign(one.id, [body], captured.as_("ines")))
    return body


def wide_and_less(captured):
    wide = in_force(captured, MORE, attached=HELD, dry_run=captured.dry_run.digest.hex())
    in_force(captured, LESS, attached=(), dry_run="")
    return wide


def test_one_step_back_widens_where_what_it_needs_is_there(captured):
    wide = wide_and_less(captured)
    assert captured.changes.roll_back("oops", captured.as_("ines")).body == wide


def ended(captured):
    captured.site.agree("MSA-2026-007", "Example Devices Inc.", "vendor-cloud", "HOPERAT", ended_us=2)


def test_one_step_back_to_what_nothing_covers_any_more_takes_two(captured, monkeypatch):
    wide = wide_and_less(captured)
    ended(captured)
    error = refused(Reason.PROPOSAL_NEEDED, captured.changes.roll_back, "oops", captured.as_("ines"))
    assert "An agreement that covers" in error.why
    monkeypatch.setattr(papers, "check_back", lambda *_: None)
    assert captured.changes.roll_back("oops", captured.as_("ines")).body == wide, "the other way round"


def emergency(captured, files):
    body = captured.kept(canonical(files))
    document = founded.proposal("bundle", [("active", body)], base=1, emergency=True, attached=())
    one = captured.changes.propose(document, captured.as_("sara"))
    founded.store(captured.site.opened.engine, captured.changes.sign(one.id, [body], captured.as_("sara")))


def test_an_emergency_that_widened_is_taken_back_by_one_other(captured):
    ended(captured)
    emergency(captured, edited(EHR, 'min_assurance = "address"', 'min_assurance = "claimed"'))
    assert captured.changes.roll_back("undo", captured.as_("paul")).body == canonical(START)


def test_an_emergency_that_cut_off_is_not_taken_back_over_what_ended(captured):
    emergency(captured, LESS)
    ended(captured)
    refused(Reason.PROPOSAL_NEEDED, captured.changes.roll_back, "undo", captured.as_("paul"))


def test_what_narrows_needs_neither(captured):
    one, body = captured.proposed(LESS, attached=(), dry_run="")
    captured.approve(one)
    assert captured.changes.sign(one.id, [body], captured.as_("ines"))


def test_a_keeper_that_cannot_look_takes_nothing_for_there(captured):
    captured.keeper.register = None
    one, _ = captured.proposed()
    refused(Reason.PROPOSAL_INCOMPLETE, captured.approve, one)


def test_the_console_and_the_keeper_look_alike(site, monkeypatch):
    """The console's look switched off changes nothing but who says it."""
    monkeypatch.setattr(deciding, "check_complete", lambda _: None)
    site.agree("MSA-2026-007", "Example Devices Inc.", "vendor-cloud", "HOPERAT")
    row = site.proposed(MORE)
    site.agree("MSA-2026-007", "Example Devices Inc.", "vendor-cloud", "HOPERAT", ended_us=2)
    refused(Reason.PROPOSAL_INCOMPLETE, proposing.approve, site.opened, row.id, *site.as_("paul"))
    assert site.row(row.id).state == "proposed"


def test_whoever_becomes_the_keeper_of_a_site_can_look(site):
    """By the command line; the keeper's process is given the same."""
    assert site.keeper.register is register
