"""An OpenTelemetry collector for tests: takes OTLP/HTTP on a loopback port and keeps the bytes."""

import http.server
import threading

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


def words(attributes):
    return {
        one.key.removeprefix("oathward."): one.value.string_value or one.value.int_value for one in attributes
    }


def metrics(body: bytes) -> dict:
    """Name and labels -> value."""
    [of] = ExportMetricsServiceRequest.FromString(body).resource_metrics
    [scope] = of.scope_metrics
    return {
        (one.name, *sorted(words(point.attributes).items())): point.as_double
        for one in scope.metrics
        for point in (one.sum if one.HasField("sum") else one.gauge).data_points
    }


def spans(body: bytes) -> list:
    [of] = ExportTraceServiceRequest.FromString(body).resource_spans
    [scope] = of.scope_spans
    return list(scope.spans)


class Collector:
    """What was posted, as (path, content type, body)."""

    def __init__(self, status: int = 200) -> None:
        self.got: list[tuple[str, str, bytes]] = []
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                collector.got.append((self.path, self.headers["content-type"], body))
                self.send_response(collector.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.status = status
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def bodies(self, path: str) -> list[bytes]:
        return [body for got, _, body in self.got if got == path]

    def spans(self) -> list:
        return [span for body in self.bodies("/v1/traces") for span in spans(body)]

    def everything(self) -> bytes:
        return b"".join(body for *_, body in self.got)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
