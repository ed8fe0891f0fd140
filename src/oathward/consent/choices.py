"""The choices a patient has under a bundle, read from statements and said as statements; nothing in between is kept.

| kind | what it is | choice |
|---|---|---|
| ``use`` | a purpose at a recipient that is not the patient's care | yes or no |
| ``care`` | a recipient that treats, whose link honours an objection: part of the patient's care | yes or no, told apart |
| ``law`` | a link on which the law is stronger than an objection | none |

Rules:
- A choice is one purpose at one recipient: what one says never speaks of another's.
- A yes names the classes that were on the table when it was given, and no more; a no is of everything, whatever a link
  may carry later.
- What stood under a choice is what bears its mark (``Choice.mark`` among a statement's origins); a new answer takes the
  place of that and of nothing else. A denial that came another way goes on denying: ``Choice.elsewhere`` names it.
- ``allowed``: every class passes for every message; ``not-allowed``: none for any; everything between is ``partly``.
  Codes, labels and exceptions make it ``partly``: they are of some messages.

Deliberately absent: sentences (texts of the portal), signing and storing (``actions``), any clock or table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from oathward.consent.model import Statement, statement
from oathward.core.errors import InputError
from oathward.core.labels import CARE_PURPOSES, CLASSES, OBSERVATION_CLASSES
from oathward.policy.bundle import Bundle
from oathward.policy.consents import ANY, EVERY, ConsentFact, classes_of
from oathward.policy.model import TRANSPORT_CLASSES, Link

Kind = Literal["use", "care", "law"]
State = Literal["allowed", "not-allowed", "partly"]
Answer = Literal["allowed", "not-allowed"]
SOURCES = ("portal", "staff")
MARK = "choice:"

_NONE = frozenset[str]()
_CONTENT = CLASSES - TRANSPORT_CLASSES - {"uncatalogued"}
_KINDS: tuple[Kind, ...] = ("use", "care", "law")


@dataclass(frozen=True, slots=True)
class Choice:
    """One purpose at one recipient.

    Args:
        links: of the bundle, those it is about. classes: that they may carry, the message's frame aside.
        asked: of those, the classes that nobody gets without a yes; empty where the law needs none.
        elsewhere: ids of denials that speak of it now and were not said as this choice: they go on, whatever is chosen.
        until_us: when something that was said ends by itself and the choice stands otherwise from then on, where it does.
    """

    kind: Kind
    purpose: str
    recipient: str
    links: tuple[str, ...]
    classes: frozenset[str]
    asked: frozenset[str]
    state: State
    elsewhere: tuple[str, ...] = ()
    until_us: int | None = None

    @property
    def id(self) -> str:
        """Names it in addresses of forms and in texts: ``HRESCH.research-registry``; ``law.`` before what is no choice."""
        return f"{'law.' if self.kind == 'law' else ''}{self.purpose}.{self.recipient}"

    @property
    def mark(self) -> str:
        """What statements that say it bear among their origins."""
        return f"{MARK}{self.purpose}.{self.recipient}"


@dataclass(frozen=True, slots=True)
class Reach:
    """What of a link passes by what was said: ``surely`` of every message, ``perhaps`` of some."""

    link: str
    recipient: str
    purpose: str
    surely: frozenset[str]
    perhaps: frozenset[str]


@dataclass(frozen=True, slots=True)
class Change:
    """What an answer would do to one link: classes that pass for some message, before and after."""

    link: str
    recipient: str
    purpose: str
    before: Reach
    after: Reach

    @property
    def gained(self) -> frozenset[str]:
        """Classes that pass only after it."""
        return self.after.perhaps - self.before.perhaps

    @property
    def lost(self) -> frozenset[str]:
        """Classes that pass no longer."""
        return self.before.perhaps - self.after.perhaps


@dataclass(frozen=True, slots=True)
class Consequence:
    """What changes with an answer, and what of the patient's care stays as it is."""

    changes: tuple[Change, ...]
    stays: tuple[Reach, ...]


def choices_of(bundle: Bundle, statements: Sequence[Statement], now_us: int) -> list[Choice]:
    """List what a patient may choose, and what they may not, in order of kind, purpose and recipient."""
    together: dict[tuple[Kind, str, str], list[Link]] = {}
    for link in bundle.links.values():
        together.setdefault((_kind(link), str(link.purpose), link.recipient), []).append(link)
    ordered = sorted(together.items(), key=lambda item: (_KINDS.index(item[0][0]), *item[0][1:]))
    return [_choice(bundle, key, links, statements, now_us) for key, links in ordered]


def statements_for(
    choice: Choice, answer: Answer, *, source: str, id_: str = "", until_us: int | None = None
) -> list[Statement]:
    """Give the statements that say an answer; they take the place of what bears ``choice.mark``.

    An empty list is an answer too: where the law asks for no consent, a yes is that nothing is denied.

    Args:
        source: ``portal`` or ``staff``. id_: of the statement; a new one where empty. until_us: when a yes ends.

    Raises:
        InputError: there is no choice, or the source is another.
    """
    if choice.kind == "law":
        raise InputError("choice", "the law leaves no choice here")
    if source not in SOURCES:
        raise InputError("source", f"one of {', '.join(SOURCES)}")
    if answer == "allowed" and not choice.asked:
        return []
    permit = answer == "allowed"
    one = statement(
        permit=permit,
        purposes=(choice.purpose,),
        recipients=(choice.recipient,),
        classes=choice.asked if permit else (ANY,),
        end_us=until_us if permit else None,
        source=source,
        id_=id_,
    )
    return [replace(one, origins=frozenset((choice.mark,)))]


def applied(
    choice: Choice, statements: Iterable[Statement], said: Iterable[Statement]
) -> tuple[Statement, ...]:
    """Give all that stands once an answer took the place of what stood under its choice."""
    return (*(one for one in statements if choice.mark not in one.origins), *said)


def consequence(
    bundle: Bundle, choice: Choice, statements: Sequence[Statement], said: Sequence[Statement], now_us: int
) -> Consequence:
    """Compute what an answer changes on any link, and what of care it leaves as it is."""
    before = reach(bundle, statements, now_us)
    after = reach(bundle, applied(choice, statements, said), now_us)
    changes = tuple(
        Change(one.link, one.recipient, one.purpose, one, after[one.link])
        for one in before.values()
        if one != after[one.link]
    )
    changed = {one.link for one in changes}
    stays = (one for one in after.values() if one.purpose in CARE_PURPOSES and one.link not in changed)
    return Consequence(changes, tuple(stays))


def reach(bundle: Bundle, statements: Sequence[Statement], now_us: int) -> Mapping[str, Reach]:
    """Say for each link what passes by what was said: consents alone, whatever labels and conditions take besides."""
    return {link.id: _reach(bundle, link, statements, now_us) for link in bundle.links.values()}


def _kind(link: Link) -> Kind:
    if link.objection == "overruled":
        return "law"
    return "care" if link.for_care else "use"


def _choice(
    bundle: Bundle,
    key: tuple[Kind, str, str],
    links: Sequence[Link],
    statements: Sequence[Statement],
    now_us: int,
) -> Choice:
    kind, purpose, recipient = key
    reached = [_reach(bundle, link, statements, now_us) for link in links]
    classes = [_whole(link.classes & _CONTENT) for link in links]
    asked = (some for link, some in zip(links, classes, strict=True) if not link.without_consent)
    found = Choice(
        kind,
        purpose,
        recipient,
        tuple(sorted(link.id for link in links)),
        _NONE.union(*classes),
        _NONE.union(*asked),
        _state(reached, classes),
    )
    spoken = [one for link in links for one in _spoken(bundle, link, statements, now_us)]
    ends = sorted({one.fact.end_us for one in spoken if one.fact.end_us is not None})
    turns = (at for at in ends if [_reach(bundle, link, statements, at) for link in links] != reached)
    denials = {one.fact.id for one in spoken if not one.fact.permit and found.mark not in one.origins}
    return replace(found, elsewhere=tuple(sorted(denials)), until_us=next(turns, None))


def _state(reached: Sequence[Reach], classes: Sequence[frozenset[str]]) -> State:
    if all(one.surely >= some for one, some in zip(reached, classes, strict=True)):
        return "allowed"
    return "partly" if any(one.perhaps for one in reached) else "not-allowed"


def _spoken(bundle: Bundle, link: Link, statements: Sequence[Statement], now_us: int) -> list[Statement]:
    """What is said of a link's purpose and recipient now."""
    if link.objection == "overruled":
        return []
    recipient = bundle.recipients.get(link.recipient)
    names = EVERY | {link.recipient} | (recipient.actors if recipient else _NONE)
    return [one for one in statements if _speaks(one.fact, EVERY | {str(link.purpose)}, names, now_us)]


def _speaks(fact: ConsentFact, purpose: frozenset[str], recipient: frozenset[str], now_us: int) -> bool:
    """Whether a fact is of a purpose and a recipient now; in a denial what got lost is everything."""

    def names(words: frozenset[str], about: frozenset[str]) -> bool:
        return not words.isdisjoint(about) or (not words and not fact.permit)

    begun = fact.start_us is None or fact.start_us <= now_us
    return (
        begun
        and (fact.end_us is None or now_us < fact.end_us)
        and names(fact.purposes, purpose)
        and names(fact.recipients, recipient)
    )


def _reach(bundle: Bundle, link: Link, statements: Sequence[Statement], now_us: int) -> Reach:
    content = link.classes & _CONTENT
    spoken = [one.fact for one in _spoken(bundle, link, statements, now_us)]
    surely = perhaps = content
    if not link.without_consent:
        surely = content & _NONE.union(*(_grants(one)[0] for one in spoken if one.permit))
        perhaps = content & _NONE.union(*(_grants(one)[1] for one in spoken if one.permit))
    for one in spoken:
        if not one.permit:
            always, sometimes = _denies(one)
            surely, perhaps = surely - sometimes, perhaps - always
    return Reach(link.id, link.recipient, str(link.purpose), _whole(surely), _whole(perhaps))


def _grants(fact: ConsentFact) -> tuple[frozenset[str], frozenset[str]]:
    """What a permit grants of every message, and of some."""
    words = classes_of(fact.classes, permit=True)
    if ANY not in fact.codes:  # of whole observations alone
        some = OBSERVATION_CLASSES if fact.codes and words >= OBSERVATION_CLASSES else _NONE
        return _NONE, some if fact.labels else _NONE
    return (words, words) if ANY in fact.labels else (_NONE, words if fact.labels else _NONE)


def _denies(fact: ConsentFact) -> tuple[frozenset[str], frozenset[str]]:
    """What a denial takes of every message, and of some."""
    if not fact.codes:  # lost: of everything, without exceptions
        return (_CONTENT, _CONTENT) if ANY in fact.labels or not fact.labels else (_NONE, _CONTENT)
    if ANY not in fact.codes:  # whatever bears the code is withheld whole
        return _NONE, _CONTENT
    words = classes_of(fact.classes, permit=False)
    plain = ANY in fact.labels or not fact.labels
    return (words if plain and not fact.unless else _NONE), words


def _whole(classes: frozenset[str]) -> frozenset[str]:
    """An observation passes whole or not at all, as in a decision."""
    return classes if classes >= OBSERVATION_CLASSES else classes - OBSERVATION_CLASSES
