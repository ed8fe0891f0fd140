"""What a patient may choose now, and what they say from then on: read for the portal's pages, drafted for the keeper that signs it.

Rules:
- One's own answers are those of the subject the access is to, and of whom joins and confirmed merges make one with it. What
  was said under another number that only a message merged goes on, and shows as said elsewhere.
- Who answers shows what they saw (``Board.seen``): the policy, what stood, and how the choice stood. Where any of it is
  another now, nothing is drafted. An answer that is there already is no other, whatever was seen: a second click is none.
- A document is stored only behind the version it was drafted on.

Deliberately absent: who may (the keeper asks), signing, words.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import orjson

from oathward.consent import actions, views
from oathward.consent.choices import Answer, Choice, choices_of, statements_for
from oathward.consent.model import Statement
from oathward.core.clock import micros
from oathward.core.db import read
from oathward.core.errors import AuthorityError, InputError
from oathward.core.reasons import Reason
from oathward.patients import views as patients
from oathward.policy.bundle import Bundle
from oathward.vault.authority import Document

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from oathward.vault.keeper.changing.papers import Asked

__all__ = ["Board", "Drafted", "answer", "board", "family", "store"]

ANSWERS = ("allowed", "not-allowed")


@dataclass(frozen=True, slots=True)
class Board:
    """The choices of one patient, as they stand.

    Args:
        version: of everything that was said; as decisions compare it.
        statements: all that stands, what waits for a person included. Those that this patient's own answers take the place
            of bear a choice's mark, others none.
        policy: digest of the bundle.
    """

    choices: tuple[Choice, ...]
    statements: tuple[Statement, ...]
    version: int
    policy: bytes

    def seen(self, choice: Choice) -> str:
        """Give what an answer to a choice shows, so that nobody answers what they did not see."""
        told = [
            self.policy.hex(),
            self.version,
            choice.id,
            choice.state,
            sorted(choice.asked),
            choice.elsewhere,
        ]
        return hashlib.sha256(orjson.dumps(told)).hexdigest()[:32]

    def find(self, purpose: str, recipient: str) -> Choice:
        """Give the choice of a purpose at a recipient.

        Raises:
            InputError: ``not-found``: there is none, or the law leaves none.
        """
        for one in self.choices:
            if (one.purpose, one.recipient) == (purpose, recipient) and one.kind != "law":
                return one
        raise InputError("choice", "there is no such", reason=Reason.NOT_FOUND)


@dataclass(frozen=True, slots=True)
class Drafted:
    """Unsigned next versions, each with the version it follows."""

    documents: tuple[tuple[Document, int], ...]


def family(site: Asked, subject: str) -> tuple[str, ...]:
    """List everyone whose words count for a patient."""
    with read(site.engine) as db:
        return patients.family(db, site.site, subject)


def board(site: Asked, bundle: Bundle, subject: str) -> Board:
    """Read the choices of a patient.

    Raises:
        AuthorityError: it cannot be told what was said.
    """
    together = family(site, subject)
    consents = views.Consents(site.site, site.authority, site.seen, family=lambda _: together)
    version, facts = consents.of(site.engine, (subject,))
    if version is None or facts is None:
        raise AuthorityError("consent", "cannot be read now", reason=Reason.CONSENT_UNREADABLE)
    with read(site.engine) as db:
        own = _own(db, site, subject)
        said = {
            one.fact: one
            for name in together
            for one in views.facts_of(db, site.site, name, site.authority, site.seen)[1]
            if name in own
        }
    statements = tuple(said.get(fact, Statement(fact)) for fact in facts)
    kept = {bundle.keep.id} if bundle.keep else set()
    found = choices_of(bundle, statements, micros(site.clock.now()))
    choices = tuple(one for one in found if not kept.issuperset(one.links))
    return Board(choices, statements, version, bundle.digest)


def answer(site: Asked, bundle: Bundle, subject: str, said: Mapping[str, str]) -> Drafted:
    """Draft what a patient says from now on; nothing where they say it already.

    Args:
        said: ``purpose`` and ``recipient`` name the choice; ``answer``; ``seen``: what the page showed of it.

    Raises:
        InputError: ``not-found``: no such choice; ``conflict``: it is not what they saw. AuthorityError: it cannot be told what stands.
    """
    if said["answer"] not in ANSWERS:
        raise InputError("answer", f"one of {', '.join(ANSWERS)}")
    shown = board(site, bundle, subject)
    choice = shown.find(said["purpose"], said["recipient"])
    new = statements_for(choice, cast("Answer", said["answer"]), source="portal")
    with read(site.engine) as db:
        drafts = [
            (document, version)
            for name in _own(db, site, subject)
            for document, version in _draft(db, site, name, choice, new if name == subject else [])
        ]
    if drafts and shown.seen(choice) != said["seen"]:
        raise InputError("choice", "is not as it was shown: look again", reason=Reason.CONFLICT)
    return Drafted(tuple(drafts))


def store(
    db: Connection, site: str, drafted: Drafted, signed: Sequence[Document], *, by: str, now_us: int
) -> None:
    """Store what was signed, with its records, behind the versions it was drafted on.

    Raises:
        InputError: ``conflict``; another version came first.
    """
    after = {document.id: version for document, version in drafted.documents}
    actions.store(db, site, signed, by=by, now_us=now_us, after=after)


def _own(db: Connection, site: Asked, subject: str) -> tuple[str, ...]:
    return patients.confirmed_family(db, site.site, subject, site.authority, site.seen)


def _draft(
    db: Connection, site: Asked, name: str, choice: Choice, said: Sequence[Statement]
) -> list[tuple[Document, int]]:
    version, _ = views.facts_of(db, site.site, name, site.authority, site.seen)
    document = actions.draft(
        *(db, site.site, name, said),
        authority=site.authority,
        seen=site.seen,
        instead_of={choice.mark: None},
    )
    return [(document, version)] if document is not None else []
