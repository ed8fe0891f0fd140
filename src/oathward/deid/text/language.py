"""In which language a text is written, where that is plain: ``language_of``.

Rules:
- Only languages that have recognisers of their own are told; a tag is read by its first part (``es-MX`` is ``es``).
- Where nobody said it, small words tell: many of one language and hardly any of another. Anything else is nothing said, and
  then the recognisers of all languages are asked: a text is never read by fewer because of a guess that may be wrong.
- Of languages without recognisers only that a text is in one of them is told (``foreign``), by small words that the others do not have, and by
  its script: of such texts nobody measured what is found.

Deliberately absent: dialects; texts of few words.

Source: BCP 47 (RFC 5646) for tags.
"""

from __future__ import annotations

from collections.abc import Mapping

from oathward.deid.text.tokens import Tokens

_SMALL_WORDS: Mapping[str, frozenset[str]] = {
    "en": frozenset(
        {"the", "of", "and", "with", "was", "for", "to", "is", "his", "her", "on", "at", "by", "an", "from", "were", "been", "not",
         "this", "that", "or", "which", "are", "who", "she", "after", "in", "has", "have", "had", "be", "will", "without"}
    ),
    "es": frozenset(
        {"el", "los", "las", "del", "que", "con", "por", "para", "una", "un", "se", "su", "sus", "al", "como", "más", "sin", "fue",
         "es", "y", "en", "lo", "le", "desde", "hasta", "tras", "donde", "este", "esta", "paciente", "ha", "durante", "años"}
    ),
}  # fmt: skip
_SURE_AT = 8
"""So many small words of one language, and of another at most a sixteenth as many."""
_TIMES = 16


_FOREIGN: Mapping[str, frozenset[str]] = {
    "de": frozenset(("der", "das", "und", "ist", "nicht", "mit", "ein", "eine", "einen", "einer", "wurde", "wird", "wurden", "auf", "bei", "nach", "von",
        "zur", "zum", "im", "für", "über", "keine", "sich", "auch", "werden", "dem", "seit", "bis", "sie", "ich", "wir", "ihr", "es", "frau", "herr")),
    "fr": frozenset(("les", "des", "du", "une", "est", "et", "dans", "pour", "avec", "sur", "pas", "qui", "au", "aux", "cette", "ne", "elle", "été",
        "sans", "chez", "était", "je", "nous", "son", "sa", "depuis", "après")),
    "it": frozenset(("il", "gli", "di", "che", "è", "nel", "nella", "per", "sono", "non", "alla", "dei", "delle", "della", "anche", "stato", "stata",
        "dal", "dalla", "senza", "dopo")),
    "pt": frozenset(("o", "os", "as", "da", "do", "dos", "das", "em", "com", "não", "uma", "um", "foi", "ao", "à", "pela", "pelo", "são", "sem",
        "após", "e")),
    "nl": frozenset(("het", "een", "van", "niet", "met", "op", "voor", "aan", "bij", "door", "wordt", "werd", "naar", "ook", "zijn", "heeft",
        "geen", "mevrouw")),
    "sv": frozenset(("och", "att", "det", "som", "inte", "med", "har", "till", "av", "för", "är", "på", "ett", "efter", "vid", "utan", "ingen")),
    "da": frozenset(("og", "ikke", "af", "til", "er", "på", "det", "et", "blev", "uden", "som", "har", "med", "hun", "ble", "etter", "efter", "ved")),
    "pl": frozenset(("nie", "na", "się", "jest", "do", "w", "z", "oraz", "przez", "po", "bez", "od", "i", "dla", "została", "został")),
}  # fmt: skip
_FOREIGN_AT = 5
_SCRIPT_LETTERS_MIN = 12
_LATIN_TO = "\u0250"
_OTHER_SCRIPT = "und"
"""BCP 47 for a language that is not told."""


def foreign(words: Tokens) -> str:
    """Give the language of a text in one that has no recognisers here; empty where nothing says so."""
    best, most = _most(words, _FOREIGN)
    if most >= _FOREIGN_AT and most > _most(words, _SMALL_WORDS)[1]:
        return best
    if words.text.isascii():
        return ""
    letters = [letter for letter in words.text if letter.isalpha()]
    others = sum(letter >= _LATIN_TO for letter in letters)
    return _OTHER_SCRIPT if others >= _SCRIPT_LETTERS_MIN and 2 * others > len(letters) else ""


def language_of(words: Tokens, said: str = "") -> str:
    """Give the language of a text; empty where it is not plain.

    Args:
        words: of the text.
        said: a tag that came with it (``es``, ``en-US``); empty where none did.
    """
    tag = base(said)
    if tag:
        return tag if tag in _SMALL_WORDS else ""
    counts = {name: sum(map(small.__contains__, words.lowers)) for name, small in _SMALL_WORDS.items()}
    best = max(counts, key=counts.__getitem__)
    others = sum(counts.values()) - counts[best]
    return best if counts[best] >= _SURE_AT and others * _TIMES <= counts[best] else ""


def _most(words: Tokens, of: Mapping[str, frozenset[str]]) -> tuple[str, int]:
    """Give the language that most of a text's small words are of, and how many are."""
    counts = {name: sum(map(small.__contains__, words.lowers)) for name, small in of.items()}
    best = max(counts, key=counts.__getitem__)
    return best, counts[best]


def base(said: str) -> str:
    """Give the language of a tag without its country or script: ``es`` of ``es-MX``."""
    return said.replace("_", "-").partition("-")[0].lower()
