"""Read what patients said: for decisions (cached, verified), and for people.

Rules:
- What is remembered is forgotten when it changes: of the subject whose change it was, of all where nobody says whose.
- The signature is checked on load, against the newest version this process knows was signed. A bad, older or
  missing document makes all of that subject's consents *not known*: the decision is Indeterminate.
- What a subject said counts for everyone it stands for, and the other way round: after a merge a denial under
  the prior identity still denies.
- A message about several people may do only what each of them permits.
- Consents that arrived and nobody has looked at add what they may take away, as *pending* (``arrived``).
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row

from oathward.consent import sql
from oathward.consent.arrived import Arrived, pending
from oathward.consent.model import KIND, Statement, as_of_of, common, from_canonical, originals_of
from oathward.consent.noticed import Noticed, Version
from oathward.core.db import read
from oathward.core.errors import AuthorityError
from oathward.core.reasons import Reason
from oathward.policy.model import ConsentFact
from oathward.vault.authority import Document, Seen
from oathward.vault.sign import Verifier

REMEMBERED_MAX = 100_000
WHOLE_S = 60.0
"""After so long a change makes everything be read anew, whoever it is of: what was put back unsaid is seen by that."""

_FAMILY_STEP = 1_000_000
_ARRIVED_STEP = 1_000_000_000_000
"""What waits makes another version of it: a delivery that was prepared before is decided again."""

_ARRIVALS_MAX = 200
"""Of one person; with more that nobody has looked at, nothing is known."""

Known = tuple[int, tuple[ConsentFact, ...]]
Unknown = tuple[None, None]
UNKNOWN: Unknown = (None, None)


class Consents:
    """What stands for each subject of one site, as one process knows it.

    Args:
        family: gives a subject and everyone it stands for (``Resolver.family``).
    """

    def __init__(
        self,
        site: str,
        authority: Verifier,
        seen: Seen,
        *,
        family: Callable[[str], tuple[str, ...]] = lambda subject: (subject,),
    ) -> None:
        self.site, self._authority, self._seen, self._family = site, authority, seen, family
        self._remembered: dict[tuple[tuple[str, ...], ...], Known] = {}
        self._unknown: set[tuple[tuple[str, ...], ...]] = set()
        self._change = -1
        self._whole_at_s = -math.inf
        self._findings: list[tuple[str, str]] = []
        self._noticed: Noticed | None = None
        self._versions = deque[Version]()

    def refresh(self, db: Connection) -> bool:
        """Forget what changed; says whether anything did. Call it at least every second.

        Where a change says whose it is, that is forgotten alone: with many patients at once each of them takes a millisecond to
        read anew. All is forgotten where it does not say, and every ``WHOLE_S``.
        """
        self.forget_unknown()
        count = sql.change_count(db, self.site)
        if count == self._change:
            return False
        whose = None
        if 0 <= self._change < count and time.monotonic() - self._whole_at_s < WHOLE_S:
            whose = sql.changed_since(db, self.site, self._change, count)
        self._change = count
        if whose is None:
            self._remembered, self._whole_at_s = {}, time.monotonic()
        else:  # another dict all the same: what is being read meanwhile stays out of it
            self._remembered = {
                persons: known
                for persons, known in list(self._remembered.items())
                if all(whose.isdisjoint(family) for family in persons)
            }
        if self._noticed is not None:
            self._versions.extend(self._noticed.new(db))
        return True

    def forget_unknown(self) -> None:
        """Ask anew about those that could not be told: it may be mended. Call it about every second."""
        self._unknown = set()

    def of(self, engine: Engine, subjects: Iterable[str]) -> Known | Unknown:
        """Give version and facts for the people of a message, each once; ``(None, None)`` where they are not known."""
        persons = tuple(dict.fromkeys(map(self._family, subjects)))
        remembered = (
            self._remembered
        )  # a refresh meanwhile puts another in its place: what is old stays out of that
        found = remembered.get(persons)
        if found is not None:
            return found
        if persons in self._unknown:
            return UNKNOWN
        try:
            with read(engine) as db:
                found = self._load(db, persons)
        except AuthorityError as error:
            self._findings.append((error.reason.code, error.where))
            found = None
        if found is None:
            self._unknown.add(persons)  # until the next refresh: it may be mended
            return UNKNOWN
        if len(remembered) >= REMEMBERED_MAX:
            remembered.clear()
        remembered[persons] = found
        return found

    def version(self, engine: Engine, subjects: Iterable[str]) -> int | None:
        """Give the version alone: what a delivery compares before it leaves."""
        return self.of(engine, subjects)[0]

    def notice(self, noticed: Noticed) -> None:
        """Note from now on which versions are taken in, for ``take_versions``."""
        self._noticed = noticed

    def take_versions(self) -> list[Version]:
        """Give the versions that were taken in since the last call."""
        found = []
        while self._versions:
            found.append(self._versions.popleft())
        return found

    def take_findings(self) -> list[tuple[str, str]]:
        """Give what somebody should look at since the last call: (code, document)."""
        found, self._findings = self._findings, []
        return found

    def _load(self, db: Connection, persons: tuple[tuple[str, ...], ...]) -> Known | None:
        version = 0
        each: list[tuple[ConsentFact, ...]] = []
        for family in persons:
            standing: list[Statement] = []
            for subject in family:
                own, statements = facts_of(db, self.site, subject, self._authority, self._seen)
                version += own
                standing += statements
            arrivals = self._arrivals(db, family)
            version += (len(family) - 1) * _FAMILY_STEP + len(arrivals) * _ARRIVED_STEP
            each.append((*(s.fact for s in standing), *pending(arrivals, standing)))
        together = common(each)
        return None if together is None else (version, together)

    def _arrivals(self, db: Connection, family: tuple[str, ...]) -> list[Arrived]:
        rows = sql.waiting(db, self.site, subjects=family, limit=_ARRIVALS_MAX + 1)
        if len(rows) > _ARRIVALS_MAX:
            raise AuthorityError("consent_arrival", f"more than {_ARRIVALS_MAX} wait for a person")
        try:
            return [Arrived.from_body(row.body) for row in rows]
        except ValueError as error:
            raise AuthorityError("consent_arrival", "not what was stored") from error


@dataclass(frozen=True, slots=True)
class ArrivalRow:
    """Consents that came as a message and wait for a person, for a list. ``found``: None where it cannot be read."""

    message: str
    subject: str
    device: str
    consents: int
    at_us: int
    found: Arrived | None

    @property
    def denials(self) -> int:
        """How many denials pend."""
        return len(self.found.denials) if self.found else 0


def arrivals(
    db: Connection, site: str, *, limit: int = 1_000, after: tuple[int, str] | None = None
) -> tuple[int, list[ArrivalRow]]:
    """List what waits for a person, oldest first, with how many there are in all; ``after`` a row's time and message."""
    rows = [_arrival(r) for r in sql.waiting(db, site, limit=limit, after=after)]
    return sql.waiting_count(db, site), rows


def arrivals_count(db: Connection, site: str) -> int:
    """Count what waits for a person."""
    return sql.waiting_count(db, site)


def arrivals_of(db: Connection, site: str, subjects: Sequence[str]) -> list[ArrivalRow]:
    """List what waits of some subjects, oldest first."""
    return [_arrival(r) for r in sql.waiting(db, site, subjects=subjects, limit=_ARRIVALS_MAX)]


def said_at(db: Connection, site: str, subject: str) -> int:
    """Say when what stands for a subject was signed; 0 where it never said anything. Its signature is not checked here."""
    document = sql.newest(db, site, subject)
    return document.at_us if document else 0


def _arrival(row: Row[Any]) -> ArrivalRow:
    try:
        found = Arrived.from_body(row.body)
    except ValueError:
        found = None
    return ArrivalRow(row.message, row.subject, row.device, row.consents, row.at_us, found)


def said_since(db: Connection, site: str, at_us: int) -> dict[str, int]:
    """Give the subjects that said something since a time, each with when it was last signed; signatures aside."""
    return sql.latest_since(db, site, at_us)


def was_noted(engine: Engine, site: str, message: str) -> bool:
    """Say whether the Consents of a message were noted before."""
    with read(engine) as db:
        return sql.arrival_known(db, site, message)


def facts_of(
    db: Connection, site: str, subject: str, authority: Verifier, seen: Seen
) -> tuple[int, tuple[Statement, ...]]:
    """Load what one subject said, verified; version 0 and nothing where it never said anything.

    Raises:
        AuthorityError: the signature does not verify, a newer version was signed, or all of it is gone.
    """
    document = sql.newest(db, site, subject)
    if document is None:
        if seen.newest(KIND, subject):
            raise AuthorityError(
                f"{KIND}/{subject}", "what was signed is gone", reason=Reason.AUTHORITY_STALE
            )
        return 0, ()
    return document.version, _read(document, authority, seen)


def came_before(
    db: Connection, site: str, subject: str, *, digest: str, origins: frozenset[str], as_of_us: int | None
) -> bool:
    """Say whether a document comes late: it stood once and does so no more, or something later was said in its place.

    Args:
        digest: SHA-256 of its bytes, in hex. origins: what it is known by.
        as_of_us: of what time it is; None: it does not say, and what says so stands.
    """
    versions = sql.history(db, site, subject)
    if not versions:
        return False
    now, *gone = [_named(one) for one in versions]
    if digest not in now and any(digest in one for one in gone):
        return True
    times = times_of(versions[0])
    later = max((times[one] for one in origins if one in times), default=None)
    return later is not None and (as_of_us is None or as_of_us < later)


def times_of(document: Document | None) -> dict[str, int]:
    """Give of what time what a version was read from was, by origin; of a form nobody reads: nothing."""
    try:
        return as_of_of(document.body) if document is not None else {}
    except ValueError:
        return {}


def _named(document: Document) -> frozenset[str]:
    try:
        return frozenset(originals_of(document.body))
    except ValueError:  # of a form nobody reads: it is not what stands either
        return frozenset()


def originals(
    db: Connection, site: str, subject: str, authority: Verifier, seen: Seen, *, every: bool = False
) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Give the sealed originals that a subject's documents name: id -> (SHA-256, versions that name it).

    Args:
        every: those of earlier versions too, else of what stands.

    Raises:
        AuthorityError: a signature does not verify, or a newer version was signed.
    """
    documents = sql.history(db, site, subject)
    found: dict[str, tuple[str, tuple[int, ...]]] = {}
    for number, document in enumerate(documents if every else documents[:1]):
        _read(document, authority, Seen() if number else seen)
        for digest, id_ in originals_of(document.body).items():
            _, versions = found.get(id_, (digest, ()))
            found[id_] = digest, (*versions, document.version)
    return found


@dataclass(frozen=True, slots=True)
class ConsentRow:
    """What a subject said, for a list. ``valid``: whether its signature verifies; else nothing is counted.

    ``originals``: SHA-256 -> id of the sealed original it was read from.
    """

    subject: str
    version: int
    at_us: int
    valid: bool
    statements: tuple[Statement, ...]
    originals: tuple[tuple[str, str], ...] = ()


def rows(
    db: Connection, site: str, authority: Verifier, seen: Seen, *, subject: str = "", limit: int = 1_000
) -> list[ConsentRow]:
    """List what stands, or every version of one subject, latest first."""
    found = sql.history(db, site, subject) if subject else sql.all_newest(db, site, limit)
    return [_shown(d, authority, seen, old=bool(subject) and i > 0) for i, d in enumerate(found)]


def _shown(document: Document, authority: Verifier, seen: Seen, *, old: bool) -> ConsentRow:
    try:
        statements = _read(document, authority, Seen() if old else seen)
    except AuthorityError:
        return ConsentRow(document.id, document.version, document.at_us, valid=False, statements=())
    named = tuple(sorted(originals_of(document.body).items()))
    return ConsentRow(
        document.id, document.version, document.at_us, valid=True, statements=statements, originals=named
    )


def _read(document: Document, authority: Verifier, seen: Seen) -> tuple[Statement, ...]:
    seen.admit(document, authority)
    try:
        statements = from_canonical(document.body, document.id)
        originals_of(document.body)
    except ValueError as error:
        raise AuthorityError(f"{KIND}/{document.id}", "not a consent document") from error
    return statements
