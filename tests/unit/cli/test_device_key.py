"""``oathward device key``: public keys come in as files, private ones never do."""

import json

import pytest
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey
from tests.site import Site

from oathward.cli.main import run

EC, RSA = ECKey.generate_key("P-384", {"kid": "k-1"}), RSAKey.generate_key(2_048)


@pytest.fixture
def folder(tmp_path):
    return Site.make(tmp_path / "s").folder


def called(folder, *arguments):
    return run(["device", *arguments, "--data", str(folder), "--json"])


def shown(folder, id_, capsys):
    capsys.readouterr()
    assert called(folder, "show", id_) == 0
    return json.loads(capsys.readouterr().out)["keys"]


def test_a_device_is_added_with_a_key_and_gets_others(folder, tmp_path, capsys):
    jwk, jwks, pem = tmp_path / "k.jwk", tmp_path / "k.jwks", tmp_path / "k.pem"
    jwk.write_text(json.dumps(EC.as_dict(private=False)))
    jwks.write_text(json.dumps(KeySet([EC, RSA]).as_dict(private=False)))
    pem.write_bytes(RSA.as_pem(private=False))
    assert called(folder, "add", "hub-1", "--client-key", str(jwk)) == 0
    first = shown(folder, "hub-1", capsys)
    assert [json.loads(key)["kid"] for key in first] == ["k-1"]
    assert called(folder, "key", "hub-1", str(pem)) == 0
    assert [json.loads(key)["kty"] for key in shown(folder, "hub-1", capsys)] == ["RSA"]
    assert called(folder, "key", "hub-1", str(jwks), "--keep-old") == 0
    assert len(shown(folder, "hub-1", capsys)) == 2, "the same key under another name takes its place"
    assert called(folder, "add", "hub-2", "--client-key", str(jwk)) != 0, "it is another device's"


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(EC.as_dict(private=True)),
        EC.as_pem(private=True).decode(),
        json.dumps(OctKey.generate_key(256).as_dict(private=True)),
        json.dumps(EC.as_dict(private=False) | {"y": "B" * 64}),
        '{"keys": []}',
        "[]",
        "x",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    ],
    ids=["private", "private PEM", "symmetric", "off the curve", "no keys", "a list", "junk", "junk PEM"],
)
def test_what_is_no_public_key_is_refused(folder, tmp_path, text, capsys):
    file = tmp_path / "k"
    file.write_text(text)
    assert called(folder, "add", "hub-1", "--client-key", str(file)) == 65
    assert "BEGIN" not in capsys.readouterr().err
