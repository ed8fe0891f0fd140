"""``oathward profile``: what profiles do, in words; what differs between two.

Deliberately absent: a site's own profiles that are not active; ``oathward policy diff`` tells what those of a bundle change.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from oathward.cli.output import JsonOption, console, emit, one_of, say

APP = typer.Typer(
    help="Profiles of de-identification in words: list, show one, what differs between two.",
    add_completion=False,
)


@APP.command()
def profile(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="A profile, e.g. safe-harbor; without one all are listed.",
            show_default=False,
        ),
    ] = None,
    other: Annotated[
        str | None,
        typer.Argument(
            metavar="[OTHER]", help="Say only what differs from NAME to this one.", show_default=False
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the profiles, say what one does with each class of elements, or what differs between two."""
    from oathward.deid.profile import builtin_profiles

    if name is None:
        _all(as_json=as_json)
        return
    one_of("NAME", name, builtin_profiles(), "profile")
    if other is None:
        _whole(name, as_json=as_json)
        return
    one_of("OTHER", other, builtin_profiles(), "profile")
    _difference(name, other, as_json=as_json)


def _all(*, as_json: bool) -> None:
    from oathward.deid import words
    from oathward.deid.profile import builtin_texts

    told = {name: words.about(text) for name, text in builtin_texts().items()}

    def human() -> None:
        for name, head in told.items():
            say(f"{name}: {head.summary}")

    rows = [{"name": name, **head._asdict()} for name, head in told.items()]
    emit({"profiles": rows}, as_json=as_json, human=human)


def _whole(name: str, *, as_json: bool) -> None:
    from oathward.deid import words
    from oathward.deid.profile import builtin_profiles, builtin_texts

    shown = builtin_profiles()[name]
    head, rows, given = words.about(builtin_texts()[name]), words.said(shown), words.settings(shown)
    value = {
        "name": name,
        **head._asdict(),
        "classes": [row._asdict() | {"formats": dict(row.formats)} for row in rows],
        "parameters": [one._asdict() for one in given],
    }

    def human() -> None:
        say(f"{name}: {head.summary}")
        say(words.everything(shown))
        _table(("what", "what becomes of it"), [(row.what, row.becomes) for row in rows])
        for one in given:
            say(f"{one.action}, {one.name} = {', '.join(one.values)}: {one.meaning}")
        say(f"Not claimed: {head.not_claimed}")
        say(f"Source: {head.source}")

    emit(value, as_json=as_json, human=human)


def _difference(name: str, other: str, *, as_json: bool) -> None:
    from oathward.deid import words
    from oathward.deid.profile import builtin_profiles

    known = builtin_profiles()
    rows = words.difference(known[name], known[other])

    def human() -> None:
        if not rows:
            say(f"{name} and {other} do the same.")
            return
        leaves = {"more": "more leaves", "less": "less leaves", "other": "in another form"}
        told = [(row.what, row.before, row.after, leaves[row.direction]) for row in rows]
        _table(("what", name, other, ""), told)

    found = [row._asdict() for row in rows]
    emit({"before": name, "after": other, "differences": found}, as_json=as_json, human=human)


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    from rich.table import Table

    table = Table(*heads)
    for row in rows:
        table.add_row(*row)
    console().print(table)
