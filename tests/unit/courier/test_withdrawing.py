"""What the courier's process does when a patient says no, or when nobody can tell it what patients say."""

import asyncio
import math

import pytest
from tests.site import bundle
from tests.unit.courier.standing_site import Quiet, deliver, says_no, served, take, until
from tests.wire import oru

from oathward.app import build
from oathward.core.db import read
from oathward.core.errors import StorageError
from oathward.core.reasons import Reason
from oathward.courier import withdrawing
from oathward.courier.recheck import Later
from oathward.courier.standing import Standing
from oathward.messages import sql as messages
from oathward.vault.keeper.server import Server

OVER = Reason.CONSENT_WITHDRAWN_IN_FLIGHT.code
DENIED = Reason.CONSENT_DENIES.code


@pytest.fixture
def recipients():
    found = {"ehr": Quiet(answers=True), "payer": Quiet()}
    yield found
    for one in found.values():
        one.close()


@pytest.fixture
def site(tmp_path, recipients):
    return served(tmp_path, recipients)


def effects(site, link):
    return site.rows(
        "SELECT version, withdrawn, in_flight, answered, away FROM consent_effect"
        f" WHERE link = '{link}' AND process = 'courier'"
    )


def reasons(site, link):
    return sorted(site.rows(f"SELECT state, reason FROM outbox WHERE link = '{link}'"))


def test_a_withdrawal_breaks_off_what_is_on_the_wire_and_is_on_record(site, recipients, tmp_path):
    async def go(courier):
        payer = recipients["payer"]
        await until(lambda: payer.got)
        await asyncio.to_thread(says_no, site, tmp_path)
        await until(lambda: effects(site, "payer"))
        assert effects(site, "payer") == [(1, 2, 1, 0, 0)]
        assert payer.resets == 1
        payer.answers.set()
        await asyncio.sleep(0.3)
        assert len(payer.got) == 1, "it is never sent again"

    deliver(site, go)
    assert reasons(site, "payer") == [("dead", DENIED), ("dead", DENIED), ("dead", OVER)]
    [record] = [one for one in site.records("consent.effective") if one["links"] == ["payer"]]
    body = record["body"]
    assert {**body, "ms": 0} == {
        "in_flight": 1,
        "link": "payer",
        "ms": 0,
        "process": "courier",
        "version": 1,
        "withdrawn": 2,
    }
    [(committed_us, effective_us)] = site.rows(
        "SELECT committed_us, effective_us FROM consent_effect WHERE link = 'payer'"
    )
    [(at_us,)] = site.rows("SELECT at_us FROM ledger_record WHERE kind = 'consent.recorded'")
    assert committed_us == at_us < effective_us
    assert (body["ms"] - 1) * 1_000 < effective_us - committed_us <= body["ms"] * 1_000


def test_an_answer_in_time_counts_as_answered(site, recipients, tmp_path):
    async def go(courier):
        payer = recipients["payer"]
        await until(lambda: payer.got)
        feed = courier._feeds["payer"].feed
        withdraw = feed.withdraw

        def answered(*args):
            payer.answers.set()
            return withdraw(*args)

        feed.withdraw = answered
        await asyncio.to_thread(says_no, site, tmp_path)
        await until(lambda: effects(site, "payer"))

    deliver(site, go)
    [(_, withdrawn, in_flight, answered, _)] = effects(site, "payer")
    assert (withdrawn, in_flight, answered) == (2, 0, 1)


def test_nothing_is_noted_where_nothing_changes(site, tmp_path):
    """A denial of research changes nothing on links for care and payment; saying it twice changes nothing at all."""

    async def go(courier):
        await asyncio.to_thread(says_no, site, tmp_path, "--purpose", "HRESCH")
        await asyncio.sleep(1.5)
        assert site.records("consent.effective") == []
        assert not courier.effects._changes, "and nothing is kept"

    deliver(site, go)


def test_a_version_of_before_the_process_says_so(site, tmp_path):
    says_no(site, tmp_path)

    async def go(courier):
        await until(lambda: effects(site, "payer"))

    deliver(site, go)
    assert effects(site, "payer") == [(1, 3, 0, 0, 1)]
    deliver(site, lambda _: asyncio.sleep(1))
    assert len(effects(site, "payer")) == 1, "once, whoever begins anew"


def test_what_cannot_be_read_stops_what_is_not_care_also_on_the_wire(site, recipients, monkeypatch):
    """It is broken off, nothing of it is over, and it goes out again when consents can be read: same ids, none lost."""

    async def go(courier):
        payer = recipients["payer"]
        await until(lambda: payer.got)
        look, watch = courier.knows._look, courier.knows.watch

        def away():
            raise StorageError("database", "cannot be read")

        monkeypatch.setattr(watch, "_look", away)
        watch._good_at_s = -math.inf
        await until(lambda: payer.resets == 1)
        assert courier.links()["payer"]["trouble"] == Reason.CONSENT_UNREADABLE.code
        await asyncio.sleep(0.3)
        assert (len(payer.got), payer.connections) == (1, 1), "nothing is started"
        assert courier.links()["ehr"]["trouble"] == ""
        monkeypatch.setattr(watch, "_look", look)
        payer.answers.set()
        await until(lambda: not reasons(site, "payer"))

    deliver(site, go)
    got = recipients["payer"].got
    assert len(got) == 4
    assert got[0] == got[1], "the one that was broken off comes again, with its id"
    assert site.records("message.dead") == []


def test_one_look_that_finds_it_stale_breaks_nothing_off(site, recipients):
    """A process that stood still: by the next look it has looked."""

    async def go(courier):
        payer = recipients["payer"]
        await until(lambda: payer.got)
        courier.knows.watch._good_at_s = -math.inf
        await asyncio.sleep(0.5)
        assert (payer.resets, len(payer.got)) == (0, 1)

    deliver(site, go)


@pytest.mark.parametrize("trouble", ["later", "database"])
def test_what_cannot_be_told_of_is_broken_off_after_the_time_for_an_answer(
    site, recipients, tmp_path, trouble
):
    async def go(courier):
        payer = recipients["payer"]
        await until(lambda: payer.got)
        asked = courier.knows.refused

        def unsure(rows):
            if trouble == "database":
                raise StorageError("database", "locked")
            return [Later(Reason.CLOCK_UNSURE)] * len(rows)

        courier.knows.refused = unsure
        await asyncio.to_thread(says_no, site, tmp_path)
        await until(lambda: payer.resets == 1)
        courier.knows.refused = asked
        await until(
            lambda: len(reasons(site, "payer")) == 3 and ("pending", "") not in reasons(site, "payer")
        )
        assert len(payer.got) == 1

    deliver(site, go)
    assert reasons(site, "payer") == [("dead", DENIED)] * 3


def test_a_bug_while_withdrawing_breaks_off_and_ends_the_process(site, recipients, tmp_path):
    async def go(courier):
        payer = recipients["payer"]
        await until(lambda: payer.got)

        async def broken(_rows):
            raise ZeroDivisionError

        courier.withdrawing._refused = (
            broken  # there alone: the same in a feed ends the feed, and its connection with it
        )
        await asyncio.to_thread(says_no, site, tmp_path)
        await until(lambda: courier.withdrawing.broken is not None)
        assert isinstance(courier.withdrawing.broken, ZeroDivisionError), "its process ends by that"
        await until(lambda: payer.resets == 1)

    deliver(site, go)
    assert withdrawing.GRACE_S == 0.5


def test_a_bug_that_ends_a_feed_breaks_off_what_is_on_its_wires(tmp_path):
    """What the kernel holds of a withheld row does not go out behind it either."""
    payer = Quiet(reads=False)
    site = served(tmp_path, {"payer": payer}, count=0)
    obx = "OBX|2|NM|147842^MDC_ECG_HEART_RATE^MDC|1.0.0.1|72|264864^MDC_DIM_BEAT_PER_MIN^MDC|||||R\r"
    take(site, oru("m0", more=obx * 700))

    async def go(courier):
        feed = courier._feeds["payer"].feed
        await until(feed.on_wire)
        [wire] = [lane._wire for lane in feed.lanes if lane.in_flight]
        await asyncio.sleep(0.1)
        assert wire._transport.get_write_buffer_size() == 0, "all that is left of it lies in the kernel"

        def broken(_rows):
            raise ZeroDivisionError

        courier.knows.refused = broken
        await asyncio.to_thread(says_no, site, tmp_path)
        await until(courier._feeds["payer"].task.done)
        payer.reads.set()
        await until(lambda: payer.resets)
        assert payer.got == []

    deliver(site, go)
    payer.close()


def test_care_is_not_broken_off_for_what_cannot_be_told(tmp_path):
    ehr = Quiet()
    site = served(tmp_path, {"ehr": ehr})

    async def go(courier):
        await until(lambda: ehr.got)
        courier.knows.refused = lambda rows: [Later(Reason.CLOCK_UNSURE)] * len(rows)
        await asyncio.to_thread(says_no, site, tmp_path, "--purpose", "HPAYMT")
        await asyncio.sleep(1.2)
        assert ehr.resets == 0
        del courier.knows.refused
        ehr.answers.set()
        await until(lambda: not reasons(site, "ehr"))

    deliver(site, go)
    assert len(ehr.got) == 3
    ehr.close()


def test_what_was_made_under_a_policy_that_is_not_taken_in_yet_waits_for_it(site, recipients):
    """By the one before it would be refused for good: there its link may have less, or there is no such link."""
    server, opened = Server(site.settings), build(site.settings, "courier")
    try:
        knows = Standing(opened, lambda _moved: None)
        knows.load()
        files = bundle({"ehr": recipients["ehr"].address, "late": recipients["payer"].address})
        site.activate(files)
        take(site, oru("late"))
        with read(opened.engine) as db:
            [row] = messages.pending(db, "late", 0, 10)
        assert [type(one) for one in knows.refused([row])] == [Later]
        knows.load()
        assert knows.refused([row]) == [None]
    finally:
        opened.keeper.close()
        opened.engine.dispose()
        server.stop()
