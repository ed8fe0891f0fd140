"""What was found as findings: differences of the map, of firewalls' rules, and elements that nobody uses. Pure.

Rules:
- The gravest first: of more than are told at once (``findings.reconciling``) those go without.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from oathward.core.finding import Raised
from oathward.core.finding_kinds import KINDS
from oathward.mapping.model import Compared, Difference
from oathward.mapping.sending import Unused
from oathward.network.rules.comparing import Against, Comparison, SeenFlow

if TYPE_CHECKING:
    from oathward.inventory.model import Device

MAP, RULES, ELEMENTS = "map", "rules", "elements"
"""Names of the sources of findings."""

_CLASSES_SHOWN = 8


def of_map(compared: Compared) -> list[Raised]:
    """Give the findings of a comparison, the gravest first."""
    ordered = sorted(
        compared.differences,
        key=lambda one: ((one.severity or KINDS[one.kind].severity).rank, one.kind, one.key),
    )
    return [_raised(one) for one in ordered]


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
        is_declared = _flow(against.flow) in wanted
        kind = "rule.forbids-flow" if is_declared else "flow.undeclared"
        yield _against(name, kind, against, "was answered, though the rules stop it")
    for against in comparison.stopped:
        if _flow(against.flow) in wanted:
            yield _against(
                name, "rule.forbids-flow", against, "was asked and never answered: the rules stop it"
            )


def _flow(flow: SeenFlow) -> tuple[str, str, str, int]:
    return (flow.client, flow.server, flow.transport, flow.port)


def _against(name: str, kind: str, one: Against, what: str) -> Raised:
    flow = one.flow
    details: dict[str, str | int | float] = {
        "client": flow.client,
        "server": flow.server,
        "port": flow.port,
        "transport": flow.transport,
        "by": ", ".join(rule.place for rule in one.rules[:3]) or "the policy at the end",
        "what": what,
    }
    key = f"{name}|{flow.client}|{flow.server}|{flow.transport}/{flow.port}"
    return Raised(kind, key, f"rules:{name}", None, details)


def of_elements(rows: Iterable[Unused], devices: Mapping[str, Device]) -> list[Raised]:
    """Give one finding for each model and type of message with elements that nobody uses, however many devices and messages.

    Args:
        devices: declared ones by id; who is not there, or says no model, stands for itself.
    """
    groups: dict[tuple[str, str, str], list[Unused]] = defaultdict(list)
    for row in rows:
        device = devices.get(row.device)
        model = " ".join(filter(None, (device.make, device.model))) if device and device.model else ""
        about = f"model:{model}" if model else f"device:{row.device}"
        groups[about.casefold(), about, row.message_type].append(row)
    found = []
    for (key, about, message_type), same in sorted(groups.items()):
        classes = sorted({cls for row in same for cls in row.classes})
        shown = ", ".join(classes[:_CLASSES_SHOWN])
        details: dict[str, str | int | float] = {
            "message type": message_type,
            "classes": shown + (f" and {more} more" if (more := len(classes) - _CLASSES_SHOWN) > 0 else ""),
            "devices": len({row.device for row in same}),
            "messages": sum(row.messages for row in same),
        }
        found.append(Raised("element.unused", f"{key}|{message_type}", about, None, details))
    return found
