"""The plain message that a link takes: what is asked about where no message is at hand.

Rules:
- Of a type and a device that the link takes, labelled N, with every class of element and each code that some consent names.
- ``narrowed``: by what was said before and what is said now, whether such a message may carry less than it might have.

Deliberately absent: deciding (``decide``), and whose consents they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from oathward.core.labels import CLASSES, Assurance, Confidentiality
from oathward.policy.bundle import Bundle
from oathward.policy.consents import ConsentFact, codes_asked
from oathward.policy.decide import decide
from oathward.policy.model import ANY, Facts, Link, Permit

Known = tuple[int | None, tuple[ConsentFact, ...] | None]
"""Version and facts of what stands for a patient; ``None`` where it is not known."""

_WHAT = {"ADT^*": "ADT^A01", "ORU^*": "ORU^R01", "FHIR^*": "FHIR^Observation", ANY: "ORU^R01"}


def plain_facts(site: str, link: Link, said: Known, *, clock_sure: bool) -> Facts:
    """Give the facts of a plain message that a link takes: labelled N, and bearing each code that some consent names."""
    version, consents = said
    return Facts(
        site=site,
        device=_any(link.sources.devices),
        device_kind=_any(link.sources.kinds),
        device_tags=frozenset(sorted(link.sources.tags)[:1]),
        assurance=Assurance.CERTIFICATE,
        subject_kind="known",
        message_type=_type(link),
        confidentiality=Confidentiality.N,
        sensitivity=frozenset(),
        classes_present=CLASSES,
        consent_version=version,
        consents=consents,
        clock_sure=clock_sure,
        bundle_version=0,
        codes_present=codes_asked(consents),
    )


def narrowed(
    bundle: Bundle, link: Link, before: Sequence[ConsentFact], after: Sequence[ConsentFact], now_us: int
) -> bool:
    """Say whether a plain message that might leave on a link by what was said before may not, or not all of it, now."""
    was = plain_facts("", link, (1, tuple(before)), clock_sure=True)
    codes = codes_asked((*before, *after))
    then = decide(bundle, link, replace(was, codes_present=codes), now_us)
    if not isinstance(then, Permit):
        return False
    facts = replace(was, consents=tuple(after), codes_present=codes)
    now = decide(bundle, link, facts, now_us)
    return not (isinstance(now, Permit) and now.covers(then.classes, then.withheld, then.only))


def _any(words: frozenset[str]) -> str:
    return next(iter(sorted(words - {ANY})), "any")


def _type(link: Link) -> str:
    types = sorted(link.sources.message_types)
    plain = [one for one in types if ANY not in one]
    if "ORU^R01" in types or not types:
        return "ORU^R01"
    return plain[0] if plain else _WHAT.get(types[0], types[0].replace(ANY, "R01"))
