"""What fields of HL7 v2 segments are called, for people who read a message.

Source: HL7 v2.8.2 §2.14.9 (MSH), §2.14.10 (NTE), §3.4.1 (EVN), §3.4.2 (PID), §3.4.3 (PV1), §3.4.5 (NK1), §3.4.6 (AL1),
§3.4.9 (MRG), §4.5.1 (ORC), §4.5.3 (OBR), §7.4.2 (OBX).
"""

from __future__ import annotations

_NAMES = {
    "MSH": "field separator|encoding characters|sending application|sending facility|receiving application|"
    "receiving facility|date and time of message|security|message type|control id|processing id|version|"
    "sequence number|continuation pointer|accept acknowledgment|application acknowledgment|country|character set|"
    "language|alternate character set handling|profile",
    "EVN": "event type|recorded|planned|reason|operator|occurred|facility",
    "PID": "set id|external id|identifiers|alternate id|name|mother's maiden name|born|sex|alias|race|address|county|"
    "home phone|business phone|language|marital status|religion|account number|social security number|"
    "driver's licence|mother's identifier|ethnic group|birth place|multiple birth|birth order|citizenship|"
    "veteran status|nationality|died|death indicator",
    "PV1": "set id|class|location|admission type|pre-admit number|prior location|attending|referring|consulting|"
    "service|temporary location|pre-admit test|re-admission|admit source|ambulatory status|VIP|admitting|"
    "patient type|visit number|financial class",
    "NK1": "set id|name|relationship|address|phone|business phone|contact role",
    "AL1": "set id|type|allergen|severity|reaction|identified",
    "MRG": "prior identifiers|prior alternate id|prior account number|prior patient id|prior visit number|"
    "prior alternate visit id|prior name",
    "NTE": "set id|source|comment|type",
    "ORC": "order control|placer order|filler order|placer group|status|response flag|timing|parent|date and time|"
    "entered by|verified by|ordering provider|location|call-back phone|effective",
    "OBR": "set id|placer order|filler order|service|priority|requested|observed from|observed to|volume|collector|"
    "specimen action|danger|clinical information|specimen received|specimen source|ordering provider|"
    "call-back phone|placer field 1|placer field 2|filler field 1|filler field 2|reported|charge|section|status",
    "OBX": "set id|value type|what was observed|sub-id|value|units|reference range|flags|probability|"
    "nature of abnormal test|status|effective date of range|access checks|observed|producer|observer|method|"
    "equipment|analysed|observation site|instance id",
}  # fmt: skip
_FIELDS = {segment: tuple(names.split("|")) for segment, names in _NAMES.items()}


def name_of(segment: str, field: int) -> str:
    """Name a field; empty for one that is not named here."""
    names = _FIELDS.get(segment, ())
    return names[field - 1] if 1 <= field <= len(names) else ""
