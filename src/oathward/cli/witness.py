"""``oathward witness``: the outside witness that cosigns checkpoints, a program of its own.

It needs nothing of the site it watches but the log's verifier key: run it under another administrator, on another
machine if possible, with its own folder and user.
"""

from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oathward.cli.output import JsonOption, emit
from oathward.core.errors import InputError
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from oathward.vault.sign import Signer

APP = typer.Typer(help="The outside witness that cosigns checkpoints.", add_completion=False)

DEFAULT_LISTEN = "127.0.0.1:8450"

FolderOption = Annotated[
    Path,
    typer.Option(
        "--data",
        metavar="DIR",
        envvar="OATHWARD_WITNESS_DATA",
        help="The witness's own folder.",
        show_default=True,
    ),
]
KeyFileOption = Annotated[
    Path | None,
    typer.Option(
        "--key",
        metavar="FILE",
        help="The witness's private key; else `key` in its folder.",
        show_default=False,
    ),
]
DEFAULT_FOLDER = Path("oathward-witness")
OwnFolderOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="The witness's own folder; else as given to `witness`.",
        show_default=False,
    ),
]
PUBLIC_FILE = "witness.pub"


@APP.callback(invoke_without_command=True)
def witness(
    context: typer.Context,
    data: FolderOption = DEFAULT_FOLDER,
    listen: Annotated[
        str,
        typer.Option(
            "--listen", metavar="HOST:PORT|unix:PATH", help="Where to answer; port 0 takes a free one."
        ),
    ] = DEFAULT_LISTEN,
    key: KeyFileOption = None,
    user: Annotated[
        str,
        typer.Option(
            "--user", help="Run as this operating-system user (when started as root).", show_default=False
        ),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Run the witness; stop it with SIGTERM or Ctrl-C. A key is made when there is none.

    Its public key goes to witness.pub beside the key: the site's [witness] public_key_file names a copy of it.
    """
    if context.invoked_subcommand is not None:
        return
    _run(data, key, listen, user, as_json=as_json)


@APP.command()
def trust(
    context: typer.Context,
    log_key: Annotated[str, typer.Argument(metavar="KEY", help="A log's verifier key, or a file with it.")],
    origin: Annotated[
        str, typer.Option("--origin", help="The log's name, where it is not the key's.", show_default=False)
    ] = "",
    data: OwnFolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let the witness cosign for a log; a running witness knows at once."""
    from oathward.ledger import witness as rules

    text = log_key if "+" in log_key and not Path(log_key).exists() else _text(Path(log_key))
    name = rules.trust(data or _before(context, "data"), text.strip(), origin)
    emit(
        {"origin": name},
        as_json=as_json or _before(context, "as_json"),
        human=lambda: print(f"The witness cosigns for {name}."),
    )


@APP.command()
def show(
    context: typer.Context,
    data: OwnFolderOption = None,
    key: KeyFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the witness's key, the logs it trusts, what it holds, and its evidence of forks. Ends with 3 if there is any."""
    from oathward.ledger import checkpoint, note
    from oathward.ledger import witness as rules
    from oathward.vault.sign import Verifier

    folder: Path = data or _before(context, "data")
    if not folder.is_dir():
        raise InputError(str(folder), "no witness's folder is there", reason=Reason.NOT_FOUND)
    signer = _load_key(key or _before(context, "key") or folder / "key")
    held = []
    for signed in rules.held(folder):
        text, signatures = note.split(signed)
        found = checkpoint.parse(text)
        at_s = note.check_cosignature(text, signatures, signer)
        held.append(
            {"origin": found.origin, "size": found.size, "root": found.root.hex(), "cosigned_s": at_s}
        )
    evidence = rules.evidence(folder)
    value = {
        "key": note.encode_key(signer, note.COSIGNATURE),
        "trusted": sorted(rules.trusted(folder, Verifier)),
        "held": held,
        "evidence": evidence,
    }
    emit(value, as_json=as_json or _before(context, "as_json"), human=lambda: _say(value))
    if evidence:
        raise typer.Exit(Reason.LEDGER_FORKED.answer.exit_code)


def _before(context: typer.Context, option: str) -> Any:
    """Give an option that stood before the subcommand, or its default there."""
    assert context.parent is not None
    return context.parent.params[option]


def _run(folder: Path, key: Path | None, listen: str, user: str, *, as_json: bool) -> None:
    import asyncio
    import signal

    from oathward.core.clock import Clock
    from oathward.ledger import note, witness_server
    from oathward.ledger.witness import Witness
    from oathward.vault.sign import Verifier

    _become(user, folder)  # after the imports: they may lie where the other user cannot read
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    signer = _load_key(key or folder / "key", create=key is None)
    public = note.encode_key(signer, note.COSIGNATURE)
    public_file = _publish((key or folder / "key").with_name(PUBLIC_FILE), public)
    clock = Clock()
    watch = Witness(folder, signer, Verifier, lambda: int(clock.now().timestamp()))

    def ready(address: str) -> None:
        name = pwd.getpwuid(os.geteuid()).pw_name
        value = {
            "address": address,
            "folder": str(folder),
            "key": public,
            "public_key_file": public_file and str(public_file),
            "user": name,
        }

        def human() -> None:
            print(f"Witness at {address}, as user {name}, folder {folder}\n  key {public}")
            print(
                f"  also in {public_file or 'no file: none could be written beside the key, or another key stands there'}",
                flush=True,
            )
            if os.geteuid() == 0:
                print("  running as root: give --user NAME to run as another", file=sys.stderr)

        emit(value, as_json=as_json, human=human)

    async def main() -> None:
        task = asyncio.ensure_future(witness_server.serve(watch, listen, ready))
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            print("stopped", file=sys.stderr)

    try:
        asyncio.run(main())
    except OSError as error:
        raise InputError("--listen", f"cannot be taken: {error.strerror}") from error
    finally:
        watch.close()


def _become(user: str, folder: Path) -> None:
    """Change to another user before anything is opened; the folder becomes that user's.

    Raises:
        InputError: no such user, or not started as root.
    """
    if not user:
        return
    try:
        entry = pwd.getpwnam(user)
    except KeyError as error:
        raise InputError("--user", "no such user") from error
    if os.geteuid() == entry.pw_uid:
        return
    if os.geteuid() != 0:
        raise InputError("--user", "only root can run a witness as another user")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)
    os.initgroups(user, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def _load_key(path: Path, *, create: bool = False) -> Signer:
    """Load the witness's key, or make it: its name is random, so that no two witnesses share one."""
    from oathward.vault.sign import Signer, load_signer, save_signer

    if create and not path.exists():
        seed = os.urandom(32)
        unique = Signer("new", seed).public.hex()[:8]
        save_signer(Signer(f"oathward-witness/{unique}", seed), path)
    return load_signer(path)


def _publish(path: Path, public: str) -> Path | None:
    """Write the public key where people can take it from; gives the file, nothing if it cannot be this key's."""
    text = f"{public}\n"
    try:
        if not path.exists():
            path.write_text(text)
            path.chmod(0o644)
        return path if path.read_text() == text else None
    except (OSError, UnicodeDecodeError):
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(path.name, "cannot be read", reason=Reason.NOT_FOUND) from error


def _say(value: dict[str, Any]) -> None:
    from oathward.core.clock import from_micros, iso

    print(f"Key      {value['key']}")
    for origin in value["trusted"] or ["none yet: oathward witness trust KEY"]:
        print(f"Trusts   {origin}")
    for held in value["held"]:
        at = iso(from_micros(held["cosigned_s"] * 1_000_000))
        print(f"Holds    {held['origin']}: {held['size']:,} records, cosigned {at}")
    for found in value["evidence"]:
        origin = found["submitted"].split("\n", 1)[0]
        sizes = " and ".join(f"{int(found[k].split(chr(10))[1]):,}" for k in ("held", "submitted"))
        what = "two roots of one size" if found["certain"] else "no proof of continuation was given"
        print(
            f"FORK     {origin}: checkpoints of {sizes} records; {what}; {iso(from_micros(found['at_s'] * 1_000_000))}"
        )
    if not value["evidence"]:
        print("No evidence of a fork.")
