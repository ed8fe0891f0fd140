"""Numbers and spans as the messages of OTLP, redaction last.

Rules:
- What stays is listed: a label or attribute of another name does not leave.
- A value leaves as text only where it looks like a code: small letters, digits, ``. _ -``, and not long. Anything else
  leaves as ``[phi]``.
- The numbers are those of the Prometheus endpoint (``app.metrics``), by the same names.

Deliberately absent: sending (``sender``), the environment variables of OpenTelemetry's own kit, which is not used.

Source: OpenTelemetry Protocol 1.x, its ``.proto`` files as the package ``opentelemetry-proto`` has them; the metrics data
model's "Prometheus compatibility" (a counter is a cumulative monotonic sum).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from prometheus_client.core import Metric

from oathward.app.telemetry.traces import Span
from oathward.core.phi import MASK

LABELS = frozenset({"door", "event", "kind", "link", "reason", "role", "state", "tries"})
"""What may say something about a number or a span; a new label of ``app.metrics`` is added here, or stays here."""
_CODE = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_UNITS = {"_seconds": "s", "_bytes": "By"}
_SCOPE = "oathward"


def metrics(families: Iterable[Metric], site: str, at_us: int) -> bytes:
    """Write numbers as an export request."""
    request = ExportMetricsServiceRequest()
    of = request.resource_metrics.add()
    of.resource.CopyFrom(_resource(site))
    scope = of.scope_metrics.add()
    scope.scope.name = _SCOPE
    for family in families:
        unit = next((unit for end, unit in _UNITS.items() if family.name.endswith(end)), "1")
        one = scope.metrics.add(name=family.name, description=family.documentation, unit=unit)
        if family.type == "counter":
            one.sum.is_monotonic = True
            one.sum.aggregation_temporality = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
        points = one.sum.data_points if family.type == "counter" else one.gauge.data_points
        for sample in family.samples:
            points.add(
                time_unix_nano=at_us * 1_000, as_double=sample.value, attributes=_attributes(sample.labels)
            )
    written: bytes = request.SerializeToString()
    return written


def traces(spans: Iterable[Span], site: str) -> bytes:
    """Write spans as an export request."""
    request = ExportTraceServiceRequest()
    of = request.resource_spans.add()
    of.resource.CopyFrom(_resource(site))
    scope = of.scope_spans.add()
    scope.scope.name = _SCOPE
    for span in spans:
        one = scope.spans.add(
            trace_id=span.trace,
            span_id=span.id,
            parent_span_id=span.parent,
            name=_code(span.name),
            kind=OtlpSpan.SpanKind.SPAN_KIND_INTERNAL if span.parent else OtlpSpan.SpanKind.SPAN_KIND_SERVER,
            start_time_unix_nano=span.start_us * 1_000,
            end_time_unix_nano=span.end_us * 1_000,
            attributes=_attributes(span.words),
        )
        if span.failed:
            one.status.code = Status.StatusCode.STATUS_CODE_ERROR
        for name, words in span.events:
            one.events.add(
                name=_code(name), time_unix_nano=span.end_us * 1_000, attributes=_attributes(words)
            )
    written: bytes = request.SerializeToString()
    return written


def _resource(site: str) -> Resource:
    """Say who sends: the site's name is a setting, not a value of a message."""
    named = {"service.name": "oathward", "service.instance.id": site}
    return Resource(attributes=[KeyValue(key=k, value=AnyValue(string_value=v)) for k, v in named.items()])


def _attributes(words: Mapping[str, str | int]) -> list[KeyValue]:
    kept = {key: value for key, value in words.items() if key in LABELS and value != ""}
    return [KeyValue(key=f"oathward.{key}", value=_value(value)) for key, value in sorted(kept.items())]


def _value(value: str | int) -> AnyValue:
    return AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=_code(value))


def _code(text: str) -> str:
    return text if _CODE.fullmatch(text) else MASK
