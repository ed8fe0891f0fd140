"""A site with deliveries waiting, a courier in this process, and recipients that answer when they are told to."""

import asyncio
import contextlib
import socket
import threading
import time

from tests.site import Site, bundle, local
from tests.wire import END, frame, oru

from oathward.app import build
from oathward.courier.process import Courier
from oathward.gateway.commit import commit_group
from oathward.gateway.gate import Gate
from oathward.gateway.path import arrive
from oathward.inventory.model import Peer
from oathward.vault.keeper.server import Server

MRN = "12345678"
PEER = Peer("127.0.0.1", None, ())


class Quiet:
    """Reads what comes, while ``reads`` is set, and keeps it; answers only while ``answers`` is, ``pause_s`` after each."""

    def __init__(self, *, answers=False, pause_s=0.0, reads=True):
        self.pause_s, self.times = pause_s, []
        self.got, self.connections, self.resets, self.closing = [], 0, 0, False
        self.answers = threading.Event()
        if answers:
            self.answers.set()
        self.reads = threading.Event()
        self.server = socket.socket()
        if reads:
            self.reads.set()
        else:
            self.server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.server.bind(("127.0.0.1", 0))
        self.server.listen()
        self.address = f"mllp://127.0.0.1:{self.server.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                one, _ = self.server.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(one,), daemon=True).start()

    def _serve(self, one):
        buffer, waits = b"", []
        one.settimeout(0.02)
        with one, contextlib.suppress(ConnectionError):
            while not self.closing:
                if not self.reads.wait(0.02):
                    continue
                with contextlib.suppress(TimeoutError):
                    try:
                        data = one.recv(65536)
                    except ConnectionResetError:
                        self.resets += 1
                        return
                    if not data:
                        return
                    buffer += data
                while END in buffer:
                    body, _, buffer = buffer.partition(END)
                    self.got.append(body)
                    self.times.append(time.time())
                    waits.append(body)
                while waits and self.answers.is_set():
                    time.sleep(self.pause_s)
                    id_ = waits.pop(0).split(b"\r")[0].split(b"|")[9]
                    one.sendall(frame(b"MSH|^~\\&|R|R|||1||ACK|1|P|2.6\rMSA|AA|" + id_ + b"\r"))

    def close(self):
        self.closing = True
        self.server.close()


def served(folder, recipients, *, count=3, mrn=MRN):
    """Make a site whose gateway took messages for some links: ``payer`` is not for care, the others are."""
    site = Site.make(folder / "s")
    settings = site.folder / "oathward.toml"  # those that do not answer are waited for
    settings.write_text(settings.read_text().replace("reply_timeout_s = 3.0", "reply_timeout_s = 120.0"))
    files = bundle({name: one.address for name, one in recipients.items()})
    if "payer" in recipients:
        payer = files["links/payer.toml"].replace(b'"TREAT"', b'"HPAYMT"').replace(b'"care-team"', b'"hold"')
        files["links/payer.toml"] = payer.replace(b'"pass"', b'"remove"')
    site.activate(files)
    site.add(local())
    take(site, *(oru(f"m{n}", mrn=mrn) for n in range(count)))
    return site


def take(site, *bodies):
    """Have a gateway take messages."""
    gate = Gate(build(site.settings, "gateway"))
    group = [one for body in bodies for one in arrive(gate, body, PEER)]
    commit_group(gate, group)
    gate.close()
    gate.opened.keeper.close()
    gate.engine.dispose()


def says_no(site, folder, *more, mrn=MRN):
    """Put on record that the patient denies everything; gives the subject."""
    identifiers = folder / "ids"
    identifiers.write_text(f"{mrn}^^^HOSP^MR\n")
    return site.cli("consent", "record", "--deny", "--identifier-file", str(identifiers), *more)["subject"]


def deliver(site, what):
    """Run ``what`` with a keeper that serves, and a courier in this process that looks at consents as its process does."""

    async def go():
        server = Server(site.settings)
        opened = build(site.settings, "courier")
        courier = Courier(opened)
        await asyncio.to_thread(courier.knows.watch.look)
        courier.knows.watch.start()
        tending = asyncio.create_task(courier.tend())
        try:
            await courier.refresh()
            await what(courier)
        finally:
            tending.cancel()
            await courier.stop()
            opened.keeper.close()
            opened.engine.dispose()
            server.stop()

    asyncio.run(go())


async def until(what, patience_s=15.0):
    async with asyncio.timeout(patience_s):
        while not what():
            await asyncio.sleep(0.01)
