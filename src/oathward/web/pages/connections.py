"""External connections: with whom this site is connected, under which agreement, where to and how well protected at least.

Rules:
- Whoever may see the register sees them; each is written here, its owner and steward in its entry.
- A mistake in a form shows the form again with what was written in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from oathward.core.db import read, write
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.governance import connections, covering, sql, views
from oathward.governance.model import Authentication, ConnectionRow, PartyRole
from oathward.web import governance_papers as papers
from oathward.web.governance_people import Called, ids_of
from oathward.web.page import Page, Route, named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oathward.web.view import View


def show(view: View) -> Response:
    """List external connections."""
    return _listed(view, {}, {})


def add(view: View) -> Response:
    """Write a connection."""
    papers.acts(view)
    form = {name: view.form.get(name, "").strip() for name in connections.FIELDS}
    try:
        row = connections.connection(form)
        with write(view.site.engine) as db:
            connections.put(db, view.site.site, row, by=papers.by(view), now_us=view.now_us)
    except InputError as error:
        return _listed(view, form, {"where": error.where, "why": error.why})
    return view.go(f"/connections/{row.id}")


def one(view: View) -> Response:
    """Show one connection with its history."""
    return _one(view, {}, {})


def change(view: View) -> Response:
    """Write a connection anew."""
    papers.acts(view)
    row = _row(view)
    form = {name: view.form.get(name, "").strip() for name in connections.FIELDS} | {"id": row.id}
    try:
        with write(view.site.engine) as db:
            connections.put(
                *(db, view.site.site, connections.connection(form)),
                by=papers.by(view),
                now_us=view.now_us,
                changes=True,
            )
    except InputError as error:
        return _one(view, form, {"where": error.where, "why": error.why})
    return view.go(f"/connections/{row.id}")


def end(view: View) -> Response:
    """End a connection."""
    papers.acts(view)
    with write(view.site.engine) as db:
        connections.end(db, view.site.site, _row(view).id, by=papers.by(view), now_us=view.now_us)
    return view.go(f"/connections/{view.part('connection')}")


def _listed(view: View, form: Mapping[str, str], wrong: Mapping[str, str]) -> Response:
    role = view.asked("role", known=dict.fromkeys(PartyRole))
    with read(view.site.engine) as db:
        agreements = {row.id: row for row in sql.agreements(db, view.site.site)}
        rows = views.connections(db, view.site.site)
    return view.page(
        "connections.html",
        choices=_choices(),
        day=covering.day,
        form=form,
        role=role,
        roles={one: sum(row.role is one for row in rows) for one in PartyRole},
        rows=[
            (
                row,
                covering.standing(row, view.now_us),
                covering.lacks(row, agreements.get(row.agreement), view.now_us),
            )
            for row in rows
            if role in {"", row.role}
        ],
        status=422 if wrong else 200,
        total=len(rows),
        wrong=wrong,
    )


def _one(view: View, form: Mapping[str, str], wrong: Mapping[str, str]) -> Response:
    row = _row(view)
    with read(view.site.engine) as db:
        agreement = views.agreement(db, view.site.site, row.agreement)
        history = views.history(db, view.site.site, connections.CONNECTION, row.id)
        entry = views.owner_of(db, view.site.site, "connection", row.id)
        who = {row.by} | ids_of(history) | ({entry.owner, entry.steward} if entry else set())
        called = Called(view, who, None)
    return view.page(
        "connection.html",
        agreement=agreement,
        called=called,
        choices=_choices(),
        day=covering.day,
        entry=entry,
        form=form or _form(row),
        history=history,
        lacks=covering.lacks(row, agreement, view.now_us),
        row=row,
        stands=covering.standing(row, view.now_us),
        status=422 if wrong else 200,
        wrong=wrong,
    )


def _choices() -> dict[str, tuple[str, ...]]:
    return {
        "role": tuple(PartyRole),
        "authentication": tuple(Authentication),
        "tls_min": ("", *connections.TLS),
        "transport": ("", *connections.TRANSPORTS),
    }


def _form(row: ConnectionRow) -> dict[str, str]:
    """Give a connection as its form shows it."""
    said = {
        name: str(getattr(row, name)) for name in ("id", "party", "role", "agreement", "transport", "tls_min")
    }
    said |= {name: "; ".join(sorted(getattr(row, name))) for name in ("hosts", "networks", "ports")}
    said |= {name: str(getattr(row, name) or "") for name in ("retention_days", "certificate_days_min")}
    said |= {"authentication": str(row.authentication), "from": covering.day(row.from_us)}
    return said | {"until": covering.day(row.until_us) if row.until_us else ""}


def _row(view: View) -> ConnectionRow:
    with read(view.site.engine) as db:
        row = views.connection(db, view.site.site, view.part("connection"))
    if row is None:
        raise InputError("connection", "there is no such connection", reason=Reason.NOT_FOUND)
    return row


_AREA = named("area")

PAGE = Page(
    "External connections",
    (
        Route("/connections", show, action="governance.see"),
        Route("/connections", add, "POST", action="governance.change"),
        Route("/connections/{connection}", one, action="governance.see", thing=_AREA),
        Route("/connections/{connection}", change, "POST", action="governance.change", thing=_AREA),
        Route("/connections/{connection}/end", end, "POST", action="governance.change", thing=_AREA),
    ),
    group="See",
    key="6",
    order=60,
)
