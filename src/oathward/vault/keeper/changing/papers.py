"""What a change of policy must bring along, seen by the keeper itself: a dry run of exactly this bundle, and what is required.

Rules:
- A bundle that widens the one in force has a kept dry run of these two bundles over a day or more, the one its proposal names
  by digest.
- What the change requires (``policy.requirements``) is met in the register now, and of each kind something is attached.
- One step back, which one person makes, widens only what meets its requirements now; its dry run was its own time's.
- Who asks says none of it: bundle and dry run are read by digest from where they are kept, the register from its rows.
- A keeper that was given no register takes no change for complete that needs one.

Deliberately absent: what is in the register (``proposing.register`` answers, for the console by the same function), and
the figures of a dry run, which are not decided again here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

import orjson
from sqlalchemy import Connection, Engine

from oathward.core.clock import Clock
from oathward.core.db import read
from oathward.core.errors import InputError, KeeperError, StorageError
from oathward.core.reasons import Reason
from oathward.policy.bundle import Bundle
from oathward.policy.difference import Change
from oathward.policy.dry_run_sums import DryRun
from oathward.policy.requirements import Requirement, missing, needed
from oathward.vault.authority import Document, Seen
from oathward.vault.keeper.changing import emergencies
from oathward.vault.keeper.changing.proposals import BUNDLE, Proposal
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.sign import Verifier

_DAY_US = 86_400_000_000
_LISTED = "list"
"""The one attachment of a proposal with more than fit its document: all of them, by one digest."""


class Asked(Protocol):
    """What is read of a site to answer: an opened site has it, and the keeper."""

    @property
    def site(self) -> str:
        """The site's name."""

    @property
    def engine(self) -> Engine:
        """Its database."""

    @property
    def clock(self) -> Clock:
        """Its time."""

    @property
    def authority(self) -> Verifier:
        """What checks signed documents."""

    @property
    def seen(self) -> Seen:
        """Their newest versions."""


class Shut(Protocol):
    """What of a patient is withheld from who cares for them."""

    @property
    def messages(self) -> frozenset[str]:
        """Ids of messages."""

    @property
    def card(self) -> bool:
        """Whether the card is."""


class Drafted(Protocol):
    """Unsigned versions of what patients say, with what ``Register.store_chosen`` needs to store them."""

    @property
    def documents(self) -> Sequence[tuple[Document, int]]:
        """Each with the version it follows."""


class Register(Protocol):
    """Where kept files, the register and consents are read: the contexts that own them stand above the keeper."""

    def family(self, site: Asked, subject: str) -> tuple[str, ...]:
        """List everyone whose words count for a patient."""

    def chosen(self, site: Asked, bundle: Bundle, subject: str, said: Mapping[str, str]) -> Drafted:
        """Draft what a patient says who chooses; ``InputError``: no such choice, or not as it was seen."""

    def store_chosen(
        self, db: Connection, site: str, drafted: Any, signed: Sequence[Document], *, by: str, now_us: int
    ) -> None:
        """Store what was signed, with its records; ``InputError``: another version came first."""

    def withheld(self, site: Asked, together: Collection[str], messages: Collection[str]) -> Shut:
        """Say what of some messages of one patient is withheld from who cares for them."""

    def confirmed(self, site: Asked, subject: str) -> frozenset[str]:
        """Give the subjects that are one patient by joins, and by merges that a person confirmed; ``AuthorityError``."""

    def named_in(self, site: Asked, project: str, subjects: Collection[str]) -> frozenset[str]:
        """Give those of some subjects of whom something is on record that went out under a project's names."""

    def file(self, db: Connection, site: str, digest: str) -> bytes:
        """Give kept bytes that fit their name; ``InputError`` or ``StorageError`` where there are none."""

    def requirements(
        self, site: Asked, changes: Sequence[Change], before: Bundle | None, after: Bundle
    ) -> tuple[Requirement, ...]:
        """Say what a change requires, and what of it is there now."""


def check(keeper: Keeper, proposal: Proposal, body: bytes | None = None) -> None:
    """See that a proposed bundle brings along what it must; other kinds need nothing.

    Args:
        body: of the bundle, where its digest was compared already; else it is read under that digest.

    Raises:
        KeeperError: ``proposal.incomplete``, with everything that is missing; ``proposal.altered``; or it is no bundle.
    """
    if proposal.kind != BUNDLE:
        return
    stated = proposal.stated
    kept = body if body is not None else _kept(keeper, stated["documents"][0][2])
    changes, before, after = emergencies.compare(keeper, kept)
    widens = any(change.direction == "widen" for change in changes)
    lacks: list[str] = []
    if widens and before is not None and not _tried(keeper, stated["dry_run"], before, after):
        lacks.append("The dry run of this bundle is missing: try it on what was decided before.")
    if widens or needed(changes, before, after):
        required = _register(keeper).requirements(keeper, changes, before, after)
        lacks += [one.words for one in missing(required)]
        unattached = sorted({one.need.kind for one in required} - _attached(keeper, stated["attachments"]))
        lacks += [f"Nothing of this kind is attached: {kind}." for kind in unattached]
    if lacks:
        raise KeeperError("proposal", " ".join(lacks)[:500], reason=Reason.PROPOSAL_INCOMPLETE)


def check_back(keeper: Keeper, body: bytes) -> None:
    """See that one step back widens nothing whose requirements are not met any more: nobody tried or agreed to that now.

    Raises:
        KeeperError: ``proposal.needed``, with what is missing; ``proposal.incomplete``: it cannot be looked up.
    """
    changes, before, after = emergencies.compare(keeper, body)
    if all(change.direction != "widen" for change in changes):
        return
    lacks = [one.words for one in missing(_register(keeper).requirements(keeper, changes, before, after))]
    if lacks:
        why = f"going back widens, and something is missing: propose it. {' '.join(lacks)}"
        raise KeeperError("policy", why[:500], reason=Reason.PROPOSAL_NEEDED)


def _attached(keeper: Keeper, rows: Sequence[Sequence[str]]) -> set[str]:
    """Name the kinds that are attached: those of the document, and of the list it names.

    Raises:
        KeeperError: ``proposal.incomplete``: the list is not kept here, or is none; ``proposal.altered``.
    """
    kinds = {kind for kind, _, _ in rows if kind != _LISTED}
    for _, _, digest in (row for row in rows if row[0] == _LISTED):
        try:
            kinds |= {str(kind) for kind, _, _ in orjson.loads(_kept(keeper, digest))}
        except (ValueError, TypeError) as error:
            why = "names a list of attachments that is none"
            raise KeeperError("proposal", why, reason=Reason.PROPOSAL_INCOMPLETE) from error
    return kinds


def _tried(keeper: Keeper, digest: str, before: Bundle, after: Bundle) -> bool:
    """Whether a digest is of a kept dry run of exactly these two bundles, over a day that has been or more."""
    if not digest:
        return False
    try:
        found = DryRun.from_body(_kept(keeper, digest))
    except ValueError:
        return False
    try:
        in_time = found.until_us - found.since_us >= _DAY_US and found.until_us <= keeper.now_us()
    except TypeError:
        return False
    return in_time and (found.before, found.after) == (before.digest.hex(), after.digest.hex())


def _kept(keeper: Keeper, digest: str) -> bytes:
    try:
        with read(keeper.engine) as db:
            return _register(keeper).file(db, keeper.site, digest)
    except InputError as error:
        why = "names a file that is not kept here"
        raise KeeperError("proposal", why, reason=Reason.PROPOSAL_INCOMPLETE) from error
    except StorageError as error:
        raise KeeperError("proposal", error.why, reason=error.reason) from error


def _register(keeper: Keeper) -> Register:
    if keeper.register is None:
        why = "what it must bring along cannot be looked up by this keeper"
        raise KeeperError("proposal", why, reason=Reason.PROPOSAL_INCOMPLETE)
    return keeper.register
