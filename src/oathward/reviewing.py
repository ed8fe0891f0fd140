"""A policy review of a site: words and uses out of inventory and ledger, the findings of the bundle in force, kept.

Rules:
- Uses are those of the last 90 days; where the ledger is younger, nothing is called unused.
- Read in blocks, each in a transaction of its own; equal decisions are read once.
- Who let whom in is asked of the ledger as well (``people.doors``), of changes of the last 90 days.
- What was found is taken in by groups; one that was interrupted is taken in again by the next, which says what is gone.

Deliberately absent: the rules (``policy.review``), and when (``app.reviews``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from oathward import activation, ledger
from oathward.activation import Active
from oathward.changes import findings_actions, findings_views
from oathward.changes import views as changes
from oathward.changes.model import ProposalRow
from oathward.core.clock import from_micros, micros
from oathward.core.db import GROUP_ROWS_MAX, read, write
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.inventory import views as inventory
from oathward.jobs import watching
from oathward.ledger import Query, decided, scan
from oathward.ledger.postings import collector_paused
from oathward.people import doors
from oathward.people import views as people
from oathward.policy.bundle import PolicyErrors
from oathward.policy.files import unpack
from oathward.policy.model import Facts
from oathward.policy.review import Known, Uses, review
from oathward.policy.review_findings import ReviewFinding
from oathward.policy.review_links import UNUSED_DAYS, LinkUse
from oathward.vault.opened import Opened

DAY_US = 86_400_000_000
_BLOCK = 4_096
_DIFFERENT_MAX = 200_000
"""Of decisions that are remembered as read; past it they are read again."""

_ACTIVATIONS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What one review came to. ``counts``: findings that are new, open again, gone."""

    label: str
    findings: tuple[ReviewFinding, ...]
    counts: Mapping[str, int]


def run(site: Opened, *, stopped: Callable[[], bool] = lambda: False) -> Reviewed | None:
    """Review the bundle in force and keep what is found; nothing where none is in force.

    Args:
        stopped: asked now and then: whether to end it.

    Raises:
        InputError: it was ended.
        AuthorityError: the bundle in force does not verify.
        StorageError: some of it was not kept.
    """
    with read(site.engine) as db:
        active = activation.load_active(db, site.site, site.authority, site.seen)
    if active is None:
        return None
    now_us = micros(site.clock.now())
    found = findings_of(site, active, now_us, stopped=stopped)
    digest = active.bundle.digest.hex()
    rows = [findings_views.row_of(one, digest, now_us) for one in found]
    counts = Counter[str]()
    for start in range(0, len(rows), GROUP_ROWS_MAX):
        with write(site.engine) as db:
            counts.update(
                findings_actions.take_in(db, site.site, rows[start : start + GROUP_ROWS_MAX], now_us)
            )
    gone = -1
    while gone:
        with write(site.engine) as db:
            gone = findings_actions.let_go(db, site.site, now_us)
        counts["gone"] += gone
    return Reviewed(active.label, tuple(found), {word: counts[word] for word in ("new", "again", "gone")})


def findings_of(
    site: Opened, active: Active, now_us: int, *, stopped: Callable[[], bool] = lambda: False
) -> list[ReviewFinding]:
    """Review a bundle, and who has which role.

    Raises:
        InputError: it was ended.
    """
    uses, seen = uses_of(site, active, now_us, stopped)
    known = _known(site, seen)
    files = unpack(active.bundle.body)
    found = review(active.bundle, files, known, uses, now_us, passes)
    with read(site.engine) as db:
        rows = people.review(db, site.site, now_us, UNUSED_DAYS)
        made = changes.pairs(db, site.site, now_us - doors.DAYS * DAY_US)
        rows += doors.review(db, site.site, made, now_us, provider=bool(site.settings.oidc.issuer))
        late = changes.overdue(db, site.site, now_us)
    found += [_late(row) for row in late]
    found += [ReviewFinding(row.rule, f"{_kind(row.rule)}:{row.about}", row.words) for row in rows]
    return [*found, *_of_jobs(site, active, now_us)]


def look_at_jobs(site: Opened) -> None:
    """Take in what is to be looked at of jobs, as soon as they say it; with or without a policy in force.

    Raises:
        AuthorityError: the bundle in force does not verify.
    """
    with read(site.engine) as db:
        active = activation.load_active(db, site.site, site.authority, site.seen)
    now_us = micros(site.clock.now())
    digest = active.bundle.digest.hex() if active else ""
    rows = [findings_views.row_of(one, digest, now_us) for one in _of_jobs(site, active, now_us)]
    for start in range(0, len(rows), GROUP_ROWS_MAX):
        with write(site.engine) as db:
            findings_actions.take_in(db, site.site, rows[start : start + GROUP_ROWS_MAX], now_us)


def _of_jobs(site: Opened, active: Active | None, now_us: int) -> list[ReviewFinding]:
    named = {one.id for one in active.bundle.projects.values() if one.released_by} if active else set()
    with read(site.engine) as db:
        found = watching.review(db, site.site, named, now_us)
    return [ReviewFinding(one.rule, f"job:{one.job}", one.words, by=one.by) for one in found]


def _kind(rule: str) -> str:
    """Say what a finding about access is about: one person, several (``ID,ID``), or a service."""
    noun = rule.partition(".")[0]
    return noun if noun in {"people", "service"} else "person"


def _late(row: ProposalRow) -> ReviewFinding:
    words = f"Version {row.version} went first, by one person; its assessment was due {from_micros(row.due_us):%Y-%m-%d %H:%M} UTC."
    return ReviewFinding("emergency.overdue", f"proposal:{row.id}", words)


def passes(files: Mapping[str, bytes]) -> bool:
    """Whether files are a bundle that could become active, its own tests included."""
    try:
        activation.tested(activation.check(files))
    except PolicyErrors:
        return False
    return True


@dataclass
class Words:
    """Words that came in messages."""

    kinds: set[str]
    tags: set[str]
    types: set[str]
    devices: set[str]


def uses_of(site: Opened, active: Active, now_us: int, stopped: Callable[[], bool]) -> tuple[Uses, Words]:
    """Read what came and what passed in the last days.

    Raises:
        InputError: it was ended.
    """
    words, uses = Words(set(), set(), set(), set()), Uses()
    since_us = now_us - UNUSED_DAYS * DAY_US
    with read(site.engine) as db:
        start, stop = decided.first_since(db, site.site, since_us), ledger.head(db, site.site).size
        first_us = ledger.entry(db, site.site, 0).at_us if stop else now_us
        activations = ledger.search(db, site.site, Query(kind="bundle.activated"), limit=_ACTIVATIONS_MAX)
    uses.days = min(UNUSED_DAYS, max(0, (now_us - first_us) // DAY_US))
    uses.since_us = {link: _since(activations, link) for link in active.bundle.links if activations}
    done: set[tuple[str, ...]] = set()
    with collector_paused():
        for low in range(start, stop, _BLOCK):
            if stopped():
                raise InputError("review", "was ended before it was done", reason=Reason.CONFLICT)
            _block(site, low, min(stop, low + _BLOCK), since_us, uses, words, done)
    return uses, words


def _since(activations: Iterable[ledger.Entry], link: str) -> int:
    """Say since when a link is in force without a break; the newest activation comes first."""
    since_us = 1 << 62
    for entry in activations:
        if link not in entry.links:
            break
        since_us = entry.at_us
    return since_us


def _block(
    site: Opened, start: int, stop: int, since_us: int, uses: Uses, words: Words, done: set[tuple[str, ...]]
) -> None:
    new: dict[tuple[str, ...], Mapping[str, Any]] = {}
    with read(site.engine) as db:
        for _, _, at_us, _, stored in scan.between(db, site.site, start, stop, ("message.accepted",)):
            if at_us < since_us:
                continue
            entry = orjson.loads(stored)["body"]
            uses.decisions += 1
            permitted = sorted(answer[0] for answer in entry["answers"] if answer[1] == "permit")
            key = (*entry["facts"][:1], *permitted)
            if key not in done:
                new[key] = entry
        bodies = decided.facts(
            db, site.site, {bytes.fromhex(key[0]) for key, one in new.items() if one["facts"]}
        )
    if len(done) > _DIFFERENT_MAX:
        done.clear()
    for key, entry in new.items():
        done.add(key)
        body = bodies.get(bytes.fromhex(key[0])) if entry["facts"] else None
        if body is not None:
            _learn(body, key[1:], uses, words)


def _learn(body: bytes, permitted: Iterable[str], uses: Uses, words: Words) -> None:
    try:
        facts = Facts.from_body(body)
    except ValueError:
        return
    kind, type_, device = facts.device_kind or "", facts.message_type or "", facts.device or ""
    classes, tags = facts.classes_present or frozenset[str](), facts.device_tags or frozenset[str]()
    uses.classes |= classes
    words.kinds.add(kind)
    words.tags |= tags
    words.types.add(type_)
    words.devices.add(device)
    for link in permitted:
        use = uses.links.setdefault(link, LinkUse())
        use.permits += 1
        use.classes |= classes
        use.tags |= tags
        use.types.add(type_)
        use.kinds.add(kind)
        use.devices.add(device)


def _known(site: Opened, seen: Words) -> Known:
    """Give the words that are declared or came; none of a sort where nothing is declared."""
    with read(site.engine) as db:
        devices = [view.device for view in inventory.devices(db, site.site, site.authority, site.seen)]
    if not devices:
        return Known()
    return Known(
        frozenset(seen.kinds | {device.kind for device in devices}) - {""},
        frozenset(seen.tags).union(*(device.tags for device in devices)),
        frozenset(seen.types) - {""},
        frozenset(seen.devices | {device.id for device in devices}) - {""},
    )
