"""A night through a whole site, twice: undisturbed, and while one thing after the other fails.

Both get the same messages. In the end they must hold the same rows and have delivered the same hits.

    python tests/chaos/chaos_run.py --faults 120 --seed 1 --report docs/chaos.md
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from chaos_clock import libfaketime
from chaos_compare import Difference, Held, compare, held_by
from chaos_faults import Chaos, Happened, sequence
from chaos_night import Night, Sender
from chaos_report import report
from chaos_site import DELIVER, INGEST, TOPIC, Site

__all__ = ["Outcome", "chaos"]

_PATIENCE = 300.0


@dataclass
class Outcome:
    """What came of a run, and of the one beside it that nothing disturbed."""

    happened: list[Happened]
    found: Held
    expected: Held
    differences: list[Difference]
    starts: dict[str, int]
    exits: dict[str, int]
    seconds: float


def chaos(
    folder: Path,
    night: Night,
    faults: Sequence[tuple[str, float]],
    *,
    rate: float,
    seed: int,
    disks: bool,
    clock: str,
    tell: Callable[[str], None],
    at_most: float = 240.0,
    keep_logs: Path | None = None,
    undisturbed_rate: float = 500.0,
) -> Outcome:
    """Send the night through two sites and compare them.

    Parameters
    ----------
    faults
        As `sequence` gives them.
    rate, undisturbed_rate
        Alerts a second on average, with and without faults.
    disks, clock
        As of `Site`.
    at_most
        As of `Chaos`.
    """
    tell("a site that nothing disturbs:")
    few = (INGEST[0], DELIVER[0])
    with Site(folder / "undisturbed", night, disks=False, clock=clock, workers=few) as site:
        sender = _send(site, night, undisturbed_rate)
        while not sender.done:
            sender.join(5.0)
            tell(f"  {sender.sent:,} messages sent")
        expected, _ = _finished(site, tell)
    tell(f"a site to which {len(faults)} things happen:")
    with Site(folder / "disturbed", night, disks=disks, clock=clock) as site:
        try:
            began = time.monotonic()
            _wait_for_workers(site)
            sender = _send(site, night, rate)
            harm = Chaos(site, sender, seed, at_most, tell)
            harm.run(list(faults))
            tell(f"all has happened; {sender.sent:,} messages sent, the rest without disturbance")
            sender.hurry()
            while not sender.done:
                sender.join(5.0)
            found, exits = _finished(site, tell)
            seconds = time.monotonic() - began
            starts = {name: worker.starts for name, worker in site.supervisor.workers.items()}
        finally:
            if keep_logs is not None:
                site.keep_logs(keep_logs)
    differences = compare(found, expected)
    return Outcome(harm.happened, found, expected, differences, starts, exits, seconds)


def _send(site: Site, night: Night, rate: float) -> Sender:
    sender = Sender(site.broker.bootstrap, TOPIC, night, rate, site.stored)
    sender.start()
    return sender


def _wait_for_workers(site: Site) -> None:
    """Until both take part in the group, so that both are there to be harmed."""
    end = time.monotonic() + _PATIENCE
    while not all("partitions assigned" in site.supervisor.workers[name].log.read_text() for name in INGEST):
        assert time.monotonic() < end, "the workers do not start"
        time.sleep(0.2)


def _finished(site: Site, tell: Callable[[str], None]) -> tuple[Held, dict[str, int]]:
    """Wait until all is delivered, stop the workers, and read what there is."""
    end = time.monotonic() + _PATIENCE
    while site.undelivered() != set() and time.monotonic() < end:
        time.sleep(0.2)
    exits = site.stop()
    held = held_by(site)
    rows, hits = held.tables["alerts"].num_rows, held.tables["filter_hits"].num_rows
    tell(f"  {rows:,} alerts stored, {hits:,} hits, {held.messages:,} messages delivered; ended: {exits}")
    return held, exits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--faults", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--alerts", type=int, default=60_000)
    parser.add_argument("--per-visit", type=float, default=5_000.0)
    parser.add_argument("--rate", type=float, default=35.0, help="alerts a second")
    parser.add_argument("--cutouts", default="image", help="none, image, variance or psf")
    parser.add_argument("--at-most", type=float, default=240.0, help="seconds until the next fault")
    parser.add_argument("--no-minutes", action="store_true", help="no cut of the network for a whole minute")
    parser.add_argument("--logs", type=Path, help="copy the workers' logs there")
    parser.add_argument("--report", type=Path, help="write what came of it there")
    given = parser.parse_args()
    disks = os.geteuid() == 0
    clock = "preload" if libfaketime() else "python"
    night = Night(given.alerts, given.per_visit, given.seed, given.cutouts)
    faults = sequence(given.faults, given.seed, privileged=disks, minutes=not given.no_minutes)
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        Path(name).chmod(0o755)  # PostgreSQL, another user, has its files in it
        outcome = chaos(
            Path(name), night, faults, rate=given.rate, seed=given.seed, disks=disks, clock=clock,
            tell=lambda line: print(line, flush=True), keep_logs=given.logs, at_most=given.at_most,
        )  # fmt: skip
    for difference in outcome.differences:
        print(f"DIFFERENT {difference.where}: {difference.what}")
    lost = [each for each in outcome.happened if each.recovered is None]
    well = not outcome.differences and not lost and not any(outcome.exits.values())
    print("the same rows, the same hits" if well else "NOT WELL", flush=True)
    if given.report is not None:
        given.report.write_text(
            report(
                outcome,
                night,
                shlex.join(["python", *sys.argv]),
                clock=clock,
                disks=disks,
                at_most=given.at_most,
            )
        )
    raise SystemExit(0 if well else 1)


if __name__ == "__main__":
    main()
