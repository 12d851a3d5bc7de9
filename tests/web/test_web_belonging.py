"""An archive belongs to one user database; the numbers of another would be taken for its."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from lasair_broker.archive import Archive, open_archive
from lasair_broker.schema import arrow_schema
from lasair_broker.settings import ArchiveSettings
from lasair_broker.stream.filters import ANNOTATIONS
from lasair_broker.web.accounts.models import UserDatabase
from lasair_broker.web.belonging import ForeignArchive, claim


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with open_archive(ArchiveSettings(url=str(tmp_path / "archive"))) as opened:
        yield opened


def another_database() -> None:
    """What a fresh database is to the archive."""
    UserDatabase.objects.all().delete()


def test_an_archive_is_claimed_once(archive: Archive) -> None:
    claim(archive)
    number = UserDatabase.objects.get().number
    assert number in archive.positions().values()
    claim(archive)
    assert UserDatabase.objects.get().number == number


def test_an_archive_without_anything_of_users_changes_hands(archive: Archive) -> None:
    claim(archive)
    another_database()
    claim(archive)
    assert UserDatabase.objects.get().number in archive.positions().values()


def test_hits_of_the_filters_of_another_database_are_not_taken_over(archive: Archive) -> None:
    claim(archive)
    schema = arrow_schema("filter_hits")
    given = {
        "hitId": pa.array(["0" * 32]),
        "filterId": pa.array([1]),
        "filterVersion": pa.array([1]),
        "diaObjectId": pa.array([7]),
        "diaSourceId": pa.array([8]),
        "trigger": pa.array(["alert"]),
        "content": pa.array(["{}"]),
    }
    columns = [given.get(field.name, pa.nulls(1, field.type)) for field in schema]
    archive.write([], tables={"filter_hits": pa.table(columns, names=schema.names).cast(schema)})
    claim(archive)
    another_database()
    with pytest.raises(ForeignArchive, match="another user database"):
        claim(archive)


def test_annotations_that_were_read_tell_too(archive: Archive) -> None:
    """The inbox of a fresh database begins at 1, so the archive would leave out as many as it has read."""
    claim(archive)
    archive.write([], positions={ANNOTATIONS: 5})
    another_database()
    with pytest.raises(ForeignArchive):
        claim(archive)
