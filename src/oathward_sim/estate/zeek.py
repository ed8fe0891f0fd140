"""Logs as Zeek writes them: JSON lines, or its own tab-separated ones, a folder a day.

Source: the Zeek manual, log files: names, order and types of the fields; ``#separator``, ``#unset_field``, ``#empty_field`` of its ASCII writer.
Fields of its optional scripts: conn/mac-logging, conn/vlan-logging, dhcp/software, protocols/conn/known-*.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

import orjson

_ID = "id.orig_h:addr id.orig_p:port id.resp_h:addr id.resp_p:port"
_FIELDS = {
    "conn": f"ts:time uid:string {_ID} proto:enum service:string duration:interval orig_bytes:count resp_bytes:count conn_state:string local_orig:bool local_resp:bool missed_bytes:count history:string orig_pkts:count orig_ip_bytes:count resp_pkts:count resp_ip_bytes:count orig_l2_addr:string resp_l2_addr:string vlan:int",
    "dhcp": "ts:time uids:set[string] client_addr:addr server_addr:addr mac:string host_name:string client_fqdn:string domain:string requested_addr:addr assigned_addr:addr lease_time:interval client_message:string server_message:string msg_types:vector[string] duration:interval client_software:string",
    "ssl": f"ts:time uid:string {_ID} version:string cipher:string server_name:string resumed:bool established:bool cert_chain_fps:vector[string]",
    "x509": "ts:time fingerprint:string certificate.version:count certificate.serial:string certificate.subject:string certificate.issuer:string certificate.not_valid_before:time certificate.not_valid_after:time",
    "http": f"ts:time uid:string {_ID} trans_depth:count method:string host:string uri:string version:string user_agent:string request_body_len:count response_body_len:count status_code:count",
    "software": "ts:time host:addr software_type:enum name:string version.major:count version.minor:count unparsed_version:string",
    "mqtt_connect": f"ts:time uid:string {_ID} proto_name:string proto_version:string client_id:string connect_status:string",
    "known_hosts": "ts:time host:addr",
    "known_devices": "ts:time mac:string dhcp_host_name:string",
    "known_services": "ts:time host:addr port_num:port port_proto:enum service:set[string]",
    "dns": f"ts:time uid:string {_ID} proto:enum trans_id:count query:string qtype_name:string rcode_name:string answers:vector[string]",
}  # fmt: skip
FIELDS = {log: [tuple(field.rsplit(":", 1)) for field in row.split()] for log, row in _FIELDS.items()}
"""Log -> (field, Zeek type), in order."""


class Logs:
    """The logs of one sensor, open for a day.

    Args:
        folder: of the sensor. style: ``json``, ``tsv`` or ``json.gz``.
    """

    def __init__(self, folder: Path, style: str) -> None:
        self._folder, self._style = folder, style
        self._day = ""
        self._open: dict[str, BinaryIO] = {}
        self._raw: list[BinaryIO] = []
        self._rows: dict[str, list[tuple[Any, ...]]] = {}
        self.written = 0

    def add(self, log: str, *row: Any) -> None:
        """Take a row, in the order of ``FIELDS``; what is missing at its end is unset."""
        self._rows.setdefault(log, []).append(row)

    def flush(self, day: str) -> None:
        """Write what was taken, by time, into the logs of a day."""
        if day != self._day:
            self.close()
            self._day = day
        for log, rows in self._rows.items():
            if not rows:
                continue
            rows.sort(key=lambda row: cast("float", row[0]))
            out = self._open.get(log) or self._begin(log)
            encode = _tsv if self._style == "tsv" else _json
            out.write(encode(log, rows))
            self.written += len(rows)
            rows.clear()

    def close(self) -> None:
        """End the day."""
        for out in [*self._open.values(), *self._raw]:
            out.close()
        self._open.clear()
        self._raw.clear()

    def _begin(self, log: str) -> BinaryIO:
        folder = self._folder / self._day
        folder.mkdir(parents=True, exist_ok=True)
        if self._style == "json.gz":
            # No name and no time inside: the same estate is the same bytes.
            raw = (folder / f"{log}.log.gz").open("wb")
            self._raw.append(raw)
            out = cast("BinaryIO", gzip.GzipFile("", "wb", 1, raw, 0))
        else:
            out = (folder / f"{log}.log").open("wb")
        if self._style == "tsv":
            names, types = zip(*FIELDS[log], strict=True)
            head = [
                "#separator \\x09",
                "#set_separator\t,",
                "#empty_field\t(empty)",
                "#unset_field\t-",
                f"#path\t{log}",
            ]
            out.write(
                "\n".join([*head, "\t".join(("#fields", *names)), "\t".join(("#types", *types)), ""]).encode()
            )
        self._open[log] = out
        return out


def _json(log: str, rows: Sequence[tuple[Any, ...]]) -> bytes:
    names = [name for name, _ in FIELDS[log]]
    dump, newline = orjson.dumps, orjson.OPT_APPEND_NEWLINE
    # zip ends with the shorter: a row may leave its last fields out.
    return b"".join(
        [
            dump({n: v for n, v in zip(names, row, strict=False) if v is not None}, option=newline)
            for row in rows
        ]
    )


def _tsv(log: str, rows: Sequence[tuple[Any, ...]]) -> bytes:
    width = len(FIELDS[log])
    lines = ["\t".join([*map(_cell, row), *("-" for _ in range(width - len(row)))]) for row in rows]
    return ("\n".join(lines) + "\n").encode()


def _cell(value: Any) -> str:
    if value is None or value == "":
        return "-" if value is None else "(empty)"
    if value is True or value is False:
        return "T" if value else "F"
    if isinstance(value, float):
        return f"{value:.6f}"
    if isinstance(value, list):
        return ",".join(value) or "(empty)"
    return str(value)
