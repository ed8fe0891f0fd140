"""In which language a text is written, where that is plain: ``language_of``.

Rules:
- Only languages that have recognisers of their own are told; a tag is read by its first part (``es-MX`` is ``es``).
- Where nobody said it, small words tell: many of one language and hardly any of another. Anything else is nothing said, and
  then the recognisers of all languages are asked: a text is never read by fewer because of a guess that may be wrong.

Deliberately absent: dialects, and languages without recognisers.

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


def base(said: str) -> str:
    """Give the language of a tag without its country or script: ``es`` of ``es-MX``."""
    return said.replace("_", "-").partition("-")[0].lower()
