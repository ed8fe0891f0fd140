"""A small ledger with one of everything, made over and over by the tests."""

import hashlib
from pathlib import Path

import orjson
from sqlalchemy import Engine

from oathward.core.db import connect, create_tables, read, write
from oathward.ledger import (
    Record,
    append,
    checkpoint,
    note,
    postings,
    prepare,
    remove_bodies,
    remove_facts,
    start,
)
from oathward.ledger.verify import Keys
from oathward.vault.sign import Signer

SITE = "ward"
LOG = Signer("oathward/ward", b"\x01" * 32)
WITNESS = Signer("witness.test/w1", b"\x02" * 32)
KEYS = Keys([LOG], [WITNESS])
LINKS = ("ehr", "registry", "cloud")
START_US = 1_700_000_000_000_000


def open_ledger(folder: Path, name: str = "ledger.db") -> Engine:
    return open_url(f"sqlite:///{folder / name}")


def open_url(url: str) -> Engine:
    engine = connect(url)
    create_tables(engine)
    return engine


def facts_of(n: int) -> tuple[bytes, bytes]:
    body = orjson.dumps({"device": f"pump-{n}", "labels": ["N"]}, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(body).digest(), body


def record(n: int, kind: str = "message.accepted", **more) -> Record:
    body = {"n": n, **more}
    return Record(kind, body, START_US + n, f"subject-{n % 7}", LINKS[: n % 4], f"message-{n}")


def accepted(n: int):
    """Make the n-th record; none from the 400th on rests on the facts that are removed then."""
    digest, body = facts_of(n % (5 if n < 400 else 4))
    return prepare(record(n, decisions=[{"link": "ehr", "facts": digest.hex()}])), {digest: body}


def add(engine: Engine, count: int, first: int = 0) -> None:
    """Append ``count`` records in one transaction."""
    leaves, facts = [], {}
    for n in range(first, first + count):
        leaf, found = accepted(n)
        leaves.append(leaf)
        facts |= found
    with write(engine) as db:
        append(db, SITE, leaves, facts)


def sign(engine: Engine, *, cosigned: bool = False) -> str:
    """Sign the head and keep the checkpoint."""
    with read(engine) as db:
        found = checkpoint.propose(db, SITE, None)
    assert found is not None
    signed = note.sign(found.text, LOG)
    if cosigned:
        signed += note.cosign(found.text, WITNESS, 1_700_000_000 + found.size)
    with write(engine) as db:
        checkpoint.store(db, SITE, signed)
    return signed


def fill(engine: Engine) -> str:
    """Make the ledger of the tests: 700 records, checkpoints every 100, removals, facts; gives the last note.

    One full tile of each kind needs 256 records; blocks of the index are made small by the caller.
    """
    with write(engine) as db:
        start(db, SITE, LOG.name, note.encode_key(LOG), START_US)
    add(engine, 299, 1)
    sign(engine)
    add(engine, 100, 300)
    sign(engine, cosigned=True)
    with write(engine) as db:
        remove_bodies(db, SITE, [5, 6, 7, 290], "retention/90-days", START_US + 400)
    with write(engine) as db:
        remove_facts(db, SITE, [facts_of(4)[0]], "facts/30-days", START_US + 401)
    add(engine, 198, 402)
    sign(engine)
    add(engine, 60, 600)
    signed = sign(engine, cosigned=True)
    add(engine, 40, 660)
    while postings.index(engine, SITE):
        pass
    return signed
