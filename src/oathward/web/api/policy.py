"""Policy, by the API: what is in force, checking files, proposals from the draft to the version in force, one step back.

Rules:
- The same steps as the pages and the command line: who proposes does not approve, what is missing blocks, stale is refused.
- Files are path and text; what a bundle may hold is checked as a whole, and every mistake is in the answer.
- A file that is attached comes as base64 in JSON: any bytes, and a name.
- A dry run goes on beside the call; ``dry_run`` says how far it is.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from oathward import activation, proposing
from oathward.changes import views
from oathward.changes.model import ProposalState
from oathward.core.clock import from_micros
from oathward.core.db import read
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.policy.bundle import unpack
from oathward.policy.errors import PolicyErrors
from oathward.proposing import telling
from oathward.proposing.telling import ChangeOut, ProposalOut, ProposalWhole
from oathward.web import trying
from oathward.web.calls import PAGED, Call, Query
from oathward.web.page import Route, named
from oathward.web.pages.policy_proposals import DAYS_MAX, thing
from oathward.web.view import reason_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response

    from oathward.web.view import View

FILES_BYTES_MAX = 6_291_456
"""Of a call with a bundle's files or an attachment: the largest, as JSON writes it."""

_PATIENCE_S = 1.0


@dataclass(frozen=True, slots=True)
class PolicyOut:
    """The policy in force, version 0 where none is; `files`: path and text, where they were asked for."""

    label: str
    version: int
    since: datetime | None
    digest: str
    links: list[str]
    policies: list[str]
    tests: int
    files: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MistakeOut:
    """One mistake of a bundle; `where`: file and line."""

    where: str
    why: str


@dataclass(frozen=True, slots=True)
class CheckOut:
    """What a check found: mistakes; without any, what the bundle changes."""

    mistakes: list[MistakeOut]
    changes: list[ChangeOut]


@dataclass(frozen=True, slots=True)
class Why:
    """Why, in words that go into the ledger: no patient data."""

    reason: str


@dataclass(frozen=True, slots=True)
class Days:
    """How many days back."""

    days: int = proposing.DAYS


def policy(view: View) -> Response:
    """Give the policy in force."""
    active = proposing.in_force(view.site)
    if active is None:
        return view.json(PolicyOut("", 0, None, "", [], [], 0))
    files = unpack(active.bundle.body) if view.asks.get("files") == "yes" else {}
    return view.json(_active(active, files))


def check(view: View) -> Response:
    """Check files as a whole, run their tests, and say what they would change."""
    try:
        bundle = activation.check(_files(view.body))
        activation.tested(bundle)
    except PolicyErrors as errors:
        return view.json(CheckOut([MistakeOut(one.where, one.why) for one in errors.errors], []))
    now = proposing.in_force(view.site)
    changes = proposing.changes_between(now.bundle if now else None, bundle)
    return view.json(CheckOut([], list(map(telling.change, changes))))


def proposals(view: View) -> Response:
    """List proposals, the newest first."""
    states = [ProposalState(view.asks["state"])] if "state" in view.asks else []
    with read(view.site.engine) as db:
        rows = views.proposals(
            db, view.site.site, states=states, after=view.asks.get("after", ""), limit=view.limit + 1
        )
    shown = rows[: view.limit]
    return view.listed(list(map(telling.proposal, shown)), shown[-1].id if len(rows) > view.limit else "")


def proposal(view: View) -> Response:
    """Give one with everything about it."""
    return _whole(view, view.part("proposal"))


def draft(view: View) -> Response:
    """Write a proposal down as a draft, and begin its dry run."""
    row = proposing.draft(view.site, _files(view.body), _reason(view.body), view.actor.id)
    trying.begin(view.site, row.id, view.actor.id, days=proposing.DAYS).join(_PATIENCE_S)
    return _whole(view, row.id, status=201)


def attach(view: View) -> Response:
    """Attach a file to a draft; takes `name` and `content` in base64."""
    name, content = _attached(view.body)
    proposing.attach(view.site, view.part("proposal"), name, content, view.actor.id)
    return _whole(view, view.part("proposal"), status=201)


def trial(view: View) -> Response:
    """Try a draft on what was decided in the last days."""
    if not 1 <= view.body.days <= DAYS_MAX:
        raise InputError("body.days", f"1 to {DAYS_MAX}", reason=Reason.INPUT_INVALID)
    trying.begin(view.site, view.part("proposal"), view.actor.id, days=view.body.days).join(_PATIENCE_S)
    return _whole(view, view.part("proposal"), status=202)


def submit(view: View) -> Response:
    """Propose a draft."""
    return view.json(
        telling.proposal(proposing.submit(view.site, view.part("proposal"), view.proof, view.actor.id))
    )


def approve(view: View) -> Response:
    """Approve another person's proposal; assess another person's emergency."""
    return view.json(
        telling.proposal(proposing.approve(view.site, view.part("proposal"), view.proof, view.actor.id))
    )


def withdraw(view: View) -> Response:
    """Take one's own proposal back, or refuse another's."""
    why = reason_of(view.body.reason)
    row = proposing.withdraw(view.site, view.part("proposal"), why, view.proof, view.actor.id)
    return view.json(telling.proposal(row))


def activate(view: View) -> Response:
    """Put an approved proposal in force."""
    active = proposing.activate(view.site, view.part("proposal"), view.proof, view.actor.id)
    return view.json(_active(active, {}))


def rebase(view: View) -> Response:
    """Draft a stale proposal again on the version in force."""
    row = proposing.rebase(view.site, view.part("proposal"), view.actor.id)
    trying.begin(view.site, row.id, view.actor.id, days=proposing.DAYS).join(_PATIENCE_S)
    return _whole(view, row.id, status=201)


def back(view: View) -> Response:
    """Put the version before in force again."""
    why = reason_of(view.body.reason)
    return view.json(_active(proposing.roll_back(view.site, why, view.proof, view.actor.id), {}))


def emergency(view: View) -> Response:
    """Put files in force now, by one person; another assesses it in time."""
    files, why = _files(view.body), _reason(view.body)
    row, _ = proposing.emergency(view.site, files, why, view.proof, view.actor.id)
    return view.json(telling.proposal(row), status=201)


def _files(body: Any) -> dict[str, bytes]:
    """Read the files of a call; what they may be is the bundle's check to say.

    Raises:
        InputError: they are no paths and texts, or something else stands there.
    """
    files = body.get("files") if isinstance(body, dict) else None
    if not isinstance(body, dict) or set(body) - {"files", "reason"} or not isinstance(files, dict):
        raise InputError("body", "takes files (path and text) and reason", reason=Reason.INPUT_INVALID)
    if not all(isinstance(text, str) for text in files.values()):
        raise InputError("body.files", "must be texts", reason=Reason.INPUT_INVALID)
    try:
        return {path: text.encode() for path, text in files.items()}
    except UnicodeEncodeError as error:
        raise InputError("body.files", "must be Unicode texts", reason=Reason.INPUT_INVALID) from error


def _attached(body: Any) -> tuple[str, bytes]:
    """Read the name and the bytes of what is to be attached.

    Raises:
        InputError: they are not there, or no base64.
    """
    if not isinstance(body, dict) or set(body) != {"name", "content"}:
        raise InputError("body", "takes name and content", reason=Reason.INPUT_INVALID)
    name, content = body["name"], body["content"]
    if not isinstance(name, str) or not isinstance(content, str):
        raise InputError("body", "name and content must be texts", reason=Reason.INPUT_INVALID)
    try:
        return name, base64.b64decode(content, validate=True)
    except ValueError as error:
        raise InputError("body.content", "must be base64", reason=Reason.INPUT_INVALID) from error


def _reason(body: Mapping[str, Any]) -> str:
    return reason_of(body["reason"] if isinstance(body.get("reason"), str) else "")


def _whole(view: View, id_: str, *, status: int = 200) -> Response:
    found = proposing.shown(view.site, id_, current=view.asking.active)
    running = trying.state(view.site, id_)
    trying_now = running is not None and running.running
    return view.json(telling.whole(found, trying=trying_now), status=status)


def _active(active: activation.Active, files: Mapping[str, bytes]) -> PolicyOut:
    bundle = active.bundle
    texts = {path: content.decode() for path, content in files.items()}
    policies = [one.id for one in (*bundle.policies, *bundle.people)]
    tests = len(bundle.cases) + len(bundle.people_cases)
    return PolicyOut(
        *(active.label, active.version, from_micros(active.at_us), bundle.digest.hex()),
        *(sorted(bundle.links), policies, tests, texts),
    )


_ROOT = "/api/v1/policy"
_ONE = f"{_ROOT}/proposals/{{proposal}}"
_OF_PROPOSAL = frozenset({"policy.attach", "policy.withdraw", "policy.approve", "policy.activate"})
_FILES = "takes `files` (path and text) and `reason`"


def _step(word: str, answer: Callable[[View], Response], action: str, call: Call) -> Route:
    about = thing if action in _OF_PROPOSAL else named("policy")
    return Route(f"{_ONE}/{word}", answer, "POST", action=action, thing=about, api=True, call=call)


API = (
    Route(
        _ROOT, policy, action="policy.see", api=True,
        call=Call(gives=PolicyOut, asks={"files": Query("`yes`: with the bundle's files", ("yes", "no"))}),
    ),
    Route(
        f"{_ROOT}/check", check, "POST", action="policy.propose", api=True,
        call=Call(gives=CheckOut, bytes_max=FILES_BYTES_MAX, words=f"Check files as a whole and say what they would change; {_FILES}."),
    ),
    Route(
        f"{_ROOT}/proposals", proposals, action="policy.see", api=True,
        call=Call(gives=ProposalOut, listed=True, asks={**PAGED, "state": Query("in this state alone", tuple(map(str, ProposalState)))}),
    ),
    Route(
        f"{_ROOT}/proposals", draft, "POST", action="policy.propose", api=True,
        call=Call(gives=ProposalWhole, status=201, bytes_max=FILES_BYTES_MAX, words=f"Write a proposal down as a draft, and begin its dry run; {_FILES}."),
    ),
    Route(_ONE, proposal, action="policy.see", thing=named("policy"), api=True, call=Call(gives=ProposalWhole)),
    _step("attach", attach, "policy.attach", Call(gives=ProposalWhole, status=201, bytes_max=FILES_BYTES_MAX)),
    _step("try", trial, "policy.propose", Call(gives=ProposalWhole, takes=Days, status=202)),
    _step("propose", submit, "policy.propose", Call(gives=ProposalOut)),
    _step("approve", approve, "policy.approve", Call(gives=ProposalOut)),
    _step("withdraw", withdraw, "policy.withdraw", Call(gives=ProposalOut, takes=Why)),
    _step("refuse", withdraw, "policy.approve", Call(gives=ProposalOut, takes=Why, words="Refuse another person's proposal.")),
    _step("activate", activate, "policy.activate", Call(gives=PolicyOut)),
    _step("rebase", rebase, "policy.propose", Call(gives=ProposalWhole, status=201)),
    Route(f"{_ROOT}/rollback", back, "POST", action="policy.rollback", api=True, call=Call(gives=PolicyOut, takes=Why)),
    Route(
        f"{_ROOT}/emergency", emergency, "POST", action="policy.emergency", api=True,
        call=Call(gives=ProposalOut, status=201, bytes_max=FILES_BYTES_MAX, words=f"Put files in force now, by one person; another assesses it in time; {_FILES}."),
    ),
)  # fmt: skip
