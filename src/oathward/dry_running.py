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

from collections.abc import Callable, Mapping
from typing import Any

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
from oathward.policy.dry_run_sums import DryRun, Group, Sums
from oathward.policy.model import Facts

Progress = Callable[[int, int], bool | None]
"""Told how many records of how many were read; ``False`` ends the run."""

DAY_US = 86_400_000_000
_BLOCK = 4_096
_ACCEPTED = ("message.accepted",)
_GROUPS_MAX = 65_536
_ACTIVATIONS_MAX = 1_000


_Key = tuple[str, bool, tuple[tuple[str, ...], ...]]
"""What makes two recorded decisions equal: their facts, whether they are a release, and their answers less ids."""


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
    with collector_paused():
        for low in range(start, stop, _BLOCK):
            if progress is not None and progress(low - start, stop - start) is False:
                raise InputError("dry run", "was ended before it was done", reason=Reason.CONFLICT)
            run.block(low, min(stop, low + _BLOCK))
    run.finish()
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
        self._groups: dict[_Key, Group] = {}
        self.sums = Sums()
        self.older = self.removed = 0
        self.labels: set[str] = set()
        self.said_since: Mapping[str, int] = {}

    def block(self, start: int, stop: int) -> None:
        """Count the records of one range."""
        new: list[tuple[_Key, int, dict[str, Any]]] = []
        with read(self._engine) as db:
            for stored in scan.between(db, self._site, start, stop, _ACCEPTED):
                at_us = stored[2]
                if self._since_us <= at_us < self._until_us:
                    entry = orjson.loads(stored[4])
                    body = entry["body"]
                    key = _key(body)
                    group = self._groups.get(key)
                    if group is not None and group.since_us <= at_us < group.until_us:
                        self._count(group, at_us, entry)
                    else:
                        new.append((key, at_us, entry))
            self.removed += decided.removed_between(db, self._site, start, stop)
            bodies = decided.facts(db, self._site, {bytes.fromhex(key[0]) for key, _, _ in new if key[0]})
        for key, at_us, entry in new:
            self._count(self._group(key, at_us, entry, bodies), at_us, entry)

    def finish(self) -> None:
        """Take what is still counted by equal ones into the sums."""
        for group in self._groups.values():
            self.sums.add(group)
        self._groups.clear()

    def _count(self, group: Group, at_us: int, entry: Mapping[str, Any]) -> None:
        subject, body = entry["subject"], entry["body"]
        group.count += 1
        if self.said_since and self.said_since.get(subject, 0) > at_us:
            group.moved_on += 1
        for seen in group.subjects:
            seen.add(subject)
        if body["bundle"] not in self.labels:
            self.older += 1
        if "release" not in body and "." not in entry["message"]:
            self.sums.messages += 1

    def _group(
        self, key: _Key, at_us: int, entry: Mapping[str, Any], bodies: Mapping[bytes, bytes | None]
    ) -> Group:
        """Give the group of equal ones, decided again where there is none of this time."""
        group = self._groups.get(key)
        if group is not None and group.since_us <= at_us < group.until_us:
            return group
        if group is not None:
            self.sums.add(group)
        if len(self._groups) >= _GROUPS_MAX:
            self.finish()
        body = entry["body"]
        effect = self._effect(key, body["type"], at_us, bodies)
        group = self._groups[key] = self.sums.group(effect, body["device"])
        return group

    def _effect(self, key: _Key, type_: str, at_us: int, bodies: Mapping[bytes, bytes | None]) -> Effect:
        digest = bytes.fromhex(key[0])
        if digest not in bodies:
            return undecidable("facts")
        body = bodies[digest]
        if body is None:
            return undecidable("removed")
        try:
            facts = Facts.from_body(body)
        except ValueError:
            return undecidable("version")
        answers = tuple(Answered(*answer) for answer in key[2])
        return self._comparison.effect(facts, Recorded(answers, wire_of(type_), key[1]), at_us)


def _key(body: Mapping[str, Any]) -> _Key:
    """Take a record's answers less what is each message's own: ids of what was sent, and counts."""
    answers = tuple([(a[0], "permit") if a[1] == "permit" else (a[0], a[1], a[2]) for a in body["answers"]])
    facts = body["facts"]
    return facts[0] if facts else "", "release" in body, answers


def _actions(profile: Profile) -> dict[str, str]:
    """Say what a profile does to each class of which anything stays, parameters and all."""
    more = {action: repr(sorted(parameters)) for action, parameters in profile.parameters}
    return {cls: f"{act} {more.get(act, '')}".rstrip() for cls, act in profile.actions if act != "remove"}
