"""What lists of the inventory are asked for, by an address or a call, in the same words.

Rules:
- ``-`` asks for what nobody says anything of.
- Who was silent is counted back from the last flow that was seen: where a sensor fell silent not all devices did.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from oathward.core.clock import from_micros
from oathward.endpoints import views
from oathward.endpoints.care import Care
from oathward.endpoints.model import Filters, Lifecycle
from oathward.network import views as network

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

FACETS = {
    "type": "Type",
    "make": "Maker",
    "unit": "Unit",
    "realm": "Address realm",
    "criticality": "Clinical criticality",
    "os": "Operating system",
    "lifecycle": "Stage of life",
    "sort": "Where",
    "care": "Care state",
}
"""Facet, as it stands in the address -> its words."""

CARE = {"in-use": Care.IN_USE.value}
"""Care state, as it stands in the address -> as it is kept; others are one word."""

UNKNOWN = "-"
"""In the address: nobody says anything of it."""

NEVER_SEEN = "never-seen"
SHOWS = {
    "": "All",
    "undeclared": "Nobody declared",
    "declared": "Declared",
    NEVER_SEEN: "Declared, never seen",
    "conflict": "In conflict",
    "in-use": "In use for a patient now",
    "new": "New this week",
    "unlisted": "Heard, on no list",
    "never-heard": "On a list, never heard",
    "disagree": "Sources disagree",
    "unsupported": "Support has ended",
}
SILENT = {
    "": "Any time",
    "1": "Not for a day",
    "7": "Not for a week",
    "30": "Not for 30 days",
    "90": "Not for 90 days",
    "never": "Never",
}
"""When endpoints were last heard, in days up to the last flow that was seen."""
NEW_US = 7 * 86_400_000_000
"""Who was heard first within this is new."""


def wanted(db: Connection, site: str, asked: Mapping[str, str], now_us: int) -> Filters:
    """Read what is asked for.

    Args:
        asked: ``search``, ``show`` of ``SHOWS``, ``silent`` of ``SILENT``, and by the names of ``FACETS``; what is empty or absent asks for nothing.
    """
    values = {name: asked.get(name, "") for name in FACETS}
    values["care"] = CARE.get(values["care"], values["care"])
    shown, silent = asked.get("show", ""), asked.get("silent", "")
    equal = {name: value for name, value in values.items() if value and value != UNKNOWN}
    found = Filters(
        search=asked.get("search", ""),
        equal=equal | ({"care": views.IN_USE} if shown == "in-use" else {}),
        unknown=frozenset(name for name, value in values.items() if value == UNKNOWN),
        conflict=shown == "conflict",
        undeclared=shown == "undeclared",
        declared=shown == "declared",
        ended=values["lifecycle"] == Lifecycle.RETIRED.value,
        never_heard=shown == "never-heard",
        unlisted=shown == "unlisted",
        disagree=shown == "disagree",
        new_since_us=now_us - NEW_US if shown == "new" else 0,
        support_before=f"{from_micros(now_us):%Y-%m-%d}" if shown == "unsupported" else "",
    )
    if silent:
        until_us = 1 if silent == "never" else network.since(db, site, now_us, int(silent))
        found = replace(found, until_us=until_us)
    return found
