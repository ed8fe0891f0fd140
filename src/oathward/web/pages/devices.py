"""Devices: what may speak here, by id; who spoke and is not known; making one of those ours.

Rules:
- A list pages by id and checks each signature it shows; it never reads all of an estate.
- Adoption is a device document signed by the keeper for the person who is signed in, as on the command line; its held
  messages then go through the path again from the quarantine's page.
- What somebody unknown calls itself is its own word: printed, never believed.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from starlette.responses import Response

from oathward.core.db import read, write
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.endpoints import views as endpoints
from oathward.inventory import actions, views
from oathward.inventory.model import ANY, ID, Device, Status
from oathward.web import things
from oathward.web.page import Page, Route, named
from oathward.web.view import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from oathward.endpoints.model import EndpointRow
    from oathward.inventory.views import HeldView

ROWS = 50
UNKNOWN_MAX = 200
KNOWN_MAX = 5_000
"""Of so many devices all documents are read to say whose address it is; more would hold the page up."""

LEVELS = {"active": "ok", "held": "note", "revoked": "bad", "retired": "off"}
STATES = {status.value: status.value for status in Status}
TYPES = {
    "*": "anything",
    "ORU^R01": "measurements by HL7 v2 (ORU^R01)",
    "ADT^*": "admissions and demographics (ADT)",
    "FHIR^*": "any FHIR resource",
    "FHIR^Observation": "FHIR Observations alone",
}
"""What an adopted device may be entitled to, as the form offers it."""

_WORDS = re.compile(r"[^\x00-\x1f\x7f]{0,100}").fullmatch


def show(view: View) -> Response:
    """List devices, and count who is not known."""
    status = view.asked("status", known=STATES)
    begins = view.asked("id")
    begins = begins if not begins or ID.fullmatch(begins) else ""
    makes = view.makes("devices.see")
    with read(view.site.engine) as db:
        after = view.asked("after")
        found = things.devices(view, db, begins=begins, status=status, after=after, limit=ROWS + 1)
        counts, unknown = _counts(view, db, makes)
        seen = _seen(view, db, [one.device.id for one in found[:ROWS]])
    return view.page(
        "devices.html",
        begins=begins,
        counts=counts,
        levels=LEVELS,
        more=found[ROWS - 1].device.id if len(found) > ROWS else "",
        rows=found[:ROWS],
        seen=seen,
        states=STATES,
        standing=status,
        total=sum(counts.values()),
        unknown=unknown,
    )


def _seen(view: View, db: Connection, ids: Sequence[str]) -> dict[str, EndpointRow]:
    """Find what the living inventory has of devices, where the viewer may see it."""
    return endpoints.of_devices(db, view.site.site, ids) if view.may("inventory.see") else {}


def _counts(view: View, db: Connection, makes: frozenset[str] | None) -> tuple[dict[str, int], int]:
    """Count devices by standing, and who is not known; a vendor's own, and nobody."""
    if makes is None:
        counts, unknown = views.counts(db, view.site.site)
        return counts, unknown if view.may("device.adopt") else 0
    return dict(Counter(one.status for one in things.own(view, db, makes))), 0


def one(view: View) -> Response:
    """Show one device as it was declared and signed."""
    id_, site = view.part("device"), view.site
    with read(site.engine) as db:
        found = views.one(db, site.site, id_, site.authority, site.seen)
        seen = _seen(view, db, [id_]).get(id_)
    if found is None:
        raise InputError("device", "there is no such device", reason=Reason.NOT_FOUND)
    whole = view.makes("devices.see") is None
    return view.page(
        "device.html", found=found, level=LEVELS.get(found.status, "off"), whole=whole, seen=seen
    )


def unknown(view: View) -> Response:
    """List who spoke and is not known."""
    site = view.site
    with read(site.engine) as db:
        rows = views.unknown(db, site.site, limit=UNKNOWN_MAX)
        warnings = _warnings(db, site.site, rows)
    return view.page("unknown.html", most=UNKNOWN_MAX, rows=rows, warnings=warnings)


def adoption(view: View) -> Response:
    """Ask what somebody unknown is to be."""
    return _asked(view, _held(view), {})


def adopt(view: View) -> Response:
    """Make somebody unknown one of ours."""
    held, site = _held(view), view.site
    if view.visit is None or not view.visit.acts:
        raise InputError("session", "was made for looking only", reason=Reason.NOT_PERMITTED)
    try:
        device = _device(view)
        with read(site.engine) as db:
            draft = actions.plan_adoption(
                db, site.site, held.id, device, pin_address=view.form.get("pin") == "yes"
            )
    except InputError as error:
        if error.reason is Reason.NOT_FOUND:
            raise
        return _asked(view, held, {"where": error.where, "why": error.why})
    signed = site.keeper.sign_devices([(draft.kind, draft.id, draft.version, draft.body)], view.proof)
    with write(site.engine) as db:
        actions.store(
            *(db, site.site, signed),
            kind="device.adopted",
            by=view.who,
            now_us=view.now_us,
            held=held.id,
            reason=view.reason(),
        )
    return view.go(f"/devices/{device.id}?adopted=yes")


def dismiss(view: View) -> Response:
    """Take somebody off the list; its messages stay in quarantine."""
    held = _held(view)
    if view.visit is None or not view.visit.acts:
        raise InputError("session", "was made for looking only", reason=Reason.NOT_PERMITTED)
    with write(view.site.engine) as db:
        actions.dismiss(db, view.site.site, held.id, by=view.who, now_us=view.now_us)
    return view.go("/devices/unknown")


def _warnings(db: Connection, site: str, rows: Sequence[HeldView]) -> dict[str, list[str]]:
    """Say of each whose certificate, address or name it has; nothing where there are too many to look."""
    few = 0 < len(rows) <= ROWS and sum(views.counts(db, site)[0].values()) <= KNOWN_MAX
    known = views.Known(db, site) if few else None
    return {row.id: known.warnings(row) for row in rows} if known else {}


def _asked(view: View, held: HeldView, wrong: dict[str, str]) -> Response:
    with read(view.site.engine) as db:
        warnings = _warnings(db, view.site.site, [held]).get(held.id, [])
    more = {"form": view.form, "chosen": view.many("types"), "held": held, "types": TYPES}
    more |= {"wrong": wrong, "warnings": warnings}
    return view.page("adopt.html", status=422 if wrong else 200, **more)


def _held(view: View) -> HeldView:
    site, id_ = view.site, view.part("held")
    with read(site.engine) as db:
        found = views.heard(db, site.site, id_)
    if found is None:
        raise InputError("device", "nobody is held under this id any more", reason=Reason.NOT_FOUND)
    return found


def _device(view: View) -> Device:
    """Read the form.

    Raises:
        InputError: names the field.
    """
    form = {name: " ".join(view.form.get(name, "").split()) for name in (*_FIELDS, "id")}
    for name, value in form.items():
        if not _WORDS(value):
            raise InputError(name, "printable words, at most 100 characters")
    types = frozenset(kind for kind in view.many("types") if kind in TYPES)
    if not types:
        raise InputError("types", "say what it may send")
    if not form["kind"]:
        raise InputError("kind", "say what kind of device it is: links choose by it")
    view.reason()
    return Device(
        form["id"],
        form["name"],
        form["kind"],
        form["make"],
        form["model"],
        serial=form["serial"],
        location=form["location"],
        message_types=frozenset((ANY,)) if ANY in types else types,
        default_authority=form["default_authority"],
    )


_FIELDS = ("name", "kind", "make", "model", "serial", "location", "default_authority")

PAGE = Page(
    "Devices",
    (
        Route("/devices", show, action="devices.see"),
        Route("/devices/unknown", unknown, action="device.adopt"),
        Route("/devices/unknown/{held}", adoption, action="device.adopt", thing=named("device", "held")),
        Route("/devices/unknown/{held}", adopt, "POST", action="device.adopt", thing=named("device", "held")),
        Route(
            "/devices/unknown/{held}/dismiss",
            dismiss,
            "POST",
            action="device.adopt",
            thing=named("device", "held"),
        ),
        Route("/devices/{device}", one, action="devices.see", thing=things.device),
    ),
    group="See",
    key="d",
    order=20,
)
