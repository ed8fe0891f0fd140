"""Several processes append, remove, index and verify at once: one sequence, always whole."""

import subprocess
import sys
from contextlib import ExitStack

import pytest
from tests.postgres import needs_postgres, postgres_server, postgres_url  # noqa: F401  fixtures
from tests.unit.ledger import sample
from tests.unit.ledger.sample import KEYS, SITE

from oathward.core.db import read
from oathward.ledger import entries, head, postings
from oathward.ledger.verify import verify_database

WRITER = """
import sys
from oathward.core.db import connect, write
from oathward.ledger import Record, append, postings, prepare, remove_body
postings.BLOCK = 64
url, name, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
engine = connect(url)
for n in range(rounds):
    leaves = [prepare(Record("message.accepted", {"by": name, "n": n * 10 + k}, n, subject=name)) for k in range(n % 10 + 1)]
    with write(engine) as db:
        got = append(db, "ward", leaves)
    assert len(got) == len(leaves)
    if n % 10 == 9:
        with write(engine) as db:
            remove_body(db, "ward", got[0], "retention/test", n)
print("done")
"""
ROUNDS = 60


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=needs_postgres)])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    return request.getfixturevalue("postgres_url")


def test_two_processes_keep_one_sequence(url, monkeypatch):
    monkeypatch.setattr(postings, "BLOCK", 64)
    engine = sample.open_url(url)
    command = [sys.executable, "-c", WRITER, url]
    looks = 0
    with ExitStack() as stack:
        writers = [
            stack.enter_context(
                subprocess.Popen([*command, name, str(ROUNDS)], stdout=subprocess.PIPE, text=True)
            )
            for name in "ab"
        ]
        while any(w.poll() is None for w in writers):  # a live ledger verifies while it grows
            postings.index(engine, SITE)
            assert verify_database(engine, SITE, KEYS).problems == ()
            looks += 1
        assert [w.communicate(timeout=30)[0] for w in writers] == ["done\n", "done\n"]
    assert looks > 3
    report = verify_database(engine, SITE, KEYS)
    assert report.problems == ()
    assert report.removed == {"retention/test": ROUNDS // 10 * 2}
    with read(engine) as db:
        size = head(db, SITE).size
        by = {name: [] for name in "ab"}
        for entry in entries(db, SITE, 0, size):
            if entry.subject:
                by[entry.subject].append(entry.body["n"])
    assert size == 2 * (sum(n % 10 + 1 for n in range(ROUNDS)) + ROUNDS // 10)
    assert all(numbers == sorted(numbers) and len(numbers) > 300 for numbers in by.values())
    engine.dispose()
