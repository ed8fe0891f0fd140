"""Label a message: codes, location, unit, device type and sender → confidentiality, sensitivity.

Rules (decision step 6):
- A rule fires when each condition it states holds; several words of one condition mean *any of them*.
- Rules only raise: the highest confidentiality and the union of sensitivities.
- An input that is not known (``None``) while some rule reads it gives unknown labels, and the
  decision is then Indeterminate.

Source: HL7 v3 Confidentiality; HL7 v3 ActCode, ActInformationSensitivityPolicy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from oathward.core.labels import Confidentiality

# fmt: off
SENSITIVITIES = frozenset((
    "ETH", "ETHUD", "OPIOIDUD", "GDIS", "HIV", "MST", "PREGNANT", "SCA", "SICKLE", "SDV", "SEX",
    "SPI", "BH", "COGN", "DVD", "EMOTDIS", "MH", "PSY", "PSYTHPN", "SUD", "STD", "TBOO", "VIO",
    "IDS", "SSP", "ADOL", "CEL", "DIA", "DRGIS", "EMP", "PDS", "PHY", "PRS", "DEMO", "DOB",
    "GENDER", "LIVARG", "MARST", "RACE", "REL", "B", "EMPL", "LOCIS", "COMPT", "ACOCOMPT",
    "CDSSCOMPT", "CTCOMPT", "FMCOMPT", "HRCOMPT", "LRCOMPT", "PACOMPT", "RESCOMPT", "RMGTCOMPT",
    "SECUR",
))
# fmt: on
RANK = {word: rank for rank, word in enumerate(Confidentiality)}


@dataclass(frozen=True, slots=True)
class Seen:
    """What labelling may read of one message; ``None`` is not known.

    ``codes``: ``system|code`` (``LN|75622-1``, ``MDC|150456``) of all that is coded in it.
    ``location``: ward or point of care; ``unit``: organisational unit; ``sender``: application.
    """

    codes: frozenset[str] | None
    location: str | None
    unit: str | None
    device_kind: str | None
    sender: str | None


@dataclass(frozen=True, slots=True)
class LabelRule:
    """One row: conditions (empty means not stated) and what they raise. Words may hold ``*``."""

    id: str
    codes: frozenset[str] = frozenset()
    location: frozenset[str] = frozenset()
    unit: frozenset[str] = frozenset()
    device_kind: frozenset[str] = frozenset()
    sender: frozenset[str] = frozenset()
    confidentiality: Confidentiality = Confidentiality.U
    sensitivity: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Labels:
    """What a message is: ``None`` where it cannot be told."""

    confidentiality: Confidentiality | None
    sensitivity: frozenset[str] | None


UNKNOWN = Labels(None, None)


@lru_cache(maxsize=1_024)
def raised(labels: Labels, own: frozenset[str]) -> Labels:
    """Add the labels that a message bears itself: confidentialities and sensitivities, as words; they only raise.

    What is not known stays so. Words that are neither say nothing here.
    """
    if labels.confidentiality is None or labels.sensitivity is None:
        return labels
    levels = {level for level in Confidentiality if level in own}
    level = max({labels.confidentiality, *levels}, key=RANK.__getitem__)
    return Labels(level, labels.sensitivity | (own & SENSITIVITIES))


@dataclass(frozen=True, slots=True)
class LabelTable:
    """All rules of a bundle and the confidentiality of what no rule raises."""

    default: Confidentiality = Confidentiality.N
    rules: tuple[LabelRule, ...] = ()
    _cache: dict[Seen, Labels] = field(default_factory=dict, compare=False, repr=False)
    _asked: dict[frozenset[str], frozenset[str]] = field(default_factory=dict, compare=False, repr=False)
    asked: frozenset[str] = field(init=False, compare=False, repr=False)
    """Names of the inputs that some rule reads: the rest need not be looked at."""

    def __post_init__(self) -> None:
        asked = frozenset(name for rule in self.rules for name in _INPUTS if getattr(rule, name))
        object.__setattr__(self, "asked", asked)

    def label(self, seen: Seen) -> Labels:
        """Label one message; remembers the answer for equal inputs (at most 4,096 of them)."""
        found = self._cache.get(seen)
        if found is None:
            if len(self._cache) >= _CACHE_MAX:
                self._cache.clear()
            found = self._cache[seen] = self._label(seen)
        return found

    def asked_for(self, codes: frozenset[str]) -> frozenset[str]:
        """Leave out codes that no rule asks for: they change no label, and without them equal things are equal."""
        found = self._asked.get(codes)
        if found is None:
            words = frozenset().union(*(rule.codes for rule in self.rules))
            found = frozenset(code for code in codes if any(_like(code, word) for word in words))
            if len(codes) <= _ASKED_CODES_MAX:
                if len(self._asked) >= _CACHE_MAX:
                    self._asked.clear()
                self._asked[codes] = found
        return found

    def _label(self, seen: Seen) -> Labels:
        level, sensitivity = self.default, frozenset[str]()
        for rule in self.rules:
            fires = _fires(rule, seen)
            if fires is None:
                return UNKNOWN
            if fires:
                level = max(level, rule.confidentiality, key=RANK.__getitem__)
                sensitivity |= rule.sensitivity
        return Labels(level, sensitivity)


_INPUTS = ("codes", "location", "unit", "device_kind", "sender")
_CACHE_MAX = 4_096
_ASKED_CODES_MAX = 512
"""Of a message; what more of them come to is not remembered."""


def _fires(rule: LabelRule, seen: Seen) -> bool | None:
    """Whether every stated condition holds; ``None`` when that hangs on something unknown."""
    unknown = False
    for name in ("location", "unit", "device_kind", "sender"):
        wanted: frozenset[str] = getattr(rule, name)
        if wanted:
            value: str | None = getattr(seen, name)
            if value is None:
                unknown = True
            elif not any(_like(value, word) for word in wanted):
                return False
    if rule.codes:
        if seen.codes is None:
            unknown = True
        elif not _codes_hit(rule.codes, seen.codes):
            return False
    return None if unknown else True


def _codes_hit(wanted: frozenset[str], codes: frozenset[str]) -> bool:
    return any(_like(code, word) for word in wanted for code in codes)


def _like(value: str, word: str) -> bool:
    """Whether a value is the word; ``*`` stands for anything, case never counts."""
    return _form(word).fullmatch(value) is not None


@lru_cache(maxsize=4_096)
def _form(word: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, word.split("*"))), re.IGNORECASE | re.DOTALL)
