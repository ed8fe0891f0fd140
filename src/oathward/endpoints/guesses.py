"""Guesses of types as rows: which endpoints' types are confirmed, what was learned from them, and what was guessed.

Rules:
- A type is confirmed where a person or a list of the site says it (``SURE``); these are the examples, ``EXAMPLES_MAX`` of them and ``OF_TYPE_MAX`` of
  each type.
- Whose type anybody says gets no guess, and loses the one it had.
- What was learned is kept with the digest of its examples: it is learned anew when they are others.

Deliberately absent: what an endpoint shows on the network (``observing.guessing``), learning itself (``inferring``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

import orjson
from sqlalchemy import Connection, Engine, delete, exists, insert, select

from oathward.core.db import write
from oathward.discovery.model import Fact, Mark, MarkKind, Statement
from oathward.endpoints.actions import take_for
from oathward.endpoints.alone import alone
from oathward.endpoints.attributes import INFERRED
from oathward.endpoints.inferring import Guess, Learned
from oathward.endpoints.loading import chunks
from oathward.endpoints.tables import endpoint, endpoint_attribute, type_model
from oathward.endpoints.types import type_of

SURE = 0.8
EXAMPLES_MAX = 600
OF_TYPE_MAX = 30
_LOOKED_MAX = 20_000
_CHANGED = 0.05
"""A guess of the same type is written anew when it is so much surer or less sure."""

_ATTRIBUTE, _REASON = "type", "type-reason"
_SAID = endpoint_attribute.c


def confirmed(db: Connection, site: str) -> dict[str, tuple[str, str]]:
    """Give endpoints whose type a person or a list says: id -> type of our vocabulary, and maker."""
    query = (
        select(endpoint.c.id, _SAID.value, endpoint.c.make)
        .join(endpoint_attribute, (_SAID.site == endpoint.c.site) & (_SAID.endpoint == endpoint.c.id))
        .where(endpoint.c.site == site, endpoint.c.merged == "", _SAID.attribute == _ATTRIBUTE)
        .where(_SAID.shown == 1, _SAID.source != INFERRED, _SAID.confidence >= SURE)
        .order_by(endpoint.c.id)
        .limit(_LOOKED_MAX)
    )
    found: dict[str, tuple[str, str]] = {}
    of_type = Counter[str]()
    for id_, value, make in db.execute(query):
        word = type_of(value)
        if word and id_ not in found and of_type[word] < OF_TYPE_MAX and len(found) < EXAMPLES_MAX:
            found[id_] = (word, make)
            of_type[word] += 1
    return found


def unsaid(db: Connection, site: str, after: str, limit: int) -> list[str]:
    """List endpoints of whose type nobody says anything, or that have a guess, by id behind one."""
    said = exists().where(
        _SAID.site == endpoint.c.site, _SAID.endpoint == endpoint.c.id,
        _SAID.attribute == _ATTRIBUTE, _SAID.source != INFERRED,
    )  # fmt: skip
    guessed = exists().where(
        _SAID.site == endpoint.c.site, _SAID.endpoint == endpoint.c.id,
        _SAID.attribute == _ATTRIBUTE, _SAID.source == INFERRED,
    )  # fmt: skip
    query = select(endpoint.c.id).where(
        endpoint.c.site == site, endpoint.c.merged == "", endpoint.c.id > after
    )
    return list(db.execute(query.where(~said | guessed).order_by(endpoint.c.id).limit(limit)).scalars())


def standing(db: Connection, site: str, ids: Collection[str]) -> dict[str, tuple[Guess | None, bool]]:
    """Give the guess that stands of each endpoint, and whether anybody else says its type; merged ones are not there."""
    here = set[str]()
    rows: dict[str, list[tuple[str, str, str, float]]] = {}
    for some in chunks(sorted(ids)):
        mine = select(endpoint.c.id).where(endpoint.c.site == site, endpoint.c.merged == "")
        here.update(db.execute(mine.where(endpoint.c.id.in_(some))).scalars())
        query = select(_SAID.endpoint, _SAID.attribute, _SAID.value, _SAID.source, _SAID.confidence).where(
            _SAID.site == site, _SAID.endpoint.in_(some), _SAID.attribute.in_((_ATTRIBUTE, _REASON))
        )
        for id_, *row in db.execute(query):
            rows.setdefault(id_, []).append((row[0], row[1], row[2], row[3]))
    found: dict[str, tuple[Guess | None, bool]] = {}
    for id_ in sorted(here):
        of = rows.get(id_, [])
        reasons = tuple(
            sorted(value for name, value, source, _ in of if name == _REASON and source == INFERRED)
        )
        guess = next(
            (
                Guess(value, sure, reasons)
                for name, value, source, sure in of
                if name == _ATTRIBUTE and source == INFERRED
            ),
            None,
        )
        found[id_] = guess, any(name == _ATTRIBUTE and source != INFERRED for name, _, source, _ in of)
    return found


def is_news(old: Guess | None, new: Guess | None) -> bool:
    """Whether a guess is another than the one that stands."""
    if old is None or new is None:
        return old is not new
    other = (old.type, sorted(old.reasons)) != (new.type, sorted(new.reasons))
    return other or abs(old.confidence - new.confidence) >= _CHANGED


def put(engine: Engine, site: str, changed: Mapping[str, Guess | None], now_us: int, by: str) -> None:
    """Write guesses in place of those before; None takes one back."""
    same: dict[Guess | None, list[str]] = {}
    for id_, guess in changed.items():
        rounded = guess and guess._replace(confidence=round(guess.confidence, 2))
        same.setdefault(rounded, []).append(id_)
    with alone(engine, site):
        for one, ids in same.items():
            said = Statement(now_us, INFERRED, "", (Mark(MarkKind.DEVICE, INFERRED),), tuple(_facts(one)))
            take_for(engine, site, sorted(ids), said, (_ATTRIBUTE, _REASON), now_us, by)


def _facts(guess: Guess | None) -> Iterable[Fact]:
    if guess is not None:
        yield Fact(_ATTRIBUTE, guess.type, guess.confidence)
        yield from (Fact(_REASON, reason, guess.confidence) for reason in guess.reasons)


def learned(db: Connection, site: str, digest: str) -> Learned | None:
    """Give what was learned from examples of this digest; None where it was learned from others, or never."""
    row = db.execute(select(type_model.c.sha256, type_model.c.body).where(type_model.c.site == site)).first()
    if row is None or row[0] != digest:
        return None
    body = orjson.loads(row[1])
    return Learned(body["seen"], body["sizes"], tuple(body["curve"]))


def keep(engine: Engine, site: str, model: Learned, digest: str, now_us: int) -> None:
    """Keep what was learned in place of what was before."""
    body = orjson.dumps({"seen": model.seen, "sizes": model.sizes, "curve": model.curve})
    row = {
        "site": site,
        "at_us": now_us,
        "examples": sum(model.sizes.values()),
        "sha256": digest,
        "body": body,
    }
    with write(engine) as db:
        db.execute(delete(type_model).where(type_model.c.site == site))
        db.execute(insert(type_model).values(**row))


def batches(ids: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    """Cut ids into batches."""
    return (ids[at : at + size] for at in range(0, len(ids), size))
