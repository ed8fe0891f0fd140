"""Write a proposal down, try it on what was decided, attach to it, and propose it.

Rules:
- A draft is a checked bundle whose own tests pass; what is broken is never kept.
- What the register has is attached when it is proposed, as it stands then.

Deliberately absent: approvals (``deciding``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import orjson

from oathward import activation
from oathward.bundles import changes_between
from oathward.changes import actions, views
from oathward.changes.model import AttachmentRow, ProposalRow, ProposalState
from oathward.core.db import read, write
from oathward.core.errors import InputError, KeeperError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.dry_running import DAY_US, Progress, dry_run
from oathward.policy.dry_run_sums import DryRun
from oathward.policy.dry_run_words import summary
from oathward.policy.files import unpack
from oathward.policy.requirements import Requirement, emergency_refusals
from oathward.proposing.looking import BUNDLE, Proof, bundle_of, check_complete, fresh, in_force, now_us_of

if TYPE_CHECKING:
    from oathward.vault.opened import Opened

DAYS = 7
_ROWS_MAX = 200


def draft(
    site: Opened,
    files: Mapping[str, bytes],
    why: str,
    by: str,
    *,
    emergency: bool = False,
    rebased_from: str = "",
) -> ProposalRow:
    """Check a bundle as a whole, run its tests, and write it down as a draft on the version in force.

    Raises:
        PolicyErrors: everything that is wrong, or the tests that fail.
        InputError: ``conflict``: the same bundle is in force; or the reason is none.
        EMERGENCY_TOO_WIDE: an emergency widens what is no care inside this site.
    """
    if not by:
        why_not = "has no people yet, and nobody who could approve: `oathward policy activate DIR`"
        raise InputError("site", why_not, reason=Reason.CONFLICT)
    bundle = activation.check(files)
    activation.tested(bundle)
    active = in_force(site)
    if active is not None and active.bundle.digest == bundle.digest:
        raise InputError("bundle", f"{active.label} is the same, and in force", reason=Reason.CONFLICT)
    base = active.bundle if active else None
    if emergency and (refused := emergency_refusals(changes_between(base, bundle), base, bundle)):
        raise InputError("emergency", " ".join(refused), reason=Reason.EMERGENCY_TOO_WIDE)
    now_us = now_us_of(site)
    with write(site.engine) as db:
        body = actions.keep_file(db, site.site, bundle.body, now_us=now_us)
        base_body = actions.keep_file(db, site.site, base.body, now_us=now_us) if base else ""
        row = ProposalRow(
            id=uuid7(now_us // 1_000),
            kind=BUNDLE,
            state=ProposalState.DRAFT,
            base_version=active.version if active else 0,
            body=body,
            base_body=base_body,
            proposer=by,
            reason=actions.checked_reason(why),
            emergency=emergency,
            created_us=now_us,
            changed_us=now_us,
            rebased_from=rebased_from,
        )
        actions.draft(db, site.site, row)
    return row


def try_out(
    site: Opened, id_: str, by: str, *, days: int = DAYS, progress: Progress | None = None
) -> DryRun | None:
    """Decide what was decided in the last days again; nothing where there was no policy before.

    Raises:
        InputError: it was ended by ``progress``; or what was proposed does not change any more.
    """
    with read(site.engine) as db:
        row = views.one(db, site.site, id_).row
        bodies = [views.file(db, site.site, one) for one in (row.base_body, row.body) if one]
    if not row.base_body:
        return None
    before, after = map(bundle_of, bodies)  # of our own: the active one remembers what it is asked
    until_us = now_us_of(site)
    found = dry_run(
        *(site.engine, site.site, before, after),
        since_us=until_us - days * DAY_US,
        until_us=until_us,
        progress=progress,
    )
    with write(site.engine) as db:
        digest = actions.keep_file(db, site.site, found.body(), now_us=until_us)
        words = f"{days} days: {summary(found)}"
        actions.tried(db, site.site, id_, digest, by=by, words=words, now_us=until_us)
    return found


def attach(site: Opened, id_: str, name: str, content: bytes, by: str) -> None:
    """Attach a note or a file to a draft.

    Raises:
        InputError: it is no draft, too large, or its name cannot be shown.
    """
    now_us = now_us_of(site)
    with write(site.engine) as db:
        digest = actions.keep_file(db, site.site, content, now_us=now_us)
        actions.attach(db, site.site, id_, AttachmentRow("note", name, digest, "", by, now_us))


def submit(site: Opened, id_: str, proof: Proof, by: str) -> ProposalRow:
    """Propose a draft: attach what the register has, and have the keeper take it down.

    Raises:
        InputError: ``proposal.stale``, ``proposal.incomplete`` with everything that is missing, ``conflict``.
        KeeperError: it may not be proposed by this person.
    """
    found = fresh(site, id_, ProposalState.DRAFT)
    check_complete(found)
    now_us = now_us_of(site)
    with write(site.engine) as db:
        kept = [_attached(one, actions.keep_file(db, site.site, _written(one), now_us=now_us), by, now_us) for one in found.requirements]  # fmt: skip
        actions.collect(db, site.site, id_, kept)
        attachments = views.one(db, site.site, id_).attachments
        document = document_of(found.row, attachments)
        if len(attachments) > _ROWS_MAX:
            actions.keep_file(db, site.site, _list_of(attachments), now_us=now_us)
    _ask_to_take(site, id_, document, proof)
    with write(site.engine) as db:
        digest = actions.keep_file(db, site.site, document, now_us=now_us)
        values = {"document": digest}
        return actions.move(
            *(db, site.site, id_, ProposalState.PROPOSED), by=by, words="", now_us=now_us, values=values
        )


def _ask_to_take(site: Opened, id_: str, document: bytes, proof: Proof) -> None:
    """Have the keeper take a proposal down; once more after a crash is fine."""
    try:
        site.keeper.changes.propose(document, proof)
    except KeeperError as error:
        if error.reason is not Reason.CONFLICT or _taken(site, id_, proof) != document:
            raise


def _taken(site: Opened, id_: str, proof: Proof) -> bytes:
    try:
        return site.keeper.changes.one(id_, proof).body
    except KeeperError:
        return b""


def document_of(row: ProposalRow, attachments: tuple[AttachmentRow, ...]) -> bytes:
    """Write what the keeper is given: everything by digest."""
    rows = [[one.kind, one.name, one.digest] for one in attachments]
    if len(rows) > _ROWS_MAX:
        whole = hashlib.sha256(_list_of(attachments)).hexdigest()
        rows = [["list", f"{len(rows)} attachments", whole]]
    stated = {
        "attachments": rows,
        "base_version": row.base_version,
        "documents": [[activation.KIND, activation.ID, row.body]],
        "dry_run": row.dry_run,
        "emergency": row.emergency,
        "id": row.id,
        "kind": BUNDLE,
        "reason": row.reason,
    }
    return orjson.dumps(stated, option=orjson.OPT_SORT_KEYS)


def _list_of(attachments: tuple[AttachmentRow, ...]) -> bytes:
    """Write the attachments of a proposal that has more than fit its document; the keeper reads it by its digest."""
    return orjson.dumps([[one.kind, one.name, one.digest] for one in attachments])


def _written(one: Requirement) -> bytes:
    """Write what met a requirement as it stood."""
    assert one.held is not None, "nothing is missing here"
    row = {"about": f"{one.need.thing}/{one.need.id}", "digest": one.held.digest, "kind": one.need.kind, "name": one.held.name}  # fmt: skip
    return orjson.dumps(row, option=orjson.OPT_SORT_KEYS)


def _attached(one: Requirement, digest: str, by: str, now_us: int) -> AttachmentRow:
    assert one.held is not None, "nothing is missing here"
    return AttachmentRow(one.need.kind, one.held.name, digest, f"{one.need.thing}/{one.need.id}", by, now_us)


def rebase(site: Opened, id_: str, by: str) -> ProposalRow:
    """Draft a proposal again on the version in force: what it changed stays, what changed since is taken over.

    Raises:
        InputError: ``conflict``: it is not stale; or both changed the same files, which are named.
        PolicyErrors: the two do not go together.
    """
    with read(site.engine) as db:
        row = views.one(db, site.site, id_).row
        new = unpack(views.file(db, site.site, row.body))
        base = unpack(views.file(db, site.site, row.base_body)) if row.base_body else {}
    active = in_force(site)
    if row.kind != BUNDLE or (active.version if active else 0) == row.base_version:
        raise InputError(f"proposal {id_}", "starts from the version in force", reason=Reason.CONFLICT)
    there = unpack(active.bundle.body) if active else {}
    both = [path for path in sorted({*new, *base, *there}) if _clash(path, base, new, there)]
    if both:
        why = f"both changed {', '.join(both)}; write them again from the version in force"
        raise InputError(f"proposal {id_}", why, reason=Reason.CONFLICT)
    changed = {path for path in {*new, *base} if new.get(path) != base.get(path)}
    merged = {path: content for path, content in there.items() if path not in changed}
    merged |= {path: new[path] for path in changed if path in new}
    return draft(site, merged, row.reason, by, rebased_from=id_)


def _clash(path: str, *sides: Mapping[str, bytes]) -> bool:
    base, new, there = (side.get(path) for side in sides)
    return base not in (new, there) and new != there
