"""Somebody's browser without script: it keeps cookies, follows redirects, reads links, fills in forms and presses buttons.

Rules:
- It is told nothing of the pages: what it can do is what a page offers, found by what a person would read there.
- Each request is a connection of its own, with a time limit; what is not of the site it began at is not loaded.
- What it shows of a page is its text as words, one space between them.

Deliberately absent: script, style, pictures, and anything shared with the product's own pages.

Source: HTML Living Standard, sections on forms; RFC 6265.
"""

from __future__ import annotations

import asyncio
import http.client
import time
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urljoin, urlsplit

_HOPS_MAX = 6
_TIMEOUT_S = 30.0
_SILENT = frozenset({"script", "style", "head", "template"})
_BLOCKS = frozenset(
    {"p", "li", "dd", "dt", "h1", "h2", "h3", "td", "th", "tr", "div", "section", "main", "button"}
)


@dataclass(slots=True)
class Button:
    """Something to press. ``name`` and ``value`` go with the form where it has them."""

    text: str = ""
    name: str = ""
    value: str = ""


@dataclass(slots=True)
class Form:
    """One form of a page, with what stands in it already. ``choices``: name -> values of radio buttons and lists."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    choices: dict[str, list[str]] = field(default_factory=dict)
    buttons: list[Button] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a browser shows. ``at_s``: when the last byte of it was there; ``asked_s``: when it was asked for."""

    status: int
    address: str
    text: str
    forms: tuple[Form, ...]
    links: tuple[tuple[str, str], ...]
    asked_s: float
    at_s: float
    body: bytes = field(default=b"", repr=False)

    def form(self, action: str = "", *, having: str = "") -> Form | None:
        """Find the form that goes to an address which begins so, or has such a field."""
        for one in self.forms:
            named = (
                having in one.fields or having in one.choices or any(b.name == having for b in one.buttons)
            )
            if urlsplit(one.action).path.startswith(action) and (not having or named):
                return one
        return None

    def link(self, *words: str) -> str:
        """Find where a link leads whose text or address has one of these words; empty for none."""
        found = (to for text, to in self.links if any(w.lower() in f"{text} {to}".lower() for w in words))
        return next(found, "")


@dataclass(slots=True)
class Browser:
    """One browser.

    Args:
        base: where it begins: scheme, host and port.
        language: what it says that its owner likes.
        address: the address it comes from; another one is somebody else to the site.
    """

    base: str
    language: str = "en"
    source: str = ""
    shown: Shown | None = None
    requests: int = 0
    _cookies: dict[str, str] = field(default_factory=dict)

    async def open(self, address: str) -> Shown:
        """Go to an address of the site."""
        return await asyncio.to_thread(self._go, "GET", address, b"")

    async def press(self, form: Form, button: Button | None = None, **values: str) -> Shown:
        """Fill in a form and send it."""
        filled = form.fields | values
        if button is not None and button.name:
            filled[button.name] = button.value
        written = urlencode(filled)
        if form.method == "GET":
            return await self.open(f"{form.action.partition('?')[0]}?{written}")
        return await asyncio.to_thread(self._go, "POST", form.action, written.encode())

    def close(self) -> None:
        """Close it: what it kept is gone."""
        self._cookies.clear()

    def _go(self, method: str, address: str, body: bytes) -> Shown:
        asked_s, here = time.time(), urljoin(self.shown.address if self.shown else self.base, address)
        for _ in range(_HOPS_MAX):
            status, headers, content = self._ask(method, here, body)
            to = headers.get("location", "")
            if status not in {301, 302, 303, 307, 308} or not to:
                break
            here = urljoin(here, to)
            if not here.startswith(self.base):
                break
            method, body = ("GET", b"") if status not in {307, 308} else (method, body)
        kind = headers.get("content-type", "")
        page = _Page() if kind.startswith("text/html") else None
        if page is not None:
            page.feed(content.decode("utf-8", "replace"))
        text, forms, links = page.found() if page is not None else ("", (), ())
        self.shown = Shown(status, here, text, forms, links, asked_s, time.time(), content)
        return self.shown

    def _ask(self, method: str, address: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        self.requests += 1
        parts = urlsplit(address)
        if parts.scheme != "http" or parts.hostname is None:
            raise ValueError("this browser opens plain HTTP of its own machine")
        source = (self.source, 0) if self.source else None
        connection = http.client.HTTPConnection(
            parts.hostname, parts.port or 80, timeout=_TIMEOUT_S, source_address=source
        )
        headers = {"Accept-Language": self.language, "Connection": "close"}
        if self._cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        if method == "POST":
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": self.base}
        try:
            target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
            connection.request(method, target, body or None, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        for line in answer.headers.get_all("set-cookie") or ():
            self._keep(line)
        return answer.status, {k.lower(): v for k, v in answer.headers.items()}, content

    def _keep(self, line: str) -> None:
        for name, morsel in SimpleCookie(line).items():
            if morsel.value and morsel["max-age"] != "0":
                self._cookies[name] = morsel.value
            else:
                self._cookies.pop(name, None)


class _Page(HTMLParser):
    """Reads one page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._words: list[str] = []
        self._silent = 0
        self._forms: list[Form] = []
        self._open: Form | None = None
        self._button: Button | None = None
        self._area: str = ""
        self._list: str = ""
        self._links: list[tuple[str, str]] = []
        self._link: tuple[list[str], str] | None = None

    def found(self) -> tuple[str, tuple[Form, ...], tuple[tuple[str, str], ...]]:
        """Give the text, the forms and the links."""
        return " ".join("".join(self._words).split()), tuple(self._forms), tuple(self._links)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._silent += tag in _SILENT
        if tag in _BLOCKS:
            self._words.append(" ")
        if tag == "form":
            self._open = Form(given.get("action", ""), given.get("method", "get").upper())
            self._forms.append(self._open)
        elif tag == "a" and "href" in given:
            self._link = [], given["href"]
        elif self._open is not None:
            self._control(self._open, tag, given)

    def _control(self, form: Form, tag: str, given: dict[str, str]) -> None:
        name, value, kind = given.get("name", ""), given.get("value", ""), given.get("type", "text")
        if tag == "button" or (tag == "input" and kind == "submit"):
            button = Button(given.get("value", "") if tag == "input" else "", name, value)
            form.buttons.append(button)
            self._button = button if tag == "button" else None
        elif tag == "select":
            self._list = name
        elif tag == "option" and self._list:
            form.choices.setdefault(self._list, []).append(value)
            if self._list not in form.fields or "selected" in given:
                form.fields[self._list] = value
        elif tag == "textarea":
            self._area = name
            form.fields[name] = ""
        elif tag == "input" and name and kind in {"radio", "checkbox"}:
            form.choices.setdefault(name, []).append(value or "on")
            if "checked" in given:
                form.fields[name] = value or "on"
        elif tag == "input" and name:
            form.fields[name] = value

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in _SILENT and self._silent > 0
        if tag in _BLOCKS:
            self._words.append(" ")
        if tag == "form":
            self._open = None
        elif tag == "button":
            self._button = None
        elif tag == "select":
            self._list = ""
        elif tag == "textarea":
            self._area = ""
        elif tag == "a" and self._link is not None:
            words, to = self._link
            self._links.append((" ".join("".join(words).split()), to))
            self._link = None

    def handle_data(self, data: str) -> None:
        if self._silent:
            return
        if self._area and self._open is not None:
            self._open.fields[self._area] += data
            return
        self._words.append(data)
        if self._button is not None:
            self._button.text += data.strip()
        if self._link is not None:
            self._link[0].append(data)
