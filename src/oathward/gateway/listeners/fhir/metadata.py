"""What the FHIR door says of itself: a CapabilityStatement, and where tokens are to be had.

Rules:
- Only what is done is said: create, update, batch and transaction of the types of R4; nothing can be read back.

Deliberately absent: versions of this software, names of people or devices.

Source: FHIR R4 §2.42 (CapabilityStatement); SMART App Launch 2.2 §8 (.well-known/smart-configuration).
"""

from __future__ import annotations

from datetime import datetime

import orjson

from oathward.core.clock import iso
from oathward.gateway.listeners.fhir.request import TOKEN
from oathward.inventory.keys import ALGORITHMS
from oathward.protocols.fhir.tables import resource_types

_KINDS = ("create", "update")
_SAYS = (
    "A gateway that takes what devices send and passes on what consent and policy permit. It is no repository: "
    "nothing is read back. Answers hold no representation; a conditional create is by one identifier, of this sender and "
    "for one patient, alone and as an entry of a batch or transaction; no version is compared inside a bundle."
)


def capability_statement(base: str, started: datetime) -> bytes:
    """Write the CapabilityStatement.

    Args:
        started: when this door was opened: what it does has not changed since.
    """
    statement = {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": iso(started),
        "kind": "instance",
        "implementation": {"description": "FHIR door of a privacy gateway", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [
            {
                "mode": "server",
                "documentation": _SAYS,
                "security": {
                    "cors": False,
                    "service": [
                        {
                            "coding": [
                                {
                                    "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
                                    "code": code,
                                }
                            ]
                        }
                        for code in ("Certificates", "SMART-on-FHIR")
                    ],
                },
                "resource": [_resource(kind) for kind in sorted(resource_types())],
                "interaction": [{"code": "batch"}, {"code": "transaction"}],
            }
        ],
    }
    return orjson.dumps(statement)


def _resource(kind: str) -> dict[str, object]:
    return {
        "type": kind,
        "interaction": [{"code": code} for code in _KINDS],
        "versioning": "versioned-update",
        "readHistory": False,
        "updateCreate": True,
        "conditionalCreate": True,
        "conditionalUpdate": False,
        "conditionalDelete": "not-supported",
    }


def smart_configuration(origin: str) -> bytes:
    """Write where and how access tokens are given.

    Args:
        origin: ``https://gateway.example:2578``.
    """
    return orjson.dumps(
        {
            "token_endpoint": f"{origin}{TOKEN}",
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": sorted(ALGORITHMS.values()),
            "grant_types_supported": ["client_credentials"],
            "scopes_supported": ["system/*.c", "system/*.u", "system/*.cu"],
            "capabilities": ["client-confidential-asymmetric", "permission-v2"],
        }
    )
