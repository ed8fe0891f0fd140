"""``oathward keys``: what the keeper holds, changing and destroying keys, and a recipient's own key."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oathward.cli.asking import PersonOption, now_us, opened, person_of, read_bytes
from oathward.cli.output import DataOption, JsonOption, emit
from oathward.cli.permitted import used
from oathward.cli.signed_in import proof_of
from oathward.core.clock import from_micros, iso
from oathward.core.errors import InputError
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from oathward.vault.opened import Opened

APP = typer.Typer(
    help="Keys: rotate, erase a subject, open a sealed envelope.", add_completion=False, no_args_is_help=True
)

YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


class Rotated(StrEnum):
    """Keys that can be changed before their day."""

    SITE = "site"
    INTAKE = "intake"
    OUTBOX = "outbox"


@APP.command()
def status(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Say how many keys the keeper holds, which site key is in force, and whether the witness was asked."""
    with opened(data) as site:
        state = site.keeper.state()

    def human() -> None:
        print(f"Site {state['site']}: site key number {state['site_key']}, witness {state['witness']}.")
        print(f"{state['subjects']} subjects, {state['data_keys']} data keys, {state['tombstones']} erased.")
        print(f"{state['intake_waiting']} keys wait to be taken in, {state['backups']} copies of the store.")
        if state["intake_refused"]:
            print(
                f"{state['intake_refused']} keys could not be taken in: somebody wrote rows that do not open."
            )

    emit(state, as_json=as_json, human=human)


@APP.command()
def rotate(
    which: Annotated[Rotated, typer.Argument(help="Which key.")] = Rotated.SITE,
    yes: YesOption = False,
    data: DataOption = None,
    person: PersonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change a key now, while the site runs.

    The site key: everything is wrapped anew, then the old key is destroyed. Copies of the key store made
    before open nothing any more; a new one is made. Keep a copy of the new key file elsewhere. The keys of
    the day change each day by themselves, so only the site key is asked about.
    """
    from oathward.vault.keeper.site_key import key_path

    if which is Rotated.SITE:
        _sure(
            "Destroy the site key in force? Copies of the key store made before open nothing then",
            yes,
            as_json,
        )
    with opened(data) as site:
        proof = proof_of(site.settings, site.keeper, person)
        if which is Rotated.SITE:
            number = site.keeper.rotate_site_key(proof)
            file = key_path(site.settings.keeper_folder, number)
            result: dict[str, Any] = {"key": "site", "generation": number, "file": str(file)}
        else:
            result = {"key": which.value, "id": site.keeper.rotate_exchange(which.value, proof)}
        used(site, proof, "keys.rotate")

    def human() -> None:
        if which is Rotated.SITE:
            print(f"Site key number {result['generation']} is in force; the old one is destroyed.")
            print(f"It is {result['file']}: keep a copy elsewhere; no backup of ours holds it.")
        else:
            print(f"New {which.value} key {result['id']}; the old one opens what waits, then is destroyed.")

    emit(result, as_json=as_json, human=human)


@APP.command()
def erase(
    subject: Annotated[str, typer.Argument(help="Subject id, as records and `oathward patient` show it.")],
    reason: Annotated[str, typer.Option(help="A code such as gdpr.art17; it is published, so no words.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the signed certificate here.", show_default=False)
    ] = None,
    yes: YesOption = False,
    data: DataOption = None,
    person: PersonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Destroy a subject's keys: nothing kept of them can ever be opened again, here or from a backup.

    What was held before anybody knew whose it is stays: it is counted, by the day whose subject it lies under.
    """
    import orjson

    from oathward import ledger
    from oathward.core.db import read, write
    from oathward.patients import actions, views
    from oathward.vault import kept

    _sure(f"Destroy every key of subject {subject}? This cannot be undone", yes, as_json)
    with opened(data) as site:
        proof = proof_of(site.settings, site.keeper, person)
        with read(site.engine) as db:
            known = views.exists(db, site.site, subject)
            family = _whole(db, site, subject) if known else (subject,)
            if not known and not _has_traces(db, site.site, subject):
                raise InputError("subject", "no such subject", reason=Reason.NOT_FOUND)
        # Everyone the subject stands for goes with it: joins and confirmed merges made them one person.
        certificates = [site.keeper.erase(one, reason, proof) for one in dict.fromkeys((subject, *family))]
        certificate = certificates[0]
        if known:
            with write(site.engine) as db:
                _, leaf = actions.forget(
                    db, site.site, subject, source=person_of(person), now_us=now_us(site)
                )
                _forget(db, site.site, family)
                ledger.append(db, site.site, [leaf])
        with read(site.engine) as db:
            unreached = kept.of_nobody(db, site.site)
        used(site, proof, "erase")
    said = orjson.loads(certificate.body)
    whole = {
        "site": certificate.site,
        "kind": certificate.kind,
        "id": certificate.id,
        "version": certificate.version,
        "body": certificate.body.decode(),
        "signature": certificate.signature.hex(),
    }
    if out is not None:
        out.write_bytes(orjson.dumps(whole, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))

    def human() -> None:
        print(
            f"Keys of subject {subject} destroyed at {_when(said['erased_us'])}: tombstone {said['tombstone']}."
        )
        print(f"{said['originals']} kept originals can never be opened again.")
        print(
            f"From {_when(said['live_keys_destroyed_us'])} no living key can open an older copy of the database."
        )
        print(f"The last copy of the key store expires at {_when(said['last_backup_expires_us'])}.")
        if unreached:
            _say_unreached(unreached)

    emit(said | {"certificate": whole, "unreached": unreached}, as_json=as_json, human=human)


@APP.command()
def backup(data: DataOption = None, person: PersonOption = None, as_json: JsonOption = False) -> None:
    """Copy the key store now. The copy is useless without the site key, which is in none."""
    with opened(data) as site:
        proof = proof_of(site.settings, site.keeper, person)
        name = site.keeper.back_up(proof)
        path = site.settings.keeper_folder / "backups" / name
        used(site, proof, "keys.back-up")
    emit({"file": str(path)}, as_json=as_json, human=lambda: print(f"Copied to {path}"))


@APP.command()
def recipient(
    out: Annotated[Path, typer.Option("--out", help="Where the private key goes, mode 0600.")],
    as_json: JsonOption = False,
) -> None:
    """Make the key pair of a recipient; it runs at the recipient, who gives away the public key alone."""
    from oathward.vault.recipient import new_key

    public = new_key(out)

    def human() -> None:
        print(f"Private key in {out}: keep it, and keep it secret.")
        print(f'For the bundle\'s recipient file:  public_key = "{public}"')

    emit({"private_key_file": str(out), "public_key": public}, as_json=as_json, human=human)


@APP.command()
def unseal(
    file: Annotated[
        str,
        typer.Argument(
            help="Envelope: a .sealed file, base64, the HL7 message, or the FHIR Binary; - for stdin."
        ),
    ],
    key: Annotated[Path, typer.Option("--key", help="The recipient's private key file.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the message here, mode 0600.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Open a sealed envelope with a recipient's key; needs no data folder.

    The message goes to --out, or to stdout; with --json and --out stdout tells site, link and outgoing id.
    """
    from oathward.vault.recipient import load_key, unseal
    from oathward.vault.sign import write_file

    if as_json and out is None:
        raise InputError("--out", "is needed with --json: a message is not JSON")
    found = unseal(load_key(key), read_bytes(file))
    if out is None:
        sys.stdout.buffer.write(found.data.reveal())
        sys.stdout.buffer.flush()
        return
    if out.exists():
        raise InputError(out.name, "exists already", reason=Reason.CONFLICT)
    write_file(out, found.data.reveal(), 0o600)
    said = {"site": found.site, "link": found.link, "outgoing_id": found.outgoing_id, "file": str(out)}
    emit(
        said,
        as_json=as_json,
        human=lambda: print(f"{found.outgoing_id} of link {found.link} written to {out}"),
    )


def _sure(question: str, yes: bool, as_json: bool) -> None:
    """Ask before what cannot be undone.

    Raises:
        InputError: nobody can be asked, and ``--yes`` was not given.
    """
    if yes:
        return
    if as_json or not sys.stdin.isatty():
        raise InputError("--yes", "is needed where nobody can be asked")
    typer.confirm(question, abort=True)


def _say_unreached(unreached: dict[str, int]) -> None:
    """Say what erasing could not reach, and how to settle it."""
    days = ", ".join(f"{subject} ({count})" for subject, count in unreached.items())
    print(f"Not reached: {sum(unreached.values())} messages held before anybody knew whose they are: {days}.")
    print(
        "Some may be about this person. `oathward quarantine list` shows them without values; `release` sends one"
    )
    print(
        "through again, so that it gets its subject, which you then erase; `discard` lets one go. What is left of"
    )
    print("a day goes at once: `oathward keys erase SUBJECT`, with the day's subject.")


def _whole(db: Connection, site: Opened, subject: str) -> tuple[str, ...]:
    """List everyone a subject stands for, once a person said of each merge that they are one: keys that are gone stay gone.

    Raises:
        InputError: ``conflict``: a merge waits for a person's word.
    """
    from oathward.patients import views

    family = views.family(db, site.site, subject)
    if set(family) != set(views.confirmed_family(db, site.site, subject, site.authority, site.seen)):
        why = (
            "a merge with another patient waits: `oathward patient merges`, then confirm or unmerge it first"
        )
        raise InputError("subject", why, reason=Reason.CONFLICT)
    return family


def _forget(db: Connection, site: str, family: tuple[str, ...]) -> None:
    """Delete rows that contexts of their own keep of somebody who was erased."""
    from oathward.consent.notices import actions as notices
    from oathward.disclosures import actions as disclosures
    from oathward.uploads import actions as uploads

    for context in (notices, uploads, disclosures):
        context.forget(db, site, family)


def _has_traces(db: Connection, site: str, subject: str) -> bool:
    """Say whether anything was kept, sealed or recorded of a subject that no patient's row names."""
    from oathward import ledger
    from oathward.vault import intake, kept

    return bool(
        kept.of_subject(db, site, subject, limit=1)
        or intake.waiting(db, site, 1, subject=subject)
        or ledger.search(db, site, ledger.Query(subject), limit=1)
    )


def _when(at_us: int) -> str:
    return iso(from_micros(at_us))[:19] + "Z"
