"""The database is locked for three seconds by another process: care goes on from memory, parts live, nothing is lost.

Two locks: that of a writer (``BEGIN EXCLUSIVE``; readers go on, so that consents are known all the while), and the marks of all
readers of the log (nobody can begin to read): links that are not for care stand still a second after the last good read.
"""

import subprocess
import sys
import threading
import time

import pytest
from tests.unit.courier.standing_site import Quiet, served
from tests.wire import Client, oru

from oathward.core.reasons import Reason

pytestmark = pytest.mark.alone

COUNT = 80
UNREADABLE = Reason.CONSENT_UNREADABLE.code
LOCKED_S = 3.0
WRITER = (
    "import sqlite3, sys, time; db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20);"
    "db.execute('BEGIN EXCLUSIVE'); print(time.time(), flush=True); time.sleep(float(sys.argv[2]));"
    "db.execute('ROLLBACK'); print(time.time(), flush=True)"
)
# Bytes 123 to 127 of the shared index are the readers' marks (SQLite, walformat, "WAL locks").
READERS = (
    "import fcntl, sys, time; file = open(sys.argv[1] + '-shm', 'r+b'); fcntl.lockf(file, fcntl.LOCK_EX, 5, 123);"
    "print(time.time(), flush=True); time.sleep(float(sys.argv[2])); fcntl.lockf(file, fcntl.LOCK_UN, 5, 123);"
    "print(time.time(), flush=True)"
)


@pytest.fixture
def recipients():
    found = {name: Quiet(answers=True, pause_s=0.1) for name in ("ehr", "payer")}
    yield found
    for one in found.values():
        one.close()


@pytest.fixture
def site(tmp_path, recipients):
    """A site that serves, with rows for both recipients in its courier's memory: eight seconds' worth."""
    site = served(tmp_path, recipients, count=COUNT)
    site.start()
    site.wait(lambda: all(len(one.got) > 3 for one in recipients.values()))
    yield site
    site.stop()


def locked(site, how):
    """Lock the database; gives from when until when, and what parts said of themselves meanwhile."""
    command = [sys.executable, "-c", how, str(site.folder / "oathward.db"), str(LOCKED_S)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        from_s = float(process.stdout.readline())
        said = []
        while process.poll() is None:
            said.append({role: site.status(role) for role in ("gateway", "courier")})
            time.sleep(0.2)
        return from_s, float(process.stdout.readline()), said


def during(recipient, from_s, until_s):
    return sum(from_s < at_s < until_s for at_s in recipient.times)


def nothing_is_lost(site, recipients, more=0):
    site.wait(lambda: site.rows("SELECT count(*) FROM outbox") == [(0,)], 60)
    for one in recipients.values():
        assert len({control_id(body) for body in one.got}) == COUNT + more
    assert site.records("message.dead") == []
    assert site.cli("ledger", "verify")["ok"]


def control_id(body):
    return body.split(b"\r")[0].split(b"|")[9]


def parts(site):
    return {role: site.status(role)["pid"] for role in ("gateway", "courier")}


def test_a_writer_that_holds_it_stops_nothing_that_was_decided(site, recipients):
    before, answers = parts(site), []

    def speak():
        time.sleep(0.5)
        with Client(site.port(), timeout_s=30) as client:
            answers.append((client.send(oru("late")), time.time()))

    speaking = threading.Thread(target=speak)
    speaking.start()
    from_s, until_s, said = locked(site, WRITER)
    speaking.join(30)
    for one in recipients.values():
        assert during(one, from_s + 1.5, until_s) >= 3, "what patients say can be read: nothing stands still"
    assert [code for code, _ in answers] == ["AA"]
    assert answers[0][1] >= until_s, "acknowledged once it is stored, and not before"
    assert parts(site) == before
    assert not any(one["courier"]["trouble"] == UNREADABLE for one in said)
    nothing_is_lost(site, recipients, more=1)


def test_where_nobody_can_read_what_is_not_care_stands_still_and_care_goes_on(site, recipients):
    before = parts(site)
    from_s, until_s, said = locked(site, READERS)
    ehr, payer = recipients["ehr"], recipients["payer"]
    assert during(ehr, from_s + 1.5, until_s) >= 3
    assert during(payer, from_s + 1.5, until_s) == 0
    assert said[-1]["courier"]["at_s"] > from_s + 2.0, "it goes on saying that it lives"
    assert said[-1]["courier"]["trouble"] == UNREADABLE
    assert parts(site) == before
    nothing_is_lost(site, recipients)
