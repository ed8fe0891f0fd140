"""Words that people write about one patient's affair elsewhere: sealed under that patient's key, and opened again on record.

| kind | of | action |
|---|---|---|
| ``access`` | the review of an opening; id: index of its record | ``accesses.review`` |

Rules:
- Who may write the words may read them, and nobody else; each reading is a record ``words.opened``.
- What is sealed is bound to site, kind, id and patient: moved elsewhere it opens as nothing.
- Nothing is kept here: whoever asked keeps the sealed bytes. They are gone with the patient's key.

Deliberately absent: what the words are about (the context that keeps them), and words in any record.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from oathward.core.errors import KeeperError
from oathward.core.reasons import Reason
from oathward.policy.access import Thing
from oathward.policy.actions import ACTIONS
from oathward.vault.keeper import asking, subjects
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.operations import plain, shapes
from oathward.vault.keeper.operations.operation import ID, WORD, Operation
from oathward.vault.keeper.proof import Caller, Person
from oathward.vault.primitives import NONCE_BYTES, bind, decrypt

WORDS_MAX = 500
SEALED_BYTES_MAX = 4 * WORDS_MAX + 64

ACTION: Mapping[str, str] = {"access": "accesses.review"}
"""Kind -> what somebody does who writes or reads such words."""


def seal(
    keeper: Keeper,
    caller: Caller,
    *,
    kind: str,
    id: str,  # noqa: A002  the argument's name on the wire
    subject: str,
    words: str,
    proof: Mapping[str, str],
) -> str:
    """Seal words about a patient; gives what the caller keeps, as base64.

    Raises:
        KeeperError: as ``asking.person``; ``INPUT_INVALID``: no such kind, or no words; ``KEY_DESTROYED``.
    """
    _permitted(keeper, caller, kind, id, proof)
    if not words.strip():
        raise KeeperError("words", "say it in words", reason=Reason.INPUT_INVALID)
    key, nonce = subjects.own_key(keeper.store, keeper.site, subject), os.urandom(NONCE_BYTES)
    return plain.b64(nonce + AESGCM(key).encrypt(nonce, words.encode(), _context(keeper, kind, id, subject)))


def open_words(
    keeper: Keeper,
    caller: Caller,
    *,
    kind: str,
    id: str,  # noqa: A002  the argument's name on the wire
    subject: str,
    sealed: bytes,
    proof: Mapping[str, str],
) -> str | None:
    """Open words; None where the patient's keys were destroyed.

    Raises:
        KeeperError: as ``asking.person``. VaultError: they are not of this kind, id and patient.
    """
    who = _permitted(keeper, caller, kind, id, proof)
    if subjects.is_erased(keeper.store, keeper.site, subject):
        return None
    key = AESGCM(subjects.own_key(keeper.store, keeper.site, subject))
    context = _context(keeper, kind, id, subject)
    words = decrypt(key, sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context, "words").decode()
    keeper.note("words.opened", {"by": who.name, "id": id, "kind": kind}, subject=subject)
    return words


def _permitted(keeper: Keeper, caller: Caller, kind: str, id_: str, proof: Mapping[str, str]) -> Person:
    action = ACTION.get(kind)
    if action is None:
        raise KeeperError("kind", f"must be one of {', '.join(ACTION)}", reason=Reason.INPUT_INVALID)
    return asking.person(keeper, caller, proof, action, Thing(ACTIONS[action].thing, id_))


def _context(keeper: Keeper, kind: str, id_: str, subject: str) -> bytes:
    return bind("oathward words 1", keeper.site, kind, id_, subject)


TABLE: Mapping[str, Operation] = {
    "words_seal": Operation(
        seal,
        shapes.table(kind=WORD, id=ID, subject=ID, words=shapes.anything(WORDS_MAX), proof=shapes.proof),
    ),
    "words_open": Operation(
        open_words,
        shapes.table(kind=WORD, id=ID, subject=ID, sealed=shapes.raw(SEALED_BYTES_MAX), proof=shapes.proof),
    ),
}
"""Of the app's socket, and of the command line's."""
