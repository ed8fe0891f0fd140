"""Saved views: the filters of a list under a name, one's own, or shared: with a role, or with everybody who may open that list.

Rules:
- A view is an address: a page and its filters. It permits nothing; whoever opens it sees what they may see.
- One owner has a name once for a page: saved again, it has the new filters.
- It is shared with a role its owner has: a team's views are its members' own affair. Who has the role reads it, and changes nothing.
- Its owner renames, shares and deletes it; one that is shared may also be deleted by who changes people's records.
- Each step is a record: ``view.saved``, ``view.changed``, ``view.deleted``; names and filters are somebody's words: their digest alone.

Deliberately absent: which pages there are, and who may (``web``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, case, delete, func, insert, or_, select, update

from oathward.core.errors import InputError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.ledger import Leaf, Record, append, prepare
from oathward.people.tables import saved_view, saved_view_role

NAME_CHARS_MAX = 60
QUERY_CHARS_MAX = 2_000
OF_ONE_MAX = 200
SHOWN_MAX = 500
_ROLE = func.coalesce(
    select(saved_view_role.c.role)
    .where(saved_view_role.c.site == saved_view.c.site, saved_view_role.c.view == saved_view.c.id)
    .scalar_subquery(),
    "",
)
_COLUMNS = [
    *(saved_view.c[name] for name in ("id", "page", "owner", "name", "query", "shared", "changed_us")),
    _ROLE,
]


@dataclass(frozen=True, slots=True)
class SavedView:
    """A list's filters under a name.

    Args:
        page: its path. query: as it stands in the address. shared: with everybody who may open the page; else ``role``: with everybody who has
            it, empty for nobody.
    """

    id: str
    page: str
    owner: str
    name: str
    query: str
    shared: bool
    changed_us: int
    role: str = ""

    @property
    def href(self) -> str:
        """Where it leads."""
        return f"{self.page}?{self.query}" if self.query else self.page


def seen_by(
    db: Connection, site: str, owner: str, page: str = "", *, roles: Collection[str] = ()
) -> list[SavedView]:
    """List somebody's own views and those that others share with everybody or with one of their roles, by page and name; of one page, or of all."""
    table, with_ = saved_view.c, saved_view_role.c
    ours = select(with_.view).where(with_.site == site, with_.role.in_(sorted(roles)))
    query = select(*_COLUMNS).where(
        table.site == site, or_(table.owner == owner, table.shared == 1, table.id.in_(ours))
    )
    query = query.where(table.page == page) if page else query
    own = case((table.owner == owner, 0), else_=1)  # first: however many others share, one's own are there
    order = (own, table.page, table.name, table.id)
    rows = [_view(row) for row in db.execute(query.order_by(*order).limit(SHOWN_MAX))]
    return sorted(rows, key=lambda one: (one.page, one.owner != owner, one.name.casefold(), one.id))


def save(
    db: Connection,
    site: str,
    *,
    page: str,
    name: str,
    query: str,
    shared: bool,
    role: str = "",
    by: str,
    now_us: int,
) -> str:
    """Keep filters under a name; gives the view's id. The last call before commit.

    Args:
        page: path of the list. query: its filters, as they stand in the address. shared, role: as in ``SavedView``; whoever calls has looked
            that ``by`` has the role.

    Raises:
        InputError: ``input.invalid``: no name, or one too long; ``limit.exceeded``: somebody has too many.
    """
    name = _name(name)
    if len(query) > QUERY_CHARS_MAX:
        raise InputError("query", f"at most {QUERY_CHARS_MAX} characters", reason=Reason.LIMIT_EXCEEDED)
    table = saved_view.c
    mine = (table.site == site, table.owner == by)
    id_ = db.execute(select(table.id).where(*mine, table.page == page, table.name == name)).scalar()
    if id_ is not None:
        same = (table.site == site, table.id == id_)
        values = {"query": query, "shared": int(shared), "changed_us": now_us}
        db.execute(update(saved_view).where(*same).values(**values))
    else:
        if db.execute(select(func.count()).select_from(saved_view).where(*mine)).scalar_one() >= OF_ONE_MAX:
            why = f"you have {OF_ONE_MAX}; delete one that nobody needs"
            raise InputError("name", why, reason=Reason.LIMIT_EXCEEDED)
        id_ = uuid7(now_us // 1_000)
        row = SavedView(id_, page, by, name, query, shared, now_us)
        db.execute(insert(saved_view).values(site=site, **_values(row)))
    _share(db, site, id_, "" if shared else role)
    now = SavedView(id_, page, by, name, query, shared, now_us, "" if shared else role)
    append(db, site, [_leaf("view.saved", now, by)])
    return id_


def change(
    db: Connection,
    site: str,
    id_: str,
    *,
    name: str,
    shared: bool,
    role: str = "",
    by: str,
    now_us: int,
) -> None:
    """Give one's own view another name, share it or no more. The last call before commit.

    Args:
        shared, role: as for ``save``.

    Raises:
        InputError: ``not-found``: there is none, or it is somebody else's; ``input.invalid``: the name; ``conflict``: one has it already.
    """
    row, name = one(db, site, id_, by), _name(name)
    if row.owner != by:
        raise _absent()
    table = saved_view.c
    same = (
        table.site == site,
        table.owner == by,
        table.page == row.page,
        table.name == name,
        table.id != id_,
    )
    if db.execute(select(table.id).where(*same)).first() is not None:
        raise InputError("name", "another view of yours has it", reason=Reason.CONFLICT)
    values = {"name": name, "shared": int(shared), "changed_us": now_us}
    db.execute(update(saved_view).where(table.site == site, table.id == id_).values(**values))
    _share(db, site, id_, "" if shared else role)
    now = SavedView(id_, row.page, by, name, row.query, shared, now_us, "" if shared else role)
    append(db, site, [_leaf("view.changed", now, by)])


def remove(
    db: Connection,
    site: str,
    id_: str,
    *,
    by: str,
    anybodys: bool,
    roles: Collection[str] = (),
    now_us: int,
) -> None:
    """Delete one's own view; one that is shared also where ``anybodys``. The last call before commit.

    Args:
        roles: of ``by``: what is shared with others' roles alone is not theirs to see.

    Raises:
        InputError: ``not-found``: there is none, or it is not theirs to delete.
    """
    row = one(db, site, id_, by, roles=roles)
    if row.owner != by and not anybodys:
        raise _absent()
    table = saved_view.c
    db.execute(delete(saved_view).where(table.site == site, table.id == id_))
    _share(db, site, id_, "")
    gone = SavedView(id_, row.page, row.owner, row.name, row.query, row.shared, now_us, row.role)
    append(db, site, [_leaf("view.deleted", gone, by)])


def one(db: Connection, site: str, id_: str, viewer: str, *, roles: Collection[str] = ()) -> SavedView:
    """Read a view that somebody may see.

    Args:
        roles: of the viewer.

    Raises:
        InputError: ``not-found``: there is none, or it is another's own, or shared with a role that the viewer has not.
    """
    row = db.execute(select(*_COLUMNS).where(saved_view.c.site == site, saved_view.c.id == id_)).first()
    found = _view(row) if row is not None else None
    if found is None or not (found.shared or found.owner == viewer or (found.role and found.role in roles)):
        raise _absent()
    return found


def _share(db: Connection, site: str, id_: str, role: str) -> None:
    """Share a view with a role; with none where it is empty."""
    table = saved_view_role.c
    db.execute(delete(saved_view_role).where(table.site == site, table.view == id_))
    if role:
        db.execute(insert(saved_view_role).values(site=site, view=id_, role=role))


def _absent() -> InputError:
    return InputError("view", "there is no such view of yours", reason=Reason.NOT_FOUND)


def _name(name: str) -> str:
    """Check a name.

    Raises:
        InputError: ``input.invalid``.
    """
    words = " ".join(name.split())
    if not words or len(words) > NAME_CHARS_MAX or not words.isprintable():
        why = f"say it in 1 to {NAME_CHARS_MAX} characters; no patient data"
        raise InputError("name", why, reason=Reason.INPUT_INVALID)
    return words


def _view(row: Sequence[Any]) -> SavedView:
    id_, page, owner, name, query, shared, changed_us, role = row
    return SavedView(id_, page, owner, name, query, bool(shared), changed_us, role)


def _values(row: SavedView) -> dict[str, object]:
    kept = (name for name in SavedView.__slots__ if name != "role")
    return {name: getattr(row, name) for name in kept} | {"shared": int(row.shared)}


def _leaf(kind: str, row: SavedView, by: str) -> Leaf:
    body = {
        "by": by,
        "name": sha256(row.name.encode()).hexdigest(),
        "page": row.page,
        "query": sha256(row.query.encode()).hexdigest(),
        "role": row.role,
        "shared": row.shared,
        "view": row.id,
    }
    return prepare(Record(kind, body, row.changed_us))
