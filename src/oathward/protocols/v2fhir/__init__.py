"""HL7 v2 to FHIR R4: IHE PCD-01 and ADT by the published mapping tables, and back.

Rules:
- Applied after shaping (docs/adr/0016-map-after-shaping.md): it maps what may leave, and knows no policy.
- Tables are data (``tables/``); one small engine reads them in both directions.
- What does not come back stands in the loss list, with its reason; nothing else is lost.

Source: HL7 v2-to-FHIR IG 1.0.0, HL7 PoCD IG (both CC0).
"""

from oathward.protocols.v2fhir.bundle import mappable, to_fhir

__all__ = ["mappable", "to_fhir"]
