"""A policy review of a site: what the ledger and the inventory say goes in, findings are kept and signed off."""

import asyncio
from dataclasses import replace

import orjson
import pytest
from tests.gate import gate_of
from tests.site import Site, local
from tests.unit.test_dry_running import before_files, hl7, take

from oathward import reviewing
from oathward.activation import load_active
from oathward.app import reviews
from oathward.changes import findings_actions, findings_views
from oathward.changes.findings_model import FindingState
from oathward.core.clock import micros
from oathward.core.db import read, write
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.jobs import actions as jobs
from oathward.jobs.model import JobRow
from oathward.policy.review_findings import ReviewFinding

DAY_US = 86_400_000_000
NEVER = b'@id("toasters") forbid(principal, action == Action::"Disclose", resource) when { context.device_kind == "toaster" };\n'


@pytest.fixture
def gate(tmp_path):
    site = Site.make(tmp_path)
    site.activate(before_files() | {"policies/never.cedar": NEVER})
    site.add(
        local("mon-1", "MON1", authoritative_adt=True),
        local("pump-1", "PMP1", kind="pump", tags=frozenset({"icu"})),
    )
    with gate_of(site) as gate:
        take(gate, [hl7("7001234501"), hl7("7001234502", sender="PMP1"), hl7("7001234503", code="ADT^A08")])
        yield gate


def active_of(gate):
    with read(gate.engine) as db:
        return load_active(db, gate.site, gate.opened.authority, gate.opened.seen)


def kept(gate, *states):
    with read(gate.engine) as db:
        return findings_views.findings(db, gate.site, gate.now_us(), states)


def kinds(gate):
    with read(gate.engine) as db:
        rows = db.exec_driver_sql(
            "SELECT kind, body FROM ledger_record WHERE kind LIKE 'review.%' ORDER BY idx"
        )
        return [(kind, orjson.loads(body)["body"]) for kind, body in rows]


def test_what_came_and_what_passed_is_read_from_the_ledger(gate, monkeypatch):
    monkeypatch.setattr(reviewing, "_BLOCK", 2)
    uses, words = reviewing.uses_of(gate.opened, active_of(gate), gate.now_us(), lambda: False)
    assert (uses.days, uses.decisions) == (0, 3)
    assert words.types == {"ORU^R01", "ADT^A08"}
    assert words.kinds == {"monitor", "pump"}
    assert uses.of("cloud").types == {"ORU^R01"}
    assert uses.of("cloud").devices == {"mon-1", "pump-1"}
    assert uses.of("ehr").types == {"ORU^R01", "ADT^A08"}
    assert "patient.name" in uses.of("ehr").classes <= uses.classes
    assert uses.since_us["cloud"] <= gate.now_us()


def test_a_link_is_in_force_since_it_came_without_a_break(gate):
    entries = [
        type("E", (), {"links": links, "at_us": at})()
        for links, at in (({"a"}, 40), ({"a", "b"}, 30), ({"b"}, 20), ({"a"}, 10))
    ]
    assert reviewing._since(entries, "a") == 30
    assert reviewing._since(entries[:1], "b") == 1 << 62


def test_a_review_keeps_what_it_finds_once(gate):
    done = reviewing.run(gate.opened)
    assert done.counts == {"new": 1, "again": 0, "gone": 0}
    (view,) = kept(gate)
    assert (view.row.rule, view.row.about, view.open) == ("policy.never-fires", "policy:toasters", True)
    assert view.proposal.applied({"policies/never.cedar": NEVER}) == {}
    assert reviewing.run(gate.opened).counts == {"new": 0, "again": 0, "gone": 0}
    assert [kind for kind, _ in kinds(gate)] == ["review.found"]
    assert kinds(gate)[0][1] == {
        "about": "policy:toasters",
        "again": False,
        "finding": view.row.id,
        "rule": "policy.never-fires",
    }


def test_a_finding_that_is_no_more_is_gone_and_may_come_again(gate, tmp_path):
    reviewing.run(gate.opened)
    site = Site(tmp_path)
    site.activate(before_files())
    assert reviewing.run(gate.opened).counts == {"new": 0, "again": 0, "gone": 1}
    assert [view.row.state for view in kept(gate)] == [FindingState.GONE]
    site.activate(before_files() | {"policies/never.cedar": NEVER})
    assert reviewing.run(gate.opened).counts == {"new": 0, "again": 1, "gone": 0}
    assert [kind for kind, _ in kinds(gate)] == ["review.found", "review.gone", "review.found"]


class TestSignOff:
    def sign(self, gate, **more):
        (view,) = kept(gate)
        with write(gate.engine) as db:
            return findings_actions.sign_off(
                db, gate.site, more.pop("id_", view.row.id),
                **{"by": "p1", "why": "kept for the winter", "days": 30, "now_us": gate.now_us()} | more,
            )  # fmt: skip

    @pytest.fixture(autouse=True)
    def _found(self, gate):
        reviewing.run(gate.opened)

    def test_it_is_a_record_and_lasts_until_a_date(self, gate):
        row = self.sign(gate)
        assert row.until_us > gate.now_us() + 29 * DAY_US
        kind, body = kinds(gate)[-1]
        assert (kind, body["by"], body["why"]) == ("review.signed-off", "p1", "kept for the winter")
        assert reviewing.run(gate.opened).counts == {"new": 0, "again": 0, "gone": 0}
        (view,) = kept(gate)
        assert (view.row.state, view.open, view.row.by) == (FindingState.SIGNED_OFF, False, "p1")

    def test_past_the_date_it_is_open_again(self, gate):
        self.sign(gate, now_us=gate.now_us() - 31 * DAY_US)
        (view,) = kept(gate)
        assert view.overdue
        assert view.open
        assert reviewing.run(gate.opened).counts["again"] == 1
        (view,) = kept(gate)
        assert (view.row.state, view.row.by, view.row.until_us) == (FindingState.OPEN, "", 0)

    @pytest.mark.parametrize(
        ("more", "where", "code"),
        [
            ({"id_": "0" * 16}, "finding", "not-found"),
            ({"why": "  "}, "why", "input.invalid"),
            ({"why": "x" * 300}, "why", "input.invalid"),
            ({"why": "a\x07b"}, "why", "input.invalid"),
            ({"days": 0}, "days", "input.invalid"),
            ({"days": 367}, "days", "input.invalid"),
        ],
    )
    def test_what_is_no_sign_off_is_refused(self, gate, more, where, code):
        with pytest.raises(InputError) as error:
            self.sign(gate, **more)
        assert (error.value.where, error.value.reason.code) == (where, code)
        assert kept(gate)[0].row.state is FindingState.OPEN

    def test_once(self, gate):
        self.sign(gate)
        with pytest.raises(InputError) as error:
            self.sign(gate)
        assert error.value.reason.code == "conflict"


def test_signed_off_and_gone_is_open_when_it_comes_again(gate):
    found = ReviewFinding("policy.shadowed", "policy:x", "w")
    with write(gate.engine) as db:
        findings_actions.take_in(db, gate.site, [findings_views.row_of(found, "b", 1)], 1)
        findings_actions.sign_off(db, gate.site, found.id, by="p", why="w", days=366, now_us=2)
        assert findings_actions.let_go(db, gate.site, 3) == 1
        assert findings_actions.let_go(db, gate.site, 3) == 0
        findings_actions.take_in(db, gate.site, [findings_views.row_of(found, "b", 4)], 4)
    (view,) = kept(gate)
    assert (view.row.state, view.row.first_us, view.row.by) == (FindingState.OPEN, 4, "")


def test_many_are_taken_in_by_groups(gate, monkeypatch):
    found = [ReviewFinding("grant.endless", f"person:p{n}/auditor", "has no end") for n in range(600)]
    monkeypatch.setattr(reviewing, "findings_of", lambda *_, **__: found)
    assert reviewing.run(gate.opened).counts == {"new": 600, "again": 0, "gone": 0}
    found.pop()
    assert reviewing.run(gate.opened).counts == {"new": 0, "again": 0, "gone": 1}
    found.clear()
    assert reviewing.run(gate.opened).counts == {"new": 0, "again": 0, "gone": 599}
    assert len(kinds(gate)) == 1_200


class TestWhen:
    def test_once_a_bundle_and_night_over_starts(self, gate, tmp_path):
        assert reviews.Reviews(gate.opened).run()
        again = reviews.Reviews(gate.opened)
        assert not again.run(), "another process of the same night"
        Site(tmp_path).activate(before_files())
        assert again.run()
        assert [kind for kind, _ in kinds(gate)] == ["review.found", "review.gone"]

    def test_each_night(self, gate, monkeypatch):
        due = reviews.Reviews(gate.opened)
        due.run()
        later = gate.opened.clock.now().replace(hour=3)
        from datetime import timedelta

        monkeypatch.setattr(gate.opened.clock, "now", lambda: later + timedelta(days=1))
        assert due.run()

    def test_a_file_that_is_broken_is_none(self, gate):
        one = reviews.Reviews(gate.opened)
        one.run()
        one._path.write_bytes(b"{")
        assert reviews.Reviews(gate.opened).run()

    def test_one_under_way_ends_with_the_process(self, gate):
        with pytest.raises(InputError):
            reviewing.run(gate.opened, stopped=lambda: True)
        assert kept(gate) == []

    def test_the_task_runs_and_stops(self, gate, monkeypatch):
        monkeypatch.setattr(reviews, "FRESH_S", 0.0)  # of a site that was never reviewed
        assert not reviews.Reviews(gate.opened).ever

        async def some():
            task = asyncio.create_task(reviews.run(gate.opened))
            while not kept(gate):
                await asyncio.sleep(0.02)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        asyncio.run(asyncio.wait_for(some(), 20))
        assert reviews.Reviews(gate.opened).ever


def test_a_proposal_comes_back_from_its_row(gate):
    reviewing.run(gate.opened)
    (view,) = kept(gate)
    (found,) = reviewing.findings_of(gate.opened, active_of(gate), micros(gate.clock.now()))
    assert replace(found, proposal=view.proposal) == found


def test_a_job_into_what_others_released_is_signed_off_by_another_than_who_ran_it(gate):
    with write(gate.engine) as db:
        jobs.begin(db, gate.site, JobRow("job-1", "research", "registry", "p-ada", 1, 1))
    now_us = gate.now_us()
    with write(gate.engine) as db:
        jobs.begin(db, gate.site, JobRow("job-2", "research", "registry", "p-ben", now_us, now_us))
    reviewing.look_at_jobs(gate.opened)
    [one] = [one for one in kept(gate) if one.row.rule == "job.others"]
    assert (one.row.about, one.open) == ("job:job-2", True)
    reviewing.run(gate.opened)  # the night's review finds it again, and it is the same one
    assert len([one for one in kept(gate) if one.row.rule == "job.others"]) == 1

    def sign_off(by):
        with write(gate.engine) as db:
            findings_actions.sign_off(
                db, gate.site, one.row.id, by=by, why="asked", days=9, now_us=gate.now_us()
            )

    with pytest.raises(InputError) as caught:
        sign_off("p-ben")
    assert caught.value.reason is Reason.ACCESS_OWN
    sign_off("p-cleo")
    reviewing.look_at_jobs(gate.opened)
    assert not [one for one in kept(gate) if one.row.rule == "job.others" and one.open]


def test_jobs_are_looked_at_without_a_policy_in_force(tmp_path):
    site = Site.make(tmp_path)
    with gate_of(site) as gate:
        for at_us, by in ((1, "p-ada"), (gate.now_us(), "p-ben")):
            with write(gate.engine) as db:
                jobs.begin(db, gate.site, JobRow(f"job-{by}", "research", "registry", by, at_us, at_us))
        reviewing.look_at_jobs(gate.opened)
        assert [one.row.about for one in kept(gate)] == ["job:job-p-ben"]
