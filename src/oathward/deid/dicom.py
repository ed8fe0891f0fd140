"""A profile for DICOM files: its options of PS3.15 Annex E, narrowed by its classes, with the actions of every other format.

Rules:
- The table says what happens to an attribute, the classes narrow it (``protocols/dicom/compiling``).
- The patient's pseudonym, UIDs and moved dates come from the same actions and seeds as in HL7 v2 and FHIR.
- A text is cleaned by the class's own action, or where that keeps texts, by what the seeds bring for texts; else it goes.

Deliberately absent: I/O, pixels.
"""

from __future__ import annotations

from functools import cache

from oathward.deid.action import Seeds, actions
from oathward.deid.plan import deciding
from oathward.deid.profile import Profile
from oathward.deid.text.clean import clean
from oathward.deid.text.known import find_known
from oathward.deid.text.known_names import PARTICLES, TITLES
from oathward.deid.text.model import Known
from oathward.deid.text.tokens import tokens
from oathward.protocols.dicom.compiling import PERSON, Means
from oathward.protocols.dicom.named import Words
from oathward.protocols.dicom.ops import NO_WORDS
from oathward.protocols.dicom.persons import known_values_of
from oathward.protocols.dicom.reader import File
from oathward.protocols.dicom.rewrite import Rewriter, compile_rewriter
from oathward.protocols.shaping import KEEP, Decide, Ruling, Transform

NOTE = "note.text"
TEXTS_MAX = 4_096
"""Texts remembered of one subject."""

DATE_LENGTH = 8
_NUMBERS = frozenset(("identifier", "address", "contact", "encounter"))
_WHOLE = ("", "rest", "street")


class Remembered:
    """What texts of one subject became: the slices of a series say the same, and finding is dear.

    Holds texts of the subject it was last asked for, no others, and no more than ``TEXTS_MAX``.
    """

    __slots__ = ("_made", "_of", "_transform")

    def __init__(self, transform: Transform) -> None:
        self._transform = transform
        self._of: object = None
        self._made: dict[str, str] = {}

    def __call__(self, value: str, seeds: Seeds) -> str:
        """Give what the transform makes of a text."""
        text = seeds.text
        of = seeds.subject_seed, seeds.days, seeds.year, text and (text.known, text.language)
        if of != self._of or len(self._made) >= TEXTS_MAX:
            self._of, self._made = of, {}
        made = self._made.get(value)
        if made is None:
            made = self._made[value] = self._transform(value, seeds)
        return made


class _Said:
    """The words that a file says of persons, for what is kept of it: those that the profile does not keep.

    Holds those of the last file, for the next one of its series says the same.
    """

    __slots__ = ("_decide", "_of", "_words")

    def __init__(self, decide: Decide) -> None:
        self._decide = decide
        self._of: tuple[tuple[str, str, str], ...] = ()
        self._words = NO_WORDS

    def __call__(self, seeds: Seeds) -> Words:
        """Give them."""
        said = seeds.text.known.values if seeds.text else ()
        if said != self._of:
            self._of, self._words = said, self._made(said)
        return self._words

    def _made(self, said: tuple[tuple[str, str, str], ...]) -> Words:
        names: list[str] = []
        numbers: list[str] = []
        for cls, part, value in said:
            kind = cls.rpartition(".")[2]
            if part not in _WHOLE or self._decide(cls, part) is KEEP:
                continue
            if kind == "name" and (cls != "organisation.name" or " " in value):
                (names if cls != "organisation.name" else numbers).append(value)
            elif kind in _NUMBERS or cls == "order":
                numbers.append(value)
            elif kind == "birth-date" and len(value) == DATE_LENGTH:
                numbers += (value, f"{value[:4]}-{value[4:6]}-{value[6:]}")
        return Words(names, numbers, PARTICLES | TITLES)


def compile_dicom(profile: Profile, classes: frozenset[str]) -> Rewriter:
    """Compile a profile for what is permitted; the rewriter's context is ``Seeds``.

    Raises:
        PolicyError: a class that does not exist.
    """
    ruled = deciding(profile, classes)

    @cache
    def decide(cls: str, part: str) -> Ruling:
        ruling = ruled(cls, part)
        return Remembered(ruling) if cls == NOTE and callable(ruling) else ruling

    named = decide(PERSON, "")
    means = Means(
        person=named if callable(named) else _transform("pseudonym", PERSON),
        uid=_transform("uid", "message.control"),
        shift=_transform("shift", "observation.time"),
        text=Remembered(_cleaned),
        named=Remembered(_named),
        words=_Said(decide),
    )
    return compile_rewriter(decide, profile.dicom, means, profile=profile.name)


def known_of(file: File) -> Known:
    """Give what the attributes of a file know, for its texts."""
    return Known(known_values_of(file))


def _transform(action: str, cls: str) -> Transform:
    ruling = actions()[action].rule(cls, "", {})
    assert callable(ruling), action
    return ruling


def _named(value: str, seeds: Seeds) -> str:
    if seeds.text is None:
        return ""
    found = find_known(value, tokens(value), seeds.text.known)
    return " ".join(value[span.start : span.end] for span in found)


def _cleaned(value: str, seeds: Seeds) -> str:
    return "" if seeds.text is None else clean(value, seeds.text, seeds).text
