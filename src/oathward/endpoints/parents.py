"""Through whom an endpoint was heard, when a person says that two are one, or takes it back.

Rules:
- Who was heard through the one that goes is heard through the one that stays, at once; who was heard through nobody takes over what the other
  had. Nobody is heard through itself.
- Taken back, each is where it was last heard by itself: relations keep who was heard through whom, whatever became of the two.
"""

from __future__ import annotations

from sqlalchemy import Connection

from oathward.core.db import direct

_HEARD = (
    "EXISTS (SELECT 1 FROM endpoint_relation AS r WHERE r.site = endpoint.site AND r.kind = 'behind'"
    " AND r.child = endpoint.id AND r.parent = {parent})"
)
_LATER = (
    "EXISTS (SELECT 1 FROM endpoint_relation AS r JOIN endpoint_relation AS n ON n.site = r.site AND n.kind = r.kind AND n.child = r.child"
    " WHERE r.site = endpoint.site AND r.kind = 'behind' AND r.child = endpoint.id AND r.parent = ? AND n.parent = ? AND n.last_us > r.last_us)"
)


def join(db: Connection, site: str, gone: str, into: str) -> None:
    """Let what was heard through one be heard through the other."""
    direct(
        db,
        "UPDATE endpoint SET parent = (SELECT o.parent FROM endpoint AS o WHERE o.site = endpoint.site AND o.id = ?)"
        " WHERE site = ? AND id = ? AND parent = ''",
        (gone, site, into),
    )
    direct(
        db,
        "UPDATE endpoint SET parent = ? WHERE site = ? AND parent = ? AND id <> ?",
        (into, site, gone, gone),
    )
    direct(db, "UPDATE endpoint SET parent = '' WHERE site = ? AND id = ? AND parent = ?", (site, into, into))


def part(db: Connection, site: str, again: str, into: str) -> None:
    """Take ``join`` back: by who was heard through whom before, and since."""
    heard = _HEARD.format(parent="?")
    direct(
        db,
        f"UPDATE endpoint SET parent = ? WHERE site = ? AND id <> ? AND (parent = ? OR (id = ? AND parent = '')) AND {heard} AND NOT {_LATER}",  # noqa: S608  our own words
        (again, site, again, into, into, again, again, into),
    )
    unheard = _HEARD.format(parent="endpoint.parent")
    direct(
        db,
        f"UPDATE endpoint SET parent = '' WHERE site = ? AND id = ? AND parent <> '' AND NOT {unheard}",  # noqa: S608  our own words
        (site, into),
    )
