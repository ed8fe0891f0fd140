"""What a dry run found, summed: by link, by device and kind of device, with the share that could not be decided again.

Rules:
- Every record counts once: undecided, else changed, else moved on (its patient has said something since), else unchanged.
- Subjects are counted and never named; past a limit the count is *at least*.
- Memory and the body are bounded: past ``DEVICES_MAX`` devices a link, the rest is one sum; kinds are always whole.
- The body is canonical JSON; its digest is what a proposal names.

Deliberately absent: words (``dry_run_words``).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import orjson

from oathward.policy.dry_run import Change, Effect

FORM = 1
DEVICES_MAX = 500
SUBJECTS_MAX = 200_000
MOVES = ("newly_allowed", "newly_denied", "newly_held", "no_longer_held")
KINDS = (
    *MOVES,
    "classes_more",
    "classes_less",
    "observations_more",
    "observations_less",
    "reshaped",
    "dated",
)
"""What is counted of a change, in this order: the answer, then what of the message leaves, then by dates alone."""


@dataclass(frozen=True, slots=True)
class LinkSums:
    """What would be otherwise on one link: decisions by ``KINDS``, and classes with how many messages they are in."""

    link: str
    counts: Mapping[str, int]
    more: Mapping[str, int]
    less: Mapping[str, int]
    reasons: Mapping[str, int]
    subjects: int
    subjects_at_least: bool
    kinds: Mapping[str, Mapping[str, int]]
    devices: tuple[tuple[str, str, Mapping[str, int]], ...]
    devices_left_out: int


@dataclass(frozen=True, slots=True)
class DryRun:
    """The result of a dry run.

    ``before``, ``after``: digests of the two bundles. ``decisions``: records decided again; ``messages``: of these,
    those that are a message of their own, and no part or release. ``older``: labelled under another bundle than the
    one in force. ``moved_on``: the same answer, but the patient has said something since. ``otherwise_then``: link →
    answers that the bundle in force would not give any more. ``removed_records``: of the time, whatever they were.
    """

    before: str
    after: str
    since_us: int
    until_us: int
    decisions: int
    messages: int
    changed: int
    unchanged: int
    moved_on: int
    undecided: int
    causes: Mapping[str, int]
    links_undecided: Mapping[str, int]
    otherwise_then: Mapping[str, int]
    older: int
    removed_records: int
    links: tuple[LinkSums, ...]

    def body(self) -> bytes:
        """Canonical JSON: sorted keys, no value of any message."""
        row = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "links"}
        row["links"] = [{name: getattr(one, name) for name in one.__dataclass_fields__} for one in self.links]
        return orjson.dumps({**row, "form": FORM}, option=orjson.OPT_SORT_KEYS)

    @classmethod
    def from_body(cls, body: bytes) -> Self:
        """Invert ``body``.

        Raises:
            ValueError: it is something else.
        """
        try:
            row = orjson.loads(body)
            if row.pop("form") != FORM:
                raise ValueError("not a dry run of this form")
            links = tuple(
                LinkSums(**{**one, "devices": tuple((a, b, c) for a, b, c in one["devices"])})
                for one in row.pop("links")
            )
            return cls(**row, links=links)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("not a dry run of this form") from error

    @property
    def digest(self) -> bytes:
        """SHA-256 of the body."""
        return hashlib.sha256(self.body()).digest()

    @property
    def undecided_share(self) -> float:
        """The share that could not be decided again, of all; removed records are not counted in."""
        return self.undecided / self.decisions if self.decisions else 0.0


class Subjects:
    """How many different subjects there are, up to ``SUBJECTS_MAX``: hashes of them, and no names."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def add(self, subject: str) -> None:
        """Count one more, unless it was seen."""
        if len(self._seen) < SUBJECTS_MAX and subject:
            self._seen.add(hash(subject))

    def __len__(self) -> int:
        return len(self._seen)


@dataclass(slots=True)
class _Link:
    more: Counter[str] = field(default_factory=Counter)
    less: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    kinds: dict[str, Counter[str]] = field(default_factory=dict)
    devices: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    subjects: Subjects = field(default_factory=Subjects)
    left_out: set[int] = field(default_factory=set)


class Group:
    """Equal recorded decisions of one device, counted: their effect holds from ``since_us`` up to ``until_us``.

    ``moved_on``: of the count, those whose patients have said something since. ``subjects``: where theirs are counted.
    """

    __slots__ = ("count", "device", "effect", "moved_on", "since_us", "subjects", "until_us")

    def __init__(self, effect: Effect, device: str, subjects: tuple[Subjects, ...]) -> None:
        self.effect, self.device, self.subjects = effect, device, subjects
        self.since_us, self.until_us = effect.since_us, effect.until_us
        self.count = self.moved_on = 0


class Sums:
    """Count groups of equal decisions; ``close`` gives what they come to."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.causes: Counter[str] = Counter()
        self.links_undecided: Counter[str] = Counter()
        self.otherwise_then: Counter[str] = Counter()
        self.messages = 0
        self._links: dict[str, _Link] = {}

    def group(self, effect: Effect, device: str) -> Group:
        """Begin a group; ``add`` takes it in, once."""
        links = [self._links.setdefault(change.link, _Link()) for change in effect.changes]
        return Group(effect, device, tuple(link.subjects for link in links) if effect.known else ())

    def add(self, group: Group) -> None:
        """Take a group in."""
        effect, count = group.effect, group.count
        self.counts["decisions"] += count
        for link in effect.moved:
            self.otherwise_then[link] += count
        for change in effect.changes:
            self._change(change, group)
        if effect.undecided:
            self.counts["undecided"] += count
            for cause in {cause for _, cause in effect.undecided}:
                self.causes[cause] += count
            for link, _ in effect.undecided:
                self.links_undecided[link] += count if link else 0
        elif effect.changes:
            self.counts["changed"] += count
        else:
            self.counts["moved_on"] += group.moved_on
            self.counts["unchanged"] += count - group.moved_on

    def _change(self, change: Change, group: Group) -> None:
        sums, kind, device = self._links[change.link], group.effect.kind, group.device
        kinds = dict.fromkeys(kinds_of(change), group.count)
        sums.kinds.setdefault(kind, Counter()).update(kinds)
        if (device, kind) in sums.devices or len(sums.devices) < DEVICES_MAX:
            sums.devices.setdefault((device, kind), Counter()).update(kinds)
        elif len(sums.left_out) < SUBJECTS_MAX:
            sums.left_out.add(hash(device))
        sums.more.update(dict.fromkeys(change.more, group.count))
        sums.less.update(dict.fromkeys(change.less, group.count))
        sums.reasons.update(dict.fromkeys(change.reasons, group.count))

    def close(
        self, *, before: str, after: str, since_us: int, until_us: int, older: int, removed_records: int
    ) -> DryRun:
        """Give the result."""
        counts = self.counts
        return DryRun(
            before,
            after,
            since_us,
            until_us,
            counts["decisions"],
            self.messages,
            counts["changed"],
            counts["unchanged"],
            counts["moved_on"],
            counts["undecided"],
            dict(self.causes),
            dict(+self.links_undecided),
            dict(self.otherwise_then),
            older,
            removed_records,
            tuple(
                _closed(link, self._links[link]) for link in sorted(self._links) if self._links[link].kinds
            ),
        )


def kinds_of(change: Change) -> list[str]:
    """Say what of ``KINDS`` a change is."""
    old, new = change.old, change.new
    found = []
    if old != new:
        if new == "permit":
            found.append("newly_allowed")
        elif old == "permit" and new != "hold":
            found.append("newly_denied")
        elif new == "hold":
            found.append("newly_held")
        elif old == "hold":
            found.append("no_longer_held")
    found += ["classes_more"] * bool(change.more) + ["classes_less"] * bool(change.less)
    if change.codes:
        found.append("observations_more" if change.codes > 0 else "observations_less")
    return found + ["reshaped"] * change.reshaped + ["dated"] * change.dated


def _closed(name: str, sums: _Link) -> LinkSums:
    total: Counter[str] = Counter()
    for one in sums.kinds.values():
        total.update(one)
    return LinkSums(
        name,
        dict(total),
        dict(sums.more),
        dict(sums.less),
        dict(sums.reasons),
        len(sums.subjects),
        len(sums.subjects) >= SUBJECTS_MAX,
        {kind: dict(one) for kind, one in sums.kinds.items()},
        tuple((device, kind, dict(sums.devices[device, kind])) for device, kind in sorted(sums.devices)),
        len(sums.left_out),
    )
