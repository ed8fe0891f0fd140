"""Changes of policy asked of a server: what ``policy_change`` does at the site's own machine, by the JSON API.

Rules:
- The server checks, tries and decides; what it refuses is the same error here.
- A bundle's mistakes are asked for first, all of them; nothing is written down while there are any.
- A dry run goes on at the server; the command waits for it and says how it goes on where it takes longer than that.

Deliberately absent: rules of its own, and words (``policy_words``).
"""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from oathward.cli import policy_words
from oathward.cli.bundle_folder import read_folder
from oathward.cli.remote import Server, as_signed_in
from oathward.core.errors import InputError, OathwardError, PolicyError
from oathward.core.reasons import Reason
from oathward.policy.errors import PolicyErrors

ROOT = "/api/v1/policy"
TRY_S_MAX = 600.0
DAYS = 7
_LOOK_S = 0.5


def diff(url: str, folder: Path, *, as_json: bool) -> None:
    """Say in words what the bundle in a folder changes, against what is in force there."""
    with as_signed_in(url) as server:
        changes = _checked(server, _texts(folder))
        against = server.get(ROOT)["label"]
    policy_words.diff(against, changes, as_json=as_json)


def propose(
    url: str, folder: Path | None, why: str, draft: str, rebase: str, days: int, *, as_json: bool
) -> None:
    """Draft, rebase or take a draft up; wait for its dry run; propose it where nothing is missing."""
    with as_signed_in(url) as server:
        again = bool(draft) or days != DAYS  # else it was begun with the draft
        if folder:
            files = _texts(folder)
            _checked(server, files)
            draft = server.post(f"{ROOT}/proposals", {"files": files, "reason": why})["proposal"]["id"]
        elif rebase:
            draft = server.post(f"{_one(rebase)}/rebase", {})["proposal"]["id"]
        found = _tried(server, draft)
        if again:
            server.post(f"{_one(draft)}/try", {"days": days})
            found = _tried(server, draft)
        if all(need["met"] for need in found["needs"]):
            server.post(f"{_one(draft)}/propose", {})
            found = server.get(_one(draft))
        called = _names(server, [found["proposal"]], found["steps"])
        version = server.get(ROOT)["version"]
    policy_words.proposal(found, called, version, url=url, as_json=as_json)


def show(url: str, proposal: str, *, as_json: bool) -> None:
    """Show a proposal."""
    with as_signed_in(url) as server:
        found = server.get(_one(proposal))
        called = _names(server, [found["proposal"]], found["steps"])
        version = server.get(ROOT)["version"]
    policy_words.proposal(found, called, version, url=url, as_json=as_json)


def attach(url: str, proposal: str, name: str, content: bytes, *, as_json: bool) -> None:
    """Attach a file to a draft."""
    with as_signed_in(url) as server:
        given = {"name": name, "content": base64.b64encode(content).decode()}
        server.post(f"{_one(proposal)}/attach", given)
    policy_words.attached(proposal, name, content, as_json=as_json)


def approve(url: str, proposal: str, *, as_json: bool) -> None:
    """Approve what another person proposed, or assess their emergency."""
    with as_signed_in(url) as server:
        row = server.post(f"{_one(proposal)}/approve", {})
    policy_words.approved(row, url=url, as_json=as_json)


def withdraw(url: str, proposal: str, why: str, *, as_json: bool) -> None:
    """Take one's own proposal back, or refuse another person's."""
    with as_signed_in(url) as server:
        try:
            row = server.post(f"{_one(proposal)}/withdraw", {"reason": why})
        except OathwardError as error:
            if error.reason is not Reason.ACCESS_ROLE:
                raise
            row = server.post(f"{_one(proposal)}/refuse", {"reason": why})  # not one's own
    policy_words.withdrawn(row, as_json=as_json)


def activate(url: str, proposal: str, *, as_json: bool) -> None:
    """Put an approved proposal in force."""
    with as_signed_in(url) as server:
        label = server.post(f"{_one(proposal)}/activate", {})["label"]
    policy_words.in_force(label, as_json=as_json)


def rollback(url: str, why: str, *, as_json: bool) -> None:
    """Put the policy before in force again."""
    with as_signed_in(url) as server:
        label = server.post(f"{ROOT}/rollback", {"reason": why})["label"]
    policy_words.in_force(label, as_json=as_json)


def emergency(url: str, folder: Path, why: str, *, as_json: bool) -> None:
    """Put a bundle in force now, alone; another person must assess it in time."""
    files = _texts(folder)
    with as_signed_in(url) as server:
        _checked(server, files)
        row = server.post(f"{ROOT}/emergency", {"files": files, "reason": why})
    policy_words.emergency(row, url=url, as_json=as_json)


def history(url: str, limit: int, *, as_json: bool) -> None:
    """List proposals and what became of them, newest first."""
    with as_signed_in(url) as server:
        rows = [row for row, _ in zip(server.rows(f"{ROOT}/proposals"), range(limit), strict=False)]
        called, version = _names(server, rows), server.get(ROOT)["version"]
    policy_words.history(rows, called, version, as_json=as_json)


def _texts(folder: Path) -> dict[str, str]:
    try:
        return {path: content.decode() for path, content in read_folder(folder).items()}
    except UnicodeDecodeError as error:
        raise InputError(str(folder), "holds a file that is no UTF-8 text") from error


def _checked(server: Server, files: Mapping[str, str]) -> list[Mapping[str, Any]]:
    """Ask what a bundle changes.

    Raises:
        PolicyErrors: everything that is wrong with it.
    """
    found = server.post(f"{ROOT}/check", {"files": files})
    if found["mistakes"]:
        raise PolicyErrors([PolicyError(one["where"], one["why"]) for one in found["mistakes"]])
    changes: list[Mapping[str, Any]] = found["changes"]
    return changes


def _tried(server: Server, proposal: str) -> dict[str, Any]:
    """Wait until no dry run of a proposal runs; gives all that is told of it."""
    until_s = time.monotonic() + TRY_S_MAX
    while (found := server.get(_one(proposal)))["trying"]:
        if time.monotonic() > until_s:
            why = f"its dry run goes on; when it is done: oathward policy propose --draft {proposal} --server {server.url}"
            raise InputError(proposal, why, reason=Reason.CONFLICT)
        time.sleep(_LOOK_S)
    whole: dict[str, Any] = found
    return whole


def _one(proposal: str) -> str:
    if not (proposal.isascii() and proposal.replace("-", "").isalnum()):
        raise InputError("proposal", "must be an id, as `policy history` shows it", reason=Reason.NOT_FOUND)
    return f"{ROOT}/proposals/{proposal}"


def _names(
    server: Server, rows: Sequence[Mapping[str, Any]], steps: Sequence[Mapping[str, Any]] = ()
) -> Mapping[str, str]:
    """Name people by id; who may not see people is told ids."""
    ids = {row[field] for row in rows for field in ("proposer", "approver")} | {one["by"] for one in steps}
    found = {id_: id_ for id_ in ids}
    for id_ in sorted(ids - {""}):
        with suppress(OathwardError):
            found[id_] = str(server.get(f"/api/v1/people/{id_}")["name"])
    return found
