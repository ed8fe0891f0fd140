"""What of the text in an image says nothing of a person, and stays.

Rules:
- A list of what stays, of whole words. A number stays with a unit, or with at most two digits (a scale, a page): longer ones are
  identifiers and dates as often as not. No marker is here that is a usual name of persons (LONG, HEAD, MAY).
- It stays only where it stands alone: a marker beside text that goes, goes with it (``R`` is a middle initial too).

Source: DICOM PS3.16 CID 244 (Laterality), CID 4010 and 4011 (projections), PS3.3 C.7.6.1.1.1 (Patient Orientation),
CID 20 (Patient Orientation Modifier); UCUM (units).
"""

from __future__ import annotations

import re

_SIDES = "R L RT LT RIGHT LEFT BIL BOTH"
_DIRECTIONS = "A P S I H F ANT POST SUP INF FEET LATERAL MEDIAL CRANIAL CAUDAL PROX DIST"
_VIEWS = "AP PA LAT LL RL LLD RLD OBL RAO LAO RPO LPO CC MLO ML LM XCCL AXIAL SAGITTAL CORONAL SAG COR AX TRV TRANS"
_POSITIONS = "SUPINE PRONE ERECT UPRIGHT SITTING STANDING SEMI DECUB DECUBITUS PORTABLE MOBILE STAT FLEX EXT INSP EXP POST PRE"
_TECHNIQUE = "KV KVP MA MAS TR TE TI FA FOV MI TIS TIB TIC WL WW W L C ZOOM GAIN DEPTH FREQ DR PWR PRF WF SV THI FPS HZ"
MARKERS = frozenset(f"{_SIDES} {_DIRECTIONS} {_VIEWS} {_POSITIONS} {_TECHNIQUE}".split())

_UNIT = r"(?:KVP?|MAS?|UA|MM|CM|M/S|CM/S|MM/S|MS|SEC|HZ|KHZ|MHZ|DB|%|HU|MGY|MSV|FPS|BPM|ML|CC|DEG|°|T)"
_NUMBER = r"[+-]?\d{1,3}(?:[.,]\d{1,3})?"
_MEASURE = re.compile(
    rf"{_NUMBER}\s?{_UNIT}|[+-]?\d{{4}}\s?(?:MS|HZ|HU)|(?:MI|TIS|TIB|TIC|WL|WW)[:=]?{_NUMBER}|[WLC][:=]{_NUMBER}"
    r"|[+-]?\d{1,2}|\d\.\d{1,2}"
)
_OUTER = " \t.,:;|()[]{}<>_'\"`~*=«»“”—–-‘’"  # noqa: RUF001  as it is read


def is_marker(text: str) -> bool:
    """Say whether a word that was read may stay."""
    word = text.strip(_OUTER).upper()
    return word in MARKERS or _MEASURE.fullmatch(word) is not None


def is_nothing(text: str) -> bool:
    """Say whether what was read has no letter and no digit: edges and noise are read as punctuation."""
    return not any(char.isalnum() for char in text)
