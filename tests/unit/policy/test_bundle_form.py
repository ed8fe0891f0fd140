"""One canonical form: the same bundle has the same bytes whatever order and platform it came from."""

import random

import pytest
from tests.unit.policy import small

from oathward.policy import starter
from oathward.policy.bundle import load
from oathward.policy.errors import PolicyErrors
from oathward.policy.files import canonical, digest, unpack

TINY = {"bundle.toml": b'name = "tiny"\n', "links/a.toml": b'id = "a"\n'}


def test_order_line_ends_separators_and_marks_do_not_matter():
    files = small.files()
    names = list(files)
    random.Random(7).shuffle(names)
    wanted = canonical(files)
    assert canonical({name: files[name] for name in names}) == wanted
    assert canonical({n.replace("/", "\\"): c.replace(b"\n", b"\r\n") for n, c in files.items()}) == wanted
    assert canonical({n: b"\xef\xbb\xbf" + c for n, c in files.items()}) == wanted
    assert load(files).digest == load({name: files[name] for name in names}).digest == digest(files)


def test_the_form_is_fixed():
    assert (
        canonical(TINY)
        == b'{"files":{"bundle.toml":"name = \\"tiny\\"\\n","links/a.toml":"id = \\"a\\"\\n"}}'
    )
    assert digest(TINY).hex() == "c94a6c58fafac7dcbbff069d65b61936843575eb3d987a6192c01fd490f297af"


def test_any_change_changes_it():
    assert digest(TINY | {"links/a.toml": b'id = "b"\n'}) != digest(TINY)
    assert digest(TINY | {"links/b.toml": b""}) != digest(TINY)


def test_it_unpacks_to_what_it_was():
    files = small.files()
    again = unpack(canonical(files))
    assert again == files
    assert load(again).digest == load(files).digest
    for body in (b"", b"[]", b"{}", b'{"files":[]}', b'{"files":{"a":1}}', b"\xff"):
        with pytest.raises(PolicyErrors, match="not the canonical form"):
            unpack(body)
    with pytest.raises(PolicyErrors, match="not UTF-8"):
        canonical({"README.md": b"\xff"})


def test_the_starter_takes_addresses_and_keys():
    bundle = load(
        starter.files(
            addresses={
                "ehr": "mllps://127.0.0.1:4001",
                "home-care": "https://127.0.0.1:4004/fhir",
                "research-registry": "https://127.0.0.1:4002/r4",
                "vendor-cloud": "mllps://127.0.0.1:4003",
            },
            keys={"research-registry": small.KEY},
            server_names={"ehr": "localhost", "research-registry": "registry"},
        )
    )
    ehr, registry = bundle.recipients["ehr"], bundle.recipients["research-registry"]
    assert (ehr.kind, ehr.address, ehr.tls and ehr.tls.server_name) == (
        "mllps",
        "127.0.0.1:4001",
        "localhost",
    )
    assert (registry.address, registry.public_key, registry.protection) == (
        "https://127.0.0.1:4002/r4",
        small.KEY,
        "mtls+e2e",
    )
    assert registry.tls
    assert registry.tls.server_name == "registry"
    care = bundle.recipients["home-care"]
    assert (care.kind, care.wire, care.protection) == ("fhir", "fhir", "mtls")
    dropped = load(
        starter.files({"research-registry": "file:drop/registry"}, {"research-registry": small.KEY})
    )
    assert (dropped.recipients["research-registry"].tls, dropped.links["research-registry"].format) == (
        None,
        "fhir",
    )
    plain = starter.files(addresses={"ehr": "mllp://127.0.0.1:4001"}, keys={"research-registry": small.KEY})
    with pytest.raises(PolicyErrors, match="gives none, link `ehr` needs mtls"):
        load(plain)
    with pytest.raises(KeyError):
        starter.files(addresses={"nobody": "file:x"})
    with pytest.raises(KeyError):
        starter.files(keys={"ehr": small.KEY})


def test_the_starter_without_a_key_says_that_it_is_missing():
    with pytest.raises(PolicyErrors) as caught:
        load(starter.files())
    assert [error.where for error in caught.value.errors] == ["recipients/research-registry.toml:7"]


def test_the_bundle_says_what_it_keeps():
    bundle = small.bundle()
    assert bundle.keep is bundle.links["keep"]
    rest = {p: c for p, c in small.files().items() if p != "links/keep.toml"}
    rest["policies/links.cedar"] = rest["policies/links.cedar"].replace(
        b'@id("keep")\npermit(principal, action == Action::"Disclose", resource == Link::"keep");', b""
    )
    rest["policies/links.test.toml"] = b""
    assert load(rest).keep is None
