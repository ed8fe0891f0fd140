"""``oathward policy diff, propose, attach, approve, withdraw, rollback, emergency, history``: policy as a change one sees first.

Rules:
- Each step is asked of the policies and, where it counts, of the keeper, with the session of who is signed in here.
- What a change does is told in words before anything else; what lets more out comes first.
- On a site without people there is nobody to approve: ``policy activate DIR`` is the way there, and these say so.

Deliberately absent: rules of its own (``oathward.proposing`` has them).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oathward.changes.model import event_words, state_words
from oathward.cli import policy_remote
from oathward.cli.asking import opened, read_bytes
from oathward.cli.bundle_folder import read_folder
from oathward.cli.output import DataOption, JsonOption, emit
from oathward.cli.permitted import asks
from oathward.cli.policy_remote import DAYS, MARKS
from oathward.cli.remote import ServerOption, server_of
from oathward.core.clock import from_micros
from oathward.core.errors import InputError
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from oathward.activation import Active
    from oathward.changes.model import EventRow, ProposalRow
    from oathward.policy.difference import Change
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

    if url := server_of(server):
        policy_remote.diff(url, folder, as_json=as_json)
        return
    after = activation.check(read_folder(folder))
    with opened(data) as site:
        active = proposing.in_force(site)
    changes = proposing.changes_between(active.bundle if active else None, after)

    def human() -> None:
        print(f"Against {active.label if active else 'nothing in force'}:")
        _print_changes(changes)

    emit({"against": active.label if active else None, "changes": changes}, as_json=as_json, human=human)


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
    said = {"proposal": proposal, "name": called, "bytes": len(content)}
    emit(said, as_json=as_json, human=lambda: print(f"Attached {called} to {proposal}."))


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
    done = "assessed" if row.emergency else "approved"

    def human() -> None:
        print(f"{row.id} is {done}.")
        if not row.emergency:
            print(f"Next: oathward policy activate {row.id}")

    emit(row, as_json=as_json, human=human)


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
    emit(row, as_json=as_json, human=lambda: print(f"{row.id} is {row.state}."))


def activate_proposal(proposal: str, url: str, data: str | None, *, as_json: bool) -> None:
    """Put an approved proposal in force."""
    from oathward import proposing

    if url:
        policy_remote.activate(url, proposal, as_json=as_json)
        return
    with opened(data) as site:
        proof, by = _who(site, "policy.activate")
        active = proposing.activate(site, proposal, proof, by)
    _in_force(active, as_json=as_json)


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
    _in_force(active, as_json=as_json)


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
        row, active = proposing.emergency(site, files, why, proof, by)

    def human() -> None:
        print(f"Active: {active.label}. Proposal {row.id}.")
        print(f"Another person must assess it by {from_micros(row.due_us):%Y-%m-%d %H:%M} UTC:")
        print(f"  oathward policy approve {row.id}")

    emit({"active": active.label, "proposal": row}, as_json=as_json, human=human)


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

    def human() -> None:
        for row in rows:
            what = f"version {row.version}" if row.version else f"on version {row.base_version}"
            mark = " emergency" if row.emergency else " one step back" if row.kind == "rollback" else ""
            due = ", not assessed yet" if row.unassessed else ""
            people = ", ".join(called.get(one, one) for one in (row.proposer, row.approver) if one)
            state = state_words(row.state, row.version, active.version if active else 0)
            print(f"{row.id}  {state:<12}  {what}{mark}{due}  {people}  {row.reason}")
        if not rows:
            print("Nobody has proposed anything yet.")

    emit({"proposals": rows}, as_json=as_json, human=human)


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


def _in_force(active: Active, *, as_json: bool) -> None:
    emit({"active": active.label}, as_json=as_json, human=lambda: print(f"Active: {active.label}."))


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
    from oathward.policy.dry_run_words import lines

    row = found.row

    def human() -> None:
        state = state_words(row.state, row.version, found.in_force)
        print(
            f"{row.id}: {state}{', emergency' if row.emergency else ''}, by {called.get(row.proposer, row.proposer)}: {row.reason}"
        )
        print(
            f"On version {row.base_version}{', which is in force' if not found.stale else f'; {found.in_force} is in force'}"
        )
        _print_changes(found.changes)
        if found.dry_run:
            print("What it would have done:")
            print("\n".join(f"  {line}" for line in lines(found.dry_run)))
        for waits in found.waiting:
            print(f"  waiting  {waits.words}")
        for one in found.requirements:
            print(f"  {'there  ' if one.met else 'MISSING'}  {one.words}")
        for event in found.view.events:
            at = f"{from_micros(event.at_us):%Y-%m-%d %H:%M}"
            print(
                f"  {at}  {event_words(event.kind):<12}  {called.get(event.by, event.by or '—')}  {event.words}"
            )
        if next_ := _next(row, found):
            print(next_)

    said: dict[str, Any] = {
        "proposal": row,
        "changes": found.changes,
        "requirements": [{"words": one.words, "met": one.met} for one in found.requirements],
        "dry_run": found.dry_run.digest if found.dry_run else None,
        "waiting": found.waiting,
        "attachments": found.view.attachments,
        "events": found.view.events,
        "stale": found.stale,
    }
    emit(said, as_json=as_json, human=human)


def _next(row: ProposalRow, found: Shown) -> str:
    if found.stale:
        return f"It is stale. Next: oathward policy propose --rebase {row.id}"
    if row.state == "draft":
        return f"A draft: see to what is missing, then oathward policy propose --draft {row.id}"
    if row.state == "proposed":
        return f"Next, another person: oathward policy approve {row.id}"
    return f"Next: oathward policy activate {row.id}" if row.state == "approved" else ""


def _print_changes(changes: Sequence[Change]) -> None:
    for change in changes:
        print(f"  {MARKS[change.direction]}  {change.words}")
    if not changes:
        print("  Nothing changes.")


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(
            f"\r{done:,} of {total:,} records", end="" if done < total else "\n", file=sys.stderr, flush=True
        )
