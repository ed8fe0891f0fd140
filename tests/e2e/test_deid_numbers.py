"""Numbers run into a project whose data others released: refused where the project names who, else found at once."""

import json

from tests import forked
from tests.e2e.test_deid import TERMS, deid, folder, site  # noqa: F401  the fixtures
from tests.site import bundle as policy

from oathward.core.db import connect, read
from oathward.core.settings import load


def test_a_project_that_names_who_releases_takes_no_job_of_others(site, folder, tmp_path):  # noqa: F811  the fixtures
    files = policy({"care": "mllp://127.0.0.1:9"})
    files["projects.toml"] += b'[p1]\nreleased_by = ["p-ada"]\n'
    site.activate(files)
    argv = ["deid", str(folder), "--out", str(tmp_path / "out"), *TERMS, "--data", str(site.folder)]
    done = forked.run(argv)
    assert b"access.project" in done.stderr, done.stderr
    assert not (tmp_path / "out").exists()
    assert not (site.folder / "deid").exists()


def test_a_list_of_numbers_run_into_what_another_released_is_found_at_once(site, folder, tmp_path):  # noqa: F811  the fixtures
    deid(site, folder, tmp_path / "out", "--person", "ada")
    numbers = tmp_path / "numbers"
    numbers.mkdir()
    for n, number in enumerate(("77310042", "77310043")):
        (numbers / f"{n}.hl7").write_text(
            f"MSH|^~\\&|A|B|C|D|2026||ADT^A08|{n}|P|2.5\rPID|||{number}^^^HOSP^MR\r"
        )
    told = deid(site, numbers, tmp_path / "out-2", "--person", "ben")[1]
    assert (told["written"], told["patients"]) == (2, 2)
    engine = connect(load(str(site.folder)).database_url)
    with read(engine) as db:
        found = db.exec_driver_sql("SELECT rule, body FROM review_finding ORDER BY rule").fetchall()
    engine.dispose()
    assert [(rule, json.loads(body)["by"]) for rule, body in found] == [
        ("job.bare", "ben"),
        ("job.others", "ben"),
    ]
    assert all("knew 1 of its 2 patients before" in json.loads(body)["words"] for _, body in found)
