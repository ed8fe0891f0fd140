"""Find out whose a pseudonym of a project is: asked by one person, agreed to by another, shown once, on record.

| operation | action | for |
|---|---|---|
| ``reidentify_request`` | ``reidentify.request`` | who has the pseudonym, and a reason |
| ``reidentify_list`` | ``reidentify.see`` | what was asked, by whom, and what became of it |
| ``reidentify_one``, ``reidentify_decide`` | ``reidentify.approve`` | another person, with pseudonym and words |
| ``reidentify_withdraw`` | their own | who asked |
| ``reidentify_show`` | ``reidentify.show`` | who asked, once, within the time |

Steps of showing: 1 whose session it is, with a proof of this moment · 2 the request is theirs, agreed to, in time · 3 what was
agreed to is this, by its signature · 4 the second person still is one · 5 whose name it is · 6 their card is opened, or their newest
original · 7 the records are durable · 8 the answer.

Rules:
- Two people are two (``changing.apart``), when it was agreed to and when it is shown. A site without people has none.
- Who agrees was shown the pseudonym and the words before.
- Before somebody agreed nothing is looked for: whether a pseudonym is anybody's is told by nothing else.
- Erased and never there are one answer. So is a name that several patients may have: nobody is shown for a guess.
- Whoever may see the patient's portal is told by letter that there is news (``portal.telling``).
- A refusal is a record. A request that the ledger says has ended shows nothing, whatever its row says.

Deliberately absent: seeds in any answer, a search without a project, words in records.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from oathward.core.db import read
from oathward.core.errors import KeeperError, OathwardError
from oathward.core.labels import Purpose
from oathward.core.reasons import Reason
from oathward.ledger import Query, Record, search
from oathward.policy import access
from oathward.policy.access import AT_THE_MACHINE, Permitted, Thing
from oathward.policy.reidentify import REASONS
from oathward.vault import cards, kept
from oathward.vault.keeper import (
    allowing,
    asking,
    opening,
    projects,
    pseudonyms,
    reidentify_rows,
    roles,
    subjects,
)
from oathward.vault.keeper.changing import apart
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.operations import plain, shapes
from oathward.vault.keeper.operations.operation import ID, WORD, Operation
from oathward.vault.keeper.original import Original
from oathward.vault.keeper.portal import telling
from oathward.vault.keeper.proof import Caller
from oathward.vault.keeper.reidentify_rows import Request, Told
from oathward.vault.keeper.sign_in.sessions import Session

BASIS = "reidentify"
LISTED_MAX = 200
WORDS_MAX = 500
PSEUDONYM_MAX = 128
_ENDS = tuple(f"reidentify.{state}" for state in ("shown", "refused", "withdrawn", "lapsed"))
_ONE, _NOBODY, _SEVERAL = "one", "nobody", "several"


def request(
    keeper: Keeper,
    caller: Caller,
    *,
    project: str,
    pseudonym: str,
    code: str,
    words: str,
    proof: Mapping[str, str],
) -> dict[str, Any]:
    """Ask whose a pseudonym is.

    Raises:
        KeeperError: as ``roles.permit``; ``INPUT_INVALID``: no such reason, no words, or the policy in force has no such project;
            ``LIMIT_EXCEEDED``: too many of this person are open.
    """
    session = _acting(keeper, caller, proof)
    roles.permit(keeper, session, "reidentify.request", Thing("patient"))
    with _denied(keeper, session, ""):
        if code not in REASONS:
            raise KeeperError("code", f"must be one of {', '.join(REASONS)}", reason=Reason.INPUT_INVALID)
        if not words.strip() or not pseudonym.strip():
            where = "pseudonym" if words.strip() else "words"
            raise KeeperError(where, "is empty", reason=Reason.INPUT_INVALID)
        projects.check_declared(keeper, project)
        reidentify_rows.tick(keeper)
        with keeper.store.guard, keeper.store.transaction():
            found = reidentify_rows.put(
                keeper, session.own, project, code, Told(pseudonym.strip(), words.strip())
            )
            body = _body(found) | {"process": f"{caller.role} uid {caller.uid}", "session": session.id}
            keeper.note("reidentify.requested", body)
    return reidentify_rows.shown(keeper, found)


def listed(
    keeper: Keeper,
    caller: Caller,
    waiting: bool,  # noqa: FBT001  by name only, from the wire
    proof: Mapping[str, str],
) -> list[dict[str, Any]]:
    """List requests, newest first.

    Args:
        waiting: only what has not ended.
    """
    _check_founded(keeper)
    asking.session(keeper, caller, proof, "reidentify.see", Thing("area"), looking=True)
    reidentify_rows.tick(keeper)
    found = reidentify_rows.listed(keeper, open_only=waiting, limit=LISTED_MAX)
    return [reidentify_rows.shown(keeper, one) for one in found]


def one(keeper: Keeper, caller: Caller, id: str, proof: Mapping[str, str]) -> dict[str, Any]:  # noqa: A002  the argument's name on the wire
    """Show one, with its words and while it is open its pseudonym, to a second person; recorded.

    Raises:
        KeeperError: as ``roles.permit``, for one's own above all; ``NOT_FOUND``.
    """
    session, found = _deciding(keeper, caller, id, proof)
    words = reidentify_rows.words_of(keeper, found)
    is_open = found.state in {"waiting", "approved"}
    pseudonym = reidentify_rows.told(keeper, found).pseudonym if is_open else None
    with keeper.store.guard, keeper.store.transaction():
        keeper.note("reidentify.looked", {"by": session.own, "id": id, "session": session.id})
        if is_open:
            reidentify_rows.look(keeper, found, session.own)
    return reidentify_rows.shown(keeper, found) | {"pseudonym": pseudonym, "words": words}


def decide(
    keeper: Keeper,
    caller: Caller,
    *,
    id: str,  # noqa: A002  the argument's name on the wire
    agrees: bool,
    said: str,
    proof: Mapping[str, str],
) -> None:
    """Agree to another person's request, or refuse it.

    Raises:
        KeeperError: as ``roles.permit`` and ``apart.check_two``; ``NOT_FOUND``; ``CONFLICT``: it does not wait;
            ``REIDENTIFY_UNSEEN``: who agrees was not shown it (``one``).
    """
    session, found = _deciding(keeper, caller, id, proof)
    with _denied(keeper, session, id):
        _check_second(keeper, found, session.own)
        with keeper.store.guard, keeper.store.transaction():
            found = _standing(keeper, id, "waiting")
            body = _body(found) | {"by": session.own, "reason": said, "session": session.id}
            if agrees:
                reidentify_rows.check_looked(keeper, found, session.own)
                reidentify_rows.approve(keeper, found, session.own, said)
            else:
                reidentify_rows.end(keeper, found, "refused", by=session.own, said=said)
            keeper.note("reidentify.approved" if agrees else "reidentify.refused", body)


def withdraw(keeper: Keeper, caller: Caller, id: str, proof: Mapping[str, str]) -> None:  # noqa: A002  the argument's name on the wire
    """Take one's own request back.

    Raises:
        KeeperError: ``NOT_FOUND``: it is none of this person's; ``CONFLICT``: it has ended.
    """
    session = _acting(keeper, caller, proof)
    with _denied(keeper, session, id), keeper.store.guard, keeper.store.transaction():
        found = _own(keeper, session, id)
        if found.state not in {"waiting", "approved"}:
            raise _ended(found)
        keeper.note("reidentify.withdrawn", _body(found) | {"session": session.id})
        reidentify_rows.end(keeper, found, "withdrawn")


def show(keeper: Keeper, caller: Caller, id: str, proof: Mapping[str, str]) -> dict[str, Any]:  # noqa: A002  the argument's name on the wire
    """Show whose the pseudonym is: once, to who asked.

    Raises:
        KeeperError: as ``roles.permit`` and ``apart.check_two``; ``NOT_FOUND``: it is none of this person's; ``CONFLICT``: nobody
            agreed to it, or it has ended; ``RATE_OF_OPENING``. AuthorityError: what was agreed to is not this.
            VaultError, StorageError: what is kept of the patient cannot be opened; it can be asked again.
    """
    session = _acting(keeper, caller, proof)
    roles.permit(keeper, session, "reidentify.show", Thing("patient", id), purpose=Purpose.HOPERAT)
    with _denied(keeper, session, id):
        _own(keeper, session, id)
        reidentify_rows.tick(keeper)
        found = _checked(keeper, id)
        if not keeper.confirmed:
            raise KeeperError(
                "witness", "has not been asked since the start", reason=Reason.KEEPER_UNAVAILABLE
            )
        allowing.count(keeper, session.own, 1)
        said = reidentify_rows.told(keeper, found)
        names = pseudonyms.whose(keeper, found.project, said.pseudonym)
        subject = names[0] if len(names) == 1 else ""
        outcome = _ONE if subject else _SEVERAL if names else _NOBODY
        together = _together(keeper, subject) if subject else frozenset[str]()
        originals = _opened(keeper, subject, together) if subject else []
        with keeper.store.guard, keeper.store.transaction():  # of two who look at once one comes second
            found = _checked(keeper, id)
            _record(keeper, caller, session, found, outcome, subject, originals)
            reidentify_rows.end(keeper, found, "shown")
            if subject:
                reidentify_rows.keep_words(keeper, found, subject, said.words)
                telling.tell(keeper, subject, "reidentified", every=True)
    return {
        "id": id,
        "found": outcome,
        "project": found.project,
        "subject": subject,
        "together": sorted(together),
        "originals": [plain.original(original) for original in originals],
    }


def _checked(keeper: Keeper, id_: str) -> Request:
    """Give an approved request once everything about it holds still; raises as ``show``."""
    found = _standing(keeper, id_, "approved")
    reidentify_rows.check_agreed(keeper, found)
    _check_not_ended(keeper, found)
    _check_second(keeper, found, found.by)
    thing = Thing("patient", found.id, owner=found.person)
    now = roles.actor_of(keeper, found.by)
    answer = access.decide(roles.rules(keeper), now, "reidentify.approve", thing, AT_THE_MACHINE)
    if not isinstance(answer, Permitted):
        raise KeeperError("approver", "may not approve this any more", reason=Reason.ACCESS_ROLE)
    return found


def _check_not_ended(keeper: Keeper, found: Request) -> None:
    """Ask the ledger too: rows of an old copy of the store say again that a request was agreed to, and not that it was shown."""
    with read(keeper.engine) as db:
        for kind in _ENDS:
            query, before = Query(kind=kind, since_us=found.at_us), None
            while page := search(db, keeper.site, query, before=before, limit=LISTED_MAX):
                if any(one.body.get("id") == found.id for one in page):
                    raise KeeperError("request", "has ended: so the ledger says", reason=Reason.CONFLICT)
                before = page[-1].index


def _check_second(keeper: Keeper, found: Request, by: str) -> None:
    thing = Thing("patient", found.id, owner=found.person)
    apart.check_two(keeper, by, "reidentify.approve", thing, found.at_us)


def _together(keeper: Keeper, subject: str) -> frozenset[str]:
    """Give the subjects that are this patient by joins, and by merges that a person confirmed."""
    return keeper.register.confirmed(keeper, subject) if keeper.register else frozenset((subject,))


def _opened(keeper: Keeper, subject: str, together: frozenset[str]) -> list[Original]:
    """Open what says who it is: their own card; else that of who is one with them; else the newest original."""
    others = {one for one in together if not subjects.is_erased(keeper.store, keeper.site, one)}
    with read(keeper.engine) as db:
        card = cards.newest(db, keeper.site, {subject}) or cards.newest(db, keeper.site, others)
        rows = kept.newest(db, keeper.site, [subject], limit=1) or kept.newest(
            db, keeper.site, sorted(others), limit=1
        )
    return [opening.open_card(keeper, card)] if card is not None else opening.open_rows(keeper, rows)


def _record(
    keeper: Keeper,
    caller: Caller,
    session: Session,
    found: Request,
    outcome: str,
    subject: str,
    originals: list[Original],
) -> None:
    now_us, who = keeper.now_us(), {"process": f"{caller.role} uid {caller.uid}", "session": session.id}
    body = _body(found) | who | {"by": found.by, "found": outcome}
    records = [Record("reidentify.shown", body, now_us, subject)]
    for original in originals:
        is_card = original.purpose == cards.PURPOSE
        told: dict[str, Any] = {
            "basis": BASIS,
            "person": session.own,
            "purpose": Purpose.HOPERAT.value,
            "request": found.id,
        }
        told |= {"first": original.message, "last": original.message, "opened": int(not is_card), "unit": ""}
        records.append(Record("keeper.opened", who | told | {"card": is_card}, now_us, original.subject))
    keeper.record(records)


def _body(found: Request) -> dict[str, Any]:
    return {
        "code": found.code,
        "id": found.id,
        "person": found.person,
        "project": found.project,
        "pseudonym": found.digest,
    }


def _standing(keeper: Keeper, id_: str, state: str) -> Request:
    """Give a request in a state; what is over was ended just before.

    Raises:
        KeeperError: ``CONFLICT``.
    """
    found = reidentify_rows.get(keeper, id_)
    if found.state != state:
        raise _ended(found)
    return found


def _ended(found: Request) -> KeeperError:
    words = {"waiting": "nobody agreed to it yet", "approved": "was agreed to already"}
    why = words.get(found.state, f"has ended: {found.state}")
    return KeeperError("request", why, reason=Reason.CONFLICT)


def _own(keeper: Keeper, session: Session, id_: str) -> Request:
    found = reidentify_rows.find(keeper, id_)
    if found is None or found.person != session.own:
        raise reidentify_rows.absent()
    return found


def _deciding(keeper: Keeper, caller: Caller, id_: str, proof: Mapping[str, str]) -> tuple[Session, Request]:
    session = _acting(keeper, caller, proof)
    found = reidentify_rows.find(keeper, id_)
    thing = Thing("patient", id_, owner=found.person if found else "")
    roles.permit(keeper, session, "reidentify.approve", thing)
    if found is None:
        raise reidentify_rows.absent()
    reidentify_rows.tick(keeper)
    return session, reidentify_rows.get(keeper, id_)


def _acting(keeper: Keeper, caller: Caller, proof: Mapping[str, str]) -> Session:
    """Give the session of somebody who could be one of two.

    Raises:
        KeeperError: ``NOT_PERMITTED``.
    """
    _check_founded(keeper)
    session = allowing.acting(keeper, caller, proof)
    if not session.own:
        raise KeeperError("session", "is of nobody who could be one of two", reason=Reason.NOT_PERMITTED)
    return session


def _check_founded(keeper: Keeper) -> None:
    if not roles.founded(keeper):
        why = "takes two people, and this site has none yet: oathward people found"
        raise KeeperError("reidentify", why, reason=Reason.NOT_PERMITTED)


@contextmanager
def _denied(keeper: Keeper, session: Session, id_: str) -> Iterator[None]:
    """Record what is refused past the policy's permission."""
    try:
        yield
    except OathwardError as error:
        body = {"id": id_, "person": session.own, "session": session.id, "why": error.reason.code}
        keeper.note("reidentify.denied", body)
        raise


_ID = shapes.table(id=ID, proof=shapes.proof)

TABLE: Mapping[str, Operation] = {
    "reidentify_request": Operation(
        request,
        shapes.table(
            project=ID,
            pseudonym=shapes.text(PSEUDONYM_MAX),
            code=WORD,
            words=shapes.anything(WORDS_MAX),
            proof=shapes.proof,
        ),
    ),
    "reidentify_list": Operation(listed, shapes.table(waiting=shapes.flag, proof=shapes.proof)),
    "reidentify_one": Operation(one, _ID),
    "reidentify_decide": Operation(
        decide,
        shapes.table(id=ID, agrees=shapes.flag, said=shapes.text(WORDS_MAX), proof=shapes.proof),
    ),
    "reidentify_withdraw": Operation(withdraw, _ID),
    "reidentify_show": Operation(show, _ID),
}
"""Of the app's socket, and of the command line's."""
