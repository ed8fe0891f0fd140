"""Rules of firewalls and switches beside what was seen, and beside what the map says is declared.

Rules:
- Imported rules are compared with the flows of the last days; a flow is declared where the map's own comparison found it declared, whatever
  whoever calls may say.
- At most ``comparing.FLOWS_MAX`` conversations, those with the most bytes.

Deliberately absent: how a rule is read (``network.apart``) and decided (``network.rules``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from oathward.core.db import read
from oathward.findings.model import Told
from oathward.findings.reconciling import reconcile
from oathward.mapping import raising
from oathward.network import apart, views
from oathward.network.model import ConversationFilters, RulesetRow
from oathward.network.rules import comparing
from oathward.network.rules.model import Ruleset

if TYPE_CHECKING:
    from oathward.mapping.reading import Living
    from oathward.vault.opened import Opened

RULES_KEPT_MAX = 5_000
"""Rules that are remembered as they were read; one takes 7 kB."""

_HOUR_US = 3_600_000_000
_kept: dict[tuple[object, ...], Ruleset] = {}


def compare(
    site: Opened, ruleset: Ruleset, since_us: int, until_us: int, *, realm: str, interfaces: Mapping[str, str]
) -> comparing.Comparison | None:
    """Compare rules with the flows seen between two times; None where none was: all rules would seem unused.

    Args:
        realm: of these flows; empty: all. interfaces: network -> the interface it stands behind.
    """
    wanted = ConversationFilters(realm=realm, since_us=since_us)
    with read(site.engine) as db:
        found = views.conversations(db, site.site, wanted, limit=comparing.FLOWS_MAX)
    if not found:
        return None
    flows = [
        comparing.SeenFlow(
            client=one.key.client,
            server=one.key.server,
            transport=one.key.transport,
            port=one.key.port,
            count=one.sums.flows,
            answered=True if one.sums.answered else False if one.sums.unanswered else None,
        )
        for one in found
    ]
    hours = {
        at
        for one in found
        for at in (one.first_us // _HOUR_US, one.last_us // _HOUR_US)
        if at * _HOUR_US >= since_us
    }
    window = comparing.Window(since_us, until_us, len(hours))
    return comparing.compare(ruleset, flows, window, interfaces=interfaces)


def tell(site: Opened, row: RulesetRow, found: Living, between: tuple[int, int], now_us: int) -> Told:
    """Tell the findings of one device's rules.

    Args:
        found: the map as it was just compared: it says which flows are declared. between: two times, whose flows are compared.
    """
    ruleset = _read(row)
    comparison = compare(site, ruleset, *between, realm=row.realm, interfaces=row.interfaces)
    matched = found.compared.matched
    declared = [
        comparing.SeenFlow(client=one.client, server=one.server, transport=one.transport, port=one.port)
        for one in found.observed
        if one.id in matched and row.realm in {"", one.realm}
    ]
    seen = raising.of_rules(row.name, comparison, declared) if comparison is not None else ()
    terms, whole = site.settings.findings, not found.compared.left
    return reconcile(site.engine, site.site, source_of(row.name), seen, terms, now_us, whole=whole)


def _read(row: RulesetRow) -> Ruleset:
    """Read imported rules, those of before without another process; of many rules none is remembered."""
    key = (row.sha256, *sorted(row.columns.items()))
    if key in _kept:
        return _kept[key]
    ruleset = apart.read_rules(row.content, row.columns)
    if row.rules + sum(len(one.rules) for one in _kept.values()) > RULES_KEPT_MAX:
        _kept.clear()
    if row.rules <= RULES_KEPT_MAX:
        _kept[key] = ruleset
    return ruleset


def forget(site: Opened, name: str, now_us: int) -> Told:
    """Clear the findings of rules that are no longer kept."""
    return reconcile(site.engine, site.site, source_of(name), (), site.settings.findings, now_us)


def source_of(name: str) -> str:
    """Name the source of a device's findings."""
    return f"{raising.RULES}:{name}"
