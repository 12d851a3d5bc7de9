"""The first signal finishes the batch in hand, the second ends the process at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lasair_broker.stream import stop_on_signals

WORKER = """
import sys, time
from lasair_broker.stream import stop_on_signals
with stop_on_signals() as stop:
    print("ready", flush=True)
    stop.wait()
    print("told", flush=True)
    time.sleep(float(sys.argv[1]))
print("done", flush=True)
"""


def _worker(seconds: float) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(seconds)], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_signal_lets_it_finish(number: signal.Signals) -> None:
    with _worker(0.2) as process:
        process.send_signal(number)
        out, _ = process.communicate(timeout=30)
    assert "told" in out
    assert "done" in out
    assert process.returncode == 0


def test_two_signals_do_not() -> None:
    with _worker(60) as process:
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        while process.stdout.readline() != "told\n":
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)
    assert process.returncode == -signal.SIGINT


def test_handlers_are_put_back(tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with stop_on_signals() as stop:
        assert not stop.is_set()
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
