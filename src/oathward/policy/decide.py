"""Decide: one link, the facts, the time → Permit, Deny or Indeterminate (step 7 of ARCHITECTURE).

Numbered steps, each of which may answer; the next only narrows:

1. source: does the link take this device and message type, and is the device sure enough;
2. facts: one that is not known makes it Indeterminate, never wider;
3. dates of the link's agreement;
4. subject: an unknown patient has said nothing, so only care and person-free links go on;
5. consent (``granted.py``): what was granted for this purpose and recipient now, less what was denied;
6. labels: too confidential, or a sensitivity this link does not take;
7. what is left: observations whole or not at all, and something of this message;
8. Cedar: exceptions and conditions; any error is Indeterminate.

Rules:
- classes of a Permit are always a subset of the link's; nothing ever adds one.
- An answer is remembered only within the span of time in which no date it read is crossed.
- A denial that is pending (it arrived, nobody has looked at it) decides nothing; a Permit that would say less with it is
  Indeterminate instead.
- ``facts.bundle_version`` is not read: a dry run decides old facts under a new bundle.

Deliberately absent: the profile (``deid`` removes what it removes) and any clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from operator import attrgetter

from oathward.core.labels import CLASSES, OBSERVATION_CLASSES, Assurance
from oathward.core.reasons import Reason
from oathward.policy import cedar
from oathward.policy.bundle import Bundle
from oathward.policy.granted import FOREVER_US, Granted, Span, consented
from oathward.policy.labels import RANK
from oathward.policy.model import (
    ANY,
    TRANSPORT_CLASSES,
    Decision,
    Deny,
    Facts,
    Indeterminate,
    Link,
    Notify,
    Obligation,
    Permit,
    TravelLabel,
)

_FACTS_READ = (
    "site",
    "device",
    "device_kind",
    "device_tags",
    "assurance",
    "subject_kind",
    "message_type",
    "confidentiality",
    "sensitivity",
    "classes_present",
    "consent_version",
    "consents",
    "clock_sure",
)
"""``codes_present`` is asked for only where some consent speaks by code."""

_SURE = {assurance: assurance.rank for assurance in Assurance}
_read_all = attrgetter(*_FACTS_READ)
_NEVER_UNKNOWN = frozenset(
    {"site", "device", "device_kind", "assurance", "message_type", "classes_present", "codes_present"}
)
_CONTENT = CLASSES - TRANSPORT_CLASSES - {"uncatalogued"}
_PERSON_PREFIXES = ("patient.", "relative.")


def decide(bundle: Bundle, link: Link, facts: Facts, now_us: int) -> Decision:
    """Decide whether, and with which classes, a message may leave on a link.

    Args:
        bundle: the active one, or the one a dry run tries.
        link: of this bundle.
        facts: of this message; ``None`` in one of them is *not known*.
        now_us: microseconds UTC by the server's clock.
    """
    key = (link.id, facts.digest)
    held = bundle.answers.get(key)
    if held is not None and held[0] <= now_us < held[1]:
        return held[2]
    dates = Span(now_us)
    answer = _reviewed(bundle, link, facts, dates)
    bundle.answers.put(key, (dates.since_us, dates.until_us, answer))
    return answer


def care_first(link: Link, answer: Indeterminate) -> Permit | Indeterminate:
    """Apply a link's rule for what cannot be told: ``hold`` keeps it, ``care-team`` lets care have it.

    The one place where an unknown fact may widen, declared by the link, for care inside this site only
    (the bundle check refuses it elsewhere). Never when it is unknown what is speaking or what is said.
    """
    if link.indeterminate != "care-team" or _NEVER_UNKNOWN.intersection(answer.about):
        return answer
    return Permit(
        link.id, link.classes, link.profile, (), (f"link:{link.id}", f"care-team:{answer.why.code}")
    )


def _reviewed(bundle: Bundle, link: Link, facts: Facts, dates: Span) -> Decision:
    """Decide by what stands, and hold what it permits where that hangs on what is pending."""
    said = facts.consents or ()
    if not any(one.pending for one in said):
        return _decide(bundle, link, facts, dates)
    stands = tuple(one for one in said if not one.pending)
    answer = _decide(bundle, link, replace(facts, consents=stands), dates)
    if not isinstance(answer, Permit):
        return answer
    counted = tuple(replace(one, permit=False, pending=False) if one.pending else one for one in said)
    with_it = _decide(bundle, link, replace(facts, consents=counted), dates)
    if isinstance(with_it, Permit) and with_it.covers(answer.classes, answer.withheld, answer.only):
        return replace(answer, valid_until_us=with_it.valid_until_us)
    return Indeterminate(link.id, Reason.CONSENT_WAITING, ("consents",))


def _decide(bundle: Bundle, link: Link, facts: Facts, dates: Span) -> Decision:
    early = _source(link, facts) or _known(link, facts) or _dates(link, facts, dates) or _subject(link, facts)
    if early is not None:
        return early
    recipient = bundle.recipients.get(link.recipient)
    words = frozenset((link.recipient,)) | (recipient.actors if recipient else frozenset())
    consent = consented(link, words, facts, dates)
    if isinstance(consent, Indeterminate):
        return consent
    granted = link.classes if consent.granted is None else link.classes & consent.granted
    no = _refused(link, consent, granted)
    if no is not None:
        return no
    labelled = _labelled(link, facts)
    if isinstance(labelled, Deny):
        return labelled
    classes = _whole(granted - consent.denied - labelled)
    no = _left(link, facts, classes, consent)
    if no is not None:
        return no
    return _cedar(bundle, link, facts, classes, consent)


def _source(link: Link, facts: Facts) -> Deny | Indeterminate | None:
    """Step 1: the first row of the table: which messages the link takes."""
    sources, kind = link.sources, facts.message_type
    if kind is not None and not sources.message_types & {ANY, kind, f"{kind.partition('^')[0]}^{ANY}"}:
        return Deny(link.id, (Reason.NO_LINK,))
    by_device = (
        ANY in sources.devices or facts.device in sources.devices or facts.device_kind in sources.kinds
    )
    if not by_device and not (facts.device_tags or frozenset()) & sources.tags:
        unknown = _missing(facts, ("device", "device_kind", "device_tags"))
        return (
            Indeterminate(link.id, Reason.FACT_MISSING, unknown)
            if unknown
            else Deny(link.id, (Reason.NO_LINK,))
        )
    if facts.assurance is not None and _SURE[facts.assurance] < _SURE[link.min_assurance]:
        return Deny(link.id, (Reason.DEVICE_ASSURANCE,))
    return None


def _known(link: Link, facts: Facts) -> Indeterminate | None:
    """Step 2: every fact must be known."""
    if None not in _read_all(facts):
        return None
    unknown = _missing(facts, _FACTS_READ)
    return Indeterminate(link.id, Reason.FACT_MISSING, unknown) if unknown else None


def _missing(facts: Facts, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in names if getattr(facts, name) is None)


def _dates(link: Link, facts: Facts, dates: Span) -> Deny | Indeterminate | None:
    """Step 3: the agreement's dates."""
    if link.valid_from_us is None and link.valid_until_us is None:
        return None
    if not facts.clock_sure:
        return Indeterminate(link.id, Reason.CLOCK_UNSURE, (f"link:{link.id}",))
    if not dates.holds(link.valid_from_us, link.valid_until_us):
        return Deny(link.id, (Reason.PERMIT_EXPIRED,), (f"link:{link.id}",))
    return None


def _subject(link: Link, facts: Facts) -> Deny | Indeterminate | None:
    """Step 4: an unknown patient (John Doe, or no patient named) can have said nothing.

    Care goes on. A link that carries nothing of a person and needs no consent goes on. One that needs
    consent has none. Any other rests on a patient who might have objected: it cannot be told until the
    holding subject is joined to a patient, and the message can be decided again then.
    """
    if facts.subject_kind == "known" or link.for_care:
        return None
    if not link.without_consent:
        return Deny(link.id, (Reason.NO_CONSENT,))
    if link.person_free:
        return None
    about_someone = any(c.startswith(_PERSON_PREFIXES) for c in facts.classes_present or ())
    if facts.subject_kind == "holding" or about_someone:
        return Indeterminate(link.id, Reason.FACT_MISSING, ("subject",))
    return None


def _refused(link: Link, consent: Granted, granted: frozenset[str]) -> Deny | Indeterminate | None:
    """Step 5, end: nothing of a person's was granted, or all of it was denied."""
    content = _content(link.classes)
    if granted & content and not content & granted - consent.denied:
        return consent.refuses(link, Reason.CONSENT_DENIES)
    if content and not granted & content:
        denied = (Reason.CONSENT_DENIES,) if consent.denied else ()
        return consent.refuses(link, Reason.NO_CONSENT, *denied)
    return None


def _labelled(link: Link, facts: Facts) -> frozenset[str] | Deny:
    """Step 6: the classes that labels take away, or a denial of the whole."""
    assert facts.confidentiality is not None
    assert facts.sensitivity is not None
    if RANK[facts.confidentiality] > RANK[link.confidentiality_max]:
        return Deny(link.id, (Reason.LABEL_DENIES,), (f"label:{facts.confidentiality}",))
    taken: frozenset[str] = frozenset()
    for code in facts.sensitivity:
        taken |= link.sensitivity_denied.get(code, link.sensitivity_denied.get(ANY, frozenset()))
    taken -= TRANSPORT_CLASSES
    content = _content(link.classes)
    if taken and content and content <= taken:
        return Deny(link.id, (Reason.LABEL_DENIES,), tuple(f"label:{c}" for c in sorted(facts.sensitivity)))
    return taken


@lru_cache(maxsize=1_024)
def _content(classes: frozenset[str]) -> frozenset[str]:
    """The classes that say something about a person or a measurement."""
    return classes & _CONTENT


def _whole(classes: frozenset[str]) -> frozenset[str]:
    """Step 7: an observation passes whole or not at all."""
    return classes if classes >= OBSERVATION_CLASSES else classes - OBSERVATION_CLASSES


def _left(link: Link, facts: Facts, classes: frozenset[str], consent: Granted) -> Deny | Indeterminate | None:
    """Step 7: something of this message must be left, and its observations if it is about them."""
    assert facts.classes_present is not None
    lost = OBSERVATION_CLASSES & link.classes & facts.classes_present - classes
    if lost or _content(classes).isdisjoint(facts.classes_present):
        return consent.refuses(link, Reason.NOTHING_LEFT)
    return None


def _cedar(
    bundle: Bundle, link: Link, facts: Facts, classes: frozenset[str], consent: Granted
) -> Permit | Deny | Indeterminate:
    """Step 8: exceptions and conditions. The verdict hangs on the message's kind, not on who it is about."""
    assert facts.device is not None
    cut = bundle.cuts[link.id]
    key = (link.id, facts.device if cut.by_device else "", cedar.context_of(facts, cut.reads))
    verdict = bundle.verdicts.get(key)
    if verdict is None:
        verdict = cut.ask(facts.device, key[2])
        bundle.verdicts.put(key, verdict)
    if verdict.errors:
        return Indeterminate(link.id, Reason.POLICY_ERROR, tuple(f"policy:{p}" for p in verdict.errors))
    named = tuple(f"policy:{p}" for p in verdict.policies)
    if not verdict.allowed:
        return Deny(link.id, (Reason.POLICY_DENIES,), named)
    ends = [end for end in (link.valid_until_us, consent.end_us) if end is not None and end < FOREVER_US]
    return Permit(
        link.id,
        classes,
        link.profile,
        _obligations(link, facts, verdict.notify),
        (f"link:{link.id}", *consent.basis, *named),
        min(ends, default=None),
        consent.withheld,
        consent.only if classes >= OBSERVATION_CLASSES else None,
    )


def _obligations(link: Link, facts: Facts, roles: tuple[str, ...]) -> tuple[Obligation, ...]:
    assert facts.confidentiality is not None
    assert facts.sensitivity is not None
    told = tuple(Notify(role) for role in sorted({*link.notify, *roles})) if roles or link.notify else ()
    return (_travel(facts.confidentiality, facts.sensitivity), *told) if link.labels_travel else told


_travel = lru_cache(maxsize=1_024)(TravelLabel)
