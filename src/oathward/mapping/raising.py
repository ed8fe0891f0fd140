"""What was found as findings: differences of the map, of firewalls' rules, and elements that nobody uses. Pure.

Rules:
- The gravest first: of more than are told at once (``findings.reconciling``) those go without.
- One server is one finding, however many asked it: a hospital has thousands of clients of one server.
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

_CLASSES_SHOWN, _PLACES_SHOWN = 8, 3


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
    wanted = {_flow(one) for one in declared}
    answered = ((_flow(one.flow) in wanted, one) for one in comparison.against)
    yield from _against(name, answered, "was answered, though the rules stop it")
    silent = ((True, one) for one in comparison.stopped if _flow(one.flow) in wanted)
    yield from _against(name, silent, "was asked and never answered: the rules stop it")


def _flow(flow: SeenFlow) -> tuple[str, str, str, int]:
    return (flow.client, flow.server, flow.transport, flow.port)


def _against(name: str, told: Iterable[tuple[bool, Against]], what: str) -> Iterator[Raised]:
    """Give one finding for each server, transport and port, declared or not, however many asked it."""
    groups: dict[tuple[bool, str, str, int], list[Against]] = defaultdict(list)
    for is_declared, one in told:
        groups[is_declared, one.flow.server, one.flow.transport, one.flow.port].append(one)
    for (is_declared, server, transport, port), same in groups.items():
        clients = sorted({one.flow.client for one in same})
        places = dict.fromkeys(rule.place for one in same for rule in one.rules)
        if not all(one.rules for one in same):
            places["the policy at the end"] = None
        details: dict[str, str | int | float] = {
            "client": clients[0],
            "clients": len(clients),
            "server": server,
            "port": port,
            "transport": transport,
            "by": ", ".join(list(places)[:_PLACES_SHOWN]),
            "what": f"{transport}/{port} to {server} {what}; asked by {len(clients):,}",
        }
        kind = "rule.forbids-flow" if is_declared else "flow.undeclared"
        yield Raised(kind, f"{name}|{server}|{transport}/{port}|{what[:12]}", f"rules:{name}", None, details)


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
