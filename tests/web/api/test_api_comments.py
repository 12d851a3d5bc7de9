"""Comments on objects: who sees them, who changes them, and how they come back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lasair_broker.archive import Archive


@pytest.fixture
def number(archive: Archive) -> str:
    return str(
        archive.query("SELECT diaObjectId FROM objects ORDER BY diaObjectId LIMIT 1").column(0)[0].as_py()
    )


def test_a_comment_is_written_edited_removed_and_had_back(number: str, people: Any, client_of: Any) -> None:
    ann, bob = client_of(people.ann), client_of(people.bob)
    address = f"/api/v1/objects/{number}/comments/"
    made = ann.post(address, {"text": " <b>bright</b> & blue \n", "visibility": "public"}, format="json")
    assert made.status_code == 201
    comment = made.json()
    assert comment["text"] == "<b>bright</b> & blue"  # kept as written: pages escape it
    assert comment["diaObjectId"] == number
    assert comment["owner"] == "ann"
    assert comment["edited"] is None
    one = f"/api/v1/comments/{comment['id']}/"
    assert ann.patch(one, {"text": "faint"}, format="json").json()["edited"] is not None
    assert bob.patch(one, {"text": "mine"}, format="json").status_code == 403
    assert bob.delete(one).status_code == 403
    assert bob.get(address).json()["results"][0]["text"] == "faint"

    assert ann.delete(one).status_code == 204
    for client in (ann, bob):
        assert client.get(address).json()["results"] == []
        assert client.get(one).status_code == 404
        assert client.get("/api/v1/comments/").json()["results"] == []
    assert ann.patch(one, {"text": "again"}, format="json").status_code == 404
    assert ann.delete(one).status_code == 404
    assert bob.post(f"{one}restore/").status_code == 404
    assert ann.post(f"{one}restore/").json()["text"] == "faint"
    assert ann.post(f"{one}restore/").status_code == 404
    assert bob.get(one).status_code == 200


def test_who_sees_a_comment(number: str, people: Any, team: Any, client_of: Any) -> None:
    team("4MOST", manager=people.ann, editor=people.editor, member=people.member)
    address = f"/api/v1/objects/{number}/comments/"
    ann = client_of(people.ann)
    for visibility in ("private", "group", "public"):
        body = {"text": visibility, "visibility": visibility}
        if visibility == "group":
            body["collaboration"] = "4most"
        assert ann.post(address, body, format="json").status_code == 201

    def seen(user: Any) -> set[str]:
        return {row["text"] for row in client_of(user).get(address).json()["results"]}

    assert seen(people.ann) == {"private", "group", "public"}
    assert seen(people.member) == seen(people.editor) == {"group", "public"}
    assert seen(people.other) == seen(None) == {"public"}
    grouped = next(r for r in ann.get(address).json()["results"] if r["text"] == "group")
    editor = client_of(people.editor)
    changed = editor.patch(f"/api/v1/comments/{grouped['id']}/", {"text": "not your words"}, format="json")
    assert changed.status_code == 403  # an editor changes what a collaboration has, but nobody's words
    other = client_of(people.other)
    to_team = {"text": "hello", "visibility": "group", "collaboration": "4most"}
    assert other.post(address, to_team, format="json").status_code == 400  # which knows of no such team


@pytest.mark.parametrize("text", ["", "  \n ", "a\x00b", "x" * 4097, None, ["a"]])
def test_what_is_no_comment_is_refused(number: str, people: Any, client_of: Any, text: object) -> None:
    answer = client_of(people.ann).post(f"/api/v1/objects/{number}/comments/", {"text": text}, format="json")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "text"


def test_only_of_objects_that_are_there(people: Any, client_of: Any, archive: Archive) -> None:
    for key in ("1", "9" * 30, "ZTF00nothing", "..%2f"):
        answer = client_of(people.ann).post(f"/api/v1/objects/{key}/comments/", {"text": "a"}, format="json")
        assert answer.status_code == 404


def test_a_token_needs_the_scope_to_speak(number: str, people: Any, client_of: Any) -> None:
    address = f"/api/v1/objects/{number}/comments/"
    assert client_of(people.ann, "read").post(address, {"text": "a"}, format="json").status_code == 403
    assert client_of(None).post(address, {"text": "a"}, format="json").status_code in (401, 403)
    assert client_of(people.ann, "annotate").post(address, {"text": "a"}, format="json").status_code == 201


def test_what_was_removed_long_ago_goes_for_good(archive: Archive, number: str, people: Any) -> None:
    from lasair_broker.web.comments import services
    from lasair_broker.web.comments.models import Comment
    from lasair_broker.web.errors import NotFound

    old, new = (services.add(people.ann, int(number), text) for text in ("old", "new"))
    services.remove(people.ann, old.pk)
    removed = Comment.everything.get(pk=old.pk).deleted
    assert removed is not None
    Comment.everything.filter(pk=old.pk).update(deleted=removed - timedelta(days=31))
    services.remove(people.ann, new.pk)
    with pytest.raises(NotFound):
        services.restore(people.ann, old.pk)
    assert services.restore(people.ann, new.pk).text == "new"
