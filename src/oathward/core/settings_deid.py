"""Settings of de-identifying folders; part of ``settings``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deid:
    """`oathward deid`: what reads the files of a folder."""

    processes: int = (
        0  # that read files at once, at most: few files are not worth starting many; 0: one a core
    )
    file_time_s_max: float = 60.0  # a file that takes longer is held
    memory_bytes_max: int = 2_147_483_648  # of one such process
    resume_days: int = 30  # so long a job that stopped can go on; then what it knew to search for goes
    job_rows_days: int = 2_190  # how long what became of each file is kept, which `oathward trace` goes by; the ledger keeps its own
    language: str = ""  # of texts, en or es; empty: told by each text
    zone: str = "UTC"  # of the site, `Europe/Berlin`: moved times that say an offset say its offset without summer time
    pixel_boxes_file: str = (
        ""  # where devices of the site draw text into images; a relative path is one in the data folder
    )
    text_model: str = ""  # a program on this machine that reads texts too; its whole path and what it is told
    text_model_folders: str = (
        ""  # what that program may read besides the system's libraries, set apart by `:`
    )
    text_model_memory_bytes_max: int = 8_589_934_592  # of that program; one runs beside each process
