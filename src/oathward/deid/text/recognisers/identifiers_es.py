"""Numbers that name a person in Spanish texts: DNI, NIE, social security, health cards, records, episodes, licences of staff, number plates.

Rules:
- After its label a number is taken as it stands, right or mistyped; a label needs a figure after it.
- Without a label only what its check letter, check figures or form make certain.

Deliberately absent: IBAN, cards and what other countries' numbers are in every language's texts.

Source: 45 CFR 164.514(b)(2)(i)(D), (G)-(L), (R); Real Decreto 1553/2005 and Orden INT/2058/2008 (check letter of DNI and NIE); Orden
of 16 January 1996 (check figures of social security); Real Decreto 702/2013 (health card); Real Decreto 2822/1998, annex XVIII (plates).
"""

from __future__ import annotations

from oathward.deid.text.dictionary import said
from oathward.deid.text.recogniser import Pattern, Recogniser

_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
_NIE = {"X": "0", "Y": "1", "Z": "2"}
_SOCIAL_LENGTH = 12
_ACRONYMS = said(
    "PCR LDH GGT TSH FSH LCR VSG HDL LDL TNF BCG CPK CMV VHB VHC VPH HTP TBC TVP TEP TRH TSV DMS FPP HTS DPN CSF MHZ KCL NCL MRSA LPM RPM PPM BPM PGF"
)


def _national(text: str) -> float:
    """Say whether the letter of a DNI or NIE is right."""
    kept = "".join(c for c in text.upper() if c.isalnum())
    figures = _NIE.get(kept[0], kept[0]) + kept[1:-1]
    return 0.98 if figures.isdigit() and _LETTERS[int(figures) % 23] == kept[-1] else 0


def _social(text: str) -> float:
    """Say whether the check figures of a social security number are right."""
    kept = "".join(c for c in text if c.isdigit())
    if len(kept) != _SOCIAL_LENGTH:
        return 0
    province, number, check = kept[:2], kept[2:10], int(kept[10:])
    # A number below ten millions is counted without its leading zero.
    whole = int(province + number) if number[0] != "0" else int(province) * 10_000_000 + int(number)
    return 0.95 if whole % 97 == check and "01" <= province <= "66" else 0


def _figure(text: str) -> float:
    return 0.97 if any(c.isdigit() for c in text) else 0


def _plate(text: str) -> float:
    return 0.6 if text.isupper() and text[-3:] not in _ACRONYMS else 0


_SIGN = r"[ \t]{0,3}(?:[nN][º°o.]{1,2}[ \t]{0,2})?[:.#=]?[ \t]{0,4}"
"""What stands between a label and its number."""
_NUMBER_BEGINS = r"(?:[nN][hH][cC][- ]?)?[A-Za-z]{0,5}[ .-]?\d"
_NUMBER = r"((?:[nN][hH][cC][- ]?)?[A-Za-z]{0,5}[ .-]?\d[A-Za-z0-9]{0,20}(?:[ ./-]{1,2}[A-Za-z]?\d[A-Za-z0-9]{0,14}){0,5}(?:[ ./-]?[A-Za-z]\b)?)"
_OF = r"(?:[ \t]+(?:de|del|la|el))*[ \t]+"

_PERSON = (
    r"(?i)(?:\b|[nN]º)(?:d\.?n\.?i\.?(?:[ /-]{1,3}n\.?i\.?[ef]\.?)?|n\.?i\.?[ef]\.?|pasaporte|c[ée]dula(?:"
    + _OF
    + r"(?:identidad|ciudadan[íi]a|profesional))?"
    r"|curp|rfc|rut|r\.u\.t\.|run|dui|documento(?:"
    + _OF
    + r"identidad| nacional(?:"
    + _OF
    + r"identidad)?)?)"
)
_RECORD = (
    r"(?i)(?:\b(?:n\.?h\.?c\.?|n\.?h\.?|c\.?i\.?p\.?a\.?|c\.?i\.?p\.?(?:-?sns)?|c\.?i\.?t\.?e\.?|nuhsa|nuss|n\.?a\.?s\.?s\.?|s\.?i\.?p\.?|t\.?i\.?s\.?|t\.?s\.?i\.?|n\.?u\.?s\.?"
    r"|(?:n[º°.úu]m?e?r?o?\.?[ \t]*(?:" + _OF + r")?)?historia(?:[ \t]+cl[íi]nica)?|h\.?c\.?|hcl"
    r"|tarjeta[ \t]+(?:sanitaria|individual)(?:[ \t]+individual)?|(?:n[º°.][ \t]*(?:"
    + _OF
    + r")?)?(?:seguridad[ \t]+social|afiliaci[óo]n|asegurado|p[óo]liza)"
    r"|s\.?[ \t]?social|obra[ \t]+social|afiliado|id(?:entificador)?(?:"
    + _OF
    + r")?paciente|mutualista|isfas|muface|mugeju))"
)
_EPISODE = (
    r"(?i)(?:\b|º|°)(?:episodio|icu|n[º°úu]m?\.?[ \t]*(?:"
    + _OF
    + r")?(?:ingreso|episodio|petici[óo]n|muestra|biopsia|registro|informe|expediente|estudio|accession|orden)"
    r"|expediente|petici[óo]n|biopsia[ \t]+n[º°o.]{1,2}|muestra[ \t]+n[º°o.]{1,2})"
)
_LICENCE = r"(?i)(?:(?:n|n[úu]m(?:ero)?)[º°o.]{0,2}[ \t]{0,2}(?:de[ \t]+)?(?:col\b\.?|coleg\b\.?|colegiad[oa]|colegiaci[óo]n)|colegiad[oa]|coleg\.|\bcol\.|\bcias\b|\bcnp\b|\bm\.?p\.?|matr[íi]cula[ \t]+(?:profesional|nacional))"


def _labelled(category: str, label: str) -> Pattern:
    """A number after its label."""
    return Pattern(category, label + _SIGN + _NUMBER, _figure, group=1, hint=label + _SIGN + _NUMBER_BEGINS)


RECOGNISER = Recogniser(
    categories={
        "person": "patient.identifier",
        "staff": "staff.identifier",
        "encounter": "patient.encounter",
    },
    patterns=(
        Pattern("person", r"\b\d{8}[ -]?[A-HJ-NP-TV-Za-hj-np-tv-z]\b", _national),
        Pattern("person", r"\b\d{1,2}\.\d{3}\.\d{3}[ -]?[A-HJ-NP-TV-Za-hj-np-tv-z]\b", _national),
        Pattern("person", r"\b[XYZxyz][ -]?\d{7}[ -]?[A-HJ-NP-TV-Za-hj-np-tv-z]\b", _national),
        Pattern("person", r"\b\d{2}[ /-]?\d{8}[ /-]?\d{2}\b", _social),
        Pattern("person", r"\bAN\d{10}\b", sure=0.9),
        Pattern("person", r"\bBBBB[A-Z]{4}[A-Z0-9]{0,2}\d{6,8}\b", sure=0.9),
        Pattern("person", r"\b[A-Z]{4}[ ]?[0-7][ ]?\d{6}[ ]?\d{3}\b", sure=0.9),
        Pattern("person", r"\b[A-Z][AEIOUX][A-Z]{2}\d{6}[HM][A-Z]{5}[A-Z0-9]\d\b", sure=0.98),
        _labelled("person", _PERSON),
        _labelled("person", _RECORD),
        _labelled("encounter", _EPISODE),
        Pattern(
            "staff",
            _LICENCE + _SIGN + r"(\d[\d /.-]{1,18}\d)",
            group=1,
            sure=0.97,
            hint=_LICENCE + _SIGN + r"\d",
        ),
        Pattern(
            "person",
            r"(?i)(?:matr[íi]cula|veh[íi]culo|turismo|coche|moto|furgoneta|cami[óo]n|ambulancia)[^\n]{0,40}?[ :(](\d{4}[ -]?[BCDFGHJ-NPRSTV-Z]{3})\b",
            _plate,
            group=1,
        ),
        Pattern(
            "person",
            r"(?i)(?:matr[íi]cula|veh[íi]culo|turismo|coche|moto|furgoneta|cami[óo]n|ambulancia)[^\n]{0,40}?[ :(]([A-Z]{1,2}[ -]\d{4}[ -][A-Z]{1,2})\b",
            group=1,
            sure=0.9,
        ),
    ),
    languages=frozenset({"es"}),
)
