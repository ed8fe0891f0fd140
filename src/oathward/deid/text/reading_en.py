"""What one word of an English text says where it stands: by itself, after a title or a label, before ``disease``.

Deliberately absent: where a name begins and ends (``capitals_en``).
"""

from __future__ import annotations

from dataclasses import dataclass

from oathward.deid.text.closed_en import EPONYM_NOUNS, LABELS, TITLES
from oathward.deid.text.tokens import Tokens
from oathward.deid.text.vocabulary_en import Kind, eponyms, houses, kind, ordinary_words, places

_ACRONYM = 5
_SHORT = 3


@dataclass(slots=True)
class Reader:
    """One text, asked word by word."""

    words: Tokens
    large: bool
    """The text is written large throughout."""
    small: bool
    """Nothing in the text is written large."""
    seen: frozenset[str]
    """What stands in the text in lower case."""

    def strength(self, i: int) -> Kind:
        """What word ``i`` says by itself."""
        word, lower = self.words.words[i], self.words.lowers[i]
        if self.small:
            return self._small(i)
        if (
            word[-1].isdigit()
            and len(letters := word.rstrip("0123456789")) > _SHORT
            and not letters.isupper()
        ):
            # A name with a number at its end names as the name does: what made-up patients and users are called.
            word, lower = letters, letters.lower()
        if not word[0].isalpha() or word[0].islower() or not word.replace("'", "").replace("’", "").isalpha():
            return Kind.ORDINARY
        found = kind(lower)
        if self.large:
            return found if found in (Kind.NAME, Kind.INITIAL, Kind.WEAK) else Kind.ORDINARY
        if found is Kind.UNKNOWN and (
            lower in self.seen or (word.isupper() and len(word) <= _ACRONYM and word.isascii())
        ):
            return Kind.ORDINARY
        if (
            found is Kind.NAME
            and word.isupper()
            and len(word) <= _SHORT
            and lower not in houses()
            and lower not in places()
        ):
            return Kind.WEAK
        if (
            found is Kind.WEAK
            and not word.isupper()
            and lower not in ordinary_words()
            and not self.words.opens(i)
        ):
            found = Kind.NAME
        return Kind.ORDINARY if found >= Kind.WEAK and self.eponym(i) else found

    def _small(self, i: int) -> Kind:
        """The same where nothing is written large: a listed name or one in foreign letters; the unknown only beside one."""
        word, lower = self.words.words[i], self.words.lowers[i]
        found = kind(lower) if word.replace("'", "").replace("’", "").isalpha() else Kind.ORDINARY
        if found is Kind.UNKNOWN:
            return Kind.NAME if not word.isascii() else Kind.WEAK
        return Kind.ORDINARY if found is Kind.WEAK or (found is Kind.NAME and self.eponym(i)) else found

    def eponym(self, i: int) -> bool:
        """Whether word ``i`` stands for a disease, a sign or a procedure."""
        words = self.words
        if words.lowers[i] not in eponyms() and f"{words.lowers[i]}s" not in eponyms():
            gap = words.gap(i)
            # What nobody listed is an eponym if it says so itself: ``Xyz's disease``, ``Xyz syndrome``.
            return self._noun(i + 1) and gap in ("'s ", "’s ", " ") and self.before(i) not in TITLES
        j = i + 1
        while j < len(words) and words.gap(j - 1) in ("-", " ", "'s ", "’s ", "–", "' ") and j <= i + 3:
            if self._noun(j):
                return True
            j += 1
        return False

    def _noun(self, i: int) -> bool:
        return i < len(self.words) and self.words.lowers[i] in EPONYM_NOUNS and self.words.words[i].islower()

    def before(self, i: int) -> str:
        """The word before, in lower case, if nothing but a point, a colon or a space stands between."""
        if i == 0 or self.words.gap(i - 1).strip(" \t.:,#(\"'") or "\n" in self.words.gap(i - 1).strip(" "):
            return ""
        return self.words.lowers[i - 1]

    def titled(self, i: int) -> bool:
        """Whether a title stands before word ``i``."""
        before = self.before(i)
        if before not in TITLES or "," in self.words.gap(i - 1):
            return False
        title = self.words.words[i - 1]
        # MS is a disease, Ms a title.
        return not (
            title.isupper() and len(title) > 1 and not self.large and title not in ("DR", "MR", "MRS")
        )

    def said_to_be(self, i: int) -> bool:
        """Whether ``name is`` or ``named`` stands before word ``i``."""
        before = self.before(i)
        return before in ("named", "surname") or (
            before == "is" and i > 1 and self.words.lowers[i - 2] in ("name", "surname")
        )

    def labelled(self, i: int) -> bool:
        """Whether a label with a colon, or ``named``, stands before word ``i``."""
        before = self.before(i)
        if before == "called" or self.said_to_be(i):
            return True
        gap = self.words.gap(i - 1) if i else ""
        return before in LABELS and ":" in gap
