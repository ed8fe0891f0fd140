"""The policy editor: what somebody is writing, file by file, checked as a whole; then proposed, or in an emergency put in force.

Rules:
- What is written is kept here, a draft of each person's own, and is in force nowhere.
- Mistakes are those of ``oathward policy check``: file, line, what to write instead; all at once.
- It works without script and from the keyboard: a list of files, one text, buttons.
- It is one form: what was typed goes along with every button, is kept before anything else, and stands there again after
  a refusal. An emergency wants a fresh proof, which the frame asks for before this module: its button goes by ``save``.

Deliberately absent: colouring, completion, and files too long for a form (edit those in a folder).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse, Response

from oathward import activation, proposing
from oathward.changes import actions, views
from oathward.changes.model import EditRow
from oathward.core.db import read, write
from oathward.core.errors import InputError, PolicyError
from oathward.core.reasons import Reason
from oathward.policy import starter
from oathward.policy.bundle import unpack
from oathward.policy.errors import PolicyErrors
from oathward.policy.files import normalise
from oathward.web import trying
from oathward.web.page import Page, Route
from oathward.web.view import View

if TYPE_CHECKING:
    from oathward.policy.bundle import Bundle

TEXT_LENGTH_MAX = 200_000
"""Of one file in a form; a form holds 256 KiB."""

_NEW = {
    "links/": 'id = ""\nrecipient = ""\npurpose = ""\nlegal_basis = ""\nclasses = []\nprofile = ""\n\n[sources]\ndevices = []\nmessage_types = []\n',
    "recipients/": 'id = ""\nname = ""\nparty = ""\nzone = ""\naddress = ""\n',
}
_PATIENCE_S = 2.5


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake, with the line it stands in where it has one."""

    path: str
    line: int
    text: str
    why: str


def show(view: View) -> Response:
    """Show the files, one of them to write in, and after a check what is wrong."""
    edit, active = _edit(view)
    checked = view.asked("checked") == "yes"
    mistakes = _mistakes(edit.files) if checked else []
    chosen = view.asked("file", known=edit.files) or _first(edit.files, mistakes)
    return _page(view, edit, active, chosen, mistakes, checked=checked)


def save(view: View) -> Response:
    """Keep what was written; then stay, open another file, check all of it, take the file out, add one, or go on."""
    (edit, active), path, do = _edit(view), view.form.get("file", ""), view.form.get("do", "save")
    if do == "enter":
        do = "add" if view.form.get("new", "").strip() else "save"
    try:
        edit = _kept(view, edit)
        if do == "remove":
            edit, path = _keep(view, edit, {one: edit.files[one] for one in edit.files if one != path}), ""
        elif do == "add":
            edit, path = _added(view, edit)
    except InputError as error:
        return _refused(view, edit, active, error)
    if do == "emergency":
        # The same form, to where a proof is asked for.
        return RedirectResponse("/policies/edit/emergency", 307)
    path = view.form.get("open", path)
    checked = do == "check" or ("open" in view.form and "checked" in view.form)
    # What was typed beside the text is kept by nothing but the page.
    if view.form.get("reason") or (view.form.get("new") and do != "add"):
        mistakes = _mistakes(edit.files) if checked else []
        return _page(view, edit, active, path if path in edit.files else "", mistakes, checked=checked)
    return view.go(view.link("/policies/edit", file=path, checked="yes" if checked else ""))


def again(view: View) -> Response:
    """Lead back to the editor whoever loads an answer of its buttons anew."""
    return view.go("/policies/edit")


def start_over(view: View) -> Response:
    """Forget what was written, and begin from what is in force."""
    with write(view.site.engine) as db:
        actions.drop_edit(db, view.site.site, _who(view))
    return view.go("/policies/edit")


def propose(view: View) -> Response:
    """Make a draft proposal of it, and begin its dry run."""
    edit, active = _edit(view)
    try:
        edit = _kept(view, edit)
        row = proposing.draft(view.site, _bytes(edit.files), view.reason(), view.actor.id)
    except PolicyErrors as errors:
        return _page(view, edit, active, "", _told(errors, edit.files), checked=True, status=422)
    except InputError as error:
        return _refused(view, edit, active, error)
    with write(view.site.engine) as db:
        actions.drop_edit(db, view.site.site, _who(view))
    trying.begin(view.site, row.id, view.actor.id, days=proposing.DAYS).join(_PATIENCE_S)
    return view.go(f"/policies/proposals/{row.id}")


def emergency(view: View) -> Response:
    """Put it in force now, once the person has said so twice and seen what it changes: this very text, or they see again."""
    edit, active = _edit(view)
    try:
        edit = _kept(view, edit)
        why, bundle = view.reason(), activation.check(_bytes(edit.files))
        activation.tested(bundle)
        if (
            view.form.get("sure") != "yes"
            or view.form.get("digest", bundle.digest.hex()) != bundle.digest.hex()
        ):
            return _sure(view, bundle, why)
        row, _ = proposing.emergency(view.site, _bytes(edit.files), why, view.proof, view.actor.id)
    except PolicyErrors as errors:
        return _page(view, edit, active, "", _told(errors, edit.files), checked=True, status=422)
    except InputError as error:
        return _refused(view, edit, active, error)
    with write(view.site.engine) as db:
        actions.drop_edit(db, view.site.site, _who(view))
    return view.go(f"/policies/proposals/{row.id}")


def _sure(view: View, bundle: Bundle, why: str) -> Response:
    """Ask whether somebody means it, with what it changes."""
    now = proposing.in_force(view.site)
    base = now.bundle if now else None
    changes = proposing.changes_between(base, bundle)
    refused = proposing.emergency_refusals(changes, base, bundle)
    hours = view.site.settings.people.assess_hours_max
    return view.page(
        "policy_emergency.html",
        changes=changes,
        digest=bundle.digest.hex(),
        hours=hours,
        refused=refused,
        waiting=proposing.waiting(view.site.engine, changes),
        why=why,
    )


def _refused(view: View, edit: EditRow, active: activation.Active | None, error: InputError) -> Response:
    """Say why not, on the page with all that was typed."""
    return _page(
        view, edit, active, view.form.get("file", ""), [], checked=False,
        status=error.reason.answer.http, refused=error,
    )  # fmt: skip


def _page(
    view: View,
    edit: EditRow,
    active: activation.Active | None,
    chosen: str,
    mistakes: list[Mistake],
    *,
    checked: bool,
    status: int = 200,
    refused: InputError | None = None,
) -> Response:
    typed = view.form.get("text") if refused and view.form.get("file") == chosen else None
    if typed is None and chosen not in edit.files:
        chosen = _first(edit.files, mistakes)
    text = edit.files.get(chosen, "") if typed is None else typed
    there = unpack(active.bundle.body) if active else {}
    changed = {p for p in {*edit.files, *there} if there.get(p) != edit.files.get(p, "\0").encode()}
    return view.page(
        "policy_editor.html",
        active=active,
        changed=changed,
        checked=checked,
        chosen=chosen,
        edit=edit,
        gone=sorted(set(there) - set(edit.files)),
        mistakes=mistakes,
        new=view.form.get("new", "") if refused or view.form.get("do") != "add" else "",
        refused=refused,
        stale=active is not None and bool(edit.base_version) and edit.base_version != active.version,
        status_code=status,
        status=status,
        text=text,
        too_long=typed is None and len(text) > TEXT_LENGTH_MAX,
        unkept=typed is not None and edit.files.get(chosen) != _plain(typed),
        why=view.form.get("reason", "") or view.why("/policies/edit/emergency"),
        wrong={one.path for one in mistakes},
    )


def _edit(view: View) -> tuple[EditRow, activation.Active | None]:
    """Give what this person is writing: theirs, else what is in force, else the starter bundle."""
    site = view.site
    with read(site.engine) as db:
        active = activation.load_active(db, site.site, site.authority, site.seen, current=view.asking.active)
        edit = views.edit_of(db, site.site, _who(view))
    if edit is None:
        files = unpack(active.bundle.body) if active else starter.files()
        texts = {path: content.decode() for path, content in files.items()}
        edit = EditRow(_who(view), active.version if active else 0, texts, 0)
    return edit, active


def _kept(view: View, edit: EditRow) -> EditRow:
    """Keep the text that came along with a button, whichever it was; a file taken out meanwhile comes back with it.

    Raises:
        InputError: it is too long, or of a file that nothing reads.
    """
    path = view.form.get("file", "")
    if not path or "text" not in view.form:
        return edit
    if path not in edit.files:
        _check_path(path)
    return _keep(view, edit, {**edit.files, path: _text(view.form["text"])})


def _added(view: View, edit: EditRow) -> tuple[EditRow, str]:
    """Begin a new file.

    Raises:
        InputError: there is one, or nothing reads it.
    """
    path = view.form.get("new", "").strip()
    if path in edit.files:
        raise InputError("new file", "there is one of this name", reason=Reason.CONFLICT)
    _check_path(path)
    text = next((text for folder, text in _NEW.items() if path.startswith(folder)), "")
    return _keep(view, edit, {**edit.files, path: text}), path


def _keep(view: View, edit: EditRow, files: Mapping[str, str]) -> EditRow:
    row = EditRow(edit.person, edit.base_version, dict(files), view.now_us)
    with write(view.site.engine) as db:
        actions.save_edit(db, view.site.site, row)
    return row


def _who(view: View) -> str:
    return view.actor.id or "setup"


def _text(given: str) -> str:
    """Give a form's text as files have it: browsers send CR LF."""
    if len(given) > TEXT_LENGTH_MAX:
        raise InputError("text", f"longer than {TEXT_LENGTH_MAX} characters", reason=Reason.LIMIT_EXCEEDED)
    return _plain(given)


def _plain(given: str) -> str:
    return given.replace("\r\n", "\n").replace("\r", "\n")


def _check_path(path: str) -> None:
    """See that a new file has a name that something reads.

    Raises:
        InputError: it has none.
    """
    try:
        normalise({path: b""})
    except PolicyErrors as errors:
        raise InputError("new file", errors.errors[0].why, reason=Reason.INPUT_INVALID) from errors


def _bytes(files: Mapping[str, str]) -> dict[str, bytes]:
    return {path: text.encode() for path, text in files.items()}


def _mistakes(files: Mapping[str, str]) -> list[Mistake]:
    """Check all of it, and run its tests."""
    try:
        activation.tested(activation.check(_bytes(files)))
    except PolicyErrors as errors:
        return _told(errors, files)
    return []


def _told(errors: PolicyErrors, files: Mapping[str, str]) -> list[Mistake]:
    return [_mistake(error, files) for error in errors.errors]


def _mistake(error: PolicyError, files: Mapping[str, str]) -> Mistake:
    path, _, number = error.where.rpartition(":")
    if not number.isdigit():
        return Mistake(error.where if error.where in files else "", 0, "", f"{error.where}: {error.why}")
    rows = files.get(path, "").split("\n")
    line = int(number)
    text = rows[line - 1].strip()[:200] if 0 < line <= len(rows) else ""
    return Mistake(path if path in files else "", line, text, error.why)


def _first(files: Mapping[str, str], mistakes: list[Mistake]) -> str:
    wrong = (one.path for one in mistakes if one.path in files)
    return next(wrong, "") or next(iter(sorted(files)), "")


PAGE = Page(
    "Policy editor",
    (
        Route("/policies/edit", show, action="policy.propose"),
        *(
            Route(f"/policies/edit/{step}", again, action="policy.propose")
            for step in ("emergency", "propose", "save", "start-over")
        ),
        Route("/policies/edit/save", save, "POST", action="policy.propose"),
        Route("/policies/edit/start-over", start_over, "POST", action="policy.propose"),
        Route("/policies/edit/propose", propose, "POST", action="policy.propose"),
        Route("/policies/edit/emergency", emergency, "POST", action="policy.emergency"),
    ),
)
