"""Proposals: what each changes in words, what it would have done last week, what it needs, and who decides it.

Rules:
- What a person approves is what this page showed them: the same digests, looked at again when they press the button.
- Whose turn it is follows from the state and from who looks; what somebody may not do has no button.
- A dry run goes on beside the page; the page loads itself anew when it is done.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import Response

from oathward import proposing
from oathward.changes import views
from oathward.changes.model import ProposalRow, ProposalState, event_words
from oathward.core.db import read
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.people import doors
from oathward.people import views as people
from oathward.policy import dry_run_words
from oathward.policy.access import Thing
from oathward.policy.difference_files import FileChange, by_line
from oathward.policy.files import unpack
from oathward.policy.memo import Memo
from oathward.policy.review_findings import marked, with_names
from oathward.web import trying
from oathward.web.page import Page, Route, named
from oathward.web.pages.policy import LEVELS, Names, level_of
from oathward.web.view import View

ROWS = 50
DAYS_MAX = 3_650
NOTE_LENGTH_MAX = 100_000
_PATIENCE_S = 2.5


def thing(view: View) -> Thing | None:
    """Say what the proposal in the path is: its proposer's; nothing where there is none."""
    try:
        with read(view.site.engine) as db:
            row = views.one(db, view.site.site, view.part("proposal")).row
    except InputError:
        return None
    return Thing("proposal", row.id, owner=row.proposer)


def listed(view: View) -> Response:
    """List proposals of every state, the newest first."""
    state = view.asked("state", known={str(one): one for one in ProposalState})
    with read(view.site.engine) as db:
        states = [ProposalState(state)] if state else []
        rows = views.proposals(db, view.site.site, states=states, after=view.asked("after"), limit=ROWS + 1)
        names = people.names(db, view.site.site, {row.proposer for row in rows})
    active = proposing.in_force(view.site)
    return view.page(
        "policy_proposals.html",
        after=rows[ROWS - 1].id if len(rows) > ROWS else "",
        level={row.id: level_of(row, active.version if active else 0) for row in rows},
        levels=LEVELS,
        name=Names(names),
        rows=rows[:ROWS],
        state=state,
    )


def one(view: View) -> Response:
    """Show one with everything about it."""
    found = proposing.shown(view.site, view.part("proposal"), current=view.asking.active)
    row = found.row
    with read(view.site.engine) as db:
        ids = {row.proposer, row.approver, *(e.by for e in found.view.events)}
        names = people.names(db, view.site.site, ids)
    about = Thing("proposal", row.id, owner=row.proposer)
    door = _door(view, row, row.approver or (view.actor.id if view.may("policy.approve", about) else ""))
    return view.page(
        "policy_proposal.html",
        door=door,
        found=found,
        groups=[(d, [c for c in found.changes if c.direction == d]) for d in ("widen", "narrow", "same")],
        event_words=event_words,
        files=_files(found),
        level=level_of(row, found.in_force),
        lines=dry_run_words.lines(found.dry_run) if found.dry_run else [],
        mine=row.proposer == view.actor.id,
        may={
            name: view.may(f"policy.{name}", about) for name in ("attach", "withdraw", "approve", "activate")
        },
        name=Names(names),
        row=row,
        trial=trying.state(view.site, row.id),
    )


def _door(view: View, row: ProposalRow, second: str) -> str:
    """Say that one person let both in who make a change; nothing where it is not so, or the viewer may not see people."""
    if not (row.open or row.unassessed) or not view.may("people.see"):
        return ""
    site, now_us = view.site, view.now_us
    with read(site.engine) as db:
        pair = [(row.proposer, second)]
        found = doors.one_door(db, site.site, pair, now_us, provider=bool(site.settings.oidc.issuer))
        words = next((door.words for door in found.values()), "")
        return with_names(words, people.names(db, site.site, marked(words)))


def _files(found: proposing.Shown) -> tuple[FileChange, ...]:
    """Say line by line what changes; remembered, as a page is loaded again and again."""
    key = (found.base.digest if found.base else b"", found.bundle.digest)
    files = _known.get(key)
    if files is None:
        before = unpack(found.base.body) if found.base else {}
        files = by_line(before, unpack(found.bundle.body))
        _known.put(key, files)
    return files


_known: Memo[tuple[bytes, bytes], tuple[FileChange, ...]] = Memo(8)


def yet(view: View) -> Response:
    """Tell an open page whether its dry run is done: then it loads itself anew."""
    trial = trying.state(view.site, view.part("proposal"))
    if trial is None or not trial.running:
        return Response(status_code=204, headers={"hx-refresh": "true"})
    return view.piece("policy_trial.html", trial=trial)


def attach(view: View) -> Response:
    """Attach a note."""
    name, text = view.form.get("name", "").strip(), view.form.get("text", "").strip()
    if not name or not text or len(text) > NOTE_LENGTH_MAX:
        raise InputError("note", "give it a name and say something", reason=Reason.INPUT_INVALID)
    proposing.attach(view.site, view.part("proposal"), name, text.encode(), view.actor.id)
    return _back(view)


def note(view: View) -> Response:
    """Give an attachment back, to be saved; never shown as a page."""
    wanted = view.part("digest")
    with read(view.site.engine) as db:
        found = views.one(db, view.site.site, view.part("proposal"))
        if wanted not in {one.digest for one in found.attachments}:
            raise InputError("attachment", "there is none of this name", reason=Reason.NOT_FOUND)
        body = views.file(db, view.site.site, wanted)
    headers = {"content-disposition": f'attachment; filename="{wanted[:16]}"'}
    return Response(body, media_type="application/octet-stream", headers=headers)


def trial(view: View) -> Response:
    """Try it on what was decided in the last days; waits a moment for the end."""
    days = view.form.get("days", "7")
    if not (days.isascii() and days.isdigit() and 1 <= int(days) <= DAYS_MAX):
        raise InputError("days", f"1 to {DAYS_MAX}", reason=Reason.INPUT_INVALID)
    id_ = view.part("proposal")
    trying.begin(view.site, id_, view.actor.id, days=int(days)).join(_PATIENCE_S)
    return _back(view)


def submit(view: View) -> Response:
    """Propose a draft."""
    proposing.submit(view.site, view.part("proposal"), view.proof, view.actor.id)
    return _back(view)


def approve(view: View) -> Response:
    """Approve another person's; assess another person's emergency."""
    proposing.approve(view.site, view.part("proposal"), view.proof, view.actor.id)
    return _back(view)


def withdraw(view: View) -> Response:
    """Take one's own back, or refuse another's."""
    proposing.withdraw(view.site, view.part("proposal"), view.reason(), view.proof, view.actor.id)
    return _back(view)


def activate(view: View) -> Response:
    """Put it in force."""
    proposing.activate(view.site, view.part("proposal"), view.proof, view.actor.id)
    return _back(view)


def rebase(view: View) -> Response:
    """Draft it again on the version in force."""
    made = proposing.rebase(view.site, view.part("proposal"), view.actor.id)
    trying.begin(view.site, made.id, view.actor.id, days=7).join(_PATIENCE_S)
    return view.go(f"/policies/proposals/{made.id}")


def _back(view: View) -> Response:
    return view.go(f"/policies/proposals/{view.part('proposal')}")


_ONE = "/policies/proposals/{proposal}"
_POLICY = named("policy")


def _step(word: str, answer: Callable[[View], Response], action: str) -> Route:
    about = thing if action in _OF_PROPOSAL else _POLICY
    return Route(f"{_ONE}/{word}", answer, "POST", action=action, thing=about)


_OF_PROPOSAL = frozenset({"policy.attach", "policy.withdraw", "policy.approve", "policy.activate"})

PAGE = Page(
    "Proposals",
    (
        Route("/policies/proposals", listed, action="policy.see"),
        Route(_ONE, one, action="policy.see", thing=_POLICY),
        Route(f"{_ONE}/yet", yet, quiet=True, action="policy.see", thing=_POLICY),
        Route(f"{_ONE}/attached/{{digest}}", note, action="policy.see", thing=_POLICY),
        _step("attach", attach, "policy.attach"),
        _step("try", trial, "policy.propose"),
        _step("propose", submit, "policy.propose"),
        _step("approve", approve, "policy.approve"),
        _step("withdraw", withdraw, "policy.withdraw"),
        _step("refuse", withdraw, "policy.approve"),
        _step("activate", activate, "policy.activate"),
        _step("rebase", rebase, "policy.propose"),
    ),
)
