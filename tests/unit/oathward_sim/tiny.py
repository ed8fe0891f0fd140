"""A gateway of fifty lines for the simulator's own tests: it does what Oathward should, and fails on request."""

import asyncio
import itertools
from datetime import UTC, datetime

from oathward_sim.hl7 import END, START, answer, frame, header_field

NO_IDENTITY = (b"OBR", b"PID", b"NTE", b"PV1", b"NK1", b"IN1", b"MRG")


class TinyGateway:
    """Take MLLP, answer AA, deliver by the hospital's own facts.

    Faults: ``lose``, ``twice`` and ``leak`` hold control ids; ``drop_answers`` closes the connection instead of
    answering, so many times.
    """

    def __init__(self, hospital, addresses, *, seal=None, tls=None, door=None):
        self.hospital, self.addresses, self.seal, self.tls = hospital, addresses, seal, tls
        self.door = door
        self.consented = {p.mrn for p in hospital.patients if p.permits_research}
        self.canary = hospital.canary.mrn
        self.known = {d.name for d in hospital.devices}
        self.seen, self.count = {}, itertools.count(1)
        self.queues, self.tasks, self.writers = {}, [], []
        self.lose, self.twice, self.leak, self.drop_answers = set(), set(), set(), 0

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0, limit=1 << 20)
        self.port = self.server.sockets[0].getsockname()[1]
        if self.door is not None:
            self.secure = await asyncio.start_server(self.serve, "127.0.0.1", 0, limit=1 << 20, ssl=self.door)
            self.tls_port = self.secure.sockets[0].getsockname()[1]
        for name, port in self.addresses().items():
            self.queues[name] = asyncio.Queue()
            if port:
                self.tasks.append(asyncio.create_task(self.courier(port, self.queues[name])))
        return self

    async def __aexit__(self, *_):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.server.close()
        if self.door is not None:
            self.secure.close()
        for writer in self.writers:
            writer.close()
        await asyncio.sleep(0.05)

    async def serve(self, reader, writer):
        self.writers.append(writer)
        try:
            while True:
                body = (await reader.readuntil(END)).removeprefix(START).removesuffix(END)
                self.route(body)
                if self.drop_answers:
                    self.drop_answers -= 1
                    break
                writer.write(frame(answer(body, "AA", datetime.now(UTC))))
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    def route(self, body):
        control = header_field(body, 10).decode()
        sender = header_field(body, 3).split(b"^")[0].decode()
        if control in self.seen and self.seen[control] == body:
            return
        self.seen[control] = body
        if sender not in self.known or control.startswith("X"):
            return
        people = {p.mrn for p in self.hospital.everyone if p.mrn.encode() in body}
        type_ = header_field(body, 9)
        self.deliver("ehr", body, control)
        if not type_.startswith(b"ORU") or self.canary in people:
            return
        safe = b"\r".join(
            line
            for line in body.split(b"\r")
            if line[:3] not in NO_IDENTITY
            and not (line.startswith(b"OBX") and (b"|TX|" in line or b"|ST|" in line))
        )
        for device in self.hospital.devices:
            if sender == device.name:
                safe = safe.replace(control.encode(), b"C" + control[-6:].encode())
                safe = safe.replace(device.name.encode(), b"ALIAS").replace(device.eui.encode(), b"")
        self.deliver("vendor-cloud", body if control in self.leak else safe, control)
        if people and people <= self.consented and type_.startswith(b"ORU^R01"):
            self.deliver("research-registry", safe, control)

    def deliver(self, recipient, body, control):
        if recipient not in self.queues or (recipient, control) in self.lose:
            return
        for _ in range(2 if (recipient, control) in self.twice else 1):
            out = f"O{next(self.count):08d}"
            head, _, rest = body.partition(b"\r")
            fields = head.split(b"|")
            fresh = b"|".join([*fields[:9], out.encode(), *fields[10:]]) + b"\r" + rest
            self.queues[recipient].put_nowait(self.seal(recipient, out, fresh) if self.seal else fresh)

    async def courier(self, port, queue):
        item = reader = writer = None
        while True:
            item = item or await queue.get()
            try:
                if writer is None:
                    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=self.tls)
                    self.writers.append(writer)
                writer.write(frame(item))
                await reader.readuntil(END)
                item = None
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.02)
            finally:
                if item is not None and writer is not None:
                    writer.close()
                    writer = None
