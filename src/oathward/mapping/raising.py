"""What was found as findings: differences of the map, and of firewalls' rules. Pure.

Rules:
- Telling is whole: what a telling no longer has is cleared (``findings.reconciling``). So at most ``FINDINGS_MAX`` are told, the gravest kinds
  first, and where there were more the last one says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from oathward.core.finding import Raised
from oathward.core.finding_kinds import KINDS
from oathward.mapping.model import Compared, Difference
from oathward.network.rules.comparing import Comparison, SeenFlow

FINDINGS_MAX = 5_000
MAP, RULES = "map", "rules"
"""Names of the two sources of findings."""


def of_map(compared: Compared) -> list[Raised]:
    """Give the findings of a comparison, the gravest first, as many as are told."""
    ordered = sorted(
        compared.differences,
        key=lambda one: ((one.severity or KINDS[one.kind].severity).rank, one.kind, one.key),
    )
    return [_raised(one) for one in ordered[:FINDINGS_MAX]]


def _raised(one: Difference) -> Raised:
    return Raised(one.kind, one.key, one.about, one.severity, {"what": one.words} | dict(one.details))


def of_rules(name: str, comparison: Comparison, declared: Iterable[SeenFlow] = ()) -> Iterator[Raised]:
    """Give the findings of one device's rules.

    Args:
        name: of the device, as its rules were imported. declared: flows that somebody declared: a rule that stops one is urgent.
    """
    share = round(comparison.window.coverage, 3)
    for rule in comparison.unused:
        yield Raised(
            "rule.unused",
            f"{name}|{rule.place}",
            f"rules:{name}",
            None,
            {"place": rule.place, "coverage": share},
        )
    for rule, by in comparison.shadowed:
        places = ", ".join(one.place for one in by[:3]) or "no rule leads there"
        yield Raised(
            "rule.unused",
            f"{name}|{rule.place}",
            f"rules:{name}",
            None,
            {"place": rule.place, "shadowed by": places},
        )
    for wider in comparison.wider:
        details: dict[str, str | int | float] = {
            "place": wider.rule.place,
            "used": wider.used,
            "narrower": wider.proposal[:200],
        }
        details["times wider"] = float(min(wider.permitted // max(wider.used, 1), 10**15))
        yield Raised("rule.wider-than-flow", f"{name}|{wider.rule.place}", f"rules:{name}", None, details)
    wanted = {(one.client, one.server, one.transport, one.port) for one in declared}
    for against in comparison.against:
        flow = against.flow
        key = (flow.client, flow.server, flow.transport, flow.port)
        details = {
            "client": flow.client,
            "server": flow.server,
            "port": flow.port,
            "transport": flow.transport,
        }
        details["by"] = ", ".join(rule.place for rule in against.rules[:3]) or "the policy at the end"
        kind = "rule.forbids-flow" if key in wanted else "flow.undeclared"
        details["what"] = "was answered, though the rules stop it"
        yield Raised(
            kind,
            f"{name}|{flow.client}|{flow.server}|{flow.transport}/{flow.port}",
            f"rules:{name}",
            None,
            details,
        )
