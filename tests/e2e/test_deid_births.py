"""Of many patients somebody was born on any day: a day of one takes back no file of another, and still the own one."""

import json

import pytest
from tests import forked
from tests.site import Site

MESSAGE = (
    "MSH|^~\\&|MON|ICU|EHR|HOSP|20260102030405||ORU^R01^ORU_R01|IN-{n}|P|2.6\r"
    "PID|1||7731004{n}^^^HOSP^MR||QUIXLEY{n}^ZORAIDA||19480229|F\r"
    "NK1|1|VOSSLER{n}^IRMA|SPO|||||||||||||{relative}\r"
    "OBR|1|||8867-4^HR^LN\rOBX|1|NM|8867-4^Heart rate^LN||72|/min^^UCUM|||||F|||{day}\r"
)


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "in"
    root.mkdir()
    (root / "1.hl7").write_text(MESSAGE.format(n=1, relative="19700115", day="20260102"))
    (root / "2.hl7").write_text(MESSAGE.format(n=2, relative="19700220", day="19700115"))
    return root


def deid(tmp_path, folder):
    site = Site.make(tmp_path / "data")
    terms = ("--profile", "gdpr-pseudonymised", "--project", "p1", "--data", str(site.folder), "--json")
    done = forked.run(["deid", str(folder), "--out", str(tmp_path / "out"), *terms])
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_another_patients_birth_takes_nothing_back(tmp_path, folder):
    told = deid(tmp_path, folder)
    assert (told["written"], told["residue"]["taken_back"]) == (2, {})


def test_the_birth_that_a_file_says_itself_does(tmp_path, folder):
    (folder / "3.hl7").write_text(MESSAGE.format(n=3, relative="19700301", day="19700301"))
    told = deid(tmp_path, folder)
    assert (told["written"], told["residue"]["taken_back"]) == (2, {"relative.birth-date": 1})
