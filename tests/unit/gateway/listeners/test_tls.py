"""Promises of TLS at the doors: where a certificate is required, no lack of a CA makes it voluntary."""

import ssl

import pytest

from oathward.gateway.listeners.tls import server_context
from oathward_sim.pki import Authority


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("ca"), "site")
    issued = authority.issue("door")
    return str(issued.cert), str(issued.key), str(authority.file)


def test_a_required_certificate_without_a_ca_opens_no_door(files):
    certificate, key, _ = files
    with pytest.raises(FileNotFoundError):
        server_context(certificate, key, "")


@pytest.mark.parametrize(
    ("ca", "required", "mode"),
    [
        (True, True, ssl.CERT_REQUIRED),
        (True, False, ssl.CERT_OPTIONAL),
        (False, False, ssl.CERT_NONE),
    ],
)
def test_what_is_asked_of_whoever_connects(files, ca, required, mode):
    certificate, key, authority = files
    found = server_context(certificate, key, authority if ca else "", required=required)
    assert found.verify_mode is mode
    assert found.minimum_version is ssl.TLSVersion.TLSv1_2
