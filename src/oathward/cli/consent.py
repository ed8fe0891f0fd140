"""``oathward consent``: record, import and list what patients allowed or denied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from oathward.cli.asking import (
    IdentifierFileOption,
    PersonOption,
    hasher_of,
    identifiers_in,
    opened,
    person_of,
    read_bytes,
)
from oathward.cli.consent_arrived import RELEASE, dismiss, import_messages
from oathward.cli.consent_arrived import arrived as list_arrived
from oathward.cli.consent_explain import explain
from oathward.cli.consent_export import export
from oathward.cli.consent_notices import notices
from oathward.cli.consent_withdrawals import withdrawals
from oathward.cli.consents import (
    check_recipients,
    check_subject,
    store,
    subjects_of,
)
from oathward.cli.output import DataOption, JsonOption, console, emit, settings_of
from oathward.core.clock import from_micros, iso
from oathward.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oathward.cli.consent_fhir import Options
    from oathward.cli.consent_import import Done, How, Told
    from oathward.consent.views import ConsentRow

APP = typer.Typer(
    help="What patients allow and deny: record, import, list, explain, withdrawals, notices.",
    add_completion=False,
    no_args_is_help=True,
)

APP.command("arrived")(list_arrived)
APP.command()(dismiss)
APP.command()(explain)
APP.command()(export)
APP.command()(notices)
APP.command()(withdrawals)

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
    check_recipients(settings_of(data), said)
    hasher = hasher_of(settings_of(data)) if identifier_file else None
    identifiers = identifiers_in(identifier_file, hasher) if identifier_file and hasher else []
    if len(identifiers) > 1:
        raise InputError("--identifier-file", "must hold one identifier; import takes many patients")
    with opened(data) as site:
        if hasher is not None:
            subject = subjects_of(site, hasher, identifiers, who)[0]
        else:
            check_subject(site, subject)
        count = store(site, {subject: [said]}, who, replaces=replace)

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
def import_(  # noqa: PLR0913, PLR0917  one parameter an option
    file: Annotated[
        str,
        typer.Argument(help="CSV file, or - for stdin; with --fhir a file or a folder.", show_default=False),
    ] = "",
    fhir: Annotated[
        bool,
        typer.Option("--fhir", help="FHIR: a Consent, a Bundle, NDJSON of either, or a folder of these."),
    ] = False,
    edition: Annotated[
        str, typer.Option(help="With --fhir: r4 or r5; empty: each tells itself.", show_default=False)
    ] = "",
    zone: Annotated[str, typer.Option(help="Time zone of dates that say none, as in Europe/Berlin.")] = "UTC",
    subject: Annotated[str, typer.Option(help="With --fhir: whose they all are, by subject id.")] = "",
    identifier_file: IdentifierFileOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check, say what would happen, change nothing.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="For each patient in the file, these rows are all that stands.")
    ] = False,
    known_only: Annotated[
        bool,
        typer.Option("--known-only", help="Refuse a patient nobody has heard of, instead of making one."),
    ] = False,
    message: Annotated[
        list[str] | None,
        typer.Option(help="Instead of a file: Consents that came as this message; may be repeated."),
    ] = None,
    arrived: Annotated[
        bool, typer.Option("--arrived", help="Instead of a file: all that came as messages and wait.")
    ] = False,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import what patients said: a CSV sheet, FHIR Consents (--fhir), or Consents that came as messages.

    A sheet's columns: identifier, authority, type, permit, purposes, recipients, classes, from, until, source.

    With an error in any line nothing is imported. Patients nobody has heard of get their subject now, and are told of.
    With --fhir a consent takes the place of what an earlier version of it said; one that is not active says nothing more.
    """
    from oathward.cli.consent_fhir import Options

    options = Options(
        file, zone, subject, identifier_file, dry_run, replace, known_only, person, data, edition
    )
    if bool(file) == bool(message or arrived):
        raise InputError("FILE", "say a file, or --message, or --arrived")
    if not file or fhir:
        _import_fhir(options, message or [], as_json=as_json)
    elif subject or identifier_file:
        raise InputError("options", "a CSV file names its patients itself")
    else:
        _import_csv(options, as_json=as_json)


def _import_csv(options: Options, *, as_json: bool) -> None:
    from oathward.cli.consent_import import NOTHING, STRANGER, Told, carry_out, counted, hasher_by, keys_of
    from oathward.consent import sheet
    from oathward.patients.identifiers import from_cx

    found = sheet.parse_apart(read_bytes(options.path, sheet.BYTES_MAX))
    errors = list(found.errors)
    settings = settings_of(options.data)
    keys = keys_of(settings)
    hasher = hasher_by(settings, keys)
    told: list[Told] = []
    for row in found.rows:
        one = from_cx(row.identifier.reveal(), hasher)
        if one is None:
            errors.append(sheet.LineError(row.line, "identifier", "stands for nobody"))
        else:
            told.append(Told(f"line {row.line}", (row.statement,), (one,)))
    done, how = NOTHING, options.how()
    if not errors:
        done = carry_out(told, how, keys=keys, data=options.data)
        if options.known_only:
            errors += [
                sheet.LineError(int(place.removeprefix("line ")), "identifier", STRANGER)
                for place in done.unknown
            ]

    def human() -> None:
        _tell_errors([f"line {e.line}{f', {e.column}' if e.column else ''}: {e.why}" for e in errors])
        if not errors:
            _tell_done(done, how, _counted(len(found.rows), "row"))

    value = {"rows": len(found.rows), **counted(done, dry_run=options.dry_run)}
    value |= {
        "dry_run": options.dry_run,
        "errors": [{"line": e.line, "column": e.column, "why": e.why} for e in errors],
    }
    emit(value, as_json=as_json, human=human)
    if errors:
        raise typer.Exit(65)


def _tell_errors(lines: Sequence[str]) -> None:
    for line in lines[:ERRORS_SHOWN_MAX]:
        print(line)
    if lines:
        print(f"{len(lines)} error{'s' if len(lines) > 1 else ''}; nothing was imported.")


def _tell_done(done: Done, how: How, what: str) -> None:
    from oathward.cli.consent_import import in_lines

    for line in in_lines(done, how):
        print(line)
    state, change = ("Would record", "would change") if how.dry_run else ("Recorded", "changed")
    print(
        f"{state} {what} of {_counted(done.patients, 'patient')}; what stands {change} for {done.recorded}."
    )


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' if count != 1 else ''}"


def _import_fhir(options: Options, messages: Sequence[str], *, as_json: bool) -> None:
    from oathward.cli.consent_fhir import import_ as import_fhir
    from oathward.cli.consent_fhir import said

    came = not options.path
    done = import_messages(options, messages, every=not messages) if came else import_fhir(options)

    def human() -> None:
        for name, remark in done.remarks[:ERRORS_SHOWN_MAX]:
            print(f"{name}: {said(remark)}")
        _tell_errors([f"{p.file}: {p.where}: {p.why}" for p in done.problems])
        if not (done.problems or done.consents or came):
            print("There is no Consent in it; other resources are passed over.")
        elif not done.problems:
            _tell_done(
                done.done, options.how(), f"{_counted(done.consents, 'consent')} ({done.active} active)"
            )
        if came and not options.dry_run:
            print(RELEASE)

    emit(done.value() | {"dry_run": options.dry_run}, as_json=as_json, human=human)
    if done.problems:
        raise typer.Exit(65)


@APP.command()
def check(  # noqa: PLR0913, PLR0917  one parameter an option
    purpose: Annotated[str, typer.Option(help="HRESCH, TREAT …")],
    recipient: Annotated[str, typer.Option(help="Id of a recipient of the policy in force.")] = "",
    actor: Annotated[
        list[str] | None, typer.Option(help="What consents call who gets it: Organization/54, system|value.")
    ] = None,
    class_: Annotated[str, typer.Option("--class", help="Element class of the data.")] = "observation.value",
    code: Annotated[list[str] | None, typer.Option(help="Code that the data bear, as in LN|8867-4.")] = None,
    label: Annotated[
        list[str] | None, typer.Option(help="Confidentiality or sensitivity of the data.")
    ] = None,
    at: Annotated[str, typer.Option(help="Day, or time with zone; empty: now.")] = "",
    fhir: Annotated[
        str, typer.Option("--fhir", help="FHIR consents: a file, a folder, or - for stdin.")
    ] = "",
    zone: Annotated[str, typer.Option(help="Time zone of dates that say none.")] = "UTC",
    subject: Annotated[str, typer.Option(help="What stands for this subject, instead of files.")] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask consents about one datum: permitted, denied or neither, and by which provision."""
    from oathward.cli.consent_fhir import WORDS, Question
    from oathward.cli.consent_fhir import check as answer

    question = Question(purpose, recipient, actor or [], class_, code or [], label or [], at)
    found = answer(question, path=fhir, zone=zone, subject=subject, data=data)

    def human() -> None:
        print(WORDS[found["decision"]])
        for one in found["by"]:
            place = " ".join(word for word in (one["file"], one["source"].rpartition(" ")[2]) if word)
            print(f"  {place}: {one['says']}")

    emit(found, as_json=as_json, human=human)


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
        waiting, _ = views.arrivals(db, site.site, limit=1)

    def human() -> None:
        if rows:
            _print_table(rows, whole=bool(subject))
        elif subject:
            print("No consent facts of this subject.")
        else:
            print("No consent facts. `oathward consent import FILE` brings them.")
        if waiting:
            print(f"Came as messages and wait for a person: {waiting}; oathward consent arrived")

    value = {"consents": [_row(row) for row in rows], "arrived": waiting}
    emit(value, as_json=as_json, human=human)


def _print_table(rows: Sequence[ConsentRow], *, whole: bool) -> None:
    from rich.table import Table

    from oathward.consent.telling import in_words

    table = Table("subject", "version", "since (UTC)", "says", box=None, pad_edge=False)
    table.columns[0].no_wrap = True
    for row in rows:
        says = "; ".join(in_words(s) for s in row.statements) or "nothing"
        if whole and row.originals:
            says += f" ({len(row.originals)} original{'s' if len(row.originals) > 1 else ''} kept)"
        when = f"{from_micros(row.at_us):%Y-%m-%d %H:%M}"
        table.add_row(row.subject, str(row.version), when, says if row.valid else "SIGNATURE DOES NOT VERIFY")
    console().print(table)


def _row(row: Any) -> dict[str, Any]:
    from oathward.consent.telling import plain

    return {
        "subject": row.subject,
        "version": row.version,
        "at": iso(from_micros(row.at_us)),
        "valid": row.valid,
        "statements": [plain(s) for s in row.statements],
        "originals": dict(row.originals),
    }
