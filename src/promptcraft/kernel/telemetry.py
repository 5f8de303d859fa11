"""Logs, metrics and traces. A log line is one JSON object and never holds a secret."""

import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any

import orjson
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from prometheus_client import Counter, Gauge, Histogram

from promptcraft.kernel.context import current, platform_version

HTTP_REQUESTS = Counter("promptcraft_http_requests_total", "HTTP requests answered", ["method", "route", "status"])
HTTP_SECONDS = Histogram(
    "promptcraft_http_request_seconds",
    "Time from the request's first byte to the answer's last, seconds",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
# Counted in the database when the API is asked for its metrics, as other processes are asked for none.
JOBS_UNFINISHED = Gauge("promptcraft_jobs_unfinished", "Jobs waiting or running, of all organisations")
FACTS_WAITING = Gauge("promptcraft_outbox_waiting", "Facts not yet taken in, of all organisations")
AUDIT_EVENTS = Counter("promptcraft_audit_events_total", "Audit events committed", ["event"])

_SECRET = re.compile(
    r"(?i)(authorization: *\S+ +|bearer +|(?:password|secret|token|api[_-]?key)[\"']?\s*[=:]\s*[\"']?|://[^:/@\s]*:(?=[^\s@]*@))[^\s\"'@,}]+"
)
_RECORD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


def redact(text: str) -> str:
    """The text without what looks like a credential."""
    return _SECRET.sub(lambda found: found.group(1) + "[redacted]", text)


class JsonFormatter(logging.Formatter):
    """One line a record: time, level, logger, message, process, request and trace ids, the record's extra fields."""

    def __init__(self, instance: str) -> None:
        super().__init__()
        self._instance = instance

    def format(self, record: logging.LogRecord) -> str:
        context = current()
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": redact(record.getMessage()),
            "process": context.process,
            "instance": self._instance,
            "request_id": context.request_id,
            "trace_id": trace_id(),
        }
        for name, value in vars(record).items():
            if name not in _RECORD_FIELDS and name not in line:
                line[name] = redact(value) if isinstance(value, str) else value
        if record.exc_info:
            line["exception"] = redact(self.formatException(record.exc_info))
        return orjson.dumps(line, default=str).decode()


def set_up_logging(levels: str, instance: str) -> None:
    """Log to standard error as JSON; `levels` is e.g. "INFO,promptcraft.audit=DEBUG", `instance` its process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(instance))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    for part in levels.split(","):
        name, _, level = part.strip().rpartition("=")
        logging.getLogger(name or None).setLevel(level.upper())
    for chatty in ("httpx", "alembic.runtime.plugins", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def set_up_tracing(endpoint: str | None, service: str) -> None:
    """Spans carry ids in every installation; they leave the process only where an OTLP endpoint is set."""
    resource = Resource.create({"service.name": f"promptcraft-{service}", "service.version": platform_version()})
    provider = TracerProvider(resource=resource)
    if endpoint:
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
        provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)


def tracer() -> trace.Tracer:
    return trace.get_tracer("promptcraft")


def trace_id() -> str | None:
    """The current trace's id as 32 hex digits; None outside a span."""
    span = trace.get_current_span().get_span_context()
    return f"{span.trace_id:032x}" if span.is_valid else None


def get_logger(name: str) -> logging.Logger:
    return logging.getLogger(name)
