"""Names of persons in Spanish texts: after titles and the labels of fields, in and between our lists of names, and again where they recur.

Rules:
- A *label* (``Nombre:``, ``Médico:``, ``Remitido por:``) or a *title* (``Dr.``, ``Dña.``) is followed by a name, known to our lists or not.
- A word of kinship (``su madre María``) or of a profession is followed by one only where our lists know it.
- Without either: a given name and what is written large after it, or two family names. A name that is also an ordinary word, or
  that stands after a finding or a thing and ``de``, names nobody by itself.
- A word of a name found by a label or a title is a name wherever it is written large.

Source: 45 CFR 164.514(b)(2)(i)(A); order and particles of names as Spanish law writes them (Ley 20/2011, art. 49-50: two family names).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from oathward.deid.text.dictionary import said
from oathward.deid.text.recogniser import Recogniser, Word
from oathward.deid.text.spanish import PARTICLES, eponymous, fold, folded, joined, large
from oathward.deid.text.tokens import Tokens

_PATIENT, _STAFF, _RELATIVE = "patient", "staff", "relative"
_WORDS_MAX = 8
_LETTERS_MIN = 3

_LABELS: Mapping[str, str] = dict.fromkeys(("nombre", "nombres", "apellido", "apellidos", "paciente", "px"), _PATIENT) | dict.fromkeys(
    (
        "medico", "medica", "facultativo", "facultativa", "remitido", "remite", "responsable", "firmado", "fdo", "firma", "enfermero",
        "enfermera", "cirujano", "cirujana", "anestesista", "ayudante", "doctor", "doctora", "solicitante", "peticionario", "autor",
        "informado", "informante", "validado", "realizado", "tecnico", "patologo", "radiologo", "matrona", "residente", "psicologo",
        "psicologa", "derivado", "atendido", "supervisor", "supervisora", "elaborado", "redactado", "revisado",
    ),
    _STAFF,
) | dict.fromkeys(
    ("tutor", "tutora", "contacto", "acompanante", "cuidador", "cuidadora", "familiar", "representante", "padre", "madre", "conyuge"),
    _RELATIVE,
)  # fmt: skip
"""First word of a field's label -> whose name the field holds."""
_LABEL_GOES_ON = said(
    "por del de la el y e clinico clinica paciente apellidos apellido nombre nombres completo responsable cabecera familia adjunto "
    "adjunta asistencial solicitante remitente primer segundo legal electronicamente principal interno social persona a"
)
_LABEL_WORDS_MAX = 5
_LOOSE = frozenset({"nombre", "nombres", "apellido", "apellidos"})
"""Labels after which a name may be written small."""

_OFTEN_NO_NAME = frozenset({"paciente", "px", "contacto"})
_TITLES: Mapping[str, str] = dict.fromkeys(
    ("dr", "dra", "drs", "doctor", "doctora", "prof", "profesor", "profesora", "lic", "licenciado", "licenciada"), _STAFF
) | dict.fromkeys(("don", "dona", "dna", "sr", "sra", "srta", "senor", "senora"), _PATIENT)  # fmt: skip
_PROFESSIONS = said(
    "enfermera enfermero due cirujano cirujana residente mir auxiliar matrona fisioterapeuta celador celadora medico medica facultativo "
    "psicologo psicologa anestesista urologo urologa pediatra"
)
_KIN = said(
    "padre madre hijo hija hermano hermana esposo esposa marido mujer pareja novio novia abuelo abuela tio tia sobrino sobrina primo "
    "prima tutor tutora cuidador cuidadora nieto nieta suegro suegra cunado cunada yerno nuera conyuge companero companera"
)
_KIN_GOES_ON = frozenset({"llamado", "llamada", "don", "dona", "sr", "sra", "mayor", "menor"})


def _runs_on(words: Tokens, i: int, *, loose: bool = False) -> bool:
    """Whether a name may go on from word ``i`` to the next."""
    if joined(words, i):
        return True
    gap, word = words.gap(i), words.words[i]
    if (
        gap.strip(" ") == "." and "\n" not in gap
    ):  # initials and short forms: ``J. L. Pérez``, ``Fco. Javier``, ``Mª. José``
        return len(word) == 1 or fold(word) in (
            "fco",
            "fdez",
            "fdz",
            "hdez",
            "glez",
            "gzlez",
            "rguez",
            "rdguez",
            "mtnez",
            "ma",
            "jse",
            "sta",
            "sto",
        )
    return loose and gap in (", ", ",")


def _end(words: Tokens, i: int, *, loose: bool = False) -> int:
    """Give the word after the name that begins at ``i``; ``i`` where none does."""
    last = i
    for j in range(i, min(i + _WORDS_MAX, len(words))):
        word, low = words.words[j], fold(words.words[j])
        if low in PARTICLES:
            pass  # belongs to the name only where more of it follows
        elif (low in folded("stops_es") and not (loose and j == i)) or (
            len(word) == 1 and words.gap(j)[:1] in ("/", ":")
        ):
            break
        elif large(word) or (loose and word.isalpha()):
            last = j + 1
        else:
            break
        if not _runs_on(words, j, loose=loose):
            break
    return last


def _known(word: str) -> bool:
    low = fold(word)
    return large(word) and (low in folded("given_es") or low in folded("family_es"))


def _unmistakable(word: str) -> bool:
    return _known(word) and fold(word) not in folded("ordinary_es") and len(word) >= _LETTERS_MIN


def _word(words: Tokens, start: int, end: int, category: str, sure: float) -> Word:
    return Word(words.starts[start], words.ends[end - 1], category, sure)


def _label(words: Tokens, i: int) -> int:
    """Give the word at which the value of a field begins whose label begins at ``i``; 0: it is no label of a name."""
    for j in range(i, min(i + _LABEL_WORDS_MAX, len(words) - 1)):
        gap = words.gap(j)
        if ":" in gap and gap.strip(" \t().:ºª/") == "":
            return j + 1
        if gap.strip(" .()/") or fold(words.words[j + 1]) not in _LABEL_GOES_ON:
            return 0
    return 0


_Found = tuple[int, int, str, float]
"""First word, word after the last, category, how sure."""


def _cued(words: Tokens) -> Iterator[_Found]:
    """Names after a label, a title, a word of kinship or of a profession."""
    for i, low in enumerate(words.lowers[:-1]):
        cue = fold(low)
        found = _labelled(words, i, cue) or _titled(words, i, cue) or _introduced(words, i, cue)
        if found:
            yield found


def _labelled(words: Tokens, i: int, cue: str) -> _Found | None:
    category = _LABELS.get(cue)
    begin = _label(words, i) if category else 0
    if not category or not begin:
        return None
    loose = cue in _LOOSE
    end = _end(words, begin, loose=loose)
    # ``Paciente: Varón de ...`` names nobody.
    sure = loose or cue not in _OFTEN_NO_NAME or _known(words.words[begin])
    return (begin, end, category, 0.95) if end > begin and sure else None


def _titled(words: Tokens, i: int, cue: str) -> _Found | None:
    gap, after = words.gap(i), words.words[i + 1]
    if (category := _TITLES.get(cue)) and gap.strip(" ") in ("", ".", ":", "ª", ".ª") and large(after):
        end = _end(words, i + 1)
        return (i + 1, end, category, 0.95) if end > i + 1 else None
    if words.words[i] == "D" and gap in (". ", ".", ".ª ", "ª ") and _known(after):
        return i + 1, _end(words, i + 1), _PATIENT, 0.9
    if cue in ("paciente", "px") and gap == " " and _given(after):
        return i + 1, _end(words, i + 1), _PATIENT, 0.9
    return None


def _introduced(words: Tokens, i: int, cue: str) -> _Found | None:
    kin = cue in _KIN
    begin = _after_kin(words, i) if kin or cue in _PROFESSIONS else 0
    if not begin or not _known(words.words[begin]):
        return None
    end = _end(words, begin)
    sure = end > begin + 1 or _unmistakable(words.words[begin]) or (kin and _given(words.words[begin]))
    return (begin, end, _RELATIVE if kin else _STAFF, 0.9) if sure and end > begin else None


def _given(word: str) -> bool:
    """Whether a word is a given name of our list, its first letter alone large."""
    return fold(word) in folded("given_es") and word.istitle()


def _after_kin(words: Tokens, i: int) -> int:
    j = i + 1
    while j < len(words) and words.gap(j - 1).strip(" ,(:") == "" and fold(words.words[j]) in _KIN_GOES_ON:
        j += 1
    return j if j < len(words) and words.gap(j - 1).strip(" ,(:") == "" else 0


def _bare(words: Tokens) -> Iterator[tuple[int, int, str, float]]:
    """Names that only our lists tell."""
    i = 0
    while i < len(words):
        if not words.words[i][0].isupper() or not _known(words.words[i]) or eponymous(words, i):
            i += 1
            continue
        end = _end(words, i)
        sure = _sureness(words, i, end) if end > i else 0
        if sure:
            yield i, end, _PATIENT, sure
        i = max(end, i + 1)


def _sureness(words: Tokens, i: int, end: int) -> float:
    """Say how sure words ``i`` to ``end`` are a name; 0: they are none."""
    parts = [w for w in words.words[i:end] if fold(w) not in PARTICLES]
    shouted = all(w.isupper() for w in parts)
    given = fold(parts[0]) in folded("given_es")
    certain = [w for w in parts if _unmistakable(w)]
    if len(parts) == 1:
        return 0.6 if given and certain and not shouted else 0
    hyphened = "-" in words.text[words.starts[i] : words.ends[end - 1]]
    if not certain or (hyphened and not given):  # ``Wolff-Parkinson``, ``Blanco Alto``
        return 0
    known = [w for w in parts if _known(w)]
    if given and (len(known) > 1 or not (shouted or words.opens(i))):
        return 0.85
    return 0.7 if len(known) > 1 and not (shouted and words.opens(i)) else 0


def _find(words: Tokens) -> Iterator[Word]:
    cued = list(_cued(words))
    whose: dict[str, str] = {}
    for begin, end, category, sure in cued:
        yield _word(words, begin, end, category, sure)
        for word in words.words[begin:end]:
            low = fold(word)
            if len(low) >= _LETTERS_MIN and low not in PARTICLES and low not in folded("stops_es"):
                whose.setdefault(low, category)
    if whose:
        for i, word in enumerate(words.words):
            if (
                word[0].isupper()
                and (category := whose.get(low := fold(word), ""))
                and not eponymous(words, i)
            ):
                if low in folded("ordinary_es") and (words.opens(i) or not word.istitle()):
                    continue
                if not words.gap(i).startswith(":"):  # the label of a field (``País:``)
                    yield _word(words, i, i + 1, category, 0.8)
    for begin, end, category, sure in _bare(words):
        yield _word(words, begin, end, category, sure)


RECOGNISER = Recogniser(
    categories={_PATIENT: "patient.name", _STAFF: "staff.name", _RELATIVE: "relative.name"},
    words=_find,
    languages=frozenset({"es"}),
)
