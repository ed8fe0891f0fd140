"""``oathward consent export``: the originals of what stands, or what stands as FHIR Consents."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from oathward.cli.asking import PersonOption, opened, person_of, read_bytes
from oathward.cli.output import DataOption, JsonOption, emit
from oathward.core.errors import InputError

if TYPE_CHECKING:
    from oathward.consent.fhir.r5 import Edition


def export(  # noqa: PLR0917  one parameter an option
    subject: Annotated[str, typer.Argument(help="Subject id, as `oathward consent list` shows it.")],
    out: Annotated[
        str,
        typer.Option(
            "--out", help="Folder for the originals, one file each; with --fhir a new file; - for stdout."
        ),
    ],
    fhir: Annotated[
        str,
        typer.Option(
            help="Instead of originals: what stands, as Consents of this edition (r4 or r5).",
            show_default=False,
        ),
    ] = "",
    patient: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="With --fhir: file with the patient's FHIR Identifier (system, value) for these Consents; - for stdin.",
            show_default=False,
        ),
    ] = "",
    every: Annotated[
        bool, typer.Option("--every-version", help="Those of earlier versions too, not of what stands alone.")
    ] = False,
    purpose: Annotated[str, typer.Option(help="Purpose of use, for the record.")] = "HOPERAT",
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open the originals that a patient's consents were read from. The keeper records who opened them.

    Each is checked against the SHA-256 that the keeper signed. With --fhir: write what stands as a Bundle of Consents; what
    FHIR cannot say exactly is refused, and then nothing is written.
    """
    if fhir:
        if every:
            raise InputError("options", "--every-version is of originals")
        _consents(subject, fhir, patient, out, data=data, as_json=as_json)
        return
    if patient:
        raise InputError("options", "--patient goes with --fhir")
    _originals(subject, out, person=person, purpose=purpose, every=every, data=data, as_json=as_json)


def _consents(subject: str, edition: str, patient: str, out: str, *, data: str | None, as_json: bool) -> None:
    from oathward.cli.consents import check_subject
    from oathward.consent import views
    from oathward.consent.fhir.write import Head, write
    from oathward.core.db import read
    from oathward.patients import views as patients
    from oathward.protocols.fhir.json import dumps

    if edition not in {"r4", "r5"}:
        raise InputError("--fhir", "r4 or r5")
    identifier = _identifier(patient)
    found: list[dict[str, Any]] = []
    with opened(data) as site:
        check_subject(site, subject)
        with read(site.engine) as db:
            for one in patients.family(db, site.site, subject):
                _, statements = views.facts_of(db, site.site, one, site.authority, site.seen)
                at_us = (
                    views.rows(db, site.site, site.authority, site.seen, subject=one)[0].at_us
                    if statements
                    else 0
                )
                found += write(statements, Head(one, identifier, cast("Edition", edition), at_us))
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in found]}
    if not found:
        del bundle["entry"]
    body = dumps(bundle) + b"\n"
    if out == "-":
        sys.stdout.buffer.write(body)
        sys.stdout.buffer.flush()
        return
    try:
        handle = os.open(Path(out), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(body)
    except OSError as error:
        raise InputError("--out", "a new file") from error

    def human() -> None:
        print(f"{len(found)} Consent{'s' if len(found) != 1 else ''} ({edition.upper()}) in {out}.")

    emit({"consents": len(found), "edition": edition, "file": out}, as_json=as_json, human=human)


def _identifier(file: str) -> dict[str, str]:
    """Read whom the Consents are to name: nobody makes that up.

    Raises:
        InputError: no file, or something else in it.
    """
    from oathward.protocols.fhir.json import loads

    if not file:
        raise InputError("--patient", "a file with the patient's FHIR Identifier")
    found = loads(read_bytes(file))
    known = set(found) == {"system", "value"} and all(
        isinstance(v, str) and v.strip() for v in found.values()
    )
    if not known:
        raise InputError("--patient", "a JSON object with system and value, both text")
    return {"system": found["system"], "value": found["value"]}


def _originals(
    subject: str, out: str, *, person: str | None, purpose: str, every: bool, data: str | None, as_json: bool
) -> None:
    from oathward.cli.consent_keep import originals, write_out
    from oathward.cli.consents import check_subject

    who = person_of(person)
    with opened(data) as site:
        check_subject(site, subject)
        found = originals(site, subject, person=who, purpose=purpose, every=every)
    written = write_out(found, out)
    if out == "-":
        return
    value = [
        {
            "subject": one.subject,
            "sha256": one.digest,
            "versions": ", ".join(map(str, sorted(one.versions))),
            "file": file,
        }
        for one, file in zip(found, written, strict=True)
    ]

    def human() -> None:
        for row in value:
            print(f"{row['file']}  version {row['versions']}")
        print(f"{len(value)} original{'s' if len(value) != 1 else ''} in {out}.")

    emit({"originals": value}, as_json=as_json, human=human)
