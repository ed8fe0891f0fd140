"""Public keys of devices: one form, one name, and nothing weak or private."""

import dataclasses

import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from oathward.core.errors import InputError
from oathward.inventory import keys, sheet
from oathward.inventory.model import Device, canonical, check, from_canonical

EC = ECKey.generate_key("P-384", {"kid": "k-1"})
RSA = RSAKey.generate_key(2_048)


@pytest.mark.parametrize("key", [EC, RSA], ids=["EC", "RSA"])
def test_the_same_key_is_the_same_text_and_has_the_name_of_the_standard(key):
    public = key.as_dict(private=False)
    text = keys.canonical(public)
    assert keys.canonical(dict(reversed(public.items()))) == text
    assert keys.canonical(keys.parse_key(text)) == text
    raw = bytes.fromhex(keys.thumbprint(keys.parse_key(text)))
    assert key.thumbprint() == __import__("base64").urlsafe_b64encode(raw).rstrip(b"=").decode()


def without(name):
    public = EC.as_dict(private=False)
    del public[name]
    return public


REFUSED = {
    "private": EC.as_dict(private=True),
    "symmetric": OctKey.generate_key(256).as_dict(private=True),
    "P-256": ECKey.generate_key("P-256").as_dict(private=False),
    "Ed25519": OKPKey.generate_key("Ed25519").as_dict(private=False),
    "no x": without("x"),
    "for encryption": EC.as_dict(private=False) | {"use": "enc"},
    "other algorithm": EC.as_dict(private=False) | {"alg": "ES256"},
    "short modulus": RSA.as_dict(private=False) | {"n": "AQAB"},
    "small exponent": RSA.as_dict(private=False) | {"e": "Aw"},
    "not base64": EC.as_dict(private=False) | {"x": "!" * 64},
    "odd kid": EC.as_dict(private=False) | {"kid": "a;b\n"},
    "a list": [EC.as_dict(private=False)],
    "nothing": None,
}


@pytest.mark.parametrize("jwk", REFUSED.values(), ids=REFUSED)
def test_what_is_no_public_key_of_those_two_kinds_is_refused(jwk):
    with pytest.raises(InputError) as caught:
        keys.canonical(jwk)
    assert caught.value.where == "keys"


def test_a_key_in_another_spelling_is_refused():
    text = keys.canonical(EC.as_dict(private=False))
    for other in (text.replace(",", ", "), text + " ", "[]", "{}", "x"):
        with pytest.raises(InputError):
            keys.parse_key(other)


def test_a_device_with_a_key_is_signed_with_it_and_one_without_is_written_as_ever():
    device = Device("pump-1", keys=frozenset({keys.canonical(EC.as_dict(private=False))}))
    check(device)
    assert from_canonical(canonical(device)) == device
    plain = Device("pump-1", addresses=frozenset({"10.0.0.1"}))
    assert b"keys" not in canonical(plain)
    assert from_canonical(canonical(plain)) == plain
    with pytest.raises(InputError):
        check(dataclasses.replace(device, keys=frozenset({"{}"})))
    with pytest.raises(ValueError, match="not a device"):
        from_canonical(canonical(dataclasses.replace(device, keys=frozenset({"{}"}))))


def test_a_key_travels_through_a_sheet():
    device = Device(
        "pump-1", keys=frozenset({keys.canonical(key.as_dict(private=False)) for key in (EC, RSA)})
    )
    assert sheet.parse(sheet.write([device]).encode()).devices == (device,)
