"""Telephones and faxes as Spain and Latin America write them.

Source: 45 CFR 164.514(b)(2)(i)(D), (E); Plan Nacional de Numeración Telefónica (Real Decreto 2296/2004): nine figures, the first 6 to 9.
"""

from __future__ import annotations

from oathward.deid.text.recogniser import Pattern, Recogniser

_LABEL = (
    r"(?i)\b(?:tel[ée]f(?:onos?|s)?|telf|tfnos?|tfn|tlfn?o?s?|tlno|tf|tel|tels|m[óo]vil(?:es)?|celular|cel|fax|busca|ext(?:ensi[óo]n)?|whatsapp|contacto|llamar[ \t]+al)\b"
    r"(?:[ \t]+(?:m[óo]vil|fijo|de[ \t]+contacto|particular|domicilio|trabajo))?[ \t]{0,2}[.ºª]{0,2}[ \t]{0,2}[:/]?[ \t]{0,3}"
)
_SEVERAL = r"((?:\(?\+?\(?\d[\d ().-]{2,18}\d)(?:[ ]?(?:[/,;y]|ext\.?)[ ]?\+?\(?\d[\d ().-]{4,16}\d){0,3})"


def _phone(text: str) -> float:
    """Spanish numbers only; what is grouped otherwise is something else."""
    figures = "".join(c for c in text if c.isdigit())
    figures = figures.removeprefix("00").removeprefix("34") if len(figures) > 9 else figures
    if len(figures) != 9 or len(set(figures)) == 1:
        return 0
    return 0.8 if any(c in text for c in "+ .-") else 0.7


RECOGNISER = Recogniser(
    categories={"contact": "patient.contact"},
    patterns=(
        Pattern("contact", _LABEL + _SEVERAL, group=1, sure=0.95, hint=_LABEL + r"\(?\+?\(?\d"),
        Pattern("contact", r"(?:\+|\b00)34[ .-]?[6-9]\d{2}(?:[ .-]?\d{2,3}){2,3}\b", _phone),
        Pattern("contact", r"\b[679]\d{2}[ .-]\d{3}[ .-]\d{3}\b", _phone),
        Pattern("contact", r"\b[6-9]\d{2}[ .-]\d{2}[ .-]\d{2}[ .-]\d{2}\b", _phone),
        Pattern("contact", r"\b[89]\d[ .-]\d{3}[ .-]\d{2}[ .-]\d{2}\b", _phone),
        Pattern("contact", r"\b[679]\d{8}\b", _phone),
        Pattern("contact", r"\+5\d{1,2}[ .-]?\(?\d{1,4}\)?(?:[ .-]?\d{2,4}){2,3}\b", sure=0.9),
    ),
    languages=frozenset({"es"}),
)
