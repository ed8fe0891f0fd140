"""Verify a site's own ledger: with the keys it pins, and with what its witness holds, if it has one.

For the command line and the console, which say what was found each in its own words.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from oathward.core.db import read
from oathward.core.errors import InputError, LedgerError
from oathward.core.reasons import Reason
from oathward.core.settings import Settings
from oathward.ledger import log, note, witness_client
from oathward.ledger.report import Report
from oathward.ledger.verify import Keys, Progress, verify_database
from oathward.vault.keeper import witnessing
from oathward.vault.sign import Verifier

if TYPE_CHECKING:
    from sqlalchemy import Engine


def verifier(text: str, where: str) -> Verifier:
    """Read a verifier key as C2SP notes write it.

    Raises:
        AuthorityError: it is none.
    """
    name, _, public = note.decode_key(text, where)
    return Verifier(name, public)


def keys_of(settings: Settings) -> Keys:
    """Gather the keys a site trusts: the pinned one of its log, and its witness's.

    Raises:
        InputError: a file that holds one cannot be read.
    """
    pinned = settings.data / "trust" / "ledger.pub"
    logs = [verifier(text_of(pinned), pinned.name)] if pinned.exists() else []
    witnesses = [witnessing.witness_key(settings)] if settings.witness.public_key_file else []
    return Keys(logs, witnesses)


def text_of(path: Path) -> str:
    """Read a small text file.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(path.name, "cannot be read", reason=Reason.NOT_FOUND) from error


def held_by(address: str, origin: str) -> list[str]:
    """Ask a witness, if one is named, for the checkpoint it holds, if any.

    Raises:
        LedgerError: ``WITNESS_UNAVAILABLE``, or what it says is no checkpoint.
    """
    if not address:
        return []
    try:
        return [witness_client.ask_held(address, origin)]
    except LedgerError as error:
        if error.reason is not Reason.NOT_FOUND:
            raise
    return []


def verify_site(
    engine: Engine,
    settings: Settings,
    keys: Keys,
    *,
    address: str,
    must_ask: bool = False,
    held: Sequence[str] = (),
    progress: Progress | None = None,
) -> tuple[Report, str]:
    """Verify everything; gives the report, and why the witness was not asked, if it was not.

    Args:
        address: of the witness; empty asks nobody.
        must_ask: the witness was the question: not reaching it is an error.
        held: checkpoints that somebody else kept.

    Raises:
        LedgerError: the witness cannot be reached, where it must be.
    """
    with read(engine) as db:
        origin = log.origin(db, settings.site.name)
    notes, not_asked = list(held), ""
    try:
        notes += held_by(address, origin)
    except LedgerError as error:
        if must_ask or error.reason is not Reason.WITNESS_UNAVAILABLE:
            raise
        not_asked = f"{error.reason.code}: {address} {error.why}"
    return verify_database(engine, settings.site.name, keys, held=notes, progress=progress), not_asked
