"""Is anything wrong? Each thing that can be is said with its level and where to look; what is old is not believed."""

import time
from datetime import UTC, datetime

import orjson
import pytest
from tests.site import Site, bundle

from oathward.changes import findings_actions, findings_views
from oathward.consent import actions as consents
from oathward.consent.arrived import Arrived
from oathward.core.db import read, write
from oathward.core.ids import uuid7
from oathward.messages import missing
from oathward.messages import sql as messages
from oathward.messages.missing import MissingRow
from oathward.messages.model import HeldRow, OutboxRow
from oathward.policy.review_findings import ReviewFinding
from oathward.vault.bodies import BodyRef
from oathward.web import link_standing, standing, words


@pytest.fixture
def prepared(tmp_path):
    """A site of each test's own: whether a policy is active is told too."""
    return Site.make(tmp_path / "s", console=True)


@pytest.fixture
def look(opened):
    """Look anew each time, at what processes say of themselves."""
    run = opened.settings.run_folder
    run.mkdir(exist_ok=True)

    def now(**said):
        for file in run.glob("*.json"):
            file.unlink()
        for role, status in said.items():
            whole = {"role": role, "pid": 1, "state": "ready", "at_s": time.time(), "started_s": 1} | status
            (run / f"{role}.json").write_bytes(orjson.dumps(whole))
        standing._kept.clear()
        return standing.standing(opened, datetime.now(UTC))

    yield now
    for file in run.glob("*.json"):
        file.unlink()
    standing._kept.clear()


WELL = {role: {} for role in standing.PARTS}


def lines(found, about: str) -> list[tuple[str, str]]:
    return [(line.level, line.what) for line in found.lines if line.about == about]


def test_a_part_that_does_not_run_is_silent_or_in_trouble_is_bad(look):
    said = WELL | {"courier": {"at_s": time.time() - 120}, "gateway": {"trouble": "storage.full"}, "keeper": {"state": "unhealthy", "reason": "witness.unavailable"}}  # fmt: skip
    del said["app"]
    found = look(**said)
    assert lines(found, "app") == [("bad", "app: does not run")]
    assert lines(found, "courier") == [("bad", "courier: silent for 2 min")]
    assert lines(found, "gateway") == [("bad", "gateway: in trouble, storage.full")]
    assert lines(found, "keeper") == [("bad", "keeper: unhealthy, witness.unavailable")]
    assert [line.level for line in look(**WELL).lines if line.about in standing.PARTS] == ["ok"] * 4


def test_what_was_seen_before_all_parts_ran_is_shown_to_nobody(look, opened):
    look()
    standing.prepare(opened)
    for role in standing.PARTS:
        status = {"role": role, "pid": 1, "state": "ready", "at_s": time.time(), "started_s": 1}
        (opened.settings.run_folder / f"{role}.json").write_bytes(orjson.dumps(status))
    found = standing.standing(opened, datetime.now(UTC))
    assert [line.level for line in found.lines if line.about in standing.PARTS] == ["ok"] * 4


def test_starts_again_are_known(look):
    found = look(**WELL, supervisor={"restarts": {"gateway": 2, "app": 0}})
    assert ("note", "gateway was started again 2 times since the start") in lines(found, "gateway")


def test_without_a_policy_everything_is_held_and_said_so(look, prepared, opened):
    assert lines(look(), "policy") == [("bad", "no policy is active: every message is held")]
    prepared.activate(bundle({"ehr": "mllp://127.0.0.1:9"}))
    found = look()
    assert lines(found, "policy")[0][0] == "ok"
    assert [link.id for link in link_standing.links(found)] == ["ehr"], "what is kept here goes nowhere"
    kept = standing.standing(opened, datetime.now(UTC))
    assert kept is found, "what was seen within a second is not read again"


def test_deliveries_that_need_somebody_are_bad_and_late_ones_a_note(look, opened):
    at_us = int(time.time() * 1e6) - 300_000_000
    rows = [
        OutboxRow(f"S{n}", opened.site, uuid7(), link, "d", "s", "k", BodyRef("o", 1, n, 9, bytes(32)), False, "b@1", 0, bytes(32), bytes(32), 0, at_us, state=state)
        for n, (link, state) in enumerate([("ehr", "pending"), ("ehr", "dead"), ("x", "blocked")])
    ]  # fmt: skip
    with write(opened.engine) as db:
        messages.insert_outbox(db, rows)
        messages.insert_held(db, [HeldRow(uuid7(), opened.site, at_us, "d", "1.1.1.1 -", "device.unknown", "MSH-3", "")])  # fmt: skip
        missing.insert(db, opened.site, [MissingRow("S9", "m", "ehr", "missing", 3, at_us)])
    trouble = {"ehr": {"trouble": "delivery.unreachable", "since_s": time.time() - 90}}
    found = look(**WELL | {"courier": {"links": trouble}})
    said = lines(found, "deliveries")
    assert ("bad", "ehr cannot deliver for 1 min: the recipient cannot be reached") in said
    assert ("bad", "1 delivery on ehr dead") in said
    assert ("bad", "1 delivery on x blocked") in said
    assert ("bad", "1 delivery permitted on ehr went nowhere") in said
    assert any(level == "note" and what.startswith("1 wait on ehr, the oldest 5 min") for level, what in said)
    assert lines(found, "quarantine") == [("note", "1 message held")]
    assert [line.level for line in found.lines] == sorted((line.level for line in found.lines), key=standing._GRAVEST.index)  # fmt: skip


def test_what_may_not_be_sent_any_more_needs_nobody(look, opened):
    at_us = int(time.time() * 1e6)
    row = OutboxRow("W1", opened.site, uuid7(), "withdrawn", "d", "s", "k", BodyRef("o", 1, 1, 9, bytes(32)), False, "b@1", 0, bytes(32), bytes(32), 0, at_us, state="dead", reason="decision.permit-narrowed")  # fmt: skip
    with write(opened.engine) as db:
        messages.insert_outbox(db, [row])
    assert not [what for _, what in lines(look(**WELL), "deliveries") if "withdrawn" in what]
    with write(opened.engine) as db:
        messages.insert_outbox(db, [row._replace(id="W2", message=uuid7(), reason="delivery.refused")])
    assert ("bad", "1 delivery on withdrawn dead") in lines(look(**WELL), "deliveries")


def test_a_full_disk_and_a_silent_keeper_are_bad(look, opened, monkeypatch):
    usage = type("Usage", (), {"free": 5 << 20, "total": 1 << 40})
    monkeypatch.setattr(standing.shutil, "disk_usage", lambda _path: usage)
    opened.keeper.close()
    found = look(**WELL)
    assert lines(found, "disk") == [("bad", "5.0 MiB free; on a full disk nothing is acknowledged")]
    assert lines(found, "keys") == [("bad", "the keeper does not answer: keeper.unavailable")]


def test_a_clock_that_went_back_is_bad(look, opened, monkeypatch):
    monkeypatch.setattr(type(opened.clock), "sure", lambda _self: False)
    assert lines(look(**WELL), "clock")[0][0] == "bad"


def test_without_a_witness_the_page_says_so(look):
    assert lines(look(**WELL), "witness") == [("note", "not independently witnessed: no witness is set")]


def test_a_link_whose_files_are_missing_says_which_and_what_to_do(look):
    trouble = "link.unusable: /srv/d/recipients/site-ca.pem"
    found = look(courier={"links": {"ehr": {"waiting": 0, "trouble": trouble, "since_s": 0.0}}})
    [line] = [line for line in found.bad if "ehr cannot" in line.what]
    assert "link.unusable" not in line.what, "words, not a code"
    assert "ehr cannot deliver: what its recipient's [tls] names cannot be read" in line.what
    assert "(/srv/d/recipients/site-ca.pem)" in line.what
    meaning = words.meaning(trouble)
    assert "recipients` of the data folder" in meaning.remedy
    assert words.meaning("no such code: x").what == ""


def test_a_consent_that_came_and_nobody_looked_at_is_a_note(look, opened):
    assert lines(look(), "consents") == []
    with write(opened.engine) as db:
        consents.arrive(
            db, opened.site, uuid7(), subject=uuid7(), device="hub", found=Arrived(consents=1), at_us=1
        )
    [(level, what)] = lines(look(), "consents")
    assert level == "note"
    assert "1 message with a Consent (oathward consent arrived)" in what


def test_open_findings_of_the_review_are_said_and_serious_ones_counted(look, prepared, opened):
    prepared.activate(bundle({"ehr": "mllp://127.0.0.1:9"}))
    now_us = int(time.time() * 1e6)
    found = [
        ReviewFinding("link.expired", "link:ehr", "its last day was yesterday"),
        ReviewFinding("grant.unused", "person:p/auditor", "never used"),
    ]
    rows = [findings_views.row_of(one, "00", now_us) for one in found]
    with write(opened.engine) as db:
        findings_actions.take_in(db, opened.site, rows, now_us)
    seen = look(**WELL)
    assert lines(seen, "review") == [("note", "2 open findings of the policy's review, 1 of them serious")]
    assert seen.serious == 1
    with write(opened.engine) as db:
        findings_actions.sign_off(db, opened.site, found[0].id, by="p", why="renewed soon", days=1, now_us=now_us)  # fmt: skip
    seen = look(**WELL)
    assert (seen.serious, lines(seen, "review")[0][1]) == (0, "1 open finding of the policy's review")
    with read(opened.engine) as db:
        assert findings_views.waiting(db, opened.site, now_us + 2 * 86_400_000_000).grave == 1, (
            "past its date"
        )
    with write(opened.engine) as db:
        findings_actions.let_go(db, opened.site, now_us + 1)
    assert lines(look(**WELL), "review") == [("ok", "the policy's review has no open finding")]
