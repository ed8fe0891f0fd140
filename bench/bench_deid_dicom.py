"""DICOM: how many CT files of 0.5 MB a second are de-identified disk to disk on one core, whole profile.

Oathward reads a file, writes what may leave (headers new, pixel data copied by the kernel) and goes on to the next; nothing is
flushed, by anybody. Beside it in the same run: dicom-anonymizer, dicognito and deid with their own defaults, on the same files.
After each the planted names and numbers are searched in all that was written: a peer that leaves some says so.

Besides, the whole of ``oathward deid`` over the same files, by one process and by as many as there are cores: workers that are confined,
journal, flushes, and the search of all output. What it takes for half of the files, with all that starting is, is taken off.

Goal: 1,000 files a second.
"""

from __future__ import annotations

import argparse
import dataclasses
import mmap
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests import forked
from tests.dicom import ct, dataset, encoded
from tests.site import Site

from bench import numbers
from bench.peers.setup import ready
from oathward.core.labels import CLASSES
from oathward.deid.action import Seeds, days_of
from oathward.deid.dicom import compile_dicom, known_of
from oathward.deid.plan import deciding
from oathward.deid.profile import builtin_profiles
from oathward.deid.text.model import Context
from oathward.protocols.dicom.reader import decode

GOAL_PER_S = 1_000
SECRETS = (b"Moreau", b"Adele", b"MRN-0047110", b"Okafor", b"ACC-77120", b"Elsewhere")
PEERS = ("dicom-anonymizer", "dicognito", "deid")
_SEED = bytes(range(32))


def main() -> int:
    """Measure, print, keep; 1 when the goal was missed or a secret is left."""
    options = _options()
    numbers.say_about(numbers.about())
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        (folder / "in").mkdir()
        for number in range(options.files):
            (folder / "in" / f"{number:05}.dcm").write_bytes(_file(number))
        found: dict[str, tuple[float, int]] = {}
        for profile in ("safe-harbor", "research"):
            best = max(_ours(folder, profile) for _ in range(options.rounds))
            found[f"oathward {profile}"] = best, _left(folder / "out")
        for processes in dict.fromkeys((1, os.cpu_count() or 1)):
            rate = max(_command(folder, processes) for _ in range(options.rounds))
            found[f"oathward deid, {processes} process{'es' * (processes > 1)}"] = rate, _left(folder / "out")
        for peer in () if options.no_peers else PEERS:
            found[peer] = _peer(folder, peer), _left(folder / "out")
    for who, (rate, left) in found.items():
        print(f"{who:24} {rate:8.0f} files/s   {left} of {len(SECRETS)} planted values left")
    numbers.keep(
        "deid_dicom", {who: {"files_per_s": rate, "left": left} for who, (rate, left) in found.items()}
    )
    ours = [value for who, value in found.items() if who.startswith("oathward")]
    return int(min(rate for rate, _ in ours[:2]) < GOAL_PER_S or any(left for _, left in ours))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", help="where files are written; default: the system's temporary folder")
    parser.add_argument("--no-peers", action="store_true")
    return parser.parse_args()


def _file(number: int) -> bytes:
    """Give one slice of 512 x 512 pixels with the header that a scanner writes."""
    code = dataset(CodeValue="CTHEAD", CodingSchemeDesignator="99HOSP", CodeMeaning="Head for Moreau")
    made = ct(
        Rows=512,
        Columns=512,
        PixelData=bytes(512 * 512 * 2),
        SOPInstanceUID=f"1.3.6.1.4.1.99999.1.2.{number + 10}",
        InstanceNumber=number,
        ImageType=["ORIGINAL", "PRIMARY", "AXIAL"],
        SeriesDate="20240229",
        AcquisitionDate="20240229",
        ContentDate="20240229",
        StudyTime="101500",
        SeriesTime="101612",
        AcquisitionTime="101733.120000",
        ContentTime="101733.480000",
        AccessionNumber="ACC-77120",
        Manufacturer="ACME",
        ManufacturerModelName="Scan 64",
        InstitutionName="St. Elsewhere",
        ReferringPhysicianName="Okafor^Ngozi",
        OperatorsName="Okafor^Ngozi",
        StationName="CT-3",
        StudyDescription="CT head of Adele Moreau",
        SeriesDescription="HEAD 5.0 H31s",
        ProtocolName="Head",
        PatientSex="F",
        PatientAge="070Y",
        PatientWeight="61",
        OtherPatientIDs="MRN-0047110",
        SoftwareVersions="VB42",
        DeviceSerialNumber="SN-4711",
        KVP="120",
        SliceThickness="5",
        ExposureTime="1000",
        XRayTubeCurrent="200",
        ConvolutionKernel="H31s",
        FrameOfReferenceUID="1.3.6.1.4.1.99999.7",
        ImagePositionPatient=[-120.5, -120.5, number * 5.0],
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        SliceLocation=str(number * 5.0),
        PixelSpacing=[0.47, 0.47],
        WindowCenter="40",
        WindowWidth="80",
        RescaleIntercept="-1024",
        RescaleSlope="1",
        ProcedureCodeSequence=[code],
        RequestAttributesSequence=[dataset(ScheduledProcedureStepID="77120", RequestedProcedureID="77120")],
        ReferencedImageSequence=[
            dataset(
                ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.2",
                ReferencedSOPInstanceUID="1.3.6.1.4.1.99999.1.2.9",
            )
        ],
    )
    block = made.private_block(0x0029, "ACME CSA HEADER", create=True)
    for element in range(0x08, 0x28):
        block.add_new(element, "LO", f"Moreau {element}")
    return encoded(made)


def _ours(folder: Path, name: str) -> float:
    """Give files a second: seeds and rewriter are there, as a worker has them."""
    profile = builtin_profiles()[name]
    write = compile_dicom(profile, CLASSES)
    decide = deciding(profile, CLASSES)
    seeds = Seeds(_SEED, _SEED, "1", 2026, days=days_of(_SEED))
    out = _emptied(folder / "out")
    files = sorted((folder / "in").iterdir())
    begin = time.perf_counter()
    for path in files:
        source = os.open(path, os.O_RDONLY)
        target = os.open(out / path.name, os.O_WRONLY | os.O_CREAT, 0o600)
        with mmap.mmap(source, 0, access=mmap.ACCESS_READ) as data, memoryview(data) as view:
            file = decode(view)
            known = Context(known_of(file), decide)
            done = write(file, "1", dataclasses.replace(seeds, text=known))
            for piece in done.pieces:
                if isinstance(piece, bytes):
                    os.write(target, piece)
                else:
                    _copy(source, target, *piece)
            file.data.release()
        os.close(source)
        os.close(target)
    return len(files) / (time.perf_counter() - begin)


def _command(folder: Path, processes: int) -> float:
    """Give files a second of the command, by what the second half of the files takes: all its workers run by then."""
    files = sorted((folder / "in").iterdir())
    half = _emptied(folder / "half")
    for path in files[: len(files) // 2]:
        os.link(path, half / path.name)
    least = _seconds(folder, half, processes)
    return (len(files) - len(files) // 2) / (_seconds(folder, folder / "in", processes) - least)


def _seconds(folder: Path, source: Path, processes: int) -> float:
    shutil.rmtree(folder / "site", ignore_errors=True)
    site = Site.make(folder / "site", more=f"[deid]\nprocesses = {processes}")
    terms = ("--profile", "safe-harbor", "--project", "p1", "--data", str(site.folder))
    begin = time.perf_counter()
    done = forked.run(["deid", str(source), "--out", str(_emptied(folder / "out")), *terms])
    took = time.perf_counter() - begin
    assert not done.returncode, done.stderr
    return took


def _copy(source: int, target: int, offset: int, length: int) -> None:
    while length:
        copied = os.copy_file_range(source, target, length, offset)
        offset, length = offset + copied, length - copied


def _peer(folder: Path, name: str) -> float:
    home = ready("dicom-deid")
    out = _emptied(folder / "out")
    done = subprocess.run(
        [home / "venv" / "bin" / "python", home / "inout.py", name, folder / "in", out],
        check=True,
        stdout=subprocess.PIPE,
        stderr=sys.stderr,
    )
    return float(done.stdout.split()[-1])


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def _left(folder: Path) -> int:
    """Count the planted values that are in any of the files."""
    whole = b"\0".join(path.read_bytes()[:20_000] for path in folder.rglob("*") if path.is_file())
    return sum(secret in whole for secret in SECRETS)


if __name__ == "__main__":
    sys.exit(main())
