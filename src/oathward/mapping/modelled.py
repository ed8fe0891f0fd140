"""What was seen of an endpoint beside the MUD file of its model: inside it, outside it, or not to be told. Pure.

Rules:
- Rules of a file are tried in their order; what none permits is outside (RFC 8520 §3.7: implicitly denied).
- Of a conversation it is the first packet that is asked for: of the one that asks, as it leaves the client and as it reaches the server. The port
  from which somebody asks is not known: a rule that wants a single one does not match.
- A rule about a controller of a class that the site names to nobody here may match or not: then nothing is concluded.

Source: RFC 8520 §3 (policies, peers), §8 (direction-initiated); RFC 8519.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from oathward.discovery.lists.reading import MayDo, MayRule, Peer
from oathward.endpoints.model import EndpointRow
from oathward.mapping.model import Observed
from oathward.network.model import EXTERNAL
from oathward.network.rules import spans
from oathward.network.rules.spans import Spans

_ANY_PORT = (0, 65_535)


@dataclass(frozen=True, slots=True)
class Models:
    """Which MUD files count for whom.

    Args:
        of: endpoint -> its model's file. rows: endpoint -> as the inventory lists it. here: addresses of this gateway: ``my-controller``.
        names: host -> addresses seen for it.
    """

    of: Mapping[str, MayDo] = field(default_factory=dict)
    rows: Mapping[str, EndpointRow] = field(default_factory=dict)
    here: Spans = ()
    names: Mapping[str, frozenset[str]] = field(default_factory=dict)


def said_of(models: Models, one: Observed) -> tuple[bool | None, str, str]:
    """Say whether files permit a conversation: all that know it permit it, one forbids it, or None; with the model and the endpoint that say so."""
    permitting = ("", "")
    for id_, is_client in ((one.client_endpoint, True), (one.server_endpoint, False)):
        model = models.of.get(id_)
        if model is None:
            continue
        permit = _permits(models, model, one, is_client=is_client)
        if permit is False:
            return False, name_of(model), id_
        if permit:
            permitting = (name_of(model), id_)
    return (True if permitting[0] else None), *permitting


def name_of(model: MayDo) -> str:
    """Name a model: ``Acme P1``."""
    return " ".join(filter(None, (model.make, model.model)))


def _permits(models: Models, model: MayDo, one: Observed, *, is_client: bool) -> bool | None:
    perhaps = set[bool]()
    wanted = "from-device" if is_client else "to-device"
    for rule in model.rules:
        if rule.from_device is not is_client or rule.initiated not in {"", wanted}:
            continue
        matches = _matches(models, model, rule, one, is_client=is_client)
        if matches is None:
            perhaps.add(rule.permit)
        elif matches:
            return rule.permit if perhaps <= {rule.permit} else None
    return None if True in perhaps else False


def _matches(models: Models, model: MayDo, rule: MayRule, one: Observed, *, is_client: bool) -> bool | None:
    asked, from_ = (rule.port, rule.own_port) if is_client else (rule.own_port, rule.port)
    if rule.transport not in {"", one.transport} or from_ != _ANY_PORT:
        return False
    if one.transport in {"tcp", "udp"} and not asked[0] <= one.port <= asked[1]:
        return False
    if rule.version and (":" in one.server) is not (rule.version == 6):
        return False
    # All that a rule says of its peer must hold (RFC 8519: matches are joined).
    found = [_is_peer(models, model, peer, one, is_client=is_client) for peer in rule.peers]
    if False in found:
        return False
    return None if None in found else True


def _is_peer(models: Models, model: MayDo, peer: Peer, one: Observed, *, is_client: bool) -> bool | None:
    address, id_, zone = (
        (one.server, one.server_endpoint, one.server_zone)
        if is_client
        else (one.client, one.client_endpoint, one.client_zone)
    )
    other = models.of.get(id_)
    url = other.url if other is not None else ""
    answers: dict[str, Callable[[], bool | None]] = {
        "any": lambda: True,
        "network": lambda: _inside(address, peer.value),
        "name": lambda: _named(models, peer.value, address, one.server_name if is_client else ""),
        "local-networks": lambda: zone != EXTERNAL,
        "my-controller": lambda: _here(models.here, address),
        "same-manufacturer": lambda: bool(url) and _authority(url) == _authority(model.url),
        "manufacturer": lambda: bool(url) and _authority(url) == peer.value.lower(),
        "model": lambda: bool(url) and url == peer.value,
    }
    answer = answers.get(peer.kind)
    return answer() if answer is not None else None  # a controller of a class: nobody says who that is


def _named(models: Models, name: str, address: str, asked: str) -> bool | None:
    """Say whether an address is a host's; None where no sensor saw whose it is."""
    if asked.lower().rstrip(".") == name or address in models.names.get(name, frozenset()):
        return True
    return None if not asked and name not in models.names else False


def _here(here: Spans, address: str) -> bool | None:
    """Say whether an address is this gateway's; None where the settings do not say which is."""
    try:
        return spans.holds(here, spans.number(ip_address(address))) if here else None
    except ValueError:
        return False


def _inside(address: str, network: str) -> bool:
    try:
        return ip_address(address) in ip_network(network)
    except ValueError:
        return False


def _authority(url: str) -> str:
    return (urlsplit(url).hostname or "").lower()
