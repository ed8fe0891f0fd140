"""Who a message is about, through the whole path: the site's names of authorities, merges, cards."""

import pytest
from tests.site import Site, bundle
from tests.wire import oru

from oathward.app import build
from oathward.core.db import write
from oathward.gateway.arrival import Outcome
from oathward.gateway.commit import commit_group
from oathward.gateway.gate import Gate
from oathward.gateway.path import arrive
from oathward.inventory.model import Device, Peer
from oathward.patients import actions

DEVICE, FEED = Peer("127.0.0.1", None, ()), Peer("127.0.0.2", None, ())
NAMES = '[patients.authorities]\nHOSP = ["HOSPITAL", "1.2.3"]\n'


@pytest.fixture
def who(tmp_path, request):
    site = Site.make(tmp_path / "s", more=getattr(request, "param", NAMES))
    site.activate(bundle({"ehr": "mllp://127.0.0.1:9"}))
    site.add(
        Device(id="mon-1", kind="monitor", addresses=frozenset({DEVICE.address})),
        Device(id="feed", kind="system", addresses=frozenset({FEED.address}), authoritative_adt=True),
    )
    gate = Gate(build(site.settings, "gateway"))
    yield Who(site, gate)
    gate.close()
    gate.opened.keeper.close()


class Who:
    def __init__(self, site, gate):
        self.site, self.gate, self.count = site, gate, 0

    def take(self, raw, peer):
        [prepared] = arrive(self.gate, raw, peer)
        commit_group(self.gate, [prepared])
        assert prepared.outcome is Outcome.STORED
        assert prepared.held is None
        return prepared.message.subject

    def measured(self, cx):
        self.count += 1
        return self.take(oru(f"m{self.count}").replace(b"12345678^^^HOSP^MR", cx.encode()), DEVICE)

    def adt(self, event, cx, *segments):
        self.count += 1
        head = f"MSH|^~\\&|ADT|HIS|OATHWARD|SITE|20260504081500+0000||ADT^{event}|a{self.count}|P|2.6"
        pid = f"PID|1||{cx}||Quill^Iris||19700131|F"
        return self.take("\r".join([head, f"EVN|{event}|20260504", pid, *segments, ""]).encode(), FEED)

    def findings(self):
        return [r["body"]["finding"] for r in self.site.records("finding.raised")]


def test_each_declared_spelling_is_one_patient(who):
    spellings = ["7001^^^HOSP^MR", "7001^^^&1.2.3&ISO^MR", "7001^^^HOSP&1.2.3&ISO^MR", "7001^^^hospital^MR"]
    assert len({who.measured(cx) for cx in spellings}) == 1
    assert "patient.authority-undeclared" not in who.findings()


@pytest.mark.parametrize("who", [""], indirect=True)
def test_without_the_setting_they_are_two_and_it_is_told(who):
    assert who.measured("7001^^^HOSP^MR") != who.measured("7001^^^HOSP&1.2.3&ISO^MR")
    assert who.findings().count("patient.authority-undeclared") == 1


def test_what_is_said_of_a_merged_number_is_its_own_again_when_that_is_undone(who):
    one, two = "7001^^^HOSP^MR", "7002^^^HOSP^MR"
    first, second = who.measured(one), who.measured(two)
    assert who.adt("A40", two, "MRG|7001^^^HOSP^MR") == second
    assert who.adt("A08", one) == second == who.measured(one)
    assert [subject for (subject,) in who.site.rows("SELECT subject FROM subject_card")] == [first]
    [(edge,)] = who.site.rows("SELECT id FROM subject_edge")
    with write(who.gate.engine) as db:
        actions.unmerge(db, who.gate.site, edge, by="t", reason="mistaken", now_us=who.gate.now_us())
    who.gate.refresh()
    assert (who.measured(one), who.measured(two)) == (first, second)
