"""An endpoint as lists show it: made of what was resolved and of what stands first of each attribute. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from oathward.discovery.model import MarkKind
from oathward.endpoints.model import Lifecycle
from oathward.endpoints.picture import Key, Known
from oathward.endpoints.types import type_of

_LIFECYCLES = frozenset(Lifecycle)
_SHOWN = (
    "make",
    "model",
    "serial",
    "type",
    "unit",
    "location",
    "owner",
    "criticality",
    "os",
    "firmware",
    "tag",
    "care",
)
_NAMING = (MarkKind.HOST, MarkKind.AE_TITLE, MarkKind.APPLICATION)
_SEARCHED = (*_NAMING, MarkKind.MAC, MarkKind.SERIAL, MarkKind.TAG, MarkKind.DEVICE, MarkKind.ACCOUNT)
_SEARCH_LENGTH_MAX = 600


class Stored(NamedTuple):
    """An endpoint as it stands in its table: ``whole``, all columns in their order, and of them those that the next row is made of."""

    whole: tuple[Any, ...]
    lifecycle: str
    lifecycle_us: int
    conflicts: int
    address: str


def columns_of(known: Known, shown: Mapping[str, str], old: Stored | None, now_us: int) -> tuple[Any, ...]:
    """Give the columns of table ``endpoint`` after ``site``.

    Args:
        shown: attribute -> the value that stands first. old: what stood there; None for a new one.
    """
    newest = _newest(known)
    tag = newest.get(MarkKind.TAG, "")
    words = {name: shown.get(name, "") for name in _SHOWN}
    words["tag"], words["type"] = tag or words["tag"], type_of(words["type"]) or words["type"]
    words["serial"] = words["serial"] or newest.get(MarkKind.SERIAL, "").rpartition("|")[2]
    stage = shown.get("lifecycle", "")
    stage = stage if stage in _LIFECYCLES else Lifecycle.IN_USE.value
    since = old.lifecycle_us if old is not None and old.lifecycle == stage else now_us
    address = max(known.leases.values(), key=lambda one: one.until_us).address if known.leases else ""
    address = (
        address or (old.address if old is not None else "") or newest.get(MarkKind.ADDRESS, "")
    )  # as a list has it
    mac = newest.get(MarkKind.MAC, "")
    name = (
        shown.get("name")
        or shown.get("host")
        or next((newest[kind] for kind in _NAMING if newest.get(kind)), "")
    )
    return (
        *(known.id, known.sort, known.first_us, known.last_us, known.realm, known.segment),
        *(newest.get(MarkKind.DEVICE, ""), known.parent, known.merged, stage, since),
        *(old.conflicts if old is not None else 0, name, address, mac),
        *(words[one] for one in _SHOWN),
        *(known.began_us, known.spoke_us, known.segment_us),
        _search(known, (name, address, *(words[one] for one in ("make", "model", "serial", "tag")))),
    )


def spoke(known: Known, heard_us: int) -> None:
    """Say anew when an endpoint spoke, by the cards and addresses that it has."""
    seen = [held for kind in MarkKind for _, held in known.values(kind)]
    times = [
        (one.first_us, one.last_us) for one in seen if one.last_us <= heard_us
    ]  # later ones stand in lists
    times += [(one.from_us, one.until_us) for one in known.leases.values()]
    if times:
        known.first_us, known.last_us = min(one[0] for one in times), max(one[1] for one in times)
    cards = [held for _, held in known.values(MarkKind.MAC)]
    spoken = [(held.first_us, held.last_us) for held in cards if held.last_us <= heard_us]
    spoken += [(one.from_us, one.until_us) for one in known.leases.values()]
    known.began_us = min((one[0] for one in spoken), default=0)
    known.spoke_us = max((one[1] for one in spoken), default=0)


def _newest(known: Known) -> dict[MarkKind, str]:
    """Give the mark of each kind that was seen last."""
    found: dict[MarkKind, tuple[int, Key]] = {}
    for key, held in known.marks.items():
        one = (held.last_us, key)
        if key[0] not in found or one > found[key[0]]:
            found[key[0]] = one
    return {kind: key[2] for kind, (_, key) in found.items()}


def _search(known: Known, words: tuple[str, ...]) -> str:
    marks = [key[2] for key in known.marks if key[0] in _SEARCHED]
    return "\n".join(dict.fromkeys(one.casefold() for one in (*words, *marks) if one))[:_SEARCH_LENGTH_MAX]
