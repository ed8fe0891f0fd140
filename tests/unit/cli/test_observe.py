"""Promises about ``oathward observe`` as a listener: it ends when it is told to, and may be started again at once."""

import signal
import socket
import threading

import pytest

from oathward.cli import observe
from oathward.discovery import reading


@pytest.fixture
def handlers():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
def test_asked_to_stop_it_hangs_up_on_who_is_connected_and_silent(tmp_path):
    path, client = str(tmp_path / "eve.sock"), socket.socket(socket.AF_UNIX)
    read: list[bytes] = []

    class Run:
        def stream(self, fd, _name):
            with socket.socket(fileno=socket.dup(fd)) as connection:
                connection.settimeout(5)
                read.append(connection.recv(9))
                signal.raise_signal(signal.SIGINT)
                read.append(connection.recv(9))

    def connect():
        while True:
            try:
                return client.connect(path)
            except OSError:
                continue

    threading.Thread(target=lambda: [connect(), client.sendall(b"{}\n")], daemon=True).start()
    observe._listen(Run(), path)
    client.close()
    assert read == [b"{}\n", b""]


def test_a_listener_is_there_again_at_once():
    with reading.tcp("127.0.0.1", 0) as door, socket.create_connection(door.getsockname()) as client:
        port = door.getsockname()[1]
        door.accept()[0].close()  # who hangs up first keeps the port for a minute
        assert client.recv(1) == b""
    reading.tcp("127.0.0.1", port).close()


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
