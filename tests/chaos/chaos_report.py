"""The page that tells what came of a run."""

# ruff: noqa: E501 - lines of a page

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from chaos_compare import ATTEMPTS, LEFT_OUT, PLACES, TIMES
from chaos_faults import KINDS, Happened
from chaos_night import PARTITIONS, Night

sys.path.insert(0, str(Path(__file__).parents[1] / "deploy"))
from private_server import program

if TYPE_CHECKING:
    from chaos_run import Outcome

__all__ = ["report"]


def report(outcome: Outcome, night: Night, command: str, *, clock: str, disks: bool, at_most: float) -> str:
    """The text of docs/chaos.md, but for what people add to it."""
    happened, found, expected = outcome.happened, outcome.found, outcome.expected
    lost = [each for each in happened if each.recovered is None]
    hits = sum(map(len, found.delivered.values()))
    wanted = sum(map(len, expected.delivered.values()))
    lines = [
        "# A night in which everything fails",
        "",
        "A simulated night goes through two sites on one machine, each with a real Kafka and PostgreSQL, `lasair ingest` and `lasair deliver`. One is left in peace. The other one has two of each,",
        "and `lasair work` and `lasair serve`, and one thing after the other happens to it (`tests/chaos`), while alerts keep coming. In the end both",
        "must hold the same rows and have delivered the same hits. This page is written by the run itself.",
        "",
        f"`{command}`",
        "",
        f"- {len(happened)} faults in {outcome.seconds / 60:.0f} minutes; {_sentence(lost)}",
        f"- {found.tables['alerts'].num_rows:,} alerts stored (undisturbed: {expected.tables['alerts'].num_rows:,}), each once; "
        f"{found.tables['rejected'].num_rows:,} messages that are none, kept as rejected ({expected.tables['rejected'].num_rows:,})",
        f"- {hits:,} hits of {len(found.delivered)} filters delivered (undisturbed: {wanted:,}), in {found.messages:,} messages: "
        f"{found.messages - hits:,} repeats, each with the id and the content it had",
        f"- {_verdict(outcome)}",
        "",
        "| what happened | times | lasted, s | well again after, s: half | worst |",
        "|---|---|---|---|---|",
        *(_row(kind, [each for each in happened if each.kind == kind]) for kind in KINDS),
        "",
        "“Well again” counts from the end of the fault, or from the kill, until the workers in question did new work: of each partition something was stored that was sent afterwards (ingest), every hit that waited was",
        "delivered (deliver), the site said that it was ready (serve), a background query was answered (work). A worker that ends is started again a second later; starting takes it most of that time.",
        f"The next fault comes when all is well again, or after {at_most:g} s although it is not: these times hold what happened meanwhile, too.",
        "In the stream itself: one message in "
        f"{night.garbage} is garbage, and the schema changes twice, to a newer one (11.1), and to one with a field that nobody knows.",
        "",
    ]  # fmt: skip
    if outcome.differences:
        lines += [
            "## What is not the same",
            "",
            *(f"- {each.where}: {each.what}" for each in outcome.differences),
            "",
        ]
    lines += [
        "## What is compared",
        "",
        f"Every row of {len(expected.tables)} tables, column by column, missing values included, and every hit on its topic in Kafka by `hitId` with its content. Left out are",
        f"the moments of the run ({_list(TIMES)}), where in which pack a packet lies ({_list(PLACES)}), how often a delivery was tried ({_list(ATTEMPTS)}), and the tables "
        + ", ".join(f"`{name}` ({why})" for name, why in LEFT_OUT.items()) + ".",
        "No two alerts of one object are in hand at the same time: before the second is sent the first is stored, in both runs. What filters see of an object depends on which of its alerts came together "
        "in a batch, and that a disturbance changes.",
        "",
        "## How",
        "",
        f"- {PARTITIONS} partitions; the workers' session at Kafka ends after 6 s of silence; everything they say to Kafka and PostgreSQL goes through a proxy of ours, which holds it back (silent) or resets connections (unreachable).",
        "- Frozen: SIGSTOP for 8 to 12 s, so that the other worker gets its partitions, then SIGCONT.",
        "- A full disk: " + ("PostgreSQL's data and the packs lie on file systems of their own, which are made as small as what is on them." if disks else "a limit on the size of files of the workers."),
        "- Clocks jump by up to twelve hours and back: " + ("libfaketime (Debian: `apt-get install faketime`)." if clock == "preload" else "Python's own clock."),
        "- Poison filters ask for all detections of an object with each other, six times over; the fault is over when their owner is told.",
        f"- Restarts of workers: {', '.join(f'{name} {count - 1}' for name, count in outcome.starts.items())}. How they ended when told to at last: {', '.join(f'{name} {code}' for name, code in outcome.exits.items())}.",
        f"- {_versions()}",
        "",
        "CI runs a short one (`tests/chaos/test_chaos.py`), a dozen kinds of faults that need no rights: a limit on the size of files for a full disk, Python's own clock shifted in the workers.",
        "",
    ]  # fmt: skip
    return "\n".join(lines)


def _row(kind: str, some: list[Happened]) -> str:
    if not some:
        return f"| {kind} | 0 | | | |"
    well = [each.recovered for each in some if each.recovered is not None]
    lasted = [each.lasted for each in some]
    span = f"{min(lasted):.1f} to {max(lasted):.1f}" if kind[:4] != "kill" else ""
    half = f"{statistics.median(well):.1f}" if well else ""
    worst = f"{max(well):.1f}" if len(well) == len(some) else f"{len(some) - len(well)} never"
    return f"| {kind} | {len(some)} | {span} | {half} | {worst} |"


def _sentence(lost: list[Happened]) -> str:
    if not lost:
        return "after each of them everything worked again by itself"
    return "after these not everything worked again in four minutes: " + ", ".join(each.kind for each in lost)


def _verdict(outcome: Outcome) -> str:
    if not outcome.differences:
        return "**The archive and what was delivered are the same as without faults.**"
    return f"**Not the same as without faults in {len(outcome.differences)} places, below.**"


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def _versions() -> str:
    server = subprocess.run([program("postgres"), "--version"], capture_output=True, text=True, check=True)
    pom = (Path(__file__).parents[1] / "kafka" / "pom.xml").read_text()
    kafka = pom.split("<artifactId>kafka_")[1].split("<version>")[1].split("<")[0]
    cores, memory = os.cpu_count(), os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    return (
        f"Lasair {version('lasair-broker')}, Python {platform.python_version()}, {server.stdout.strip().replace('postgres (PostgreSQL)', 'PostgreSQL').split(' (')[0]}, Apache Kafka {kafka}; "
        f"{cores} cores, {memory:.0f} GB"
    )
