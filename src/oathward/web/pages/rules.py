"""Rules: which firewalls' and switches' rules are kept, from when and by whose hand, and what was found wrong with them.

Rules:
- What is wrong is told as findings (``mapping.ruling``); here stands how many of which kind, and where they are.
- Nothing here changes a rule: neither here nor on the device.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from starlette.responses import Response

from oathward.core.db import read
from oathward.core.finding import State
from oathward.core.finding_kinds import KINDS
from oathward.findings import views as findings
from oathward.findings.model import Filters
from oathward.network import views
from oathward.people import views as people
from oathward.web.page import Page, Route

if TYPE_CHECKING:
    from oathward.web.view import View

RULE = "rule."
"""How kinds of findings of rules begin."""


def show(view: View) -> Response:
    """List rule sets, and count their findings."""
    counts: Counter[str] = Counter()
    with read(view.site.engine) as db:
        rows = views.rulesets(db, view.site.site)
        known = people.names(db, view.site.site, {row.by for row in rows})
        if view.may("findings.see"):
            found = findings.facets(db, view.site.site, Filters(state=State.OPEN.value), view.now_us)
            counts.update({kind: n for kind, n in found.kinds.items() if kind.startswith(RULE)})
    names = known if view.may("people.see") else dict.fromkeys(known, "somebody")
    return view.page(
        "rules.html",
        counts=counts,
        kinds={kind: one for kind, one in KINDS.items() if kind.startswith(RULE)},
        names=names,
        rows=rows,
    )


PAGE = Page(
    "Rules",
    (Route("/rules", show, action="network.see"),),
    group="Protect",
    key="0",
    order=30,
)
