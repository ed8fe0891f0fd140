"""``oathward ledger``: verify, prove, export, show, search, and declare what a restore lost."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from oathward.cli import ledger_words as say
from oathward.cli.output import DataOption, JsonOption, emit, settings_of
from oathward.core.errors import InputError
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from oathward.core.settings import Settings
    from oathward.ledger.report import Report
    from oathward.ledger.verify import Keys
    from oathward.vault.sign import Verifier

APP = typer.Typer(
    help="The ledger: verify, prove, export, search.", add_completion=False, no_args_is_help=True
)
T = TypeVar("T")

KeyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--key",
        metavar="KEY",
        help="The log's verifier key, or a file with it; else trust/ledger.pub of the data folder.",
        show_default=False,
    ),
]
WitnessKeyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--witness-key",
        metavar="KEY",
        help="A witness's verifier key, or a file with it; else the one in the settings.",
        show_default=False,
    ),
]
HeldOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--held",
        metavar="FILE",
        help="A signed checkpoint that somebody outside kept: the ledger must contain it.",
        show_default=False,
    ),
]
IndexArgument = Annotated[int, typer.Argument(metavar="INDEX", min=0)]


@APP.command()
def verify(  # noqa: PLR0917  one parameter an option
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="PATH", help="An export or a data folder; else the data folder.", show_default=False
        ),
    ] = None,
    proof: Annotated[
        Path | None,
        typer.Option("--proof", metavar="FILE", help="Check one proof instead.", show_default=False),
    ] = None,
    key: KeyOption = None,
    witness_key: WitnessKeyOption = None,
    held: HeldOption = None,
    witness: Annotated[
        str | None,
        typer.Option(
            "--witness",
            metavar="ADDRESS",
            help="Ask this witness what it holds; else the one in the settings; `none` asks nobody.",
            show_default=False,
        ),
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check every record, tile, index, fact and checkpoint again, believing nothing that can be computed.

    Ends with 3 when anything does not hold, and names the first bad record.
    """
    from oathward.ledger import export

    exported = path is not None and (path / export.MANIFEST).exists()
    alone = exported or proof is not None  # needs no site, where the keys are given
    settings = settings_of(str(path) if path is not None and not exported else data, new=alone)
    if proof is not None:
        _check_proof(proof, _keys(settings, key, witness_key), as_json=as_json)
        return
    if path is not None and exported:
        named = key or export.manifest_of(path)["keys"]
        keys = _keys(settings, named, witness_key)
        report = _with_progress(
            lambda step: export.verify_export(path, keys, held=_held(held), progress=step)
        )
        own_words, not_asked = not key, ""
    else:
        keys, own_words = _keys(settings, key, witness_key), False
        report, not_asked = _verify_database(settings, keys, held, witness)

    def human() -> None:
        say.report(report, keys, own_words=own_words, not_asked=not_asked)

    value = say.plain_report(report) | {"witness_not_asked": not_asked or None}
    emit(value, as_json=as_json, human=human)
    if not report.ok and report.problem is not None:
        raise typer.Exit(report.problem.answer.exit_code)


@APP.command()
def prove(
    index: IndexArgument,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="Write the proof here; else to stdout.", show_default=False
        ),
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a proof that a record stands in the signed ledger; `ledger verify --proof FILE` checks it off line."""
    from oathward.core.db import read
    from oathward.ledger import offline

    settings = settings_of(data)
    with _engine(settings) as engine, read(engine) as db:
        text = offline.prove(db, settings.site.name, index)
    if out is not None:
        out.write_text(text)

    def human() -> None:
        print(f"Proof of record {index} written to {out}." if out else text, end="\n" if out else "")

    emit({"index": index, "proof": text}, as_json=as_json, human=human)


@APP.command()
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Export the whole ledger into a folder that verifies without this machine."""
    from oathward.ledger import export as exporting
    from oathward.ledger import note

    settings = settings_of(data)
    keys = [note.encode_key(found) for found in _keys(settings, None, None).log]
    with _engine(settings) as engine:
        size = _with_progress(
            lambda step: exporting.export(engine, settings.site.name, folder, keys, progress=step)
        )

    def human() -> None:
        print(f"{size:,} records exported to {folder}; check them with: oathward ledger verify {folder}")

    emit({"folder": str(folder), "records": size}, as_json=as_json, human=human)


@APP.command()
def show(index: IndexArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show one record."""
    from oathward import ledger
    from oathward.core.db import read

    settings = settings_of(data)
    with _engine(settings) as engine, read(engine) as db:
        entry = ledger.entry(db, settings.site.name, index)
    emit(say.plain_entry(entry), as_json=as_json, human=lambda: say.entry(entry))


@APP.command()
def search(  # noqa: PLR0913, PLR0917  one parameter an option
    subject: Annotated[str, typer.Option("--subject", help="Subject id.", show_default=False)] = "",
    link: Annotated[str, typer.Option("--link", help="Link id.", show_default=False)] = "",
    kind: Annotated[
        str, typer.Option("--kind", help="Record kind, e.g. message.accepted.", show_default=False)
    ] = "",
    message: Annotated[str, typer.Option("--message", help="Message id.", show_default=False)] = "",
    since: Annotated[
        str, typer.Option("--since", help="From this time on (ISO 8601, UTC).", show_default=False)
    ] = "",
    until: Annotated[str, typer.Option("--until", help="Up to this time.", show_default=False)] = "",
    before: Annotated[
        int | None, typer.Option("--before", help="Only records with a smaller index.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000)] = 100,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find records, newest first."""
    from oathward import ledger
    from oathward.core.db import read

    settings = settings_of(data)
    query = ledger.Query(subject, link, kind, message, _micros(since, "--since"), _micros(until, "--until"))
    with _engine(settings) as engine, read(engine) as db:
        found = ledger.search(db, settings.site.name, query, before=before, limit=limit)
    emit([say.plain_entry(e) for e in found], as_json=as_json, human=lambda: say.entries(found, limit))


@APP.command("restore-declare")
def restore_declare(
    held: Annotated[
        Path, typer.Option("--held", metavar="FILE", help="The last signed checkpoint anybody outside kept.")
    ],
    origin: Annotated[str, typer.Option("--origin", help="New name of the log, never used before.")],
    person: Annotated[list[str], typer.Option("--person", help="Who declares it; twice, two people.")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Declare the records after a restore lost, and go on under a new name."""
    from oathward.core.clock import Clock, micros
    from oathward.core.db import write
    from oathward.ledger import checkpoint, restore

    if len(person) != 2:
        raise InputError("--person", "give it twice: two people declare a restore")
    settings = settings_of(data)
    lost = checkpoint.read_note(_text(held), _keys(settings, None, None).log, held.name)
    with _engine(settings) as engine, write(engine) as db:
        index = restore.declare(
            db, settings.site.name, lost, (person[0], person[1]), origin, micros(Clock().now())
        )

    def human() -> None:
        print(
            f"Record {index} declares records {index} to {lost.size - 1} of {lost.origin} lost; the log is {origin} now."
        )
        print(f"Tell the witness: oathward witness trust KEY --origin {origin}")

    value = {"index": index, "missing": [index, lost.size - 1], "old_origin": lost.origin, "origin": origin}
    emit(value, as_json=as_json, human=human)


def _verify_database(
    settings: Settings, keys: Keys, held: list[Path] | None, witness: str | None
) -> tuple[Report, str]:
    """Verify the site's own ledger; gives the report, and why the configured witness was not asked, if so.

    Raises:
        LedgerError: the witness named by an option cannot be reached: it was the question.
    """
    from oathward import verifying
    from oathward.core.db import read
    from oathward.ledger import log

    address = settings.witness.address if witness is None else witness.removeprefix("none")
    with _engine(settings) as engine:
        with read(engine) as db:
            _check_begun(log.sites(db), settings.site.name)
        return _with_progress(
            lambda step: verifying.verify_site(
                engine,
                settings,
                keys,
                address=address,
                must_ask=witness is not None,
                held=_held(held),
                progress=step,
            )
        )


def _check_begun(sites: list[str], site: str) -> None:
    """An empty ledger is never right: its first record is written when the site is made.

    Raises:
        SettingsError: the database has records, all of other sites.
        LedgerError: it has none at all.
    """
    from oathward.core.errors import LedgerError, SettingsError

    if site in sites:
        return
    if sites:
        others = ", ".join(f"`{name}`" for name in sites)
        raise SettingsError(
            "[site] name", f"site `{site}` has no record here; the database has those of {others}"
        )
    raise LedgerError("ledger", "has no record, not even the first, which `oathward init` writes")


def _held(files: list[Path] | None) -> list[str]:
    return [_text(file) for file in files or ()]


def _check_proof(path: Path, keys: Keys, *, as_json: bool) -> None:
    from oathward.ledger import offline

    if not keys.log:
        raise InputError("--key", "give the log's verifier key")
    proved = offline.check_proof(_text(path), keys)
    emit(proved, as_json=as_json, human=lambda: say.proved(proved))


def _keys(settings: Settings, log: list[str] | None, witnesses: list[str] | None) -> Keys:
    """Gather the keys to trust: those given, else the data folder's pinned key and the settings' witness."""
    from oathward import verifying
    from oathward.ledger.verify import Keys

    own = Keys() if log and witnesses else verifying.keys_of(settings)
    return Keys(
        [_key(text) for text in log] if log else own.log,
        [_key(text) for text in witnesses] if witnesses else own.witnesses,
    )


def _key(given: str) -> Verifier:
    from oathward import verifying

    path = Path(given)
    text = given if "+" in given and not path.exists() else _text(path)
    return verifying.verifier(text, path.name)


def _text(path: Path) -> str:
    from oathward import verifying

    return verifying.text_of(path)


@contextmanager
def _engine(settings: Settings) -> Iterator[Engine]:
    """Open the site's database; never makes one."""
    from sqlalchemy.engine import make_url

    import oathward.ledger.tables
    from oathward.core.db import connect

    assert oathward.ledger.tables
    file = make_url(settings.database_url).database
    if settings.database_url.startswith("sqlite") and not Path(file or "").exists():
        raise InputError(str(settings.data), "no ledger is there", reason=Reason.NOT_FOUND)
    engine = connect(settings.database_url)
    try:
        yield engine
    finally:
        engine.dispose()


def _with_progress(work: Callable[[Callable[[int, int], None]], T]) -> T:
    """Show a bar on stderr while long work goes on at a terminal."""
    if not sys.stderr.isatty():
        return work(lambda _done, _of: None)
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = ("records", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("records", total=None)
        return work(lambda done, of: bar.update(task, completed=done, total=of))


def _micros(text: str, option: str) -> int | None:
    from oathward.core.clock import micros

    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(option, "write a time as 2026-01-31T12:00 or 2026-01-31") from error
    return micros(at if at.tzinfo else at.replace(tzinfo=UTC))
