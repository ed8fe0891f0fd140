"""Break the glass: what consents and labels withhold of one patient opens to one person for some minutes, seen and reviewed.

| operation | action | for |
|---|---|---|
| ``breakglass_begin`` | ``breakglass.begin`` | who cares for the patient and has just proved who they are |
| ``breakglass_end``, ``breakglass_mine`` | their own | whoever broke it |
| ``breakglass_list`` | ``breakglass.see`` | what was broken, and whether somebody looked at it |
| ``breakglass_one``, ``breakglass_review`` | ``breakglass.review`` | another person, with the words that were said |

Rules:
- Caring for the patient is needed here: without it there is nobody, whether or not somebody is. Whom nobody said they care
  for, a clinician reaches another way (``reaching``).
- One at a time for a person and a patient: one that stands is not extended; the same request again begins nothing.
- Nobody is asked beforehand, and no limit of openings stops it; more than ``often_per_day`` in a day are a finding at once.
- Whoever may see the patient's portal is told by letter that there is news, each time (``portal/telling``).
- Words are in no record.
- The review is another person's: persons are compared, never accounts.

Deliberately absent: how long one stands and what it opens (``glasses``), what is withheld (``withheld``), what it looks like (the console).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oathward.core.db import read
from oathward.core.errors import KeeperError
from oathward.core.labels import Purpose
from oathward.core.reasons import Reason
from oathward.policy.access import Thing
from oathward.policy.glass import OUTCOMES
from oathward.vault import care
from oathward.vault.care_rows import Stamps
from oathward.vault.keeper import allowing, asking, glasses, keyring, roles
from oathward.vault.keeper.glasses import FIELDS, WORDS_MAX, Glass
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.operations import shapes
from oathward.vault.keeper.operations.operation import ID, WORD, Operation
from oathward.vault.keeper.portal import telling
from oathward.vault.keeper.proof import Caller
from oathward.vault.keeper.sign_in import visiting
from oathward.vault.keeper.sign_in.sessions import Session

LISTED_MAX = 200


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
    wanted = glasses.Wanted(code, words, minutes, once)
    glasses.check(keeper, wanted)
    assert relation is not None
    broken = glasses.break_(keeper, caller, session, subject, wanted, {"care": relation.basis})
    return glasses.shown(keeper, broken)


def end(keeper: Keeper, caller: Caller, id: str, proof: Mapping[str, str]) -> None:  # noqa: A002  the argument's name on the wire
    """End one's own before its time; again changes nothing.

    Raises:
        KeeperError: ``NOT_FOUND``: it is none of this person's.
    """
    session = visiting.session_of(keeper, caller, proof)
    found = glasses.find(keeper, id)
    if found is None or not session.own or found.person != session.own:
        raise glasses.absent()
    glasses.finish(keeper, found, "hand")


def mine(keeper: Keeper, caller: Caller, proof: Mapping[str, str]) -> list[dict[str, Any]]:
    """List what this session broke and still stands, for the banner."""
    session = visiting.session_of(keeper, caller, proof, used=False)
    rows = keeper.store.rows(f"SELECT {FIELDS} FROM glass WHERE session = ? AND ended_us = 0", session.id)  # noqa: S608  our own words
    return [
        glasses.shown(keeper, one) for one in (Glass(*row) for row in rows) if not glasses.over(keeper, one)
    ]


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
        f"SELECT {FIELDS} FROM glass WHERE {where} ORDER BY id DESC LIMIT {LISTED_MAX}"  # noqa: S608  our own words
    )
    return [glasses.shown(keeper, Glass(*row)) for row in rows]


def one(keeper: Keeper, caller: Caller, id: str, proof: Mapping[str, str]) -> dict[str, Any]:  # noqa: A002  the argument's name on the wire
    """Show one to whoever reviews it, with the words that were said; recorded.

    Raises:
        KeeperError: as ``roles.permit``; ``NOT_FOUND``.
    """
    session, found = _reviewing(keeper, caller, id, proof)
    sealed = keeper.store.one("SELECT words FROM glass WHERE id = ?", id)
    words = glasses.open_words(keeper, found, sealed[0] if sealed else b"")
    keeper.note(
        "breakglass.looked", {"by": session.own, "id": id, "session": session.id}, subject=found.subject
    )
    return glasses.shown(keeper, found) | {"words": words}


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
        found = glasses.get(keeper, id)
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


def _reviewing(keeper: Keeper, caller: Caller, id_: str, proof: Mapping[str, str]) -> tuple[Session, Glass]:
    session = allowing.acting(keeper, caller, proof)
    found = glasses.find(keeper, id_)
    thing = Thing("patient", found.subject if found else id_, owner=found.person if found else "")
    roles.permit(keeper, session, "breakglass.review", thing)
    if found is None:
        raise glasses.absent()
    if not session.own or session.own == found.person:
        raise KeeperError("glass", "is reviewed by another person", reason=Reason.ACCESS_OWN)
    return session, found


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
