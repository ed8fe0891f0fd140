"""What a profile does, in words, as data: for its page in the reference, the console, and the difference of two.

Rules:
- Every element class is told, with what becomes of it; every parameter that a profile gives is told with its meaning.
- What a profile is for and what it does not claim are its file's own words: the comment at its head.
- Where PS3.15 Annex E decides of attributes before the profile is asked, their class says so (``words_dicom``).
- Words are of values that are permitted: the link, or whoever runs a job, may permit fewer classes, never more.

Deliberately absent: whether a profile is lawful for a purpose, and how any of it looks on a page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from oathward.core.label_words import class_words, some
from oathward.core.labels import CLASSES, PERSON_KINDS, PLAIN_KINDS, ROLES
from oathward.deid import words_dicom
from oathward.deid.action import Parameters
from oathward.deid.profile import Profile
from oathward.protocols.dicom import annex_e

REMOVED = "remove"
ORDER = (*(f"{role}.{kind}" for role in ROLES for kind in PERSON_KINDS), *PLAIN_KINDS)
"""Classes as they are told: persons first."""

_CLAIM, _SOURCE = "Not claimed: ", "Source: "


class About(NamedTuple):
    """The head of a profile's file: one sentence, what else it says, what it does not claim, its source."""

    summary: str
    details: str
    not_claimed: str
    source: str


class Said(NamedTuple):
    """What becomes of one class.

    ``what``: the class in words. ``becomes``: a clause: ``stays as it is``. ``formats``: where a format differs -> how.
    ``dicom``: a clause of attributes of DICOM of which PS3.15 Annex E says something else, whatever the profile says.
    """

    cls: str
    what: str
    action: str
    becomes: str
    formats: tuple[tuple[str, str], ...] = ()
    dicom: str = ""


class Setting(NamedTuple):
    """One parameter of an action that a profile uses, with its meaning."""

    action: str
    name: str
    values: tuple[str, ...]
    meaning: str


Direction = Literal["more", "less", "other"]


class Different(NamedTuple):
    """One class of which two profiles make something else, or (``cls`` empty) what nobody catalogued.

    ``direction``: whether of the class more leaves under the second, less, or it leaves in another form.
    """

    cls: str
    what: str
    before: str
    after: str
    direction: Direction


def about(text: str) -> About:
    """Read the comment at the head of a profile's file.

    Args:
        text: TOML, as written.
    """
    parts: dict[str, list[str]] = {"summary": [], "": [], _CLAIM: [], _SOURCE: []}
    at = "summary"
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        said = line.lstrip("# ")
        if at == "summary" and not said:
            at = ""
            continue
        at = next((mark for mark in (_CLAIM, _SOURCE) if said.startswith(mark)), at)
        parts[at].append(said.removeprefix(at))
    summary, details, claim, source = (" ".join(found).strip() for found in parts.values())
    return About(summary, details, claim, source)


def said(profile: Profile) -> tuple[Said, ...]:
    """Say of every class what becomes of it, persons first."""
    return tuple(_said(profile, cls)._replace(dicom=words_dicom.otherwise(profile, cls)) for cls in ORDER)


def settings(profile: Profile) -> tuple[Setting, ...]:
    """Say the parameters that a profile gives to actions it uses."""
    used = {action for _, action in profile.actions}
    return tuple(
        Setting(action, name, values, MEANINGS[action, name])
        for action, given in profile.parameters
        if action in used
        for name, values in given
    )


def options(profile: Profile) -> tuple[tuple[int, str], ...]:
    """Say the options of PS3.15 Annex E that hold for DICOM files beside the basic profile: code, meaning."""
    return tuple((code, annex_e.MEANINGS[code]) for code in profile.dicom)


def difference(before: Profile, after: Profile) -> tuple[Different, ...]:
    """Say of which classes two profiles make something else, in the order of ``said``; empty where they do the same."""
    found = []
    for old, new in zip(said(before), said(after), strict=True):
        a, b = old.becomes, new.becomes
        if old.action == new.action:
            told = _otherwise(before.parameters_of(old.action), after.parameters_of(old.action))
            a, b = (text + more for text, more in zip((a, b), told, strict=True))
        if a != b:
            found.append(Different(old.cls, old.what, a, b, _direction(old.action, new.action)))
    return tuple(found)


def _otherwise(before: Parameters, after: Parameters) -> tuple[str, str]:
    """Say the parameters of one action that two profiles give otherwise."""
    keys = [key for key in sorted({*before, *after}) if before.get(key) != after.get(key)]
    one, other = (
        "".join(f" ({key}: {', '.join(given.get(key, ('not given',)))})" for key in keys)
        for given in (before, after)
    )
    return one, other


def _said(profile: Profile, cls: str) -> Said:
    what, action = class_words(cls), profile.action_of(cls)
    if cls == "structure":
        return Said(cls, what, "keep", ALWAYS_KEPT)
    if cls == "uncatalogued":
        return Said(cls, what, profile.uncatalogued, UNCATALOGUED[profile.uncatalogued])
    if cls == "message.control":
        return Said(cls, what, action, f"{_becomes(profile, cls, action)}; {CONTROL}")
    formats = (
        FORMATS.get((action, cls))
        or FORMATS.get((action, cls.rpartition(".")[2]))
        or FORMATS.get((action, ""), ())
    )
    return Said(cls, what, action, _becomes(profile, cls, action), formats)


def _becomes(profile: Profile, cls: str, action: str) -> str:
    """Give the clause of an action; one that nobody wrote words for is told by its name."""
    known = BECOMES.get((action, cls)) or BECOMES.get((action, ""))
    return known(profile.parameters_of(action)) if known else f"is changed by `{action}`"


def _direction(before: str, after: str) -> Direction:
    if before == after:
        return "other"
    if {before, after} == {REMOVED, "hold"}:
        return "other"
    if before in (REMOVED, "hold") or after in ("keep", "pass"):
        return "more"
    return "less" if after in (REMOVED, "hold") or before in ("keep", "pass") else "other"


# --- the words

Words = Callable[[Parameters], str]


def _plain(text: str) -> Words:
    return lambda _parameters: text


def _listed(parameters: Parameters) -> str:
    most, above = "".join(parameters.get("up_to", ())), "".join(parameters.get("above", ()))
    numbers = f" or a whole number up to {most}" if most else ""
    older = f"; a higher one becomes `{above}`" if above else ""
    return f"stays where it is on the profile's list{numbers}{older}; else it is removed"


def _bands(parameters: Parameters) -> str:
    width, over = ("".join(parameters.get(*given)) for given in (("width", ("5",)), ("over", ("89",))))
    return f"becomes its band of {width}; whatever is over {over} is one band; what is no number is removed"


def _mask(parameters: Parameters) -> str:
    last = "".join(parameters.get("last", ("0",)))
    return "becomes asterisks" + (f", but for the last {last} characters of long ones" if last != "0" else "")


def _pseudonym(parameters: Parameters) -> str:
    shape = ", in the shape of the value" if parameters.get("shape") else ""
    check = f", with a check digit ({''.join(parameters['check'])})" if parameters.get("check") else ""
    return f"becomes a keyed name of the value, for this patient in this project{shape}{check}"


def _person(parameters: Parameters) -> str:
    return _pseudonym(parameters).replace(
        "of the value, for this patient in this project",
        "of the person in this project, whatever identifier it was",
    )


def _dummy(parameters: Parameters) -> str:
    text = "".join(parameters.get("text", ()))
    return (
        f"becomes `{text}`"
        if "text" in parameters
        else "becomes `XXX`, of dates and UIDs a fixed one of the same form"
    )


def _generalise(parameters: Parameters) -> str:
    return f"leaves the region that a postcode of {''.join(parameters.get('country', ('US',)))} begins with, the state and the country"


ALWAYS_KEPT = "stays as it is: without it nothing is a message"
CONTROL = "the outgoing message has a number of its own"
UNCATALOGUED = {
    "remove": "is removed",
    "pass": "stays as it is where the link permits it, and is counted",
    "hold": "holds the message: nothing of it leaves",
}
BECOMES: Mapping[tuple[str, str], Words] = {
    ("keep", ""): _plain("stays as it is"),
    ("remove", ""): _plain("is removed"),
    ("pseudonym", ""): _pseudonym,
    ("pseudonym", "patient.identifier"): _person,
    ("alias", ""): _plain(
        "becomes a keyed name of the project, the same for every patient: it can be followed, not found"
    ),
    ("year", ""): _plain("leaves the year"),
    ("birth_year", ""): _plain("leaves the year, where it cannot show an age over 89"),
    ("shift", ""): _plain(
        "moves by the person's secret number of days (30 to 365, back or forth); time of day and intervals stay; 90 years ago and "
        "more is one category"
    ),
    ("postcode3", ""): _plain(
        "leaves three digits of a US ZIP code (`000` where 20,000 people or fewer live), the state and the country"
    ),
    ("generalise", ""): _generalise,
    ("town", ""): _plain("leaves town, state, postcode and country"),
    ("listed", ""): _listed,
    ("bands", ""): _bands,
    ("mask", ""): _mask,
    ("uid", ""): _plain(
        "becomes another UID, the same for the same, for this patient in this project; those of standards stay"
    ),
    ("dummy", ""): _dummy,
    ("text", ""): _plain(
        "stays, but what names somebody in it is replaced by what this profile does with it, or by a mark"
    ),
    ("attachment", ""): _plain("stays where it is text, cleaned as text is; other documents do not pass"),
}
"""(action, class or empty) -> what becomes of a value, by the parameters."""

_EMPTIED = (
    ("HL7 v2", "the field is left empty; an observation that would lose its meaning goes whole"),
    ("FHIR", "the element goes; where R4 asks for it, `data-absent-reason` says `masked`"),
    (
        "DICOM",
        "as PS3.15 Annex E says for the attribute: removed, emptied, or a dummy where the object would not be valid without",
    ),
)
_PERSONS = (
    ("HL7 v2", "authority, type and check digit go with the identifier; several become one"),
    ("FHIR", "it is the logical id too, and what refers to the person refers to it"),
    ("DICOM", "it stands in Patient ID and Patient's Name"),
)
_DATES = (
    ("HL7 v2", "in the precision it came in"),
    ("FHIR", "in the precision it came in, with its zone; a moment stays a moment"),
    ("DICOM", "DA and DT move, TM stays; other elements of dates as PS3.15 Annex E says with option 113107"),
)
FORMATS: Mapping[tuple[str, str], tuple[tuple[str, str], ...]] = {
    ("remove", ""): _EMPTIED,
    ("pseudonym", "patient.identifier"): _PERSONS,
    ("shift", ""): _DATES,
    ("year", ""): (
        ("FHIR", "an element that asks for a whole moment cannot hold a year, and goes"),
        (
            "DICOM",
            "a date that must be whole cannot hold a year, and is emptied or replaced as PS3.15 Annex E says",
        ),
    ),
    ("uid", ""): (
        ("FHIR", "`urn:oid:` and `urn:uuid:` stay such"),
        ("DICOM", "references within a study stay whole"),
    ),
    ("bands", ""): (
        ("HL7 v2", 'numbers (NM) become text: `show = ["least"]` keeps them numbers'),
        ("FHIR", 'an element that must be a number goes, but with `show = ["least"]`'),
        ("DICOM", "ages (AS) stay of their form: `040Y`, `090Y`"),
    ),
}
"""(action, class or its kind, or empty) -> (format, how it differs there)."""

MEANINGS: Mapping[tuple[str, str], str] = {
    ("listed", "values"): "the values that stay",
    ("listed", "up_to"): "whole numbers up to this one stay",
    ("listed", "above"): "what stands for a higher one, up to 130; without it a higher one is removed",
    ("bands", "width"): "how many numbers are one band",
    ("bands", "over"): "the last number that is shown; all above is one band",
    ("bands", "show"): "`range` writes `40-44`, `least` writes `40`",
    ("mask", "last"): "how many characters at the end stay; never more than a third of a value",
    ("generalise", "country"): "whose postcodes come here",
    (
        "pseudonym",
        "shape",
    ): "`keep`: digits for digits and letters for letters; fewer characters make it likelier that two persons share a name",
    ("pseudonym", "check"): "the scheme by which the last digit checks the others",
    ("dummy", "text"): "what stands in the value's place",
    (
        "text",
        "recall",
    ): "the share of what names somebody that must be found, by measurement, in the text's language",
    (
        "text",
        "below",
    ): "what happens to a text of another language, or one that costs too much: `drop` or `hold`",
    ("text", "language"): "of texts of which nothing tells it",
    ("attachment", "recall"): "as of texts",
    (
        "attachment",
        "below",
    ): "what happens to what is no text, is too large, or is only pointed to: `drop` or `hold`",
    ("attachment", "language"): "as of texts",
}
"""(action, parameter) -> its meaning."""


def everything(profile: Profile) -> str:
    """Say in one sentence how many classes stay, change and go."""
    rows = said(profile)
    stay = sum(row.action in ("keep", "pass") for row in rows)
    go = sum(row.action in (REMOVED, "hold") for row in rows)
    counts = (
        f"{stay} stay as they are",
        f"{len(rows) - stay - go} leave in another form",
        f"{go} are removed",
    )
    return f"Of {len(CLASSES)} classes of elements {some(counts)}."
