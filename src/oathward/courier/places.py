"""What a FHIR recipient holds already: an entry that is only to create is left out where something stands at its place.

Rules:
- An update with ``ifNoneMatch`` ``*`` is to create and never to change what is there. R4 knows no such update: servers
  that do not know it overwrite, those that do refuse the whole transaction. So the courier asks first, by a read, and
  what it then sends is plain R4: the entry without its condition, or no entry.
- While a message is between question and answer, no other one to that recipient writes at its places.
- Places known to be taken are remembered, in memory and bounded; when a message that relied on it is refused, it is
  asked again.

Deliberately absent: what stands there; it is never looked at.

Source: FHIR R4 §3.1.0.2 (read), §3.1.0.7 (create as update), Bundle.entry.request; RFC 9110 §13.1.2 (If-None-Match).
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

import orjson

KNOWN_MAX = 65_536
_TYPE, _ID = re.compile(r"[A-Z][A-Za-z]{1,63}"), re.compile(r"(?!\.{1,2}$)[A-Za-z0-9.-]{1,64}")


class Target(NamedTuple):
    """How a body is sent.

    Args:
        method: of HTTP.
        below: what follows the base in its address.
        entries: of a transaction; 0 for a resource by itself.
        places: where each entry writes; empty for one that is no update.
        creates: positions of the entries that are only to create.
    """

    method: str
    below: str
    entries: int
    places: tuple[str, ...]
    creates: tuple[int, ...] = ()


def is_place(type_: str, id_: str) -> bool:
    """Say whether these are a type and an id in FHIR's form, and no step in a path (``..``)."""
    return _TYPE.fullmatch(type_) is not None and _ID.fullmatch(id_) is not None


def target_of(body: bytes) -> Target | None:
    """Say how a body is sent; ``None`` where it is no resource with an id, and no transaction.

    What does not have the form of a place never comes into a request line.
    """
    try:
        resource = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(resource, dict):
        return None
    match resource:
        case {"resourceType": "Bundle", "type": "transaction", "entry": [_, *_] as entries}:
            return _transaction(entries)
        case {"resourceType": str(type_), "id": str(id_)} if type_ != "Bundle" and is_place(type_, id_):
            place = f"{type_}/{id_}"
            return Target("PUT", place, 0, (place,))
    return None


def _transaction(entries: list[Any]) -> Target | None:
    places: list[str] = []
    creates = []
    for n, entry in enumerate(entries):
        request = entry.get("request") if isinstance(entry, dict) else None
        if not isinstance(request, dict) or request.get("method") != "PUT":
            places.append("")
            continue
        type_, _, id_ = str(request.get("url")).partition("/")
        places.append(f"{type_}/{id_}" if is_place(type_, id_) else "")
        if request.get("ifNoneMatch") == "*":
            if not places[-1]:
                return None
            creates.append(n)
    return Target("POST", "", len(entries), tuple(places), tuple(creates))


def without(body: bytes, target: Target, taken: Collection[str]) -> bytes:
    """Write a transaction without the entries whose places are taken, and the others without their condition.

    Numbers stay as they are written.
    """
    whole = json.loads(body, parse_float=_as_written, parse_int=_as_written)
    entries = []
    for n, entry in enumerate(whole["entry"]):
        if n in target.creates:
            if target.places[n] in taken:
                continue
            del entry["request"]["ifNoneMatch"]
        entries.append(entry)
    whole["entry"] = entries
    return orjson.dumps(whole) if entries else b""


def _as_written(number: str) -> orjson.Fragment:
    return orjson.Fragment(number.encode())


class Places:
    """What is known of the places of one recipient; all connections to it share one."""

    def __init__(self) -> None:
        self._taken: OrderedDict[str, None] = OrderedDict()
        self._busy: set[str] = set()
        self._freed = asyncio.Condition()

    def known(self, place: str) -> bool:
        """Say whether something is known to stand there."""
        return place in self._taken

    def remember(self, places: Collection[str]) -> None:
        """Note that something stands at these places."""
        for place in places:
            if place:
                self._taken[place] = None
                self._taken.move_to_end(place)
        while len(self._taken) > KNOWN_MAX:
            self._taken.popitem(last=False)

    def forget(self, places: Collection[str]) -> None:
        """Take back what was noted."""
        for place in places:
            self._taken.pop(place, None)

    @asynccontextmanager
    async def held(self, places: Collection[str]) -> AsyncIterator[None]:
        """Keep these places to oneself; waits until nobody else has one of them."""
        wanted = {place for place in places if place}
        async with self._freed:
            await self._freed.wait_for(lambda: self._busy.isdisjoint(wanted))
            self._busy |= wanted
        try:
            yield
        finally:
            self._busy -= wanted
            async with self._freed:
                self._freed.notify_all()


_shared: WeakValueDictionary[str, Places] = WeakValueDictionary()


def places_of(base: str) -> Places:
    """Give what all links to one base share, as long as one of them is used."""
    return _shared.setdefault(base, Places())
