"""``oathward map``: what is declared beside what was observed: zones and conduits, the three lists, a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oathward.cli.asking import PersonOption, now_us, opened
from oathward.cli.output import DataOption, JsonOption, console, counted, emit, minute, say
from oathward.cli.permitted import who_may
from oathward.core.clock import from_micros, iso

if TYPE_CHECKING:
    from oathward.mapping.model import Compared
    from oathward.mapping.reading import Living

APP = typer.Typer(
    help="Declared beside observed: zones and conduits, what differs, a picture.",
    add_completion=False,
)
SHOWN_MAX = 40


@APP.command()
def map_(  # noqa: PLR0913, PLR0917  one parameter an option
    zone: Annotated[str, typer.Option(help="Only conversations with this zone.")] = "",
    service: Annotated[str, typer.Option(help="Only this service: hl7, dicom, tls …")] = "",
    days: Annotated[
        int, typer.Option(min=1, max=400, help="So many days, up to the last flow that was seen.")
    ] = 30,
    svg: Annotated[
        str, typer.Option("--svg", metavar="FILE", help="Draw it into a file.", show_default=False)
    ] = "",
    boxes: Annotated[
        int, typer.Option(min=2, max=300, help="With --svg: boxes at most; more are put together.")
    ] = 60,
    elements: Annotated[
        bool, typer.Option("--elements", help="Instead: what devices send that no link uses.")
    ] = False,
    tell: Annotated[
        bool, typer.Option("--tell", help="Tell what differs as findings; what is gone is cleared.")
    ] = False,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare what is declared with what was observed: conduits between zones, and the three lists."""
    from oathward.core.db import read
    from oathward.core.errors import InputError
    from oathward.mapping import picture, reading, telling
    from oathward.network import views as network

    if elements:
        _elements(person, data, days, as_json=as_json)
        return
    if tell and (zone or service):
        raise InputError("--tell", "all of the map is told, not a part of it")
    with opened(data) as site:
        who_may(site, person, "finding.change" if tell else "inventory.see")
        at_us = now_us(site)
        with read(site.engine) as db:
            found = reading.living(
                *(db, site, telling.bundle_of(site), at_us),
                zone=zone,
                service=service,
                since_us=network.since(db, site.site, at_us, days),
                devices=telling.devices_of(site),
            )
            last_us = network.newest_us(db, site.site)
        told = reading.tell(site, found, at_us) if tell else None
    if svg:
        ends, lines = reading.ends_and_lines(found)
        drawn = picture.svg(picture.picture(ends, lines, most=boxes), f"Map of {site.site}")
        Path(svg).write_text(drawn, encoding="utf-8")
    compared = found.compared
    value = {
        "looked": compared.looked,
        "last": iso(from_micros(last_us)) if last_us else "",
        "left": compared.left,
        "conduits": [one._asdict() for one in compared.conduits],
    }
    value |= {"differences": [one._asdict() for one in compared.differences], "told": told, "svg": svg}
    emit(value, as_json=as_json, human=lambda: _print(found, svg, last_us, narrowed=bool(zone or service)))


def _elements(person: str | None, data: str | None, days: int, *, as_json: bool) -> None:
    from oathward.mapping import sending, telling

    with opened(data) as site:
        who_may(site, person, "inventory.see")
        found = sending.sending(site, now_us(site) - days * 86_400_000_000)
        bundle = telling.bundle_of(site)
    rows = sending.unused(found, bundle) if bundle is not None else []

    def human() -> None:
        print(
            f"{counted(found.messages, 'message')} of {counted(days, 'day')}, {found.unknown:,} of them not known any more."
        )
        for row in rows[:SHOWN_MAX]:
            print(
                f"{row.device} {row.message_type}, {counted(row.messages, 'message')}: {', '.join(row.classes)}"
            )
        if len(rows) > SHOWN_MAX:
            print(f"and {len(rows) - SHOWN_MAX} more; --json has them all")
        if not rows and found.messages:
            print("Links use all that devices sent.")

    value = {"messages": found.messages, "unknown": found.unknown, "unused": [row._asdict() for row in rows]}
    emit(value, as_json=as_json, human=human)


def _print(found: Living, svg: str, last_us: int, *, narrowed: bool) -> None:
    from oathward.mapping import reading

    compared = found.compared
    if not compared.looked:
        print(
            "No conversation is as asked for: leave --zone and --service out."
            if narrowed and last_us
            else "Nothing was observed. `oathward observe PATH` reads captures, logs and flow records."
        )
        return
    print(
        f"{counted(compared.looked, 'conversation')}; the last flow was seen {minute(iso(from_micros(last_us)))} UTC.\n"
    )
    _conduits(compared)
    called = {f"endpoint:{end.id}": end.words for end in reading.ends_and_lines(found)[0]}
    for listed, words in (
        ("undeclared", "Observed and undeclared"),
        ("unseen", "Declared and never observed"),
        ("otherwise", "Observed otherwise than declared"),
    ):
        rows = [one for one in compared.differences if one.listed == listed]
        print(f"\n{words}: {len(rows)}")
        for one in rows[:SHOWN_MAX]:
            say(f"  {called.get(one.about, one.about.removeprefix('address:'))}: {one.words} ({one.kind})")
        if len(rows) > SHOWN_MAX:
            print(f"  and {len(rows) - SHOWN_MAX} more; --json has them all")
    if compared.left:
        print(f"\nOnly the {compared.looked:,} conversations with the most bytes were looked at.")
    if svg:
        print(f"\nDrawn in {svg}.")


def _conduits(compared: Compared) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(
        "from",
        "to",
        "conversations",
        "undeclared",
        "services",
        "classes in clear text",
        box=None,
        pad_edge=False,
    )
    for one in compared.conduits[:SHOWN_MAX]:
        services = ", ".join(f"{name} {count}" for name, count in list(one.services.items())[:4])
        classes = ", ".join(f"{name} {count}" for name, count in list(one.classes.items())[:4])
        cells = (
            one.client_zone,
            one.server_zone,
            str(one.conversations),
            str(one.undeclared),
            services,
            classes or "-",
        )
        table.add_row(*(Text("".join(c if c.isprintable() else "·" for c in cell)) for cell in cells))
    console().print(table)
