"""OpenTelemetry, where a setting names a collector: numbers, and spans of some messages, over OTLP/HTTP.

| file | what |
|---|---|
| ``sender`` | the loop: what there is, to the collector, every so often |
| ``traces`` | records of the ledger as spans |
| ``otlp`` | numbers and spans as OTLP's messages, redaction last; the only importer of ``opentelemetry`` |

Nothing here is imported by a site that has no ``[telemetry] endpoint``, and ``otlp`` by nobody but ``sender``.
"""
