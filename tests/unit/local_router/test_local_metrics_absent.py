"""A Prometheus that is away, hangs or talks nonsense makes figures missing; it raises nothing."""

import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from barista.platforms.local.metrics import PrometheusMetrics
from barista.values.observation import Observation
from barista.values.service import Service, ServiceId, Slo

DIGITS = ServiceId("default/digits")
SERVICES = [Service(DIGITS, "digits", Slo(0.25), ("cpu-1",))]


@contextmanager
def nobody():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    yield port


@contextmanager
def one_that_hangs():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@contextmanager
def one_that_answers(status: int, body: bytes):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.parametrize(
    "source",
    [
        nobody(),
        one_that_hangs(),
        one_that_answers(503, b"not ready"),
        one_that_answers(422, b'{"status": "error"}'),
        one_that_answers(200, b"<html>another server</html>"),
        one_that_answers(200, b'{"data": {"result": []}}'),
    ],
    ids=["away", "hangs", "not ready", "refuses", "nonsense", "empty"],
)
def test_what_cannot_be_asked_is_missing(source):
    with source as port:
        metrics = PrometheusMetrics(f"http://127.0.0.1:{port}", timeout_s=0.2)
        assert metrics.observe(SERVICES, 1000, 60, 10) == {DIGITS: Observation.missing(DIGITS)}
        assert metrics.history([DIGITS], 0, 1000, 10) == {}
