"""``oathward consent``: record, import and list what patients allowed or denied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oathward.cli.asking import (
    IdentifierFileOption,
    PersonOption,
    hasher_of,
    identifiers_in,
    now_us,
    opened,
    person_of,
    read_bytes,
    sign_and_store,
)
from oathward.cli.output import DataOption, JsonOption, console, emit, settings_of
from oathward.core.clock import from_micros, iso
from oathward.core.errors import InputError
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from oathward.consent.model import Statement
    from oathward.core.settings import Settings
    from oathward.patients.identifiers import Hasher, Identifier
    from oathward.vault.opened import Opened

APP = typer.Typer(help="Consent facts: record, import, list.", add_completion=False, no_args_is_help=True)

ERRORS_SHOWN_MAX = 50


@APP.command()
def record(  # noqa: PLR0913, PLR0917  one parameter an option
    permit: Annotated[
        bool | None, typer.Option("--permit/--deny", help="What the patient said.", show_default=False)
    ] = None,
    purpose: Annotated[list[str] | None, typer.Option(help="HRESCH, TREAT …, or *; may be repeated.")] = None,
    recipient: Annotated[
        list[str] | None, typer.Option(help="Id of a recipient, or *; may be repeated.")
    ] = None,
    class_: Annotated[
        list[str] | None,
        typer.Option("--class", help="observation.value, patient.* …, or *; may be repeated."),
    ] = None,
    from_: Annotated[str, typer.Option("--from", help="Day, or time with zone; empty: always.")] = "",
    until: Annotated[str, typer.Option(help="Day (its end), or time with zone; empty: without end.")] = "",
    source: Annotated[
        str, typer.Option(help="Where it comes from: paper form, portal … No patient data.")
    ] = "",
    subject: Annotated[str, typer.Option(help="Subject id, instead of an identifier.")] = "",
    identifier_file: IdentifierFileOption = None,
    replace: Annotated[bool, typer.Option("--replace", help="This is all that stands from now on.")] = False,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record one statement of one patient. A denial that names nothing is of everything."""
    from oathward.consent.model import statement
    from oathward.consent.sheet import moment
    from oathward.policy.model import ANY

    if permit is None or bool(subject) == bool(identifier_file):
        raise InputError("options", "say --permit or --deny, and either --subject or --identifier-file")
    said = statement(
        permit=permit,
        purposes=purpose or [],
        recipients=recipient or [],
        classes=class_ or [],
        start_us=moment(from_, "--from", end=False),
        end_us=moment(until, "--until", end=True),
        source=source,
    )
    who = person_of(person)
    _check_recipients(settings_of(data), said)
    hasher = hasher_of(settings_of(data)) if identifier_file else None
    identifiers = identifiers_in(identifier_file, hasher) if identifier_file and hasher else []
    if len(identifiers) > 1:
        raise InputError("--identifier-file", "must hold one identifier; import takes many patients")
    with opened(data) as site:
        if hasher is not None:
            subject = _subjects(site, hasher, identifiers, who)[0]
        else:
            _check_subject(site, subject)
        count = _store(site, {subject: [said]}, who, replaces=replace)

    def human() -> None:
        print(
            f"{'Recorded' if count else 'Said before, nothing changed'} for {subject}. Gateways know within a second."
        )
        if everything:
            print(
                "It denies every purpose, treatment included where a link honours objections; "
                "--purpose HRESCH would deny research alone."
            )

    everything = not said.fact.permit and ANY in said.fact.purposes
    value = {"subject": subject, "recorded": count, "id": said.fact.id, "denies_every_purpose": everything}
    emit(value, as_json=as_json, human=human)


@APP.command("import")
def import_(
    file: Annotated[str, typer.Argument(help="CSV file, or - for stdin.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check, say what would happen, change nothing.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="For each patient in the file, these rows are all that stands.")
    ] = False,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import statements: identifier, authority, permit, purposes, recipients, classes, from, until, source.

    With an error in any line nothing is imported. Patients nobody heard of yet get their subject now.
    """
    from oathward.consent import sheet
    from oathward.patients.identifiers import from_cx

    found = sheet.parse(read_bytes(file))
    errors = list(found.errors)
    settings = settings_of(data)
    hasher = hasher_of(settings)
    per_patient: dict[Identifier, list[Statement]] = {}
    for row in found.rows:
        one = from_cx(row.identifier.reveal(), hasher)
        if one is None:
            errors.append(sheet.LineError(row.line, "identifier", "stands for nobody"))
        else:
            per_patient.setdefault(one, []).append(row.statement)
    recorded = 0
    if not errors and not dry_run:
        who = person_of(person)
        with opened(data) as site:
            subjects = _subjects(site, hasher, list(per_patient), who)
            said: dict[str, list[Statement]] = {}
            for subject, statements in zip(subjects, per_patient.values(), strict=True):
                said.setdefault(subject, []).extend(statements)
            recorded = _store(site, said, who, replaces=replace)

    def human() -> None:
        for e in errors[:ERRORS_SHOWN_MAX]:
            print(f"line {e.line}{f', {e.column}' if e.column else ''}: {e.why}")
        if errors:
            print(f"{len(errors)} error{'s' if len(errors) > 1 else ''}; nothing was imported.")
        else:
            state = "Would record" if dry_run else "Recorded"
            count = len(per_patient) if dry_run else recorded
            print(f"{state} statements of {count} patients ({len(found.rows)} rows).")

    value: dict[str, Any] = {"rows": len(found.rows), "patients": len(per_patient), "recorded": recorded}
    value |= {
        "dry_run": dry_run,
        "errors": [{"line": e.line, "column": e.column, "why": e.why} for e in errors],
    }
    emit(value, as_json=as_json, human=human)
    if errors:
        raise typer.Exit(65)


@APP.command("list")
def list_(
    subject: Annotated[str, typer.Option(help="Every version of one subject.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most this many, latest first.")] = 50,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what stands, per subject id, and whether its signature verifies."""
    from oathward.consent import views
    from oathward.core.db import read

    with opened(data) as site, read(site.engine) as db:
        rows = views.rows(db, site.site, site.authority, site.seen, subject=subject, limit=limit)

    def human() -> None:
        if not rows:
            if subject:
                print("No consent facts of this subject.")
                return
            print("No consent facts. `oathward consent import FILE` brings them.")
            return
        from rich.table import Table

        table = Table("subject", "version", "since (UTC)", "says", box=None, pad_edge=False)
        table.columns[0].no_wrap = True
        for row in rows:
            says = "; ".join(_in_words(s) for s in row.statements) or "nothing"
            when = f"{from_micros(row.at_us):%Y-%m-%d %H:%M}"
            table.add_row(
                row.subject, str(row.version), when, says if row.valid else "SIGNATURE DOES NOT VERIFY"
            )
        console().print(table)

    emit({"consents": [_plain(row) for row in rows]}, as_json=as_json, human=human)


def _check_subject(site: Opened, subject: str) -> None:
    """Refuse a subject id that nobody has: a denial of a typo would deny nothing.

    Raises:
        InputError: ``not-found``, or no subject id at all.
    """
    from oathward.consent.model import check_subject
    from oathward.core.db import read
    from oathward.patients import views

    check_subject(subject)
    with read(site.engine) as db:
        if not views.exists(db, site.site, subject):
            raise InputError("--subject", "no such subject", reason=Reason.NOT_FOUND)


def _check_recipients(settings: Settings, said: Statement) -> None:
    """Refuse a recipient that the policy in force does not have: a denial of a typo would deny nothing.

    Raises:
        InputError: says which one was probably meant.
    """
    from oathward import activation
    from oathward.core.db import connect, read
    from oathward.core.errors import AuthorityError
    from oathward.policy.model import ANY
    from oathward.policy.reading import near
    from oathward.vault.authority import Seen, trust_anchor

    engine = connect(settings.database_url)
    try:
        with read(engine) as db:
            active = activation.load_active(db, settings.site.name, trust_anchor(settings), Seen())
    except AuthorityError:  # `oathward doctor` says so; what a patient says can be recorded all the same
        active = None
    finally:
        engine.dispose()
    if active is None:
        return
    known = {*active.bundle.recipients, *(link.recipient for link in active.bundle.links.values())}
    for one in sorted(said.fact.recipients - {ANY} - known):
        raise InputError("--recipient", f"the policy in force has no `{one}`; {near(one, known)}")


def _subjects(site: Opened, hasher: Hasher, identifiers: Sequence[Identifier], person: str) -> list[str]:
    from oathward.core.db import write
    from oathward.patients import actions

    found: list[str] = []
    for start in range(0, len(identifiers), 200):
        with write(site.engine) as db:
            some = identifiers[start : start + 200]
            found += actions.register(db, site.site, hasher, some, by=person, now_us=now_us(site))
    return found


def _store(site: Opened, said: dict[str, list[Statement]], person: str, *, replaces: bool) -> int:
    from oathward.consent import actions
    from oathward.core.db import read

    drafts = []
    with read(site.engine) as db:
        for subject, statements in said.items():
            one = actions.draft(
                db,
                site.site,
                subject,
                statements,
                authority=site.authority,
                seen=site.seen,
                replaces=replaces,
            )
            if one is not None:
                drafts.append(one)
    sign_and_store(
        site,
        drafts,
        person,
        lambda db, signed: actions.store(db, site.site, signed, by=person, now_us=now_us(site)),
        "consents",
    )
    return len(drafts)


def _in_words(one: Statement) -> str:
    fact = one.fact
    what = f"{'permit' if fact.permit else 'deny'} {_set(fact.purposes)} to {_set(fact.recipients)}: {_set(fact.classes)}"
    if fact.end_us is not None:
        what += f" until {from_micros(fact.end_us):%Y-%m-%d %H:%M}"
    return what


def _set(words: frozenset[str]) -> str:
    shown = sorted(words)
    return ", ".join(shown[:3]) + (f" and {len(shown) - 3} more" if len(shown) > 3 else "")


def _plain(row: Any) -> dict[str, Any]:
    return {
        "subject": row.subject,
        "version": row.version,
        "at": iso(from_micros(row.at_us)),
        "valid": row.valid,
        "statements": [
            {
                "id": s.fact.id,
                "permit": s.fact.permit,
                "purposes": sorted(s.fact.purposes),
                "recipients": sorted(s.fact.recipients),
                "classes": sorted(s.fact.classes),
                "from": iso(from_micros(s.fact.start_us)) if s.fact.start_us is not None else None,
                "until": iso(from_micros(s.fact.end_us)) if s.fact.end_us is not None else None,
                "source": s.source,
            }
            for s in row.statements
        ],
    }
