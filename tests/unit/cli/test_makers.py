"""IEEE's registry brought as a file: a hint of confidence 0.3, for who is there already too; what is none is refused."""

import json

import pytest

from oathward.cli.main import run

CSV = 'Registry,Assignment,Organization Name,Organization Address\nMA-L,001B63,"Acme, Inc.",Somewhere\n'
TXT = "OUI/MA-L   Organization\n\n00-1B-63   (hex)\t\tOther Medical\n001B63     (base 16)\t\tOther Medical\n"
LINE = {
    "ts": 1_790_000_000, "uid": "C1", "id.orig_h": "10.1.0.1", "id.orig_p": 1024, "id.resp_h": "10.2.0.9", "id.resp_p": 80, "proto": "tcp",
    "conn_state": "SF", "orig_bytes": 5, "resp_bytes": 1, "orig_l2_addr": "00:1b:63:00:00:01", "resp_l2_addr": "00:99:00:00:00:01",
}  # fmt: skip


@pytest.fixture
def go(data, capsys):
    def call(*arguments):
        code = run([*arguments, "--data", str(data), "--json"])
        out, err = capsys.readouterr()
        return code, json.loads(out or err)

    return call


def test_a_registry_gives_hints_and_a_later_one_takes_its_place(go, tmp_path):
    log, file = tmp_path / "conn.log", tmp_path / "oui"
    log.write_text(json.dumps(LINE) + "\n")
    go("observe", str(log))
    file.write_text(CSV)
    code, told = go("inventory", "makers", "import", str(file))
    assert (code, told["prefixes"], told["hinted"]) == (0, 1, 1)
    [row] = [one for one in go("inventory", "list")[1]["endpoints"] if one["mac"] == LINE["orig_l2_addr"]]
    assert row["make"] == "Acme, Inc."
    [said] = [one for one in go("inventory", "show", row["id"])[1]["said"] if one["attribute"] == "make"]
    assert (said["source"], said["confidence"]) == ("card-prefix", 0.3)
    file.write_text(TXT)
    assert go("inventory", "makers", "import", str(file))[1]["hinted"] == 0
    new = tmp_path / "new.log"
    new.write_text(
        json.dumps(LINE | {"orig_l2_addr": "00:1b:63:00:00:02", "id.orig_h": "10.1.0.2", "uid": "C2"}) + "\n"
    )
    go("observe", str(new))
    makes = {one["mac"]: one["make"] for one in go("inventory", "list")[1]["endpoints"]}
    assert makes["00:1b:63:00:00:02"] == "Other Medical"


@pytest.mark.parametrize(
    "content", [b"", b"hello\n", b"Registry,Assignment\n", b"\xff\xfe\x00", b'Registry,"' + b"x" * 200_000]
)
def test_what_is_no_registry_is_refused(go, tmp_path, content):
    file = tmp_path / "oui"
    file.write_bytes(content)
    code, told = go("inventory", "makers", "import", str(file))
    assert code == 65
    assert told["error"] in {"message.format-unsupported", "message.limit-exceeded"}
