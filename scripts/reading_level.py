"""Say how hard the patient portal's texts are to read: ``python scripts/reading_level.py``; exit code 1 where it is too hard.

Rules:
- English: Flesch-Kincaid grade at most 8, for every page and for all of them together.
- Spanish: Fernández Huerta and Szigriszt-Pazos (INFLESZ) at least 60, which both call what most thirteen-year-olds read.
- Sentences count: what ends with a mark that ends one. Titles, labels and buttons would make a page look easier than it
  is; they are looked at for words alone.
- A page with fewer than ``SENTENCES_MIN`` sentences is counted with what is around every page.
- A parameter counts as a word of two syllables. Every form of a sentence that counts is read.
- A word of the list ``JARGON`` fails in any text: it says something to us and nothing to a patient.

Deliberately absent: a dictionary. Syllables are counted by rule, with a list of exceptions; a test compares them with
words whose counts are known.

Source: Kincaid et al. 1975 (grade level); Fernández Huerta 1959, as corrected by Law 2011; Szigriszt-Pazos 1993 and
Barrio-Cantalejo et al. 2008 (INFLESZ).
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEXTS = ROOT / "src" / "oathward" / "web" / "portal" / "texts"
GRADE_MAX = 8.0
EASE_MIN = 60.0
SENTENCES_MIN = 3
AROUND = "frame"

JARGON: Mapping[str, tuple[str, ...]] = {
    "en": (
        *("phi", "tpo", "hl7", "fhir", "dicom", "api", "url", "tls", "mrn", "ehr", "hipaa", "gdpr", "uuid"),
        *(
            "endpoint",
            "subject",
            "recipient",
            "disclosure",
            "provision",
            "pseudonym",
            "identifier",
            "metadata",
        ),
        *("credential", "token", "authenticate", "authentication", "authorization", "authorize", "encrypted"),
        *(
            "database",
            "server",
            "protocol",
            "ledger",
            "quarantine",
            "proxy",
            "controller",
            "processor",
            "payload",
        ),
        *(
            "opt-out",
            "opt-in",
            "break-glass",
            "purpose of use",
            "data set",
            "legal basis",
            "revoke",
            "revocation",
        ),
    ),
    "es": (
        *("phi", "tpo", "hl7", "fhir", "dicom", "api", "url", "tls", "rgpd", "hipaa", "uuid", "endpoint"),
        *(
            "destinatario",
            "divulgación",
            "disposición",
            "seudónimo",
            "identificador",
            "metadatos",
            "credencial",
        ),
        *(
            "token",
            "autenticar",
            "autenticación",
            "autorización",
            "cifrado",
            "servidor",
            "protocolo",
            "revocar",
        ),
        *("revocación", "apoderado", "encargado del tratamiento", "base jurídica", "interesado", "proxy"),
    ),
}

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_PARAMETER = re.compile(r"\{[a-z_]+\}")
_END = re.compile(r"[.!?…]+(?=\s|$)")
_STAND_IN = "water"
"""What a parameter is read as: two syllables in either language's count (``agua`` has two as well)."""

_ENGLISH_COUNTS = {
    "area": 3,
    "areas": 3,
    "idea": 3,
    "ideas": 3,
    "being": 2,
    "doing": 2,
    "going": 2,
    "seeing": 2,
    "quiet": 2,
    "science": 2,
    "trial": 2,
    "create": 2,
    "created": 3,
    "real": 1,
    "really": 2,
    "people": 2,
    "someone": 2,
    "sometimes": 2,
    "something": 2,
    "somewhere": 2,
    "everyone": 3,
    "every": 2,
    "everything": 3,
    "business": 2,
    "evening": 2,
    "different": 3,
    "hospital": 3,
    "safety": 2,
    "safely": 2,
    "useful": 2,
    "homepage": 2,
    "diary": 3,
    "careful": 2,
    "hopeful": 2,
    "likely": 2,
    "lately": 2,
    "namely": 2,
    "rarely": 2,
    "surely": 2,
    "closely": 2,
    "therefore": 2,
    "medicine": 3,
    "society": 4,
    "variety": 4,
    "diet": 2,
    "client": 2,
    "patient": 2,
    "ago": 2,
    "guardian": 3,
    "easier": 3,
    "video": 3,
    "videos": 3,
}
"""Words whose letters say another count than the rules find."""


@dataclass(frozen=True)
class Count:
    """What was counted of a text."""

    sentences: int = 0
    words: int = 0
    syllables: int = 0

    def __add__(self, other: Count) -> Count:
        """Count two texts as one."""
        return Count(
            self.sentences + other.sentences, self.words + other.words, self.syllables + other.syllables
        )


@dataclass(frozen=True)
class Level:
    """How hard one page, or all of them, are in one language; ``why`` is empty where that is well."""

    language: str
    page: str
    figures: str
    why: str = ""


def syllables_en(word: str) -> int:
    """Count the syllables of an English word: groups of vowels, silent endings left out."""
    word = word.lower().replace("’", "'").replace("'", "")
    if "-" in word:
        return sum(syllables_en(part) for part in word.split("-") if part)
    if word in _ENGLISH_COUNTS:
        return _ENGLISH_COUNTS[word]
    stem = word
    if re.search(r"[^aeiouy]e$", stem) and not re.search(r"[^aeiouylr]le$", stem):
        stem = stem[:-1]  # made, here; not able
    elif re.search(r"[^aeioutd]ed$", stem) and not re.search(r"[^aeiouylr]led$", stem):
        stem = stem[:-2]  # signed, asked; not wanted
    elif re.search(r"[^aeiouysxzcg]es$", stem) and not re.search(r"(?:[cs]h|[^aeiouylr]l)es$", stem):
        stem = stem[:-2]  # times, makes; not pages, touches, tables
    groups = len(re.findall(r"[aeiouy]+", stem))
    groups += len(
        re.findall(
            r"(?:[^cstgxq]i[aou](?!u?gh)|eo(?=[^u])(?<!peo)|[^aeiougq]ua|uou|ier$|iest$|ying|iet)", stem
        )
    )
    return max(1, groups)


def syllables_es(word: str) -> int:
    """Count the syllables of a Spanish word: strong and accented vowels stand alone, weak ones lean on them."""
    word = re.sub(r"y(?=$|[^aeiouáéíóúü])", "i", word.lower())
    found = 0
    for run in re.findall(r"[aeiouáéíóúü]+", word):
        strong = len(re.findall(r"[aeoáéíóú]", run))
        found += max(1, strong)
    return max(1, found)


def count(text: str, syllables: Callable[[str], int]) -> Count:
    """Count the sentences of a text; what ends without a mark that ends one is none."""
    plain = _PARAMETER.sub(_STAND_IN, text)
    ends = [found.end() for found in _END.finditer(plain)]
    if not ends:
        return Count()
    words = _WORD.findall(plain[: ends[-1]])
    return Count(len(ends), len(words), sum(map(syllables, words)))


def grade_en(found: Count) -> float:
    """Give the Flesch-Kincaid grade."""
    return 0.39 * found.words / found.sentences + 11.8 * found.syllables / found.words - 15.59


def ease_es(found: Count) -> tuple[float, float]:
    """Give the ease by Fernández Huerta and by Szigriszt-Pazos."""
    a_word, a_sentence = found.syllables / found.words, found.words / found.sentences
    return 206.84 - 60 * a_word - 1.02 * a_sentence, 206.835 - 62.3 * a_word - a_sentence


def jargon(text: str, words: Iterable[str]) -> list[str]:
    """List the words of a text that say nothing to a patient; plurals are the same words."""
    return [
        one for one in words if re.search(rf"(?<!\w){re.escape(one)}(?:s|es)?(?!\w)", text, re.IGNORECASE)
    ]


def levels(language: str, table: Mapping[str, Mapping[str, object]]) -> Iterator[Level]:
    """Look at every page of a language, then at all of them."""
    syllables = syllables_es if language == "es" else syllables_en
    counts = {
        page: sum((count(text, syllables) for name in entries.values() for text in _forms(name)), Count())
        for page, entries in table.items()
    }
    for page, found in counts.items():
        whole = found if found.sentences >= SENTENCES_MIN else found + counts.get(AROUND, Count())
        if found.sentences:
            yield _level(language, page, whole)
    yield _level(language, "all", sum(counts.values(), Count()))
    for page, entries in table.items():
        for name, value in entries.items():
            for word in {one for text in _forms(value) for one in jargon(text, JARGON[language])}:
                yield Level(language, f"{page}.{name}", "", f"says `{word}`")


def main(folder: Path = TEXTS) -> int:
    """Print the level of every page; 1 where one is too hard."""
    found = [
        level
        for path in sorted(folder.glob("*.toml"))
        for level in levels(path.stem, tomllib.loads(path.read_text(encoding="utf-8")))
    ]
    for level in found:
        print(f"{level.language}  {level.page:<24} {level.figures}{f'  {level.why}' if level.why else ''}")
    wrong = sum(bool(level.why) for level in found)
    print(f"{wrong} too hard" if wrong else "all as easy as they have to be")
    return 1 if wrong else 0


def _level(language: str, page: str, found: Count) -> Level:
    if language == "es":
        huerta, inflesz = ease_es(found)
        hard = min(huerta, inflesz) < EASE_MIN
        why = f"too hard: both must be at least {EASE_MIN:.0f}" if hard else ""
        return Level(language, page, f"ease {huerta:5.1f} (INFLESZ {inflesz:5.1f})", why)
    grade = grade_en(found)
    return Level(
        language,
        page,
        f"grade {grade:4.1f}",
        "" if grade <= GRADE_MAX else f"too hard: at most {GRADE_MAX:.0f}",
    )


def _forms(value: object) -> list[str]:
    return [value] if isinstance(value, str) else [str(form) for form in dict(value).values()]  # type: ignore[call-overload]  # as TOML gave it


if __name__ == "__main__":
    sys.exit(main())
