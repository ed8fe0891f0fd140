"""What commands that change signed things share: open the site, ask the keeper, read what is patient data.

Rules:
- Documents are signed before a transaction begins, in batches; nothing waits for the keeper while it writes.
- Identifiers of patients come from a file or stdin, never from an argument (a shell remembers those), and are
  never printed.
"""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from oathward.cli.output import plain_text, settings_of
from oathward.cli.permitted import used
from oathward.cli.signed_in import proof_of
from oathward.core.errors import InputError, KeeperError
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from oathward.core.settings import Settings
    from oathward.patients.identifiers import Hasher
    from oathward.vault.authority import Document
    from oathward.vault.opened import Opened

FILE_BYTES_MAX = 256 << 20
"""Of a file that a person names, where its kind says nothing smaller."""
SIGN_MAX = 250
"""Documents signed and stored together."""

_ACTION = {
    "device": "device.change",
    "consent": "consent.change",
    "person": "people.change",
}
"""Kind of a signed document -> what somebody does who has it signed; the keeper's table has the same."""

PersonOption = Annotated[
    str | None,
    typer.Option(
        "--person",
        callback=plain_text,
        help="Who asks, on a site that has no people yet; your login name by default. Where it has, it is who signed in.",
        show_default=False,
    ),
]
IdentifierFileOption = Annotated[
    str | None,
    typer.Option(
        "--identifier-file",
        metavar="FILE",
        help="File with the patient's identifier as in PID-3 (12345^^^HOSP^MR), or - for stdin.",
        show_default=False,
    ),
]


def read_bytes(path: str, bytes_max: int | None = None) -> bytes:
    """Read a file, or stdin for ``-``.

    Args:
        bytes_max: no more than that and one byte is read, by which whoever parses it sees that it is too large; ``FILE_BYTES_MAX`` by default.

    Raises:
        InputError: it cannot be read, or, where no ``bytes_max`` is said, is larger than may be.
    """
    most = FILE_BYTES_MAX if bytes_max is None else bytes_max
    try:
        if path == "-":
            content = sys.stdin.buffer.read(most + 1)
        else:
            with open_file(path) as file:
                content = file.read(most + 1)
    except (OSError, ValueError) as error:  # a name that holds a NUL names nothing
        raise InputError(path, "cannot be read", reason=Reason.NOT_FOUND) from error
    if bytes_max is None and len(content) > most:
        raise InputError(path, f"at most {most >> 20} MiB", reason=Reason.LIMIT_EXCEEDED)
    return content


def open_file(path: str) -> BinaryIO:
    """Open a file to read it; a named pipe that nobody writes to is empty, instead of waiting for ever.

    Raises:
        OSError: it cannot be.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    os.set_blocking(fd, True)
    return os.fdopen(fd, "rb")  # raises for a folder, and closes it


@contextmanager
def opened(data: str | None) -> Iterator[Opened]:
    """Open the site as a command does, and close the keeper's door afterwards."""
    from oathward.app import build

    settings = settings_of(data)
    try:
        site = build(settings, "admin")
    except KeeperError as error:
        if error.reason is Reason.CONFLICT:
            _check_no_job(settings)
        raise
    try:
        yield site
    finally:
        site.keeper.close()
        site.engine.dispose()


def _check_no_job(settings: Settings) -> None:
    """Say that a job runs, where that is why the keeper's store is taken.

    Raises:
        KeeperError: one runs.
    """
    from oathward.deidentifying.job import LOCKS
    from oathward.deidentifying.output import holders

    for who in holders(settings.data / LOCKS):
        why = f"a job of de-identification runs ({who}) and holds it: wait for its end. Beside `oathward serve` others can ask meanwhile"
        raise KeeperError("keeper store", why, reason=Reason.ALREADY_RUNNING)


def person_of(name: str | None) -> str:
    """Name who asks."""
    return name or getpass.getuser()


def recorded_as(site: Opened, name: str | None) -> str:
    """Name who asks, as records do: the id of who is signed in; by name on a site without people.

    Raises:
        InputError: as ``proof_of``. KeeperError: the session has ended.
    """
    proof = proof_of(site.settings, site.keeper, name)
    return proof["person"] if "person" in proof else site.keeper.session_check(proof, used=True).person_id


def now_us(site: Opened) -> int:
    """Server time in microseconds."""
    from oathward.core.clock import micros

    return micros(site.clock.now())


def sign(site: Opened, drafts: Sequence[Document], person: str) -> list[Document]:
    """Have the keeper sign drafts; one call a batch.

    Raises:
        KeeperError: refused, or it does not answer.
    """
    proof = proof_of(site.settings, site.keeper, person)
    found: list[Document] = []
    for some in batches(drafts):
        wanted = [(d.kind, d.id, d.version, d.body) for d in some]
        found += site.keeper.sign_many(wanted, [proof])
    for kind in {d.kind for d in found} & _ACTION.keys():
        used(site, proof, _ACTION[kind])
    return found


def sign_and_store(
    site: Opened,
    drafts: Sequence[Document],
    person: str,
    store: Callable[[Any, list[Document]], None],
    what: str,
) -> None:
    """Sign and store batch by batch, with a progress bar on stderr where it takes a while.

    Args:
        store: takes the transaction and the signed documents of one batch.
    """
    from oathward.core.db import write

    for some in progress(list(batches(drafts)), what, len(drafts)):
        signed = sign(site, some, person)
        with write(site.engine) as db:
            store(db, signed)


def batches(drafts: Sequence[Document]) -> Iterator[Sequence[Document]]:
    """Cut into what is signed and stored together."""
    for start in range(0, len(drafts), SIGN_MAX):
        yield drafts[start : start + SIGN_MAX]


def progress(groups: list[Sequence[Document]], what: str, total: int) -> Iterator[Sequence[Document]]:
    """Show how far it is, on stderr, if somebody watches and there is more than one batch."""
    if len(groups) < 2 or not sys.stderr.isatty():
        yield from groups
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        for group in groups:
            yield group
            bar.advance(task, len(group))


def hasher_of(settings: Settings) -> Hasher:
    """Give what turns identifiers into their keyed hashes: the working key comes from the keeper.

    Raises:
        KeeperError: this caller may not ask as a gateway.
    """
    from oathward.core.authorities import Authorities
    from oathward.patients.identifiers import Hasher
    from oathward.vault.keeper import client

    authorities = Authorities(settings.patients.authorities)
    with client.connect(settings, "gateway") as keeper:
        return Hasher(keeper.hello().index_key, settings.site.name, authorities)


def identifiers_in(path: str, hasher: Hasher) -> list[Any]:
    """Read identifiers, one a line.

    Raises:
        InputError: names the line; never what stands in it.
    """
    from oathward.patients.identifiers import from_cx

    found = []
    for number, line in enumerate(read_bytes(path).decode("utf-8", "replace").splitlines(), 1):
        if line.strip():
            one = from_cx(line, hasher)
            if one is None:
                raise InputError(f"line {number}", "an identifier with its authority, as in 12345^^^HOSP^MR")
            found.append(one)
    if not found:
        raise InputError("--identifier-file", "holds no identifier")
    return found
