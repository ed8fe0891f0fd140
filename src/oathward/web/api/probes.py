"""One probe of one endpoint by the API: the same order as on its page, with the same refusals.

Rules:
- Each risk that holds is named in ``although``; a refusal (``probe.at-risk``) says which do.
- One call is one order of one endpoint; who orders has proved of late who they are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oathward.observing import probing
from oathward.web.calls import Call
from oathward.web.endpoint_probe import ACTION
from oathward.web.page import Route, named

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.web.view import View


@dataclass(frozen=True, slots=True)
class ProbeIn:
    """An order; `kind`: `tcp`, `tls`, `http` or `dicom-echo`; `reason` stands in the ledger, so no patient data; `although`: risks that are named and taken; `address`: the one it is expected at, empty for whichever it is."""

    kind: str
    port: int
    reason: str
    although: list[str] = field(default_factory=list)
    address: str = ""


@dataclass(frozen=True, slots=True)
class ProbeToldOut:
    """One thing it told."""

    attribute: str
    value: str


@dataclass(frozen=True, slots=True)
class ProbeOut:
    """What came of it; `outcome`: `answered`, `open`, `declined`, `other`, `ended`, `silent`, `refused`, `no-answer`, `unreachable` or `lost`; `certificate`: SHA-256 of the one it showed."""

    id: str
    endpoint: str
    address: str
    port: int
    kind: str
    risks: list[str]
    outcome: str
    detail: str
    told: list[ProbeToldOut]
    certificate: str


def order(view: View) -> Response:
    """Probe one endpoint once."""
    body = view.body
    wanted = probing.Order(
        endpoint=view.part("endpoint"),
        kind=body.kind,
        port=body.port,
        by=view.who,
        reason=body.reason,
        although=body.although,
        address=body.address,
    )
    row, told = probing.order(view.site, wanted)
    return view.json(
        ProbeOut(
            *(row.id, row.endpoint, row.address, row.port, row.kind),
            [one for one in row.risks.split(",") if one],
            *(row.outcome, row.detail),
            [ProbeToldOut(fact.attribute, fact.value) for fact in told.facts],
            told.certificate,
        ),
        status=201,
    )


API = (
    Route(
        "/api/v1/inventory/{endpoint}/probes",
        order,
        "POST",
        action=ACTION,
        thing=named("area"),
        api=True,
        call=Call(gives=ProbeOut, takes=ProbeIn, status=201),
    ),
)
