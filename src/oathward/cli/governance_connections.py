"""``oathward governance connection``: every external connection, with whom, where to, and how well protected at least."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from oathward.cli.asking import PersonOption, now_us, opened
from oathward.cli.output import DataOption, JsonOption, emit
from oathward.cli.permitted import who_may

if TYPE_CHECKING:
    from oathward.governance.model import ConnectionRow

CHANGE = "governance.change"
CONNECTION = typer.Typer(help="External connections: add, end, list.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add it to the command."""
    app.add_typer(CONNECTION, name="connection")


@CONNECTION.command("list")
def list_connections(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List external connections, and what each lacks of an agreement."""
    from oathward.core.db import read
    from oathward.governance import sql, views
    from oathward.governance.covering import lacks, standing

    with opened(data) as site, read(site.engine) as db:
        at_us = now_us(site)
        agreements = {row.id: row for row in sql.agreements(db, site.site)}
        rows = [
            (row, standing(row, at_us), lacks(row, agreements.get(row.agreement), at_us))
            for row in views.connections(db, site.site)
        ]

    def human() -> None:
        for row, stands, missing in rows:
            print(f"{row.id} {row.role}, {row.party}: {_said(row)}{'' if stands else '; not in force'}")
            for words in missing if stands else ():
                print(f"  {words}")
        if not rows:
            print("No external connection. `oathward governance connection add` writes one.")

    value = [{"connection": row, "in_force": stands, "lacks": missing} for row, stands, missing in rows]
    emit({"connections": value}, as_json=as_json, human=human)


@CONNECTION.command("add")
def add_connection(  # noqa: PLR0913, PLR0917  one parameter an option
    id_: Annotated[str, typer.Argument(metavar="ID", help="pump-maker-support")],
    party: Annotated[str, typer.Option(help="With whom, as agreements' `party` says.")],
    role: Annotated[
        str,
        typer.Option(
            help="controller, processor, joint controller, vendor support, public authority, care provider or no personal data."
        ),
    ],
    from_: Annotated[str, typer.Option("--from", metavar="DAY", help="2026-07-01.")],
    agreement: Annotated[str, typer.Option(help="Id of an agreement of the register.")] = "",
    hosts: Annotated[
        str, typer.Option(help="Host names, parted by `;`; `*.example.org` is all below one.")
    ] = "",
    networks: Annotated[str, typer.Option(help="Networks, parted by `;`: 192.0.2.0/24.")] = "",
    ports: Annotated[str, typer.Option(help="Ports, parted by `;`: 443; 8000-8010. None is any.")] = "",
    transport: Annotated[str, typer.Option(help="tcp or udp; nothing is either.")] = "",
    retention_days: Annotated[
        str, typer.Option(metavar="DAYS", help="How long the party keeps what it gets.")
    ] = "",
    tls_min: Annotated[str, typer.Option(help="TLSv1.2 or TLSv1.3, at least.")] = "",
    authentication: Annotated[str, typer.Option(help="none, server or mutual.")] = "",
    certificate_days_min: Annotated[
        str, typer.Option(metavar="DAYS", help="A certificate must be valid for so long still.")
    ] = "",
    until: Annotated[str, typer.Option(metavar="DAY", help="The day it ends.")] = "",
    change: Annotated[bool, typer.Option("--change", help="One that is there may change.")] = False,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write an external connection; its owner and steward stand in its entry, connection/ID."""
    from oathward.core.db import write
    from oathward.governance import connections

    cells = {
        "id": id_,
        "party": party,
        "role": role,
        "agreement": agreement,
        "hosts": hosts,
        "networks": networks,
    }
    cells |= {"ports": ports, "transport": transport, "retention_days": retention_days, "tls_min": tls_min}
    cells |= {"authentication": authentication, "certificate_days_min": certificate_days_min}
    cells |= {"from": from_, "until": until}
    row = connections.connection(cells)
    with opened(data) as site:
        who = who_may(site, person, CHANGE)
        with write(site.engine) as db:
            row = connections.put(db, site.site, row, by=who, now_us=now_us(site), changes=change)
    words = f"Wrote {row.id}. Say who answers for it: oathward governance set connection/{row.id} --owner … --steward …"
    emit({"connection": row}, as_json=as_json, human=lambda: print(words))


@CONNECTION.command("end")
def end_connection(
    id_: Annotated[str, typer.Argument(metavar="ID")],
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """End an external connection now: what is seen of it from then on is a finding."""
    from oathward.core.db import write
    from oathward.governance import connections

    with opened(data) as site:
        who = who_may(site, person, CHANGE)
        with write(site.engine) as db:
            row = connections.end(db, site.site, id_, by=who, now_us=now_us(site))
    emit({"connection": row}, as_json=as_json, human=lambda: print(f"Ended {id_}."))


def _said(row: ConnectionRow) -> str:
    from oathward.governance.covering import day

    where = ", ".join(sorted(row.hosts | row.networks))
    ports = f" port {', '.join(sorted(row.ports))}" if row.ports else ""
    least = f"{row.tls_min or 'no TLS asked'}, authentication {row.authentication}"
    until = f"until {day(row.until_us)}" if row.until_us else "no end"
    return f"to {where}{ports}; {least}; {until}"
