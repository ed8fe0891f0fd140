"""Reach a patient in an emergency of whom nobody said that one cares for them: by number, for minutes, seen and reviewed.

| operation | action | for |
|---|---|---|
| ``breakglass_reach`` | ``breakglass.reach`` | a clinician who has just proved who they are |

Steps: 1 whose session it is · 2 the policy, with a proof of this moment · 3 an emergency's reason, words, minutes · 4 not too
many numbers of nobody in this hour · 5 who has that number · 6 the try is on record, either way · 7 the answer.

Rules:
- Whether somebody is here by a number is told, and only after all of this: a person may be dying.
- A record names the number by a digest under a key that never leaves the keeper: the same number tried again can be told,
  and none can be found by it.
- Who was reached opens like somebody cared for while the glass stands. It is reviewed like any other, and the patient told.
- Numbers of nobody count, and nothing else does: ``misses_per_hour`` of one person, and they reach nobody until an hour has
  gone by since the first of them; then it is a finding. A number that is somebody's never stops anyone.
- What was said in words about nobody is kept nowhere.

Deliberately absent: a search by anything but a whole number with who gave it.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

from oathward.core.authorities import Authorities
from oathward.core.db import read
from oathward.core.errors import KeeperError
from oathward.core.identifying import of_patient
from oathward.core.labels import Purpose
from oathward.core.reasons import Reason
from oathward.ledger import Record
from oathward.policy.access import Thing
from oathward.policy.glass import REASONS
from oathward.vault import care, care_rows
from oathward.vault.care_rows import Stamps
from oathward.vault.keeper import allowing, glasses, keyring, roles, subjects
from oathward.vault.keeper.glasses import HOUR_US, WORDS_MAX, Glass, Wanted
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.operations import shapes
from oathward.vault.keeper.operations.operation import ID, WORD, Operation
from oathward.vault.keeper.proof import Caller
from oathward.vault.keeper.sign_in.sessions import Session
from oathward.vault.primitives import bind

_SECRET = "reach-digest"  # noqa: S105  its name


def reach(
    keeper: Keeper,
    caller: Caller,
    *,
    number: Mapping[str, str],
    reason: Mapping[str, Any],
    once: str,
    proof: Mapping[str, str],
) -> dict[str, Any] | None:
    """Break the glass for the patient of a number; None where nobody is here by it.

    Args:
        number: ``value``, ``authority`` who gave it, ``type``. reason: ``code``, ``words``, ``minutes``.

    Raises:
        KeeperError: as ``roles.permit``; ``INPUT_INVALID``: no reason of an emergency; ``RATE_OF_OPENING``: too many numbers
            of nobody; ``CONFLICT``: it was asked before.
    """
    session = allowing.acting(keeper, caller, proof)
    roles.permit(keeper, session, "breakglass.reach", Thing("patient"), purpose=Purpose.ETREAT)
    if not session.own:
        raise KeeperError("session", "is nobody's own", reason=Reason.NOT_PERMITTED)
    wanted = Wanted(reason["code"], reason["words"], reason["minutes"], once)
    glasses.check(keeper, wanted)
    if REASONS[wanted.code].purpose != Purpose.ETREAT:
        raise KeeperError("code", "is none of an emergency", reason=Reason.INPUT_INVALID)
    with keeper.store.guard:  # tries are counted one after the other
        _check_misses(keeper, session)
        tried = _digest(keeper, number)
        subject, basis = _found(keeper, session, number)
        if not subject:
            _miss(keeper, caller, session, wanted, tried)
            return None
        glasses.tick(keeper)
        stands = glasses.broken(keeper, session.own, subject)
        if stands is not None and _serves(keeper, session, stands, subject, basis):
            return glasses.shown(keeper, stands)
        if stands is not None:  # of another session, or for what is withheld alone: this one takes its place
            glasses.finish(keeper, stands, "reached")
        more = {"care": basis, "reached": not basis, "tried": tried}
        return glasses.shown(keeper, glasses.break_(keeper, caller, session, subject, wanted, more))


def _serves(keeper: Keeper, session: Session, stands: Glass, subject: str, basis: str) -> bool:
    """Whether a glass that stands is good for what is asked: of this session, and where nobody said they care, for that too."""
    if stands.session != session.id:
        return False
    return bool(basis) or glasses.reached(keeper, session, subject) is not None


def _found(keeper: Keeper, session: Session, number: Mapping[str, str]) -> tuple[str, str]:
    """Find whose number it is, and by which relation this person cares for them already."""
    index_key = keyring.site_keys(keeper.store, keeper.site)["index"]
    authorities = Authorities(keeper.settings.patients.authorities)
    named = authorities.written(number["authority"])
    hashes = [
        of_patient(index_key, keeper.site, one, number["type"].upper(), number["value"])
        for one in (named, *authorities.others(named))
    ]
    stamps = Stamps(index_key, keeper.site)
    person = roles.person_of(keeper, session.own)
    with read(keeper.engine) as db:
        subject = care_rows.named(db, keeper.site, hashes, stamps)
        if not subject or subjects.is_erased(keeper.store, keeper.site, subject):
            return "", ""
        asked = care.Asked.by(keeper.settings.people, stamps)
        relation = care.relation(db, keeper.site, person, subject, keeper.now_us(), asked) if person else None
    return subject, relation.basis if relation is not None else ""


def _check_misses(keeper: Keeper, session: Session) -> None:
    now_us, most = keeper.now_us(), keeper.settings.breakglass.misses_per_hour
    keeper.store.rows("DELETE FROM glass_miss WHERE at_us <= ?", now_us - HOUR_US)
    (count,) = keeper.store.one("SELECT COUNT(*) FROM glass_miss WHERE person = ?", session.own) or (0,)
    if count >= most:
        body = {"person": session.own, "session": session.id, "why": Reason.RATE_OF_OPENING.code}
        keeper.note("breakglass.refused", body)
        why = "too many numbers of nobody in an hour: ask a colleague"
        raise KeeperError("number", why, reason=Reason.RATE_OF_OPENING)


def _miss(keeper: Keeper, caller: Caller, session: Session, wanted: Wanted, tried: str) -> None:
    now_us, most = keeper.now_us(), keeper.settings.breakglass.misses_per_hour
    body = {"code": wanted.code, "person": session.own, "process": f"{caller.role} uid {caller.uid}"}
    records = [Record("breakglass.missed", body | {"session": session.id, "tried": tried}, now_us)]
    (count,) = keeper.store.one("SELECT COUNT(*) FROM glass_miss WHERE person = ?", session.own) or (0,)
    if count + 1 >= most:
        found = {"count": count + 1, "finding": Reason.BREAKGLASS_MISSES.code, "person": session.own}
        records.append(Record("finding.raised", found, now_us))
    keeper.record(records)
    keeper.store.rows("INSERT INTO glass_miss VALUES (?, ?)", session.own, now_us)


def _digest(keeper: Keeper, number: Mapping[str, str]) -> str:
    said = bind("oathward reach 1", keeper.site, number["authority"], number["type"].upper(), number["value"])
    return hmac.digest(keyring.secret(keeper.store, _SECRET), said, "sha256").hex()[:32]


TABLE: Mapping[str, Operation] = {
    "breakglass_reach": Operation(
        reach,
        shapes.table(
            number=shapes.table(value=shapes.text(100), authority=shapes.text(200), type=WORD),
            reason=shapes.table(code=WORD, words=shapes.anything(WORDS_MAX), minutes=shapes.number(1, 1_440)),
            once=ID,
            proof=shapes.proof,
        ),
    ),
}
"""Of the app's socket, and of the command line's."""
