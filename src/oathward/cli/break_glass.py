"""``oathward break-glass``: what was opened in emergencies, and the reviews of it. A refused review exits as its reason says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from oathward.cli.asking import now_us, opened
from oathward.cli.output import DataOption, JsonOption, emit
from oathward.cli.signed_in import proof_of
from oathward.core.clock import from_micros
from oathward.core.errors import InputError
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from oathward.vault.keeper.client.glass import Broken

APP = typer.Typer(
    help="Glasses that were broken in an emergency: list, review.", no_args_is_help=True, add_completion=False
)


@APP.command("list")
def list_(
    *,
    every: Annotated[bool, typer.Option("--all", help="Also what was reviewed.")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what was broken, newest first; what nobody reviewed in time is overdue."""
    with opened(data) as site:
        proof = proof_of(site.settings, site.keeper, None)
        rows, at_us = site.keeper.glass.listed(proof, waiting=not every), now_us(site)

    def human() -> None:
        for one in rows:
            when = f"{from_micros(one.begun_us):%Y-%m-%d %H:%M}"
            print(f"{one.id}  {when}  {one.name}  {one.code}  {one.openings} opened  {_state(one, at_us)}")
        late = sum(one.overdue(at_us) for one in rows)
        waits = sum(not one.outcome for one in rows)
        print(f"{waits} to review, {late} overdue." if rows else "Nothing waits for a review.")

    emit({"glasses": [_plain(one, at_us) for one in rows]}, as_json=as_json, human=human)


@APP.command()
def review(
    glass: Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it.")],
    *,
    justified: Annotated[
        bool | None, typer.Option("--justified/--not-justified", help="What it comes to.", show_default=False)
    ] = None,
    why: Annotated[str, typer.Option(help="Why; it goes into the ledger: no patient data.")] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one with the words that were said; with --justified or --not-justified, review it."""
    if (justified is None) != (not why):
        raise InputError("--why", "goes with --justified or --not-justified", reason=Reason.INPUT_INVALID)
    with opened(data) as site:
        proof, at_us = proof_of(site.settings, site.keeper, None), now_us(site)
        if justified is not None:
            outcome = "justified" if justified else "not-justified"
            site.keeper.glass.review(glass, outcome, why, proof)
            emit(
                {"id": glass, "outcome": outcome},
                as_json=as_json,
                human=lambda: print(f"Reviewed: {outcome.replace('-', ' ')}."),
            )
            return
        one, words = site.keeper.glass.one(glass, proof)

    def human() -> None:
        print(f"{one.name}, {one.code}, {one.openings} opened, {_state(one, at_us)}")
        print(words.reveal() if words is not None else "The words were destroyed with the patient's keys.")

    told = _plain(one, at_us) | {"words": words.reveal() if words is not None else None}
    emit(told, as_json=as_json, human=human)


def _state(one: Broken, at_us: int) -> str:
    if one.outcome:
        return one.outcome.replace("-", " ")
    if not one.ended_us:
        return "stands"
    return "overdue" if one.overdue(at_us) else "waits"


def _plain(one: Broken, at_us: int) -> dict[str, Any]:
    return {
        "id": one.id,
        "person": one.person,
        "name": one.name,
        "subject": one.subject,
        "code": one.code,
        "purpose": one.purpose,
        "begun": from_micros(one.begun_us),
        "ended": from_micros(one.ended_us) if one.ended_us else None,
        "openings": one.openings,
        "often": one.often,
        "due": from_micros(one.due_us),
        "state": _state(one, at_us),
        "reviewer": one.reviewer,
        "said": one.said,
    }
