"""``oathward governance agreement`` and ``assessment``: the papers that links and recipients rest on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oathward.cli.asking import PersonOption, now_us, opened, read_bytes
from oathward.cli.output import DataOption, JsonOption, emit, one_of
from oathward.cli.permitted import who_may
from oathward.core.errors import InputError
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oathward.governance.findings import Register
    from oathward.governance.model import AgreementRow, AssessmentRow
    from oathward.governance.sheet import LineError
    from oathward.policy.bundle import Bundle
    from oathward.vault.opened import Opened

CHANGE = "governance.change"
AGREEMENT = typer.Typer(help="Agreements: add, import, end, list.", no_args_is_help=True)
ASSESSMENT = typer.Typer(help="Assessments: add, approve, reopen, list.", no_args_is_help=True)

FileOption = Annotated[
    str, typer.Option("--file", metavar="FILE", help="The paper itself; kept by its SHA-256, never read.")
]


def register(app: typer.Typer) -> None:
    """Add both to the command."""
    app.add_typer(AGREEMENT, name="agreement")
    app.add_typer(ASSESSMENT, name="assessment")


@AGREEMENT.command("list")
def list_agreements(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List agreements and the links that name them, with what each does not cover."""
    from oathward.governance.covering import covers, day, in_force

    with opened(data) as site:
        found, at_us = _register(site), now_us(site)
    links = [] if found.bundle is None else list(found.bundle.links.values())
    rows = [
        (row, in_force(row, at_us), {
            link.id: covers(row, link, found.bundle.recipients[link.recipient], at_us)
            for link in links if link.agreement == row.id and found.bundle is not None
        })
        for row in found.agreements.values()
    ]  # fmt: skip

    def human() -> None:
        for row, over, of_links in rows:
            until = day(row.until_us) if row.until_us else "no end"
            print(f"{row.id} {row.kind} with {row.party}, {', '.join(over) or f'in force until {until}'}")
            for link, lacks in of_links.items():
                print(f"  link {link}: {'covered' if not lacks else '; '.join(lacks)}")
        if not rows:
            print("No agreements. `oathward governance agreement add` writes one.")

    value = [{"agreement": row, "over": over, "links": of_links} for row, over, of_links in rows]
    emit({"agreements": value}, as_json=as_json, human=human)


@AGREEMENT.command("add")
def add_agreement(  # noqa: PLR0913, PLR0917  one parameter an option
    id_: Annotated[str, typer.Argument(metavar="ID", help="As links name it: DUA-2026-001.")],
    party: Annotated[str, typer.Option(help="With whom, as recipients' `party` says.")],
    kind: Annotated[str, typer.Option(help="BAA, DPA, DUA, joint or service.")],
    purposes: Annotated[str, typer.Option(help="Permitted purposes, parted by `;`: HRESCH;PUBHLTH.")],
    destinations: Annotated[str, typer.Option(help="Recipient ids, parted by `;`.")],
    classes: Annotated[str, typer.Option(help="Element classes as links write them, parted by `;`.")],
    from_: Annotated[str, typer.Option("--from", metavar="DAY", help="2026-07-01.")],
    until: Annotated[str, typer.Option(metavar="DAY", help="The day it ends.")] = "",
    review_due: Annotated[str, typer.Option(metavar="DAY")] = "",
    sub_recipients: Annotated[str, typer.Option(help="Parties it may go on to, parted by `;`.")] = "",
    country: Annotated[str, typer.Option(help="Where the party processes, ISO 3166.")] = "",
    safeguards: Annotated[str, typer.Option(help="Of a transfer to a third country.")] = "",
    file: FileOption = "",
    change: Annotated[bool, typer.Option("--change", help="One that is there may change.")] = False,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write an agreement: what it permits, to whom, until when."""
    from oathward.core.db import write
    from oathward.governance import actions, sheet

    cells = {"id": id_, "party": party, "kind": kind, "purposes": purposes, "destinations": destinations}
    cells |= {"classes": classes, "from": from_, "until": until, "review_due": review_due}
    cells |= {"sub_recipients": sub_recipients, "country": country, "safeguards": safeguards}
    content = read_bytes(file) if file else b""
    with opened(data) as site:
        who = who_may(site, person, CHANGE)
        digest, name = _kept(site, file, content)
        row = sheet.agreement(cells, digest=digest, file=name)
        before = _register(site).agreements.get(id_)
        row = row if digest or before is None else _with_file(row, before)
        with write(site.engine) as db:
            row = actions.put_agreement(*(db, site.site, row), by=who, now_us=now_us(site), changes=change)
    words = f"Wrote {row.id}" + (f", file {digest[:16]}…" if digest else ", without a file")
    emit({"agreement": row}, as_json=as_json, human=lambda: print(words))


@AGREEMENT.command("import")
def import_agreements(
    file: Annotated[str, typer.Argument(help="CSV file, or - for stdin.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check, change nothing.")] = False,
    change: Annotated[bool, typer.Option("--change", help="Those that are there may change.")] = False,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write agreements from a CSV file; every mistake is said at once, and with one nothing is done.

    Columns: id, party, kind, purposes, destinations, classes, sub_recipients, country, safeguards, from, until, review_due.
    """
    from oathward.core.db import write
    from oathward.governance import actions, sheet

    found = sheet.agreements(read_bytes(file, sheet.BYTES_MAX), read=sheet.cells_apart)
    with opened(data) as site:
        who = who_may(site, person, CHANGE)
        there = _register(site).agreements
        clashes = [row.id for row in found.rows if row.id in there and not change]
        errors = list(found.errors) + [
            sheet.LineError(0, "id", f"{id_} is there already; --change lets it change") for id_ in clashes
        ]
        if not (errors or dry_run):
            at_us = now_us(site)
            for row in found.rows:
                if row.id in there:  # the paper of before stays until another is given
                    before = there[row.id]
                    row = _with_file(row, before)
                with write(site.engine) as db:
                    actions.put_agreement(db, site.site, row, by=who, now_us=at_us, changes=change)
    said_import(len(found.rows), errors, "agreements", dry_run=dry_run, as_json=as_json)


@AGREEMENT.command("end")
def end_agreement(
    id_: Annotated[str, typer.Argument(metavar="ID")],
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """End an agreement now: links that name it are serious findings from then on."""
    from oathward.core.db import write
    from oathward.governance import actions

    with opened(data) as site:
        who = who_may(site, person, CHANGE)
        with write(site.engine) as db:
            row = actions.end_agreement(db, site.site, id_, by=who, now_us=now_us(site))
    emit({"agreement": row}, as_json=as_json, human=lambda: print(f"Ended {id_}."))


@ASSESSMENT.command("list")
def list_assessments(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List assessments, the newest first, and why one does not stand."""
    from oathward.governance.covering import day

    with opened(data) as site:
        found, at_us = _register(site), now_us(site)
    rows = [(row, _lacks(found.bundle, row, at_us)) for row in found.assessments]

    def human() -> None:
        for row, lacks in rows:
            stands = "; ".join(lacks) or f"stands until {day(row.valid_until_us)}"
            print(f"{row.id} {row.kind}/{row.about}: {row.outcome}; {stands}")
        if not rows:
            print("No assessments. `oathward governance assessment add` writes one.")

    value = [{"assessment": row, "lacks": lacks} for row, lacks in rows]
    emit({"assessments": value}, as_json=as_json, human=human)


@ASSESSMENT.command("add")
def add_assessment(  # noqa: PLR0913, PLR0917  one parameter an option
    about: Annotated[
        str,
        typer.Argument(
            metavar="KIND/ID", help="link/research, recipient/…, purpose/HRESCH, device-model/Acme|Vista 3."
        ),
    ],
    privacy: Annotated[str, typer.Option(help="What was found on privacy; @FILE reads it from a file.")],
    security: Annotated[str, typer.Option(help="What was found on security; @FILE reads it from a file.")],
    outcome: Annotated[str, typer.Option(help="acceptable, acceptable with measures, not acceptable.")],
    valid_until: Annotated[str, typer.Option(metavar="DAY", help="2027-07-01.")],
    measures: Annotated[str, typer.Option(help="Which, where it is acceptable with measures.")] = "",
    folder: Annotated[
        str, typer.Option("--from", metavar="FOLDER", help="Policy folder that has it, before it is active.")
    ] = "",
    file: FileOption = "",
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write an assessment of a link, recipient, purpose or device model; it stands once another person approved it."""
    from oathward.core.db import write
    from oathward.governance import actions, sheet
    from oathward.governance.model import Acceptability, AssessedKind, AssessmentRow

    kind, _, id_ = about.partition("/")
    one_of("KIND/ID", kind, AssessedKind, "kind of what is assessed")
    one_of("--outcome", outcome, Acceptability, "outcome")
    try:
        until_us = sheet.day_us(valid_until)
    except ValueError as error:
        raise InputError("--valid-until", "a day such as 2027-07-01") from error
    content = read_bytes(file) if file else b""
    with opened(data) as site:
        who, at_us = who_may(site, person, CHANGE), now_us(site)
        row = AssessmentRow(
            id="", kind=AssessedKind(kind), about=id_, about_digest=_digest(site, kind, id_, folder),
            privacy=_said(privacy), security=_said(security), author=who, at_us=at_us,
            outcome=Acceptability(outcome), measures=_said(measures), valid_until_us=until_us,
        )  # fmt: skip
        for field, why in actions.assessment_mistakes(row, at_us):
            raise InputError(field, why)
        digest, name = _kept(site, file, content)
        row = _named(row, digest, name)
        with write(site.engine) as db:
            row = actions.assess(db, site.site, row, now_us=at_us)
    words = (
        f"Wrote {row.id}. It stands once another person runs: oathward governance assessment approve {row.id}"
    )
    emit({"assessment": row}, as_json=as_json, human=lambda: print(words))


@ASSESSMENT.command("approve")
def approve_assessment(
    id_: Annotated[str, typer.Argument(metavar="ID")],
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Approve another person's assessment."""
    from oathward.core.db import write
    from oathward.governance import actions

    with opened(data) as site:
        who = who_may(site, person, CHANGE)
        with write(site.engine) as db:
            row = actions.approve_assessment(db, site.site, id_, by=who, now_us=now_us(site))
    emit({"assessment": row}, as_json=as_json, human=lambda: print(f"Approved {id_}."))


@ASSESSMENT.command("reopen")
def reopen_assessment(
    id_: Annotated[str, typer.Argument(metavar="ID")],
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that an assessment stands no longer; another one is needed."""
    from oathward.core.db import write
    from oathward.governance import actions

    with opened(data) as site:
        who = who_may(site, person, CHANGE)
        with write(site.engine) as db:
            row = actions.reopen_assessment(db, site.site, id_, by=who, now_us=now_us(site))
    emit({"assessment": row}, as_json=as_json, human=lambda: print(f"Reopened {id_}."))


def said_import(count: int, errors: Sequence[LineError], what: str, *, dry_run: bool, as_json: bool) -> None:
    """Say what an import did, or each of its mistakes; exits 65 where there was one."""

    def human() -> None:
        for error in errors:
            print(f"line {error.line}{f', {error.column}' if error.column else ''}: {error.why}")
        if errors:
            print(f"{len(errors)} mistakes; nothing was imported.")
        else:
            print(f"{count} {what} {'would be written' if dry_run else 'written'}.")

    emit({what: count, "errors": list(errors), "dry_run": dry_run}, as_json=as_json, human=human)
    if errors:
        raise typer.Exit(65)


def _register(site: Opened) -> Register:
    from oathward import governing
    from oathward.core.db import read

    with read(site.engine) as db:
        return governing.register(db, site)


def _lacks(bundle: Bundle | None, row: AssessmentRow, at_us: int) -> tuple[str, ...]:
    from oathward.governance.covering import stands

    return stands(row, at_us, _digest_in(bundle, row.kind, row.about))


def _digest(site: Opened, kind: str, id_: str, folder: str) -> str:
    """Name what is assessed as it is: in the active bundle, or in the folder it is proposed in.

    Raises:
        InputError: ``not-found``.
    """
    from oathward import activation
    from oathward.cli.bundle_folder import read_folder

    if kind not in {"link", "recipient"}:
        return ""
    bundle = activation.check(read_folder(Path(folder))) if folder else _register(site).bundle
    found = _digest_in(bundle, kind, id_)
    if not found:
        why = (
            "is not there"
            if folder
            else "is not in the active bundle; --from FOLDER names where it is proposed"
        )
        raise InputError(f"{kind}/{id_}", why, reason=Reason.NOT_FOUND)
    return found


def _digest_in(bundle: Bundle | None, kind: str, id_: str) -> str:
    from oathward.governance.derive import digest_of

    if bundle is None:
        return ""
    thing = bundle.links.get(id_) if kind == "link" else None
    other = bundle.recipients.get(id_) if kind == "recipient" else None
    found = thing or other
    return digest_of(found) if found is not None else ""


def _kept(site: Opened, path: str, content: bytes) -> tuple[str, str]:
    from oathward.governance import files

    return (files.keep(site.settings.data, content), files.name_of(path)) if path else ("", "")


def _with_file(row: AgreementRow, before: AgreementRow) -> AgreementRow:
    from dataclasses import replace

    return replace(row, digest=before.digest, file=before.file)


def _named(row: AssessmentRow, digest: str, name: str) -> AssessmentRow:
    from dataclasses import replace

    return replace(row, digest=digest, file=name)


def _said(text: str) -> str:
    """Give words of an option, or of the file it names."""
    return Path(text[1:]).read_text(encoding="utf-8").strip() if text.startswith("@") else text
