"""Changes of policy as the command line tells them: one set of words, whether a server was asked or this machine's own site.

Rules:
- What is told is a document as the JSON API has it (``proposing.telling``); with ``--json`` it is printed as it is.
- What is to be done next is a command that does it where this was asked.
- Nothing that was told moves the cursor.

Deliberately absent: asking (``policy_change`` and ``policy_remote``), and rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from oathward.changes.model import event_words, state_words
from oathward.cli.output import emit, minute, say

Document = Mapping[str, Any]

MARKS = {"widen": "more", "narrow": "less", "same": "    "}
"""A change's direction as it is printed."""


def diff(against: str, changes: Sequence[Document], *, as_json: bool) -> None:
    """Say what a folder changes. ``against``: the label of what is in force; empty where nothing is."""

    def human() -> None:
        print(f"Against {against or 'nothing in force'}:")
        _print_changes(changes)

    emit({"against": against or None, "changes": changes}, as_json=as_json, human=human)


def proposal(
    found: Document, called: Mapping[str, str], in_force: int, *, url: str = "", as_json: bool
) -> None:
    """Say all of a proposal.

    Args:
        called: names by id. in_force: the version that is, 0 where none is. url: of the server that was asked.
    """

    def human() -> None:
        row = found["proposal"]
        kind = ", emergency" if row["emergency"] else ""
        state = state_words(row["state"], row["version"], in_force)
        say(f"{row['id']}: {state}{kind}, by {_called(called, row['proposer'])}: {row['reason']}")
        base = row["base_version"]
        now = "which is in force" if base == in_force else f"and {in_force or 'nothing'} is in force"
        print(f"On version {base}, {now}")
        _print_changes(found["changes"])
        if found["dry_run_words"]:
            print("What it would have done:")
        for line in found["dry_run_words"]:
            say(f"  {line}")
        for one in found["waiting"]:
            say(f"  waiting  {one['words']}")
        for need in found["needs"]:
            say(f"  {'there  ' if need['met'] else 'MISSING'}  {need['words']}")
        for step in found["steps"]:
            what = f"{event_words(step['kind']):<12}  {_called(called, step['by']) or '—'}  {step['words']}"
            say(f"  {minute(step['at'])}  {what}")
        if next_ := _next(found, _there(url)):
            print(next_)

    emit(found, as_json=as_json, human=human)


def history(rows: Sequence[Document], called: Mapping[str, str], in_force: int, *, as_json: bool) -> None:
    """Say what was proposed and what became of it; arguments as of ``proposal``."""

    def human() -> None:
        for row in rows:
            what = f"version {row['version']}" if row["version"] else f"on version {row['base_version']}"
            mark = " emergency" if row["emergency"] else " one step back" if row["kind"] == "rollback" else ""
            due = ", not assessed yet" if row["emergency"] and not row["assessed"] else ""
            people = ", ".join(_called(called, one) for one in (row["proposer"], row["approver"]) if one)
            state = state_words(row["state"], row["version"], in_force)
            say(f"{row['id']}  {state:<12}  {what}{mark}{due}  {people}  {row['reason']}")
        if not rows:
            print("Nobody has proposed anything yet.")

    emit({"proposals": rows}, as_json=as_json, human=human)


def attached(id_: str, name: str, content: bytes, *, as_json: bool) -> None:
    """Say what was attached."""
    said = {"proposal": id_, "name": name, "bytes": len(content)}
    emit(said, as_json=as_json, human=lambda: say(f"Attached {name} to {id_}."))


def approved(row: Document, *, url: str = "", as_json: bool) -> None:
    """Say that a second person agreed."""

    def human() -> None:
        print(f"{row['id']} is {'assessed' if row['emergency'] else 'approved'}.")
        if not row["emergency"]:
            print(f"Next: oathward policy activate {row['id']}{_there(url)}")

    emit(row, as_json=as_json, human=human)


def withdrawn(row: Document, *, as_json: bool) -> None:
    """Say that it was taken back, or refused."""
    emit(row, as_json=as_json, human=lambda: print(f"{row['id']} is {row['state']}."))


def in_force(label: str, *, as_json: bool) -> None:
    """Say what is in force now."""
    emit({"active": label}, as_json=as_json, human=lambda: say(f"Active: {label}."))


def emergency(row: Document, *, url: str = "", as_json: bool) -> None:
    """Say that it is in force, and by when another person assesses it."""

    def human() -> None:
        print(f"In force as version {row['version']}. Proposal {row['id']}.")
        print(f"Another person must assess it by {minute(row['due'])} UTC:")
        print(f"  oathward policy approve {row['id']}{_there(url)}")

    emit(row, as_json=as_json, human=human)


def _next(found: Document, there: str) -> str:
    row = found["proposal"]
    if found["stale"]:
        return f"It is stale. Next: oathward policy propose --rebase {row['id']}{there}"
    if row["state"] == "draft":
        return f"A draft: see to what is missing, then oathward policy propose --draft {row['id']}{there}"
    if row["state"] == "proposed":
        return f"Next, another person: oathward policy approve {row['id']}{there}"
    return f"Next: oathward policy activate {row['id']}{there}" if row["state"] == "approved" else ""


def _print_changes(changes: Sequence[Document]) -> None:
    for change in changes:
        say(f"  {MARKS.get(change['direction'], '    ')}  {change['words']}")
    if not changes:
        print("  Nothing changes.")


def _called(called: Mapping[str, str], id_: str) -> str:
    return called.get(id_, id_)


def _there(url: str) -> str:
    return f" --server {url}" if url else ""
