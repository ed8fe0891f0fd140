"""Find the subject of each message, a few microseconds where it was seen before.

Steps:
1. the keyed hash of the identifying fields as they stand, per device: seen before → the same answer;
2. read identifiers, look them up (open rows, cache, database), follow edges;
3. nothing known → rows for a new subject, shared with later messages until the transaction settles.

Rules:
- A caller commits ``rows`` by ``actions.apply`` and then says ``committed`` or ``rolled_back``, once for each
  resolution. After a failed transaction the message is resolved again.
- ``refresh`` about once a second brings in what other processes changed.

Deliberately absent: decisions, and any matching by demographics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine

from oathward.core.authorities import Authorities
from oathward.core.db import read
from oathward.core.reasons import Reason
from oathward.core.words import WordHasher
from oathward.patients import adt, declared, fhir, sql
from oathward.patients.events import EVENTS, TYING
from oathward.patients.identifiers import Hasher, Reading, Spoken
from oathward.patients.model import Resolution, Source, WordKind
from oathward.patients.ordinary import ambiguous, whom
from oathward.patients.sieve import Sieve
from oathward.patients.state import MERGES_US, Recent, State
from oathward.patients.work import Work, unique_subjects
from oathward.protocols.hl7v2.escapes import USUAL

if TYPE_CHECKING:
    from oathward.protocols.fhir.message import Person
    from oathward.protocols.hl7v2.reader import Message

CACHE_SIZE = 50_000
_P = ord("P")
_WORDS_FRESH_US = 60_000_000


class Resolver:
    """Resolve messages of one site in one process.

    Args:
        index_key: from the keeper; 16 to 64 bytes.
        words: hashes the words of cards; without it none are kept, and the guard knows none.
        authorities: what the site calls its assigning authorities (``HOSP`` and its OID are one).
        merges_us: how many merges of one source within how long are ordinary.
    """

    def __init__(
        self,
        index_key: bytes,
        site: str,
        cache_size: int = CACHE_SIZE,
        *,
        words: WordHasher | None = None,
        authorities: Authorities | None = None,
        merges_us: tuple[int, int] = MERGES_US,
    ) -> None:
        self._hasher = Hasher(index_key, site, authorities)
        self._state = State(site, cache_size, merges_us)
        self._words = words
        self._card_words: Recent[str, tuple[int, dict[bytes, WordKind]]] = Recent(cache_size // 10)
        self._owners: Recent[bytes, frozenset[str]] = Recent(cache_size)
        self._sieve: Sieve | None = None
        self.canaries: frozenset[bytes] = frozenset()
        """Keyed whole values of invented patients, as of the last ``sift``."""
        self._sifting: list[bytes] = []
        self._nobodys: set[bytes] = set()
        self._prefixes: dict[tuple[str, str, str], str] = {}

    def resolve(self, engine: Engine, message: Message, source: Source, now_us: int) -> Resolution:
        """Say whom a message is about.

        Args:
            engine: read from only where the cache does not know.
            source: the device, or ``model.Stranger()``.

        Raises:
            StorageError: the database could not be read.
        """
        key = self._key(message, source)
        if key is not None:
            state = self._state
            found = state.hot.get(key) or state.soft.get(key)
            if found is not None:
                return found
        return self._slowly(engine, message, source, now_us, key)

    def resolve_fhir(
        self,
        engine: Engine,
        people: Callable[[], Sequence[Person]],
        source: Source,
        now_us: int,
        told: bytes | None,
    ) -> Resolution:
        """Say whom a FHIR message is about.

        Args:
            people: gives those of ``protocols.fhir.persons``.
            told: ``fhir.key_of`` them.

        Raises:
            StorageError: the database could not be read.
        """
        state = self._state
        key = None if told is None else self._hasher.seen(self._prefix(source), told)
        if key is not None:
            found = state.hot.get(key) or state.soft.get(key)
            if found is not None:
                return found
        with state.lock, read(engine) as db:
            state.ready(db)
            work = self._work(db, source, "Patient" if key is None else "", now_us)
            resolution = fhir.resolve(work, people())
            self._remember(key, resolution, work)
            return resolution

    def committed(self, resolution: Resolution) -> None:
        """Say that the transaction with this resolution's rows is durable."""
        if resolution.ticket:
            self._state.committed(resolution)
            for subject, token, kind in resolution.rows.words:
                self._card_words.drop(subject)
                if kind is WordKind.IDENTIFIER:
                    self._sifting.append(token)
                    if self._sieve is not None:
                        self._sieve.add(token)
                    self._nobodys.discard(token)  # after the sieve has it: nobody may note it down again

    def rolled_back(self, resolution: Resolution) -> None:
        """Say that this resolution's rows were not written."""
        if resolution.ticket:
            self._state.rolled_back(resolution)

    def refresh(self, db: Connection) -> bool:
        """Take in edges and identifiers of other processes; says whether edges changed."""
        self._owners.clear()
        changed = self._state.refresh(db)
        if changed:
            self._card_words.clear()
        return changed

    def sift(self, db: Connection) -> None:
        """Build the sieve of identifiers anew; call it at start and about every minute."""
        self._sifting = []  # what is committed from here on may not be in our snapshot
        tokens = sql.identifier_tokens(db, self._state.site)
        sieve = Sieve(tokens, expected=len(tokens))
        self._sieve, self._nobodys = sieve, set()
        self.canaries = sql.canary_words(db, self._state.site)
        for token in self._sifting:
            sieve.add(token)

    def effective(self, subject: str) -> str:
        """Give the subject that stands for this one now."""
        return self._state.graph.effective(subject)

    def family(self, subject: str) -> tuple[str, ...]:
        """List the effective subject and everyone it stands for: what any of them said counts."""
        graph = self._state.graph
        return graph.family(graph.effective(subject))

    def card_words(self, engine: Engine, subject: str, now_us: int) -> Mapping[bytes, WordKind]:
        """Give the keyed words of a subject's card and of those it stands for; at most a minute old."""
        subject = self.effective(subject)
        cached = self._card_words.get(subject)
        if cached is None or now_us - cached[0] > _WORDS_FRESH_US:
            with read(engine) as db:
                family = self._state.graph.family(subject)
                cached = now_us, sql.words_of(db, self._state.site, family)
            self._card_words.put(subject, cached)
        return cached[1]

    def words_of(self, engine: Engine, subject: str, now_us: int) -> frozenset[bytes]:
        """Give the same as a set of hashes."""
        return frozenset(self.card_words(engine, subject, now_us))

    def foreign(self, engine: Engine, tokens: Iterable[bytes], subject: str) -> frozenset[bytes]:
        """Choose the keyed tokens (``WordHasher.token``) that are identifiers of other patients only.

        What the sieve lets through is asked once a ``refresh``; identifiers under 6 characters are nobody's.
        Identifiers that another process wrote count from the next ``sift`` on.
        """
        if self._sieve is None:
            with read(engine) as db:
                self.sift(db)
        asked = self._perhaps_somebodys(tokens)
        if not asked:
            return frozenset()
        owners = {t: found for t in asked if (found := self._owners.get(t)) is not None}
        missing = list(asked - owners.keys())
        if missing:
            with read(engine) as db:
                stored = sql.owners_of(db, self._state.site, missing)
            for t in missing:
                owners[t] = frozenset(stored.get(t, ()))
                self._owners.put(t, owners[t])
        me = self.effective(subject)
        return frozenset(t for t, who in owners.items() if who and all(self.effective(s) != me for s in who))

    # --- inside

    def _perhaps_somebodys(self, tokens: Iterable[bytes]) -> set[bytes]:
        """Leave out tokens that are nobody's identifier; codes and units come with every message."""
        new = set(tokens) - self._nobodys
        sieve = self._sieve
        asked = {t for t in new if sieve is None or t in sieve}
        if len(self._nobodys) > CACHE_SIZE:
            self._nobodys = set()
        self._nobodys |= new - asked
        return asked

    def _key(self, message: Message, source: Source) -> bytes | None:
        """Hash the identifying fields as they stand; None where the message needs a closer look."""
        if message.separators != USUAL or (message.code == "ADT" and message.trigger in EVENTS):
            return None
        pid = pv1 = b""
        for segment in message.segments:
            if segment[0] == _P:
                # Only the plain order: which visit belongs to whom must not be read in two ways.
                if segment.startswith(b"PID|"):
                    if pid or pv1:
                        return None
                    pid = segment
                elif segment.startswith(b"PV1|"):
                    if pv1:
                        return None
                    pv1 = segment
        fields = _identifying(pid, pv1)
        if not fields.isascii():
            fields += b"\r\r" + message.charset.encode()
        return self._hasher.seen(self._prefix(source), fields)

    def _prefix(self, source: Source) -> str:
        """Give what tells apart equal fields of different sources."""
        settings = source.id, source.default_authority, source.default_identifier_type
        prefix = self._prefixes.get(settings)
        if prefix is None:
            prefix = self._prefixes[settings] = "\r".join(settings)
        return prefix

    def _work(
        self, db: Connection, source: Source, event: str, now_us: int, reading: Reading | None = None
    ) -> Work:
        state, hasher = self._state, self._hasher
        return Work(
            db, state, hasher, words=self._words, source=source, reading=reading, event=event, now_us=now_us
        )

    def _remember(self, key: bytes | None, resolution: Resolution, work: Work) -> None:
        """Answer the same at once next time, where nothing was written and nothing is doubtful."""
        if key is None or resolution.ticket or resolution.refused is not None:
            return
        kept = replace(resolution, findings=()) if resolution.findings else resolution
        if work.missed:
            self._state.soft[key] = kept
        else:
            self._state.hot.put(key, kept)

    def _slowly(
        self, engine: Engine, message: Message, source: Source, now_us: int, key: bytes | None
    ) -> Resolution:
        event = message.trigger if message.code == "ADT" else ""
        verb = EVENTS.get(event)
        reading = Reading(message, source, self._hasher)
        groups = self._groups(message, reading)
        state = self._state
        with state.lock, read(engine) as db:
            if verb in TYING and source.authoritative_adt:
                state.refresh(db)  # what ties or parts people is read against the edges of now
            state.ready(db)
            work = self._work(db, source, event, now_us, reading)
            if any(state.note_apart(names) for names in reading.apart):
                work.findings.append("patient.authority-undeclared")
            for group in groups:
                declared.take_over(work, group.spoken)
            if verb is not None and source.authoritative_adt and groups:
                return adt.resolve(work, message, verb, groups)
            resolution = self._ordinary(work, groups, claimed=verb is not None)
            self._remember(key, resolution, work)
            return resolution

    def _ordinary(self, work: Work, groups: list[adt.Group], *, claimed: bool) -> Resolution:
        """Resolve a message that says nothing about identities, or may not."""
        refused = Reason.SOURCE_NOT_AUTHORITATIVE if claimed else None
        if claimed:
            work.findings.append(str(Reason.SOURCE_NOT_AUTHORITATIVE))
        spoken = [g.spoken for g in groups] or [Spoken((), ())]
        found = [whom(work, s) for s in dict.fromkeys(spoken)]
        subjects = unique_subjects(work.effective(f.subject) for f in found)
        if len(subjects) > 1 and not claimed:
            hashes = [work.hasher.identifier(i) for s in spoken for i in (*s.persons, *s.visits)]
            return work.finish(ambiguous(work, hashes, Reason.PATIENTS_SEVERAL))
        refused = next((f.refused for f in found if f.refused), None) or refused
        return work.finish(found[0], refused=refused, others=subjects[1:])

    def _groups(self, message: Message, reading: Reading) -> list[adt.Group]:
        groups: list[tuple[bytes, list[bytes], list[bytes]]] = []
        for i, segment in enumerate(message.segments):
            name = message.name(i)
            if name == b"PID":
                groups.append((segment, [], []))
            elif groups and name == b"PV1":
                groups[-1][1].append(segment)
            elif groups and name == b"MRG":
                groups[-1][2].append(segment)
        if not groups:
            lone = next((s for i, s in enumerate(message.segments) if message.name(i) == b"PV1"), None)
            return [adt.Group(b"PID", lone, (), reading.spoken(message, b"PID", lone))] if lone else []
        return [
            adt.Group(
                pid,
                pv1[0] if pv1 else None,
                tuple(mrg),
                reading.spoken(message, pid, pv1[0] if pv1 else None),
            )
            for pid, pv1, mrg in groups
        ]


def _identifying(pid: bytes, pv1: bytes) -> bytes:
    """Give PID-2, 3, 4, 18 and PV1-19 as they stand; CR is in no field."""
    fields = pid.split(b"|", 19)
    parts = fields[2:5]
    parts.append(fields[18] if len(fields) > 18 else b"")
    visit = pv1.split(b"|", 20)
    parts.append(visit[19] if len(visit) > 19 else b"")
    return b"\r".join(parts)
