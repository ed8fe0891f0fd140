"""Types guessed by themselves: learned from what a list says, said with their reasons, and silent as soon as anybody says the type."""

import json

import pytest

from oathward.app import build
from oathward.cli.main import run
from oathward.core.clock import micros
from oathward.core.settings import load

KINDS = {
    "Infusion Pump": ("00:1b:c5", 2_575, "hl7"),
    "Camera": ("00:50:c2", 123, "ntp"),
}
EACH = 8


@pytest.fixture
def go(data, capsys):
    def call(*arguments):
        code = run([*arguments, "--data", str(data), "--json"])
        out, err = capsys.readouterr()
        assert code == 0, err
        return json.loads(out)

    return call


def mac(kind, n):
    return f"{KINDS[kind][0]}:00:00:{n:02x}"


def lines(now_s, kind, *numbers):
    _, port, service = KINDS[kind]
    third = 1 + list(KINDS).index(kind)
    for n in numbers:
        said = {
            "ts": now_s - 500 + n, "uid": f"C{kind}{n}", "id.orig_h": f"10.{third}.0.{n + 1}", "id.orig_p": 40_000,
            "id.resp_h": f"10.9.{third}.9", "id.resp_p": port, "proto": "tcp", "service": service, "duration": 1.0,
            "orig_bytes": 5, "resp_bytes": 5, "conn_state": "SF", "orig_l2_addr": mac(kind, n), "resp_l2_addr": "00:99:00:00:00:01",
        }  # fmt: skip
        yield json.dumps(said) + "\n"


def types(go):
    found = go("inventory", "list", "--limit", "500")["endpoints"]
    return {one["mac"]: (one["type"], one["id"]) for one in found if one["mac"]}


def test_what_is_like_devices_of_known_type_is_guessed_until_somebody_says_it(go, data, tmp_path):
    site = build(load(data), "admin")
    now_s = micros(site.clock.now()) // 1_000_000
    site.keeper.close()
    site.engine.dispose()
    log, listed, mapping = tmp_path / "conn.log", tmp_path / "cmms.csv", tmp_path / "m.toml"
    log.write_text("".join(line for kind in KINDS for line in lines(now_s, kind, *range(EACH))))
    assert go("observe", str(log))["types_guessed"] == 0, "nobody said what any device is"
    rows = [f"{mac(kind, n)},{kind}" for kind in KINDS for n in range(EACH)]
    listed.write_text("MAC,Type\n" + "\n".join(rows) + "\n")
    go("inventory", "import", str(listed), "--wizard", "--mapping", str(mapping))
    go("inventory", "import", str(listed), "--mapping", str(mapping))
    new = tmp_path / "conn2.log"
    new.write_text("".join(line for kind in KINDS for line in lines(now_s, kind, 90, 91)))
    assert go("observe", str(new))["types_guessed"] >= 4
    found = types(go)
    assert found[mac("Infusion Pump", 90)][0] == "infusion-pump"
    assert found[mac("Camera", 91)][0] == "camera"
    id_ = found[mac("Infusion Pump", 90)][1]
    said = [one for one in go("inventory", "show", id_)["said"] if one["source"] == "inferred"]
    assert {one["attribute"] for one in said} == {"type", "type-reason"}
    assert all(0.8 <= one["confidence"] <= 1 for one in said)
    assert {"asks hl7", "card 00:1b:c5"} & {one["value"] for one in said}
    go("inventory", "say", "type", "ventilator", id_)
    assert types(go)[mac("Infusion Pump", 90)][0] == "ventilator"
    again = tmp_path / "conn3.log"
    again.write_text("".join(lines(now_s + 60, "Infusion Pump", 90)))
    go("observe", str(again))
    rows = [one for one in go("inventory", "show", id_)["said"] if one["attribute"].startswith("type")]
    assert [(one["value"], one["source"]) for one in rows] == [("ventilator", "person")]


def test_a_rule_answers_where_nothing_was_learned_and_two_that_disagree_do_not():
    from oathward.endpoints.inferring import answer, learn

    nothing = learn([])
    assert answer(nothing, frozenset({"serves tcp 9100"})).type == "printer"
    assert answer(nothing, frozenset({"modality ct", "modality mr"})) is None
    assert answer(nothing, frozenset({"asks dns"})) is None
