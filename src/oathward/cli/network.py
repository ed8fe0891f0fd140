"""``oathward network``: the plan of the address space, imported as a file; the sources that were read."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oathward.cli.asking import PersonOption, now_us, opened, read_bytes
from oathward.cli.output import DataOption, JsonOption, console, emit, minute, say
from oathward.cli.permitted import who_may
from oathward.core.clock import from_micros, iso
from oathward.core.errors import InputError

if TYPE_CHECKING:
    from oathward.network.model import PlanRow
    from oathward.network.plan import Checked
    from oathward.vault.opened import Opened

MISTAKES_MAX = 50

APP = typer.Typer(
    help="The plan of the network: networks with their segment, zone and unit; sources read.",
    add_completion=False,
    no_args_is_help=True,
)
PLAN = typer.Typer(
    help="The plan: networks with their segment, zone, unit and location.",
    add_completion=False,
    no_args_is_help=True,
)
APP.add_typer(PLAN, name="plan")

File = Annotated[
    str,
    typer.Argument(
        help="CSV (network, realm, segment, zone, unit, location) or TOML with [[network]]; - for CSV from stdin."
    ),
]
RealmOption = Annotated[
    str, typer.Option(help="Of networks that name none; else as the settings say.", show_default=False)
]


@PLAN.command()
def check(
    file: File,
    *,
    realm: RealmOption = "",
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a plan; change nothing."""
    with opened(data) as site:
        who_may(site, person, "network.see")
        checked = _checked(site, file, realm)
    value = _plain(checked)
    emit(value, as_json=as_json, human=lambda: _tell(value))
    if checked.mistakes:
        raise typer.Exit(1)


@PLAN.command("import")
def import_(
    file: File,
    *,
    realm: RealmOption = "",
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a plan in place of the one before; conversations are placed anew. With any mistake nothing is imported."""
    from oathward.core.db import write
    from oathward.network import actions

    with opened(data) as site:
        who = who_may(site, person, "network.change")
        checked = _checked(site, file, realm)
        changed = False
        if not checked.mistakes:
            with write(site.engine) as db:
                changed = actions.import_plan(db, site.site, checked.rows, by=who, now_us=now_us(site))
        moved = actions.place_again(site.engine, site.site) if changed else 0
    value = _plain(checked) | {"changed": changed, "placed_anew": moved}
    emit(value, as_json=as_json, human=lambda: _tell(value))
    if checked.mistakes:
        raise typer.Exit(1)


@PLAN.command("show")
def show(
    address: Annotated[
        str, typer.Argument(metavar="[ADDRESS]", help="Where this one is; all networks without it.")
    ] = "",
    *,
    realm: RealmOption = "",
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the plan, or where one address is by it."""
    from oathward.core.db import read
    from oathward.network import views

    with opened(data) as site:
        who_may(site, person, "network.see")
        where = realm or site.settings.network.realm or site.site
        with read(site.engine) as db:
            rows = views.plan_rows(db, site.site)
            place = views.plan(db, site.site).place(where, address) if address else None
    if place is not None:
        value = {"address": address, "realm": where, **place._asdict()}
        emit(
            value,
            as_json=as_json,
            human=lambda: say("  ".join(f"{name}: {text}" for name, text in value.items() if text)),
        )
        return
    rows.sort(key=_by_place)
    found = [row._asdict() for row in rows]

    def human() -> None:
        for row in rows:
            say(f"{row.realm}  {row.network}  {row.zone}  {row.segment}  {row.unit}  {row.location}".rstrip())
        print(
            f"{len(rows):,} networks." if rows else "There is no plan yet: oathward network plan import FILE"
        )

    emit({"networks": found}, as_json=as_json, human=human)


@APP.command()
def sources(
    *,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most this many.")] = 100,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the sources that were read, the last first: how far, and what came of them. Sessions: rows that say more of flows that other sources count."""
    from oathward.core.db import read
    from oathward.network import views

    with opened(data) as site:
        who_may(site, person, "network.see")
        with read(site.engine) as db:
            rows = views.sources(db, site.site, limit=limit)
    found: list[dict[str, Any]] = [
        {
            **{name: getattr(one, name) for name in ("id", "name", "observer", "realm", "segment", "offset")},
            **{
                name: getattr(one, name)
                for name in ("flows", "sessions", "statements", "refused", "finished")
            },
            "first": iso(from_micros(one.first_us)) if one.first_us else "",
            "last": iso(from_micros(one.last_us)) if one.last_us else "",
            "read": iso(from_micros(one.updated_us)),
        }
        for one in rows
    ]

    def human() -> None:
        from rich.markup import escape
        from rich.table import Table

        if not found:
            print("No source was read yet: oathward observe PATH")
            return
        names = ("name", "observer", "realm", "flows", "sessions", "statements", "refused", "last", "read")
        table = Table(*names)
        for one in found:
            table.add_row(*(escape(_cell(one[name], name)) for name in names))
        console().print(table)

    emit({"sources": found}, as_json=as_json, human=human)


def _by_place(row: PlanRow) -> tuple[str, int, Any, int]:
    net = ip_network(row.network)
    return row.realm, net.version, net.network_address, net.prefixlen


def _cell(value: object, name: str) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return minute(str(value)) if name in {"last", "read"} else str(value)


def _checked(site: Opened, file: str, realm: str) -> Checked:
    from oathward.activation import load_active
    from oathward.core.db import read
    from oathward.network import apart
    from oathward.network.plan import BYTES_MAX

    if file != "-" and Path(file).is_file() and Path(file).stat().st_size > BYTES_MAX:
        raise InputError(file, f"at most {BYTES_MAX:,} bytes")
    with read(site.engine) as db:
        active = load_active(db, site.site, site.authority, site.seen)
    zones = frozenset(active.bundle.protection.zones) if active else frozenset[str]()
    name = "stdin.csv" if file == "-" else Path(file).name
    return apart.read_plan(
        read_bytes(file, BYTES_MAX), name, realm or site.settings.network.realm or site.site, zones
    )


def _plain(checked: Checked) -> dict[str, Any]:
    return {
        "networks": len(checked.rows),
        "mistakes": [{"line": one.line, "column": one.column, "why": one.why} for one in checked.mistakes],
        "inside": [
            {"realm": one.realm, "network": one.network, "inside": other.network}
            for one, other in checked.inside
        ],
    }


def _tell(value: dict[str, Any]) -> None:
    for one in value["mistakes"][:MISTAKES_MAX]:
        print(f"line {one['line']}{', ' + one['column'] if one['column'] else ''}: {one['why']}")
    if value["mistakes"]:
        print(f"{len(value['mistakes']):,} mistakes: nothing is imported with any.")
        return
    for one in value["inside"]:
        print(
            f"{one['network']} lies inside {one['inside']} ({one['realm']}): the narrower one says where its addresses are"
        )
    print(f"{value['networks']:,} networks.")
    if "changed" in value:
        done = (
            f"Imported; {value['placed_anew']:,} conversations are in other zones now."
            if value["changed"]
            else "It is the plan that was there."
        )
        print(done)
