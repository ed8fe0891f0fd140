"""The copy's pages on a loopback address: without script, read-only, the copy's age on every one of them.

Rules:
- It listens on 127.0.0.1 and nowhere else; an address without the word that was told on the terminal, or under another
  host name, is no page. That word is new with each start.
- Each page is a reading: it stands in the log before the page is sent, or it is not sent.
- Nothing is kept by the browser (``no-store``), nothing is loaded from elsewhere, no address holds a value.

Deliberately absent: forms, sessions, and anything that writes but the log.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Sequence
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import resources
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from oathward.bedside import picture, trend
from oathward.core.errors import OathwardError
from oathward.core.reasons import Reason
from oathward.emergency import words
from oathward.emergency.reading import Readings

if TYPE_CHECKING:
    from oathward.bedside.picture import Row
    from oathward.bedside.trend import Drawn

HOST = "127.0.0.1"
_REQUEST_S_MAX = 10.0
_PATH_MAX = 300
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Pages:
    """Answers one address after the other.

    Args:
        now_us: tells the time.
    """

    def __init__(self, readings: Readings, now_us: Callable[[], int]) -> None:
        self._readings, self._now_us = readings, now_us
        self.token = secrets.token_urlsafe(18)
        self._templates = Environment(
            loader=PackageLoader("oathward.emergency"), autoescape=True, undefined=StrictUndefined
        )

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Give status, media type and body for an address."""
        token, _, rest = path[:_PATH_MAX].lstrip("/").partition("/")
        if not hmac.compare_digest(token.encode(), self.token.encode()):
            return 404, "text/plain", b"no such page\n"
        if rest == "style.css":
            style = resources.files("oathward.emergency").joinpath("templates", "style.css")
            return 200, "text/css", style.read_bytes()
        now_us = self._now_us()
        try:
            if not rest:
                return 200, "text/html", self._page("list.html", now_us, wards=self._readings.wards(now_us))
            kind, _, subject = rest.partition("/")
            if kind == "patient":
                shown = self._readings.patient(subject, now_us)
                lines = [(row, one) for row, one in zip(shown.rows, trends(shown.rows), strict=True)]
                return 200, "text/html", self._page("patient.html", now_us, lines=lines, shown=shown)
        except OathwardError as error:
            if error.reason is not Reason.NOT_FOUND:
                told = {
                    "title": "Nothing is shown",
                    "why": f"{error.where}: {error.why} ({error.reason.code})",
                }
                return 503, "text/html", self._page("refused.html", now_us, **told)
        told = {"title": "No such page", "why": "The copy has nobody under this address."}
        return 404, "text/html", self._page("refused.html", now_us, **told)

    def _page(self, name: str, now_us: int, **values: Any) -> bytes:
        return (
            self._templates.get_template(name)
            .render(
                age=lambda at_us: words.age(at_us, now_us),
                at=words.at,
                made=words.age(self._readings.copy.manifest.made_us, now_us),
                banner=words.banner(self._readings.copy.manifest, now_us),
                token=self.token,
                unit=picture.unit_words,
                words=lambda section: words.state(section, now_us),
                **values,
            )
            .encode()
        )


def trends(rows: Sequence[Row]) -> list[Drawn | None]:
    """Draw what each row's values did, all over one span: from the first value in the copy to the last."""
    every = [row.points for row in rows]
    until_us = max((at for points in every for at, _ in points), default=0)
    since_us = trend.since_us(every, 0, until_us)
    return [trend.drawn(row.points, since_us, until_us, picture.longest_us(row.every_us)) for row in rows]


def server(pages: Pages, port: int = 0) -> HTTPServer:
    """Make a server of the pages; the caller runs and closes it. ``port`` 0 takes a free one."""
    return HTTPServer((HOST, port), partial(_Handler, pages))


class _Handler(BaseHTTPRequestHandler):
    """One connection; one request at a time."""

    timeout = _REQUEST_S_MAX
    server_version, sys_version = "oathward", ""

    def __init__(self, pages: Pages, *arguments: Any) -> None:
        self._pages = pages
        super().__init__(*arguments)

    def do_GET(self) -> None:
        """Answer a request."""
        port = self.connection.getsockname()[1]
        if self.headers.get("Host") not in {f"{HOST}:{port}", f"localhost:{port}"}:
            self._send(421, "text/plain", b"not this host\n")
            return
        self._send(*self._pages.answer(self.path))

    def log_message(self, *_: Any) -> None:
        """Write no address anywhere: each holds the word that opens the pages."""

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
