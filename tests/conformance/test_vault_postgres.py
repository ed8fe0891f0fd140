"""The vault on PostgreSQL: sealed bodies in a table, keys taken in, opened, erased; documents loaded verified."""

from dataclasses import replace

import pytest
from tests.postgres import needs_postgres, postgres_server, postgres_url  # noqa: F401  fixtures
from tests.unit.vault.keeper.test_opening import refused
from tests.unit.vault.sites import ME, asking

from oathward.core.db import connect, create_tables, read, write
from oathward.core.errors import AuthorityError, StorageError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.core.settings import load
from oathward.vault import authority, intake, kept
from oathward.vault.authority import Seen, trust_anchor
from oathward.vault.keeper import setup
from oathward.vault.seal import Sealer
from oathward.vault.table_store import TableStore

pytestmark = needs_postgres


@pytest.fixture
def site(tmp_path, postgres_url):  # noqa: F811  the fixture
    settings = load(tmp_path / "data")
    settings = replace(settings, database=replace(settings.database, url=postgres_url))
    setup.init(settings)
    setup.init(settings)
    return settings


@pytest.fixture
def engine(site):
    engine = connect(site.database_url)
    create_tables(engine)
    yield engine
    engine.dispose()


def test_seal_open_erase(site, engine):
    with asking(site, "gateway") as gate, asking(site, "admin") as admin:
        keys = gate.hello()
        sealer = Sealer("demo", keys.intake, keys.outbox)
        store = TableStore(engine, "demo", "kept", "gateway")
        sent = {uuid7(1_000 + n): (f"s{n % 3}", b"%d" % n * 500) for n in range(40)}
        sealed = {m: sealer.seal_original(s, m, "keep", data) for m, (s, data) in sent.items()}
        refs = store.append([body.data for body in sealed.values()])
        store.flush()
        for _ in range(2):  # an unknown commit outcome: the keys come again, and that does nothing
            with write(engine) as db:
                intake.insert_keys(db, sealer.pending_keys())
        with write(engine) as db:
            rows = [
                kept.row("demo", m, sent[m][0], "keep", body, ref, 1)
                for (m, body), ref in zip(sealed.items(), refs, strict=True)
            ]
            kept.insert_rows(db, rows)
        sealer.confirm_keys(sealer.pending_keys())
        for subject in ("s0", "s1", "s2"):
            mine = [m for m, (s, _) in sent.items() if s == subject]
            found = admin.open(subject, mine, "TREAT", ME)
            assert {o.message: o.data.reveal() for o in found} == {m: sent[m][1] for m in mine}
        with read(engine) as db:
            assert intake.counts(db, "demo") == (0, 0)
            assert kept.last_ref(db, "kept/gateway") == refs[-1]
            assert kept.segments_in_use(db, "kept/gateway") == {ref.id for ref in refs}
            assert len(kept.of_subject(db, "demo", "s1")) == 13
        admin.erase("s1", "gdpr.art17", ME)
        mine = [m for m, (s, _) in sent.items() if s == "s1"]
        assert refused(lambda: admin.open("s1", [mine[0]], "TREAT", ME)) is Reason.KEY_DESTROYED
        with read(engine) as db:
            assert {k.state for k in kept.find(db, "demo", list(sent)) if k.subject == "s1"} == {"erased"}
        with write(engine) as db:
            assert kept.delete_before(db, "demo", "keep", 1_020_000, 10) == 10
            assert kept.delete_before(db, "demo", "keep", 1_020_000, 99) == 10
            assert len(kept.find(db, "demo", list(sent))) == 20
        assert store.discard_tail(refs[5]) == len(refs) - 6


def test_documents(site, engine):
    with asking(site, "admin") as admin:
        documents = admin.sign_many([("device", f"d{n}", 1, b"%d" % n) for n in range(30)], [ME])
        newer = admin.sign_authority("device", "d3", 2, b"newer", [ME])
        with write(engine) as db:
            authority.put_all(db, [*documents, newer])
        seen = Seen(admin.newest())
    anchor = trust_anchor(site)
    with read(engine) as db:
        found = authority.load_all(db, "demo", "device", anchor, seen)
        assert found["d3"].body == b"newer"
        assert len(found) == 30
        assert authority.newest_version(db, "demo", "device", "d3") == 2
    with write(engine) as db:
        db.exec_driver_sql("DELETE FROM authority WHERE version = 2")
    with read(engine) as db, pytest.raises(AuthorityError) as caught:
        authority.load_all(db, "demo", "device", anchor, seen)
    assert caught.value.reason is Reason.AUTHORITY_STALE


def test_a_second_writer_of_a_store_is_refused_until_the_first_has_ended(site, engine):
    """One that has not quite died would lose what it still commits to the one that starts anew."""
    other = connect(site.database_url)
    first = TableStore(engine, "demo", "kept", "gateway", alone=True)
    with pytest.raises(StorageError) as raised:
        TableStore(other, "demo", "kept", "gateway", alone=True)
    assert raised.value.reason is Reason.CONFLICT
    TableStore(other, "demo", "outbox", "gateway", alone=True).close()
    reader = TableStore(other, "demo", "kept", "gateway")
    [ref] = first.append([b"sealed"])
    first.flush()
    assert reader.read(ref) == b"sealed"
    first.close()
    again = TableStore(other, "demo", "kept", "gateway", alone=True)
    assert again.append([b"more"])[0].id == ref.id + 1
    again.close()
    other.dispose()
