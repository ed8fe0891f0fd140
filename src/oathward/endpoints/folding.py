"""What a batch said of an endpoint's attributes, laid onto what stood there: what stands now, what gave way, what is worth writing. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from oathward.discovery.model import VALUE_LENGTH_MAX, MarkKind
from oathward.endpoints.attributes import ALSO, ATTRIBUTES, VALUES_MAX
from oathward.endpoints.deriving import derived
from oathward.endpoints.makers import CONFIDENCE as HINT
from oathward.endpoints.makers import SOURCE as CARD
from oathward.endpoints.makers import maker_of
from oathward.endpoints.model import AttributeRow, CatalogueRow
from oathward.endpoints.picture import HOUR_US, Known

SAID_AGAIN_US = 6 * HOUR_US
"""The last time of a value that nobody contradicts is kept this exactly: it saves most writes of a quiet day. The endpoint's own is exact."""

CARRIED = frozenset({MarkKind.MAC, MarkKind.CERTIFICATE})
_CATALOGUED = frozenset({"udi", "udi-di"})
_DERIVING = _CATALOGUED | {"type", "os"}
"""Attributes that others follow from (``deriving``)."""


def fold(
    old: Sequence[AttributeRow],
    known: Known,
    catalogue: Mapping[str, CatalogueRow],
    makers: Mapping[str, str],
) -> tuple[list[AttributeRow], list[tuple[str, str, str]]]:
    """Add what a batch said to what stood there; gives what stands now, and what gave way."""
    rows: dict[tuple[str, ...], AttributeRow] = {key(one): one for one in old}
    for (name, value, source), (first, last, confidence) in known.facts.items():
        name = ALSO.get(name, name)
        if name in ATTRIBUTES and value:
            said = AttributeRow(
                name, value[:VALUE_LENGTH_MAX], source, int(first), int(last), confidence, origin=known.id
            )
            rows[key(said)] = _wider(rows.get(key(said)), said)
    for (kind, _, mac), held in known.marks.items():
        maker = maker_of(mac, makers) if kind is MarkKind.MAC else ""
        if maker:
            said = AttributeRow("make", maker, CARD, held.first_us, held.last_us, HINT, origin=known.id)
            rows[key(said)] = _wider(rows.get(key(said)), said)
    for one in derived(rows.values(), catalogue):
        rows[key(one)] = _wider(rows.get(key(one)), one)
    gone = list[tuple[str, str, str]]()
    by_name: dict[str, list[AttributeRow]] = {}
    for row in rows.values():
        by_name.setdefault(row.attribute, []).append(row)
    for same in by_name.values():
        if len(same) <= VALUES_MAX:
            continue
        same.sort(key=lambda one: -one.last_us)
        for one in same[VALUES_MAX:]:
            gone.append((one.attribute, one.value, one.source))
            del rows[key(one)]
    return list(rows.values()), gone


def says_nothing_new(
    known: Known, old: Sequence[AttributeRow], marks: set[Any], makers: Mapping[str, str]
) -> bool:
    """Whether a batch said again what stands there and nobody contradicts, no later than ``SAID_AGAIN_US``, of the same cards and certificates."""
    if any(key[0] in CARRIED and key not in marks for key in known.marks):
        return False
    was = {key(one): one for one in old}
    for kind, _, mac in known.marks:
        maker = maker_of(mac, makers) if kind is MarkKind.MAC else ""
        if maker and ("make", maker, CARD, known.id) not in was:
            return False
    values: dict[str, set[str]] = {}
    for one in old:
        values.setdefault(one.attribute, set()).add(one.value)
    if not values.keys().isdisjoint(_CATALOGUED):
        return False  # what the catalogue says of them may have changed
    for (name, value, source), (first, last, confidence) in known.facts.items():
        name = ALSO.get(name, name)
        if name not in ATTRIBUTES or not value:
            continue
        row = was.get((name, value[:VALUE_LENGTH_MAX], source, known.id))
        if row is None or len(values[name]) > 1 or row.confidence != confidence:
            return False
        if first < row.first_us or last - row.last_us >= SAID_AGAIN_US:
            return False
    return True


def parted(
    known: Known, old: Sequence[AttributeRow], makers: Mapping[str, str]
) -> tuple[list[AttributeRow], list[AttributeRow]]:
    """Part what stands there: what a batch may change, and what it leaves as it is, the only value of an attribute of which it says nothing.

    All of it may change where others follow from what is said, or where the catalogue may say otherwise by now.
    """
    said = {ALSO.get(name, name) for name, value, _ in known.facts if value}
    if any(maker_of(mac, makers) for kind, _, mac in known.marks if kind is MarkKind.MAC):
        said.add("make")
    rows = Counter(one.attribute for one in old)
    if not said.isdisjoint(_DERIVING) or not rows.keys().isdisjoint(_CATALOGUED):
        return list(old), []
    part, rest = list[AttributeRow](), list[AttributeRow]()
    for one in old:
        stays = one.attribute not in said and rows[one.attribute] == 1 and one.shown and not one.conflict
        (rest if stays else part).append(one)
    return part, rest


def is_news(old: AttributeRow | None, one: AttributeRow, *, alone: bool) -> bool:
    """Whether a row must be written: the only value of its attribute, said again, not before ``SAID_AGAIN_US``."""
    if old is None or not alone:
        return old != one
    return (
        one.last_us - old.last_us >= SAID_AGAIN_US
        or one.first_us != old.first_us
        or (one.confidence, one.shown, one.conflict) != (old.confidence, old.shown, old.conflict)
    )


def key(one: AttributeRow) -> tuple[str, ...]:
    """Name the row that a value is kept in."""
    return (one.attribute, one.value, one.source, one.origin)


def _wider(old: AttributeRow | None, said: AttributeRow) -> AttributeRow:
    if old is None:
        return said
    if old.first_us <= said.first_us and said.last_us < old.last_us:
        return old
    sure = said.confidence if said.last_us >= old.last_us else old.confidence
    return old._replace(
        first_us=min(old.first_us, said.first_us),
        last_us=max(old.last_us, said.last_us),
        confidence=sure,
    )
