"""What traces cost: batches through all stages, spans, and requests, with a collector and without one.

The collector is a server of its own process that reads and forgets. Batches are run alternately with and
without traces, so that whatever else the machine does falls on both; compared is the time on the processor of
the whole process, that of the thread that sends included.

    python benchmarks/tracing.py [--quick]
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from lasair_broker.packets import SchemaStore
from lasair_broker.packets.simulator import Simulation
from lasair_broker.settings import TelemetrySettings
from lasair_broker.stream import Pipeline, standard_stages, warm_up
from lasair_broker.telemetry import span, traced

BATCH = 5000


class Forgetful(BaseHTTPRequestHandler):
    """Takes whatever it is sent."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


def collect(port: Any) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Forgetful)
    port.send(server.server_port)
    server.serve_forever()


@contextmanager
def collector() -> Iterator[TelemetrySettings]:
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=collect, args=(there,), daemon=True)
    process.start()
    try:
        yield TelemetrySettings(endpoint=f"http://127.0.0.1:{here.recv()}")
    finally:
        process.terminate()


def cpu(work: Callable[[], None], settings: TelemetrySettings) -> float:
    """Seconds on the processor, those of sending included."""
    began = time.process_time()
    with traced(settings, "bench"):
        work()
    return time.process_time() - began


def compared(work: Callable[[], None], on: TelemetrySettings, times: int) -> tuple[float, float]:
    """Medians of seconds without and with traces."""
    off = TelemetrySettings()
    work()
    pairs = [(cpu(work, off), cpu(work, on)) for _ in range(times)]
    without, with_ = zip(*pairs, strict=True)
    return statistics.median(without), statistics.median(with_)


def stream(alerts: int, times: int) -> tuple[Callable[[], None], int]:
    """A batch so many times through all stages, inside the span that the loop makes of it; and how many
    alerts it has."""
    pipeline = Pipeline(SchemaStore(), standard_stages())
    warm_up(pipeline)
    night = Simulation.night(alerts, seed=3, cutouts="none", batch_size=alerts)
    messages = max(night.alerts(), key=len)

    def work() -> None:
        for _ in range(times):
            with span("batch", {"lasair.messages": len(messages)}, "consumer"):
                pipeline.process(messages)

    return work, len(messages)


def spans(count: int) -> Callable[[], None]:
    def work() -> None:
        for _ in range(count):
            with span("stage", {"lasair.alerts": 5000}):
                pass

    return work


def requests(count: int) -> Callable[[], None]:
    """Requests to the simplest of the site's pages, through all middlewares."""
    from lasair_broker.web import setup

    setup()
    from django.test import Client

    client = Client(headers={"host": "localhost"})

    def work() -> None:
        for _ in range(count):
            assert client.get("/health/live").status_code == 200

    return work


def main() -> None:
    os.environ["LASAIR_SECRET_KEY"] = "x" * 50  # Django wants one; it signs nothing here
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a small run")
    quick = parser.parse_args().quick
    alerts, repeated, times, count = (1000, 20, 3, 500) if quick else (BATCH, 5, 5, 2000)
    with collector() as settings:
        work, sent = stream(alerts, repeated)
        off, on = compared(work, settings, times)
        print(
            f"a batch of {sent:,} alerts through all stages: {1e3 * off / repeated:.1f} ms of CPU without "
            f"traces, {1e3 * on / repeated:.1f} ms with: {on / off:.3f} x"
        )
        off, on = compared(spans(count), settings, times)
        print(f"a span: {1e6 * off / count:.2f} us without a collector, {1e6 * on / count:.0f} us with one")
        off, on = compared(requests(count // 5), settings, times)
        each = 1e6 * 5 / count
        print(
            f"the smallest request: {each * off:.0f} us of CPU without traces, "
            f"{each * on:.0f} us with: {on / off:.3f} x"
        )


if __name__ == "__main__":
    main()
