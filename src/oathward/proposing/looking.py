"""Look at a proposal: all that somebody must see before they agree, each file under its digest; and whether it may go on.

Deliberately absent: changing anything but marking what went stale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from oathward import activation
from oathward.activation import Active
from oathward.bundles import changes_between
from oathward.changes import actions, views
from oathward.changes.model import ProposalRow, ProposalState
from oathward.core.clock import micros
from oathward.core.db import read, write
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.policy.bundle import Bundle
from oathward.policy.difference import Change
from oathward.policy.dry_run_sums import DryRun
from oathward.policy.files import unpack
from oathward.policy.memo import Memo
from oathward.policy.requirements import Requirement, missing
from oathward.proposing.register import requirements
from oathward.proposing.waiting import Waiting, waiting

if TYPE_CHECKING:
    from oathward.vault.opened import Opened

BUNDLE, ROLLBACK = "bundle", "rollback"
Proof = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Shown:
    """A proposal with everything that somebody must see before they agree.

    ``waiting``: what waits now on links it touches; nothing once it is decided.
    """

    view: views.ProposalView
    bundle: Bundle
    base: Bundle | None
    changes: tuple[Change, ...]
    requirements: tuple[Requirement, ...]
    dry_run: DryRun | None
    in_force: int
    waiting: tuple[Waiting, ...] = ()

    @property
    def row(self) -> ProposalRow:
        """The proposal itself."""
        return self.view.row

    @property
    def missing(self) -> tuple[Requirement, ...]:
        """What blocks an approval."""
        return missing(self.requirements)

    @property
    def active_us(self) -> int:
        """When it came in force; 0 where it did not."""
        return next((e.at_us for e in self.view.events if e.kind in {"active", "rolled-back"}), 0)

    @property
    def stale(self) -> bool:
        """Whether another version is in force than it starts from."""
        return self.row.state is ProposalState.STALE or (
            self.row.open and self.row.base_version != self.in_force
        )


def in_force(site: Opened) -> Active | None:
    """Give the bundle in force; nothing where none was ever activated."""
    with read(site.engine) as db:
        return activation.load_active(db, site.site, site.authority, site.seen)


def shown(site: Opened, id_: str, *, current: Active | None = None) -> Shown:
    """Give a proposal with everything about it; every file under its digest.

    Args:
        current: what the caller has in force, so that it is not compiled again.

    Raises:
        InputError: ``not-found``.
        StorageError: ``proposal.altered``: a stored file is not what was proposed.
    """
    with read(site.engine) as db:
        active = activation.load_active(db, site.site, site.authority, site.seen, current=current)
        view = views.one(db, site.site, id_)
        row = view.row
        bundle = compiled(views.file(db, site.site, row.body))
        base = compiled(views.file(db, site.site, row.base_body)) if row.base_body else None
        result = DryRun.from_body(views.file(db, site.site, row.dry_run)) if row.dry_run else None
        for one in view.attachments:
            views.file(db, site.site, one.digest)
    changes = told(base, bundle)
    asked = requirements(site, changes, base, bundle) if row.kind == BUNDLE else ()
    waits = waiting(site.engine, changes, result) if row.open else ()
    return Shown(view, bundle, base, changes, asked, result, active.version if active else 0, waits)


@lru_cache(maxsize=8)
def compiled(body: bytes) -> Bundle:
    """Compile a kept bundle to look at it, once: a page is loaded again and again."""
    return bundle_of(body)


def told(before: Bundle | None, after: Bundle) -> tuple[Change, ...]:
    """Say what changes between two bundles; remembered, as a page is loaded again and again."""
    key = (before.digest if before else b"", after.digest)
    found = _told.get(key)
    if found is None:
        found = changes_between(before, after)
        _told.put(key, found)
    return found


_told: Memo[tuple[bytes, bytes], tuple[Change, ...]] = Memo(32)


def bundle_of(body: bytes) -> Bundle:
    """Compile a kept bundle anew, for whoever asks it things."""
    return activation.check(unpack(body))


def fresh(site: Opened, id_: str, state: ProposalState) -> Shown:
    """Give a proposal that is in a state and starts from the version in force.

    Raises:
        InputError: ``conflict``; ``proposal.stale``, and it is marked so.
    """
    found = shown(site, id_)
    if found.row.state is not state and not found.stale:
        raise InputError(f"proposal {id_}", f"is {found.row.state}, not {state}", reason=Reason.CONFLICT)
    if found.stale:
        if found.row.open:
            words = f"version {found.in_force} came into force"
            moved(site, id_, ProposalState.STALE, "", words)
        why = (
            f"starts from version {found.row.base_version}, and {found.in_force} is in force: "
            "what was seen of it holds no longer; rebase it"
        )
        raise InputError(f"proposal {id_}", why, reason=Reason.PROPOSAL_STALE)
    return found


def moved(
    site: Opened, id_: str, state: ProposalState, by: str, words: str, **values: str | int
) -> ProposalRow:
    """Bring a proposal into its next state, in a transaction of its own."""
    with write(site.engine) as db:
        return actions.move(
            *(db, site.site, id_, state), by=by, words=words, now_us=now_us_of(site), values=values
        )


def now_us_of(site: Opened) -> int:
    """Server time in microseconds."""
    return micros(site.clock.now())


def check_complete(found: Shown) -> None:
    """See that nothing is missing.

    Raises:
        InputError: ``proposal.incomplete``; everything at once.
    """
    words = [one.words for one in found.missing]
    if found.base is not None and found.dry_run is None:
        words.insert(0, "The dry run is missing: try it on what was decided before.")
    if words:
        raise InputError(f"proposal {found.row.id}", " ".join(words), reason=Reason.PROPOSAL_INCOMPLETE)
