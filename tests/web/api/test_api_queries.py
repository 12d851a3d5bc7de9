"""Background queries from the wish to the result, and saved ones: what they do, and for whom."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from itertools import chain
from typing import Any

import pyarrow as pa
import pytest

from lasair_broker.archive import QueryCancelledError
from lasair_broker.archive import QueryError as ArchiveQueryError
from lasair_broker.query import QueryError

OBJECTS = "SELECT diaObjectId, ra, ra * 2 AS twice FROM objects ORDER BY diaObjectId"


class Stored:
    """An archive that answers each query with what it is told to."""

    engine = "duckdb"

    def __init__(self) -> None:
        self.rows: pa.Table | Exception = pa.table(
            {"diaObjectId": range(25), "ra": [0.5] * 25, "twice": [1.0] * 25}
        )
        self.asked: list[tuple[int | None, float | None]] = []

    def query(
        self,
        sql: str,
        *,
        max_rows: int | None = None,
        timeout: float | None = None,
        cancelled: threading.Event | None = None,
    ) -> pa.Table:
        self.asked.append((max_rows, timeout))
        if isinstance(self.rows, Exception):
            raise self.rows
        return self.rows.slice(0, max_rows)


@pytest.fixture
def stored(tmp_path: Any) -> Iterator[Stored]:
    from lasair_broker.web.archive import use

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LASAIR_SITE__RESULTS", str(tmp_path / "results"))
        found = Stored()
        use(found)  # type: ignore[arg-type]  # it has the one method that is called
        yield found
        use(None)


def submitted(user: Any, adql: str = OBJECTS, **more: Any) -> Any:
    from lasair_broker.web.queries import jobs
    from lasair_broker.web.queries.texts import Text

    return jobs.submit(user, Text(adql=adql), **more)


def ran(job: Any) -> Any:
    from lasair_broker.web.queries.running import run

    run(job.pk)
    job.refresh_from_db()
    return job


def test_a_query_runs_in_the_background(people: Any, stored: Stored) -> None:
    from django_tasks_db.models import DBTaskResult

    from lasair_broker.web.queries import jobs

    job = submitted(people.ann, name=" mine ", most_rows=20)
    assert (job.phase, job.name, jobs.before(job)) == ("QUEUED", "mine", 0)
    assert jobs.before(submitted(people.bob)) == 1
    (task, *_) = DBTaskResult.objects.filter(queue_name="queries")
    assert task.args_kwargs["args"] == [job.pk]
    with pytest.raises(Exception, match="not there yet"):
        jobs.rows(people.ann, job.pk)
    job = ran(job)
    assert (job.phase, job.rows, job.truncated, job.error) == ("COMPLETED", 20, True, "")
    assert stored.asked == [(21, 600.0)]
    assert job.bytes > 0
    assert job.expires - job.ended > timedelta(days=6)
    assert [c["name"] for c in job.columns] == ["diaObjectId", "ra", "twice"]
    assert (job.columns[1]["unit"], job.columns[2]["unit"]) == ("deg", "")
    rows = jobs.rows(people.ann, job.pk, 15, 10)
    assert rows["diaObjectId"].to_pylist() == [15, 16, 17, 18, 19]
    assert rows.schema.field("ra").metadata[b"unit"] == b"deg"
    assert jobs.rows(people.ann, job.pk).num_rows == 20
    assert ran(job).rows == 20  # a second delivery of the task does nothing


def test_a_page_of_a_result_is_found_in_any_row_group(people: Any, stored: Stored, monkeypatch: Any) -> None:
    from lasair_broker.web.queries import jobs, results

    monkeypatch.setattr(results, "_ROWS_IN_GROUP", 4)
    job = ran(submitted(people.ann))
    for first in range(0, 27, 3):
        for count in (1, 4, 9):
            found = jobs.rows(people.ann, job.pk, first, count)["diaObjectId"].to_pylist()
            assert found == list(range(25))[first : first + count]


def test_a_result_says_by_what_it_was_found(people: Any, stored: Stored) -> None:
    from lasair_broker.web.queries import results

    assert results.answered_by(ran(submitted(people.ann)).pk) == ""
    stored.rows = stored.rows.replace_schema_metadata({b"answered_by": b"columnar snapshot, 3 s old"})
    job = ran(submitted(people.ann))
    assert results.answered_by(job.pk) == "columnar snapshot, 3 s old"
    results.forget(job.pk)
    assert results.answered_by(job.pk) == ""


def test_a_query_that_is_wrong_is_refused_at_once(people: Any, stored: Stored) -> None:
    with pytest.raises(QueryError) as error:
        submitted(people.ann, "SELECT raa FROM objects")
    assert error.value.position == 7
    from lasair_broker.web.queries.models import Job

    assert not Job.objects.exists()


def test_what_fails_says_why(people: Any, stored: Stored) -> None:
    stored.rows = ArchiveQueryError("the query took longer than 600 seconds")
    job = ran(submitted(people.ann))
    assert (job.phase, job.error) == ("ERROR", "the query took longer than 600 seconds")


def test_rights_are_looked_up_when_it_runs(people: Any, stored: Stored) -> None:
    from lasair_broker.web.queries.models import Job

    job = submitted(people.ann)
    Job.objects.filter(pk=job.pk).update(adql="SELECT * FROM filter_hits")
    assert "there is no table filter_hits" in ran(job).error


def test_cancelling(people: Any, stored: Stored) -> None:
    from lasair_broker.web.queries import jobs
    from lasair_broker.web.queries.models import Job

    waiting = submitted(people.ann)
    assert jobs.cancel(people.ann, waiting.pk).phase == "ABORTED"
    assert ran(waiting).phase == "ABORTED"
    assert stored.asked == []
    running = submitted(people.ann)
    Job.objects.filter(pk=running.pk).update(phase="EXECUTING")
    assert jobs.cancel(people.ann, running.pk).cancel
    Job.objects.filter(pk=running.pk).update(phase="QUEUED", cancel=False)
    stored.rows = QueryCancelledError("the query was cancelled")
    assert ran(running).phase == "ABORTED"
    assert jobs.cancel(people.ann, running.pk).phase == "ABORTED"


def test_a_process_that_stops_puts_its_queries_back(people: Any, stored: Stored, monkeypatch: Any) -> None:
    from lasair_broker.web.queries import running

    monkeypatch.setattr(running, "stopping", threading.Event())
    running.stopping.set()
    stored.rows = QueryCancelledError("the query was cancelled")
    job = ran(submitted(people.ann))
    assert (job.phase, job.attempts) == ("QUEUED", 0)


def test_what_a_dead_process_left_is_begun_anew_once(people: Any, stored: Stored) -> None:
    from django.utils import timezone

    from lasair_broker.web.queries.models import Job
    from lasair_broker.web.queries.running import look_after

    job = submitted(people.ann)
    now = timezone.now()
    for attempts, phase in ((1, "QUEUED"), (2, "ERROR")):
        Job.objects.filter(pk=job.pk).update(phase="EXECUTING", attempts=attempts, alive=now)
        look_after(now + timedelta(seconds=30))
        job.refresh_from_db()
        assert job.phase == "EXECUTING"
        look_after(now + timedelta(seconds=90))
        job.refresh_from_db()
        assert job.phase == phase
    Job.objects.filter(pk=job.pk).update(phase="EXECUTING", attempts=1, cancel=True)
    look_after(now + timedelta(seconds=90))
    job.refresh_from_db()
    assert job.phase == "ABORTED"


def test_what_a_dead_process_took_and_never_began_goes_back_into_the_line(
    people: Any, stored: Stored
) -> None:
    from django.utils import timezone
    from django_tasks_db.models import DBTaskResult

    from lasair_broker.web.queries import line
    from lasair_broker.web.queries.models import Job
    from lasair_broker.web.queries.running import QUEUE

    job = submitted(people.ann)
    DBTaskResult.objects.get(queue_name=QUEUE).claim("a process that is killed")
    assert not line.waits(QUEUE)
    now = timezone.now()
    line.tidy(QUEUE, Job, now + timedelta(seconds=30))
    assert not line.waits(QUEUE), "the process may yet begin it"
    line.tidy(QUEUE, Job, now + timedelta(seconds=90))
    assert line.waits(QUEUE)
    DBTaskResult.objects.get(queue_name=QUEUE).claim("another process")
    assert ran(job).phase == "COMPLETED"
    line.tidy(QUEUE, Job, now + timedelta(seconds=90))
    assert DBTaskResult.objects.filter(queue_name=QUEUE).count() == 1, "the process will note that it is done"
    line.tidy(QUEUE, Job, now + timedelta(days=2))
    assert not DBTaskResult.objects.filter(queue_name=QUEUE).exists()


def test_results_are_kept_for_a_time_and_up_to_a_size(people: Any, stored: Stored, monkeypatch: Any) -> None:
    from django.utils import timezone

    from lasair_broker.web.queries import jobs, results, running
    from lasair_broker.web.queries.models import Job

    old = ran(submitted(people.ann))
    running.look_after(timezone.now() + timedelta(days=8))
    old.refresh_from_db()
    assert (old.phase, old.rows, old.bytes) == ("ARCHIVED", 25, 0)
    assert not list(results.folder().iterdir())
    with pytest.raises(Exception, match="result removed"):
        jobs.rows(people.ann, old.pk)
    first = ran(submitted(people.ann))
    others = ran(submitted(people.bob))
    limits = running.limits_of(people.ann)
    monkeypatch.setattr(
        running, "limits_of", lambda user: type(limits)(**{**vars(limits), "kept_bytes": first.bytes})
    )
    newest = ran(submitted(people.ann))
    phases = dict(Job.objects.values_list("pk", "phase"))
    assert (phases[first.pk], phases[newest.pk], phases[others.pk]) == ("ARCHIVED", "COMPLETED", "COMPLETED")
    jobs.remove(people.ann, newest.pk)
    assert [place.stem for place in results.folder().iterdir()] == [str(others.pk)]


def test_so_many_at_once(people: Any, stored: Stored) -> None:
    from lasair_broker.web.errors import Invalid
    from lasair_broker.web.queries import jobs

    made = [submitted(people.ann) for _ in range(5)]
    with pytest.raises(Invalid, match="5 of your queries wait or run"):
        submitted(people.ann)
    with pytest.raises(Invalid, match="not ended"):
        jobs.remove(people.ann, made[0].pk)
    ran(made[0])
    submitted(people.ann)
    submitted(people.bob)


def test_nobody_else_sees_a_background_query(people: Any, team: Any, stored: Stored, client_of: Any) -> None:
    from lasair_broker.web.accounts.models import User

    team("4MOST", manager=people.ann, member=people.bob)
    job = ran(submitted(people.ann, "SELECT 'swordfish' AS fish, ra FROM objects", name="swordfish"))
    admin = User.objects.create_superuser("admin@example.org", "admin")
    for user in (None, people.bob, people.eve, admin):
        client = client_of(user)
        ways = [("get", ""), ("patch", ""), ("delete", ""), ("post", "cancel/")]
        for method, path in (*ways, ("get", "rows/"), ("get", "result/")):
            answer = getattr(client, method)(f"/api/v1/jobs/{job.pk}/{path}", {"name": "x"}, format="json")
            assert answer.status_code == (401 if user is None else 404), (user, method, path)
            assert b"swordfish" not in answer.content
        listed = client.get("/api/v1/jobs/")
        assert listed.status_code == 401 or listed.json() == {"results": [], "next": None}
    assert client_of(people.ann).get(f"/api/v1/jobs/{job.pk}/").json()["name"] == "swordfish"


def test_jobs_of_the_api(people: Any, stored: Stored, client_of: Any) -> None:
    from lasair_broker.web.queries.models import Job

    client = client_of(people.ann, "read")
    wrong = client.post("/api/v1/jobs/", {"adql": "SELECT raa FROM objects"}, format="json")
    assert (wrong.status_code, wrong.json()["position"]) == (400, 7)
    assert client.post("/api/v1/jobs/", {}, format="json").status_code == 400
    asked = {
        "selected": "objects.diaObjectId",
        "tables": "objects",
        "conditions": "objects.ra > 0",
        "limit": 22,
    }
    made = client.post("/api/v1/jobs/", asked, format="json")
    assert made.status_code == 201, made.content
    assert (made.json()["phase"], made.json()["before"], made.json()["most_rows"]) == ("QUEUED", 0, 22)
    number = made.json()["id"]
    assert client.get(f"/api/v1/jobs/{number}/result/").status_code == 404
    ran(Job.objects.get(pk=number))
    pages, address = [], f"/api/v1/jobs/{number}/rows/?limit=10"
    while address:
        page = client.get(address).json()
        pages.append([row["diaObjectId"] for row in page["results"]])
        address = page["next"]
    assert [len(page) for page in pages] == [10, 10, 2]
    assert list(chain(*pages)) == [str(n) for n in range(22)]
    for name, begins in (
        ("csv", b"diaObjectId"),
        ("parquet", b"PAR1"),
        ("fits", b"SIMPLE"),
        ("votable", b"<?xml"),
    ):
        answer = client.get(f"/api/v1/jobs/{number}/result/?format={name}")
        content = b"".join(answer) if answer.streaming else answer.content
        assert content.startswith(begins)
        assert f"lasair-query-{number}." in answer["Content-Disposition"]
        assert answer["Lasair-Truncated"] == "true"
    assert client.patch(f"/api/v1/jobs/{number}/", {"name": "n"}, format="json").json()["name"] == "n"
    others = [client.post("/api/v1/jobs/", {"adql": OBJECTS}, format="json").json()["id"] for _ in range(2)]
    listed = client.get("/api/v1/jobs/?limit=2").json()
    assert [job["id"] for job in listed["results"]] == others[::-1]
    assert [job["id"] for job in client.get(listed["next"]).json()["results"]] == [number]
    assert client.post(f"/api/v1/jobs/{others[0]}/cancel/").json()["phase"] == "ABORTED"
    only = client.get("/api/v1/jobs/?phase=ABORTED").json()["results"]
    assert [job["id"] for job in only] == others[:1]
    assert client.delete(f"/api/v1/jobs/{number}/").status_code == 204
    assert client.get(f"/api/v1/jobs/{number}/").status_code == 404


def test_saved_queries(people: Any, team: Any, client_of: Any) -> None:
    group = team("4MOST", manager=people.ann, editor=people.eve, member=people.bob)
    ann = client_of(people.ann)
    made = ann.post("/api/v1/queries/", {"name": "swordfish", "adql": OBJECTS}, format="json")
    assert made.status_code == 201, made.content
    path = f"/api/v1/queries/{made.json()['id']}/"
    again = ann.post("/api/v1/queries/", {"name": "swordfish", "adql": OBJECTS}, format="json")
    assert again.status_code == 400
    wrong = ann.post("/api/v1/queries/", {"name": "w", "adql": "SELECT raa FROM objects"}, format="json")
    assert "line 1, column 8" in wrong.json()["detail"]
    seen = {"private": "a", "group": "aeb", "public": "aebz-"}
    users = {"e": people.eve, "b": people.bob, "z": people.zoe, "-": None}
    clients = {"a": ann, **{name: client_of(user) for name, user in users.items()}}
    for visibility, who in seen.items():
        with_whom = group.slug if visibility == "group" else None
        given = {"visibility": visibility, "collaboration": with_whom}
        shared = ann.post(f"{path}share/", given, format="json")
        assert shared.status_code == 200, shared.content
        for name, client in clients.items():
            assert client.get(path).status_code == (200 if name in who else 404)
            assert (b"swordfish" in client.get("/api/v1/queries/").content) == (name in who)
            change = client.patch(path, {"description": name}, format="json").status_code
            edits = name == "a" or (name == "e" and visibility == "group")
            assert change == (200 if edits else 401 if name == "-" else 403 if name in who else 404)
            if name != "a":
                assert client.delete(path).status_code in (401, 403, 404)
    changed = ann.patch(path, {"selected": "objects.ra", "tables": "objects"}, format="json")
    assert (changed.json()["adql"], changed.json()["selected"]) == ("", "objects.ra")
    assert ann.patch(path, {"conditions": "1 = 1"}, format="json").status_code == 400
    assert ann.delete(path).status_code == 204


def test_a_group_member_must_not_make_the_owner_read_more(people: Any, team: Any) -> None:
    """What an editor writes is checked against what the owner may read."""
    from lasair_broker.web.errors import Invalid
    from lasair_broker.web.queries import saved
    from lasair_broker.web.queries.texts import Text
    from lasair_broker.web.watchlists import services as watchlists

    group = team("4MOST", manager=people.ann, editor=people.eve)
    theirs = watchlists.create(people.eve, "hers")
    kept = saved.save(people.ann, "q", Text(adql=OBJECTS))
    saved.share(people.ann, kept.pk, "group", group)
    with pytest.raises(Invalid, match="not yours to read"):
        saved.change(people.eve, kept.pk, text=Text(selected="objects.ra", tables=f"watchlist:{theirs.pk}"))


def test_the_workers_run_what_is_in_the_line(site: Any) -> None:
    """A running `lasair serve` runs it, in a process with a queue, threads and an archive of its own: a
    query, and a filter over the past, in yet another process."""
    import time
    from uuid import uuid4

    import requests

    name = f"quinn-{uuid4().hex}"  # the site has a database of its own, whichever this process tries
    site.lasair("user", "create", name)
    token = site.lasair("user", "token", name)
    headers = {"Authorization": f"Token {token}"}

    def asked(path: str, body: dict[str, Any]) -> Any:
        return requests.post(f"{site.address}/api/v1/{path}", json=body, headers=headers, timeout=30).json()

    def got(path: str) -> Any:
        return requests.get(f"{site.address}/api/v1/{path}", headers=headers, timeout=30)

    def ended(job: Any) -> Any:
        for _ in range(1200):
            job = got(f"jobs/{job['id']}/").json()
            if job["phase"] not in ("QUEUED", "EXECUTING"):
                break
            time.sleep(0.1)
        assert job["phase"] == "COMPLETED", job
        return job

    made = asked(
        "filters/", {"name": "past", "adql": "SELECT diaObjectId FROM objects WHERE nDiaSources > 2"}
    )
    now = time.time() / 86400 + 40587.0
    interval = {"filter_id": made["id"], "since_mjd": now - 1.0, "until_mjd": now + 0.01}
    past = asked("jobs/replay/", interval)
    job = ended(asked("jobs/", {"adql": OBJECTS}))
    assert got(f"jobs/{job['id']}/result/?format=csv").text.count("\r\n") == job["rows"] + 1
    hits = got(f"jobs/{ended(past)['id']}/rows/").json()["results"]
    assert hits
    assert {hit["filterId"] for hit in hits} == {str(made["id"])}
    wrong = asked("jobs/replay/", {**interval, "until_mjd": now - 2.0})
    assert wrong["status"] == 400


def test_a_replay_of_what_one_does_not_see(people: Any, stored: Stored) -> None:
    from lasair_broker.web.errors import Invalid, NotFound
    from lasair_broker.web.filters import services
    from lasair_broker.web.filters.wording import Wording
    from lasair_broker.web.queries import jobs

    made = services.create(people.ann, "f", Wording(adql="SELECT ra FROM objects"))
    with pytest.raises(NotFound):
        jobs.submit_replay(people.bob, made.pk, 1, 60000.0, 60001.0)
    with pytest.raises(Invalid, match="before the end"):
        jobs.submit_replay(people.ann, made.pk, 1, 60001.0, 60000.0)
    job = jobs.submit_replay(people.ann, made.pk, None, 60000.0, 60001.0)
    assert (job.replay["version"], job.adql, job.most_rows) == (1, "SELECT ra FROM objects", 1_000_000)


def test_a_replay_can_be_stopped(people: Any, stored: Stored, monkeypatch: Any) -> None:
    from lasair_broker.archive import QueryTimeoutError
    from lasair_broker.web.queries import replaying
    from lasair_broker.web.queries.models import Job

    monkeypatch.setattr(replaying, "_COMMAND", "import time; time.sleep(600)")
    replay = {"filter_id": 1, "version": 1, "since_mjd": 1.0, "until_mjd": 2.0}
    job = Job(owner=people.ann, replay=replay)
    cancelled = threading.Event()
    with pytest.raises(QueryTimeoutError):
        replaying.replayed(job, 0.0, cancelled)
    cancelled.set()
    with pytest.raises(QueryCancelledError):
        replaying.replayed(job, 600.0, cancelled)
    monkeypatch.setattr(replaying, "_COMMAND", "raise SystemExit('no')")
    with pytest.raises(ArchiveQueryError, match="in the log of the site"):
        replaying.replayed(job, 600.0, threading.Event())
