"""Guesses of types, made when sources were read and when what they are learned from changed.

Rules:
- What an endpoint shows: its marks, what it says of itself, which services it asks and serves. Names it asks for stand in no total and are not used.
- Where the examples are others than those it was learned from, it is learned anew and every endpoint of unknown type is guessed again; else
  only those that are named. At most ``GUESSED_MAX``.

Source: ``endpoints.inferring``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

import orjson
from sqlalchemy import Connection

from oathward.core.clock import micros
from oathward.core.db import read
from oathward.discovery.model import Fact, Mark
from oathward.endpoints import guesses, loading
from oathward.endpoints.attributes import INFERRED
from oathward.endpoints.inferring import (
    CONFIDENCE_MIN,
    RULES,
    Example,
    Learned,
    Service,
    answer,
    learn,
    tokens_of,
)
from oathward.network import views as network

if TYPE_CHECKING:
    from oathward.vault.opened import Opened

BATCH = 256
GUESSED_MAX = 100_000
BY = INFERRED


def guess(site: Opened, ids: Collection[str] = ()) -> int:
    """Guess types; gives how many guesses are new, another, or taken back.

    Args:
        ids: of endpoints that were heard or told of since.
    """
    model, is_new = _model(site)
    count = 0
    for some in _everybody(site) if is_new else guesses.batches(sorted(ids)[:GUESSED_MAX], BATCH):
        with read(site.engine) as db:
            before = guesses.standing(db, site.site, some)
            open_ = [id_ for id_, (_, is_said) in before.items() if not is_said]
            shown = _shown(db, site.site, open_)
        now = {id_: answer(model, shown[id_]) for id_ in open_}
        changed = {
            id_: now.get(id_) for id_, (old, _) in before.items() if guesses.is_news(old, now.get(id_))
        }
        if changed:
            guesses.put(site.engine, site.site, changed, micros(site.clock.now()), BY)
        count += len(changed)
    return count


def _everybody(site: Opened) -> Iterator[Sequence[str]]:
    after, count = "", 0
    while count < GUESSED_MAX:
        with read(site.engine) as db:
            ids = guesses.unsaid(db, site.site, after, BATCH)
        if not ids:
            return
        yield ids
        after, count = ids[-1], count + len(ids)


def _model(site: Opened) -> tuple[Learned, bool]:
    """Give what is learned from the types that are confirmed now, and whether that is new."""
    with read(site.engine) as db:
        types = guesses.confirmed(db, site.site)
        shown = _shown(db, site.site, sorted(types))
        examples = [Example(word, shown[id_], make or id_) for id_, (word, make) in sorted(types.items())]
        digest = _digest(examples)
        known = guesses.learned(db, site.site, digest)
    if known is not None:
        return known, False
    model = learn(examples)
    guesses.keep(site.engine, site.site, model, digest, micros(site.clock.now()))
    return model, True


def _digest(examples: Sequence[Example]) -> str:
    said = [
        sorted(RULES.items()),
        CONFIDENCE_MIN,
        [[one.type, one.group, sorted(one.tokens)] for one in examples],
    ]
    return hashlib.sha256(orjson.dumps(said)).hexdigest()


def _shown(db: Connection, site: str, ids: Sequence[str]) -> dict[str, frozenset[str]]:
    """Give what endpoints show, as tokens."""
    marks, said = loading.marks_of(db, site, ids), loading.attributes_of(db, site, ids)
    services = network.services_of(db, site, ids)
    return {
        id_: tokens_of(
            [Mark(kind, value) for kind, _, value in marks.get(id_, {})],
            [
                Fact(row.attribute, row.value, row.confidence)
                for row in said.get(id_, [])
                if row.source != INFERRED
            ],
            [Service(*one) for one in sorted(services.get(id_, ()))],
        )
        for id_ in ids
    }
