"""Other servers: only those that are allowed are asked, and only so much is taken of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasair_broker.http import HttpError, Patience, among, ask, at_the_server_of

PATIENCE = Patience(most_bytes=1000, seconds=20.0)


class Server:
    """Does by its path what servers do, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.over = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                asked = (self.command, self.path, dict(self.headers), self.rfile.read(length))
                outer.asked.append(asked)
                kind = self.path.strip("/").split("/")[0]
                if kind.startswith("to="):
                    self.send_response(302)
                    self.send_header("Location", self.path.partition("=")[2])
                    self.end_headers()
                    return
                self.send_response(int(kind) if kind.isdecimal() else 200)
                if kind == "short":
                    self.send_header("Content-Length", "99")
                self.end_headers()
                self.wfile.write(b'{"said": "so"}')
                if kind == "drip":
                    while not outer.over.wait(0.02):
                        self.wfile.write(b".")
                        self.wfile.flush()
                if kind == "silent":
                    self.wfile.flush()
                    outer.over.wait()
                if kind == "huge":
                    self.wfile.write(b"0" * 10_000)

            do_POST = do_DELETE = do_GET

            def log_message(self, *_: Any) -> None: ...

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "*")
    made = Server()
    thread = threading.Thread(target=made.http.serve_forever, daemon=True)
    thread.start()
    yield made
    made.over.set()
    made.http.shutdown()
    made.http.server_close()
    thread.join()


def test_the_whole_answer_comes_whatever_its_status(server: Server) -> None:
    allows = at_the_server_of(server.address)
    for status in (200, 201, 404, 429, 500):
        found = ask(f"{server.address}/{status}", allows, PATIENCE)
        assert (found.status, found.ok, found.json()) == (status, status < 300, {"said": "so"})
    posted = ask(
        f"{server.address}/200",
        allows,
        PATIENCE,
        method="POST",
        headers={"Authorization": "Token t"},
        body=b"a=1",
    )
    assert posted.ok
    method, _, headers, body = server.asked[-1]
    assert (method, headers["Authorization"], body) == ("POST", "Token t", b"a=1")
    assert ask(f"{server.address}/204", allows, PATIENCE, method="DELETE").ok
    assert server.asked[-1][0] == "DELETE"


@pytest.mark.parametrize(
    ("path", "patience", "told"),
    [
        ("huge", PATIENCE, "more than 1,000 bytes"),
        ("short", PATIENCE, "bytes are missing"),
        ("drip", Patience(1_000_000, 0.3), "took more than 0.3 s"),
        ("silent", Patience(1_000_000, 0.3), "cannot reach|took more"),
    ],
)
def test_what_takes_too_much_is_left(server: Server, path: str, patience: Patience, told: str) -> None:
    with pytest.raises(HttpError, match=told):
        ask(f"{server.address}/{path}", at_the_server_of(server.address), patience)


def test_a_redirection_is_followed_to_what_is_allowed_only_and_takes_no_secret_along(server: Server) -> None:
    here = at_the_server_of(server.address)
    home = f"{server.address}/to=/200/home"
    with pytest.raises(HttpError, match=r"302 and leads to .*/200/home, which is not followed"):
        ask(home, here, PATIENCE)
    secret = {"Authorization": "Token of the site"}
    assert ask(home, here, PATIENCE, headers=secret, follow=True).ok
    assert "Authorization" in server.asked[-2][2]
    assert "Authorization" not in server.asked[-1][2]
    other = f"http://localhost:{server.http.server_port}/200"
    before = len(server.asked)
    with pytest.raises(HttpError, match="leads to http://localhost") as error:
        ask(f"{server.address}/to={other}", here, PATIENCE, headers=secret, follow=True)
    assert "Token" not in str(error.value)
    assert len(server.asked) == before + 1


def test_nothing_else_is_asked(server: Server) -> None:
    for address in (
        "file:///etc/passwd",
        "ftp://127.0.0.1/a",
        f"http://u:p@127.0.0.1:{server.http.server_port}/",
    ):
        with pytest.raises(HttpError, match="may not be asked"):
            ask(address, at_the_server_of(address), PATIENCE)
    with pytest.raises(HttpError, match="cannot reach"):
        ask("http://127.0.0.1:1/", lambda _: True, PATIENCE)
    assert server.asked == []


def test_the_same_server_is_scheme_host_and_port() -> None:
    same = at_the_server_of("https://Example.org/a/b?c")
    assert same("https://example.org:443/other")
    for other in (
        "http://example.org/",
        "https://example.org:444/",
        "https://a.example.org/",
        "https://u@example.org/",
    ):
        assert not same(other)
    assert not at_the_server_of("no address")("no address")


def test_hosts_by_name_and_by_what_lies_above() -> None:
    hosts = ("one.org", ".two.org")
    for address in ("https://one.org/a", "http://ONE.org:8/", "https://a.two.org/", "https://b.a.two.org/"):
        assert among(address, hosts)
    for address in (
        "https://a.one.org/",
        "https://two.org/",
        "https://eviltwo.org/",
        "https://one.org.evil/",
        "x",
        "",
    ):
        assert not among(address, hosts)


@given(st.text(max_size=80))
def test_any_text_is_an_address_or_none(text: str) -> None:
    assert isinstance(among(text, ("a", ".b")), bool)
    assert isinstance(at_the_server_of(text)(text), bool)
    assert not among(f"https://evil.org/{text}", ("good.org", ".good.org"))
