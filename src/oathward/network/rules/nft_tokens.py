"""The pieces of a text of nftables: words, strings, marks, ends of lines, each with its line. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from oathward.core.errors import InputError
from oathward.core.reasons import Reason

_TOKEN = re.compile(
    r'(?P<space>[ \t\r]+|\\\n)|(?P<handle>\#[ ]handle[ ]\d+)|(?P<comment>\#[^\n]*)|(?P<string>"[^"\n]*")|(?P<line>[\n;])'
    r"|(?P<op>==|!=|<=|>=)|(?P<word>[\w.:/@*%+\-]+)|(?P<mark>[^\s])"
)


class Token(NamedTuple):
    """A piece of the text; ``kind`` of the pattern above."""

    kind: str
    text: str
    line: int


class Unknown(Exception):  # noqa: N818  no error: the rest of this rule is not understood
    """The rest of a rule is not understood."""


@dataclass(slots=True)
class Reader:
    """Tokens, and what was read of them so far."""

    tokens: list[Token]
    at: int = 0
    objects: list[dict[str, Any]] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)

    def peek(self, ahead: int = 0) -> Token:
        """Look at a token without taking it."""
        place = self.at + ahead
        return self.tokens[place] if place < len(self.tokens) else Token("end", "", 0)

    def take(self) -> Token:
        """Take the next token."""
        token = self.peek()
        self.at += 1
        return token

    def has(self, text: str) -> bool:
        """Take the next token where it is this word; says whether it was."""
        if self.peek().text == text and self.peek().kind != "string":
            self.at += 1
            return True
        return False

    def need(self, text: str) -> None:
        """Take the next token, which must be this word.

        Raises:
            InputError: ``message.truncated``.
        """
        if not self.has(text):
            raise InputError(f"line {self.peek().line}", f"`{text}` is missing", reason=Reason.TRUNCATED)

    def lines(self) -> None:
        """Pass over ends of lines."""
        while self.peek().kind == "line":
            self.at += 1

    def until_line(self) -> list[str]:
        """Take what is left of a line, braces and all."""
        words, depth = [], 0
        while self.peek().kind != "end":
            token = self.peek()
            if not depth and (token.kind in {"line", "handle"} or token.text == "}"):
                break
            depth += {"{": 1, "}": -1}.get(token.text, 0) if token.kind == "mark" else 0
            words.append(token.text)
            self.at += 1
        return words


def tokens_of(text: str) -> list[Token]:
    """Cut a text into tokens; comments and space are gone."""
    found, line = [], 1
    for match in _TOKEN.finditer(text):
        kind = str(match.lastgroup)
        if kind not in {"space", "comment"}:
            found.append(Token(kind, match.group(), line))
        line += match.group().count("\n")
    return found
