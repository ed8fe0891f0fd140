"""The one probe of an endpoint on its page: whether it is offered, the order, and what came of earlier ones.

Rules:
- The form names the address that it was shown with: where the endpoint has another by now, the order is refused.
- Each risk is a box of its own, ticked by whoever takes it; none is ticked beforehand.
- Who signed in to look only orders nothing.

Deliberately absent: whether the endpoint may be probed (``observing.probing``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.discovery.probing.probe import ANSWER_S_MAX, CONNECT_S_MAX, OUTCOMES, probes
from oathward.endpoints import probes as rows
from oathward.endpoints.probing import RISKS
from oathward.observing import probing
from oathward.web.finding_acts import who

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import Connection

    from oathward.discovery.probing.probe import Probe
    from oathward.endpoints.model import ProbeRow, Whole
    from oathward.observing.probing import May
    from oathward.web.view import View

ACTION = "inventory.probe"
SECONDS_MAX = int(CONNECT_S_MAX + ANSWER_S_MAX)


@dataclass(frozen=True, slots=True)
class Offer:
    """What the page has of probes.

    Args:
        may: whether it may be probed now; None where the viewer orders none, or settings permit none. done: earlier ones, the last first.
    """

    may: May | None
    done: Sequence[ProbeRow]
    kinds: Mapping[str, Probe]
    risk_words: Mapping[str, str]
    outcomes: Mapping[str, str]
    seconds_max: int = SECONDS_MAX


def offer(view: View, db: Connection, found: Whole, ids: Collection[str]) -> Offer:
    """Say what the page offers, and list what was done.

    Args:
        ids: of the endpoint and of what became part of it.
    """
    asked = view.site.settings.network.probes and view.may(ACTION) and not found.row.merged
    acts = view.visit is not None and view.visit.acts
    return Offer(
        probing.may(view.site, found) if asked and acts else None,
        rows.of_endpoint(db, view.site.site, sorted(ids)),
        probes(),
        RISKS,
        {outcome.value: words for outcome, words in OUTCOMES.items()},
    )


def order(view: View) -> None:
    """Carry out the order of a form.

    Raises:
        InputError: signed in to look only; a port that is none; or as ``observing.probing.order`` says.
    """
    if view.visit is None or not view.visit.acts:
        raise InputError("session", "was made for looking only", reason=Reason.NOT_PERMITTED)
    port = view.form.get("port", "")
    wanted = probing.Order(
        endpoint=view.part("endpoint"),
        kind=view.form.get("with", ""),
        port=int(port) if port.isascii() and port.isdigit() and len(port) < 6 else 0,
        by=who(view),
        reason=view.reason(),
        although=view.many("although"),
        address=view.form.get("address", ""),
    )
    probing.order(view.site, wanted)
