"""Our own word lists: ``listed``.

Rules:
- A file ``words/NAME.txt`` holds words between white space, in lower case; what is more than one word is joined by ``_``.
- A line that begins with ``#`` is a remark.
- We wrote them; no list of others is in them.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files


def said(text: str) -> frozenset[str]:
    """Give the words of a text, for the short lists that stand beside the rules that ask for them."""
    return frozenset(text.split())


@cache
def listed(name: str) -> frozenset[str]:
    """Give the words of ``words/NAME.txt``, in lower case; those of several words with spaces between them."""
    text = (files("oathward.deid.text") / "words" / f"{name}.txt").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return frozenset(word.replace("_", " ").lower() for word in " ".join(lines).split())
