"""Agreements and assessments as pages: what each permits or judges, what it lacks, adding, ending, approving.

Rules:
- A paper itself comes by the command line, which has the file; a page gives it back to be saved, never to be shown.
- Who approves an assessment is who is signed in; the author cannot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from oathward import governing, proposing
from oathward.core.db import read, write
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.governance import actions, covering, files, sheet, sql, views
from oathward.governance.derive import digest_of
from oathward.governance.model import (
    Acceptability,
    AgreementKind,
    AssessedKind,
    AssessmentRow,
    EntryKind,
    EntryRow,
)
from oathward.web.governance_people import Called, ids_of
from oathward.web.page import Route, named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oathward.governance.findings import Register
    from oathward.governance.model import AgreementRow, RegisterFinding
    from oathward.policy.bundle import Bundle
    from oathward.policy.model import Link
    from oathward.web.view import View


def acts(view: View) -> None:
    """Refuse who is signed in to look only.

    Raises:
        InputError: ``not-permitted``.
    """
    if view.visit is None or not view.visit.acts:
        raise InputError("session", "was made for looking only", reason=Reason.NOT_PERMITTED)


def by(view: View) -> str:
    """Name who asks, as the register has persons: by id; by name on a site that has no people."""
    assert view.visit is not None, "a public page changes nothing"
    return view.who


def link_of(register: Register, row: EntryRow) -> Link | None:
    """Give the live link an entry is about."""
    if row.kind is not EntryKind.LINK or register.bundle is None:
        return None
    return register.bundle.links.get(row.id)


def place_of(row: RegisterFinding) -> str:
    """Say where a finding is mended."""
    if row.kind in set(EntryKind):
        return f"/governance/{row.kind}/{row.about}"
    return (
        f"/governance/agreements/{row.about}" if row.kind == actions.AGREEMENT else "/governance/assessments"
    )


def agreements(view: View) -> Response:
    """List agreements."""
    return _agreements(view, {}, {})


def add_agreement(view: View) -> Response:
    """Write an agreement."""
    acts(view)
    form = {name: view.form.get(name, "").strip() for name in sheet.AGREEMENT_COLUMNS}
    try:
        row = sheet.agreement(form)
        with write(view.site.engine) as db:
            actions.put_agreement(db, view.site.site, row, by=by(view), now_us=view.now_us)
    except InputError as error:
        return _agreements(view, form, {"where": error.where, "why": error.why})
    return view.go(f"/governance/agreements/{row.id}")


def agreement(view: View) -> Response:
    """Show one agreement: what it permits, which links name it, what it does not cover of them."""
    register, row = _register(view), _agreement(view)
    with read(view.site.engine) as db:
        history = views.history(db, view.site.site, actions.AGREEMENT, row.id)
    return view.page(
        "governance_agreement.html",
        called=Called(view, {row.by} | ids_of(history), register.living),
        day=covering.day,
        history=history,
        over=covering.in_force(row, view.now_us),
        row=row,
        uses=_uses(register, row, view.now_us),
    )


def end_agreement(view: View) -> Response:
    """End an agreement."""
    acts(view)
    row = _agreement(view)
    with write(view.site.engine) as db:
        actions.end_agreement(db, view.site.site, row.id, by=by(view), now_us=view.now_us)
    return view.go(f"/governance/agreements/{row.id}")


def assessments(view: View) -> Response:
    """List assessments."""
    return _assessments(view, {}, {})


def add_assessment(view: View) -> Response:
    """Write an assessment of who is signed in."""
    acts(view)
    names = ("kind", "about", "privacy", "security", "outcome", "measures", "valid_until", "proposal")
    form = {name: view.form.get(name, "").strip() for name in names}
    register = _register(view)
    try:
        row = _assessed(view, register, form)
        with write(view.site.engine) as db:
            actions.assess(db, view.site.site, row, now_us=view.now_us)
    except InputError as error:
        return _assessments(view, form, {"where": error.where, "why": error.why})
    return view.go("/governance/assessments")


def approve_assessment(view: View) -> Response:
    """Approve another person's assessment."""
    acts(view)
    with write(view.site.engine) as db:
        actions.approve_assessment(
            db, view.site.site, view.part("assessment"), by=by(view), now_us=view.now_us
        )
    return view.go("/governance/assessments")


def reopen_assessment(view: View) -> Response:
    """Say that an assessment stands no longer."""
    acts(view)
    with write(view.site.engine) as db:
        actions.reopen_assessment(
            db, view.site.site, view.part("assessment"), by=by(view), now_us=view.now_us
        )
    return view.go("/governance/assessments")


def paper(view: View) -> Response:
    """Give the file of an agreement or an assessment, to be saved."""
    digest = view.part("digest") or "-"
    with read(view.site.engine) as db:
        rows: list[AgreementRow | AssessmentRow] = [*sql.agreements(db, view.site.site)]
        rows += sql.assessments(db, view.site.site)
    row = next((row for row in rows if row.digest == digest), None)
    if row is None:
        raise InputError("file", "no such file is kept", reason=Reason.NOT_FOUND)
    content = files.kept(view.site.settings.data, digest)
    name = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in row.file) or "paper"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type="application/octet-stream", headers=headers)


def _agreements(view: View, form: Mapping[str, str], wrong: Mapping[str, str]) -> Response:
    register = _register(view)
    rows = [
        (row, covering.in_force(row, view.now_us), _uses(register, row, view.now_us))
        for row in register.agreements.values()
    ]
    bundle = register.bundle
    named_by = {link.agreement: link.id for link in bundle.links.values() if link.agreement} if bundle else {}
    return view.page(
        "governance_agreements.html",
        day=covering.day,
        form=form,
        kinds=list(AgreementKind),
        lacking={id_: link for id_, link in named_by.items() if id_ not in register.agreements},
        rows=rows,
        status=422 if wrong else 200,
        wrong=wrong,
    )


def _assessments(view: View, form: Mapping[str, str], wrong: Mapping[str, str]) -> Response:
    register = _register(view)
    rows = [
        (row, covering.stands(row, view.now_us, _about_digest(register.bundle, row.kind, row.about)))
        for row in register.assessments
    ]
    asked = {"kind": view.asked("kind", known=dict.fromkeys(AssessedKind)), "about": view.asked("about")}
    asked["proposal"] = view.asked("proposal")
    return view.page(
        "governance_assessments.html",
        called=Called(view, {who for row, _ in rows for who in (row.author, row.approver)}, register.living),
        day=covering.day,
        form=form or asked,
        kinds=list(AssessedKind),
        me=by(view),
        outcomes=list(Acceptability),
        rows=rows,
        status=422 if wrong else 200,
        wrong=wrong,
    )


def _assessed(view: View, register: Register, form: Mapping[str, str]) -> AssessmentRow:
    """Make an assessment of a form.

    Raises:
        InputError: names the field.
    """
    if form["kind"] not in set(AssessedKind) or form["outcome"] not in set(Acceptability):
        raise InputError("kind, outcome", "choose one of those offered")
    try:
        until_us = sheet.day_us(form["valid_until"])
    except ValueError as error:
        raise InputError("valid until", "a day such as 2027-05-31") from error
    kind = AssessedKind(form["kind"])
    bundle = _proposed(view, form["proposal"]) if form["proposal"] else register.bundle
    digest = _about_digest(bundle, kind, form["about"])
    if not digest and kind in {AssessedKind.LINK, AssessedKind.RECIPIENT}:
        raise InputError("about", f"there is no such {kind} in that policy; name the proposal that brings it")
    return AssessmentRow(
        id="", kind=kind, about=form["about"], about_digest=digest, privacy=form["privacy"], security=form["security"],
        author=by(view), at_us=view.now_us, outcome=Acceptability(form["outcome"]), measures=form["measures"],
        valid_until_us=until_us,
    )  # fmt: skip


def _proposed(view: View, id_: str) -> Bundle:
    """Give the bundle of a proposal.

    Raises:
        InputError: ``not-found``.
    """
    return proposing.shown(view.site, id_, current=view.asking.active).bundle


def _about_digest(bundle: Bundle | None, kind: AssessedKind, about: str) -> str:
    """Name what is assessed as it is in a policy; empty where it has no body, or is not there."""
    if bundle is None:
        return ""
    if kind is AssessedKind.LINK and about in bundle.links:
        return digest_of(bundle.links[about])
    if kind is AssessedKind.RECIPIENT and about in bundle.recipients:
        return digest_of(bundle.recipients[about])
    return ""


def _uses(register: Register, row: AgreementRow, now_us: int) -> dict[str, tuple[str, ...]]:
    """Say which live links name an agreement, and what it does not cover of each."""
    bundle = register.bundle
    if bundle is None:
        return {}
    return {
        link.id: covering.covers(row, link, bundle.recipients[link.recipient], now_us)
        for link in bundle.links.values()
        if link.agreement == row.id
    }


def _agreement(view: View) -> AgreementRow:
    with read(view.site.engine) as db:
        row = views.agreement(db, view.site.site, view.part("agreement"))
    if row is None:
        raise InputError("agreement", "there is no such agreement", reason=Reason.NOT_FOUND)
    return row


def _register(view: View) -> Register:
    with read(view.site.engine) as db:
        return governing.register(db, view.site, current=view.asking.active)


_AREA = named("area")

ROUTES = (
    Route("/governance/agreements", agreements, action="governance.see"),
    Route("/governance/agreements", add_agreement, "POST", action="governance.change"),
    Route("/governance/agreements/{agreement}", agreement, action="governance.see", thing=_AREA),
    Route(
        "/governance/agreements/{agreement}/end",
        end_agreement,
        "POST",
        action="governance.change",
        thing=_AREA,
    ),
    Route("/governance/assessments", assessments, action="governance.see"),
    Route("/governance/assessments", add_assessment, "POST", action="governance.change"),
    Route(
        "/governance/assessments/{assessment}/approve",
        approve_assessment,
        "POST",
        action="governance.change",
        thing=_AREA,
    ),
    Route(
        "/governance/assessments/{assessment}/reopen",
        reopen_assessment,
        "POST",
        action="governance.change",
        thing=_AREA,
    ),
    Route("/governance/papers/{digest}", paper, action="governance.see", thing=_AREA),
)
