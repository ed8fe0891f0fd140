"""External connections, by the API: list, write, end."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from oathward.core.clock import from_micros
from oathward.core.db import read, write
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.governance import connections, covering, sql, views
from oathward.governance.model import Authentication, ConnectionRow, PartyRole
from oathward.web import governance_papers as papers
from oathward.web.calls import Call
from oathward.web.page import Route, named

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.web.view import View


@dataclass(frozen=True, slots=True)
class ConnectionIn:
    """What to write of an external connection; `begins` and `ends` (exclusive) are days, `2027-05-31`."""

    party: str
    role: PartyRole
    begins: str
    agreement: str = ""
    hosts: list[str] = field(default_factory=list)
    networks: list[str] = field(default_factory=list)
    ports: list[str] = field(default_factory=list)
    transport: str = ""
    retention_days: int = 0
    tls_min: str = ""
    authentication: Authentication = Authentication.NONE
    certificate_days_min: int = 0
    ends: str = ""


@dataclass(frozen=True, slots=True)
class ConnectionOut:
    """One external connection; `lacks`: what it lacks of an agreement, in words. Its owner and steward stand in its entry, `connection/ID`."""

    id: str
    party: str
    role: PartyRole
    agreement: str
    hosts: list[str]
    networks: list[str]
    ports: list[str]
    transport: str
    retention_days: int
    tls_min: str
    authentication: Authentication
    certificate_days_min: int
    begins: datetime
    ends: datetime | None
    in_force: bool
    lacks: list[str]
    version: int


def listed(view: View) -> Response:
    """List external connections, by id; all of them, for there are not many."""
    with read(view.site.engine) as db:
        agreements = {row.id: row for row in sql.agreements(db, view.site.site)}
        rows = views.connections(db, view.site.site)
    return view.listed(
        [
            _out(row, covering.lacks(row, agreements.get(row.agreement), view.now_us), view.now_us)
            for row in rows
        ]
    )


def put(view: View) -> Response:
    """Write one external connection, new or as it is to be from now on."""
    papers.acts(view)
    said: ConnectionIn = view.body
    cells = {
        name: str(getattr(said, name)) for name in ("party", "role", "agreement", "transport", "tls_min")
    }
    cells |= {name: ";".join(getattr(said, name)) for name in ("hosts", "networks", "ports")}
    cells |= {
        name: str(getattr(said, name))
        for name in ("authentication", "retention_days", "certificate_days_min")
    }
    cells |= {"id": view.part("id"), "from": said.begins, "until": said.ends}
    row = connections.connection(cells)
    with write(view.site.engine) as db:
        row = connections.put(db, view.site.site, row, by=papers.by(view), now_us=view.now_us, changes=True)
    return _given(view, row)


def end(view: View) -> Response:
    """End one external connection now."""
    papers.acts(view)
    with write(view.site.engine) as db:
        row = connections.end(db, view.site.site, view.part("id"), by=papers.by(view), now_us=view.now_us)
    return _given(view, row)


def one(view: View) -> Response:
    """Give one external connection."""
    with read(view.site.engine) as db:
        row = views.connection(db, view.site.site, view.part("id"))
    if row is None:
        raise InputError("connection", "there is no such connection", reason=Reason.NOT_FOUND)
    return _given(view, row)


def _given(view: View, row: ConnectionRow) -> Response:
    with read(view.site.engine) as db:
        agreement = views.agreement(db, view.site.site, row.agreement)
    return view.json(_out(row, covering.lacks(row, agreement, view.now_us), view.now_us))


def _out(row: ConnectionRow, lacks: tuple[str, ...], now_us: int) -> ConnectionOut:
    return ConnectionOut(
        id=row.id,
        party=row.party,
        role=row.role,
        agreement=row.agreement,
        hosts=sorted(row.hosts),
        networks=sorted(row.networks),
        ports=sorted(row.ports),
        transport=row.transport,
        retention_days=row.retention_days,
        tls_min=row.tls_min,
        authentication=row.authentication,
        certificate_days_min=row.certificate_days_min,
        begins=from_micros(row.from_us),
        ends=from_micros(row.until_us) if row.until_us else None,
        in_force=covering.standing(row, now_us),
        lacks=list(lacks),
        version=row.version,
    )


_HERE = "/api/v1/connections"
_AREA = named("area")

API = (
    Route(_HERE, listed, action="governance.see", api=True, call=Call(gives=ConnectionOut, listed=True)),
    Route(f"{_HERE}/{{id}}", one, action="governance.see", thing=_AREA, api=True, call=Call(gives=ConnectionOut)),
    Route(
        f"{_HERE}/{{id}}", put, "PUT", action="governance.change", thing=_AREA, api=True,
        call=Call(gives=ConnectionOut, takes=ConnectionIn),
    ),
    Route(
        f"{_HERE}/{{id}}/end", end, "POST", action="governance.change", thing=_AREA, api=True,
        call=Call(gives=ConnectionOut),
    ),
)  # fmt: skip
