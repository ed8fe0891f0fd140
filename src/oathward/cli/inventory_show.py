"""``oathward inventory list`` and ``show``: every endpoint that was seen or declared, and who says what of one.

Rules:
- Names that devices give themselves are printed so that nothing in them moves the cursor.
- What nobody says anything of is ``unknown``.
"""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oathward.cli.asking import PersonOption, now_us, opened
from oathward.cli.output import DataOption, JsonOption, emit, minute, plain_text, say
from oathward.cli.permitted import who_may
from oathward.core.clock import from_micros, iso

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oathward.endpoints.model import EndpointRow, Whole

_TIMES = ("first_us", "last_us", "lifecycle_us")
CELL_MAX = 40
_HEADS = ("id", "name", "type", "make and model", "unit", "declared", "last heard (UTC)")
_EQUAL = typer.Option(
    "--where", metavar="ATTRIBUTE=VALUE", help="Only with this value: type=infusion-pump; many at once."
)
_UNKNOWN = typer.Option("--unknown", metavar="ATTRIBUTE", help="Only where nobody says it: --unknown make.")


class CareState(StrEnum):
    """Care states, as they are asked for."""

    IN_USE = "in-use"
    IDLE = "idle"
    UNKNOWN = "unknown"


def list_(  # noqa: PLR0913  one parameter an option
    search: Annotated[
        str, typer.Option(callback=plain_text, help="A part of a name, address, serial, tag, make or model.")
    ] = "",
    where: Annotated[list[str] | None, _EQUAL] = None,
    unknown: Annotated[list[str] | None, _UNKNOWN] = None,
    *,
    conflict: Annotated[
        bool, typer.Option("--conflict", help="Only those whose identity is in conflict.")
    ] = False,
    undeclared: Annotated[
        bool, typer.Option("--undeclared", help="Only those that nobody declared.")
    ] = False,
    care: Annotated[
        CareState | None,
        typer.Option(help="Only those in use now, idle, or of which nobody knows.", show_default=False),
    ] = None,
    silent: Annotated[
        int,
        typer.Option(
            min=0,
            max=3_650,
            metavar="DAYS",
            help="Only those not heard for so many days up to the last flow that was seen, or never.",
            show_default=False,
        ),
    ] = 0,
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most this many.")] = 100,
    after: Annotated[str, typer.Option(callback=plain_text, help="`after` of the answer before.")] = "",
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List endpoints, last heard first."""
    from oathward.core.db import read
    from oathward.endpoints import views
    from oathward.endpoints.model import Filters
    from oathward.network import views as network

    state = {"care": care.value.replace("-", " ")} if care not in {None, CareState.UNKNOWN} else {}
    unsaid = {"care"} if care is CareState.UNKNOWN else set()
    wanted = Filters(
        search=search,
        equal=dict(_pair(one) for one in where or ()) | state,
        unknown=frozenset(_attribute(one) for one in unknown or ()) | unsaid,
        conflict=conflict,
        undeclared=undeclared,
    )
    with opened(data) as site:
        who_may(site, person, "inventory.see")
        with read(site.engine) as db:
            if silent:
                until_us = network.since(db, site.site, now_us(site), silent)
                wanted = dataclasses.replace(wanted, until_us=until_us)
            found = views.page(db, site.site, wanted, after=after, limit=limit, facets=False)

    def human() -> None:
        if not found.total and wanted == Filters():
            say(
                "Nothing was seen yet: oathward observe PATH reads what sensors wrote, oathward inventory import FILE a list."
            )
            return
        if not found.total:
            say("None is as asked for.")
            return
        for line in _columns([_HEADS, *(_cells(row) for row in found.rows)]):
            say(line)
        more = f"; more: --after {found.after!r}" if found.after else ""
        say(f"{len(found.rows):,} of {found.total:,} listed{more}.")

    value = {"endpoints": [_plain(row) for row in found.rows], "total": found.total, "after": found.after}
    emit(value, as_json=as_json, human=human)


def show(
    endpoint: Annotated[
        str,
        typer.Argument(
            help="Id, tag, name, network card or address; of several the ids are listed.", callback=plain_text
        ),
    ],
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one endpoint: who says what of it, what tells it from others, where it was."""
    from oathward.core.db import read
    from oathward.core.errors import InputError
    from oathward.core.reasons import Reason
    from oathward.endpoints import views

    with opened(data) as site:
        who_may(site, person, "inventory.see")
        with read(site.engine) as db:
            found = views.one(db, site.site, endpoint)
            several = [] if found else views.called_so(db, site.site, endpoint)
            if len(several) == 1:
                found = views.one(db, site.site, several[0].id)
    if len(several) > 1:
        emit({"endpoints": [_plain(row) for row in several]}, as_json=as_json, human=lambda: _list(several))
        return
    if found is None:
        why = "there is none of this id, tag, name, card or address: `oathward inventory list` has them"
        raise InputError("endpoint", why, reason=Reason.NOT_FOUND)
    emit(_whole(found), as_json=as_json, human=lambda: _print(found))


def _list(several: Sequence[EndpointRow]) -> None:
    say(f"{len(several)} are called so; show one by its id:")
    for row in several:
        tag = f"tag {row.tag}, " if row.tag else ""
        say(f"  {row.id}  {row.title or '-'}  {tag}{row.lifecycle}, {_heard(row.last_us)}")


def _print(found: Whole) -> None:
    from oathward.endpoints.attributes import ATTRIBUTES

    row = found.row
    say(f"{row.title or row.id}  {row.type or 'type unknown'}")
    say(f"  declared as {row.device}" if row.device else "  nobody declared it")
    if row.merged:
        say(f"  became part of {row.merged}")
    say(f"  {_heard(row.last_us)}")
    for against in found.conflicts:
        if not against.closed_us:
            other = against.other if against.endpoint == row.id else against.endpoint
            with_whom = f", this one and {other}" if other else ""
            say(f"  IN CONFLICT: {against.what}{with_whom} ({against.kind})")
    for title, lines in (
        (
            "who says what of it",
            [
                f"{ATTRIBUTES[one.attribute].words if one.attribute in ATTRIBUTES else one.attribute}: {one.value}"
                f"  {one.source} {one.confidence:.0%}{'' if one.shown else ', not shown'}{', conflict' if one.conflict else ''}"
                for one in found.attributes
            ],
        ),
        (
            "what tells it from others",
            [
                f"{mark.kind.value}={mark.value}{f' in {scope}' if scope else ''}"
                f"{', speaks for others' if held.fronts else ''}{', replaced' if held.ended_us else ''}"
                for mark, scope, held in found.marks
            ],
        ),
        (
            "addresses it had",
            [
                f"{one.address} in {one.realm}: {minute(_time(one.from_us))} to {minute(_time(one.until_us))}"
                for one in found.leases
            ],
        ),
        (
            "joined and taken apart",
            [
                f"{one.id}  {one.act} {one.into} {one.other} by {one.by}{', undone' if one.undone_us else ''}"
                for one in found.merges
            ],
        ),
    ):
        say(f"{title}:{'' if lines else ' nothing'}")
        for line in lines:
            say(f"  {line}")


def _whole(found: Whole) -> dict[str, Any]:
    return {
        "endpoint": _plain(found.row),
        "said": [_plain(one) for one in found.attributes],
        "marks": [
            {"kind": mark.kind.value, "value": mark.value, "within": scope} | _plain(held)
            for mark, scope, held in found.marks
        ],
        "leases": [_plain(one) for one in found.leases],
        "relations": [_plain(one) for one in found.relations],
        "conflicts": [_plain(one) for one in found.conflicts],
        "merges": [_plain(one) for one in found.merges],
    }


def _plain(row: Any) -> dict[str, Any]:
    """Give a row's fields; times as ISO 8601, null where there is none; a time beside what it is the time of is its ``_since``."""
    if dataclasses.is_dataclass(row):
        fields = {one.name: getattr(row, one.name) for one in dataclasses.fields(row)}
    else:
        fields = row._asdict()
    told: dict[str, Any] = {}
    for name, value in fields.items():
        bare = name.removesuffix("_us")
        if bare == name:
            told[name] = value
        else:
            told[f"{bare}_since" if bare in fields else bare] = _time(value) if value else None
    return told


def _cells(row: EndpointRow) -> tuple[str, ...]:
    what = " ".join(filter(None, (row.make, row.model))) or "unknown"
    declared = f"declared as {row.device}" if row.device else "undeclared"
    heard = minute(_time(row.last_us)) if row.last_us else "never heard"
    return (
        *(row.id, row.title or "-", row.type or "unknown", what, row.unit or "-"),
        declared + (", in conflict" if row.conflicts else ""),
        heard,
    )


def _columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Put cells below their heads; what is longer than ``CELL_MAX`` moves its own row alone."""
    widths = [min(max(map(len, column)), CELL_MAX) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(n) for cell, n in zip(row, widths, strict=True)).rstrip() for row in rows]


def _heard(at_us: int) -> str:
    """Say when it was last heard: what lists alone know was never."""
    return f"last heard {minute(_time(at_us))}" if at_us else "never heard"


def _time(at_us: int) -> str:
    return iso(from_micros(at_us))


def _pair(text: str) -> tuple[str, str]:
    from oathward.core.errors import InputError

    name, equals, value = text.partition("=")
    if not equals or not value.isprintable():
        raise InputError("--where", "write ATTRIBUTE=VALUE: type=infusion-pump")
    return _attribute(name, "--where"), value


def _attribute(name: str, hint: str = "--unknown") -> str:
    from oathward.cli.output import one_of
    from oathward.discovery.model import MarkKind
    from oathward.endpoints.attributes import ATTRIBUTES
    from oathward.endpoints.model import EndpointRow

    columns = {one.name for one in dataclasses.fields(EndpointRow)} - set(_TIMES)
    one_of(hint, name, sorted({*ATTRIBUTES, *columns, *MarkKind}), "attribute")
    return name
