"""Street addresses of Spanish texts, with what follows them up to the town; and fields that hold an address.

Rules:
- A kind of street, a name and a number (or ``s/n``), in large letters or small; without a number only where the name is written large.
- ``Vía oral``, ``carrera universitaria`` and the like are no streets.

Source: 45 CFR 164.514(b)(2)(i)(B); kinds of streets as the register of the Instituto Nacional de Estadística abbreviates them.
"""

from __future__ import annotations

from oathward.core.words import plain
from oathward.deid.text.dictionary import said
from oathward.deid.text.recogniser import Pattern, Recogniser
from oathward.deid.text.spanish import CAPITALISED, LARGE

_SURE_KIND = (
    r"(?:\b[cC]/|\bC\.[ ]?/|\b(?i:calle|avda|avd|avenid[ao]|paseo|pso|plaza|pza|plza|plaça|carretera|ctra|camino|traves[íi]a|urbanizaci[óo]n|urb|glorieta|gta|rambla|rbla|bulevar|callej[óo]n|"
    r"pol[íi]gono|pasaje|psje|carrer|r[úu]a|kalea|passeig|avinguda|jir[óo]n|autov[íi]a|costanilla|alameda)\b\.?)"
)
_DOUBTFUL_KIND = r"\b(?:Av|AV|Cl|CL|Pl|PL|Vía|Via|Gran[ ]Vía|Ronda|Cuesta|Barrio|Barriada|Colonia|Carrera|Cra|Diagonal|Transversal|Calzada|Sector|Residencial|Bloque|Parque|Rúa|Po|P[º°])\.?"
_PART = r"(?:(?:[A-ZÀ-Þ]|Dr|Dra|Sta|Sto|Gral|Cap|Prof|Ntra|Nª|Sra|Av|Avda)\.|[A-Za-zÀ-ž'’\x{b4}]+)"
_NUMBER = r"(?:s/n|(?:n[º°o.]{1,2}[ ]?|num\.?[ ]?|n[úu]mero[ ]|km\.?[ ]?|No\.?[ ]?|#[ ]?)?\d{1,5}(?:[,.]\d{1,3})?(?:[ ]?(?:-|al|y|/)[ ]?\d{1,4})?[ ]?(?:bis|[A-Z]\b)?)"
_FLOOR = (
    r"(?:[ ,.\-–/]{1,3}(?:(?i:piso|planta|pl|puerta|pta|portal|esc|escalera|bloque|blq|bajo|bjo|entlo|[áa]tico|local|dpto|depto|apto|izda|izq|izquierda|dcha|dcho|derecha|der|centro|esq)\b\.?"
    r"|[A-Z]{1,2}-?\d{0,3}\b|\d{1,3}[ ]?(?:[ºª°o](?:[ ]?[A-Z]\b)?|[A-Z]?\b))){0,6}"
)
_TOWN = (
    r"(?:[\s,.\-(]{1,4}(?:[A-Z]-)?\d{5}(?:[\s,.\-(]{1,4}"
    + CAPITALISED
    + r"(?:[ -](?:(?:de|del|la|las|los|el|i|y)[ ]){0,2}"
    + CAPITALISED
    + r"){0,4})?)?"
)
_BARE = CAPITALISED + r"(?:[ ](?:(?:de|del|la|las|los|y)[ ]){0,2}" + CAPITALISED + r"){0,4}"
_NO_STREET = said(
    "oral intravenosa venosa aerea urinaria urinarias biliar biliares subcutanea intramuscular rectal topica central periferica abierta anterior posterior "
    "lateral transperitoneal extraperitoneal retroperitoneal laparoscopica percutanea endoscopica suprapubica lumbar abdominal vaginal parenteral enteral inhalatoria de"
)


def _street(text: str) -> float:
    parts = plain(text).replace(".", " ").split()
    return 0 if len(parts) > 1 and parts[0] in ("via", "vias") and parts[1] in _NO_STREET else 0.9


RECOGNISER = Recogniser(
    categories={"address": "patient.address"},
    patterns=(
        Pattern(
            "address",
            _SURE_KIND
            + r"[ .]{0,2}"
            + _PART
            + r"(?:(?:[ ]|-|,[ ])"
            + _PART
            + r"){0,7}[ ,.\-–]{1,3}"
            + _NUMBER
            + _FLOOR
            + _TOWN,
            _street,
            hint=_SURE_KIND,
        ),
        Pattern(
            "address",
            _DOUBTFUL_KIND
            + r"[ .]{1,2}(?:(?:de|del|la|las|los|el)[ ]){0,2}"
            + CAPITALISED
            + r"\.?(?:[ ]"
            + _PART
            + r"){0,6}[ ,.\-–]{1,3}"
            + _NUMBER
            + _FLOOR
            + _TOWN,
            _street,
            hint=_DOUBTFUL_KIND + r"[ .]{1,2}(?:(?:de|del|la|las|los|el)[ ]){0,2}" + LARGE,
        ),
        Pattern(
            "address",
            _SURE_KIND
            + r"[ .]{0,2}(?:(?:de|del|la|las|los|el)[ ]){0,2}"
            + CAPITALISED
            + r"(?:[ ](?:(?:de|del|la|las|los|y)[ ]){0,2}"
            + CAPITALISED
            + r"){0,4}",
            _street,
            sure=0.7,
            hint=_SURE_KIND,
        ),
        # Without a kind: a name written large, a number and a postcode with its town, or ``s/n``.
        Pattern(
            "address",
            _BARE
            + r"[ ,.]{1,2}"
            + _NUMBER
            + _FLOOR
            + r"[\s,.\-(]{1,4}(?:[A-Z]-)?\d{5}[\s,.\-(]{1,4}"
            + CAPITALISED,
            sure=0.85,
            hint=r"\d{5}[\s,.\-(]{1,4}" + LARGE,
        ),
        Pattern("address", _BARE + r",?[ ](?:nº[ ])?s/n\b", sure=0.85, hint="s/n"),
        Pattern(
            "address",
            r"(?i)\b(?:domicilio|direcci[óo]n)(?:[ \t]+(?:habitual|del[ ]paciente|postal|familiar|completa|particular|actual)){0,2}[ \t]{0,3}:[ \t]{0,4}([^\n:]{0,98}[^\n\s:.,;])",
            group=1,
            sure=0.93,
        ),
        Pattern(
            "address",
            r"(?i)\b(?:localidad|municipio|poblaci[óo]n|ciudad|provincia|pa[íi]s(?:[ ]de[ ](?:nacimiento|origen))?|lugar[ ]de[ ]nacimiento|natural[ ]de|residencia|comunidad(?:[ ]aut[óo]noma)?|barrio|nacionalidad)"
            r"(?:[ ]?/[ ]?[a-záéíóú]{3,12}){0,2}[ \t]{0,3}:[ \t]{0,4}([^\n:;]{0,58}[^\n\s:.,;])",
            group=1,
            sure=0.93,
        ),
        Pattern(
            "address",
            r"(?i)(?:\bc\.?p\.?|\bc[óo]d(?:igo|\.)?[ ]postal|\bcp)[ \t]{0,3}[:.]?[ \t]{0,4}([A-Za-z]{0,2}-?\d[\d -]{2,9}\d)",
            group=1,
            sure=0.95,
        ),
    ),
    languages=frozenset({"es"}),
)
