"""``oathward access``: why patients' data were opened, what nothing explains, and what a reviewer says of it."""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oathward.cli.asking import PersonOption, now_us, opened, read_bytes
from oathward.cli.output import DataOption, JsonOption, emit, minute, one_of, say
from oathward.cli.permitted import sees_people, who_may
from oathward.core.clock import from_micros, iso
from oathward.core.errors import InputError
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from oathward.accesses.model import Explained
    from oathward.accesses.views import Reviewed

SHOWN_MAX = 20
SOURCE_LENGTH_MAX = 60

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
    from oathward.accesses.model import Filters
    from oathward.core.db import read
    from oathward.people.views import names

    with opened(data) as site:
        who_may(site, person, "accesses.see")
        with read(site.engine) as db:
            if unexplained:
                wanted = Filters(person=who)
                waiting = views.reviews(db, site.site, site.authority, site.seen, wanted, limit=limit)
                rows = [_waits(one) for one in waiting]
            else:
                some = views.openings(db, site.site, subject=subject, person=who, limit=limit)
                found = views.explained(db, site.site, some, site.authority, site.seen)
                rows = [_plain(one) for one in found]
            patterns = views.patterns(db, site.site, now_us(site))
            known = names(
                db, site.site, {str(row["person"]) for row in rows} | {one.person for one in patterns}
            )
    rows = [row | {"name": known.get(row["person"], "")} for row in rows]

    def human() -> None:
        for row in rows:
            due = f"  due {minute(row['due'])}" if "due" in row else ""
            who = row["name"] or row["person"]
            why = ", ".join(row["reasons"]) or "nothing explains it"
            say(f"{row['opening']:>8}  {minute(row['at'])}  {who}  {row['subject'] or '—'}  {why}{due}")
        for one in patterns:
            say(f"worth a look: {known.get(one.person, one.person)}, {one.count} {one.kind} in a week")
        if unexplained and rows:
            print("`oathward access review OPENING --outcome WORD --words-file FILE` reviews one.")
        elif unexplained:
            print("Nothing waits for a review.")
        else:
            print(f"{len(rows)} listed." if rows else "Nobody opened anything of these.")

    worth = [{"kind": one.kind, "person": one.person, "count": one.count} for one in patterns]
    emit({"openings": rows, "patterns": worth}, as_json=as_json, human=human)


@APP.command()
def show(
    opening: Annotated[int, typer.Argument(help="Number of the opening.")],
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one that is or was to be reviewed: what is on record around it, its history, what the reviewer said."""
    from oathward.accesses import views
    from oathward.cli.permitted import asks
    from oathward.core.db import read

    with opened(data) as site:
        asked = asks(site, person, "accesses.review")
        with read(site.engine) as db:
            told = views.one(db, site.site, opening, site.authority, site.seen)
        if told is None:
            raise InputError("opening", "none of this number was to be reviewed", reason=Reason.NOT_FOUND)
        row, about = told.review.row, told.review.found.opening
        words = None
        if told.sealed:
            found = site.keeper.words.open(
                "access", str(row.said_of), about.subject, told.sealed, asked.proof
            )
            words = found.reveal() if found is not None else ""

    def human() -> None:
        print(f"{row.opening}  {iso(from_micros(row.at_us))}  {row.person}  {about.subject}  {about.kind}")
        for fact in told.facts:
            print(f"  {'then' if fact.held else 'near'}  {fact.kind}  {fact.unit or fact.what or '—'}")
        for step in told.steps:
            print(f"  {iso(from_micros(step.at_us))}  {step.step}  {step.by or '—'}  {step.about}")
        if words is not None:
            print(words or "The words were destroyed with the patient's keys.")

    facts = [dataclasses.asdict(one) for one in told.facts]
    steps = [dataclasses.asdict(one) for one in told.steps]
    value = _waits(told.review) | {"facts": facts, "steps": steps, "outcome": row.outcome, "words": words}
    emit(value, as_json=as_json, human=human)


@APP.command()
def assign(
    opening: Annotated[list[int], typer.Argument(help="Numbers of openings that wait.")],
    to: Annotated[
        str,
        typer.Option(help="Who is to review them: a person id, staff number or address; empty for nobody."),
    ] = "",
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give openings that wait for a review to somebody."""
    from oathward import governing
    from oathward.accesses import actions
    from oathward.core.db import read, write

    with opened(data) as site:
        by, whom = who_may(site, person, "accesses.review"), to
        if whom and site.keeper.state().get("founded"):
            sees = sees_people(site, person)
            with read(site.engine) as db:
                whom = governing.owner(db, site, whom, now_us(site), sees=sees, action="accesses.review")
        with write(site.engine) as db:
            actions.assign(db, site.site, opening, by=by, to=whom, now_us=now_us(site))
    emit({"assigned": opening, "to": whom}, as_json=as_json, human=lambda: print(f"{len(opening)} assigned."))


@APP.command()
def review(
    opening: Annotated[
        list[int],
        typer.Argument(
            help="Numbers of openings, from `oathward access list --waiting`; several of one person and patient."
        ),
    ],
    outcome: Annotated[str, typer.Option(help="justified, mistake, misuse or unclear.")],
    words_file: Annotated[
        str, typer.Option(help="File with what you found, or - for stdin; sealed under the patient's key.")
    ],
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what came of looking at openings that nothing explained; never one's own."""
    from oathward.accesses import actions
    from oathward.accesses.model import Outcome
    from oathward.cli.permitted import asks
    from oathward.core.db import read, write
    from oathward.core.phi import Phi

    one_of("--outcome", outcome, Outcome, "outcome")
    words = Phi(read_bytes(words_file).decode("utf-8", "replace").strip())
    with opened(data) as site:
        asked = asks(site, person, "accesses.review")
        with read(site.engine) as db:
            subject = actions.subject_of(db, site.site, opening, by=asked.who)
        sealed = site.keeper.words.seal("access", str(opening[0]), subject, words, asked.proof)
        with write(site.engine) as db:
            now = now_us(site)
            actions.review(db, site.site, opening, by=asked.who, outcome=outcome, sealed=sealed, now_us=now)
    emit({"reviewed": opening}, as_json=as_json, human=lambda: print(f"{len(opening)} reviewed."))


@APP.command("on-call")
def on_call(
    file: Annotated[str, typer.Argument(help="CSV or JSON: number, unit, from, until; - for stdin.")],
    source: Annotated[
        str, typer.Option(help="Name of the roster; it replaces what it said before.")
    ] = "roster",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and count; change nothing.")] = False,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import an on-call roster: it explains openings, and permits none."""
    import hashlib

    from oathward.accesses import actions, roster
    from oathward.core.db import write

    if not (0 < len(source) <= SOURCE_LENGTH_MAX and source.isprintable()):
        raise InputError("--source", f"a name of 1 to {SOURCE_LENGTH_MAX} printable characters")
    raw = read_bytes(file, roster.BYTES_MAX)
    duties, mistakes = roster.parse_apart(raw, source)
    for one in mistakes[:SHOWN_MAX]:
        print(f"line {one.line}, {one.column or 'file'}: {one.why}", file=sys.stderr)
    if mistakes:
        raise InputError(file, f"{len(mistakes)} mistakes; nothing was imported", reason=Reason.INPUT_INVALID)
    with opened(data) as site:
        by = who_may(site, person, "care.change")
        if not dry_run:
            with write(site.engine) as db:
                digest, now = hashlib.sha256(raw).hexdigest(), now_us(site)
                actions.import_duties(db, site.site, duties, source=source, digest=digest, by=by, now_us=now)
    would = "would be " if dry_run else ""
    value = {"read": len(duties), "dry_run": dry_run}
    emit(value, as_json=as_json, human=lambda: print(f"{len(duties)} lines {would}imported."))


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
    row = one.row
    return {
        **_plain(one.found),
        "assigned": row.assigned,
        "due": iso(from_micros(row.due_us)),
        "watched": row.watched,
    }
