"""The part of the inventory that a batch of statements is about, in memory: endpoints, their marks, who held which address.

Rules:
- Nothing is compared across realms but claims and cards.
- An endpoint that was joined lives on as another: ``root`` finds it; what it had keeps it as ``origin``, so that a join can be undone.
- Bounded: an endpoint keeps ``MARKS_MAX`` marks of a kind; the one not heard of for longest gives way.

Deliberately absent: the database (``sql``), and every rule of who is whom (``resolving``).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from hashlib import sha256
from itertools import islice
from operator import attrgetter

from oathward.discovery.model import Mark, MarkKind
from oathward.endpoints.flooding import News
from oathward.endpoints.model import ConflictKind, ConflictRow, Held, Lease, MergeRow, RelationRow

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US

SKEW_US = 5 * MINUTE_US
"""So far may the clocks of two sensors be apart: an address is its holder's this long before it was first seen."""

HOLD_US = 14 * DAY_US
"""An address nobody else was seen with is still its last holder's for this long."""

REPLACED_AFTER_US = DAY_US
"""A card was silent for this long before another with the same claim is its replacement."""

MARKS_MAX = 32
"""Marks of one kind that an endpoint keeps."""

COMMON_MAX = 64
"""Of a mark that many have, so many of them are looked at: it tells nobody from anybody anyway."""

Key = tuple[MarkKind, str, str]
"""Kind, scope (realm, or the parent something is behind; empty for claims), value."""

_BY_START = attrgetter("from_us")


class Known:
    """One endpoint while statements are resolved.

    ``first_us``, ``last_us``: when it was first and last heard; 0 for one that stands in lists alone. ``began_us``, ``spoke_us``: when it first and last spoke itself, by card or address; 0 where only lists or others spoke of it.
    """

    __slots__ = (
        *("id", "sort", "first_us", "last_us", "began_us", "spoke_us", "realm", "segment", "segment_us", "parent", "merged"),
        *("marks", "leases", "attributes", "is_new", "kept_whole", "dirty_marks", "gone_marks", "dirty_attributes", "facts", "touched", "serials"),
    )  # fmt: skip

    def __init__(self, id_: str, *, is_new: bool) -> None:
        self.id, self.is_new, self.touched = id_, is_new, is_new
        self.sort, self.realm, self.segment, self.parent, self.merged = "network", "", "", "", ""
        self.first_us = self.last_us = self.began_us = self.spoke_us = self.segment_us = 0
        self.kept_whole = False  # a person's merge: no rule takes it apart
        self.marks: dict[Key, Held] = {}
        self.leases: dict[tuple[str, str], Lease] = {}
        self.dirty_marks: set[Key] = set()
        self.gone_marks: set[Key] = set()
        self.facts: dict[tuple[str, str, str], list[float]] = {}
        self.serials = set[str]()  # that lists said before, where its number may be in dispute

    def values(self, kind: MarkKind) -> list[tuple[Key, Held]]:
        """Give its marks of one kind."""
        return [(key, held) for key, held in self.marks.items() if key[0] is kind]

    @property
    def is_bare(self) -> bool:
        """Whether an address is all it ever showed."""
        return not self.marks and bool(self.leases)

    @property
    def is_silent(self) -> bool:
        """Whether it never spoke itself: it stands in lists alone."""
        return not self.spoke_us


class Picture:
    """What is known around one batch; ``resolving`` changes it, ``actions`` writes what changed.

    ``disputed``: numbers of the site that one list gives two devices. ``may_join``: whether two that are known may become one by it.
    ``late_us``: when the last flow was seen whose sums were kept. ``late``: leases (``id()``) that a card is known to have begun no later than that.
    """

    def __init__(self, make_id: Callable[[int], str], disputed: frozenset[str] = frozenset()) -> None:
        self.make_id, self.disputed = make_id, disputed
        self.may_join = True
        self.known: dict[str, Known] = {}
        self.index: dict[tuple[MarkKind, str], dict[str, None]] = {}
        self.leases: dict[tuple[str, str], list[Lease]] = {}
        self.changed_leases: dict[int, Lease] = {}
        self.gone_leases: list[Lease] = []
        self.apart: set[frozenset[str]] = set()
        self.conflicts: dict[str, ConflictRow] = {}
        self.joins: list[MergeRow] = []
        self.relations: dict[str, dict[str, RelationRow]] = {}
        self.voices: dict[
            str, int
        ] = {}  # for how many others an endpoint spoke, of those that statements came through
        self.changed_relations: set[tuple[str, str]] = set()
        self.fronting: set[tuple[str, str]] = set()
        self.room = 0
        self.late_us, self.late = 0, set[int]()
        self.news = News()
        self.counts: dict[str, int] = dict.fromkeys(
            ("statements", "new", "known", "joined", "unclear", "empty", "refused", "held", "records"), 0
        )

    # --- loading

    def put(self, known: Known) -> None:
        """Take in an endpoint with its marks, as it stands in the database."""
        self.known[known.id] = known
        for key, held in known.marks.items():
            self._point(key, known.id)
            if held.fronts:
                self.fronting.add((key[1], key[2]))

    def put_lease(self, lease: Lease) -> None:
        """Take in an address as somebody had it."""
        rows = self.leases.setdefault((lease.realm, lease.address), [])
        rows.insert(bisect_right(rows, lease.from_us, key=_BY_START), lease)
        known = self.known.get(lease.endpoint)
        if known is not None:
            last = known.leases.get((lease.realm, lease.address))
            if last is None or last.from_us <= lease.from_us:
                known.leases[lease.realm, lease.address] = lease

    # --- asking

    def root(self, id_: str) -> Known | None:
        """Find an endpoint, or what it became part of; None where neither was loaded."""
        known = self.known.get(id_)
        while known is not None and known.merged:
            known = self.known.get(known.merged)
        return known

    def having(self, kind: MarkKind, value: str) -> list[Known]:
        """Give the endpoints that have a mark, whoever had it first at the front."""
        found: dict[str, Known] = {}
        for id_ in islice(self.index.get((kind, value), ()), COMMON_MAX):
            known = self.root(id_)
            if known is not None:
                found[known.id] = known
        return list(found.values())

    def named(self, mark: Mark, scope: str) -> list[Known]:
        """Give the endpoints that have a name in a scope."""
        key = (mark.kind, scope, mark.value)
        return [one for one in self.having(mark.kind, mark.value) if key in one.marks]

    def holder(self, realm: str, address: str, at_us: int) -> Known | None:
        """Say who held an address then; None where nobody is known to."""
        rows = self.leases.get((realm, address))
        if not rows:
            return None
        at = bisect_right(rows, at_us, key=_BY_START) - 1
        if at < 0:
            return self.root(rows[0].endpoint) if rows[0].from_us - at_us <= SKEW_US else None
        row = rows[at]
        return self.root(row.endpoint) if at_us - row.until_us <= HOLD_US else None

    def next_holder(self, realm: str, address: str, at_us: int) -> Known | None:
        """Say who was seen with an address first, soon after a time when nobody is known to have had it: what was read late is theirs."""
        rows = self.leases.get((realm, address))
        return self.root(rows[0].endpoint) if rows and 0 < rows[0].from_us - at_us <= DAY_US else None

    def beside(self, realm: str, address: str, at_us: int) -> list[Lease]:
        """Give who held an address last before a time, and who first after it."""
        rows = self.leases.get((realm, address), [])
        at = bisect_right(rows, at_us, key=_BY_START)
        return rows[max(0, at - 1) : at + 1]

    def are_apart(self, one: Known, other: Known) -> bool:
        """Whether a person said that these are two."""
        return frozenset((one.id, other.id)) in self.apart

    # --- changing

    def new(self, at_us: int, sort: str = "network") -> Known:
        """Begin an endpoint."""
        known = Known(self.make_id(at_us), is_new=True)
        known.sort = sort
        self.known[known.id] = known
        self.counts["new"] += 1
        return known

    def mark(self, known: Known, key: Key, at_us: int) -> Held:
        """Note that an endpoint showed a mark."""
        held = known.marks.get(key)
        if held is None:
            held = known.marks[key] = Held(at_us, at_us, origin=known.id)
            self._point(key, known.id)
            self._bound(known, key)
        elif held.first_us <= at_us <= held.last_us:
            return held
        else:
            held.first_us, held.last_us = min(held.first_us, at_us), max(held.last_us, at_us)
        known.dirty_marks.add(key)
        return held

    def unmark(self, known: Known, key: Key) -> None:
        """Take a mark from an endpoint."""
        if known.marks.pop(key, None) is not None:
            known.gone_marks.add(key)
            known.dirty_marks.discard(key)
            known.touched = True

    def lease(self, known: Known, realm: str, address: str, at_us: int, mac: str = "") -> Lease:
        """Note that an endpoint spoke from an address: its lease grows, or a new one begins. Gives the lease."""
        rows = self.leases.setdefault((realm, address), [])
        at = bisect_right(rows, at_us, key=_BY_START)
        before, after = (rows[at - 1] if at else None), (rows[at] if at < len(rows) else None)
        if before is not None and self.root(before.endpoint) is known and at_us - before.until_us <= HOLD_US:
            if at_us > before.until_us:
                before.until_us = at_us
                self.leased(before)
            row = before
        elif after is not None and self.root(after.endpoint) is known and after.from_us - at_us <= HOLD_US:
            after.from_us = at_us  # what came late belongs to the same lease
            self.leased(after)
            row = after
        else:
            row = Lease(realm, address, at_us, at_us, known.id, mac, known.id, self.make_id(at_us))
            rows.insert(at, row)
            self.leased(row)
        if mac and not row.mac:
            row.mac = mac
            self.leased(row)
        current = known.leases.get((realm, address))
        if current is None or current.from_us <= row.from_us:
            known.leases[realm, address] = row
        return row

    def release(self, known: Known, lease: Lease) -> None:
        """Take an address from an endpoint, as if it had never had it."""
        rows = self.leases.get((lease.realm, lease.address), [])
        self.leases[lease.realm, lease.address] = [row for row in rows if row is not lease]
        known.leases.pop((lease.realm, lease.address), None)
        self.changed_leases.pop(id(lease), None)
        self.gone_leases.append(lease)
        known.touched = True

    def join(self, into: Known, gone: Known, at_us: int, why: str) -> Known:
        """Make one endpoint part of another; gives the one that stays: the elder, or the one that stands in the database."""
        if (gone.is_new, gone.first_us) < (into.is_new, into.first_us):
            into, gone = gone, into
        for key, held in gone.marks.items():
            held.origin = into.id if gone.is_new else held.origin
            mine = into.marks.get(key)
            if mine is None:
                into.marks[key] = held
            else:
                mine.first_us, mine.last_us = (
                    min(mine.first_us, held.first_us),
                    max(mine.last_us, held.last_us),
                )
            into.dirty_marks.add(key)
        for where, lease in gone.leases.items():
            into.leases.setdefault(where, lease)
        for fact, seen in gone.facts.items():
            into.facts.setdefault(fact, seen)
        into.serials |= gone.serials
        self._join_relations(into, gone)
        _widen(into, gone)
        gone.merged, gone.touched, into.touched = into.id, True, True
        self.apart |= {frozenset((into.id, *(pair - {gone.id}))) for pair in self.apart if gone.id in pair}
        self.counts["joined"] += 1
        if gone.is_new:
            self.counts["new"] -= 1
        else:
            self.joins.append(MergeRow(self.make_id(at_us), "merge", into.id, gone.id, at_us, "rule", why))
        return into

    def _join_relations(self, into: Known, gone: Known) -> None:
        """Let who was joined be heard through all that both were, and what was heard through the one through the other."""
        rows = self.relations.setdefault(into.id, {})
        for id_, row in self.relations.get(gone.id, {}).items():
            new = into.id if id_ == gone.id else id_
            was = rows.get(new, row)
            kind = "itself" if new == into.id else "behind"
            rows[new] = RelationRow(
                kind, into.id, new, min(row.first_us, was.first_us), max(row.last_us, was.last_us)
            )
            self.changed_relations.add((into.id, new))
        self.voices[into.id] = self.voices.get(into.id, 0) + self.voices.pop(gone.id, 0)

    def conflict(self, one: Known, other: Known | None, kind: MarkKind, at_us: int) -> None:
        """Note that marks contradict each other."""
        if other is not None and self.are_apart(one, other):
            return  # a person has said what is so
        first, second = (one.id, other.id if other is not None else "")
        if second and second < first:
            first, second = second, first
        what = ConflictKind.NAME_TWICE if second and kind is MarkKind.HOST else ConflictKind.CLAIMED_TWICE
        named = f"{what.value}|{first}|{second}|{kind.value}"
        id_ = sha256(named.encode()).hexdigest()[:32]
        known = self.conflicts.get(id_)
        if known is None:
            self.conflicts[id_] = ConflictRow(id_, what.value, first, second, kind.value, at_us, at_us)
            for touched in (one, other):
                if touched is not None:
                    touched.touched = True
        else:
            self.conflicts[id_] = ConflictRow(
                *(id_, known.kind, first, second, kind.value),
                *(min(known.first_us, at_us), max(known.last_us, at_us), known.times + 1),
            )

    def behind(self, child: Known, parent: Known, at_us: int) -> None:
        """Note that one was heard through another, or spoke for itself."""
        rows = self.relations.setdefault(child.id, {})
        row = rows.get(parent.id)
        if row is None and child is not parent:
            self.voices[parent.id] = self.voices.get(parent.id, 0) + 1
        if row is None or not row.first_us <= at_us <= row.last_us:
            first, last = (
                (at_us, at_us) if row is None else (min(row.first_us, at_us), max(row.last_us, at_us))
            )
            kind = "itself" if child is parent else "behind"
            rows[parent.id] = RelationRow(kind, child.id, parent.id, first, last)
            self.changed_relations.add((child.id, parent.id))
        if child is not parent:
            child.parent, child.touched = parent.id, True

    def settle(self) -> None:
        """Say conflicts and parents of the endpoints that are left after all joins."""
        found, self.conflicts = list(self.conflicts.values()), {}
        for row in found:
            one, other = self.root(row.endpoint), self.root(row.other) if row.other else None
            if one is None or one is other:
                continue
            if {row.endpoint, row.other} == {one.id, other.id if other is not None else ""}:
                self.conflicts[row.id] = row
            else:
                self.conflict(one, other, MarkKind(row.mark), row.last_us)
        for known in self.known.values():
            above = self.root(known.parent) if known.parent else None
            if above is not None:
                known.parent = (
                    above.id if above is not known else ""
                )  # it became one with the one it was heard through

    def touched(self) -> Iterable[Known]:
        """Give every endpoint that changed."""
        return (
            one
            for one in self.known.values()
            if one.touched or one.dirty_marks or one.gone_marks or one.facts
        )

    def written_leases(self) -> dict[str, list[Lease]]:
        """Give the leases that changed, by the endpoint that has them after all joins."""
        found: dict[str, list[Lease]] = {}
        for lease in self.changed_leases.values():
            known = self.root(lease.endpoint)
            if known is not None:
                first = self.known.get(lease.origin)
                if first is not None and first.is_new and first.merged:
                    lease.origin = known.id
                lease.endpoint = known.id
                found.setdefault(known.id, []).append(lease)
        return found

    def _point(self, key: Key, id_: str) -> None:
        self.index.setdefault((key[0], key[2]), {}).setdefault(id_)

    def _bound(self, known: Known, key: Key) -> None:
        same = known.values(key[0]) if len(known.marks) > MARKS_MAX else []
        if len(same) > MARKS_MAX:
            oldest = min((one for one in same if one[0] != key), key=lambda one: one[1].last_us)
            self.unmark(known, oldest[0])

    def leased(self, lease: Lease) -> None:
        """Note that a lease changed."""
        self.changed_leases[id(lease)] = lease
        known = self.known.get(lease.endpoint)
        if known is not None:
            known.touched = True


def _widen(into: Known, gone: Known) -> None:
    into.first_us = min(into.first_us or gone.first_us, gone.first_us or into.first_us)
    into.last_us = max(into.last_us, gone.last_us)
    if gone.began_us:
        into.began_us = min(into.began_us or gone.began_us, gone.began_us)
    if gone.spoke_us > into.spoke_us:
        into.spoke_us, into.realm, into.segment = gone.spoke_us, gone.realm, gone.segment or into.segment
    into.parent = into.parent or gone.parent
    into.kept_whole = into.kept_whole or gone.kept_whole
