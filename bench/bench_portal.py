"""The patient portal's speed: ``python -m bench.bench_portal`` (or ``make bench ARGS=portal``).

Goal: p95 of each page at most 200 ms as a browser sees it, for a patient with 10,000 messages on a site of 1,000 patients.

How:
- Each message came through the gateway's own path: decided, sealed, with its record. One patient has 10,000 of them, over a
  day, of one monitor; the others have two each.
- The portal serves on a socket of this process, the keeper in this process too; one browser asks, signed in as the patient, and
  each page in turns, so that none is measured warm alone. What is timed is the request, body included.
- Every page of ``web/portal/pages`` that needs no other address, one choice, one request. My devices opens its 200 messages anew
  each time. A copy is no page: its whole time stands beside them, as a Bundle and as a page, and has no goal.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
import urllib.parse
from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from tests.care import peopled, person
from tests.site import Site, bundle, local
from tests.wire import oru

from bench import numbers
from bench.browser import Line, say_pages
from oathward.app import build
from oathward.app.__main__ import SWITCH_S
from oathward.core.ids import uuid7
from oathward.core.labels import Role
from oathward.core.phi import Phi
from oathward.core.settings_portal import Portal
from oathward.gateway.arrival import Arrival
from oathward.gateway.commit import commit_group
from oathward.gateway.path import handle
from oathward.gateway.wires import HL7V2
from oathward.inventory.model import Peer
from oathward.web.portal.frame import create
from oathward.web.portal.page import pages
from oathward.web.serving.server import Server

if TYPE_CHECKING:
    from types import SimpleNamespace

GOAL_MS = 200.0
GROUP = 100
HERE = Peer("127.0.0.1", None, ())
MORE = """
[portal]
port = 0
url = "http://127.0.0.1:9"
openings_per_hour_max = 100000
[mail]
sender = "file"
sent_from = "portal@example.org"
"""


def main() -> int:
    """Measure all of it; 1 when a goal is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--patients", type=int, default=1_000)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    sys.setswitchinterval(SWITCH_S)
    assert pages(), "read first: they declare the tables that they look into"
    about = numbers.about()
    numbers.say_about(about)
    with tempfile.TemporaryDirectory(prefix="oathward-bench-") as folder:
        site = Site.make(Path(folder) / "s", more=MORE, console=True)
        site.activate(bundle({"ehr": "mllp://127.0.0.1:9"}))
        site.add(local("mon-1", "MON1", name="Monitor"))
        with peopled(site, [(person("p-privacy"), [Role.PRIVACY_OFFICER])]) as world:
            began = time.monotonic()
            subject = fill(world, options.patients, options.messages)
            print(
                f"made in {time.monotonic() - began:.0f} s: {options.patients:,} patients, one with {options.messages:,} messages"
            )
            found, copies = measure(world, subject, options.rounds)
    numbers.keep("portal", {"about": about, "pages": found, "copies": copies, **vars(options)})
    return report(found, copies)


def fill(world: SimpleNamespace, patients: int, messages: int) -> str:
    """Let messages come; gives the subject of the patient who has most."""
    gate = world.gate
    every = timedelta(days=1) / max(1, messages)

    def arrivals():
        for number in range(messages):
            yield "m-0", number, messages - number
        for number in range(2 * (patients - 1)):
            yield f"m-{1 + number // 2}", number, 1

    group, subject = [], ""
    for mrn, number, ago in arrivals():
        at = f"{gate.clock.now() - every * ago:%Y%m%d%H%M%S}+0000"
        raw = oru(f"{mrn}-{number}", mrn=mrn, value=str(60 + number % 60)).replace(
            b"20260504081500+0000", at.encode()
        )
        group.append(handle(gate, Arrival(uuid7(), raw, HERE, gate.now_us(), HL7V2)))
        subject = subject or group[0].message.subject
        if len(group) == GROUP:
            commit_group(gate, group)
            gate.refresh()
            group = []
    if group:
        commit_group(gate, group)
    assert gate.trouble == "", gate.trouble
    return subject


def measure(
    world: SimpleNamespace, subject: str, rounds: int
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Ask for every page, round by round; gives milliseconds, and seconds of a copy."""
    opened = build(world.site.settings, "portal", become_keeper=False)
    server = Server(opened, Portal(port=0), create)
    try:
        browser = Browser(server.port, sign_in(world, opened, subject))
        wanted = {path: path for path in addresses()} | {
            "a choice": browser.first("/choices", r'href="(/choices/[^"]+)"')
        }
        wanted["a request"] = request = browser.post("/requests", "/requests")
        times: dict[str, list[float]] = defaultdict(list)
        for _ in range(rounds):
            for name, path in wanted.items():
                times[name].append(browser.timed_ms(path))
        copies = {}
        for form in ("bundle", "page"):
            began = time.perf_counter()
            browser.post(f"{request}/{form}", request)
            copies[form] = time.perf_counter() - began
        return dict(times), copies
    finally:
        server.stop()
        opened.keeper.close()
        opened.engine.dispose()


def addresses() -> list[str]:
    """List the pages of a holder who may do everything, but what leads elsewhere."""
    routes = (route for page in pages() for route in page.routes if route.method == "GET")
    return [one.path for one in routes if one.needs != "public" and "{" not in one.path]


def sign_in(world: SimpleNamespace, opened, subject: str) -> str:
    """Invite the patient and let them enrol; gives the secret of their session."""
    staff, portal = world.enter("p-privacy", strong=True), opened.keeper.portal
    world.app.portal.invite(subject, Phi("A Patient"), Phi("a@example.org"), staff)
    key = letter(world, "invitation", "key")
    pending = portal.enrol_begin(key, "127.0.0.1").pending
    return portal.sign_in_code(pending, letter(world, "code", "code"), "127.0.0.1").secret


def letter(world: SimpleNamespace, kind: str, word: str) -> str:
    """Take the letter of a kind."""
    for one in world.app.portal.letters_take():
        world.app.portal.letter_settle(one.id, sent=True)
        if one.kind == kind:
            return one.values.reveal()[word]
    raise AssertionError(f"no letter: {kind}")


class Browser:
    """One connection kept open, signed in."""

    def __init__(self, port: int, secret: str) -> None:
        self._port, self._secret = port, secret
        self._line = Line(port, 600)

    def timed_ms(self, path: str) -> float:
        """Ask for a page that is shown; milliseconds."""
        began = time.perf_counter()
        status, body, _ = self._ask("GET", path)
        spent = (time.perf_counter() - began) * 1_000
        assert status == 200, (path, status, re.sub(rb"(?s).*<main", b"", body)[:600])
        return spent

    def first(self, path: str, pattern: str) -> str:
        """Find an address on a page."""
        return re.search(pattern, self._ask("GET", path)[1].decode())[1]

    def post(self, path: str, page: str) -> str:
        """Send a form as its page would; gives where it leads."""
        text = self._ask("GET", page)[1].decode()
        fields = dict(re.findall(r'name="(token|once)" value="([\w-]+)"', text))
        status, body, to = self._ask("POST", path, urllib.parse.urlencode(fields))
        assert status in {200, 303}, (path, status, body[-500:])
        return to

    def _ask(self, method: str, path: str, form: str = "") -> tuple[int, bytes, str]:
        cookie = f"oathward_portal_session_{self._port}={self._secret}"
        answer, body = self._line.ask(method, path, cookie, form)
        found = re.search(
            rf"oathward_portal_session_{self._port}=([\w-]+)", answer.headers.get("Set-Cookie") or ""
        )
        self._secret = found[1] if found else self._secret
        return answer.status, body, answer.headers.get("Location") or ""


def report(found: dict[str, list[float]], copies: dict[str, float]) -> int:
    """Print each page; 1 where one is slower than the goal."""
    slow = say_pages(found, GOAL_MS)
    for form, seconds in copies.items():
        print(f"a copy, as {form:<13} {seconds:8.1f}  s, whole")
    print(
        f"\ngoal: p95 of each page at most {GOAL_MS:.0f} ms: {'missed by ' + ', '.join(slow) if slow else 'met'}"
    )
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
