"""Promises of signed documents: nothing changed, older or missing is loaded."""

import dataclasses

import pytest

from oathward.core.db import connect, create_tables, read, write
from oathward.core.errors import AuthorityError
from oathward.core.reasons import Reason
from oathward.vault import authority
from oathward.vault.authority import Document, Seen, signing_input
from oathward.vault.sign import Signer

KEY = Signer.create("authority")


def signed(kind="bundle", id_="active", version=1, body=b"{}", site="demo", key=KEY) -> Document:
    plain = Document(site, kind, id_, version, body, b"", 7)
    return dataclasses.replace(plain, signature=key.sign(signing_input(plain)))


@pytest.fixture
def engine(tmp_path):
    made = connect(f"sqlite:///{tmp_path / 'a.db'}")
    create_tables(made)
    yield made
    made.dispose()


def store(engine, *documents):
    with write(engine) as db:
        authority.put_all(db, documents)


def load(engine, seen=None, kind="bundle", id_="active", key=KEY):
    with read(engine) as db:
        return authority.load(db, "demo", kind, id_, key, seen or Seen())


def change(engine, sql):
    with engine.connect() as db:
        db.exec_driver_sql(sql)
        db.commit()


def refused(act) -> Reason:
    with pytest.raises(AuthorityError) as caught:
        act()
    return caught.value.reason


def test_the_newest_version_is_loaded(engine):
    store(
        engine,
        signed(version=1, body=b"one"),
        signed(version=3, body=b"three"),
        signed(version=2, body=b"two"),
    )
    assert load(engine).body == b"three"


def test_a_document_of_another_key_is_refused(engine):
    store(engine, signed(key=Signer.create("authority")))
    assert refused(lambda: load(engine)) is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE authority SET body = x'7b7d20'",
        "UPDATE authority SET body = x''",
        "UPDATE authority SET version = 2",
        "UPDATE authority SET signature = x''",
        "UPDATE authority SET signature = zeroblob(64)",
    ],
)
def test_a_changed_document_is_refused(engine, sql):
    store(engine, signed())
    load(engine)
    change(engine, sql)
    assert refused(lambda: load(engine)) is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize(("column", "value"), [("kind", "role"), ("id", "other"), ("site", "demo")])
def test_a_document_moved_to_another_place_is_refused(engine, column, value):
    store(engine, signed(site="elsewhere" if column == "site" else "demo"))
    change(engine, f"UPDATE authority SET {column} = '{value}'")
    place = {"kind": "bundle", "id_": "active"} | ({"kind": value} if column == "kind" else {})
    place |= {"id_": value} if column == "id" else {}
    assert refused(lambda: load(engine, **place)) is Reason.SIGNATURE_INVALID


def test_words_that_run_together_are_signed_apart():
    inputs = {
        signing_input(Document("s", kind, id_, version, body, b""))
        for kind, id_, version, body in (
            ("a", "b", 1, b"x"),
            ("a", "b", 11, b""),
            ("ab", "", 1, b"x"),
            ("a", "b,1:1", 1, b"x"),
            ("a", "b", 1, b"\nx"),
        )
    }
    assert len(inputs) == 5


def test_an_older_version_than_one_seen_is_stale(engine):
    store(engine, signed(version=1), signed(version=2))
    seen = Seen()
    load(engine, seen)
    change(engine, "DELETE FROM authority WHERE version = 2")
    assert refused(lambda: load(engine, seen)) is Reason.AUTHORITY_STALE
    assert load(engine).version == 1  # reverse: a process that saw nothing would be fooled …
    told = Seen({("bundle", "active"): 2})  # … which is why it asks the keeper at start
    assert refused(lambda: load(engine, told)) is Reason.AUTHORITY_STALE


def test_a_document_that_is_gone_is_stale_and_one_that_never_was_is_not_found(engine):
    store(engine, signed())
    seen = Seen()
    load(engine, seen)
    change(engine, "DELETE FROM authority")
    assert refused(lambda: load(engine, seen)) is Reason.AUTHORITY_STALE
    assert refused(lambda: load(engine)) is Reason.NOT_FOUND


def test_all_of_a_kind_load_verified_or_not_at_all(engine):
    store(
        engine,
        *(signed("device", f"d{n}", v) for n in range(5) for v in range(1, n + 2)),
        signed("role", "x"),
    )
    seen = Seen()

    def load_all(seen=seen):
        with read(engine) as db:
            return authority.load_all(db, "demo", "device", KEY, seen)

    assert {id_: d.version for id_, d in load_all().items()} == {f"d{n}": n + 1 for n in range(5)}
    change(engine, "UPDATE authority SET body = x'00' WHERE id = 'd0'")
    assert refused(load_all) is Reason.SIGNATURE_INVALID
    change(engine, "DELETE FROM authority WHERE id = 'd0'")
    assert refused(load_all) is Reason.AUTHORITY_STALE
    assert len(load_all(Seen())) == 4


def test_a_signature_is_checked_again_when_anything_changed(engine):
    """The memory of checked signatures may never stand in for a check of other bytes."""
    seen = Seen()
    good = signed()
    seen.admit(good, KEY)
    seen.admit(good, KEY)
    for bad in (
        dataclasses.replace(good, body=b"{} "),
        dataclasses.replace(good, version=9),
        dataclasses.replace(good, id="other"),
        dataclasses.replace(good, signature=bytes(64)),
    ):
        assert refused(lambda bad=bad: seen.admit(bad, KEY)) is Reason.SIGNATURE_INVALID


def test_errors_name_the_document_and_no_content(engine):
    store(engine, signed(body=b"secret-content"))
    change(engine, "UPDATE authority SET signature = x'00'")
    with pytest.raises(AuthorityError) as caught:
        load(engine)
    assert "bundle/active" in str(caught.value)
    assert "secret" not in str(caught.value)
