"""Annotators: who may speak under which topic."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lasair_broker.packets import ztf_object_id
from lasair_broker.schema import conform
from lasair_broker.web.annotators import inbox, running, services
from lasair_broker.web.annotators.models import AnnotationInbox, Annotator, PushedAnnotation
from lasair_broker.web.errors import Invalid, NotAllowed, NotFound


def test_who_may_speak(people: Any, team: Any) -> None:
    services.create(people.ann, "fastfinder", url="https://example.org", kind="program")
    ours = team("T", manager=people.ann, editor=people.eve, member=people.max)
    assert services.writable(people.ann, "fastfinder").topic == "fastfinder"
    for stranger in (people.bob, people.eve, None):
        with pytest.raises(NotFound):
            services.writable(stranger, "fastfinder")
    services.set_writers(people.ann, "fastfinder", ["bob"])
    assert services.writable(people.bob, "fastfinder")
    assert Annotator.objects.visible_to(people.bob).count() == 1, "who speaks sees"
    services.share(people.ann, "fastfinder", "group", ours)
    assert services.writable(people.eve, "fastfinder")
    with pytest.raises(NotAllowed, match="belongs to ann"):
        services.writable(people.max, "fastfinder")
    services.describe(people.eve, "fastfinder", active=False)
    with pytest.raises(NotAllowed, match="is not active"):
        services.writable(people.ann, "fastfinder")


def test_public_is_seen_but_not_spoken_under(people: Any) -> None:
    services.create(people.ann, "r0b")
    services.share(people.ann, "r0b", "public")
    assert Annotator.objects.visible_to(None).get().topic == "r0b"
    for stranger in (people.bob, None):
        with pytest.raises(NotAllowed):
            services.writable(stranger, "r0b")
    with pytest.raises(NotAllowed):
        services.set_writers(people.bob, "r0b", ["bob"])


def test_faults(people: Any) -> None:
    services.create(people.ann, "Topic")
    for topic, values, says in [
        ("topic", {}, "taken"),
        ("with space", {}, "letter"),
        ("0start", {}, "letter"),
        ("Group", {}, "could not name it"),
        ("ok", {"url": "not a url"}, "url"),
        ("ok", {"owner": 3}, "owner: cannot"),
    ]:
        with pytest.raises(Invalid, match=says):
            services.create(people.bob, topic, **values)
    with pytest.raises(Invalid, match="no user zoe"):
        services.set_writers(people.ann, "Topic", ["zoe"])
    people.max.is_active = False
    people.max.save()
    with pytest.raises(Invalid, match="no user max"):
        services.set_writers(people.ann, "Topic", ["max"])


# ---- pushing ----

ZTF = int(ztf_object_id(["ZTF21abiuvdk"])[0])


class Known:
    """An archive that knows some objects; the services ask nothing else of it."""

    def rows_of_objects(self, name: str, ids: list[int], columns: list[str]) -> pa.Table:
        assert (name, columns) == ("objects", ["diaObjectId"])
        return pa.table({"diaObjectId": pa.array([key for key in ids if key in {1, 2, 3, ZTF}], pa.int64())})


ARCHIVE: Any = Known()


def test_what_is_pushed_is_what_the_stream_is_given(people: Any) -> None:
    services.create(people.ann, "fast")
    rows = [
        {"diaObjectId": 1, "classification": "SN", "version": "1.2", "classdict": {"p": 0.5, "π": [1, None]}},
        {
            "objectId": "2",
            "classification": "AGN",
            "explanation": "it flickers",
            "url": "https://x.org/a?b=c",
        },
        {
            "diaObjectId": "ZTF21abiuvdk",
            "classification": " SN Ia ",
            "classdict": '{"z": 0.1}',
            "version": "",
        },
    ]
    assert services.push(people.ann, "fast", rows, ARCHIVE) == range(1, 4)
    assert services.push(people.ann, "fast", rows[:1], ARCHIVE) == range(4, 5)
    table, position = running.annotations_after(0, 3)
    assert position == 3
    conform(table, "annotations")
    first, second, third = table.to_pylist()
    assert (first["annotationID"], first["diaObjectId"], first["topic"], first["version"]) == (
        1,
        1,
        "fast",
        "1.2",
    )
    assert json.loads(first["classdict"]) == {"p": 0.5, "π": [1, None]}
    assert (second["explanation"], second["url"]) == ("it flickers", "https://x.org/a?b=c")
    assert (third["diaObjectId"], third["classification"], third["version"]) == (ZTF, "SN Ia", None)
    assert third["timestamp"] is not None
    table, position = running.annotations_after(3, 3)
    assert (table.column("annotationID").to_pylist(), position) == ([4], 4)
    table, position = running.annotations_after(4, 3)
    assert (table.num_rows, position) == (0, 4)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"classification": "SN"}, "row 2, diaObjectId: is missing"),
        ({"diaObjectId": 99, "classification": "SN"}, "row 2, diaObjectId: there is no object 99"),
        ({"diaObjectId": "M31", "classification": "SN"}, "row 2, diaObjectId: 'M31' is none"),
        ({"diaObjectId": 1.5, "classification": "SN"}, "row 2, diaObjectId"),
        ({"diaObjectId": True, "classification": "SN"}, "row 2, diaObjectId"),
        ({"diaObjectId": 2**63, "classification": "SN"}, "row 2, diaObjectId"),
        ({"diaObjectId": 1}, "row 2, classification: is missing"),
        ({"diaObjectId": 1, "classification": "x" * 81}, "row 2, classification: has 81"),
        ({"diaObjectId": 1, "classification": 7}, "row 2, classification: must be text, not int"),
        ({"diaObjectId": 1, "classification": "a\x00b"}, "row 2, classification"),
        ({"diaObjectId": 1, "classification": "SN", "classdict": "{"}, "row 2, classdict: is not JSON"),
        ({"diaObjectId": 1, "classification": "SN", "classdict": [1]}, "row 2, classdict: must be an object"),
        ({"diaObjectId": 1, "classification": "SN", "classdict": {"p": float("nan")}}, "row 2, classdict"),
        ({"diaObjectId": 1, "classification": "SN", "url": "javascript:alert(1)"}, "row 2, url: must begin"),
        ({"diaObjectId": 1, "classification": "SN", "topic": "other"}, "row 2, topic: is no column"),
    ],
)
def test_a_wrong_row_is_named_and_none_is_kept(people: Any, row: dict[str, Any], says: str) -> None:
    services.create(people.ann, "fast")
    good = {"diaObjectId": 1, "classification": "SN"}
    with pytest.raises(Invalid, match=says):
        services.push(people.ann, "fast", [good, row, good], ARCHIVE)
    assert PushedAnnotation.objects.count() == 0


def test_only_who_may_speak_pushes(people: Any) -> None:
    services.create(people.ann, "fast")
    services.share(people.ann, "fast", "public")
    row = {"diaObjectId": 1, "classification": "SN"}
    with pytest.raises(NotAllowed):
        services.push(people.bob, "fast", [row], ARCHIVE)
    services.set_writers(people.ann, "fast", ["bob"])
    services.push(people.bob, "fast", [row], ARCHIVE)
    assert PushedAnnotation.objects.get().author == people.bob
    with pytest.raises(Invalid, match="1 to"):
        services.push(people.bob, "fast", [], ARCHIVE)


json_values: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "diaObjectId": st.sampled_from([1, 2, "3"]),
                "classification": st.text(
                    st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=80
                ),
            },
            optional={"classdict": st.dictionaries(st.text(max_size=5), json_values, max_size=3)},
        ),
        min_size=1,
        max_size=20,
    )
)
def test_whatever_is_said_comes_out_again(rows: list[dict[str, Any]]) -> None:
    for said, row in zip(inbox.checked(rows, ARCHIVE), rows, strict=True):
        assert said.diaObjectId == int(row["diaObjectId"])
        assert said.classification == row["classification"]
        assert (json.loads(said.classdict) if said.classdict else {}) == row.get("classdict", {})


def test_what_the_archive_has_had_for_long_is_pruned(people: Any) -> None:
    services.create(people.ann, "fast")
    services.push(people.ann, "fast", [{"diaObjectId": 1, "classification": "SN"}] * 4, ARCHIVE)
    assert running.prune(4) == 0, "a back-up of the archive may want them again"
    long_ago = PushedAnnotation.objects.get(position=4).timestamp - 2 * running.KEPT
    PushedAnnotation.objects.filter(position__lte=3).update(timestamp=long_ago - timedelta(days=1))
    assert running.prune(2) == 2
    assert services.push(people.ann, "fast", [{"diaObjectId": 1, "classification": "SN"}], ARCHIVE) == range(
        5, 6
    )


def test_a_new_user_database_goes_on_behind_what_the_archive_has(people: Any) -> None:
    services.create(people.ann, "fast")
    services.push(people.ann, "fast", [{"diaObjectId": 1, "classification": "SN"}] * 2, ARCHIVE)
    assert running.annotations_after(500, 10)[1] == 500
    table, position = running.annotations_after(500, 10)
    assert (table.column("annotationID").to_pylist(), position) == ([501, 502], 502)
    assert AnnotationInbox.objects.get().position == 502
