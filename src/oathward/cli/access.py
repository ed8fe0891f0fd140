"""``oathward access``: why patients' data were opened, what nothing explains, and what a reviewer says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from oathward.cli.asking import PersonOption, now_us, opened
from oathward.cli.output import DataOption, JsonOption, emit, one_of
from oathward.cli.permitted import who_may
from oathward.core.clock import from_micros, iso

if TYPE_CHECKING:
    from oathward.accesses.model import Explained
    from oathward.accesses.views import Reviewed

APP = typer.Typer(
    help="Openings of patients' data: why each was, what nothing explains, reviewing it.",
    add_completion=False,
    no_args_is_help=True,
)


@APP.command("list")
def list_(
    subject: Annotated[str, typer.Option(help="Only of this subject id.")] = "",
    who: Annotated[str, typer.Option(help="Only by the person with this id.")] = "",
    unexplained: Annotated[
        bool, typer.Option("--waiting", help="Only what nothing explains and nobody has reviewed.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most this many.")] = 50,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List openings and attempts with every reason they have, newest first; with --waiting those due first."""
    from oathward.accesses import views
    from oathward.core.db import read

    with opened(data) as site:
        who_may(site, person, "accesses.see")
        with read(site.engine) as db:
            if unexplained:
                waiting = views.reviews(db, site.site, site.authority, site.seen, person=who, limit=limit)
                rows = [_waits(one) for one in waiting]
            else:
                some = views.openings(db, site.site, subject=subject, person=who, limit=limit)
                found = views.explained(db, site.site, some, site.authority, site.seen)
                rows = [_plain(one) for one in found]
            patterns = views.patterns(db, site.site, now_us(site))

    def human() -> None:
        for row in rows:
            due = f"  due {row['due']}" if "due" in row else ""
            why = ", ".join(row["reasons"]) or "nothing explains it"
            print(f"{row['opening']:>8}  {row['at']}  {row['person']}  {row['subject'] or '—'}  {why}{due}")
        for one in patterns:
            print(f"worth a look: {one.person}, {one.count} {one.kind} in a week")
        print(f"{len(rows)} listed. `oathward access review OPENING --outcome WORD --why TEXT` reviews one.")

    worth = [{"kind": one.kind, "person": one.person, "count": one.count} for one in patterns]
    emit({"openings": rows, "patterns": worth}, as_json=as_json, human=human)


@APP.command()
def review(
    opening: Annotated[
        int, typer.Argument(help="Number of the opening, from `oathward access list --waiting`.")
    ],
    outcome: Annotated[str, typer.Option(help="justified, mistake, misuse or unclear.")],
    why: Annotated[str, typer.Option(help="What you found; recorded in the ledger. No patient data.")],
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what came of looking at an opening that nothing explained; never one's own."""
    from oathward.accesses import actions
    from oathward.accesses.model import Outcome
    from oathward.core.db import write

    one_of("--outcome", outcome, Outcome, "outcome")
    with opened(data) as site:
        by = who_may(site, person, "accesses.review")
        with write(site.engine) as db:
            now = now_us(site)
            actions.review(db, site.site, opening, by=by, outcome=outcome, words=why, now_us=now)
    emit({"reviewed": opening}, as_json=as_json, human=lambda: print("Reviewed."))


def _plain(one: Explained) -> dict[str, Any]:
    seen = one.opening
    return {
        "opening": seen.index,
        "at": iso(from_micros(seen.at_us)),
        "kind": seen.kind,
        "person": seen.person,
        "purpose": seen.purpose,
        "reasons": [reason.id for reason in one.reasons],
        "refused": seen.refused,
        "subject": seen.subject,
    }


def _waits(one: Reviewed) -> dict[str, Any]:
    return {**_plain(one.found), "due": iso(from_micros(one.row.due_us))}
