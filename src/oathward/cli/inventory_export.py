"""``oathward inventory export``: the inventory as CSV, FHIR, NetBox-shaped JSON, or what a model speaks as a MUD file."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from oathward.cli.asking import PersonOption, now_us, opened
from oathward.cli.output import DataOption, JsonOption, counted, emit, one_of
from oathward.cli.permitted import who_may
from oathward.core import sizes
from oathward.core.errors import InputError
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from oathward.discovery.exports.entry import Entry
    from oathward.vault.opened import Opened

FORMATS = ("csv", "words", "fhir", "netbox", "mud")


def export(  # noqa: PLR0913, PLR0917  one parameter an option
    format_: Annotated[
        str,
        typer.Option(
            "--format", help="csv (a row an endpoint), words (a row a source's word), fhir, netbox or mud."
        ),
    ] = "csv",
    out: Annotated[str, typer.Option("--out", metavar="FILE", help="A new file; - for stdout.")] = "-",
    search: Annotated[
        str, typer.Option(help="Only with this in name, address, card, serial, tag, make or model.")
    ] = "",
    where: Annotated[
        list[str] | None,
        typer.Option("--where", metavar="ATTRIBUTE=VALUE", help="Only those; may be repeated."),
    ] = None,
    ended: Annotated[bool, typer.Option("--ended", help="Retired and merged ones too.")] = False,
    tag_system: Annotated[
        str, typer.Option("--tag-system", metavar="URI", help="With fhir: system of the site's own numbers.")
    ] = "",
    make: Annotated[str, typer.Option(help="With mud: maker of the model.")] = "",
    model: Annotated[str, typer.Option(help="With mud: the model.")] = "",
    url: Annotated[str, typer.Option(help="With mud: https URL under which the file will be found.")] = "",
    devices_min: Annotated[
        int, typer.Option(min=1, max=1000, help="With mud: devices that must have spoken so.")
    ] = 2,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the inventory out. What a spreadsheet would run gets an apostrophe in front; our import takes it off again."""
    from oathward.endpoints.model import Filters

    one_of("--format", format_, FORMATS, "format")
    if as_json and out == "-":
        raise InputError("options", "--json tells of a file: name one with --out")
    if (format_ == "mud") != bool(make and model and url):
        raise InputError("options", "--make, --model and --url go with --format mud, all three")
    wanted = Filters(search=search, equal=dict(map(_pair, where or ())), ended=ended)
    with opened(data) as site:
        who_may(site, person, "inventory.see")
        left: Mapping[str, int] = {}
        count = Counter[str]()
        if format_ == "mud":
            parts, left = _mud(site, make, model, url, devices_min)
        else:
            parts = _parts(site, format_, wanted, tag_system, count)
        size = _write(out, parts)
    if out != "-":
        emit(
            {"file": out, "bytes": size, "left_out": dict(left), **count},
            as_json=as_json,
            human=lambda: _tell(out, size, left, count),
        )
    else:
        _tell_left(left)


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not (name and sign):
        raise InputError("--where", "ATTRIBUTE=VALUE, as in make=Acme")
    return name, value


def _parts(site: Opened, format_: str, wanted: Any, tag_system: str, count: Counter[str]) -> Iterator[bytes]:
    from oathward.discovery.exports import fhir, netbox, sheet
    from oathward.observing.exported import entries

    found = _counted(entries(site.engine, site.site, wanted), count)
    if format_ == "netbox":
        yield orjson.dumps(netbox.document(found), option=orjson.OPT_INDENT_2)
    elif format_ == "fhir":
        yield from fhir.written(found, now_us(site), tag_system)
    else:
        lines = sheet.rows(found) if format_ == "csv" else sheet.words(found)
        yield from (line.encode() for line in lines)


def _counted(found: Iterable[Entry], count: Counter[str]) -> Iterator[Entry]:
    count["endpoints"] = 0
    for one in found:
        count["endpoints"] += 1
        yield one


def _mud(
    site: Opened, make: str, model: str, url: str, devices_min: int
) -> tuple[Iterable[bytes], Mapping[str, int]]:
    from oathward.discovery.exports.mud import Model, learn
    from oathward.observing.exported import spoken

    told = spoken(site.engine, site.site, make, model)
    of = Model(url=url, make=make, model=model, at_us=now_us(site))
    document, left = learn(told, of, devices_min=devices_min)
    return [orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)], left


def _write(out: str, parts: Iterable[bytes]) -> int:
    if out == "-":
        return sum(sys.stdout.buffer.write(part) for part in parts)
    try:
        with Path(out).open("xb") as file:
            return sum(file.write(part) for part in parts)
    except FileExistsError as error:
        raise InputError(out, "is there already", reason=Reason.CONFLICT) from error


def _tell(out: str, size: int, left: Mapping[str, int], count: Mapping[str, int]) -> None:
    of = f"{counted(count['endpoints'], 'endpoint')}, " if count else ""
    print(f"Written to {out}: {of}{sizes.size(size)}.")
    _tell_left(left)


def _tell_left(left: Mapping[str, int]) -> None:
    words = {
        "rare": "that too few devices had",
        "unanswered": "that nobody answered",
        "transport": "of other protocols than TCP and UDP",
    }
    for why, count in left.items():
        if count:
            were = "was" if count == 1 else "were"
            print(f"  {counted(count, 'conversation')} {words[why]} {were} left out", file=sys.stderr)
