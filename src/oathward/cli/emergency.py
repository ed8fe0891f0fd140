"""``oathward emergency``: the copy for when this system is down or its data altered: key, make, verify, read, reconcile, compare.

Rules:
- ``verify`` and ``read`` need the copy and its key file alone: no data folder, no database, no keeper.
- The passphrase is asked for without showing it, or read from a file; never from an argument.
- Who reads gives a name and a reason; each reading is in the log beside the copy before anything is shown.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oathward.cli.asking import PersonOption, opened
from oathward.cli.output import DataOption, JsonOption, emit, say
from oathward.cli.permitted import used
from oathward.cli.signed_in import proof_of
from oathward.core.errors import InputError
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oathward.emergency.reading import Readings, Shown
    from oathward.vault.emergency.keys import Trust, Unlocked

APP = typer.Typer(
    help="The emergency copy: key, make, verify, read, reconcile, compare.",
    add_completion=False,
    no_args_is_help=True,
)
COMPARED = ("same", "newer", "older", "missing", "different", "nothing")
_WRONG = frozenset(("older", "missing", "different"))

CopyOption = Annotated[Path, typer.Option("--copy", help="The copy's file, or a folder: its newest one.")]
KeyOption = Annotated[Path, typer.Option("--key", help="The copy's private key file.")]
PassphraseOption = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        help="Read the passphrase from this file; else it is asked for.",
        show_default=False,
    ),
]


@APP.command()
def key(
    out: Annotated[Path, typer.Option("--out", help="Where the private half goes: a stick for the safe.")],
    passphrase_file: PassphraseOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the copy's key, once: the private half under a passphrase, the public one into the data folder.

    Keep the private file and the passphrase in two places, away from this machine; without them no copy opens.
    """
    from oathward.cli.output import settings_of
    from oathward.vault.authority import trust_anchor
    from oathward.vault.emergency import keys
    from oathward.vault.keeper.witnessing import witness_key
    from oathward.vault.sign import load_verifier

    settings = settings_of(data)
    named = settings.emergency.public_key_file or "emergency.pub"
    witness = witness_key(settings) if settings.witness.public_key_file else None
    ledger = load_verifier(settings.data / "trust" / "ledger.pub")
    who = keys.Trust(settings.site.name, bytes(32), trust_anchor(settings), ledger, witness)
    public_file = settings.data / named
    trust = keys.create(out, public_file, _passphrase(passphrase_file, new=True), who)

    def human() -> None:
        print(f"Private half in {out}: take it off this machine, with a second copy elsewhere.")
        print(f"Public half in {public_file}, key {trust.key_id}.")
        if not settings.emergency.public_key_file:
            print(f'In oathward.toml:  [emergency]\n                   public_key_file = "{named}"')

    emit({"key": trust.key_id, "private": out, "public": public_file}, as_json=as_json, human=human)


@APP.command()
def make(
    to: Annotated[Path, typer.Option("--to", help="Folder of this machine that the keeper may write in.")],
    data: DataOption = None,
    person: PersonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have the keeper make a copy now: of each inpatient what is proved good, sealed to the copy's key."""
    with opened(data) as site:
        proof = proof_of(site.settings, site.keeper, person)
        made = site.keeper.copies.make(to.resolve(), proof, _told if sys.stderr.isatty() else None)
        used(site, proof, "emergency-copy.make")

    def human() -> None:
        print(
            f"{to / made['file']}: {made['patients']} patients, {made['opened']} originals, {made['bytes']:,} bytes."
        )
        for state, count in made["states"].items():
            print(f"  {count} {state}")
        if not made["witnessed_s"]:
            print("  not independently witnessed")

    emit(made, as_json=as_json, human=human)


@APP.command()
def verify(
    copy: CopyOption,
    key_file: Annotated[
        Path | None,
        typer.Option(
            "--key", help="Either half of the key; else that of the data folder.", show_default=False
        ),
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a copy without opening it: the keeper's signature, the checkpoint's, the witness's, every section."""
    from oathward.emergency import words
    from oathward.vault.emergency import copies

    trust, now_us = _trust(key_file, data), _now_us()
    with copies.open_copy(_newest(copy), trust) as found:
        copies.check_sections(found)
        manifest, path = found.manifest, found.path
    states = {
        state: sum(one.state == state for one in manifest.sections)
        for state in {s.state for s in manifest.sections}
    }
    told = {"age_s": (now_us - manifest.made_us) // 1_000_000, "file": path, "made_us": manifest.made_us}
    told |= {"patients": len(manifest.sections), "run": manifest.run, "states": states}
    told |= {"generation": manifest.generation, "witnessed_s": manifest.witnessed_s}

    def human() -> None:
        print(f"{path} is whole and signed by the keeper of {manifest.site}.")
        print(words.banner(manifest, now_us))
        print(
            f"{len(manifest.sections)} patients: "
            + (", ".join(f"{n} {state}" for state, n in sorted(states.items())) or "no inpatient was known")
        )

    emit(told, as_json=as_json, human=human)


@APP.command()
def read(
    *,
    copy: CopyOption,
    key_file: KeyOption,
    reader: Annotated[
        str | None, typer.Option(help="Your name; else it is asked for.", show_default=False)
    ] = None,
    reason: Annotated[
        str | None,
        typer.Option(
            help="A code: treatment, handover, transfer, resuscitation or drill; else it is asked for.",
            show_default=False,
        ),
    ] = None,
    why: Annotated[str, typer.Option(help="More words, kept sealed in the log.", show_default=False)] = "",
    patient: Annotated[
        str | None, typer.Option(help="Show this patient, by the id of the list.", show_default=False)
    ] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Pages on this machine alone, until Ctrl-C.")
    ] = False,
    port: Annotated[int, typer.Option(help="Of the pages; 0 takes a free one.")] = 0,
    passphrase_file: PassphraseOption = None,
) -> None:
    """Read a copy with the main system down; each reading is in the log beside it before anything is shown."""
    _newest(copy)  # what is not there is said before anybody in a hurry types
    _trust(key_file, None)
    asked_name = reader if reader is not None else typer.prompt("Your name", err=True)
    asked_why = reason if reason is not None else typer.prompt("Reason (treatment, handover, transfer, resuscitation, drill)", err=True)  # fmt: skip
    with _reading(copy, key_file, passphrase_file, (asked_name, asked_why, why)) as readings:
        if serve:
            _serve(readings, port)
        elif patient is not None:
            _say_patient(readings, patient)
        else:
            _say_wards(readings)


@APP.command()
def reconcile(
    log: Annotated[Path, typer.Argument(help="The log of readings that lay beside the copy.")],
    key_file: KeyOption,
    passphrase_file: PassphraseOption = None,
    data: DataOption = None,
    person: PersonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take what was read meanwhile into the ledger, when the main system is back; doing it again changes nothing."""
    from oathward.emergency import log as logs

    found = logs.read(log, _unlocked(key_file, passphrase_file))
    with opened(data) as site:
        proof = proof_of(site.settings, site.keeper, person)
        rows = [
            {name: value for name, value in asdict(one).items() if name != "words"} for one in found.readings
        ]
        told: dict[str, Any] = {
            "broken": found.broken,
            "known": 0,
            "log": found.id,
            "readings": len(rows),
            "recorded": 0,
        }
        for start in range(0, max(1, len(rows)), _BATCH):
            last = start + _BATCH >= len(rows)
            done = site.keeper.copies.reconcile(
                found.id, rows[start : start + _BATCH], found.broken if last else "", proof
            )
            told |= {name: told[name] + done[name] for name in ("known", "recorded")}
        used(site, proof, "emergency-copy.reconcile")

    def human() -> None:
        print(f"{told['recorded']} readings recorded, {told['known']} were known.")
        if found.broken:
            print(f"The log is broken at {found.broken}: a finding was raised; keep the file.")

    emit(told, as_json=as_json, human=human)
    if found.broken:
        raise typer.Exit(Reason.EMERGENCY_LOG_BROKEN.answer.exit_code)


@APP.command()
def compare(
    copy: CopyOption,
    key_file: Annotated[
        Path | None,
        typer.Option(
            "--key", help="Either half of the key; else that of the data folder.", show_default=False
        ),
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare a copy with the system as it is, patient by patient; nothing is opened."""
    from oathward.cli.output import settings_of
    from oathward.core.db import connect
    from oathward.core.db import read as reading
    from oathward.emergency import compare as comparing
    from oathward.vault.emergency import copies

    settings = settings_of(data)
    engine = connect(settings.database_url)
    try:
        with copies.open_copy(_newest(copy), _trust(key_file, data)) as found, reading(engine) as db:
            site = settings.site.name
            answers = {one.subject: comparing.compare(db, site, one) for one in found.manifest.sections}
    finally:
        engine.dispose()
    counts = {word: sum(answer == word for answer in answers.values()) for word in COMPARED}

    def human() -> None:
        print(
            ", ".join(f"{count} {word}" for word, count in counts.items() if count)
            or "The copy holds no patient."
        )
        for subject, answer in answers.items():
            if answer in _WRONG:
                print(f"  {subject} {answer}")

    emit({"counts": counts, "patients": answers}, as_json=as_json, human=human)
    if any(answer in _WRONG for answer in answers.values()):
        raise typer.Exit(1)


_BATCH = 1_000


def _told(done: int, of: int) -> None:
    print(f"\r{done} of {of} patients", end="" if done < of else "\n", file=sys.stderr, flush=True)


@contextmanager
def _reading(
    copy: Path, key_file: Path, passphrase_file: Path | None, who: tuple[str, str, str]
) -> Iterator[Readings]:
    from oathward.emergency.log import Log, Reader
    from oathward.emergency.reading import Readings
    from oathward.vault.emergency import copies

    reader = Reader(*who)
    reader.check()
    unlocked = _unlocked(key_file, passphrase_file)
    with copies.open_copy(_newest(copy), unlocked.trust) as found:
        yield Readings(found, unlocked, Log(found.path.parent / "readings.log", unlocked), reader)


def _serve(readings: Readings, port: int) -> None:
    from oathward.emergency.pages import HOST, Pages, server

    pages = Pages(readings, _now_us)
    try:
        serving = server(pages, port)
    except OSError as error:
        raise InputError("--port", "cannot be taken", reason=Reason.PORT_TAKEN) from error
    with serving:
        print(f"http://{HOST}:{serving.server_address[1]}/{pages.token}/", flush=True)
        print("Read-only, on this machine alone; Ctrl-C ends it.", file=sys.stderr)
        serving.serve_forever(poll_interval=0.2)


def _say_wards(readings: Readings) -> None:
    from oathward.emergency import words

    now_us = _now_us()
    found = readings.wards(now_us)
    none = "" if found else "\nThe copy holds no patient."
    print(f"EMERGENCY COPY, READ-ONLY. {words.banner(readings.copy.manifest, now_us)}{none}")
    for ward, patients in found.items():
        say(f"\n{ward} ({len(patients)})")
        for one in patients:
            called = one.called
            name = f"{called.name.reveal()}, {called.born.reveal()}, {called.number.reveal()}" if called else "no name known"  # fmt: skip
            say(f"  {one.section.subject}  {name}  [{words.state(one.section, now_us)}]")


def _say_patient(readings: Readings, subject: str) -> None:
    from oathward.bedside.picture import unit_words
    from oathward.emergency import words

    now_us = _now_us()
    shown: Shown = readings.patient(subject, now_us)
    one = shown.listed
    print(f"EMERGENCY COPY, READ-ONLY. {words.banner(readings.copy.manifest, now_us)}")
    say(one.called.name.reveal() if one.called else "no name known")
    if one.called:
        say(f"born {one.called.born.reveal()}, number {one.called.number.reveal()}")
    say(f"ward {one.unit or 'not named'}; {words.state(one.section, now_us)}")
    print(f"\nAlarms ({len(shown.alarms)})")
    for alarm in shown.alarms:
        say(f"  {words.at(alarm.at_us)}  {alarm.words.reveal()}  {alarm.priority} {alarm.phase}")
    print(f"\nLatest values ({len(shown.rows)})")
    for row in shown.rows:
        last = row.latest
        unit = f" {unit_words(last.unit)}" if unit_words(last.unit) else ""
        say(f"  {last.name}: {last.value.reveal()}{unit} {last.flag}  {words.at(last.at_us)} ({words.age(last.at_us, now_us)} ago)  before: {words.points(row)}")  # fmt: skip
    for gap in shown.gaps:
        until = f"to {words.at(gap.until_us)}" if gap.until_us else "on"
        say(f"  {gap.name}: nothing from {words.at(gap.from_us)} {until}")
    if shown.unread:
        print(f"  {shown.unread} messages could not be read here")


def _newest(copy: Path) -> Path:
    """Give the file, or the newest in a folder.

    Raises:
        InputError: there is none.
    """
    from oathward.vault.emergency.copies import generations

    if not copy.is_dir():
        if not copy.is_file():
            raise InputError(str(copy), "no such copy", reason=Reason.NOT_FOUND)
        return copy
    present = generations(copy)
    if not present:
        raise InputError(str(copy), "holds no copy", reason=Reason.NOT_FOUND)
    return present[max(present)]


def _trust(key_file: Path | None, data: str | None) -> Trust:
    from oathward.cli.output import settings_of
    from oathward.vault.emergency import keys

    if key_file is not None:
        return keys.load_trust(key_file)
    settings = settings_of(data)
    return keys.load_trust(settings.data / (settings.emergency.public_key_file or "emergency.pub"))


def _unlocked(key_file: Path, passphrase_file: Path | None) -> Unlocked:
    from oathward.vault.emergency import keys

    return keys.unlock(key_file, _passphrase(passphrase_file, new=False))


def _passphrase(file: Path | None, *, new: bool) -> str:
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(file.name, "cannot be read", reason=Reason.NOT_FOUND) from error
    found: Any = typer.prompt("Passphrase of the copy", hide_input=True, confirmation_prompt=new, err=True)
    return str(found)


def _now_us() -> int:
    from oathward.core.clock import Clock, micros

    return micros(Clock().now())
