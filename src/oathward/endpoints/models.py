"""What models of devices may speak, as their makers say (MUD files, RFC 8520): kept as they were imported.

Rules:
- One MUD file a MUD URL; imported again it takes the place of the one before, on record (``model.declared``).
- An endpoint is of a model where what stands first of its make and model are those of the file, legal forms and case aside. Of several files of
  one model that of its firmware counts, else the one updated last.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, delete, insert, select

from oathward.core.db import write
from oathward.discovery.lists.reading import MayDo, MayRule, Peer
from oathward.endpoints.model import EndpointRow
from oathward.endpoints.tables import model_may_do
from oathward.ledger import Record, append, prepare

MODELS_MAX = 10_000
_PEERS = MayRule._fields.index("peers")
_LEGAL = frozenset(["inc", "incorporated", "corp", "corporation", "co", "company", "gmbh", "ag", "ltd", "limited", "llc", "plc", "sa", "bv", "ab"])  # fmt: skip


def put(engine: Engine, site: str, models: Sequence[MayDo], now_us: int, by: str) -> int:
    """Keep MUD files; gives how many are new or others than before."""
    count, table = 0, model_may_do
    for one in models:
        body = orjson.dumps(_body(one))
        mine = (table.c.site == site, table.c.url == one.url)
        with write(engine) as db:
            before = db.execute(select(table.c.body).where(*mine)).scalar()
            if before is not None and bytes(before) == body:
                continue
            db.execute(delete(table).where(*mine))
            row = {"url": one.url, "make": one.make, "model": one.model, "at_us": now_us, "by": by}
            db.execute(insert(table).values(site=site, body=body, **row))
            digest = hashlib.sha256(body).hexdigest()
            said = {"by": by, "make": one.make, "model": one.model, "rules": len(one.rules), "sha256": digest}
            append(db, site, [prepare(Record("model.declared", said, now_us))])
        count += 1
    return count


def kept(db: Connection, site: str) -> list[MayDo]:
    """List the MUD files that are kept, by URL."""
    table = model_may_do.c
    query = select(table.body).where(table.site == site).order_by(table.url).limit(MODELS_MAX)
    return [_may_do(orjson.loads(body)) for body in db.execute(query).scalars()]


def by_endpoint(models: Sequence[MayDo], rows: Mapping[str, EndpointRow]) -> dict[str, MayDo]:
    """Say which MUD file counts for which endpoint; who is of no model that has one is not there."""
    known: dict[str, list[MayDo]] = {}
    for one in models:
        if one.model:
            known.setdefault(_folded(one.model), []).append(one)
    found = {}
    for id_, row in rows.items():
        make = _folded(row.make)
        fits = [one for one in known.get(_folded(row.model), ()) if not one.make or _folded(one.make) == make]
        if fits:
            found[id_] = max(fits, key=lambda one: (bool(one.firmware) and one.firmware == row.firmware, one.updated, one.url))  # fmt: skip
    return found


def _folded(text: str) -> str:
    words = "".join(c if c.isalnum() else " " for c in text.casefold()).split()
    return " ".join(word for word in words if word not in _LEGAL)


def _body(one: MayDo) -> dict[str, Any]:
    said: dict[str, Any] = {name: getattr(one, name) for name in MayDo.__slots__}
    said["rules"] = [
        [[list(peer) for peer in rule.peers] if at == _PEERS else part for at, part in enumerate(rule)]
        for rule in one.rules
    ]
    return said


def _may_do(said: dict[str, Any]) -> MayDo:
    rules = []
    for rule in said["rules"]:
        parts: list[Any] = [tuple(part) if isinstance(part, list) else part for part in rule]
        parts[_PEERS] = tuple(Peer(*peer) for peer in rule[_PEERS])
        rules.append(MayRule(*parts))
    return MayDo(**said | {"rules": tuple(rules)})
