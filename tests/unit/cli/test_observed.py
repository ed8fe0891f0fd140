"""``oathward observe``, ``flows`` and ``network``: what was read, who spoke with whom, where that is by the plan; no cell that a spreadsheet runs."""

import csv
import io
import json
import re

import pytest
from tests.zeek import T, conn

from oathward.cli.main import run


def flow(n, server="10.2.0.9", **more):
    return conn(n, server=server, **{"service": "hl7"} | more)


@pytest.fixture
def go(data, capsys):
    def call(*arguments):
        code = run([*arguments, "--data", str(data)])
        out, err = capsys.readouterr()
        return code, json.loads(out) if "--json" in arguments and out.strip() else out or err

    return call


def test_one_is_counted_as_one_and_times_are_to_the_minute(go, tmp_path):
    (tmp_path / "conn.log").write_text(flow(1))
    told = go("observe", str(tmp_path / "conn.log"))[1]
    assert re.search(
        r"1 of 1 source read: 1 flow, \d+ statements?, from [-\d]{10} \d\d:\d\d to [-\d]{10} \d\d:\d\d UTC\.",
        told,
    )
    [one] = go("flows", "list", "--json")[1]["conversations"]
    shown = go("flows", "show", one["id"])[1]
    assert re.search(
        r"^1 flow from [-\d]{10} \d\d:\d\d to [-\d]{10} \d\d:\d\d UTC, \d+ bytes asked", shown, re.MULTILINE
    )
    assert "1 single flow is kept" in shown
    out = tmp_path / "devices.csv"
    said = go("inventory", "export", "--out", str(out))[1]
    assert re.fullmatch(rf"Written to {re.escape(str(out))}: \d endpoints?, \d+ bytes\.\n", said)


def test_the_first_morning(go, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "conn.log").write_text(flow(1) + flow(2, "8.8.8.8") + flow(3) + "{broken\n")
    (tmp_path / "in" / "notes\x1b[2J.txt").write_text("hello")
    (tmp_path / "in" / "cmms.csv").write_text("Asset No;Serial\n1;2\n")
    code, dry = go("observe", str(tmp_path / "in"), "--dry-run", "--json")
    assert (code, dry["flows"], dry["endpoints"]) == (0, 3, {})
    code, told = go("observe", str(tmp_path / "in"))
    assert code == 0
    for words in (
        "1 of 3 sources read: 3 flows",
        "are of no format that is read here: cmms.csv, notes",
        "Lists of devices: oathward inventory import",
        "2 new",
        "observation.broken",
        "oathward flows top",
    ):
        assert words in told, words
    assert "\x1b" not in told
    assert go("observe", str(tmp_path / "in"), "--json")[1]["flows"] == 0
    [inside, outside] = go("flows", "list", "--json")[1]["conversations"]
    assert (inside["server"], inside["flows"], outside["server_zone"]) == ("10.2.0.9", 2, "external")
    assert [
        one["server"] for one in go("flows", "list", "--zone", "external", "--json")[1]["conversations"]
    ] == ["8.8.8.8"]
    assert go("flows", "list", "--service", "dicom")[1] == "None is as asked for.\n"
    assert inside["client_name"] == "10.1.0.1"
    assert (outside["client_name"], outside["server_name"]) == ("10.1.0.1", "")
    table = go("flows", "list")[1]
    assert " 2575 " in table
    assert "2,575" not in table
    shown = go("flows", "show", inside["id"], "--json")[1]
    assert (len(shown["hours"]), len(shown["flows_kept"])) == (1, 2)
    assert go("flows", "show", "ff")[0] == 66
    peers = go("flows", "top", inside["client_endpoint"], "--json")[1]["top"]
    assert {(one["address"], one["asked"]) for one in peers} == {("10.2.0.9", True), ("8.8.8.8", True)}
    [source] = go("network", "sources", "--json")[1]["sources"]
    assert (source["flows"], source["refused"], source["finished"]) == (3, 1, True)


def test_the_plan_says_where_it_is(go, tmp_path):
    log, plan = tmp_path / "conn.log", tmp_path / "plan.csv"
    log.write_text(flow(1))
    go("observe", str(log))
    plan.write_text("network,zone,unit\n10.1.0.0/16,clinical,ICU\n10.2.0.0/16,nowhere\n")
    code, told = go("network", "plan", "import", str(plan))
    assert (code, "line 3" in told, "nothing is imported" in told) == (1, True, True)
    plan.write_text(
        "network,zone,unit\n10.1.0.0/16,clinical,ICU\n10.1.0.0/24,clinical,ED\n10.2.0.0/16,enterprise,\n"
    )
    assert "lies inside 10.1.0.0/16" in go("network", "plan", "check", str(plan))[1]
    assert go("flows", "top", "--json")[1]["top"][0]["client_zone"] == "unplanned"
    assert go("network", "plan", "import", str(plan), "--json")[1]["placed_anew"] == 1
    assert [go("flows", "top", "--json")[1]["top"][0][f"{side}_zone"] for side in ("client", "server")] == [
        "clinical",
        "enterprise",
    ]
    assert go("network", "plan", "show", "10.1.0.7", "--json")[1]["unit"] == "ED"


def test_a_csv_has_no_cell_that_a_spreadsheet_runs(go, tmp_path):
    log = tmp_path / "conn.log"
    log.write_text(flow(1, service="=cmd|' /C calc'!A0"))
    go("observe", str(log))
    for command in (("list", "--csv"), ("export",)):
        rows = list(csv.DictReader(io.StringIO(go("flows", *command)[1])))
        assert len(rows) == 1
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in rows[0].values())


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("x", "--udp", "127.0.0.1:1"),
        ("--udp", "nowhere"),
        ("--udp", "127.0.0.1:0"),
        ("--follow", "--live", "lo"),
        ("/nowhere",),
    ],
)
def test_what_cannot_be_meant_is_told(go, arguments):
    code, told = go("observe", *arguments)
    assert code in {65, 66}
    assert told.startswith("error[")


def test_what_differs_is_a_finding_after_a_run_without_being_asked_for(go, tmp_path):
    log = tmp_path / "conn.log"
    log.write_text(flow(1) + flow(2, "8.8.8.8"))
    assert go("observe", str(log), "--dry-run", "--json")[1]["findings_told"] is None
    told = go("observe", str(log), "--json")[1]["findings_told"]
    assert told["opened"] >= 2
    listed = go("findings", "list", "--json")[1]["findings"]
    assert {"connection.unregistered", "flow.undeclared"} <= {one["kind"] for one in listed}
    assert go("observe", str(log), "--json")[1]["findings_told"]["opened"] == 0


MUD = {
    "ietf-mud:mud": {
        "mud-version": 1, "mud-url": "https://acme.example/p1", "last-update": "2026-01-01T00:00:00Z", "cache-validity": 48,
        "is-supported": True, "mfg-name": "Acme", "model-name": "P1",
        "from-device-policy": {"access-lists": {"access-list": [{"name": "out"}]}},
    },
    "ietf-access-control-list:acls": {
        "acl": [{"name": "out", "type": "ipv4-acl-type", "aces": {"ace": [{
            "name": "a", "actions": {"forwarding": "accept"},
            "matches": {"ipv4": {"protocol": 6, "destination-ipv4-network": "10.2.0.0/16"}, "tcp": {"destination-port": {"operator": "eq", "port": 2575}}},
        }]}}],
    },
}  # fmt: skip


def test_an_imported_mud_file_is_compared_with_what_was_seen_of_its_model(go, tmp_path):
    log, mud, plan = tmp_path / "conn.log", tmp_path / "mud.json", tmp_path / "plan.csv"
    plan.write_text("network,zone\n10.0.0.0/8,ward\n")
    go("network", "plan", "import", str(plan))
    log.write_text(flow(1) + flow(2, **{"id.resp_p": 9, "service": ""}))
    go("observe", str(log))
    [id_] = [
        one["id"] for one in go("inventory", "list", "--json")[1]["endpoints"] if one["address"] == "10.1.0.1"
    ]
    assert (
        go("inventory", "say", "make", "ACME", id_)[0] == go("inventory", "say", "model", "p1", id_)[0] == 0
    )
    kinds = lambda: {one["kind"] for one in go("map", "--json")[1]["differences"]}  # noqa: E731  asked twice
    assert kinds() == {"flow.undeclared"}
    mud.write_text(json.dumps(MUD))
    assert go("inventory", "import", str(mud))[0] == 0
    assert kinds() == {"flow.outside-model"}
    [conduit] = go("map", "--json")[1]["conduits"]
    assert conduit["declared"] == ["mud:Acme P1"]


def test_sessions_are_no_flows_wherever_sources_are_listed(go, tmp_path):
    said = {"uid": "C1", "version": "TLSv12", "established": True, "resumed": False}
    ends = {"id.orig_h": "10.1.0.1", "id.orig_p": 1_024, "id.resp_h": "10.2.0.9", "id.resp_p": 2_575}
    (tmp_path / "ssl.log").write_text(json.dumps({"ts": T, **said, **ends}) + "\n")
    go("observe", str(tmp_path / "ssl.log"))
    [source] = go("network", "sources", "--json")[1]["sources"]
    assert (source["flows"], source["sessions"]) == (0, 1)
    assert "sessions" in go("network", "sources")[1]


def test_given_nothing_of_a_known_format_it_says_so_and_what_is_known(go, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("hello")
    (tmp_path / "in" / "cmms.csv").write_text("Asset No;Serial\n1;2\n")
    (tmp_path / "in" / "empty").write_text("")
    for more in ((), ("--dry-run",)):
        code, told = go("observe", str(tmp_path / "in"), *more)
        assert code == 65
        for words in ("notes.txt", "cmms.csv", "Zeek logs", "pcapng", "NetFlow", "oathward inventory import"):
            assert words in told, words


def test_given_nothing_of_a_known_format_the_reason_is_told_as_json(tmp_path, data, capsys):
    (tmp_path / "notes.txt").write_text("hello")
    assert run(["observe", str(tmp_path / "notes.txt"), "--data", str(data), "--json"]) == 65
    said = json.loads(capsys.readouterr().err)
    assert said["error"] == "observation.unknown"
    assert "notes.txt" in json.dumps(said)


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_given_some_of_no_known_format_the_rest_is_read_and_they_are_named(go, tmp_path, more):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "conn.log").write_text(flow(1))
    (tmp_path / "in" / "notes.txt").write_text("hello")
    code, told = go("observe", str(tmp_path / "in"), *more)
    assert (code, "notes.txt" in str(told)) == (0, True), "in a folder other things may lie"
    code, told = go("observe", str(tmp_path / "in" / "conn.log"), str(tmp_path / "in" / "notes.txt"), *more)
    assert (code, "notes.txt" in str(told)) == (1, True), "it was asked for"
    assert go("flows", "list", "--json")[1]["conversations"]


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_source_that_cannot_be_read_is_told_by_the_exit_code(go, tmp_path, monkeypatch, more):
    (tmp_path / "conn.log").write_text(flow(1))

    def gone(_):
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr("oathward.discovery.reading.opened", gone)
    assert go("observe", str(tmp_path / "conn.log"), *more)[0] == 1
