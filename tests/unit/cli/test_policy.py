"""``oathward policy``: a bundle from empty folder to in force, and what is refused on the way."""

import base64
import json
import os
from pathlib import Path

import pytest
from tests.unit.policy import small

from oathward import activation
from oathward.app import build
from oathward.cli.main import run
from oathward.cli.policy import read_folder
from oathward.core.db import connect, read, write
from oathward.core.errors import AuthorityError, InputError
from oathward.core.reasons import Reason
from oathward.core.settings import load as load_settings
from oathward.ledger import Query, search
from oathward.policy.errors import PolicyErrors
from oathward.policy.files import canonical
from oathward.vault.authority import Seen, put
from oathward.vault.keeper.proof import admin_proof

KEY = base64.b64encode(small.KEY).decode()
NAMED = ("--key", f"research-registry={KEY}")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with its keeper; tests activate one bundle after another in it."""
    data = tmp_path_factory.mktemp("site")
    assert run(["init", "--data", str(data)]) == 0
    return data


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "policy"
    assert run(["policy", "init", str(path), *NAMED]) == 0
    return path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def said(capfd: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict:
    """Run with --json; stdout is one document and nothing else."""
    capfd.readouterr()
    assert run(["policy", *arguments, "--json"]) == code
    return json.loads(capfd.readouterr().out)


# --- init


def test_init_writes_a_bundle_that_only_lacks_a_key(tmp_path: Path, capfd):
    found = said(capfd, "init", str(tmp_path / "p"))
    assert "links/ehr.toml" in found["files"]
    assert run(["policy", "check", str(tmp_path / "p")]) == 65
    assert capfd.readouterr().err.count("error[bundle.invalid]") == 1


def test_init_takes_addresses_and_keys(tmp_path: Path):
    assert run(["policy", "init", str(tmp_path / "p"), *NAMED, "--address", "ehr=mllps://10.0.0.5:6000"]) == 0
    bundle = activation.check(read_folder(tmp_path / "p"))
    assert bundle.recipients["ehr"].address == "10.0.0.5:6000"
    assert bundle.recipients["research-registry"].public_key == small.KEY


@pytest.mark.parametrize(
    "wrong",
    [
        ("--key", "research-registry=?"),
        ("--key", "research-registry"),
        ("--key", f"ehr={KEY}"),
        ("--address", "nobody=file:x"),
        ("--address", "ehr=mllp:/foo"),
        ("--address", "ehr=mllps://host:99999"),
        ("--address", "home-care=https://host:99999/fhir"),
        ("--address", "home-care=https:///fhir"),
        ("--address", "home-care=https://host/fhir?x"),
        ("--address", "ehr=file:"),
    ],
)
def test_init_refuses_what_does_not_fit(tmp_path: Path, wrong):
    assert run(["policy", "init", str(tmp_path / "p"), *wrong]) == 65


def test_init_lists_the_recipients_there_are(tmp_path: Path, capfd):
    assert run(["policy", "init", str(tmp_path / "p"), "--address", "her=file:x"]) == 65
    assert (
        "takes ehr, home-care, research-registry, vendor-cloud; the starter has no `her`"
        in capfd.readouterr().err
    )
    assert run(["policy", "init", str(tmp_path / "p"), "--key", f"ehr={KEY}"]) == 65
    assert "takes research-registry;" in capfd.readouterr().err


def test_init_says_what_is_left_to_fill_in_and_nothing_when_nothing_is(tmp_path: Path, capfd):
    one, two = tmp_path / "one", tmp_path / "two"
    assert run(["policy", "init", str(one), *NAMED]) == 0
    out = capfd.readouterr().out
    assert [line for line in out.splitlines() if line.startswith("Fill in")] == [
        f"Fill in {one}/recipients/{name}.toml: what stands there is a placeholder."
        for name in ("ehr", "home-care", "research-registry", "vendor-cloud")
    ]
    addresses = ("--address", "ehr=mllps://ehr.here:2576", "--address", "vendor-cloud=mllps://v.there:2576")
    addresses += (
        "--address",
        "home-care=https://care.here:8443/fhir",
        "--address",
        "research-registry=file:/srv/drop",
    )
    assert run(["policy", "init", str(two), *NAMED, *addresses]) == 0
    out = capfd.readouterr().out
    assert "Fill in" not in out
    assert f"Next: oathward policy check {two}" in out
    assert 'server_name = "v.there"' in (two / "recipients" / "vendor-cloud.toml").read_text()


def test_files_that_tls_needs_and_nobody_put_there_are_a_warning(tmp_path: Path, folder: Path, capfd):
    data = tmp_path / "data"
    assert run(["init", "--data", str(data)]) == 0
    found = said(capfd, "check", str(folder), "--data", str(data))["warnings"]
    assert len(found) == 12
    assert f"recipients/ehr.toml [tls] ca: site-ca.pem is not in {data}/recipients;" in found[0]
    (data / "recipients").mkdir(exist_ok=True)
    for name in ("site-ca.pem", "vendor-ca.pem", "registry-ca.pem", "courier.pem", "courier.key"):
        (data / "recipients" / name).touch()
    assert said(capfd, "check", str(folder), "--data", str(data))["warnings"] == []
    (data / "recipients" / "courier.key").unlink()
    assert run(["policy", "activate", str(folder), "--data", str(data)]) == 0
    assert capfd.readouterr().err.count("warning: recipients/") == 4


def test_the_bundle_in_force_is_not_activated_twice(tmp_path: Path, folder: Path, capfd):
    data = ("--data", str(tmp_path / "data"))
    assert run(["init", *data]) == 0
    first = said(capfd, "activate", str(folder), *data)
    second = said(capfd, "activate", str(folder), *data)
    assert (first["active"], first["unchanged"]) == ("starter@1", False)
    assert (second["active"], second["unchanged"], second["changes"]) == ("starter@1", True, [])
    assert run(["policy", "activate", str(folder), *data]) == 0
    assert "unchanged" in capfd.readouterr().out


def test_init_overwrites_nothing(folder: Path):
    edit(folder / "bundle.toml", "starter", "mine")
    assert run(["policy", "init", str(folder)]) == 65
    assert "mine" in (folder / "bundle.toml").read_text()


# --- check and test


def test_check_names_every_mistake(folder: Path, capfd):
    assert said(capfd, "check", str(folder))["tests"] == 18
    edit(folder / "links" / "ehr.toml", "retention_days", "retention_day")
    edit(folder / "labels.toml", '["PSY"]', '["PSI"]')
    assert run(["policy", "check", str(folder)]) == 65
    lines = capfd.readouterr().err.splitlines()
    assert lines[0].startswith(
        "error[bundle.invalid] labels.toml:8: `PSI` is no sensitivity code; did you mean"
    )
    assert (
        lines[1]
        == "error[bundle.invalid] links/ehr.toml:14: unknown key `retention_day`; did you mean `retention_days`?"
    )


def test_a_failing_test_is_exit_code_1(folder: Path, capfd):
    assert said(capfd, "test", str(folder))["passed"] is True
    edit(folder / "policies" / "links.test.toml", 'expect = "permit"', 'expect = "deny"')
    found = said(capfd, "test", str(folder), code=1)
    assert [t["name"] for t in found["tests"] if not t["passed"]] == ["the record gets a plain result"]
    assert run(["policy", "test", str(folder)]) == 1
    out = capfd.readouterr().out
    assert (
        "FAIL  the record gets a plain result  (policies/links.test.toml:1): expected deny, got permit" in out
    )
    assert "17 of 18 tests passed." in out


# --- reading a folder


def test_hidden_files_are_left_out(folder: Path):
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("x")
    (folder / "links" / ".ehr.toml.swp").write_text("x")
    assert canonical(read_folder(folder)) == activation.check(read_folder(folder)).body


def test_links_and_strange_things_are_refused(folder: Path, tmp_path: Path):
    secret = tmp_path / "secret.toml"
    secret.write_text('id = "secret"')
    (folder / "links" / "leak.toml").symlink_to(secret)
    (folder / "recipients" / "away").symlink_to(tmp_path)
    os.mkfifo(folder / "policies" / "pipe.cedar")
    with pytest.raises(PolicyErrors) as caught:
        read_folder(folder)
    assert [(e.where, e.why) for e in caught.value.errors] == [
        ("links/leak.toml", "is a link; a bundle holds plain files only"),
        ("policies/pipe.cedar", "is not a plain file"),
        ("recipients/away", "is a link; a bundle holds plain files only"),
    ]


def test_a_folder_has_limits(folder: Path, tmp_path: Path):
    (folder / "links" / "big.toml").write_bytes(b"#" * 600_000)
    with pytest.raises(PolicyErrors, match="larger than 524288 bytes"):
        read_folder(folder)
    many = tmp_path / "many"
    many.mkdir()
    for n in range(2_005):
        (many / f"{n}.toml").touch()
    with pytest.raises(PolicyErrors, match="more than 2000 files"):
        read_folder(many)


def test_a_deep_folder_is_not_read(folder: Path):
    (folder / "links" / "deep").mkdir()
    (folder / "links" / "deep" / "a.toml").touch()
    with pytest.raises(PolicyErrors, match="is not a plain file"):
        read_folder(folder)


def test_no_folder():
    with pytest.raises(InputError, match="cannot be read"):
        read_folder(Path("/no/such/folder"))


# --- activate and show


def test_a_bundle_goes_into_force(home: Path, folder: Path, capfd):
    data = ("--data", str(home))
    first = said(capfd, "activate", str(folder), *data)
    assert (first["before"], first["active"]) == (None, "starter@1")
    assert "link ehr added" in first["changes"]
    edit(folder / "links" / "ehr.toml", "retention_days = 7", "retention_days = 8")
    edit(folder / "policies" / "exceptions.cedar", '@id("research', '@notify("dpo")\n@id("research')
    second = said(capfd, "activate", str(folder), *data, "--person", "Ada")
    assert (second["before"], second["active"]) == ("starter@1", "starter@2")
    assert second["changes"] == ["link ehr changed", "policy research-knows-its-patient changed"]
    shown = said(capfd, "show", *data)
    assert (shown["active"], shown["digest"]) == ("starter@2", second["digest"])
    assert run(["policy", "show", *data]) == 0
    assert "research-registry  HRESCH   needed" in capfd.readouterr().out

    settings = load_settings(str(home))
    engine = connect(settings.database_url)
    with read(engine) as db:
        records = list(search(db, settings.site.name, Query(kind="bundle.activated")))
    engine.dispose()
    bodies = sorted((entry.body["version"], entry.body["digest"]) for entry in records)
    assert bodies == [(1, first["digest"]), (2, second["digest"])]


def test_a_bundle_that_fails_its_tests_does_not_activate(home: Path, folder: Path, capfd):
    before = said(capfd, "show", "--data", str(home))["active"]
    edit(folder / "policies" / "links.test.toml", 'expect = "permit"', 'expect = "deny"')
    assert run(["policy", "activate", str(folder), "--data", str(home)]) == 65
    assert (
        "policies/links.test.toml:1: test “the record gets a plain result”: expected deny"
        in capfd.readouterr().err
    )
    assert said(capfd, "show", "--data", str(home))["active"] == before


def test_nothing_is_active_at_first(tmp_path: Path, capfd):
    assert run(["init", "--data", str(tmp_path)]) == 0
    assert run(["policy", "show", "--data", str(tmp_path)]) == 1
    assert "none is active" in capfd.readouterr().err


# --- what processes load


@pytest.fixture
def site(tmp_path: Path):
    """An opened site with the starter bundle in force."""
    assert run(["init", "--data", str(tmp_path / "data")]) == 0
    opened = build(load_settings(str(tmp_path / "data")), "admin")
    bundle = activation.check(small.files())
    activation.activate(opened.engine, opened.site, opened.keeper, bundle, [admin_proof("Ada")], 1)
    yield opened
    opened.keeper.close()
    opened.engine.dispose()


def active(site, seen: Seen | None = None, current=None):
    with read(site.engine) as db:
        return activation.load_active(db, site.site, site.authority, seen or Seen(), current=current)


def again(site, **changed: bytes):
    """Activate another bundle."""
    bundle = activation.check(small.files() | changed)
    return activation.activate(site.engine, site.site, site.keeper, bundle, [admin_proof("Ada")], 2)


def test_what_is_in_force_is_given_back_until_it_changes(site):
    first = active(site)
    assert first.label == "starter@1"
    assert active(site, current=first) is first
    again(site, **{"README.md": b"new"})
    second = active(site, current=first)
    assert second.version == 2
    assert second.bundle.digest != first.bundle.digest


def test_a_bundle_changed_in_the_database_is_refused(site):
    with write(site.engine) as db:
        db.exec_driver_sql(
            "UPDATE authority SET body = CAST(REPLACE(body, 'retention_days = 7', 'retention_days = 9') AS BLOB)"
        )
    with pytest.raises(AuthorityError) as caught:
        active(site)
    assert caught.value.reason is Reason.SIGNATURE_INVALID


def test_an_older_bundle_put_back_is_refused(site):
    again(site, **{"README.md": b"new"})
    seen = Seen()
    assert active(site, seen).version == 2
    with write(site.engine) as db:
        db.exec_driver_sql("DELETE FROM authority WHERE kind = 'bundle' AND version = 2")
    with pytest.raises(AuthorityError) as caught:
        active(site, seen)
    assert caught.value.reason is Reason.AUTHORITY_STALE


def test_a_bundle_this_program_cannot_use_is_refused(site):
    """Signed, but of another program: nothing is decided by half of it."""
    body = canonical(small.changed("bundle.toml", "schema = 1", "schema = 2"))
    document = site.keeper.sign_authority("bundle", "active", 0, body, [admin_proof("Ada")])
    with write(site.engine) as db:
        put(db, document)
    with pytest.raises(AuthorityError, match="write schema = 1") as caught:
        active(site)
    assert caught.value.reason is Reason.BUNDLE_INVALID


def test_a_bundle_with_a_failing_test_is_not_signed(site):
    text = small.files()["policies/links.test.toml"].replace(b'expect = "permit"', b'expect = "deny"')
    with pytest.raises(PolicyErrors):
        again(site, **{"policies/links.test.toml": text})
    assert active(site).version == 1
