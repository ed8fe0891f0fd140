"""Whoever deletes a waiting delivery, or a merge, from the database is found out; on SQLite and on PostgreSQL."""

import time
import urllib.request

import pytest
from tests.postgres import postgres_server, postgres_url, why_not  # noqa: F401  fixtures
from tests.site import Site, bundle, local
from tests.unit.patients.making import mrg, pid
from tests.wire import Client, Recipient, oru

from oathward.core.db import connect, write

SOON = "[watchdog]\ndelivery_minutes_max = 0.01\n"


def tamper(site, sql):
    engine = connect(site.settings.database_url)
    with write(engine) as db:
        count = db.exec_driver_sql(sql).rowcount
    engine.dispose()
    return count


def missing(site):
    return [
        (f["links"][0], f["body"]["finding"], f["body"]["what"])
        for f in site.records("finding.raised")
        if f["body"]["finding"].startswith("delivery.")
    ]


def doctor(site, *more, about):
    found = site.cli("doctor", *more, check=False)["lines"]
    return [(line["level"], line["what"]) for line in found if line["about"] == about]


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request, tmp_path):
    more = SOON
    if request.param == "postgresql":
        if why_not():
            pytest.skip(why_not())
        more += f'[database]\nurl = "{request.getfixturevalue("postgres_url")}"\n'
    recipient = Recipient()
    site = Site.make(tmp_path / "s", more=more)
    site.activate(bundle({"ehr": recipient.address, "away": "mllp://127.0.0.1:9"}))
    site.add(local(authoritative_adt=True))
    site.start()
    with Client(site.port()) as client:
        for n in range(3):
            assert client.send(oru(f"W{n}", value=f"w{n}")) == "AA"
    site.wait(lambda: len(recipient.kept) == 3)
    yield site
    site.stop()
    recipient.close()


def test_a_waiting_delivery_that_is_deleted_is_a_finding(site):
    time.sleep(2)
    assert missing(site) == []
    assert doctor(site, "--deep", about="delivery")[-1][0] == "ok"
    first = "SELECT min(seq) FROM outbox"
    assert tamper(site, f"DELETE FROM outbox WHERE seq = ({first})") == 1
    site.wait(lambda: missing(site) == [("away", "delivery.missing", "missing")])
    [lost] = site.cli("outbox", "list")["missing"]
    assert (lost["link"], lost["what"]) == ("away", "missing")
    port = site.status("app")["ports"]["metrics"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
        assert 'oathward_deliveries_missing{link="away"} 1.0' in page.read().decode()
    told = doctor(site, "--deep", about="delivery")
    assert any(level == "bad" and lost["id"] in what for level, what in told)
    site.stop()
    tamper(site, f"UPDATE outbox SET state = 'dead' WHERE seq = ({first})")
    site.start()
    site.wait(lambda: missing(site)[1:] == [("away", "delivery.changed", "state")])
    time.sleep(2)
    assert len(missing(site)) == 2
    done = site.cli("outbox", "discard", lost["id"], "--why", "sent again by hand")
    assert done["done"] == "off the list of missing ones"
    assert [one["what"] for one in site.cli("outbox", "list")["missing"]] == ["state"]
    assert site.cli("ledger", "verify")["ok"]


def adt(trigger, number, *segments):
    head = f"MSH|^~\\&|ADT|WARD|OATHWARD|SITE|20260504081500+0000||ADT^{trigger}|{number}|P|2.6"
    return "\r".join([head, f"EVN|{trigger}|20260504081500", *segments, ""]).encode()


def test_a_merge_that_is_deleted_or_added_is_found(site):
    a, b = "100001^^^HOSP^MR", "100002^^^HOSP^MR"
    with Client(site.port()) as client:
        for n, body in enumerate([(pid(a),), (pid(b),)]):
            assert client.send(adt("A28", f"P{n}", *body)) == "AA"
        assert client.send(adt("A40", "M1", pid(a), mrg(b))) == "AA"
    [(edge, child, parent)] = site.rows("SELECT id, child, parent FROM subject_edge WHERE kind = 'merged'")
    assert doctor(site, about="patients") == [
        ("ok", "merges and their undoing are as the ledger recorded them")
    ]
    tamper(site, "UPDATE subject_edge SET id = 'made-by-hand' WHERE kind = 'merged'")
    told = doctor(site, about="patients")
    assert [level for level, _ in told] == ["bad", "bad"]
    assert told[0][1] == "patients.edges-differ: added in the database without a record: made-by-hand"
    assert told[1][1].endswith(edge)
    tamper(site, f"UPDATE subject_edge SET id = '{edge}', child = '{parent}', parent = '{child}'")
    assert doctor(site, about="patients")[0][1].startswith("patients.edges-differ: changed")
