"""Hospitals, health centres, universities and the like in Spanish texts, and fields that hold one.

Rules:
- The kind (``Hospital``, ``Centro de Salud``) and a name written large after it, or adjectives of kind and then a name.
- A kind without a name (``el hospital``, ``Servicio de Urología``) names nothing.

Source: 45 CFR 164.514(b)(2)(i)(B): a hospital is a place smaller than a state.
"""

from __future__ import annotations

from oathward.deid.text.recogniser import Pattern, Recogniser
from oathward.deid.text.spanish import CAPITALISED

_KIND = (
    r"\b(?:(?i:hospital(?:es)?|hosp\.|cl[íi]nica|policl[íi]nic[oa]|sanatorio|ambulatorio|consultorio|c\.s\.|centro[ ](?:de[ ]salud|m[ée]dico|hospitalario|sanitario|oncol[óo]gico|penitenciario|geri[áa]trico)|complejo[ ](?:hospitalario|asistencial)"
    r"|residencia(?:[ ](?:de[ ](?:ancianos|mayores)|geri[áa]trica))?|universidad|facultad|maternidad|colegio|escuela)"
    r"|Centro|CS|CAP|HU|HGU|CHU|Instituto|Fundación|Fundació|Mutua|Parc|Consorci|Consorcio|Institut|Laboratorios?|Ayuntamiento|Empresa|Policía|Instituto[ ]Nacional|IES|CEIP)"
)
_ADJECTIVE = r"(?:[ ](?i:universitari[oa]s?|general|cl[íi]nico|comarcal|provincial|regional|central|militar|infantil|materno-?infantil|nacional|docente|quir[úu]rgico|psiqui[áa]trico|privad[oa]|p[úu]blico|de[ ]d[íi]a|local|virgen))"
_NAME = r"[\"'“\x{2018}«]?" + CAPITALISED + r"(?:-[A-Za-zÀ-ž]+)?[\"'”’»]?"
_LINK = r"(?:[ ](?:de|del|la|las|los|el|y|i|da|do|dels|en|san|santa)|[ ]?d['’\x{b4}])"

RECOGNISER = Recogniser(
    categories={"organisation": "organisation.name"},
    patterns=(
        Pattern(
            "organisation",
            _KIND
            + _ADJECTIVE
            + r"{0,3}"
            + _LINK
            + r"{0,3}[ ]?"
            + _NAME
            + r"(?:"
            + _LINK
            + r"{0,3}[ ]"
            + _NAME
            + r"){0,7}(?:[ ]\d{1,2}\b(?:[ ]de[ ]"
            + CAPITALISED
            + r")?)?",
            sure=0.88,
            hint=_KIND,
        ),
        Pattern(
            "organisation",
            r"\b(?i:hospital|cl[íi]nica)" + _ADJECTIVE + r"{0,3}[ ]\d{1,2}[ ]de[ ]" + CAPITALISED,
            sure=0.98,
        ),
        Pattern(
            "organisation",
            r"(?i)\b(?:hospital|centro|cl[íi]nica|instituci[óo]n|empresa|aseguradora|mutua|compa[ñn][íi]a)(?:[ ](?:de[ ]salud|de[ ]origen|de[ ]procedencia|remitente|solicitante|de[ ]referencia)){0,2}[ \t]{0,3}:[ \t]{0,4}([^\n:]{0,78}[^\n\s:.,;])",
            group=1,
            sure=0.9,
        ),
    ),
    languages=frozenset({"es"}),
)
