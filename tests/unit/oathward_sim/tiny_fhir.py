"""A FHIR door of a hundred lines for the simulator's own tests: it does what Oathward should, and fails on request."""

import asyncio
import itertools
import json

from oathward_sim import https


class TinyFhirGateway:
    """Take FHIR, answer, deliver by the hospital's own facts.

    Faults: ``lose``, ``twice``, ``leak`` and ``late`` hold (recipient, how many-eth delivery from 1); ``deaf`` never
    hears of a withdrawal; ``mixes`` does not part the people of a transaction; ``unavailable`` answers 503 so many times.
    """

    def __init__(self, hospital, addresses, seal=None):
        self.addresses, self.seal = addresses, seal
        self.permits = {p.mrn for p in hospital.patients if p.permits_research}
        self.people, self.known, self.seen = {}, {}, {}
        self.ids, self.count = itertools.count(1), {}
        self.lose, self.twice, self.leak, self.late = set(), set(), set(), set()
        self.deaf, self.mixes, self.unavailable = False, False, 0
        self.queues, self.tasks, self.kept_back, self.writers = {}, [], {}, []

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0, limit=1 << 20)
        self.port = self.server.sockets[0].getsockname()[1]
        for name, port in self.addresses().items():
            self.queues[name], self.count[name] = asyncio.Queue(), itertools.count(1)
            self.tasks.append(asyncio.create_task(self.courier(port, self.queues[name])))
        return self

    async def __aexit__(self, *_):
        self.server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for writer in self.writers:
            writer.transport.abort()
        await asyncio.sleep(0.02)

    def withdraw(self, mrn):
        if not self.deaf:
            self.permits.discard(mrn)

    async def serve(self, reader, writer):
        self.tasks.append(asyncio.current_task())
        try:
            while True:
                asked = await https.read_request(reader)
                if self.unavailable:
                    self.unavailable -= 1
                    writer.write(https.answer(503))
                    continue
                count = self.take(asked)
                said = {"resourceType": "Bundle", "entry": [{"response": {"status": "201"}}] * count}
                writer.write(https.answer(200, json.dumps(said).encode()))
        except (EOFError, ConnectionError):
            pass
        finally:
            writer.transport.abort()

    def take(self, asked):
        body = json.loads(asked.body, parse_float=Digits)
        entries = [e["resource"] for e in body.get("entry", ())] or [body]
        if asked.body in self.seen:
            return len(entries)
        self.seen[asked.body] = True
        for one in entries:
            if one["resourceType"] == "Patient":
                self.people[f"Patient/{one['id']}"] = one
        parts = [entries] if body.get("type") == "batch" else [[one] for one in entries]
        if self.mixes and body.get("type") == "transaction":
            parts = [[one for one in entries if one["resourceType"] == "Observation"]]
        elif body.get("type") == "transaction":
            whose = [one for one in entries if one["resourceType"] == "Observation"]
            parts = [[self.people[one["subject"]["reference"]], one] for one in whose]
        for part in parts:
            self.route(part)
        return len(entries)

    def route(self, part):
        subject = part[-1].get("subject", {}).get("reference") or f"Patient/{part[0]['id']}"
        person = self.people[subject]
        self.deliver("home-care", part)
        if part[-1]["resourceType"] == "Observation" and person["identifier"][0]["value"] in self.permits:
            readings = [one for one in part if one["resourceType"] == "Observation"]
            safe = [{k: v for k, v in one.items() if k not in {"subject", "device"}} for one in readings]
            number = self.deliver("research-registry", safe)
            if ("research-registry", number) in self.leak:
                self.deliver(
                    "research-registry", [part[-1] | {"note": [{"text": person["name"][0]["family"]}]}]
                )

    def deliver(self, recipient, part):
        number = next(self.count[recipient])
        if (recipient, number) in self.lose:
            return number
        for _ in range(2 if (recipient, number) in self.twice else 1):
            out = f"o{next(self.ids)}"
            placed = [{**one, "id": f"{out}-{n}"} for n, one in enumerate(part)]
            entries = [
                {"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}}
                for one in placed
            ]
            one = (
                placed[0]
                if len(placed) == 1
                else {"resourceType": "Bundle", "type": "transaction", "entry": entries}
            )
            self.put(recipient, number, out, one)
        return number

    def put(self, recipient, number, out, one):
        data = dumps(one)
        if self.seal and recipient == "research-registry":
            data, one = self.seal(out, data), {"resourceType": "Binary", "id": out}
        method, target = (
            ("POST", "/fhir")
            if one["resourceType"] == "Bundle"
            else ("PUT", f"/fhir/{one['resourceType']}/{one['id']}")
        )
        waiting = self.kept_back.setdefault(recipient, [])
        waiting.append(https.request(method, target, "h", data))
        if (recipient, number) not in self.late:
            while waiting:
                self.queues[recipient].put_nowait(waiting.pop())

    async def courier(self, port, queue):
        item = reader = writer = None
        while True:
            item = item or await queue.get()
            try:
                if writer is None:
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                    self.writers.append(writer)
                writer.write(item)
                await https.read_answer(reader)
                item = None
            except (OSError, EOFError):
                await asyncio.sleep(0.02)
            finally:
                if item is not None and writer is not None:
                    writer.transport.abort()
                    writer = None


class Digits(float):
    """A number that stays as it was written."""

    def __new__(cls, text):
        self = super().__new__(cls, text)
        self.text = text
        return self

    def __repr__(self):
        return self.text


def dumps(value):
    if isinstance(value, Digits):
        return value.text.encode()
    if isinstance(value, dict):
        return b"{" + b",".join(json.dumps(k).encode() + b":" + dumps(v) for k, v in value.items()) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(dumps, value)) + b"]"
    return json.dumps(value).encode()
