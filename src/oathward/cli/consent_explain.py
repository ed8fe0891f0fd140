"""``oathward consent explain``: who may see what of one patient now, and why a message was sent, or not."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oathward.cli.asking import IdentifierFileOption, PersonOption, hasher_of, identifiers_in, opened
from oathward.cli.output import DataOption, JsonOption, console, emit, settings_of
from oathward.core.clock import iso
from oathward.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oathward.explaining.carers import Carers
    from oathward.explaining.now import Receives
    from oathward.explaining.past import Past, Why
    from oathward.explaining.told import Told
    from oathward.vault.opened import Opened

NOBODY = "00000000-0000-0000-0000-000000000000"
"""For a number that nobody has."""

_WORDS = {"permit": "gets", "deny": "gets nothing", "indeterminate": "held: it cannot be told"}


def explain(
    subject: Annotated[str, typer.Argument(help="Subject id, instead of an identifier.")] = "",
    identifier_file: IdentifierFileOption = None,
    message: Annotated[str, typer.Option(help="Why this message was sent, or not; its id.")] = "",
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say who may see what of a patient now, by which consent or rule; with --message why it was sent, or not."""
    from oathward.activation import load_active
    from oathward.cli.permitted import sees_people, who_may_of
    from oathward.core.db import read
    from oathward.explaining import carers as caring
    from oathward.explaining import now, past

    if bool(subject) == bool(identifier_file):
        raise InputError("options", "say either a subject or --identifier-file")
    with opened(data) as site:
        if identifier_file:
            subject = _subject_of(site, data, identifier_file)
        who_may_of(site, person, "consent.explain", subject)
        family = now.family_of(site, subject)
        with read(site.engine) as db:
            active = load_active(db, site.site, site.authority, site.seen)
        if message:
            _emit_why(past.why(site, active, message, family), as_json=as_json)
            return
        rows = now.receives(site, active, family[0])
        carers = caring.carers(site, family[0], names=sees_people(site, person))
        found = past.past(site, family)
    value = {"subject": family[0], "receives": rows, "carers": carers, "past": found}
    emit(_plain(value), as_json=as_json, human=lambda: _print(family[0], rows, carers, found))


def _subject_of(site: Opened, data: str | None, identifier_file: str) -> str:
    from oathward.core.db import read
    from oathward.patients import views

    hasher = hasher_of(settings_of(data))
    wanted = identifiers_in(identifier_file, hasher)
    if len(wanted) != 1:
        raise InputError("--identifier-file", "must hold one identifier")
    with read(site.engine) as db:
        found = views.find(db, site.site, hasher, wanted[0])
    return found or NOBODY  # asked about like anybody: who may not know of a patient hears the same


def _emit_why(rows: Sequence[Why], *, as_json: bool) -> None:
    def human() -> None:
        for one in rows:
            why = f" ({', '.join(one.sent.reasons)})" if one.sent.reasons else ""
            fate = f"; {one.sent.fate}" if one.sent.fate else ""
            print(f"{one.sent.link}: {one.sent.word}{why} at {iso(one.sent.at)} under {one.bundle}{fate}")
            for name, told in (("then", one.then), ("today", one.today)):
                if told is not None:
                    print(f"  {name}:")
                    _print_steps(told)
            if one.lacks:
                print(f"  {one.lacks}")

    emit({"why": _plain(rows)}, as_json=as_json, human=human)


def _print_steps(told: Told) -> None:
    for step in told.steps:
        by = f" [{', '.join(step.decides)}]" if step.decides else ""
        took = f" Takes {', '.join(step.took)}." if step.took and not step.answers else ""
        print(f"    {step.number} {step.words}{took}{by}")


def _print(subject: str, rows: Sequence[Receives], carers: Carers, found: Past) -> None:
    from rich.table import Table

    print(f"Subject {subject}")
    table = Table("link", "for", "what", "by", "until (UTC)", box=None, pad_edge=False)
    for one in rows:
        told = one.told
        classes = ", ".join(told.classes) if len(told.classes) <= 4 else f"{len(told.classes)} classes"
        word = _WORDS["permit"] if told.classes else _WORDS[told.word]
        until = f"{told.until:%Y-%m-%d %H:%M}" if told.until else "—"
        table.add_row(
            *(one.link, one.purpose, f"{word} {classes}".strip()),
            *(", ".join(told.decided_by) or f"link:{one.link}", until),
        )
    console().print(table)
    counts = ", ".join(f"{count} {basis}" for basis, count in carers.counts.items() if count)
    print(f"Care now: {counts or 'nobody'}")
    more = "" if found.whole else " (the newest; older ones are not counted)"
    print(f"On record: {found.records} records{more}")
    for tally in found.tallies:
        print(
            f"  {tally.link}: {tally.permitted} permitted, {tally.denied} denied, {tally.held} held, "
            f"{tally.delivered} delivered, {tally.withdrawn} withdrawn"
        )


def _plain(value: Any) -> Any:
    """Give dataclasses as JSON has them."""
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return _plain(asdict(value)) if hasattr(value, "__dataclass_fields__") else value
