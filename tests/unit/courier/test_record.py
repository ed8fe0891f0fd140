"""What the recorder promises: at once when alone, together under load, all of it before it ends, tried until durable."""

import threading
import time
from dataclasses import replace

import pytest

import oathward.ledger.tables  # noqa: F401  declares the ledger's tables
from oathward.core.clock import Clock
from oathward.core.db import connect, create_tables, read
from oathward.core.errors import StorageError
from oathward.core.reasons import Reason
from oathward.courier import record
from oathward.courier.model import Delivered, Failed
from oathward.courier.record import Recorder
from oathward.ledger import Record, prepare
from oathward.messages.model import Delivery

from .test_lane import item

DELAY_S = 0.1


@pytest.fixture
def engine(tmp_path):
    engine = connect(f"sqlite:///{tmp_path}/t.db")
    create_tables(engine)
    return engine


class Groups:
    """Keeps the groups that were recorded."""

    def __init__(self):
        self.sizes, self._more = [], threading.Condition()

    def __call__(self, group):
        with self._more:
            self.sizes.append(len(group))
            self._more.notify_all()

    def wait_for(self, count):
        with self._more:
            assert self._more.wait_for(lambda: sum(self.sizes) >= count, 5.0), self.sizes


def delivered(seq):
    return item(seq, "d"), Delivered("AA"), Delivery.DEAD


def recorder(engine, groups, **limits):
    return Recorder(engine, "s", Clock(), groups, **{"group_max": 64, "group_delay_s": DELAY_S, **limits})


def recorded(engine):
    with read(engine) as db:
        return [kind for (kind,) in db.exec_driver_sql("SELECT kind FROM ledger_record ORDER BY idx")]


def test_one_alone_is_recorded_at_once_and_what_follows_together(engine):
    groups = Groups()
    it = recorder(engine, groups)
    begin_s = time.monotonic()
    it.put(delivered(0))
    groups.wait_for(1)
    assert time.monotonic() - begin_s < DELAY_S
    for seq in range(1, 6):
        it.put(delivered(seq))
        time.sleep(DELAY_S / 50)
    groups.wait_for(6)
    it.stop()
    assert groups.sizes == [1, 5]
    assert recorded(engine) == ["message.delivered"] * 6


def test_no_group_is_larger_than_it_may_be_and_full_ones_do_not_wait(engine):
    groups = Groups()
    it = recorder(engine, groups, group_max=4, group_delay_s=5.0)
    it.put(delivered(0))
    groups.wait_for(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(it._stopping, "wait", lambda _s: time.sleep(DELAY_S))  # one wait, then all that came
        for seq in range(1, 13):
            it.put(delivered(seq))
        begin_s = time.monotonic()
        groups.wait_for(13)
    assert time.monotonic() - begin_s < 1.0
    it.stop()
    assert groups.sizes == [1, 4, 4, 4]


def test_the_end_waits_for_nobody_and_leaves_nothing(engine):
    groups = Groups()
    it = recorder(engine, groups, group_delay_s=60.0)
    for seq in range(20):
        it.put(delivered(seq))
    begin_s = time.monotonic()
    it.stop()
    assert time.monotonic() - begin_s < 5.0
    assert recorded(engine) == ["message.delivered"] * 20


def test_a_group_that_could_not_be_recorded_is_tried_until_it_is(engine, monkeypatch):
    monkeypatch.setattr(record, "_RETRY_S", 0.01)
    whole, failures = record.record_group, [StorageError("database", "full")] * 3

    def failing(*args, **kwargs):
        if failures:
            raise failures.pop()
        return whole(*args, **kwargs)

    monkeypatch.setattr(record, "record_group", failing)
    groups = Groups()
    it = recorder(engine, groups)
    it.put(delivered(0))
    groups.wait_for(1)
    it.stop()
    assert (groups.sizes, recorded(engine)) == ([1], ["message.delivered"])


@pytest.mark.parametrize(
    ("result", "state", "kinds"),
    [
        (Delivered("AA"), "", ["message.delivered"]),
        (Delivered("201", "ab" * 32), "", ["message.delivered"]),
        (
            Failed(Reason.RECIPIENT_REFUSED, refused=True, final=True, answer="422", codes=("required",)),
            Delivery.DEAD,
            ["message.dead", "finding.raised"],
        ),
        (
            Failed(Reason.RECIPIENT_REFUSED, refused=True),
            Delivery.BLOCKED,
            ["message.dead", "finding.raised"],
        ),
        (Failed(Reason.NO_LINK), Delivery.DEAD, ["message.dead", "finding.raised"]),
    ],
)
def test_an_outcome_is_recorded_as_the_ledger_would_write_it(result, state, kinds):
    one = item(7, "d")
    one = replace(one, attempts=2)
    leaves = record._leaves((one, result, state), 5)
    assert [leaf.record.kind for leaf in leaves] == kinds
    for leaf in leaves:
        again = prepare(Record(leaf.record.kind, leaf.record.body, 5, leaf.record.subject, ("link",), "m7"))
        assert (leaf.record, leaf.body) == (again.record, again.body)


def test_what_a_recipient_answered_stands_in_the_record():
    said = Failed(Reason.RECIPIENT_REFUSED, refused=True, final=True, answer="422", codes=("required",))
    [dead, _] = record._leaves((item(7, "d"), said, Delivery.DEAD), 5)
    assert (
        dead.record.body.items()
        >= {"answer": "422", "codes": ["required"], "reason": "delivery.refused"}.items()
    )
    [delivered] = record._leaves((item(7, "d"), Delivered("201", "ab"), ""), 5)
    assert delivered.record.body.items() >= {"answer": "201", "receipt": "ab"}.items()


def test_a_link_in_trouble_raises_a_finding(engine):
    record.record_trouble(engine, "s", "ehr", Reason.RECIPIENT_DISTRUSTS, 5)
    assert recorded(engine) == ["finding.raised"]
