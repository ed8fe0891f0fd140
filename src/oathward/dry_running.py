"""A dry run: the ledger's recorded decisions of some days, decided again under another bundle.

Rules:
- Read in blocks, each in a transaction of its own; what is remembered is bounded, whatever the ledger's size.
- Equal decisions (the same facts, the same answers) are decided once, within the time in which no date is crossed.
- Decided at each record's own time, with the consents that were recorded then; a patient who has said something since
  is counted apart.
- Facts that are gone, never were there or are of another version make a decision undecided, never unchanged.

Deliberately absent: what is otherwise (``policy.dry_run``), and putting anything in force.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Engine

from oathward import ledger
from oathward.consent import views as consents
from oathward.core.db import read
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.deid.profile import Profile, load_profiles
from oathward.ledger import Query, decided, scan
from oathward.ledger.postings import collector_paused
from oathward.policy.bundle import Bundle
from oathward.policy.dry_run import Answered, Comparison, Effect, Recorded, Side, undecidable, wire_of
from oathward.policy.dry_run_sums import DryRun, Sums
from oathward.policy.memo import Memo
from oathward.policy.model import Facts

Progress = Callable[[int, int], bool | None]
"""Told how many records of how many were read; ``False`` ends the run."""

DAY_US = 86_400_000_000
_BLOCK = 4_096
_ACCEPTED = ("message.accepted",)
_EFFECTS_MAX = 65_536
_ACTIVATIONS_MAX = 1_000


class _Row(NamedTuple):
    """What a dry run takes of one record."""

    at_us: int
    subject: str
    device: str
    bundle: str
    key: bytes
    answers: tuple[Answered, ...]
    partial: bool
    type: str


def side_of(bundle: Bundle) -> Side:
    """Give a bundle with what its profiles do to each class.

    Raises:
        PolicyError: a profile cannot be read.
    """
    return Side(bundle, {name: _actions(one) for name, one in load_profiles(bundle.profiles).items()})


def dry_run(
    db_engine: Engine,
    site: str,
    before: Bundle,
    after: Bundle,
    *,
    since_us: int,
    until_us: int,
    progress: Progress | None = None,
) -> DryRun:
    """Decide what was decided in a span of time again, under another bundle.

    Args:
        before: the one in force. Neither should be a process's own active one: they remember what they are asked.
        since_us, until_us: the first inclusive, the second not; the second is also the time of the run.

    Raises:
        InputError: it was ended by ``progress``.
        StorageError: the ledger cannot be read.
    """
    run = _Run(db_engine, site, Comparison(side_of(before), side_of(after), until_us), since_us, until_us)
    with read(db_engine) as db:
        start, stop = decided.first_since(db, site, since_us), ledger.head(db, site).size
        named = ledger.search(db, site, Query(kind="bundle.activated"), limit=_ACTIVATIONS_MAX)
        run.said_since = consents.said_since(db, site, since_us)
    run.labels = {str(e.body["bundle"]) for e in named if e.body.get("digest") == before.digest.hex()}
    for low in range(start, stop, _BLOCK):
        if progress is not None and progress(low - start, stop - start) is False:
            raise InputError("dry run", "was ended before it was done", reason=Reason.CONFLICT)
        with collector_paused():
            run.block(low, min(stop, low + _BLOCK))
    if progress is not None:
        progress(stop - start, stop - start)
    return run.sums.close(
        before=before.digest.hex(),
        after=after.digest.hex(),
        since_us=since_us,
        until_us=until_us,
        older=run.older,
        removed_records=run.removed,
    )


class _Run:
    """One run under way: what is remembered, and what was counted."""

    def __init__(
        self, engine: Engine, site: str, comparison: Comparison, since_us: int, until_us: int
    ) -> None:
        self._engine, self._site, self._comparison = engine, site, comparison
        self._since_us, self._until_us = since_us, until_us
        self._effects: Memo[tuple[object, ...], Effect] = Memo(_EFFECTS_MAX)
        self.sums = Sums()
        self.older = self.removed = 0
        self.labels: set[str] = set()
        self.said_since: Mapping[str, int] = {}

    def block(self, start: int, stop: int) -> None:
        """Count the records of one range."""
        with read(self._engine) as db:
            stored = scan.between(db, self._site, start, stop, _ACCEPTED)
            self.removed += decided.removed_between(db, self._site, start, stop)
            rows = [self._row(one) for one in stored if self._since_us <= one[2] < self._until_us]
            new = {row.key for row in rows if row.key and self._known(row) is None}
            bodies = decided.facts(db, self._site, new) if new else {}
        add, messages = self.sums.add, 0
        for row in rows:
            effect = self._known(row) or self._decided(row, bodies)
            said_us = self.said_since.get(row.subject)
            add(effect, row.device, row.subject, moved_on=said_us is not None and said_us > row.at_us)
            self.older += row.bundle not in self.labels
            messages += not row.partial
        self.sums.counts["messages"] += messages

    @staticmethod
    def _row(stored: Sequence[Any]) -> _Row:
        entry = orjson.loads(stored[4])
        body = entry["body"]
        answers = tuple(_answered(answer) for answer in body["answers"])
        facts = body["facts"]
        key = bytes.fromhex(facts[0]) if facts else b""
        release = "release" in body
        return _Row(
            stored[2], entry["subject"], body["device"], body["bundle"], key, answers, release, body["type"]
        )

    def _known(self, row: _Row) -> Effect | None:
        found = self._effects.get((row.key, row.answers, row.partial))
        return found if found is not None and found.since_us <= row.at_us < found.until_us else None

    def _decided(self, row: _Row, bodies: Mapping[bytes, bytes | None]) -> Effect:
        """Decide one again, and remember it."""
        effect = self._effect(row, bodies)
        self._effects.put((row.key, row.answers, row.partial), effect)
        return effect

    def _effect(self, row: _Row, bodies: Mapping[bytes, bytes | None]) -> Effect:
        if row.key not in bodies:
            return undecidable("facts")
        body = bodies[row.key]
        if body is None:
            return undecidable("removed")
        try:
            facts = Facts.from_body(body)
        except ValueError:
            return undecidable("version")
        recorded = Recorded(row.answers, wire_of(row.type), row.partial)
        return self._comparison.effect(facts, recorded, row.at_us)


def _answered(answer: Sequence[Any]) -> Answered:
    """Take an answer as its record has it; ids of what was sent are each message's own."""
    word = answer[1]
    return Answered(answer[0], word, str(answer[2]) if word != "permit" and len(answer) > 2 else "")


def _actions(profile: Profile) -> dict[str, str]:
    """Say what a profile does to each class of which anything stays, parameters and all."""
    more = {action: repr(sorted(parameters)) for action, parameters in profile.parameters}
    return {cls: f"{act} {more.get(act, '')}".rstrip() for cls, act in profile.actions if act != "remove"}
