"""The inventory, page by page, as writers of other formats get it; what devices of one model spoke.

Rules:
- A page is in memory at a time; an export of any size needs no more.
- Who a peer was is what the inventory says now; its make is compared folded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlalchemy import Engine

from oathward.core.db import read
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.discovery.exports.entry import Entry, Word
from oathward.discovery.exports.mud import Spoke
from oathward.discovery.model import MarkKind
from oathward.endpoints import views
from oathward.endpoints.attributes import show
from oathward.endpoints.loading import attributes_of, marks_of
from oathward.endpoints.model import AttributeRow, EndpointRow, Filters, Held
from oathward.endpoints.picture import Key
from oathward.network import views as network
from oathward.network.model import Conversation, ConversationFilters
from oathward.network.plan import is_own

PAGE_ROWS = 500
CONVERSATIONS_MAX = 100_000
"""Conversations of one model that are looked at."""
_IDS = 100


def entries(engine: Engine, site: str, wanted: Filters) -> Iterator[Entry]:
    """Give endpoints with all that is said of them, last heard of first."""
    after = ""
    while True:
        with read(engine) as db:
            page = views.page(db, site, wanted, after=after, limit=PAGE_ROWS, facets=False)
            ids = [row.id for row in page.rows]
            said, marks = attributes_of(db, site, ids), marks_of(db, site, ids)
        for row in page.rows:
            yield _entry(row, said.get(row.id, []), marks.get(row.id, {}))
        after = page.after
        if not after:
            return


def spoken(engine: Engine, site: str, make: str, model: str, *, since_us: int = 0) -> list[Spoke]:
    """Give what devices of one model had with their peers.

    Raises:
        InputError: no device of it is known, or too much was spoken to be looked at.
    """
    ids = [one.id for one in entries(engine, site, Filters(equal={"make": make, "model": model}))]
    if not ids:
        raise InputError("model", "no endpoint has this make and model", reason=Reason.NOT_FOUND)
    found: dict[str, Conversation] = {}
    names: dict[str, EndpointRow] = {}
    with read(engine) as db:
        for at in range(0, len(ids), _IDS):
            filters = ConversationFilters(endpoints=tuple(ids[at : at + _IDS]), since_us=since_us)
            some = network.conversations(db, site, filters, limit=CONVERSATIONS_MAX)
            found |= {one.id: one for one in some}
            if len(found) >= CONVERSATIONS_MAX:
                why = f"spoke more than {CONVERSATIONS_MAX} conversations: say since when"
                raise InputError("model", why, reason=Reason.LIMIT_EXCEEDED)
        ends = {end for one in found.values() for end in (one.key.client_endpoint, one.key.server_endpoint)}
        names = views.names(db, site, sorted(ends - {""}))
    return list(_spoken(found, set(ids), names, make))


def _spoken(
    found: Mapping[str, Conversation], mine: set[str], names: Mapping[str, EndpointRow], make: str
) -> Iterator[Spoke]:
    for one in found.values():
        key, sums = one.key, one.sums
        answered = sums.answered or (0 if sums.unanswered else sums.flows)
        for device, began, peer, other in (
            (key.client_endpoint, True, key.server, key.server_endpoint),
            (key.server_endpoint, False, key.client, key.client_endpoint),
        ):
            if device in mine:
                row = names.get(other)
                same = row is not None and row.make.casefold() == make.casefold()
                name = row.name if row is not None and not is_own(peer) else ""
                yield Spoke(device, began, peer, name, is_own(peer), same, key.transport, key.port, answered)


def _entry(row: EndpointRow, said: list[AttributeRow], marks: Mapping[Key, Held]) -> Entry:
    by_kind: dict[MarkKind, list[tuple[int, str]]] = {}
    for (kind, _, value), held in marks.items():
        if not held.ended_us:
            by_kind.setdefault(kind, []).append((held.last_us, value))
    shown: dict[str, list[str]] = {}
    words = []
    for one in show(said):
        words.append(
            Word(one.attribute, one.value, one.source, one.first_us, one.last_us, one.confidence, one.shown)
        )
        if one.shown:
            shown.setdefault(one.attribute, []).append(one.value)
    shown["lifecycle"] = [row.lifecycle]
    if row.name:
        shown.setdefault("name", [row.name])
    return Entry(
        id=row.id,
        realm=row.realm,
        segment=row.segment,
        first_us=row.first_us,
        last_us=row.last_us,
        marks={kind: tuple(value for _, value in sorted(of, reverse=True)) for kind, of in by_kind.items()},
        shown={name: tuple(dict.fromkeys(values)) for name, values in shown.items()},
        words=tuple(words),
    )
