"""The doors' own certificate: doctor says in time that it ends, and what to do then mends it."""

import json

import pytest

from oathward.app import create
from oathward.cli import doctor
from oathward.cli.main import run
from oathward.core.clock import wall_s
from oathward.core.settings import load
from oathward.vault.certificates import SERVER_DAYS, days_left

DAY_S = 86_400


@pytest.fixture
def data(tmp_path):
    data = tmp_path / "d"
    create(load(data))
    return data


def line(data, capsys):
    run(["doctor", "--data", str(data), "--json"])
    [found] = [one for one in json.loads(capsys.readouterr().out)["lines"] if one["about"] == "certificate"]
    return found


@pytest.mark.parametrize(
    ("days", "level", "said"),
    [
        (0, "ok", "396 days"),
        (SERVER_DAYS - 20, "bad", "ends in 19 days"),
        (SERVER_DAYS + 2, "bad", "has ended"),
    ],
)
def test_doctor_says_when_the_doors_certificate_ends(data, capsys, monkeypatch, days, level, said):
    monkeypatch.setattr(doctor, "wall_s", lambda: wall_s() + days * DAY_S)
    found = line(data, capsys)
    assert found["level"] == level
    assert said in found["what"]
    assert ("oathward init" in found["what"]) == (level == "bad")


def test_what_it_says_to_do_gives_another_one_of_the_same_authority(data):
    trust = data / "trust"
    before, authority = (trust / "mllp.pem").read_bytes(), (trust / "device-ca.pem").read_bytes()
    for name in ("mllp.pem", "mllp.key"):
        (trust / name).unlink()
    assert run(["init", "--data", str(data)]) == 0
    after = (trust / "mllp.pem").read_bytes()
    assert after != before
    assert days_left(after, wall_s()) >= SERVER_DAYS - 1
    assert (trust / "device-ca.pem").read_bytes() == authority


@pytest.mark.parametrize("part", ["console", "portal"])
@pytest.mark.parametrize(
    ("days", "level", "said"),
    [
        (0, "ok", "396 days"),
        (SERVER_DAYS - 20, "bad", "ends in 19 days"),
        (SERVER_DAYS + 2, "bad", "has ended"),
    ],
)
def test_doctor_says_when_the_certificate_of_pages_ends(data, capsys, monkeypatch, days, level, said, part):
    settings = f'[{part}]\nport = 0\ncertificate = "trust/mllp.pem"\nkey = "trust/mllp.key"\n'
    (data / "oathward.toml").write_text(settings)
    monkeypatch.setattr(doctor, "wall_s", lambda: wall_s() + days * DAY_S)
    run(["doctor", "--data", str(data), "--json"])
    lines = [one for one in json.loads(capsys.readouterr().out)["lines"] if one["about"] == part]
    assert any(one["level"] == level and said in one["what"] for one in lines)
    (data / "oathward.toml").write_text(settings.replace("mllp.pem", "none.pem"))
    run(["doctor", "--data", str(data), "--json"])
    lines = [one for one in json.loads(capsys.readouterr().out)["lines"] if one["about"] == part]
    assert any("no certificate that can be read" in one["what"] for one in lines)


def test_doctor_says_that_a_portal_without_letters_lets_nobody_in(data, capsys):
    def told(text):
        (data / "oathward.toml").write_text(text)
        run(["doctor", "--data", str(data), "--json"])
        return [
            one["what"] for one in json.loads(capsys.readouterr().out)["lines"] if one["about"] == "portal"
        ]

    on = "[portal]\nport = 0\n"
    url, mail = (
        'url = "https://patients.example"\n',
        '[mail]\nsender = "file"\nsent_from = "p@hospital.example"\n',
    )
    assert told(mail) == [], "it is off"
    assert [one.partition(" not set")[0] for one in (*told(on), *told(on + url), *told(on + mail))] == [
        "[mail] sender and [portal] url",
        "[mail] sender",
        "[portal] url",
    ]
    assert told(on + url + mail) == []
