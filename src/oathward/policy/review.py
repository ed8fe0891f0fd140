"""Review a policy as a whole, computed: what never fires, contradicts, covers, reaches too wide, or is past its date.

Rules:
- The same bundle, words and uses give the same findings; each is found by one rule (``review_findings.RULES``).
- What would remove it is proposed as a change of the bundle's files, only where these are still a bundle then.
- Where it cannot be tried, it is said to be unknown.

Deliberately absent: who has which role and why (``people.views.review``); signing off (``oathward.changes``); the ledger
and the inventory (``oathward.reviewing``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from oathward.core.clock import from_micros
from oathward.core.labels import Purpose, Role
from oathward.policy import review_links, review_people, review_policies
from oathward.policy.access import Actor, Around, Permitted, Rules, Thing, decide
from oathward.policy.actions import ACTIONS
from oathward.policy.bundle import Bundle
from oathward.policy.people_rules import GRANTABLE
from oathward.policy.review_findings import OFFERED_MAX, RULES, Passes, ReviewFinding, offered
from oathward.policy.review_links import Uses
from oathward.policy.review_policies import Policies
from oathward.policy.review_requests import Known, Matchers

__all__ = ["Known", "Uses", "review"]

_ORDER = {rule: place for place, rule in enumerate(RULES)}


def review(
    bundle: Bundle, files: Mapping[str, bytes], known: Known, uses: Uses, now_us: int, passes: Passes
) -> list[ReviewFinding]:
    """Review a bundle.

    Args:
        files: of this bundle. known: words that are declared or were seen. passes: whether files could become active.
    """
    today = f"{from_micros(now_us):%Y-%m-%d}"
    of = Policies(bundle, files, known, Matchers(bundle.recipients), today)
    found = [
        *review_policies.findings(of),
        *review_people.findings(bundle, files),
        *review_links.findings(of, uses, now_us),
        *_roles(Rules.of(bundle)),
    ]
    found.sort(key=lambda one: (_ORDER[one.rule], one.about))
    return [
        offered(one, files, passes if place < OFFERED_MAX else _untried) for place, one in enumerate(found)
    ]


def _untried(_files: Mapping[str, bytes]) -> bool:
    return False


def _roles(rules: Rules) -> Iterator[ReviewFinding]:
    """Find roles that may do nothing beyond what anybody may."""
    anybody = _may(rules, frozenset())
    for role in sorted(GRANTABLE):
        if _may(rules, frozenset({role})) <= anybody:
            words = f"{role.value}: policies permit it nothing beyond what everybody may"
            yield ReviewFinding("role.uncovered", f"role:{role.value}", words)


def _may(rules: Rules, roles: frozenset[Role]) -> set[tuple[str, str]]:
    """Try every action for every purpose, everything else in favour."""
    actor = Actor("person", "~review~", roles)
    return {
        (action, purpose)
        for action, info in ACTIONS.items()
        for purpose in ("", *Purpose)
        if isinstance(
            decide(
                rules,
                actor,
                action,
                Thing(info.thing),
                Around(purpose, strong=True, fresh=True, relation=True),
            ),
            Permitted,
        )
    }
