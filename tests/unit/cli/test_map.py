"""``oathward map`` and ``oathward rules``: JSON, exit codes, what a terminal is shown."""

import json

import pytest
from tests.site import Site
from tests.unit.mapping.seeding import seed

from oathward.app import build
from oathward.cli.main import run
from oathward.core.clock import micros
from oathward.core.errors import InputError
from oathward.core.reasons import Reason

RULES = """table inet f {
	chain forward {
		type filter hook forward priority filter; policy drop;
		ip saddr 10.1.0.0/16 tcp dport 2575 counter packets 7 bytes 9 accept
		tcp flags syn / fin,syn accept
	}
}
"""


@pytest.fixture
def rules(tmp_path):
    path = tmp_path / "rules.txt"
    path.write_text(RULES)
    return str(path)


def test_rules_are_shown_with_what_is_not_understood(rules, capsysbinary):
    assert run(["rules", "show", rules, "--json"]) == 0
    found = json.loads(capsysbinary.readouterr().out)
    assert [(row["hits"], row["unclear"]) for row in found["rules"]] == [(7, []), (None, ["tcp flags syn"])]
    assert run(["rules", "show", rules]) == 0
    assert b"not understood: tcp flags syn" in capsysbinary.readouterr().out


@pytest.mark.parametrize(
    ("text", "more", "code"),
    [
        ("{", (), "message.json-invalid"),
        ("table inet f {", (), "message.truncated"),
        ("a,b\n", ("--column", "action=a"), "observation.columns"),
    ],
)
def test_what_are_no_rules_is_refused_with_its_reason(tmp_path, text, more, code, capsys):
    path = tmp_path / "x"
    path.write_text(text)
    assert run(["rules", "show", str(path), *more, "--json"]) == 65
    assert json.loads(capsys.readouterr().err)["error"] == code


@pytest.fixture(scope="module")
def observed(tmp_path_factory):
    """A site that saw two conversations."""
    made = Site.make(tmp_path_factory.mktemp("mapped") / "s")
    opened = build(made.settings, "app")
    at_us = micros(opened.clock.now())
    rows = [("10.1.0.5", "ward", "10.2.0.9", "enterprise", 2575, "hl7", "", {"patient.name": 4})]
    seed(
        opened.engine,
        opened.site,
        [*rows, ("10.1.0.6", "a\x1b[31m", "203.0.113.7", "external", 443, "tls", "", {})],
        at_us,
    )
    opened.keeper.close()
    opened.engine.dispose()
    return str(made.settings.data)


def test_the_map_is_listed_and_drawn(observed, tmp_path, capsysbinary):
    drawn = tmp_path / "map.svg"
    assert run(["map", "--data", observed, "--svg", str(drawn), "--json"]) == 0
    found = json.loads(capsysbinary.readouterr().out)
    assert found["looked"] == 2
    assert {one["kind"] for one in found["differences"]} >= {
        "flow.undeclared",
        "connection.unregistered",
        "flow.clear-text-phi",
    }
    assert drawn.read_text().startswith("<svg")
    assert run(["map", "--data", observed]) == 0
    shown = capsysbinary.readouterr().out
    assert b"Observed and undeclared: 2" in shown
    assert b"\x1b[31m" not in shown
    assert run(["map", "--data", observed, "--zone", "ward", "--tell"]) == 65


def test_what_a_finding_is_stands_in_the_list(observed, capsysbinary):
    assert run(["map", "--data", observed, "--tell"]) == 0
    assert run(["findings", "list", "--data", observed, "--kind", "connection.unregistered"]) == 0
    assert b"tls to 203.0.113.7, outside this site" in capsysbinary.readouterr().out


def test_elements_are_listed_where_messages_came(observed, capsysbinary):
    assert run(["map", "--data", observed, "--elements", "--json"]) == 0
    assert json.loads(capsysbinary.readouterr().out) == {"messages": 0, "unknown": 0, "unused": []}


def test_rules_are_compared_with_what_was_seen(observed, rules, capsysbinary):
    assert run(["rules", "compare", rules, "--data", observed, "--json"]) == 0
    found = json.loads(capsysbinary.readouterr().out)
    assert found["unused"] == []
    assert [one["proposal"] for one in found["wider"]] == [
        "ip saddr 10.1.0.5 ip daddr 10.2.0.9 tcp dport 2575 accept"
    ]
    assert sum(found["undecided"].values()) == 1
    assert run(["rules", "compare", rules, "--data", observed]) == 0
    assert b"Rules wider than their flows: 1" in capsysbinary.readouterr().out


@pytest.fixture(scope="module")
def long_ago(tmp_path_factory):
    """A site that read a capture of last year, and nothing since."""
    made = Site.make(tmp_path_factory.mktemp("old") / "s")
    opened = build(made.settings, "app")
    at_us = micros(opened.clock.now()) - 300 * 86_400_000_000
    seed(opened.engine, opened.site, [("10.1.0.5", "ward", "10.2.0.9", "dmz", 2575, "hl7", "", {})], at_us)
    opened.keeper.close()
    opened.engine.dispose()
    return str(made.settings.data)


def test_old_captures_are_on_the_map_and_beside_rules(long_ago, rules, capsysbinary):
    assert run(["map", "--data", long_ago, "--days", "1", "--json"]) == 0
    assert json.loads(capsysbinary.readouterr().out)["looked"] == 1
    assert run(["map", "--data", long_ago]) == 0
    assert b"the last flow was seen 20" in capsysbinary.readouterr().out
    assert run(["map", "--data", long_ago, "--zone", "nowhere"]) == 0
    assert b"as asked for" in capsysbinary.readouterr().out
    assert run(["rules", "compare", rules, "--data", long_ago, "--days", "1", "--json"]) == 0
    assert json.loads(capsysbinary.readouterr().out)["unused"] == []


def test_rules_are_not_called_unused_where_nothing_was_seen(tmp_path, observed, rules, capsys):
    empty = Site.make(tmp_path / "s")
    for more in (("--data", str(empty.settings.data)), ("--data", observed, "--realm", "elsewhere")):
        assert run(["rules", "compare", rules, *more, "--json"]) == 66
        assert "no flow was seen" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "Action;Src\npermit;any\n", "hello\n"])
def test_what_holds_no_rules_is_said_to(tmp_path, text, capsys):
    path = tmp_path / "x"
    path.write_text(text)
    assert run(["rules", "show", str(path), "--json"]) == 65
    said = json.loads(capsys.readouterr().err)
    assert said["error"] == "message.format-unsupported"
    assert "--column" in json.dumps(said)


def test_who_may_not_see_the_network_sees_no_flow_beside_rules(observed, rules, monkeypatch, capsys):
    def nobody(site, person, action):
        raise InputError("session", f"{action} is not yours", reason=Reason.NOT_PERMITTED)

    monkeypatch.setattr("oathward.cli.rules.who_may", nobody)
    assert run(["rules", "compare", rules, "--data", observed, "--json"]) != 0
    said = capsys.readouterr()
    assert "network.see" in said.err
    assert "10.1.0.5" not in said.out


@pytest.fixture
def kept(observed, rules, capsysbinary):
    """Rules of a firewall, imported; they are removed again."""

    def go(*arguments):
        code = run(["rules", *arguments, "--data", observed, "--json"])
        out = capsysbinary.readouterr().out
        return code, json.loads(out) if out else None

    assert go("import", "fw-1", rules, "--interface", "10.1.0.0/16=ward")[0] == 0
    yield go
    go("remove", "fw-1")


def findings(observed, capsysbinary, *more):
    assert run(["findings", "list", "--data", observed, "--json", *more]) == 0
    return json.loads(capsysbinary.readouterr().out)["findings"]


def test_imported_rules_are_kept_listed_shown_and_compared_by_name(kept, observed, rules, capsysbinary):
    [row] = kept("list")[1]["rulesets"]
    assert (row["name"], row["rules"], row["interfaces"]) == ("fw-1", 2, {"10.1.0.0/16": "ward"})
    assert len(row["sha256"]) == 64
    assert row["by"]
    assert row["imported"]
    assert [one["hits"] for one in kept("show", "fw-1")[1]["rules"]] == [7, None]
    assert len(kept("compare", "fw-1")[1]["wider"]) == 1
    assert kept("import", "fw-1", rules, "--interface", "10.1.0.0/16=ward")[1]["changed"] is False
    assert kept("import", "fw-1", rules)[1]["changed"] is True
    assert kept("show", "nobody")[0] == 66
    assert kept("import", "bad name", rules)[0] == 65
    assert kept("import", "fw-2", rules, "--interface", "x=ward")[0] == 65


def test_what_is_wrong_with_imported_rules_is_a_finding_until_they_are_removed(kept, observed, capsysbinary):
    told = findings(observed, capsysbinary, "--kind", "rule.wider-than-flow")
    assert [one["about"] for one in told] == ["rules:fw-1"]
    assert kept("remove", "fw-1")[1]["cleared"] >= 1
    assert findings(observed, capsysbinary, "--kind", "rule.wider-than-flow") == []
    assert kept("remove", "fw-1")[0] == 66
