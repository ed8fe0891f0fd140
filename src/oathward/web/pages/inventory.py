"""The living inventory: every endpoint that was seen or declared, what is known of it and who says so.

Rules:
- The list pages by time last heard; its filters stand in the address, so that a view is a link.
- What is not known is said so ("unknown"); it can be asked for.
- Names that devices give themselves are printed, never believed: the page says who says what, and how sure that is.
- What patients' devices send stands nowhere here: attributes of devices, addresses, counts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from starlette.responses import Response

from oathward.core.db import read
from oathward.core.errors import InputError
from oathward.core.finding_kinds import KINDS
from oathward.core.reasons import Reason
from oathward.endpoints import views
from oathward.endpoints.attributes import ATTRIBUTES
from oathward.endpoints.model import Page as Listed
from oathward.endpoints.saying import CHOICES, SAID
from oathward.endpoints.types import TYPES
from oathward.endpoints.use import heat, window
from oathward.findings import views as findings
from oathward.findings.model import Filters as FindingFilters
from oathward.network import views as network
from oathward.web import endpoint_probe, inventory_asked, never_seen, saved_views
from oathward.web import inventory_acts as acts
from oathward.web.endpoint_more import certificates, changes, declared_of, said_by
from oathward.web.inventory_asked import CARE, FACETS, NEVER_SEEN, SHOWS, SILENT, UNKNOWN
from oathward.web.page import Page, Route, named
from oathward.web.view import View

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oathward.endpoints.model import AttributeRow, Whole

ROWS = 50
PEERS_MAX = 50
WEEKS_US = 8 * 7 * 86_400_000_000
"""How far back use is counted by hour of the week."""

WINDOW_HOURS = 2
LEVELS = (0.0, 0.25, 0.5, 0.75)
"""Shares of weeks above which an hour is drawn darker."""

SORTS = {"network": "on the network", "account": "off the network"}
_QUERY = re.compile(r"[A-Za-z0-9_.~%+&=-]{0,2000}").fullmatch

GROUPS = {
    "identity": "What it is",
    "software": "What runs on it",
    "network": "How it speaks",
    "care": "For care",
    "place": "Where it is",
    "upkeep": "Who looks after it",
}


def show(view: View, *, wrong: str = "") -> Response:
    """List endpoints."""
    asked = {name: view.asked(name) for name in ("search", *FACETS)}
    silent = view.asked("silent", known=SILENT)
    asked |= {"show": view.asked("show", known=SHOWS), "silent": silent}
    with read(view.site.engine) as db:
        wanted = inventory_asked.wanted(db, view.site.site, asked, view.now_us)
        found = views.page(db, view.site.site, wanted, after=view.asked("after"), limit=ROWS)
        span = network.span(db, view.site.site)
        stored = saved_views.of(view, db, "/inventory")
        unseen = never_seen.count(view, db) if view.may("devices.see") else 0
        if asked["show"] == NEVER_SEEN and view.may("devices.see"):
            rows, more = never_seen.listed(view, db, after=view.asked("after"), limit=ROWS)
            found = Listed(tuple(rows), unseen, more)
    return view.page(
        "inventory.html",
        status=422 if wrong else 200,
        attributes=SAID,
        choices=CHOICES,
        wrong=wrong,
        done=view.number("done"),
        given=view.form,
        ticked=set(view.many("endpoint")),
        chosen={name: asked[name] for name in FACETS},
        facet_words=FACETS,
        facets={name: _values(name, counts) for name, counts in found.facets.items() if name in FACETS},
        found=found,
        saved=stored,
        search=asked["search"],
        shown=asked["show"],
        shows=SHOWS,
        silent=silent,
        silents=SILENT,
        span=span,
        types=TYPES,
        unknown=UNKNOWN,
        unseen=unseen,
    )


def one(view: View, *, wrong: str = "") -> Response:
    """Show one endpoint with everything that is known of it."""
    id_, site = view.part("endpoint"), view.site.site
    with read(view.site.engine) as db:
        found = views.one(db, site, id_)
        if found is None:
            raise InputError("endpoint", "there is no such endpoint", reason=Reason.NOT_FOUND)
        ids = {found.row.id, *_parts(found)}
        peers = network.peers(db, site, ids, limit=PEERS_MAX)
        names = views.names(
            db, site, sorted(ids | {p.endpoint for p in peers if p.endpoint} | _beside(found))
        )
        behind = views.children(db, site, found.row.id)
        history = changes(db, site, found, ids)
        probed = endpoint_probe.offer(view, db, found, ids)
        deciders = {id_ for one in found.merges for id_ in (one.by, one.undone_by)}
        acted = {one.by for one in history} | {one.by for one in probed.done}
        who = said_by(view, db, acted | deciders)
        declared = declared_of(view, db, found.row, peers)
        span = network.span(db, site)
        since_us = max(span[0], span[1] - WEEKS_US) if span else 0
        used = [one.hour_us for one in network.use(db, site, ids, since_us, span[1] + 1)] if span else []
        about = FindingFilters(about=found.row.id)
        open_findings = (
            findings.listed(db, site, about, view.now_us, limit=ROWS).rows if view.may("findings.see") else ()
        )
    of = heat(used, since_us, span[1]) if span and used else None
    return view.page(
        "endpoint.html",
        status=422 if wrong else 200,
        attributes=_grouped(found),
        choices=CHOICES,
        kinds=KINDS,
        declared=declared,
        said=SAID,
        separator=acts.SEPARATOR,
        wrong=wrong,
        behind=behind,
        findings=open_findings,
        found=found,
        certificates=certificates(found, f"{view.now:%Y-%m-%d}"),
        groups=GROUPS,
        heat=of,
        history=history,
        said_by=who,
        levels=LEVELS,
        window=window(of, WINDOW_HOURS) if of else None,
        names=names,
        peers=peers,
        probe=probed,
        type=TYPES.get(found.row.type),
        types=TYPES,
        words=ATTRIBUTES,
    )


def say(view: View) -> Response:
    """Write what somebody says of the ticked endpoints, and go back to the list as it was, which says of how many."""
    back, ids = view.form.get("back", ""), view.many("endpoint")
    try:
        acts.say(view, ids, view.form.get("attribute", ""), view.form.get("value", ""))
    except InputError as error:
        return show(view, wrong=_words(error))
    kept = [one for one in parse_qsl(back) if one[0] != "done"] if _QUERY(back) else []
    return view.go(f"/inventory?{urlencode([*kept, ('done', str(len(ids)))])}")


def change(view: View) -> Response:
    """Do one thing with one endpoint: ``say``, ``join``, ``part`` or ``undo``."""
    id_, verb, to = view.part("endpoint"), view.form.get("verb", ""), ""
    try:
        if verb == "say":
            acts.say(view, [id_], view.form.get("attribute", ""), view.form.get("value", ""))
        elif verb == "join":
            acts.join(view, id_, view.form.get("other", "").strip())
        elif verb == "part":
            to = acts.part(view, id_, view.many("mark"))
        elif verb == "undo":
            acts.undo(view, view.form.get("merge", ""))
        else:
            raise InputError("verb", "say, join, part or undo", reason=Reason.INPUT_INVALID)
    except InputError as error:
        return one(view, wrong=_words(error))
    return view.go(f"/inventory/{to or id_}")


def probe(view: View) -> Response:
    """Probe one endpoint once, and go back to its page."""
    try:
        endpoint_probe.order(view)
    except InputError as error:
        return one(view, wrong=_words(error))
    return view.go(f"/inventory/{view.part('endpoint')}#probe")


def _words(error: InputError) -> str:
    """Say what of a form was wrong; who may not is told by the frame, and of what is not there by its page."""
    if error.reason in {Reason.NOT_PERMITTED, Reason.NOT_FOUND} and error.where in {"session", "endpoint"}:
        raise error
    return f"{error.where}: {error.why}"


def _values(name: str, counts: Mapping[str, int]) -> list[tuple[str, str, int]]:
    """Give the values of a facet: as they stand in the address, in words, how many; what is unknown last."""
    if name == "care":  # as it stands in the address
        addressed = {value: key for key, value in CARE.items()}
        counts = {addressed.get(value, value): count for value, count in counts.items()}
    words = {"type": {key: one.words for key, one in TYPES.items()}, "sort": SORTS, "care": CARE}.get(
        name, {}
    )
    known = [(value, words.get(value, value), count) for value, count in counts.items() if value]
    return [
        *sorted(known, key=lambda one: (-one[2], one[1])),
        *([(UNKNOWN, "unknown", counts[""])] if counts.get("") else []),
    ]


def _grouped(found: Whole) -> dict[str, dict[str, list[AttributeRow]]]:
    """Sort what is said into groups of attributes, in the order of their table."""
    said: dict[str, list[AttributeRow]] = {}
    for row in found.attributes:
        said.setdefault(row.attribute, []).append(row)
    grouped: dict[str, dict[str, list[AttributeRow]]] = {}
    for name, attribute in ATTRIBUTES.items():
        if name in said:
            grouped.setdefault(attribute.group, {})[name] = said[name]
    return grouped


def _parts(found: Whole) -> set[str]:
    """Name the endpoints that became part of one."""
    return {
        one.other
        for one in found.merges
        if one.act == "merge" and one.into == found.row.id and not one.undone_us
    }


def _beside(found: Whole) -> set[str]:
    """Name the endpoints that stand beside one: its gateway, whom it is in conflict with."""
    ids = {found.row.parent, *(c.other for c in found.conflicts), *(c.endpoint for c in found.conflicts)}
    return {id_ for id_ in ids if id_}


PAGE = Page(
    "Inventory",
    (
        Route("/inventory", show, action="inventory.see"),
        Route("/inventory", say, "POST", action="inventory.change"),
        Route("/inventory/{endpoint}", change, "POST", action="inventory.change", thing=named("area")),
        Route(
            "/inventory/{endpoint}/probe",
            probe,
            "POST",
            action=endpoint_probe.ACTION,
            thing=named("area"),
        ),
        Route("/inventory/{endpoint}", one, action="inventory.see", thing=named("area")),
    ),
    group="See",
    key="5",
    order=15,
)
