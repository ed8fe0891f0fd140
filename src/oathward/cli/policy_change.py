"""``oathward policy diff, propose, attach, approve, withdraw, rollback, emergency, history``: policy as a change one sees first.

Rules:
- Each step is asked of the policies and, where it counts, of the keeper, with the session of who is signed in here.
- What a change does is told in words before anything else; what lets more out comes first.
- On a site without people there is nobody to approve: ``policy activate DIR`` is the way there, and these say so.

Deliberately absent: rules of its own (``oathward.proposing`` has them), and words (``policy_words``).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oathward.cli import policy_remote, policy_words
from oathward.cli.asking import opened, read_bytes
from oathward.cli.bundle_folder import read_folder
from oathward.cli.output import DataOption, JsonOption, document
from oathward.cli.permitted import asks
from oathward.cli.policy_remote import DAYS
from oathward.cli.remote import ServerOption, server_of
from oathward.core.errors import InputError
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from oathward.changes.model import EventRow, ProposalRow
    from oathward.proposing import Shown
    from oathward.vault.opened import Opened

FolderArgument = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the bundle.")]
ProposalArgument = Annotated[
    str, typer.Argument(metavar="PROPOSAL", help="Its id, as `policy history` shows it.")
]
WhyOption = Annotated[str, typer.Option("--why", help="Why; it goes into the ledger, so no patient data.")]
DaysOption = Annotated[int, typer.Option(min=1, max=3_650, help="How many days back the dry run goes.")]

HISTORY_SHOWN = 50


def diff(
    folder: FolderArgument,
    server: ServerOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say in words what the bundle in a folder changes, against what is in force."""
    from oathward import activation, proposing
    from oathward.proposing import telling

    if url := server_of(server):
        policy_remote.diff(url, folder, as_json=as_json)
        return
    after = activation.check(read_folder(folder))
    with opened(data) as site:
        active = proposing.in_force(site)
    changes = proposing.changes_between(active.bundle if active else None, after)
    told = [telling.change(one) for one in changes]
    policy_words.diff(active.label if active else "", document(told), as_json=as_json)


def propose(  # noqa: PLR0917  one parameter an option
    folder: Annotated[Path | None, typer.Argument(metavar="[DIR]", help="Folder of the bundle.")] = None,
    why: Annotated[str, typer.Option("--why", help="Why; it goes into the ledger.")] = "",
    draft: Annotated[
        str, typer.Option(metavar="PROPOSAL", help="Propose this draft, now that it has what it needs.")
    ] = "",
    rebase: Annotated[
        str, typer.Option(metavar="PROPOSAL", help="Draft this stale one again on the version in force.")
    ] = "",
    days: DaysOption = DAYS,
    server: ServerOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Propose a bundle: checked, tested, told in words, tried on recorded decisions; another person then approves it.

    What it needs and does not have is listed, and it stays a draft until --draft proposes it.
    """
    from oathward import proposing

    if sum(map(bool, (folder, draft, rebase))) != 1:
        raise InputError("propose", "give a folder, or --draft PROPOSAL, or --rebase PROPOSAL")
    if url := server_of(server):
        policy_remote.propose(url, folder, why, draft, rebase, days, as_json=as_json)
        return
    files = read_folder(folder) if folder else {}
    with opened(data) as site:
        proof, by = _who(site, "policy.propose")
        if folder:
            id_ = proposing.draft(site, files, why, by).id
        elif rebase:
            id_ = proposing.rebase(site, rebase, by).id
        else:
            id_ = draft
        proposing.try_out(site, id_, by, days=days, progress=_progress)
        found = proposing.shown(site, id_)
        if not found.missing:
            proposing.submit(site, id_, proof, by)
            found = proposing.shown(site, id_)
        called = _names(site, [found.row, *found.view.events])
    _show(found, called, as_json=as_json)


def show_proposal(proposal: str, url: str, data: str | None, *, as_json: bool) -> None:
    """Show a proposal: what it changes, what it would have done, what it needs, what happened."""
    from oathward import proposing

    if url:
        policy_remote.show(url, proposal, as_json=as_json)
        return
    with opened(data) as site:
        _who(site, "policy.see")
        found = proposing.shown(site, proposal)
        called = _names(site, [found.row, *found.view.events])
    _show(found, called, as_json=as_json)


def attach(
    proposal: ProposalArgument,
    file: Annotated[str, typer.Argument(metavar="FILE", help="What to attach; - for stdin.")],
    name: Annotated[str, typer.Option(help="How it is called; the file's name by default.")] = "",
    server: ServerOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Attach a file to a draft. Agreements, assessments and owners come from the register by themselves."""
    from oathward import proposing

    content, called = read_bytes(file), name or Path(file).name
    if url := server_of(server):
        policy_remote.attach(url, proposal, called, content, as_json=as_json)
        return
    with opened(data) as site:
        _, by = _who(site, "policy.attach")
        proposing.attach(site, proposal, called, content, by)
    policy_words.attached(proposal, called, content, as_json=as_json)


def approve(
    proposal: ProposalArgument,
    server: ServerOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Approve what another person proposed; of an emergency in force, say that you looked at it and agree."""
    from oathward import proposing

    if url := server_of(server):
        policy_remote.approve(url, proposal, as_json=as_json)
        return
    with opened(data) as site:
        proof, by = _who(site, "policy.approve")
        row = proposing.approve(site, proposal, proof, by)
    policy_words.approved(_told(row), as_json=as_json)


def withdraw(
    proposal: ProposalArgument,
    why: WhyOption,
    server: ServerOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take your own proposal back, or refuse another person's."""
    from oathward import proposing

    if url := server_of(server):
        policy_remote.withdraw(url, proposal, why, as_json=as_json)
        return
    with opened(data) as site:
        proof, by = _who(site, "policy.withdraw")
        row = proposing.withdraw(site, proposal, why, proof, by)
    policy_words.withdrawn(_told(row), as_json=as_json)


def activate_proposal(proposal: str, url: str, data: str | None, *, as_json: bool) -> None:
    """Put an approved proposal in force."""
    from oathward import proposing

    if url:
        policy_remote.activate(url, proposal, as_json=as_json)
        return
    with opened(data) as site:
        proof, by = _who(site, "policy.activate")
        active = proposing.activate(site, proposal, proof, by)
    policy_words.in_force(active.label, as_json=as_json)


def rollback(
    why: WhyOption,
    server: ServerOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put the policy before in force again, as the next version. An emergency is taken back by another person than who made it.

    Given again it undoes that: the policy from which it went back comes in force again.
    """
    from oathward import proposing

    if url := server_of(server):
        policy_remote.rollback(url, why, as_json=as_json)
        return
    with opened(data) as site:
        proof, by = _who(site, "policy.rollback")
        active = proposing.roll_back(site, why, proof, by)
    policy_words.in_force(active.label, as_json=as_json)


def emergency(
    folder: FolderArgument,
    why: WhyOption,
    server: ServerOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a bundle in force now, alone; another person must assess it in time.

    It may narrow any link, and widen only links for care inside this site; policies about people it leaves as they are.
    """
    from oathward import proposing

    if url := server_of(server):
        policy_remote.emergency(url, folder, why, as_json=as_json)
        return
    files = read_folder(folder)
    with opened(data) as site:
        proof, by = _who(site, "policy.emergency")
        row, _ = proposing.emergency(site, files, why, proof, by)
    policy_words.emergency(_told(row), as_json=as_json)


def history(
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many, newest first.")] = HISTORY_SHOWN,
    server: ServerOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List proposals and what became of them, newest first."""
    from oathward import proposing
    from oathward.changes import views
    from oathward.core.db import read

    if url := server_of(server):
        policy_remote.history(url, limit, as_json=as_json)
        return
    with opened(data) as site, read(site.engine) as db:
        rows = views.proposals(db, site.site, limit=limit)
        called, active = _names(site, rows), proposing.in_force(site)
    told, version = [_told(row) for row in rows], active.version if active else 0
    policy_words.history(told, called, version, as_json=as_json)


def refuse_folder(folder: Path) -> None:
    """Say that on a site with people a bundle is proposed.

    Raises:
        InputError: ``proposal.needed``, always.
    """
    why = f"this site has people: oathward policy propose {folder} --why …, and another person approves it"
    raise InputError("activate", why, reason=Reason.PROPOSAL_NEEDED)


def _who(site: Opened, action: str) -> tuple[Mapping[str, str], str]:
    """Give the proof and the id of who asks, once policies permit them the action at all.

    Raises:
        InputError: the site has no people; nobody is signed in; or it is not permitted.
    """
    if not site.keeper.state().get("founded"):
        if action == "policy.see":
            return {}, ""
        why = "has no people yet, and nobody who could approve: oathward policy activate DIR"
        raise InputError("site", why, reason=Reason.CONFLICT)
    return asks(site, None, action)


def _names(site: Opened, rows: Sequence[ProposalRow | EventRow]) -> Mapping[str, str]:
    """Name the people of proposals and of what happened to them, by id."""
    from oathward.core.db import read
    from oathward.people import views

    ids = {
        id_ for row in rows for field in ("proposer", "approver", "by") if (id_ := getattr(row, field, ""))
    }
    with read(site.engine) as db:
        return views.names(db, site.site, ids)


def _show(found: Shown, called: Mapping[str, str], *, as_json: bool) -> None:
    from oathward.proposing import telling

    told = document(telling.whole(found))
    policy_words.proposal(told, called, found.in_force, as_json=as_json)


def _told(row: ProposalRow) -> Mapping[str, Any]:
    from oathward.proposing import telling

    told: Mapping[str, Any] = document(telling.proposal(row))
    return told


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(
            f"\r{done:,} of {total:,} records", end="" if done < total else "\n", file=sys.stderr, flush=True
        )
