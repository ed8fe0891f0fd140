"""``oathward governance``: who answers for each data set, link, recipient and backup, and what the record of processing says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oathward.cli import governance_connections, governance_papers
from oathward.cli.asking import PersonOption, now_us, opened, read_bytes
from oathward.cli.output import DataOption, JsonOption, console, emit, one_of
from oathward.cli.permitted import sees_people, who_may
from oathward.core.errors import InputError
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from oathward.governance.findings import Register
    from oathward.governance.model import RegisterFinding
    from oathward.vault.opened import Opened

APP = typer.Typer(
    help="The register: owners, agreements, assessments, the record of processing.",
    add_completion=False,
    no_args_is_help=True,
)
_DAY_US = 86_400_000_000

Thing = Annotated[
    str,
    typer.Argument(metavar="KIND/ID", help="link/ehr, recipient/ehr, data-set/ledger, backup/key-backups."),
]
Out = Annotated[str, typer.Option("--out", metavar="FILE", help="File; - is stdout.", show_default=False)]


@APP.command("list")
def list_(
    kind: Annotated[str, typer.Option(help="Only data-set, link, recipient, release or backup.")] = "",
    state: Annotated[str, typer.Option(help="Only draft, active, suspended or retired.")] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List every entry: what follows from the bundle and this site is there before anybody wrote it."""
    from oathward.governance.covering import day
    from oathward.governance.model import EntryKind, Lifecycle

    if kind:
        one_of("--kind", kind, EntryKind, "kind")
    if state:
        one_of("--state", state, Lifecycle, "state")
    with opened(data) as site:
        found = register_of(site)
    rows = [row for row in found.rows if kind in {"", row.kind} and state in {"", row.state}]

    def human() -> None:
        _table(
            ("entry", "state", "owner", "steward", "review due", "title"),
            [
                (
                    f"{row.kind}/{row.id}",
                    row.state if row.version else f"{row.state} (not written)",
                    _named(found, row.owner),
                    _named(found, row.steward),
                    day(row.review_due_us) if row.review_due_us else "-",
                    row.title,
                )
                for row in rows
            ],
        )

    emit({"entries": rows}, as_json=as_json, human=human)


@APP.command()
def show(thing: Thing, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show one entry with its history and its findings."""
    from oathward.core.db import read
    from oathward.governance import findings, views

    kind, id_ = _thing(thing)
    with opened(data) as site:
        found = register_of(site)
        row = next((row for row in found.rows if (row.kind, row.id) == (kind, id_)), None)
        if row is None:
            raise InputError(thing, "no such entry", reason=Reason.NOT_FOUND)
        with read(site.engine) as db:
            history = views.history(db, site.site, kind, id_)
        wrong = [f for f in findings.findings(found, now_us(site)) if (f.kind, f.about) == (kind, id_)]
    expected = found.things.get((row.kind, row.id))

    def human() -> None:
        from oathward.governance.covering import day

        print(f"{thing}: {row.state}, owner {_named(found, row.owner)}, steward {_named(found, row.steward)}")
        if expected is not None:
            print(f"there because of {expected.why}" + (f"; kept {expected.kept}" if expected.kept else ""))
        _print_findings(wrong)
        for one in history:
            print(f"{day(one.at_us)} {one.by}: {one.field} {one.before or '-'} -> {one.after or '-'}")

    value = {"entry": row, "expected": expected, "findings": wrong, "history": history}
    emit(value, as_json=as_json, human=human)


@APP.command("set")
def set_(  # noqa: PLR0913, PLR0917  one parameter an option
    thing: Thing,
    owner: Annotated[
        str | None, typer.Option(help="Who answers for it: staff number, mail address or person id.")
    ] = None,
    steward: Annotated[str | None, typer.Option(help="Who looks after it: as --owner.")] = None,
    state: Annotated[str | None, typer.Option(help="active, suspended or retired.")] = None,
    title: Annotated[str | None, typer.Option()] = None,
    classification: Annotated[str | None, typer.Option(help="Words, parted by `;`.")] = None,
    review_due: Annotated[str | None, typer.Option(metavar="DAY", help="2027-05-31.")] = None,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write an entry: owner, steward, state. Nothing becomes active without an owner and a steward who are living persons."""
    from oathward.core.db import write
    from oathward.governance import actions, sheet

    kind, id_ = _thing(thing)
    said = {"owner": owner, "steward": steward, "state": state, "title": title}
    said |= {"classification": classification, "review_due": review_due}
    wanted = sheet.wanted_of({"kind": kind, "id": id_} | {k: v for k, v in said.items() if v is not None})
    if not any(value is not None for value in said.values()):
        raise InputError(thing, "say what to write: --owner, --steward, --state …")
    with opened(data) as site:
        who = who_may(site, person, "governance.change")
        if wanted.owner or wanted.steward:
            named = _named_by(site, sees=sees_people(site, person))
            wanted = replace(wanted, owner=named(wanted.owner), steward=named(wanted.steward))
        found = register_of(site, everyone=True)
        with write(site.engine) as db:
            rows = actions.change(
                *(db, site.site, [wanted]),
                by=who,
                now_us=now_us(site),
                living=_living(found),
                drafts=found.rows,
                review_days=site.settings.governance.review_days,
            )
    words = f"Wrote {thing}." if rows else f"{thing} says that already."
    emit({"entries": rows}, as_json=as_json, human=lambda: print(words))


@APP.command("import")
def import_(
    file: Annotated[str, typer.Argument(help="CSV file, or - for stdin.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check, change nothing.")] = False,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write entries from a CSV file; columns are found by name. One error, and nothing is done.

    Columns: kind, id, title, owner, steward, state, classification, review_due. An empty cell says nothing.
    """
    from oathward.core.db import write
    from oathward.governance import actions, sheet

    content = read_bytes(file, sheet.BYTES_MAX)
    with opened(data) as site:
        who = who_may(site, person, "governance.change")
        found = register_of(site, everyone=True)
        known = {(row.kind, row.id): row for row in found.rows}
        read_ = sheet.entries(content, known, _living(found), read=sheet.cells_apart)
        if not (read_.errors or dry_run):
            with write(site.engine) as db:
                actions.change(
                    *(db, site.site, read_.rows),
                    by=who,
                    now_us=now_us(site),
                    living=_living(found),
                    drafts=found.rows,
                    review_days=site.settings.governance.review_days,
                )
    governance_papers.said_import(len(read_.rows), read_.errors, "entries", dry_run=dry_run, as_json=as_json)


@APP.command()
def findings(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List what somebody should look at; exits 1 where anything is serious."""
    from oathward.core.finding_kinds import Severity
    from oathward.governance import findings as found

    with opened(data) as site:
        rows = found.findings(register_of(site, models=True), now_us(site))
    emit({"findings": rows}, as_json=as_json, human=lambda: _print_findings(rows))
    if any(row.severity is Severity.SERIOUS for row in rows):
        raise typer.Exit(1)


@APP.command()
def ropa(
    style: Annotated[str, typer.Option("--format", help="text, csv or html.")] = "text",
    out: Out = "-",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the record of processing (GDPR Art. 30) of what is live now; each cell says where it comes from."""
    from oathward.core.clock import iso
    from oathward.governance import processing, written

    one_of("--format", style, ("text", "csv", "html"), "format")
    with opened(data) as site:
        rows = processing.record(register_of(site))
        at = iso(site.clock.now())
    gaps = processing.gaps(rows)
    made = {"csv": written.csv, "html": written.html, "text": written.text}[style](rows, site.site, at)
    if out != "-":
        Path(out).write_text(made, encoding="utf-8", newline="")
        emit(
            {"file": out, "rows": len(rows), "missing": len(gaps)},
            as_json=as_json,
            human=lambda: print(f"{len(rows)} rows in {out}; {len(gaps)} cells lack something."),
        )
        return
    value = {"at": at, "columns": dict(processing.COLUMNS), "rows": rows, "missing": gaps}
    emit(value, as_json=as_json, human=lambda: print(made, end=""))


@APP.command()
def quality(
    days: Annotated[int, typer.Option(min=1, max=400, help="How far back.")] = 7,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count what came late, malformed, of nobody known, twice: by day and kind of device, and by day and link."""
    from oathward import governing
    from oathward.core.db import read
    from oathward.governance.covering import day

    with opened(data) as site, read(site.engine) as db:
        until_us = now_us(site)
        kinds, links = governing.traffic_quality(db, site.site, until_us - days * _DAY_US, until_us)

    def human() -> None:
        names = (
            "messages",
            "late",
            "ahead",
            "untimed",
            "unidentified",
            "duplicates",
            "malformed",
            "unknown_device",
        )
        heads = ("day", "kind or link", *(name.replace("_", " ") for name in names))
        for rows in (kinds, links):
            _table(heads, [(day(r.day_us), r.about, *(str(getattr(r, n)) for n in names)) for r in rows])
        if not kinds:
            print(
                "Nothing came in these days; the gateway counts as messages come, and writes twice a minute."
            )

    emit({"by_kind": kinds, "by_link": links}, as_json=as_json, human=human)


def _named_by(site: Opened, *, sees: bool) -> Callable[[str | None], str | None]:
    """Give what finds the person somebody names."""
    from oathward import governing
    from oathward.core.db import read

    def found(text: str | None) -> str | None:
        if not text:
            return text
        with read(site.engine) as db:
            return governing.person_of(db, site, text, now_us(site), sees=sees)

    return found


def register_of(site: Opened, *, models: bool = False, everyone: bool = False) -> Register:
    """Read the register with the active bundle."""
    from oathward import governing
    from oathward.core.db import read

    with read(site.engine) as db:
        return governing.register(db, site, models=models, everyone=everyone)


def _living(found: Register) -> dict[str, str]:
    """Give who is a living person; nobody, where they are not believed."""
    return dict(found.living or {})


def _thing(text: str) -> tuple[str, str]:
    from oathward.governance.model import EntryKind

    kind, _, id_ = text.partition("/")
    one_of("KIND/ID", kind, EntryKind, "kind of entry")
    return kind, id_


def _named(found: Register, who: str) -> str:
    return f"{(found.living or {}).get(who, '(not active)')} {who}" if who else "-"


def _print_findings(rows: Iterable[RegisterFinding]) -> None:
    some = False
    for row in rows:
        some = True
        print(f"{row.severity}: {row.kind}/{row.about} {row.words} ({row.code})")
    if not some:
        print("No finding.")


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.table import Table

    table = Table(*heads, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    console().print(table)


governance_papers.register(APP)
governance_connections.register(APP)
