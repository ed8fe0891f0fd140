"""``oathward inventory probe``: one probe of one endpoint, on a person's order and on record.

Rules:
- One kind, one port, one connection. No address is typed in: the endpoint's own is asked.
- What speaks against it is said, and each risk that holds is named by whoever takes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from oathward.cli.asking import PersonOption, opened
from oathward.cli.inventory_say import EndpointArgument
from oathward.cli.output import DataOption, JsonOption, emit, plain_text
from oathward.cli.output import say as told
from oathward.cli.permitted import who_may

if TYPE_CHECKING:
    from oathward.discovery.probing.probe import Told
    from oathward.endpoints.model import ProbeRow


def probe(
    endpoint: EndpointArgument,
    *,
    kind: Annotated[
        str,
        typer.Option(
            "--with",
            callback=plain_text,
            help="tls, http, dicom-echo or tcp (opens the port, sends nothing).",
        ),
    ],
    port: Annotated[int, typer.Option("--port", help="Port of TCP.", min=1, max=65_535)],
    why: Annotated[
        str,
        typer.Option("--why", callback=plain_text, help="Why; stands in the ledger, so no patient data."),
    ],
    although: Annotated[
        list[str] | None,
        typer.Option(
            "--although",
            metavar="RISK",
            help="A risk that you name and take, as the refusal says it; once for each.",
        ),
    ] = None,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open one connection to one endpoint, and take in what it tells of itself."""
    from oathward.observing import probing

    with opened(data) as site:
        by = who_may(site, person, "inventory.probe")
        wanted = probing.Order(
            endpoint=endpoint, kind=kind, port=port, by=by, reason=why, although=tuple(although or ())
        )
        row, found = probing.order(site, wanted)
    value = {
        "id": row.id,
        "endpoint": row.endpoint,
        "address": row.address,
        "port": row.port,
        "with": row.kind,
        "risks": [one for one in row.risks.split(",") if one],
        "outcome": row.outcome,
        "detail": row.detail,
        "told": {fact.attribute: fact.value for fact in found.facts},
        "certificate": found.certificate,
        "received_bytes": found.received_bytes,
    }
    emit(value, as_json=as_json, human=lambda: _say(row, found))


def _say(row: ProbeRow, found: Told) -> None:
    from oathward.discovery.probing.probe import OUTCOMES
    from oathward.endpoints.attributes import ALSO, ATTRIBUTES

    why = f" ({found.detail})" if found.detail else ""
    told(f"{row.kind} at {row.address} port {row.port}: {OUTCOMES[found.outcome]}{why}.")
    for fact in found.facts:
        told(
            f"  {ATTRIBUTES[ALSO.get(fact.attribute, fact.attribute)].words}: {_plain(fact.attribute, fact.value)}"
        )
    if found.certificate:
        told(f"  SHA-256 of its certificate: {found.certificate}")
    told(f"On record as probe {row.id}; no second connection was opened.")


def _plain(attribute: str, value: str) -> str:
    """Write the end of a certificate as a time; it is told in seconds."""
    from oathward.core.clock import from_micros

    if attribute == "certificate-until" and value.lstrip("-").isdigit():
        return f"{from_micros(int(value) * 1_000_000):%Y-%m-%d %H:%M} UTC"
    return value
