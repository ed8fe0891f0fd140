"""The glasses that were broken, as rows of the keeper's own store: which stand, what each opens, how they end.

Rules:
- One ends by hand, by time (whichever clock comes first: the wall's or the one that only goes forward), and with the session
  that broke it; a keeper that starts finds none standing. It is looked at with each opening, and each second.
- It opens what is of the subject it was broken for, and of whom joins and merges that a person confirmed make one with it.
- Where nobody said that the person cares for the patient (``reaching``), it stands for that too, while it lasts.
- Words are sealed under the patient's key, and gone with it.

Deliberately absent: who may break one and why (``breaking``, ``reaching``), reviews.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from oathward.core.errors import KeeperError, OathwardError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.ledger import Record
from oathward.policy.glass import REASONS
from oathward.vault.care import Relation
from oathward.vault.keeper import roles, subjects
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.portal import telling
from oathward.vault.keeper.proof import Caller
from oathward.vault.keeper.sign_in import visiting
from oathward.vault.keeper.sign_in.sessions import Session
from oathward.vault.primitives import NONCE_BYTES, bind, decrypt

BASIS = "break-glass"
"""Why something opened, in records, where no ordinary reason stands."""

WORDS_MAX = 500
DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
FIELDS = (
    "id, person, subject, code, purpose, session, begun_us, until_us, ended_us, why, openings, often, outcome, by, "
    "reviewed_us, said"
)


@dataclass(frozen=True, slots=True)
class Glass:
    """One glass that was broken.

    Args:
        code: of ``policy.glass.REASONS``. why: it ended: ``time``, ``hand``, ``session``. openings: so many since.
        often: it was one too many of its day. outcome: of the review; empty until then. said: the reviewer's words.
    """

    id: str
    person: str
    subject: str
    code: str
    purpose: str
    session: str
    begun_us: int
    until_us: int
    ended_us: int
    why: str
    openings: int
    often: int
    outcome: str
    by: str
    reviewed_us: int
    said: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asks for who breaks one. ``once``: names the request; the same again begins nothing."""

    code: str
    words: str
    minutes: int
    once: str


def check(keeper: Keeper, wanted: Wanted) -> None:
    """See that a reason was given, in words too, and for how long.

    Raises:
        KeeperError: ``INPUT_INVALID``, ``LIMIT_EXCEEDED``.
    """
    if wanted.code not in REASONS:
        raise KeeperError("code", f"must be one of {', '.join(REASONS)}", reason=Reason.INPUT_INVALID)
    if not wanted.words.strip():
        raise KeeperError("words", "say why in words too", reason=Reason.INPUT_INVALID)
    most = keeper.settings.breakglass.minutes_max
    if wanted.minutes > most:
        raise KeeperError("minutes", f"at most {most}", reason=Reason.LIMIT_EXCEEDED)


def break_(
    keeper: Keeper, caller: Caller, session: Session, subject: str, wanted: Wanted, more: dict[str, Any]
) -> Glass:
    """Break one for a subject: recorded, kept, and told to who may see the patient's portal.

    Args:
        more: what the record says besides: ``care``, the relation that holds; ``reached``, where none does.

    Raises:
        KeeperError: ``CONFLICT``: one stands already, or it was asked before; ``KEY_DESTROYED``.
    """
    person, now_us = session.own, keeper.now_us()
    with keeper.store.guard:  # nobody begins two at once
        tick(keeper)
        twice = keeper.store.one("SELECT 1 FROM glass WHERE once = ?", wanted.once)
        if twice or broken(keeper, person, subject):
            why = "was asked for before" if twice else "is broken already; end that first"
            raise KeeperError("glass", why, reason=Reason.CONFLICT)
        of_day = keeper.store.one(
            "SELECT COUNT(*) FROM glass WHERE person = ? AND begun_us > ?", person, now_us - DAY_US
        )
        count = (of_day[0] if of_day else 0) + 1
        often = count > keeper.settings.breakglass.often_per_day
        id_, purpose = uuid7(now_us // 1_000), REASONS[wanted.code].purpose
        sealed = _seal(keeper, subject, id_, wanted.words)
        body = {"code": wanted.code, "id": id_, "minutes": wanted.minutes, "person": person}
        body |= {"process": f"{caller.role} uid {caller.uid}", "purpose": purpose.value}
        records = [Record("breakglass.begun", body | {"session": session.id} | more, now_us, subject)]
        if often:
            records.append(Record("breakglass.often", {"count": count, "id": id_, "person": person}, now_us))
        keeper.record(records)
        until_us = now_us + wanted.minutes * 60_000_000
        with keeper.store.transaction():
            keeper.store.rows(
                "INSERT INTO glass VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, '', 0, ?, ?, '', '', 0, '')",
                *(
                    id_,
                    wanted.once,
                    person,
                    subject,
                    wanted.code,
                    purpose.value,
                    session.id,
                    now_us,
                    until_us,
                ),
                *(int(often), sealed),
            )
            if more.get("reached"):
                keeper.store.rows("INSERT INTO glass_reach VALUES (?)", id_)
            telling.tell(keeper, subject, "glass", every=True)
        keeper.glasses[id_] = keeper.monotonic() + wanted.minutes * 60
    return get(keeper, id_)


def broken(keeper: Keeper, person: str, subject: str) -> Glass | None:
    """Give the glass of a person for a patient that has not ended."""
    row = keeper.store.one(
        f"SELECT {FIELDS} FROM glass WHERE person = ? AND subject = ? AND ended_us = 0",  # noqa: S608  our own words
        *(person, subject),
    )
    return Glass(*row) if row else None


def opens(keeper: Keeper, glass: Glass) -> frozenset[str]:
    """Give the subjects that a glass is for: its own alone where it cannot be read who is one with it."""
    try:
        return (
            keeper.register.confirmed(keeper, glass.subject)
            if keeper.register
            else frozenset((glass.subject,))
        )
    except OathwardError:
        return frozenset((glass.subject,))


def reached(keeper: Keeper, session: Session, subject: str) -> Relation | None:
    """Give what stands in for a care relationship while a glass stands by which a patient was reached."""
    sql = f"SELECT {FIELDS} FROM glass JOIN glass_reach USING (id) WHERE session = ? AND ended_us = 0"  # noqa: S608  our own words
    for glass in (Glass(*row) for row in keeper.store.rows(sql, session.id)):
        if glass.person == session.own and not over(keeper, glass) and subject in opens(keeper, glass):
            return Relation("emergency", "", glass.begun_us, glass.until_us)
    return None


def standing(keeper: Keeper, session: Session, together: Collection[str]) -> Glass | None:
    """Give the glass that this session broke for one of a patient's subjects, if it still stands."""
    rows = keeper.store.rows(f"SELECT {FIELDS} FROM glass WHERE session = ? AND ended_us = 0", session.id)  # noqa: S608  our own words
    for one in (Glass(*row) for row in rows):
        if one.subject in together and one.person == session.own:
            why = over(keeper, one)
            if not why:
                return one
            finish(keeper, one, why)
    return None


def opened(keeper: Keeper, session: Session, together: Collection[str]) -> frozenset[str]:
    """Give what the glass opens that stands for one of a patient's subjects; nothing where none does."""
    glass = standing(keeper, session, together)
    return opens(keeper, glass) if glass is not None else frozenset()


def used(keeper: Keeper, glass: Glass | None) -> None:
    """Count one opening by a glass."""
    if glass is not None:
        keeper.store.rows("UPDATE glass SET openings = openings + 1 WHERE id = ?", glass.id)


def tick(keeper: Keeper) -> None:
    """End what is over; each is a record."""
    rows = keeper.store.rows(f"SELECT {FIELDS} FROM glass WHERE ended_us = 0")  # noqa: S608  our own words
    for one in (Glass(*row) for row in rows):
        why = over(keeper, one)
        if why:
            finish(keeper, one, why)


def counts(keeper: Keeper) -> dict[str, int]:
    """Count what waits for a review, what waits too long, and what was one too many of its day and nobody reviewed."""
    late_us = keeper.now_us() - int(keeper.settings.breakglass.review_hours * HOUR_US)
    found = keeper.store.one(
        "SELECT COUNT(*), COUNT(*) FILTER (WHERE begun_us < ?), COUNT(*) FILTER (WHERE often = 1) FROM glass"
        " WHERE outcome = ''",
        late_us,
    ) or (0, 0, 0)
    return dict(zip(("waiting", "overdue", "often"), found, strict=True))


def over(keeper: Keeper, glass: Glass) -> str:
    """Say why a glass stands no longer; empty while it does."""
    if keeper.now_us() >= glass.until_us or keeper.monotonic() >= keeper.glasses.get(glass.id, 0.0):
        return "time"
    return "" if visiting.find(keeper, glass.session) is not None else "session"


def finish(keeper: Keeper, glass: Glass, why: str) -> None:
    """End one, on record; again changes nothing."""
    with keeper.store.guard:
        now = get(keeper, glass.id)
        if now.ended_us:
            return
        body = {"code": now.code, "id": now.id, "openings": now.openings, "person": now.person, "why": why}
        keeper.note("breakglass.ended", body, subject=now.subject)
        keeper.store.rows(
            "UPDATE glass SET ended_us = ?, why = ? WHERE id = ?", max(keeper.now_us(), 1), why, now.id
        )
        keeper.glasses.pop(now.id, None)


def find(keeper: Keeper, id_: str) -> Glass | None:
    """Read one; None where there is none of this id."""
    row = keeper.store.one(f"SELECT {FIELDS} FROM glass WHERE id = ?", id_)  # noqa: S608  our own words
    return Glass(*row) if row else None


def get(keeper: Keeper, id_: str) -> Glass:
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
    return KeeperError("glass", "there is none of this id", reason=Reason.NOT_FOUND)


def shown(keeper: Keeper, glass: Glass) -> dict[str, Any]:
    """Give one as callers have it."""
    named = roles.person_of(keeper, glass.person)
    reviewer = roles.person_of(keeper, glass.by) if glass.by else None
    left_s = max(0.0, keeper.glasses.get(glass.id, 0.0) - keeper.monotonic()) if not glass.ended_us else 0.0
    return asdict(glass) | {
        "due_us": glass.begun_us + int(keeper.settings.breakglass.review_hours * HOUR_US),
        "left_s": int(left_s),
        "name": named.name if named else "",
        "often": bool(glass.often),
        "reached": bool(keeper.store.one("SELECT 1 FROM glass_reach WHERE id = ?", glass.id)),
        "reviewer": reviewer.name if reviewer else "",
    }


def _seal(keeper: Keeper, subject: str, id_: str, words: str) -> bytes:
    key, nonce = subjects.own_key(keeper.store, keeper.site, subject), os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, words.encode(), _context(keeper, subject, id_))


def open_words(keeper: Keeper, glass: Glass, sealed: bytes) -> str | None:
    """Open the words; None where the patient's keys were destroyed."""
    if subjects.is_erased(keeper.store, keeper.site, glass.subject):
        return None
    key = AESGCM(subjects.own_key(keeper.store, keeper.site, glass.subject))
    context = _context(keeper, glass.subject, glass.id)
    return decrypt(key, sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context, "glass words").decode()


def _context(keeper: Keeper, subject: str, id_: str) -> bytes:
    return bind("oathward glass 1", keeper.site, subject, id_)
