"""Every table of the site pages, sorts, searches and downloads: the common piece against a slow twin, and the
tables on their pages."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pyarrow as pa
import pytest
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from lasair_broker.archive import Archive

VALUES = st.tuples(
    st.one_of(st.none(), st.floats(-1e6, 1e6)),
    st.one_of(st.none(), st.integers(-5, 5)),
    st.one_of(st.none(), st.sampled_from(["g", "r", "SN Ia", "sn ii", "", "100% r_g"])),
)
SIGNS = {
    "<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b, "=": lambda a, b: a == b, "!=": lambda a, b: a != b,
}  # fmt: skip


def wanted(search: str = "", sort: str = "", descending: bool = False, page: int = 1) -> Any:
    from lasair_broker.web.site.tables import Asked

    return Asked(page, 25, sort, descending, search)


def table_of(rows: list[tuple[Any, ...]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    types = {"flux": pa.float64(), "n": pa.int64(), "kind": pa.string()}
    return pa.table({name: pa.array(c, t) for (name, t), c in zip(types.items(), columns, strict=True)})


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(VALUES, max_size=30),
    sign=st.sampled_from(sorted(SIGNS)),
    limit=st.integers(-5, 5),
    sort=st.sampled_from(["", "flux", "n", "kind"]),
    descending=st.booleans(),
)
def test_conditions_and_order(
    rows: list[tuple[Any, ...]], sign: str, limit: int, sort: str, descending: bool
) -> None:
    from lasair_broker.web.site.contents import matching

    places = matching(table_of(rows), wanted(f"N {sign} {limit}", sort, descending)).to_pylist()
    expected = {at for at, row in enumerate(rows) if row[1] is not None and SIGNS[sign](row[1], limit)}
    assert set(places) == expected
    assert len(places) == len(expected)
    if not sort:
        assert places == sorted(places)
        return
    column = ["flux", "n", "kind"].index(sort)
    found = [rows[at][column] for at in places]
    there = [value for value in found if value is not None]
    assert there == sorted(there, reverse=descending)
    assert found == there + [None] * (len(found) - len(there))


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(VALUES, max_size=30), words=st.sampled_from(["g", "SN", "sn i", "100%", "_", "3", "."]))
def test_words(rows: list[tuple[Any, ...]], words: str) -> None:
    """Every word in some text or whole number of the row; signs of patterns mean themselves."""
    from lasair_broker.web.site.contents import matching

    expected = [
        at
        for at, (_, n, kind) in enumerate(rows)
        if all(word in str(n if n is not None else "") or word in (kind or "").lower()
               for word in words.lower().split())
    ]  # fmt: skip
    assert matching(table_of(rows), wanted(words)).to_pylist() == expected


def test_parts_of_a_search_hold_together() -> None:
    from lasair_broker.web.site.contents import ArrowRows, matching

    table = table_of([(1.5, 1, "g"), (2.5, 2, "r"), (None, 3, "r"), (9.0, 2, "SN, r")])
    assert matching(table, wanted("flux > 1e0, kind = R")).to_pylist() == [1]
    assert matching(table, wanted("flux >= 2.5 AND r")).to_pylist() == [1, 3]
    assert matching(table, wanted("n > 1.5 and n < 2.5")).to_pylist() == [1, 3]
    assert (
        matching(table, wanted("flux > much")).to_pylist() == []
    )  # no number: then words, which nothing has
    assert matching(table, wanted("no_column > 1")).to_pylist() == []
    rows, total, more = ArrowRows(pa.concat_tables([table] * 20)).page(wanted("kind = r", "n", True, 2))
    assert (len(rows), total, more) == (15, 40, False)
    assert rows[0]["n"] == 2


def test_rows_of_all_kinds_become_a_file() -> None:
    from datetime import UTC, datetime

    from lasair_broker.web.api.formats import FORMATS, download
    from lasair_broker.web.site.contents import plain
    from lasair_broker.web.site.tables import Column

    columns = [
        Column("a", "A", "nJy", "of a"),
        Column("b", "B"),
        Column("c", "C", plain=lambda row: row["c"]["text"]),
        Column("d", "D", filed=False),
        Column("e", "E"),
        Column("f", "F"),
    ]
    when = datetime(2026, 1, 2, tzinfo=UTC)
    rows = [
        {"a": 1.5, "b": "x", "c": {"text": "y"}, "d": object(), "e": when, "f": ["u", "g"]},
        {"a": None, "b": 3, "c": {"text": None}, "d": None, "e": None, "f": None},
    ]
    table = plain(rows, columns)
    assert table.column_names == ["a", "b", "c", "e", "f"]
    assert table["b"].to_pylist() == ["x", "3"]
    assert table.schema.field("a").metadata == {b"unit": b"nJy", b"description": b"of a"}
    for chosen in FORMATS:
        for some in (table, table.slice(0, 0), plain([], columns)):
            answer = download(some, chosen, "t")
            assert b"".join(answer) or chosen == "csv"


def links(page: str) -> list[str]:
    return [text.replace("&amp;", "&") for text in re.findall(r'href="([^"]*-as=csv)"', page)]


@pytest.fixture
def client(people: Any, archive: Archive) -> Client:
    asking = Client(SERVER_NAME="localhost")
    asking.force_login(people.owner)
    return asking


def lines(answer: Any) -> list[dict[str, str]]:
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_results_of_a_filter(client: Client, people: Any, archive: Archive) -> None:
    from lasair_broker.web.filters import services
    from lasair_broker.web.filters.wording import Wording

    text = "SELECT diaObjectId, nDiaSources, ra FROM objects"
    made = services.create(people.owner, "Tabled results", Wording(adql=text))
    address = f"/filters/{made.pk}/results/?of=archive"
    whole = archive.query('SELECT "nDiaSources" FROM objects', max_rows=None)["nDiaSources"].to_pylist()
    least = sorted(whole)[len(whole) // 2]
    found = client.get(
        f"{address}&results-search=nDiaSources+>+{least}&results-sort=-nDiaSources&results-size=25"
    )
    page = found.content.decode()
    expected = sorted((n for n in whole if n > least), reverse=True)
    assert page.count("data-triage") == min(25, len(expected))
    downloaded = lines(client.get(links(page)[0]))
    assert [int(row["nDiaSources"]) for row in downloaded] == expected
    chosen = client.get(f"{address}&choose=1&show=diaObjectId&show=ra").content.decode()
    assert '<th scope="col">nDiaSources' not in chosen
    assert "choose=1" in links(chosen)[0]
    assert "nDiaSources" in lines(client.get(links(page)[0]))[0]  # files have every column
    again = client.get(address).content.decode()
    assert re.search(r'value="ra" checked', again)
    assert re.search(r'value="nDiaSources">', again)
    assert 'value="nDiaSources" checked' in client.get(f"{address}&choose=1").content.decode()
    cards = client.get(f"{address}&as=cards&results-search=nDiaSources+>+{least}").content.decode()
    assert cards.count("result-card") == min(24, len(expected))
    assert "Nothing here is like that." in client.get(f"{address}&results-search=zzz").content.decode()
    assert "there are no files doc" in client.get(f"{address}&results-as=doc").content.decode()
    assert client.get("/watchlists/?t-as=doc").status_code == 404


def test_an_answer_without_logging_in_is_paged_by_address(people: Any, archive: Archive) -> None:
    asking = Client(SERVER_NAME="localhost")
    text = "SELECT diaObjectId, ra FROM objects"
    page = asking.post("/query/run/", {"adql": text}).content.decode()
    count = archive.status().tables["objects"].rows
    assert f"{count} row" in page
    second = asking.get("/query/run/", {"adql": text, "rows-size": 25, "rows-page": 2}).content.decode()
    assert f"26–{min(50, count)} of {count}" in second
    assert len(lines(asking.get(links(page)[0]))) == count
    logged_in = Client(SERVER_NAME="localhost")
    logged_in.force_login(people.owner)
    assert logged_in.get("/query/run/", {"adql": text}).headers["Location"].startswith("/query/?adql=SELECT")


def test_tables_of_what_users_have(client: Client, people: Any) -> None:
    from lasair_broker.web.queries import saved
    from lasair_broker.web.queries.texts import Text
    from lasair_broker.web.tags import services as tags
    from lasair_broker.web.watchlists import services as watchlists

    for name, rows in (("Tabled b", 2), ("Tabled a", 1)):
        made = watchlists.create(people.owner, name, description="of tables")
        for number in range(rows):
            watchlists.add_row(people.owner, made.pk, name=f"row {number}", ra=10.0 + number, decl=-20.0)
        saved.save(people.owner, name, Text(adql="SELECT diaObjectId FROM objects"))
    tags.keep(people.owner, 12345678901, "tabled")
    for address, column, expected in (
        ("/watchlists/?t-search=tabled+tables&t-sort=-current", "name", ["Tabled b", "Tabled a"]),
        ("/query/saved/?saved-search=tabled&saved-sort=name", "name", ["Tabled a", "Tabled b"]),
        ("/filters/saved/?kept-search=12345678901", "label", ["tabled"]),
        (f"/watchlists/{made.pk}/?rows-search=ra+>+9", "name", ["row 0"]),
    ):
        page = client.get(address).content.decode()
        own = [link for link in links(page) if "hits-as" not in link and "events-as" not in link]
        assert [row[column] for row in lines(client.get(own[0]))] == expected, address


def test_tables_of_members_and_versions(client: Client, people: Any, team: Any) -> None:
    from lasair_broker.web.watchlists import services as watchlists

    team("Tabled", manager=people.owner, editor=people.zoe, member=people.bea)
    made = watchlists.create(people.owner, "Tabled versions")
    for name in ("first.csv", "second.csv"):
        watchlists.upload(people.owner, made.pk, b"ra,decl,name\n1,2,a\n", source_name=name)
    members, versions = "/account/collaborations/tabled/", f"/watchlists/{made.pk}/"
    for address, name, column, expected in (
        (f"{members}?members-sort=-username", "members", "username", ["zoe", "owner", "bea"]),
        (f"{members}?members-search=editor", "members", "username", ["zoe"]),
        ("/account/collaborations/?own-search=tabl", "own", "role", ["manager"]),
        (versions, "versions", "source_name", ["second.csv", "first.csv"]),
        (f"{versions}?versions-sort=created&versions-search=first", "versions", "number", ["1"]),
    ):
        (own,) = [link for link in links(client.get(address).content.decode()) if f"{name}-as" in link]
        assert [row[column] for row in lines(client.get(own))] == expected, address
    assert client.get(f"{members}?members-as=csv").status_code == 200
    client.force_login(people.carol)
    assert client.get(f"{members}?members-as=csv").status_code == 404


@pytest.mark.parametrize("address", ["/status/", "/schema/objects/", "/schema/?q=flux"])
def test_tables_about_the_site(client: Client, address: str) -> None:
    found = [lines(client.get(link)) for link in links(client.get(address).content.decode())]
    assert found
    assert all(found)
