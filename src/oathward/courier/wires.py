"""Which wire leads to a recipient, and what a body must be to leave on it.

Rules:
- One table from recipient kind to wire. An address comes from the active bundle and from nowhere else.
- The files that a recipient's ``tls`` names lie in ``recipients`` of the data folder.
- A body that is not in the form its wire takes is not sent: the link's format changed while it waited.
"""

from __future__ import annotations

import errno
import ssl
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from oathward.core.errors import OathwardError
from oathward.core.reasons import Reason
from oathward.core.settings import Settings
from oathward.courier.carry import carry, carry_fhir
from oathward.courier.fhir import FhirWire
from oathward.courier.files import FileWire
from oathward.courier.lane import Wire
from oathward.courier.mllp import MllpWire, client_context
from oathward.courier.places import places_of
from oathward.messages.model import OutboxRow
from oathward.policy.model import Mentioned, Recipient


def wires_of(
    recipient: Recipient,
    settings: Settings,
    mentioned: Mentioned = "create",
    provenance: Callable[[OutboxRow], str] = lambda _: "",
) -> list[Wire]:
    """Make the wires to a recipient, one a lane; the last is for notices, where it is told of withdrawals.

    Args:
        mentioned: what the link says of resources that a message only mentions.
        provenance: what a FHIR server is told of how a delivery was made.

    Raises:
        OSError: files of its TLS are not there or cannot be used.
    """
    limits = settings.courier
    lanes = range(limits.lanes + recipient.withdrawal_notice)  # one more, for notices
    if recipient.kind == "file":
        return [FileWire(Path(recipient.address)) for _ in range(1 + recipient.withdrawal_notice)]
    name = recipient.tls.server_name if recipient.tls else ""
    context = _context(recipient, settings.data / "recipients")
    if recipient.kind == "fhir":
        places = places_of(recipient.address)
        return [
            FhirWire(
                recipient.address,
                limits,
                context=context,
                server_name=name,
                places=places,
                creates=mentioned == "create",
                provenance=provenance,
            )
            for _ in lanes
        ]
    where = urlsplit(f"//{recipient.address}")
    return [
        MllpWire(where.hostname or "", where.port or 0, limits, context=context, server_name=name)
        for _ in lanes
    ]


def _context(recipient: Recipient, folder: Path) -> ssl.SSLContext | None:
    if recipient.kind not in {"mllps", "fhir"} or recipient.tls is None:
        return None
    tls = recipient.tls
    for name in (tls.ca, tls.certificate, tls.key):
        if name and not (folder / name).exists():
            raise FileNotFoundError(errno.ENOENT, "missing", str(folder / name))
    certificate, key = (str(folder / name) if name else "" for name in (tls.certificate, tls.key))
    return client_context(str(folder / tls.ca), certificate, key)


def sealed_for(recipient: Recipient, row: OutboxRow, envelope: bytes, now: datetime) -> bytes:
    """Give an end-to-end envelope as the recipient's wire takes it."""
    if recipient.kind == "file":
        return envelope
    if recipient.kind == "fhir":
        return carry_fhir(row.id, envelope)
    return carry(row.id, envelope, now)


def check_form(recipient: Recipient, row: OutboxRow, body: bytes) -> None:
    """Check that a body which is to be read there is of the recipient's protocol.

    Raises:
        OathwardError: it is of the other one.
    """
    wire = recipient.wire
    if wire is not None and body.startswith(b"{") != (wire == "fhir"):
        raise OathwardError(row.link, "in the form of another wire", reason=Reason.DELIVERY_FORM)
