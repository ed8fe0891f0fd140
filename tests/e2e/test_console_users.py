"""The console where every process is a user of its own: pages, sign-in, and a release that the gateway's user carries out."""

import http.client
import re
import urllib.parse

from tests.e2e.test_users import (  # noqa: F401  fixtures are found by their names
    UIDS,
    near,
    pytestmark,
    python_for_all,
    recipient,
    served,
)
from tests.wire import Client, oru

from oathward.inventory.model import Device


class Browser:
    """As much of one as a form needs."""

    def __init__(self, link: str) -> None:
        self.at = urllib.parse.urlsplit(link)
        self.cookie = ""
        self.post("/sign-in", key=urllib.parse.parse_qs(self.at.query)["key"][0])

    def ask(self, method: str, path: str, body: str = ""):
        connection = http.client.HTTPConnection(self.at.hostname, self.at.port, timeout=30)
        headers = {"Cookie": self.cookie, "Origin": f"http://{self.at.netloc}"}
        headers |= {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer, text

    def post(self, path: str, **form: str):
        if self.cookie:
            form["token"] = re.search(r'name="token" value="(\w+)"', self.ask("GET", "/")[1])[1]
        answer, text = self.ask("POST", path, urllib.parse.urlencode(form))
        self.cookie = (answer.getheader("Set-Cookie") or self.cookie).partition(";")[0]
        assert answer.status == 303, text
        return answer.getheader("Location")


def test_a_release_ordered_at_the_console_runs_as_the_gateways_user(near, recipient):  # noqa: F811  the fixtures
    site = served(near, recipient)
    try:
        with Client(site.parts["gateway"]["ports"]["mllp"]) as client:
            assert client.send(oru("U9", sender="MON9", value="u9")) == "AA"
        [(held,)] = site.rows("SELECT message FROM quarantine WHERE state = 'held'")
        site.add(Device(id="mon-9", kind="monitor", senders=frozenset({"MON9"}), addresses=frozenset({"127.0.0.1"}), default_authority="HOSP"))  # fmt: skip
        browser = Browser(site.cli("console", "--as", "Dana")["link"])
        for path in ("/", "/messages", f"/messages/{held}", "/quarantine", "/health"):
            answer, text = browser.ask("GET", path)
            assert answer.status == 200, text
        assert "does not run" not in browser.ask("GET", "/health")[1]
        order = browser.post("/quarantine/release", message=held, reason="declared now")
        site.wait(lambda: b"u9" in recipient.values())
        assert "1 released, 0 still held" in browser.ask("GET", order)[1]
        [opened] = site.records("keeper.opened")
        assert opened["body"]["person"] == "Dana"
        assert opened["body"]["process"] == f"gateway uid {UIDS['gateway']}"
        written = [path for path in (site.folder / "bodies").rglob("*.seg") if "console" in path.parts]
        assert written, "in files of its own"
        assert {path.stat().st_uid for path in written} == {UIDS["gateway"]}
        assert site.cli("ledger", "verify")["ok"]
    finally:
        print(site.log.read_text()[-3000:])
        site.stop()
