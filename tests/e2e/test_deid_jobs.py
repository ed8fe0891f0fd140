"""Jobs of ``oathward deid`` as they are told afterwards: the figures of the report, what was held and why, no path and no name."""

import json

from tests import forked
from tests.e2e.test_deid import HOSTILE, SECRETS, _policy, deid, folder, site, written  # noqa: F401  fixtures
from tests.stopped import not_ended


def jobs(site, *arguments):  # noqa: F811  the fixture
    done = forked.run(["jobs", *arguments, "--data", str(site.folder), "--json"])
    assert done.returncode == 0, done.stderr
    assert not any(secret.encode() in done.stdout.upper() for secret in SECRETS)
    return json.loads(done.stdout)


def same(told, shown):
    """Compare a report with what is told of its job."""
    for name in ("files", "written", "held", "partly_held", "patients", "profile", "project"):
        assert shown[name] == told[name], name
    for name in ("formats", "removed", "changed", "reasons"):
        assert shown["figures"][name] == told[name], name
    assert shown["figures"]["taken_back"] == told["residue"]["taken_back"]
    items = [(one["file"], why["unit"], why["reason"]) for one in told["held_files"] for why in one["why"]]
    assert sorted((one["file"], one["unit"], one["reason"]) for one in shown["held_items"]) == sorted(items)


def test_a_job_says_what_its_report_says(site, folder, tmp_path):  # noqa: F811  the fixtures
    for name, (data, _) in HOSTILE.items():
        (folder / name).write_bytes(data)
    _, told = deid(site, folder, tmp_path / "out")
    [row] = jobs(site)["jobs"]
    assert (row["id"], row["state"], row["done"], row["searched"]) == (told["job"], "ended", told["files"], 2)
    same(told, jobs(site, row["id"]))
    files = {name.split("/")[1].split(".")[0] for name in written(tmp_path / "out")}
    units = site.rows("SELECT file, unit, subject FROM deid_unit")
    assert {file for file, *_ in units} == files
    [(subject,)] = site.rows("SELECT DISTINCT subject FROM deid_unit WHERE subject <> ''")
    assert site.rows(f"SELECT id FROM subject WHERE id = '{subject}'")
    everything = b"".join(path.read_bytes() for path in site.folder.glob("oathward.db*")).upper()
    assert not [secret for secret in SECRETS if secret.encode() in everything]


def test_what_was_taken_back_is_held_and_no_unit_of_it_left(site, folder, tmp_path):  # noqa: F811  the fixtures
    note = (folder / "Quixley, Zoraida" / "77310042.hl7").read_text() + "NTE|1||Zoraida Quixley has pain\r"
    (folder / "note.hl7").write_text(note)
    site.activate(_policy())
    _, told = deid(site, folder, tmp_path / "out", "--profile", "leaky")
    assert told["residue"]["taken_back"]
    shown = jobs(site, told["job"])
    same(told, shown)
    back = {one["file"] for one in shown["held_items"]}
    assert not back & {file for (file,) in site.rows("SELECT file FROM deid_unit")}


def test_a_job_that_goes_on_is_one_job(site, folder, tmp_path):  # noqa: F811  the fixtures
    """Its journal did not end, and what was told of it was lost: the same command tells all of it again."""
    _, told = deid(site, folder, tmp_path / "out")
    [job] = (site.folder / "deid").iterdir()
    not_ended(job)
    _, again = deid(site, folder, tmp_path / "out")
    assert (again["job"], again["resumed"]) == (told["job"], 2)
    [row] = jobs(site)["jobs"]
    same(again, jobs(site, row["id"]))
    assert len(site.records("deid.begun")) == len(site.records("deid.ended")) == 2


def test_what_is_refused_is_no_job(site, folder, tmp_path):  # noqa: F811  the fixtures
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    terms = ("--profile", "research", "--project", "p1")
    done = forked.run(
        ["deid", str(folder), "--out", str(tmp_path / "out"), *terms, "--data", str(site.folder)]
    )
    assert done.returncode not in (0, 1)
    assert jobs(site)["jobs"] == []
    assert site.records("deid.begun") == []
