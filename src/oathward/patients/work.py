"""One resolution while it is being made: what it looked up, what it will write, what it must record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.core.words import WordHasher
from oathward.ledger import Record
from oathward.patients import sql
from oathward.patients.card import word_of_identifier
from oathward.patients.identifiers import Hasher, Identifier, Reading, unique
from oathward.patients.model import (
    FOLLOWED,
    Edge,
    EdgeKind,
    NewIdentifier,
    NewSubject,
    Resolution,
    Source,
    SubjectKind,
    SubjectRows,
    WordKind,
)
from oathward.patients.state import Open, State

_RECORDS = {
    EdgeKind.MERGED: "subject.merged",
    EdgeKind.JOINED: "subject.joined",
    EdgeKind.LINKED: "subject.linked",
    EdgeKind.CHILD_OF: "subject.related",
    EdgeKind.SHARES_VISIT: "subject.visit-shared",
    EdgeKind.UNDONE: "subject.unmerged",
    EdgeKind.ERASED: "subject.erased",
}


@dataclass(frozen=True, slots=True)
class Whom:
    """An answer for one PID: the effective subject, and ``own``, whom its identifiers name themselves.

    What a message says later counts for ``own``: after a merge is undone it is still said of that number. A subject
    that nobody is known to be has none.
    """

    subject: str
    kind: SubjectKind
    refused: Reason | None = None
    own: str = ""


class Work:
    """Collect what one message says; nothing is visible to others before ``finish``."""

    def __init__(
        self,
        db: Connection,
        state: State,
        hasher: Hasher,
        *,
        words: WordHasher | None,
        source: Source,
        reading: Reading | None,
        event: str,
        now_us: int,
    ) -> None:
        self.db, self.state, self.hasher, self.words = db, state, hasher, words
        self.source, self.reading, self.event, self.now_us = source, reading, event, now_us
        self.missed = False  # an identifier was unknown: the answer may differ a moment later
        self.findings: list[str] = []
        self._found: dict[bytes, str] = {}
        self._opens: list[Open] = []
        self._subjects: dict[str, NewSubject] = {}
        self._identifiers: dict[bytes, NewIdentifier] = {}
        self._edges: list[Edge] = []
        self._ties: list[tuple[str, str]] = []  # what those come to: root below root
        self._joins: list[tuple[str, str]] = []  # and the joins alone
        self._words: dict[tuple[str, bytes], WordKind] = {}
        self._establish: list[str] = []
        self._records: list[Record] = []

    # --- looking up

    def read(self, field: bytes, *, encounter: str = "", named_only: bool = False) -> list[Identifier]:
        """Read the identifiers of a field of the HL7 v2 message (``Reading.identifiers``)."""
        assert self.reading is not None, "not an HL7 v2 message"
        return self.reading.identifiers(field, encounter=encounter, named_only=named_only)

    def find(self, hashes: Sequence[bytes]) -> dict[bytes, str]:
        """Look identifiers up: hash -> effective subject, those known."""
        asked = [h for h in unique(hashes) if h not in self._found]
        if asked:
            found, opens = self.state.find(self.db, asked)
            self._found |= found
            self.relies_on(opens)
        hits = {h: self.effective(self._found[h]) for h in hashes if h in self._found}
        self.missed = self.missed or len(hits) < len(set(hashes))
        return hits

    def known(self, hashes: Sequence[bytes]) -> list[str]:
        """Look up what may well be unknown, and tells nothing then: own subjects of those found, in order."""
        asked = [h for h in hashes if h not in self._found]
        if asked:
            found, opens = self.state.find(self.db, asked)
            self._found |= found
            self.relies_on(opens)
        return unique_subjects(self._found[h] for h in hashes if h in self._found)

    def own(self, hashed: bytes) -> str:
        """Give the subject that an identifier names by itself, whoever stands for it; one that ``find`` found."""
        return self._found[hashed]

    def own_of(self, hashes: Iterable[bytes]) -> str:
        """Give the same of several identifiers of one person: of whoever stands for it, if one of them names that one."""
        return self.state.graph.nearest(map(self.own, hashes))

    def relies_on(self, opens: Iterable[Open]) -> None:
        """Carry rows that other messages bring and that are not committed yet."""
        self._opens += [o for o in opens if o not in self._opens]

    def effective(self, subject: str) -> str:
        """Give who stands for a subject, this message's own edges included."""
        return _follow(self.state.graph.effective(subject), self._ties)

    def named(self, subject: str) -> str:
        """Give by whom a subject is named towards projects, this message's own edges included."""
        return _follow(self.state.graph.named(subject), self._joins)

    def established(self, subjects: Iterable[str]) -> set[str]:
        """Choose those an authoritative source has spoken of."""
        listed = set(subjects)
        known = {s for s in listed if s in self._establish or self.state.established.get(s)}
        known |= {s.id for o in self._opens for s in o.rows.subjects if s.id in listed and s.established}
        return known | sql.established(self.db, listed - known) if listed - known else known

    def family(self, subject: str) -> tuple[str, ...]:
        """List everyone who is one person with a subject, this message's own edges left aside."""
        graph = self.state.graph
        return graph.family(graph.effective(subject))

    def scopes(self, subject: str) -> dict[bytes, bytes]:
        """List what identifies a subject: hash -> scope."""
        family = self.family(subject)
        found = sql.scopes_of(self.db, family)
        waiting = [i for o in self._opens for i in o.rows.identifiers] + list(self._identifiers.values())
        return found | {i.hash: i.scope for i in waiting if i.subject in family}

    # --- writing

    def new_subject(
        self, kind: SubjectKind, *, established: bool = False, encounter: bytes | None = None
    ) -> str:
        """Make a subject."""
        id_ = uuid7(self.now_us // 1_000)
        row = NewSubject(id_, kind, established, self.source.id, self.now_us, encounter)
        self._subjects[id_] = row
        self.record("subject.created", id_, {"kind": kind, "source": self.source.id})
        return id_

    def attach(self, subject: str, identifiers: Iterable[Identifier]) -> None:
        """Let identifiers that name nobody yet name a subject."""
        self.attach_hashes(subject, [(self.hasher.identifier(i), self.hasher.scope(i)) for i in identifiers])
        if self.words:
            for one in identifiers:
                if hashed := word_of_identifier(one.value.reveal(), self.words):
                    self._words.setdefault((subject, hashed[0]), hashed[1])

    def attach_hashes(self, subject: str, hashes: Iterable[tuple[bytes, bytes]]) -> None:
        """Let (hash, scope) that name nobody yet name a subject; one that is taken stays."""
        assert subject, "nobody to name"
        fresh = [(h, scope) for h, scope in hashes if h not in self._found]
        for h, scope in fresh:
            self._found[h] = subject
            self._identifiers[h] = NewIdentifier(h, subject, scope, self.source.id, self.now_us)

    def establish(self, subject: str) -> None:
        """Note that an authoritative source speaks of a subject."""
        row = self._subjects.get(subject)
        if (row is None or not row.established) and not self.state.established.get(subject):
            self._establish.append(subject)

    def edge(self, kind: EdgeKind, child: str, parent: str, *, undoes: str = "", event: str = "") -> None:
        """Tie two subjects of their own; ``event``: what says so, where it is not the message."""
        assert child, "nobody to tie"
        assert parent, "nobody to tie to"
        id_ = uuid7(self.state.edge_ms(self.now_us // 1_000))
        event = event or self.event
        edge = Edge(id_, kind, child, parent, event, self.source.id, self.now_us, undoes)
        self._edges.append(edge)
        if kind in FOLLOWED:
            below, above = self.effective(child), self.effective(parent)
            if below != above:
                self._ties.append((below, above))
        if kind is EdgeKind.JOINED:
            below, above = self.named(child), self.named(parent)
            if below != above:
                self._joins.append((below, above))
        body = {"edge": edge.id, "child": child, "event": event, "source": self.source.id}
        name = "subject.unlinked" if undoes and self.event == "A37" else _RECORDS[kind]
        self.record(name, parent, body | ({"undoes": undoes} if undoes else {}))

    def has_edge(self, kind: EdgeKind, child: str, parent: str) -> bool:
        """Say whether two subjects are tied so, this message's own edges included."""
        mine = any(e.kind is kind and (e.child, e.parent) == (child, parent) for e in self._edges)
        return mine or bool(self.state.graph.standing(kind, child, parent))

    def was_undone(self, kind: EdgeKind, child: str, parent: str) -> bool:
        """Say whether somebody took back such an edge between two subjects."""
        return self.state.graph.was_undone(kind, child, parent)

    def add_words(self, subject: str, words: Sequence[tuple[bytes, WordKind]]) -> None:
        """Give the keyed words of a subject's card, unless the same ones were given last time."""
        digest = hash(tuple(words))
        if self.state.words_written.get(subject) != digest:
            self.state.words_written.put(subject, digest)
            self._words |= {(subject, h): kind for h, kind in words}

    def record(self, kind: str, subject: str, body: Mapping[str, object]) -> None:
        """Add a ledger record; ids, codes and counts only."""
        self._records.append(Record(kind, body, self.now_us, subject))

    # --- the result

    def finish(
        self,
        found: Whom,
        *,
        refused: Reason | None = None,
        others: Iterable[str] = (),
        card: str = "",
    ) -> Resolution:
        """Make the resolution of the answer a message is led by, and let other messages see what it brings.

        Args:
            refused: of the whole message, in the place of what ``found`` says.
        """
        own = SubjectRows(
            tuple(self._subjects.values()),
            tuple(self._identifiers.values()),
            tuple(self._edges),
            tuple((s, h, k) for (s, h), k in self._words.items()),
            tuple(self._establish),
        )
        subject, named = self.effective(found.subject), self.named(found.own or found.subject)
        rest = unique_subjects(self.effective(o) for o in others)
        borrowed_subjects = tuple(s for o in self._opens for s in o.rows.subjects)
        borrowed_ids = tuple(i for o in self._opens for i in o.rows.identifiers)
        rows = SubjectRows(
            borrowed_subjects + own.subjects,
            borrowed_ids + own.identifiers,
            own.edges,
            own.words,
            own.establish,
        )
        writes = any((rows.subjects, rows.identifiers, rows.edges, rows.words, rows.establish))
        ticket = self.state.ticket() if writes else 0
        for known, count in Counter(i.subject for i in own.identifiers).items():
            if known not in self._subjects:
                self.record("subject.identified", known, {"identifiers": count, "source": self.source.id})
        resolution = Resolution(
            subject,
            named,
            found.kind,
            refused or found.refused,
            tuple(o for o in rest if o != subject),
            card,
            rows,
            tuple(self._records),
            tuple(self.findings),
            ticket,
        )
        if writes:
            self.state.hand_out(resolution, own, self._opens)
        return resolution


def _follow(subject: str, ties: Iterable[tuple[str, str]]) -> str:
    for below, above in ties:
        if subject == below:
            subject = above
    return subject


def unique_subjects(subjects: Iterable[str]) -> list[str]:
    """Drop repeats, keep order."""
    return list(dict.fromkeys(subjects))
