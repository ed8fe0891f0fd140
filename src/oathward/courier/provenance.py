"""How what leaves on a link was made, said to a FHIR server in the header of each write (``X-Provenance``).

Rules:
- Said where a profile makes what leaves less telling; of what leaves as it came nothing is to be said.
- The same whenever a delivery is sent again: when it was made, is when its row was.
- An envelope has none: what is in it, is its reader's business alone.

Deliberately absent: recipients that get files or HL7 v2, which have no place for it.

Source: FHIR R4 §6.3.4.4 (X-Provenance), RFC 9110 §5.5 (ASCII, no line break in a field).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from oathward import __version__
from oathward.deid.profile import load_profiles
from oathward.deid.tags import tags_of
from oathward.messages.model import OutboxRow
from oathward.policy.bundle import Bundle
from oathward.protocols.fhir.provenance import Origin, of_delivery

PROGRAM = f"Oathward {__version__}"


def origins_of(bundle: Bundle) -> Mapping[str, Origin]:
    """Give link -> what all its deliveries have in common; links of which nothing is said are absent.

    Raises:
        PolicyError: a profile of the bundle cannot be used.
    """
    profiles = load_profiles(bundle.profiles)
    found = {}
    for link in bundle.links.values():
        recipient = bundle.recipients.get(link.recipient)
        if recipient is None or recipient.kind != "fhir" or not link.provenance:
            continue
        tags = tags_of(profiles[link.profile], link.classes)
        if tags is not None:
            keyed = "PSEUDED" in tags
            found[link.id] = Origin(PROGRAM, link.project if keyed else "", link.profile, "", keyed)
    return found


def header_of(origin: Origin | None, row: OutboxRow) -> str:
    """Give the value of ``X-Provenance`` for a delivery; empty where nothing is to be said of it."""
    if origin is None or row.end_to_end or row.is_notice:
        return ""
    made = datetime.fromtimestamp(row.created_us / 1_000_000, UTC).isoformat(timespec="seconds")
    return json.dumps(of_delivery(origin._replace(recorded=made), row.id), separators=(",", ":"))
