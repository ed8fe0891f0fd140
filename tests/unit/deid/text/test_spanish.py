"""Recognisers of Spanish texts: what each finds, and what must stay. Every person here is made up."""

from __future__ import annotations

import unicodedata

import pytest

from oathward.deid.text import spanish
from oathward.deid.text.dictionary import listed
from oathward.deid.text.find import find
from oathward.deid.text.model import NOTHING, Context
from oathward.deid.text.recognisers import identifiers_es
from oathward.protocols.shaping import REMOVE

CONTEXT = Context(NOTHING, lambda _cls, _part: REMOVE, "es")


def found(text: str) -> set[tuple[str, str]]:
    return {(s.cls, text[s.start : s.end].strip(" .,")) for s in find(text, CONTEXT)}


PATIENT, STAFF, RELATIVE = "patient.name", "staff.name", "relative.name"

NAMES = [
    ("El Dr. Juan Pérez García atiende a Dña. María del Carmen López.", {(STAFF, "Juan Pérez García"), (PATIENT, "María del Carmen López")}),
    ("Acude con su esposa, Dolores Ruiz, y su hija Ana.", {(RELATIVE, "Dolores Ruiz"), (RELATIVE, "Ana")}),
    ("acompañada por su madre (Elena)", {(RELATIVE, "Elena")}),
    ("Firmado: J. L. Martínez-Almeida. MIR de Cardiología", {(STAFF, "J. L. Martínez-Almeida")}),
    ("Paciente: GARCIA LOPEZ, MARIA JOSE", {(PATIENT, "GARCIA LOPEZ"), (PATIENT, "MARIA JOSE")}),
    ("Nombre: xurxo.\nApellidos: vrelant mungo .", {(PATIENT, "xurxo"), (PATIENT, "vrelant mungo")}),
    ("Nombre y apellidos: Brais Xertrol Vint", {(PATIENT, "Brais Xertrol Vint")}),
    ("Sr. D. Antonio de la Fuente y Sáez", {(PATIENT, "Antonio de la Fuente y Sáez")}),
    ("D. Ramiro Vrelant firma.", {(PATIENT, "Ramiro Vrelant")}),
    ("La enfermera Pilar Gómez retira la vía.", {(STAFF, "Pilar Gómez")}),
    ("Médico: Luis Moyano NºCol: 28 28 12345", {(STAFF, "Luis Moyano"), ("staff.identifier", "28 28 12345")}),
    ("Médico responsable: Xertrol Vint Hospital", {(STAFF, "Xertrol Vint")}),
    ("Remitido por:Dra. Julia Pais Blanco Servicio de Urología", {(STAFF, "Julia Pais Blanco")}),
    ("Responsable clínico: dr: Blas Vint. Tratamiento", {(STAFF, "Blas Vint")}),
    ("Hablo con Juan Carlos por teléfono.", {(PATIENT, "Juan Carlos")}),
    ("Comentado con Gómez Ruiz. Valorado por Marta Serrano (Neurología).", {(PATIENT, "Gómez Ruiz"), (PATIENT, "Marta Serrano")}),
    ("INFORME DE ALTA DEL PACIENTE JUAN PEREZ GOMEZ, DE 56 AÑOS", {(PATIENT, "JUAN PEREZ GOMEZ")}),
    ("La paciente Rosa acudió ayer.", {(PATIENT, "Rosa")}),
    ("Nombre: Vrelina.\nEvolución: ayer Vrelina refiere dolor.", {(PATIENT, "Vrelina")}),
    ("Ayudante: Dr. López de Haro; anestesia: Dr. Gil", {(STAFF, "López de Haro"), (STAFF, "Gil")}),
]  # fmt: skip

NUMBERS = [
    ("con 12345678Z en la mano", {("patient.identifier", "12345678Z")}),
    ("DNI: 12345678A", {("patient.identifier", "12345678A")}),
    ("X1234567L", {("patient.identifier", "X1234567L")}),
    ("NHC: 368503.", {("patient.identifier", "368503")}),
    ("CIPA: nhc-150679.", {("patient.identifier", "nhc-150679")}),
    ("NASS: 26 37482910 04.", {("patient.identifier", "26 37482910 04")}),
    ("NASS: 964573.", {("patient.identifier", "964573")}),
    ("Tarjeta sanitaria: AN1234567890", {("patient.identifier", "AN1234567890")}),
    ("Historia clínica nº 45678/12", {("patient.identifier", "45678/12")}),
    ("Episodio nº 20231234567", {("patient.encounter", "20231234567")}),
    ("Nº de muestra: 19B-1234", {("patient.encounter", "19B-1234")}),
    ("Col. 28/28/12345", {("staff.identifier", "28/28/12345")}),
    ("Nº de colegiado: 282812345", {("staff.identifier", "282812345")}),
    ("su coche, matrícula 1234 BCD", {("patient.identifier", "1234 BCD")}),
    ("vehículo M-1234-AB", {("patient.identifier", "M-1234-AB")}),
]

CONTACTS = [
    ("Tel. 912 345 678 / 600123456", {("patient.contact", "912 345 678 / 600123456")}),
    ("Móvil: +34 600 12 34 56", {("patient.contact", "+34 600 12 34 56")}),
    ("Fax 91 234 56 78", {("patient.contact", "91 234 56 78")}),
    ("Tfno: 926232991.", {("patient.contact", "926232991")}),
    ("avisar al 676.123.456", {("patient.contact", "676.123.456")}),
    ("correo: ana.vint@example.com", {("patient.contact", "ana.vint@example.com")}),
]

TIMES = [
    ("Ingresa el 5 de marzo de 2016", {("patient.time", "5 de marzo de 2016")}),
    ("alta el 12/03/16", {("patient.time", "12/03/16")}),
    ("Fecha de Ingreso: 26708/2017.", {("patient.time", "26708/2017")}),
    ("Fecha de Ingreso: 13-noviembre-2017.", {("patient.time", "13-noviembre-2017")}),
    ("Fecha de nacimiento: 03/03/1946.", {("patient.birth-date", "03/03/1946")}),
    ("F. Nac.: 3-3-46", {("patient.birth-date", "3-3-46")}),
    (
        "tres de abril de mil novecientos sesenta",
        {("patient.time", "tres de abril de mil novecientos sesenta")},
    ),
    ("intervenido en noviembre del 2001", {("patient.time", "noviembre del 2001")}),
    ("En el mes de Marzo se le practicó", {("patient.time", "mes de Marzo")}),
    ("Revisión en mayo.", {("patient.time", "mayo")}),
    ("desde 1980 a 1983, y", {("patient.time", "1980 a 1983")}),
    ("operado en 2004 de apendicitis", {("patient.time", "2004")}),
    ("a principios del año 2004 se", {("patient.time", "principios del año 2004")}),
    ("el lunes, 3 de mayo de 2010", {("patient.time", "lunes, 3 de mayo de 2010")}),
    ("operada el 12-XII-2004", {("patient.time", "12-XII-2004")}),
    ("ingresada del 3 al 5/06/2010", {("patient.time", "3 al 5/06/2010")}),
    ("los días 12, 13 y 14 de mayo de 2012", {("patient.time", "12, 13 y 14 de mayo de 2012")}),
    ("el 12 de Septiempre de 2016", {("patient.time", "12 de Septiempre de 2016")}),
    ("Verano de 2010. Oct/05.", {("patient.time", "Verano de 2010"), ("patient.time", "Oct/05")}),
    ("1998: apendicectomía", {("patient.time", "1998")}),
    ("en 1998, 1999 y 2001 ingresó", {("patient.time", "1998, 1999 y 2001")}),
    ("a finales de mayo de ese mismo año acude", {("patient.time", "finales de mayo de ese mismo año")}),
    ("del 3/05/2010 al 5/06/2010", {("patient.time", "3/05/2010 al 5/06/2010")}),
    ("TC (Septiembre 2015)", {("patient.time", "Septiembre 2015")}),
    ("Ingresó el día 17.", {("patient.time", "17")}),
    ("los días 24 y 25 se repite", {("patient.time", "24 y 25")}),
    ("la noche del 24 refiere dolor", {("patient.time", "24")}),
    ("entre el 3 y el 12 de mayo", {("patient.time", "3 y el 12 de mayo")}),
    ("a primeros de abril de 2002", {("patient.time", "primeros de abril de 2002")}),
    ("primera quincena de junio de 2003", {("patient.time", "quincena de junio de 2003")}),
    ("de mayo 2001-junio 2002", {("patient.time", "mayo 2001-junio 2002")}),
    ("el 3 de octubre del presente año", {("patient.time", "3 de octubre del presente año")}),
    ("en octubre pasado", {("patient.time", "octubre pasado")}),
    ("Enero de dos mil tres", {("patient.time", "Enero de dos mil tres")}),
    ("el 12 de\nmayo de 2001", {("patient.time", "12 de\nmayo de 2001")}),
    ("el 1.º de mayo y el 3oct2003", {("patient.time", "1.º de mayo"), ("patient.time", "3oct2003")}),
    (
        "Sept. 98; mayo'01; ENE 12",
        {("patient.time", "Sept. 98"), ("patient.time", "mayo'01"), ("patient.time", "ENE 12")},
    ),
    ("12. 05. 2001 y 12 - 05 - 2001", {("patient.time", "12. 05. 2001"), ("patient.time", "12 - 05 - 2001")}),
    ("en 05/01 y 24-25/3/2003", {("patient.time", "05/01"), ("patient.time", "24-25/3/2003")}),
    (
        "en los años 80 y en la década de los noventa",
        {("patient.time", "años 80"), ("patient.time", "década de los noventa")},
    ),
    ("desde el 98 (2001, 2003 y 2005)", {("patient.time", "98"), ("patient.time", "2001, 2003 y 2005")}),
    ("en 2001/2002, 2001–2005", {("patient.time", "2001/2002, 2001–2005")}),
    (
        "Navidad de 2010, Semana Santa",
        {("patient.time", "Navidad de 2010"), ("patient.time", "Semana Santa")},
    ),
    ("acudió el lunes, en otoño del 99", {("patient.time", "lunes"), ("patient.time", "otoño del 99")}),
]

AGES = [
    ("Varón de 92 años", {("patient.demographic", "92")}),
    ("Edad: 70 años", {("patient.demographic", "70")}),
    ("Madre fallecida a los 94 años.", {("patient.demographic", "94")}),
    ("noventa y tres años de edad", {("patient.demographic", "noventa y tres años")}),
]

PLACES = [
    ("Domicilio: Calle Losada 23, 5 B..", {("patient.address", "Calle Losada 23, 5 B")}),
    ("Domicilio: M. Vint 264 .", {("patient.address", "M. Vint 264")}),
    ("vive en la calle Alcalá 123, 2º izda", {("patient.address", "calle Alcalá 123, 2º izda")}),
    ("C/ Mayor, 5, 3º B, 28013 Vrelant", {("patient.address", "C/ Mayor, 5, 3º B, 28013 Vrelant")}),
    ("Vint de Arriba, 84 15006 Vrelant", {("patient.address", "Vint de Arriba, 84 15006 Vrelant")}),
    ("Altos de Vint, s/n", {("patient.address", "Altos de Vint, s/n")}),
    ("Localidad/ Provincia: Vrelant.", {("patient.address", "Vrelant")}),
    ("CP: 28016.", {("patient.address", "28016")}),
    ("País: España.", {("patient.address", "España")}),
    ("remitido desde Toledo", {("patient.address", "Toledo")}),
    ("natural de Úbeda (Jaén)", {("patient.address", "Úbeda"), ("patient.address", "Jaén")}),
    ("48080 Vrelant. Vizcaya", {("patient.address", "48080 Vrelant"), ("patient.address", "Vizcaya")}),
    ("vive en Toro", {("patient.address", "Toro")}),
]

ORGANISATIONS = [
    ("Hospital Universitario de Vrelant", {("organisation.name", "Hospital Universitario de Vrelant")}),
    ("Hospital Universitario 12 de Octubre", {("organisation.name", "Hospital Universitario 12 de Octubre")}),
    ("Centro de Salud Las Águilas", {("organisation.name", "Centro de Salud Las Águilas")}),
    ("Universidad de Granada", {("organisation.name", "Universidad de Granada")}),
    ("Centro: Vrelant Norte", {("organisation.name", "Vrelant Norte")}),
]


@pytest.mark.parametrize(
    ("text", "spans"),
    NAMES + NUMBERS + CONTACTS + TIMES + AGES + PLACES + ORGANISATIONS,
    ids=lambda case: case[:24] if isinstance(case, str) else "",
)
def test_what_names_somebody_is_found(text: str, spans: set[tuple[str, str]]) -> None:
    assert found(text) == spans


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize(
    "text", [text for text, _ in NAMES + TIMES + PLACES + ORGANISATIONS], ids=lambda text: text[:24]
)
def test_letters_with_marks_of_their_own_are_found_as_the_others_are(text: str, form: str) -> None:
    """NFC stands beside NFD, so that a text without accents shows nothing either way."""
    parted = unicodedata.normalize(form, text)
    told = {(cls, unicodedata.normalize("NFC", value)) for cls, value in found(parted)}
    assert told == found(text)


@pytest.mark.parametrize("unseen", ["\u00ad", "\u200b", "\u2060", "\ufeff"])
def test_what_nobody_sees_hides_nothing(unseen: str) -> None:
    text = f"Dr. Lu{unseen}is\u00a0Moya{unseen}no, el 3\u00a0de ma{unseen}yo\u202fde 2001"
    assert {value.replace(unseen, "") for _, value in found(text)} == {
        "Luis\u00a0Moyano",
        "3\u00a0de mayo\u202fde 2001",
    }


STAYS = [
    "Enfermedad de Parkinson, enfermedad de Crohn, síndrome de Marfan, Gleason 7 (3+4).",
    "Síndrome de Martín, enfermedad de Alonso, técnica de García López, test de Rosario.",
    "Child-Pugh B. Escala de Glasgow 15. Signo de Blumberg negativo, Murphy positivo. Clasificación de Bosniak III.",
    "Síndrome de Wolff-Parkinson-White. Maniobra de Lasègue. Técnica de Anderson-Hynes. Hernia de Bochdalek.",
    "Sonda Foley 18 Ch. Catéter Hickman. Incisión de Pfannenstiel. Aguja de Veress. Tinción de Gram. Tumor de Wilms.",
    "Paracetamol 1 g cada 8 horas, Enalapril 20 mg, Augmentine 875/125, Nolotil, Adiro 100, Sintrom según pauta.",
    "Hb 13,7 g/dl; leucocitos 14.610/mm3; plaquetas 206.000/ mm3. TA 120/80. FC 85 lpm. PSA 4,5 ng/ml. pH 7.35.",
    "Leucocitos 17850 Neutrofilos 86% Hemoglobina 16 Plaquetas 275 000. Brucellacapt > 1/5120.",
    "Cándida albicans en cultivo. Rosa de Bengala positivo. Helicobacter pylori. Escherichia coli sensible.",
    "Dolores abdominales de 3 días de evolución. Concepción natural. Máxima intensidad. Segunda dosis.",
    "Mujer fumadora de 20 cigarrillos desde hace 20 años. Intervenida a los 30 años. Seguimiento de 4 años.",
    "Suero Fisiológico 1000 ml. En 2000 ml de suero. Factor V Leiden. Coombs directo positivo. Anticuerpos anti-Ro.",
    "Diagnóstico: Diabetes Mellitus tipo 2, Hipertensión Arterial. Juicio Clínico: Neumonía. Motivo de Consulta: Dolor Abdominal.",
    "Vía oral cada 8 horas. Carrera universitaria. Plaza de garaje. Ingresó en el hospital. Servicio de Urología.",
    "Paciente: Varón de raza blanca. Informe clínico del paciente: Mujer sana.",
    "Estuvo 3 meses sin dolor. Dos trocares de 12 mm y 5 mm. Grado II-III/IV. T4N1M0. 12 x 5 x 3 cm.",
    "Al día 3 comprimidos. El día 3 de tratamiento; el día 7 postoperatorio. Dos veces al día 2. Los lunes. Set de 3.",
    "En 98 pacientes; en el 98% de; el 98 por ciento; hasta 80 años; setenta años; uno de los dos; 12 de 24 sesiones.",
    "PCR 1234 PCR. IgG 1/1280. NYHA II. ASA III. HTA, DM2, EPOC.",
]  # fmt: skip


@pytest.mark.parametrize("text", STAYS, ids=lambda text: text[:24])
def test_what_names_nobody_stays(text: str) -> None:
    assert found(text) == set()


def test_without_its_guards_an_eponym_and_a_wrong_check_letter_are_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from oathward.deid.text.recognisers import names_es

    monkeypatch.setattr(names_es, "eponymous", lambda _words, _i: False)
    assert found("técnica de García López")
    assert identifiers_es._national("12345678Z") > 0
    assert identifiers_es._national("12345678A") == 0


@pytest.mark.parametrize(
    "name", ["given_es", "family_es", "ordinary_es", "eponyms_es", "stops_es", "places_es"]
)
def test_the_lists_hold_words_once(name: str) -> None:
    words = listed(name)
    assert len(words) > 200
    assert all(w == w.lower() and w.strip() for w in words)
    assert "" not in spanish.folded(name)
