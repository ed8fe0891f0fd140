"""Break the glass: what consents and labels withhold of one patient opens to one person for some minutes, seen and reviewed.

| operation | action | for |
|---|---|---|
| ``breakglass_begin`` | ``breakglass.begin`` | who cares for the patient and has just proved who they are |
| ``breakglass_end``, ``breakglass_mine`` | their own | whoever broke it |
| ``breakglass_list`` | ``breakglass.see`` | what was broken, and whether somebody looked at it |
| ``breakglass_one``, ``breakglass_review`` | ``breakglass.review`` | another person, with the words that were said |

Rules:
- Caring for the patient stays needed: without it there is nobody here, whether or not somebody is.
- One at a time for a person and a patient: one that stands is not extended; the same request again begins nothing.
- It ends by hand, by time (whichever clock comes first: the wall's or the one that only goes forward), and with the session
  that began it; a keeper that starts finds none standing. It is looked at with each opening, and each second.
- Nobody is asked beforehand, and no limit of openings stops it; more than ``often_per_day`` in a day are a finding at once.
- Whoever may see the patient's portal is told by letter that there is news, each time (``portal/telling``).
- Words are sealed under the patient's key, and gone with it. They are in no record.
- The review is another person's: persons are compared, never accounts.

Deliberately absent: what is withheld (``withheld``), what it looks like (the console).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from oathward.core.db import read
from oathward.core.errors import KeeperError
from oathward.core.ids import uuid7
from oathward.core.labels import Purpose
from oathward.core.reasons import Reason
from oathward.ledger import Record
from oathward.policy.access import Thing
from oathward.policy.glass import OUTCOMES, REASONS
from oathward.vault import care
from oathward.vault.care_rows import Stamps
from oathward.vault.keeper import allowing, asking, keyring, roles, subjects
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.operations import shapes
from oathward.vault.keeper.operations.operation import ID, WORD, Operation
from oathward.vault.keeper.portal import telling
from oathward.vault.keeper.proof import Caller
from oathward.vault.keeper.sign_in import visiting
from oathward.vault.keeper.sign_in.sessions import Session
from oathward.vault.primitives import NONCE_BYTES, bind, decrypt

BASIS = "break-glass"
"""Why something opened, in records, where no ordinary reason stands."""

WORDS_MAX = 500
LISTED_MAX = 200
DAY_US = 86_400_000_000
_HOUR_US = 3_600_000_000
_FIELDS = (
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


def begin(
    keeper: Keeper,
    caller: Caller,
    *,
    subject: str,
    code: str,
    words: str,
    minutes: int,
    once: str,
    proof: Mapping[str, str],
) -> dict[str, Any]:
    """Break the glass.

    Args:
        once: names this request; the same again begins nothing.

    Raises:
        KeeperError: as ``roles.permit``; ``INPUT_INVALID``: no such reason, or no words; ``LIMIT_EXCEEDED``: too long;
            ``CONFLICT``: one stands already, or it was asked before. KeeperError ``KEY_DESTROYED``.
    """
    session = allowing.acting(keeper, caller, proof)
    person = session.own
    stamps = Stamps(keyring.site_keys(keeper.store, keeper.site)["index"], keeper.site)
    named = roles.person_of(keeper, person) if person else None
    with read(keeper.engine) as db:
        asked = care.Asked.by(keeper.settings.people, stamps)
        now_us = keeper.now_us()
        relation = care.relation(db, keeper.site, named, subject, now_us, asked) if named else None
    thing = Thing("patient", subject)
    roles.permit(
        keeper, session, "breakglass.begin", thing, purpose=Purpose.TREAT, relation=relation is not None
    )
    _check(keeper, code, words, minutes)
    assert relation is not None
    id_ = uuid7(now_us // 1_000)
    purpose, until_us = REASONS[code].purpose, now_us + minutes * 60_000_000
    with keeper.store.guard:  # nobody begins two at once
        tick(keeper)
        twice = keeper.store.one("SELECT 1 FROM glass WHERE once = ?", once)
        stands = keeper.store.one(
            "SELECT 1 FROM glass WHERE person = ? AND subject = ? AND ended_us = 0", person, subject
        )
        if twice or stands:
            why = "was asked for before" if twice else "is broken already; end that first"
            raise KeeperError("glass", why, reason=Reason.CONFLICT)
        of_day = keeper.store.one(
            "SELECT COUNT(*) FROM glass WHERE person = ? AND begun_us > ?", person, now_us - DAY_US
        )
        count = (of_day[0] if of_day else 0) + 1
        often = count > keeper.settings.breakglass.often_per_day
        sealed = _seal(keeper, subject, id_, words)
        body = {"care": relation.basis, "code": code, "id": id_, "minutes": minutes, "person": person}
        body |= {
            "process": f"{caller.role} uid {caller.uid}",
            "purpose": purpose.value,
            "session": session.id,
        }
        records = [Record("breakglass.begun", body, now_us, subject)]
        if often:
            records.append(Record("breakglass.often", {"count": count, "id": id_, "person": person}, now_us))
        keeper.record(records)
        with keeper.store.transaction():
            keeper.store.rows(
                "INSERT INTO glass VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, '', 0, ?, ?, '', '', 0, '')",
                *(id_, once, person, subject, code, purpose.value, session.id, now_us, until_us),
                *(int(often), sealed),
            )
            telling.tell(keeper, subject, "glass", every=True)
        keeper.glasses[id_] = keeper.monotonic() + minutes * 60
    return _shown(keeper, _one(keeper, id_))


def end(keeper: Keeper, caller: Caller, id: str, proof: Mapping[str, str]) -> None:  # noqa: A002  the argument's name on the wire
    """End one's own before its time; again changes nothing.

    Raises:
        KeeperError: ``NOT_FOUND``: it is none of this person's.
    """
    session = visiting.session_of(keeper, caller, proof)
    found = _found(keeper, id)
    if found is None or not session.own or found.person != session.own:
        raise _absent()
    _end(keeper, found, "hand")


def mine(keeper: Keeper, caller: Caller, proof: Mapping[str, str]) -> list[dict[str, Any]]:
    """List what this session broke and still stands, for the banner."""
    session = visiting.session_of(keeper, caller, proof, used=False)
    rows = keeper.store.rows(f"SELECT {_FIELDS} FROM glass WHERE session = ? AND ended_us = 0", session.id)  # noqa: S608  our own words
    return [_shown(keeper, one) for one in (Glass(*row) for row in rows) if not _over(keeper, one)]


def standing(keeper: Keeper, session: Session, together: Collection[str]) -> Glass | None:
    """Give the glass that this session broke for one of a patient's subjects, if it still stands."""
    rows = keeper.store.rows(f"SELECT {_FIELDS} FROM glass WHERE session = ? AND ended_us = 0", session.id)  # noqa: S608  our own words
    for one in (Glass(*row) for row in rows):
        if one.subject in together and one.person == session.own:
            why = _over(keeper, one)
            if not why:
                return one
            _end(keeper, one, why)
    return None


def used(keeper: Keeper, glass: Glass | None) -> None:
    """Count one opening by a glass."""
    if glass is not None:
        keeper.store.rows("UPDATE glass SET openings = openings + 1 WHERE id = ?", glass.id)


def tick(keeper: Keeper) -> None:
    """End what is over; each is a record."""
    rows = keeper.store.rows(f"SELECT {_FIELDS} FROM glass WHERE ended_us = 0")  # noqa: S608  our own words
    for one in (Glass(*row) for row in rows):
        why = _over(keeper, one)
        if why:
            _end(keeper, one, why)


def listed(
    keeper: Keeper,
    caller: Caller,
    waiting: bool,  # noqa: FBT001  by name only, from the wire
    proof: Mapping[str, str],
) -> list[dict[str, Any]]:
    """List what was broken, newest first.

    Args:
        waiting: only what nobody reviewed.
    """
    asking.session(keeper, caller, proof, "breakglass.see", Thing("area"), looking=True)
    where = "outcome = ''" if waiting else "1 = 1"
    rows = keeper.store.rows(
        f"SELECT {_FIELDS} FROM glass WHERE {where} ORDER BY id DESC LIMIT {LISTED_MAX}"  # noqa: S608  our own words
    )
    return [_shown(keeper, Glass(*row)) for row in rows]


def one(keeper: Keeper, caller: Caller, id: str, proof: Mapping[str, str]) -> dict[str, Any]:  # noqa: A002  the argument's name on the wire
    """Show one to whoever reviews it, with the words that were said; recorded.

    Raises:
        KeeperError: as ``roles.permit``; ``NOT_FOUND``.
    """
    session, found = _reviewing(keeper, caller, id, proof)
    sealed = keeper.store.one("SELECT words FROM glass WHERE id = ?", id)
    words = _open(keeper, found, sealed[0] if sealed else b"")
    keeper.note(
        "breakglass.looked", {"by": session.own, "id": id, "session": session.id}, subject=found.subject
    )
    return _shown(keeper, found) | {"words": words}


def review(
    keeper: Keeper,
    caller: Caller,
    id: str,  # noqa: A002  the argument's name on the wire
    outcome: str,
    said: str,
    proof: Mapping[str, str],
) -> None:
    """Say whether it was justified.

    Raises:
        KeeperError: as ``roles.permit``, for one's own above all; ``NOT_FOUND``; ``CONFLICT``: it stands still, or was
            reviewed.
    """
    session, found = _reviewing(keeper, caller, id, proof)
    if outcome not in OUTCOMES:
        raise KeeperError("outcome", f"must be one of {', '.join(OUTCOMES)}", reason=Reason.INPUT_INVALID)
    with keeper.store.guard:
        found = _one(keeper, id)
        if found.outcome or not found.ended_us:
            why = "was reviewed already" if found.outcome else "has not ended yet"
            raise KeeperError("glass", why, reason=Reason.CONFLICT)
        now_us = keeper.now_us()
        body = {"by": session.own, "id": id, "outcome": outcome, "person": found.person, "reason": said}
        keeper.note("breakglass.reviewed", body | {"session": session.id}, subject=found.subject)
        keeper.store.rows(
            "UPDATE glass SET outcome = ?, by = ?, reviewed_us = ?, said = ? WHERE id = ? AND outcome = ''",
            *(outcome, session.own, now_us, said, id),
        )
        telling.tell(keeper, found.subject, "glass-reviewed")


def counts(keeper: Keeper) -> dict[str, int]:
    """Count what waits for a review, what waits too long, and what was one too many of its day and nobody reviewed."""
    late_us = keeper.now_us() - int(keeper.settings.breakglass.review_hours * _HOUR_US)
    found = keeper.store.one(
        "SELECT COUNT(*), COUNT(*) FILTER (WHERE begun_us < ?), COUNT(*) FILTER (WHERE often = 1) FROM glass"
        " WHERE outcome = ''",
        late_us,
    ) or (0, 0, 0)
    return dict(zip(("waiting", "overdue", "often"), found, strict=True))


def _check(keeper: Keeper, code: str, words: str, minutes: int) -> None:
    if code not in REASONS:
        raise KeeperError("code", f"must be one of {', '.join(REASONS)}", reason=Reason.INPUT_INVALID)
    if not words.strip():
        raise KeeperError("words", "say why in words too", reason=Reason.INPUT_INVALID)
    most = keeper.settings.breakglass.minutes_max
    if minutes > most:
        raise KeeperError("minutes", f"at most {most}", reason=Reason.LIMIT_EXCEEDED)


def _reviewing(keeper: Keeper, caller: Caller, id_: str, proof: Mapping[str, str]) -> tuple[Session, Glass]:
    session = allowing.acting(keeper, caller, proof)
    found = _found(keeper, id_)
    thing = Thing("patient", found.subject if found else id_, owner=found.person if found else "")
    roles.permit(keeper, session, "breakglass.review", thing)
    if found is None:
        raise _absent()
    if not session.own or session.own == found.person:
        raise KeeperError("glass", "is reviewed by another person", reason=Reason.ACCESS_OWN)
    return session, found


def _over(keeper: Keeper, glass: Glass) -> str:
    """Say why a glass stands no longer; empty while it does."""
    if keeper.now_us() >= glass.until_us or keeper.monotonic() >= keeper.glasses.get(glass.id, 0.0):
        return "time"
    return "" if visiting.find(keeper, glass.session) is not None else "session"


def _end(keeper: Keeper, glass: Glass, why: str) -> None:
    with keeper.store.guard:
        now = _one(keeper, glass.id)
        if now.ended_us:
            return
        body = {"code": now.code, "id": now.id, "openings": now.openings, "person": now.person, "why": why}
        keeper.note("breakglass.ended", body, subject=now.subject)
        keeper.store.rows(
            "UPDATE glass SET ended_us = ?, why = ? WHERE id = ?", max(keeper.now_us(), 1), why, now.id
        )
        keeper.glasses.pop(now.id, None)


def _found(keeper: Keeper, id_: str) -> Glass | None:
    row = keeper.store.one(f"SELECT {_FIELDS} FROM glass WHERE id = ?", id_)  # noqa: S608  our own words
    return Glass(*row) if row else None


def _one(keeper: Keeper, id_: str) -> Glass:
    found = _found(keeper, id_)
    if found is None:
        raise _absent()
    return found


def _absent() -> KeeperError:
    return KeeperError("glass", "there is none of this id", reason=Reason.NOT_FOUND)


def _shown(keeper: Keeper, glass: Glass) -> dict[str, Any]:
    named = roles.person_of(keeper, glass.person)
    reviewer = roles.person_of(keeper, glass.by) if glass.by else None
    left_s = max(0.0, keeper.glasses.get(glass.id, 0.0) - keeper.monotonic()) if not glass.ended_us else 0.0
    return asdict(glass) | {
        "due_us": glass.begun_us + int(keeper.settings.breakglass.review_hours * _HOUR_US),
        "left_s": int(left_s),
        "name": named.name if named else "",
        "often": bool(glass.often),
        "reviewer": reviewer.name if reviewer else "",
    }


def _seal(keeper: Keeper, subject: str, id_: str, words: str) -> bytes:
    key, nonce = subjects.own_key(keeper.store, keeper.site, subject), os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, words.encode(), _context(keeper, subject, id_))


def _open(keeper: Keeper, glass: Glass, sealed: bytes) -> str | None:
    """Open the words; None where the patient's keys were destroyed."""
    if subjects.is_erased(keeper.store, keeper.site, glass.subject):
        return None
    key = AESGCM(subjects.own_key(keeper.store, keeper.site, glass.subject))
    context = _context(keeper, glass.subject, glass.id)
    return decrypt(key, sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context, "glass words").decode()


def _context(keeper: Keeper, subject: str, id_: str) -> bytes:
    return bind("oathward glass 1", keeper.site, subject, id_)


TABLE: Mapping[str, Operation] = {
    "breakglass_begin": Operation(
        begin,
        shapes.table(
            subject=ID,
            code=WORD,
            words=shapes.anything(WORDS_MAX),
            minutes=shapes.number(1, 1_440),
            once=ID,
            proof=shapes.proof,
        ),
    ),
    "breakglass_end": Operation(end, shapes.table(id=ID, proof=shapes.proof)),
    "breakglass_mine": Operation(mine, shapes.table(proof=shapes.proof)),
    "breakglass_list": Operation(listed, shapes.table(waiting=shapes.flag, proof=shapes.proof)),
    "breakglass_one": Operation(one, shapes.table(id=ID, proof=shapes.proof)),
    "breakglass_review": Operation(
        review, shapes.table(id=ID, outcome=WORD, said=shapes.text(WORDS_MAX), proof=shapes.proof)
    ),
}
"""Of the app's socket, and of the command line's."""
