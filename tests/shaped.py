"""What tests of shaping share: seeds, plans for every profile, and messages to shape."""

from collections.abc import Iterable, Mapping

from oathward.core.labels import CLASSES
from oathward.deid.action import Parameters, actions, days_of
from oathward.deid.plan import Plan, SafeMessage, Seeds, compile_plan, shape
from oathward.deid.profile import builtin_profiles
from oathward.protocols.hl7v2.reader import Message, decode

SEEDS = Seeds(bytes(range(32)), bytes(range(32, 64)), "OUT-1", 2026, days=days_of(bytes(range(32))))

PROFILES = ("treatment", "limited-data-set", "safe-harbor", "device-telemetry")
"""Those that every kind of test goes over."""

CLOSED = ("safe-harbor", "device-telemetry")
"""Profiles under which nothing of a person may be left."""

MSH = "MSH|^~\\&|PUMP^0011223344556677^EUI-64|ICU|EHR|HOSP|20260102030405||ORU^R01^ORU_R01|IN-77|P|2.6"


def plan(profile: str = "safe-harbor", classes: frozenset[str] = CLASSES) -> Plan:
    return compile_plan(builtin_profiles()[profile], classes)


PLANS: Mapping[str, Plan] = {name: plan(name) for name in builtin_profiles()}


def applied(
    name: str,
    value: str,
    seeds: Seeds = SEEDS,
    cls: str = "patient.identifier",
    part: str = "",
    parameters: Parameters | None = None,
) -> str:
    """Give what an action that looks at values makes of one."""
    found = actions()[name].rule(cls, part, parameters or {})
    assert callable(found)
    return found(value, seeds)


def runs(text: str) -> set[str]:
    """Give every four characters in a row, whatever their case."""
    told = text.upper()
    return {told[i : i + 4] for i in range(len(told) - 3)}


def message(*segments: str, header: str = MSH, charset: str = "utf-8") -> Message:
    return decode("\r".join((header, *segments, "")).encode(charset))


def shaped(
    *segments: str, profile: str = "safe-harbor", classes: Iterable[str] = CLASSES, seeds: Seeds = SEEDS
) -> SafeMessage:
    return shape(message(*segments), plan(profile, frozenset(classes)), seeds)


def lines(safe: SafeMessage, name: str = "") -> list[str]:
    """Give the outgoing segments, or those of one name."""
    found = safe.data.decode().split("\r")[:-1]
    return [line for line in found if line.split("|")[0] == name] if name else found


def segment(name: str, fields: Mapping[int, str]) -> str:
    """Write a segment from its fields by number (not for MSH)."""
    return "|".join((name, *(fields.get(n, "") for n in range(1, max(fields) + 1))))
