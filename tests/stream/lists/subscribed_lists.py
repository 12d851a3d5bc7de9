"""What a keeper of lists asks a user database for, of which only the lists are used."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from lasair_broker.stream import ActiveFilters, ActiveLists

__all__ = ["Subscribed"]


class Subscribed:
    """`Subscriptions` of which only the lists are used."""

    def __init__(self, lists: Callable[[], ActiveLists]) -> None:
        self._lists = lists

    def lists(self) -> ActiveLists:
        return self._lists()

    def filters(self) -> ActiveFilters:
        return ActiveFilters()

    def annotations(self, after: int, most: int) -> tuple[pa.Table, int]:
        raise AssertionError

    def filter_failed(self, filter_id: int, version: int, message: str) -> None:
        raise AssertionError

    def filters_recovered(self, filters: object) -> None:
        raise AssertionError

    def filters_ran(self, runs: object) -> None:
        raise AssertionError
