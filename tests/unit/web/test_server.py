"""The console's socket: taken at once, given up at the end, told when it cannot be had."""

import dataclasses
import http.client
import socket

import pytest

from oathward.app import process
from oathward.core.errors import OathwardError, SettingsError
from oathward.core.reasons import Reason
from oathward.core.settings import Console
from oathward.web.serving.server import Server


def served(opened, **changes):
    settings = dataclasses.replace(opened.settings, console=Console(**changes))
    return process._console(dataclasses.replace(opened, settings=settings))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_it_answers_on_loopback_and_stops(opened, host):
    server = served(opened, host=host, port=0)
    connection = http.client.HTTPConnection(host, server.port, timeout=20)
    connection.request("GET", "/sign-in")
    answer = connection.getresponse()
    assert answer.status == 200
    assert answer.getheader("server") is None
    answer.read()
    connection.close()
    assert server.alive
    server.stop()
    assert not server.alive
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((host, connection.port), timeout=2)


def test_it_can_be_off(opened):
    assert served(opened, port=-1) is None


def test_a_taken_port_is_told_by_its_reason(opened):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(OathwardError) as caught:
            served(opened, port=taken.getsockname()[1])
        assert caught.value.reason is Reason.PORT_TAKEN


def test_an_address_that_is_not_ours_is_told(opened):
    with pytest.raises(SettingsError):
        served(opened, host="127.0.0.300", port=0)


def test_it_stops_before_it_has_begun(opened):
    server = Server(opened, Console(port=0))
    server.stop()
    assert not server.alive
