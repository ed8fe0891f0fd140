"""A patient of a served site: signs in by letters, sees what a monitor sent over MLLP, takes a copy away; then it ends."""

import html
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from http.cookiejar import CookieJar
from urllib.parse import urlencode

import orjson
import pytest
from fhir.resources.R4B.bundle import Bundle
from tests.site import Site, bundle, local
from tests.wire import Client, oru

from oathward.web.portal.copying import paper

MORE = """
[portal]
port = 0
url = "http://127.0.0.1:9"
[mail]
sender = "file"
sent_from = "portal@hospital.example"
"""
VALUES = ("61", "62", "63")


class Patient:
    """A browser and a letter box; forms are sent as they stand on a page."""

    def __init__(self, site):
        self.site, self.base = site, f"http://127.0.0.1:{site.status('portal')['ports']['portal']}"
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self.read_letters = set()

    def get(self, path):
        return self._ask(urllib.request.Request(self.base + path))

    def post(self, path, page, **fields):
        found = re.search(r'name="token" value="(\w+)"', self.get(page)[1].decode())
        once = re.search(r'name="once" value="([\w-]+)"', self.get(page)[1].decode())
        data = fields | {"token": found[1]} | ({"once": once[1]} if once else {})
        asked = urllib.request.Request(self.base + path, urlencode(data).encode(), {"origin": self.base})
        return self._ask(asked)

    def _ask(self, asked):
        try:
            with self.opener.open(asked, timeout=60) as answer:
                return answer.status, answer.read(), answer.url.removeprefix(self.base)
        except urllib.error.HTTPError as error:
            return error.code, error.read(), error.url.removeprefix(self.base)

    def letter(self):
        """The next letter that was not read yet, as text."""
        folder = self.site.folder / "letters"
        path = self.site.wait(
            lambda: next((one for one in sorted(folder.glob("*.eml")) if one not in self.read_letters), None),
            30,
        )
        self.read_letters.add(path)
        return message_from_bytes(path.read_bytes(), policy=policy.default).get_content()

    def enrol(self):
        key = re.search(r"/enrol\?key=(\S+)", self.letter())[1]
        self.get(f"/enrol?key={key}")
        self.post("/enrol", f"/enrol?key={key}", key=key)
        code = re.search(r"\b(\d{6})\b", self.letter())[1]
        assert self.post("/sign-in/code", "/sign-in/code", code=code)[2] == "/"


def measured(control_id, value, minutes_ago):
    """A value of the patient, measured so many minutes ago."""
    at = f"{datetime.now(UTC) - timedelta(minutes=minutes_ago):%Y%m%d%H%M%S}+0000"
    raw = oru(control_id, value=value, name="Quintana^Rosa")
    return raw.replace(b"20260504081500+0000", at.encode())


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    found = Site.make(tmp_path_factory.mktemp("copy") / "s", more=MORE)
    found.activate(bundle({}))
    found.add(local("mon-1", "MON1", name="Monitor at the window"))
    found.start()
    yield found
    found.stop()


def test_own_values_a_copy_of_them_and_nothing_once_the_access_has_ended(site, tmp_path):
    with Client(site.port()) as client:
        for number, value in enumerate(VALUES):
            assert client.send(measured(f"c{number}", value, 3 - number)) == "AA"
        assert client.send(oru("other", value="199.75", mrn="999", name="Other^Person")) == "AA"
    ((subject,),) = site.rows("SELECT subject FROM message ORDER BY id LIMIT 1")
    holder = tmp_path / "holder.toml"
    holder.write_text('name = "Rosa Quintana"\naddress = "rosa@example.org"\n')
    given = site.cli(
        "portal", "invite", "--holder-file", str(holder), "--subject", subject, "--person", "test"
    )
    patient = Patient(site)
    patient.enrol()

    page = html.unescape(patient.get("/devices")[1].decode())
    for words in (
        "Monitor at the window",
        "Heart rate",
        "<strong>63</strong>",
        "The lowest was 61 and the highest was 63.",
    ):
        assert words in page, words
    assert "199.75" not in page

    status, _, address = patient.post("/requests", "/requests")
    assert (status, address[:10]) == (200, "/requests/")
    status, body, _ = patient.post(f"{address}/bundle", address)
    assert status == 200
    Bundle.model_validate_json(body)
    resources = [entry["resource"] for entry in orjson.loads(body)["entry"]]
    values = [str(one["valueQuantity"]["value"]) for one in resources if one["resourceType"] == "Observation"]
    assert tuple(values) == VALUES
    (device,) = [one for one in resources if one["resourceType"] == "Device"]
    assert device["deviceName"][0]["name"] == "Monitor at the window"
    if paper.here() and shutil.which("pdftotext"):
        status, pdf, _ = patient.post(f"{address}/pdf", address)
        assert status == 200
        text = subprocess.run(
            ["pdftotext", "-", "-"], input=pdf, capture_output=True, check=True
        ).stdout.decode()
        assert "Heart rate" in text
        assert all(f"{value} " in text for value in VALUES)
        assert "199.75" not in text
    assert site.records("portal.fetched")[0]["body"]["form"] == "bundle"

    patient.post("/wrong", "/wrong", kind="device", words="This monitor is not mine")
    assert "No one has read it yet." in patient.get("/wrong")[1].decode()
    stored = b"".join(
        one.read_bytes() for one in site.folder.rglob("*") if one.is_file() and "letters" not in one.parts
    )
    assert b"This monitor is not mine" not in stored
    assert b"%PDF-" not in stored, "nothing of a copy lies on disk"

    site.cli("portal", "end", given["access"], "--why", "staff", "--person", "test")
    assert patient.get(address)[2] == "/sign-in"
    assert patient.get("/devices")[2] == "/sign-in"
