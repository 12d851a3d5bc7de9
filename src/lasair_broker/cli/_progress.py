"""Progress bars for long work, and the live display of a running stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table

from lasair_broker.stream import Progress

from ._context import errors
from ._format import bytes_size

__all__ = ["StreamDisplay", "work"]


@contextmanager
def work(what: str) -> Iterator[Callable[[str, float], None]]:
    """A progress bar while the block runs; tell the function it gives what is being done and how far."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Bars(*columns, console=errors, transient=True) as bars:
        task = bars.add_task(what, total=1.0)
        yield lambda doing, share: bars.update(task, description=doing, completed=share)


class StreamDisplay:
    """What a running stream shows: on a terminal a display that stays in place, elsewhere a line at times.

    Parameters
    ----------
    what
        Where the alerts come from.
    total
        How many alerts there will be, if that is known: then there is a bar.
    every_seconds
        How often a line is written where there is no terminal.
    """

    def __init__(self, what: str, total: int | None = None, every_seconds: float = 10.0) -> None:
        self._what = what
        self._live = Live(console=errors, refresh_per_second=4, transient=True)
        self._every = every_seconds
        self._next_line = every_seconds
        self._last: Progress | None = None
        columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
        self._bars = Bars(*columns, console=errors) if total else None
        self._task = self._bars.add_task(what, total=total) if self._bars else None

    def __enter__(self) -> StreamDisplay:
        if errors.is_terminal:
            self._live.__enter__()
            self._live.update(f"{self._what}: waiting for the first alerts …")
        else:
            errors.print(f"{self._what}: waiting for the first alerts …", highlight=False)
        return self

    def __exit__(self, error: type[BaseException] | None, *more: object) -> None:
        if errors.is_terminal:
            self._live.stop()
        if error is not None and self._last is not None:
            errors.print(f"safe in the archive: {_line(self._last)}", highlight=False)

    def show(self, progress: Progress) -> None:
        """Show the state after a commit."""
        self._last = progress
        if self._bars is not None and self._task is not None:
            self._bars.update(self._task, completed=progress.messages)
        if errors.is_terminal:
            self._live.update(self._drawn(progress))
        elif progress.seconds >= self._next_line:
            self._next_line = progress.seconds + self._every
            errors.print(_line(progress), highlight=False)

    def _drawn(self, progress: Progress) -> RenderableType:
        figures = Table.grid(padding=(0, 2))
        figures.add_row(
            "[dim]alerts/s[/]",
            f"[bold green]{progress.alerts_per_second:,.0f}[/]",
            "[dim]alerts[/]",
            f"{progress.alerts:,}",
            "[dim]objects[/]",
            f"{progress.new_objects:,} new, {progress.updated_objects:,} newer states",
        )
        figures.add_row(
            "[dim]lag[/]",
            f"{sum(progress.lag.values()):,}",
            "[dim]latency[/]",
            f"{progress.latency_seconds:.1f} s",
            "[dim]rejected[/]",
            f"[red]{progress.rejected:,}[/]" if progress.rejected else "0",
        )
        shares = "  ".join(
            f"{stage} {share:.0%}" for stage, share in sorted(progress.shares.items(), key=lambda s: -s[1])
        )
        parts: list[RenderableType] = [figures, f"[dim]{shares}[/]"]
        if self._bars is not None:
            parts.insert(0, self._bars)
        return Group(*parts)


def _line(progress: Progress) -> str:
    return (
        f"{progress.messages:,} messages, {progress.alerts_per_second:,.0f}/s, "
        f"{progress.new_objects:,} new objects, lag {sum(progress.lag.values()):,}, "
        f"{progress.rejected:,} rejected, {bytes_size(progress.bytes)}"
    )
