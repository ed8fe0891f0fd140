"""Requests to find out whose a pseudonym is, as rows of the keeper's own store: what each says, how it ends.

| state | means | goes on to |
|---|---|---|
| ``waiting`` | a second person is asked | approved, refused, withdrawn, lapsed |
| ``approved`` | who asked may look, once | shown, withdrawn, lapsed |
| ``shown``, ``refused``, ``withdrawn``, ``lapsed`` | it has ended | |

Rules:
- What was agreed to is signed, with the pseudonym's digest, the project and both people in it: a row that somebody changed
  shows nothing.
- Pseudonym and words are sealed, and gone once it has ended. Where a patient was found the words stay, under the patient's own
  key, and go with it.
- A pseudonym stands in no record, where it would lie beside the subject that it names: records have a digest of it, under a
  key that never leaves the keeper. By it the same pseudonym asked for again can be told, and none can be found.

Deliberately absent: who may (``reidentifying``), whose it is (``pseudonyms``).
"""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass
from typing import Any

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from oathward.core.errors import AuthorityError, KeeperError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.vault.authority import Document, signing_input, verify
from oathward.vault.keeper import keyring, roles, subjects
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.primitives import NONCE_BYTES, bind, decrypt

DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
FIELDS = "id, project, code, digest, person, at_us, until_us, state, by, decided_us, said, signature, ended_us, subject"
OPEN = "state IN ('waiting', 'approved')"
_KIND = "reidentify"
_SECRET = "reidentify-digest"  # noqa: S105  its name


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Args:
        code: of ``policy.reidentify.REASONS``. digest: of project and pseudonym. until_us: it ends by itself.
        by, said: the second person, and their words. subject: who was found; empty for nobody.
    """

    id: str
    project: str
    code: str
    digest: str
    person: str
    at_us: int
    until_us: int
    state: str
    by: str
    decided_us: int
    said: str
    signature: bytes
    ended_us: int
    subject: str


@dataclass(frozen=True, slots=True)
class Told:
    """What was said of one that has not ended."""

    pseudonym: str
    words: str


def digest_of(keeper: Keeper, project: str, pseudonym: str) -> str:
    """Name a pseudonym of a project in records."""
    said = bind("oathward reidentify 1", keeper.site, project, pseudonym)
    return hmac.digest(keyring.secret(keeper.store, _SECRET), said, "sha256").hex()[:32]


def put(keeper: Keeper, person: str, project: str, code: str, told: Told) -> Request:
    """Keep a new request; the caller records it first, inside the same transaction.

    Raises:
        KeeperError: ``LIMIT_EXCEEDED``: too many of this person are open.
    """
    store, limits, now_us = keeper.store, keeper.settings.reidentify, keeper.now_us()
    (count,) = store.one(f"SELECT COUNT(*) FROM reidentify WHERE {OPEN} AND person = ?", person) or (0,)  # noqa: S608  our own words
    if count >= limits.open_max:
        why = f"{limits.open_max} of yours are open: wait for them, or withdraw one"
        raise KeeperError("requests", why, reason=Reason.LIMIT_EXCEEDED)
    id_ = uuid7(now_us // 1_000)
    digest = digest_of(keeper, project, told.pseudonym)
    until_us = now_us + limits.waiting_days * DAY_US
    store.rows(
        "INSERT INTO reidentify VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting', '', 0, '', x'', 0, '', x'')",
        *(id_, project, code, digest, person, now_us, until_us),
    )
    value = orjson.dumps([told.pseudonym, told.words])
    store.rows(
        "INSERT INTO reidentify_told VALUES (?, ?)", id_, store.wrap("reidentify_told", "value", id_, value)
    )
    return get(keeper, id_)


def find(keeper: Keeper, id_: str) -> Request | None:
    """Read one; None where there is none of this id."""
    row = keeper.store.one(f"SELECT {FIELDS} FROM reidentify WHERE id = ?", id_)  # noqa: S608  our own words
    return Request(*row) if row else None


def get(keeper: Keeper, id_: str) -> Request:
    """Read one.

    Raises:
        KeeperError: ``NOT_FOUND``.
    """
    found = find(keeper, id_)
    if found is None:
        raise absent()
    return found


def absent() -> KeeperError:
    """Make the one answer where there is none."""
    return KeeperError("request", "there is none of this id", reason=Reason.NOT_FOUND)


def listed(keeper: Keeper, *, open_only: bool, limit: int) -> list[Request]:
    """List them, the newest first."""
    where = OPEN if open_only else "1 = 1"
    sql = f"SELECT {FIELDS} FROM reidentify WHERE {where} ORDER BY id DESC LIMIT ?"  # noqa: S608  our own words
    return [Request(*row) for row in keeper.store.rows(sql, limit)]


def told(keeper: Keeper, request: Request) -> Told:
    """Open what was said of one that has not ended.

    Raises:
        VaultError: it was changed. KeeperError: it has ended.
    """
    row = keeper.store.one("SELECT value FROM reidentify_told WHERE id = ?", request.id)
    if row is None:
        raise KeeperError("request", "has ended", reason=Reason.CONFLICT)
    return Told(*orjson.loads(keeper.store.unwrap("reidentify_told", "value", request.id, row[0])))


def look(keeper: Keeper, request: Request, by: str) -> None:
    """Keep that a person was shown the pseudonym; the caller records it, inside the same transaction."""
    keeper.store.rows("INSERT OR IGNORE INTO reidentify_looked VALUES (?, ?)", request.id, by)


def check_looked(keeper: Keeper, request: Request, by: str) -> None:
    """See that who agrees was shown what they agree to.

    Raises:
        KeeperError: ``REIDENTIFY_UNSEEN``.
    """
    sql = "SELECT 1 FROM reidentify_looked WHERE id = ? AND person = ?"
    if keeper.store.one(sql, request.id, by) is None:
        why = f"you have not looked at it: oathward reidentify look {request.id}"
        raise KeeperError("request", why, reason=Reason.REIDENTIFY_UNSEEN)


def approve(keeper: Keeper, request: Request, by: str, said: str) -> None:
    """Sign that a second person agreed to this request, and give who asked their time to look."""
    now_us = keeper.now_us()
    until_us = now_us + keeper.settings.reidentify.show_hours * HOUR_US
    document = _agreed(keeper, request, by, now_us, until_us)
    keeper.store.rows(
        "UPDATE reidentify SET state = 'approved', by = ?, decided_us = ?, said = ?, until_us = ?, signature = ?"
        " WHERE id = ? AND state = 'waiting'",
        *(by, now_us, said, until_us, keeper.authority.sign(signing_input(document)), request.id),
    )


def check_agreed(keeper: Keeper, request: Request) -> None:
    """See that this very request was agreed to, by whom its row says.

    Raises:
        AuthorityError: ``SIGNATURE_INVALID``.
    """
    said = told(keeper, request)
    if digest_of(keeper, request.project, said.pseudonym) != request.digest:
        why = "is not of the pseudonym that was agreed to"
        raise AuthorityError(f"{_KIND}/{request.id}", why)
    verify(_agreed(keeper, request, request.by, request.decided_us, request.until_us), keeper.authority)


def end(keeper: Keeper, request: Request, state: str, *, by: str = "", said: str = "") -> None:
    """End one; its pseudonym and words are gone.

    Args:
        by, said: the second person, who refused it.
    """
    now_us = keeper.now_us()
    for table in ("reidentify_told", "reidentify_looked"):
        keeper.store.rows(f"DELETE FROM {table} WHERE id = ?", request.id)  # noqa: S608  our own words
    keeper.store.rows("UPDATE reidentify SET state = ?, ended_us = ? WHERE id = ?", state, now_us, request.id)
    if by:
        keeper.store.rows(
            "UPDATE reidentify SET by = ?, decided_us = ?, said = ? WHERE id = ?",
            by,
            now_us,
            said,
            request.id,
        )


def keep_words(keeper: Keeper, request: Request, subject: str, words: str) -> None:
    """Keep who was found, and the words under that patient's own key."""
    key, nonce = subjects.own_key(keeper.store, keeper.site, subject), os.urandom(NONCE_BYTES)
    sealed = nonce + AESGCM(key).encrypt(nonce, words.encode(), _context(keeper, subject, request.id))
    keeper.store.rows(
        "UPDATE reidentify SET subject = ?, words = ? WHERE id = ?", subject, sealed, request.id
    )


def words_of(keeper: Keeper, request: Request) -> str | None:
    """Give the words that were said; None where they are gone."""
    if request.state in {"waiting", "approved"}:
        return told(keeper, request).words
    if not request.subject or subjects.is_erased(keeper.store, keeper.site, request.subject):
        return None
    (sealed,) = keeper.store.one("SELECT words FROM reidentify WHERE id = ?", request.id) or (b"",)
    key = AESGCM(subjects.own_key(keeper.store, keeper.site, request.subject))
    context = _context(keeper, request.subject, request.id)
    return decrypt(key, sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context, "request's words").decode()


def tick(keeper: Keeper) -> None:
    """End what is over; each is a record."""
    sql = f"SELECT {FIELDS} FROM reidentify WHERE {OPEN} AND until_us <= ?"  # noqa: S608  our own words
    for one in [Request(*row) for row in keeper.store.rows(sql, keeper.now_us())]:
        with keeper.store.guard, keeper.store.transaction():
            if get(keeper, one.id).state == one.state:
                keeper.note("reidentify.lapsed", {"id": one.id, "person": one.person, "was": one.state})
                end(keeper, one, "lapsed")


def shown(keeper: Keeper, request: Request) -> dict[str, Any]:
    """Give one as callers have it: neither whom it is of, nor by which name."""
    named = [roles.person_of(keeper, id_) if id_ else None for id_ in (request.person, request.by)]
    names = [one.name if one is not None else "" for one in named]
    plain = ("id", "project", "code", "person", "at_us", "until_us", "state", "by", "decided_us", "said")
    found = {name: getattr(request, name) for name in (*plain, "ended_us")}
    return found | {"name": names[0], "by_name": names[1]}


def _agreed(keeper: Keeper, request: Request, by: str, at_us: int, until_us: int) -> Document:
    body = {
        "asked_us": request.at_us,
        "by": by,
        "code": request.code,
        "person": request.person,
        "project": request.project,
        "pseudonym": request.digest,
        "until_us": until_us,
    }
    return Document(
        keeper.site,
        _KIND,
        request.id,
        1,
        orjson.dumps(body, option=orjson.OPT_SORT_KEYS),
        request.signature,
        at_us,
    )


def _context(keeper: Keeper, subject: str, id_: str) -> bytes:
    return bind("oathward reidentify words 1", keeper.site, subject, id_)
