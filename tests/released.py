"""Files of the corpus, de-identified as the command does it, and which of the output comes of which of the input."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from tests import forked
from tests.corpus import CORPUS
from tests.site import Site

from oathward.deidentifying.job import name_of
from oathward.vault.keeper import client

SUFFIXES = (".hl7", ".json", ".ndjson", ".dcm")
_HEADERS = (
    "CT_small.dcm",
    "MR_small.dcm",
    "rtplan.dcm",
    "nested_priv_SQ.dcm",
    "waveform_ecg.dcm",
    "reportsi.dcm",
)


def some(folder: Path = CORPUS) -> list[Path]:
    """Choose a few files of each format, about two megabytes; none whose pixels would be read."""
    found = [*(folder / "hl7v2" / "deidentify-pairs").rglob("*.hl7")]
    found += sorted((folder / "hl7v2" / "cdc-elr").rglob("*.hl7"))[::3]
    found += sorted((folder / "hl7v2" / "fhir-converter-input").glob("*.hl7"))[::4]
    bundles = (folder / "fhir" / "synthea-r4-bundles").glob("*.json")
    found += sorted(bundles, key=lambda path: path.stat().st_size)[:3]
    found += [*(folder / "fhir" / "r4-examples").glob("*.json")]
    found += [*(folder / "fhir" / "leap-consent-fixtures" / "patients").glob("*.json")]
    found += [*(folder / "dicom" / "pydicom-charset").rglob("*.dcm")]
    return found + [path for path in (folder / "dicom").rglob("*.dcm") if path.name in _HEADERS]


def every(folder: Path = CORPUS) -> list[Path]:
    """Give all files of the corpus that are HL7 v2, FHIR as JSON, or DICOM; not what a converter made of messages that are here themselves."""
    found = (path for kind in ("hl7v2", "fhir", "dicom") for path in (folder / kind).rglob("*"))
    return [path for path in found if path.suffix in SUFFIXES and "expected" not in str(path)]


def written(site: Site, files: Iterable[Path], folder: Path, profile: str) -> dict[Path, Path]:
    """De-identify files as the command does: source -> what was written of it; what is held is not there."""
    inside = folder / "in"
    for path in files:
        copy = inside / path.relative_to(CORPUS)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    out = folder / "out"
    terms = ("--profile", profile, "--project", "p1", "--data", str(site.folder), "--json")
    done = forked.run(["deid", str(inside), "--out", str(out), *terms])
    assert done.stdout, done.stderr
    assert json.loads(done.stdout)["files"] > 0
    with client.connect(site.settings, "gateway") as keeper:
        key = keeper.device_key("p1")
    made = {path.stem: path for path in out.rglob("*") if path.suffix in SUFFIXES}
    sources = (path for path in sorted(inside.rglob("*")) if path.is_file())
    named = {path: name_of(key, str(path.relative_to(inside))) for path in sources}
    return {path: made[name] for path, name in named.items() if name in made}
