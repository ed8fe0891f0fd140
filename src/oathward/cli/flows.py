"""``oathward flows``: who spoke with whom: conversations with their totals, and single flows by day, as they are kept.

Rules:
- Lists are bounded by ``--limit``, the busiest first; a CSV has no cell that a spreadsheet would run.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oathward.cli.asking import PersonOption, opened
from oathward.cli.output import DataOption, JsonOption, console, counted, emit, minute, say
from oathward.cli.permitted import may, who_may
from oathward.core.clock import from_micros, iso, micros
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.core.sizes import size

if TYPE_CHECKING:
    from rich.table import Table

    from oathward.network.model import Conversation

RAW_MAX = 100_000

APP = typer.Typer(
    help="Flows: who spoke with whom, how much, by which service; single ones by day.",
    add_completion=False,
    no_args_is_help=True,
)

Address = Annotated[str, typer.Option(help="Only with this address, on either side.")]
EndpointId = Annotated[
    str, typer.Option(metavar="ID", help="Only of this endpoint of the inventory, on either side.")
]
Service = Annotated[str, typer.Option(help="Only of this service: hl7, dicom, tls …")]
Port = Annotated[int, typer.Option(min=-1, max=65_535, help="Only to this port.", show_default=False)]
Zone = Annotated[str, typer.Option(help="Only from or to this zone of the plan; external, unplanned.")]
RealmOption = Annotated[str, typer.Option(help="Only in this realm.")]
Since = Annotated[
    str, typer.Option(metavar="TIME", help="Seen since then: 2030-01-31, or 2030-01-31T14:00 (UTC).")
]
Until = Annotated[str, typer.Option(metavar="TIME", help="Seen before then.")]
Limit = Annotated[int, typer.Option(min=1, max=RAW_MAX, help="At most this many.")]
Clear = Annotated[
    bool, typer.Option("--clear-text", help="Only where classes of data were seen in clear text.")
]
Csv = Annotated[bool, typer.Option("--csv", help="As CSV.")]


@APP.command("list")
def list_(  # noqa: PLR0913  one parameter an option
    *,
    address: Address = "",
    endpoint: EndpointId = "",
    service: Service = "",
    port: Port = -1,
    zone: Zone = "",
    realm: RealmOption = "",
    clear_text: Clear = False,
    since: Since = "",
    until: Until = "",
    newest: Annotated[
        bool, typer.Option("--newest", help="Those seen last first, not those with the most bytes.")
    ] = False,
    limit: Limit = 100,
    as_csv: Csv = False,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List conversations: client, server, service, how much, since when; sums are of all time."""
    from oathward.core.db import read
    from oathward.endpoints import views as endpoints
    from oathward.network import views
    from oathward.network.model import ConversationFilters

    wanted = ConversationFilters(
        endpoints=(endpoint,) if endpoint else (),
        realm=realm,
        address=_ip(address),
        zone=zone,
        service=service,
        port=port,
        clear=clear_text,
        since_us=_time("--since", since),
        until_us=_time("--until", until) if until else 2**62,
    )
    with opened(data) as site:
        who_may(site, person, "network.see")
        with read(site.engine) as db:
            rows = views.conversations(db, site.site, wanted, limit=limit, newest=newest)
            ends = {id_ for row in rows for id_ in (row.key.client_endpoint, row.key.server_endpoint) if id_}
            seen = endpoints.names(db, site.site, sorted(ends)) if may(site, person, "inventory.see") else {}
    names = {id_: row.title for id_, row in seen.items()}
    _print(
        [
            _plain(row)
            | {
                "client_name": names.get(row.key.client_endpoint, ""),
                "server_name": names.get(row.key.server_endpoint, ""),
            }
            for row in rows
        ],
        "conversations",
        as_csv=as_csv,
        as_json=as_json,
        narrowed=wanted != ConversationFilters(),
    )


@APP.command()
def top(
    by: Annotated[str, typer.Argument(help="zones, services, or an endpoint's id: its peers.")] = "zones",
    *,
    since: Since = "",
    limit: Limit = 50,
    as_csv: Csv = False,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add up: between zones, by service, or with whom one endpoint spoke."""
    from oathward.core.db import read
    from oathward.network import views

    since_us = _time("--since", since)
    with opened(data) as site:
        who_may(site, person, "network.see")
        with read(site.engine) as db:
            if by == "zones":
                pairs = views.zone_pairs(db, site.site, since_us=since_us)[:limit]
                found = [one._asdict() | {"last": _iso(one.last_us)} for one in pairs]
            elif by == "services":
                counts = sorted(
                    views.services(db, site.site, since_us=since_us).items(),
                    key=lambda one: (-one[1], one[0]),
                )
                found = [{"service": name, "conversations": n} for name, n in counts[:limit]]
            else:
                peers = views.peers(db, site.site, [by], limit=limit, since_us=since_us)
                found = [
                    one._asdict() | {"first": _iso(one.first_us), "last": _iso(one.last_us)} for one in peers
                ]
    for one in found:
        for name in ("first_us", "last_us"):
            one.pop(name, None)
    _print(found, "top", as_csv=as_csv, as_json=as_json)


@APP.command()
def show(
    conversation: Annotated[
        str, typer.Argument(metavar="ID", help="Of a conversation: `oathward flows list` has it.")
    ],
    *,
    since: Since = "",
    until: Until = "",
    limit: Limit = 100,
    as_csv: Csv = False,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one conversation: its totals by hour, and the single flows of it that are still kept."""
    import polars as pl

    from oathward.core.db import read
    from oathward.network import segments, views

    since_us, until_us = _time("--since", since), _time("--until", until) if until else 2**62
    with opened(data) as site:
        who_may(site, person, "network.see")
        with read(site.engine) as db:
            one = views.one(db, site.site, conversation)
            if one is None:
                raise InputError(
                    "ID", "there is none of this id: oathward flows list", reason=Reason.NOT_FOUND
                )
            hours = views.hours(db, site.site, conversation, since_us=since_us, until_us=until_us)
        key = one.key
        same = [
            pl.col(name) == getattr(key, name)
            for name in ("realm", "client", "server", "transport", "port", "service")
        ]
        flows = segments.scan(site.settings.data, max(since_us, one.first_us), min(until_us, one.last_us + 1))
        rows = flows.filter(*same).sort("start_us", descending=True).head(limit).collect().to_dicts()
    by_hour = [{"hour": _iso(hour), **sums._asdict()} for hour, sums in hours]
    value = _plain(one) | {"hours": by_hour, "flows_kept": [_flow(row) for row in rows]}
    if as_csv:
        _csv(by_hour)
        return
    emit(value, as_json=as_json, human=lambda: _tell(value))


@APP.command("export")
def export(
    *,
    address: Address = "",
    service: Service = "",
    port: Port = -1,
    since: Since = "",
    until: Until = "",
    limit: Limit = 10_000,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write single flows as CSV, or JSON with --json, the last first: those of the days that are still kept."""
    import polars as pl

    from oathward.network import segments

    with opened(data) as site:
        who_may(site, person, "network.see")
        flows = segments.scan(
            site.settings.data, _time("--since", since), _time("--until", until) if until else 2**60
        )
        if address := _ip(address):
            flows = flows.filter((pl.col("client") == address) | (pl.col("server") == address))
        if service:
            flows = flows.filter(pl.col("service") == service)
        if port >= 0:
            flows = flows.filter(pl.col("port") == port)
        rows = [
            _flow(row) for row in flows.sort("start_us", descending=True).head(limit).collect().to_dicts()
        ]
    emit({"flows": rows}, as_json=as_json, human=lambda: _csv(rows))


def _ip(text: str) -> str:
    """Read an address as it is kept; empty stays empty."""
    try:
        return str(ip_address(text)) if text else ""
    except ValueError as error:
        raise InputError("--address", "an address of IP: 10.1.2.7, 2001:db8::7") from error


def _plain(one: Conversation) -> dict[str, Any]:
    return {
        "id": one.id,
        **one.key._asdict(),
        "client_zone": one.client_zone,
        "server_zone": one.server_zone,
        "first": _iso(one.first_us),
        "last": _iso(one.last_us),
        **one.sums._asdict(),
        "clear_text": one.classes,
    }


def _flow(row: dict[str, Any]) -> dict[str, Any]:
    times = {
        "start": _iso(row.pop("start_us")),
        "end": _iso(end) if (end := row.pop("end_us")) is not None else "",
    }
    return times | row


def _print(
    found: list[dict[str, Any]], name: str, *, as_csv: bool, as_json: bool, narrowed: bool = False
) -> None:
    if as_csv and not as_json:
        _csv(found)
        return

    def human() -> None:
        if not found:
            print(
                "None is as asked for."
                if narrowed
                else "No flow was seen yet: oathward observe PATH reads what sensors wrote."
            )
            return
        console().print(_table(found))
        print(f"{len(found):,} listed.")

    emit({name: found}, as_json=as_json, human=human)


_NARROW = ("id", "client_name", "client", "server_name", "server", "endpoint", "address", "zone", "client_zone", "server_zone", "service", "transport",
           "port", "tls", "asked", "conversations", "flows", "client_bytes", "server_bytes", "sent_bytes", "received_bytes", "last")  # fmt: skip
"""Columns that people are shown; the rest is in CSV and JSON."""


def _table(found: Sequence[dict[str, Any]]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    columns = [name for name in _NARROW if name in found[0]]
    table = Table(*(name.replace("_", " ") for name in columns))
    for column, name in zip(table.columns, columns, strict=True):
        if isinstance(found[0][name], int):
            column.justify = "right"
    for one in found:
        table.add_row(*(escape(_cell(one[name], name)) for name in columns))
    return table


def _cell(value: object, name: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and name != "port":
        return f"{value:,}"
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(value))
    return minute(text) if name == "last" else text


def _tell(value: dict[str, Any]) -> None:
    say(
        f"{value['client']} -> {value['server']}  {value['service'] or 'unrecognised'} on {value['transport']} port {value['port']}  {value['tls'] or 'no TLS seen'}"
    )
    say(
        f"zones: {value['client_zone']} -> {value['server_zone']}; endpoints: {value['client_endpoint'] or 'nobody known'} -> {value['server_endpoint'] or 'nobody known'}"
    )
    print(
        f"{counted(value['flows'], 'flow')} from {minute(value['first'])} to {minute(value['last'])} UTC, {size(value['client_bytes'])} asked, {size(value['server_bytes'])} answered"
    )
    if value["clear_text"]:
        print(
            "in clear text, elements by class: "
            + ", ".join(f"{cls} {n:,}" for cls, n in value["clear_text"].items())
        )
    for one in value["hours"]:
        print(
            f"  {minute(one['hour'])}  {counted(one['flows'], 'flow'):>14}  {size(one['client_bytes']):>12}  {size(one['server_bytes']):>12}"
        )
    kept = len(value["flows_kept"])
    print(
        f"{counted(kept, 'single flow is', 'single flows are')} kept and listed with --json."
        if kept
        else "No single flow of it is kept any more."
    )


def _csv(rows: Sequence[dict[str, Any]]) -> None:
    import csv

    from oathward.core.spreadsheet import guarded

    if rows:
        writer = csv.writer(sys.stdout)
        writer.writerow(rows[0])
        for row in rows:
            writer.writerow([guarded(_csv_cell(value)) for value in row.values()])


def _csv_cell(value: object) -> str:
    if isinstance(value, dict):
        return ";".join(f"{name}={n}" for name, n in value.items())
    return "" if value is None else str(value)


def _time(option: str, text: str) -> int:
    if not text:
        return 0
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(option, "a day or a time: 2030-01-31, 2030-01-31T14:00") from error
    return micros(at if at.tzinfo else at.replace(tzinfo=UTC))


def _iso(at_us: int) -> str:
    return iso(from_micros(at_us)) if at_us else ""
