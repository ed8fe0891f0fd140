"""Whose flows are asked for, by an address or a call: an endpoint's id, an address, or part of what the inventory knows of it."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING

from oathward.endpoints import views as endpoints
from oathward.endpoints.model import Filters

if TYPE_CHECKING:
    from sqlalchemy import Connection

MATCHES_MAX = 200
"""So many endpoints are asked for by a word at most."""

PORT_MAX = 65_535
_NOBODY = "-"  # the id of no endpoint


@dataclass(frozen=True, slots=True)
class Who:
    """One side as somebody asked for it: ids of endpoints, or an address; ``many``: more fit than were asked for."""

    endpoints: tuple[str, ...] = ()
    address: str = ""
    many: bool = False


def who(db: Connection, site: str, text: str) -> Who:
    """Find who is meant; a word that fits nobody asks for nobody."""
    if not text:
        return Who()
    try:
        return Who(address=str(ip_address(text)))
    except ValueError:
        pass  # a name, or an id
    if endpoints.names(db, site, [text]):
        return Who(tuple(sorted({text, *endpoints.parts_of(db, site, text)})))
    found = endpoints.page(
        db, site, Filters(search=text, ended=True), limit=MATCHES_MAX, facets=False, total=False
    )
    return Who(tuple(row.id for row in found.rows) or (_NOBODY,), many=bool(found.after))


def port(text: str) -> int:
    """Read a port; -1 where it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(PORT_MAX)) else -1
