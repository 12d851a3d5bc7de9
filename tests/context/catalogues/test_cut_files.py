"""A file that is cut off in the moment in which it is read."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

WORKER = Path(__file__).with_name("cut_file_worker.py")


@pytest.mark.slow
def test_a_process_lives_on_and_says_which_file_it_was(tmp_path: Path) -> None:
    def work(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(WORKER), str(tmp_path / words[-1]), *words[:-1]]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    survived = work("survive", "a")
    assert survived.returncode == 0, survived.stderr
    assert "had 40,000 bytes, and now has 4,096; import the catalogue stars again" in survived.stdout
    assert work("b").returncode == -signal.SIGBUS, "without a handler the system ends it"
