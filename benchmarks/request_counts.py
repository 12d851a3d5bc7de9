"""What counting a request costs when all processes count together, against counting in memory alone.

python benchmarks/request_counts.py [--quick]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--quick", action="store_true")
    users = 100 if asked.parse_args().quick else 2000
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LASAIR_USER_DATABASE"] = f"sqlite:///{Path(folder)}/users.sqlite3"
        from lasair_broker.web import migrate

        migrate()
        from lasair_broker.web.api.counting import SharedWindow

        counts: dict[str, int] = {}

        def alone(key: str) -> float:
            counts[key] = counts.get(key, 0) + 1
            return 0.0

        window = SharedWindow(3600.0)
        reference = _seconds(alone, users, 50)
        print(f"counted in a dictionary: {1e3 * reference.mean():.5f} ms a request")
        for name, most in (("anonymous, 100 an hour", 100), ("user, 1000 an hour", 1000)):

            def together(key: str, most: int = most) -> float:
                return window.wait(f"{most} {key}", most)

            spent = _seconds(together, users, 50)
            print(
                f"{name}: {1e3 * spent.mean():.3f} ms a request "
                f"(99 %: {1e3 * np.percentile(spent, 99):.2f} ms), "
                f"{spent.mean() / reference.mean():.0f} times a dictionary"
            )


def _seconds(count: Callable[[str], float], users: int, each: int) -> np.ndarray:
    """What each request of so many users takes, who ask in turn."""
    spent = []
    for _ in range(each):
        for user in range(users):
            begin = time.perf_counter()
            count(f"user {user}")
            spent.append(time.perf_counter() - begin)
    return np.array(spent)


if __name__ == "__main__":
    main()
