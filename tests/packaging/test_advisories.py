"""`make advisories` says what is known of the locked versions, and never passes without having asked."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tools.advisories import CANARY, NONE, NOT_CHECKED, SOME, main, pins_in

ROOT = Path(__file__).parents[2]
CANARY_ID = "GHSA-6757-jp84-gxfx"
ADVISORIES: dict[str, dict[str, Any]] = {
    CANARY_ID: {"id": CANARY_ID, "aliases": [CANARY[2]], "summary": "code is run"},
    "PYSEC-1": {"id": "PYSEC-1", "aliases": ["CVE-1"], "summary": "a hole"},
    "PYSEC-2": {"id": "PYSEC-2", "summary": "none", "withdrawn": "2026-01-01T00:00:00Z"},
}


class Database:
    """Answers as google.github.io/osv.dev/post-v1-querybatch has it. known: ids by name and version."""

    def __init__(self) -> None:
        self.known = {CANARY[:2]: [CANARY_ID]}
        self.asked: list[tuple[str, str]] = []
        self.answer: bytes | None = None
        database = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args: Any) -> None:
                pass

            def do_POST(self) -> None:
                queries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
                assert self.path == "/v1/querybatch" and {each["package"]["ecosystem"] for each in queries} == {
                    "PyPI"
                }
                pins = [(each["package"]["name"], each["version"]) for each in queries]
                database.asked += pins
                found = [database.known.get(pin, []) for pin in pins]
                self.say({"results": [{"vulns": [{"id": each} for each in ids]} if ids else {} for ids in found]})

            def do_GET(self) -> None:
                self.say(ADVISORIES[self.path.removeprefix("/v1/vulns/")])

            def say(self, content: Any) -> None:
                body = json.dumps(content).encode() if database.answer is None else database.answer
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def database() -> Iterator[Database]:
    made = Database()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
def lock(tmp_path: Path) -> str:
    path = tmp_path / "some.lock"
    path.write_text(
        "# text\nOne==1.0 \\\n    --hash=sha256:aa\ntwo==2.0 ; python_version < '3.12' \\\n    --hash=sha256:bb\n"
    )
    return str(path)


def test_each_version_of_the_locks_that_are_shipped_is_found() -> None:
    for name in ("requirements.lock", "requirements-run.lock"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert len(pins_in(text)) == text.count("==") - text.count(" == ") > 5


def test_nothing_known_is_0_once_the_source_has_shown_that_it_knows(
    database: Database, lock: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([lock], database.url) == NONE
    assert capsys.readouterr().out.endswith("2 locked versions asked for: no known vulnerabilities\n")
    assert database.asked == [("one", "1.0"), ("two", "2.0"), CANARY[:2]]


def test_what_is_known_is_told_but_for_what_was_withdrawn(
    database: Database, lock: str, capsys: pytest.CaptureFixture[str]
) -> None:
    database.known |= {("two", "2.0"): ["PYSEC-1", "PYSEC-2"]}
    assert main([lock], database.url) == SOME
    assert capsys.readouterr().out == (
        "two 2.0: PYSEC-1 (CVE-1): a hole\n2 locked versions asked for: 1 known vulnerabilities\n"
    )


@pytest.mark.parametrize("answer", [b"", b"[]", b"{}", b'{"results": []}', b"<html>"])
def test_an_answer_that_is_none_is_no_pass(
    database: Database, lock: str, answer: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    database.answer = answer
    assert main([lock], database.url) == NOT_CHECKED
    assert capsys.readouterr().out.startswith("NOT CHECKED: 2 locked versions")


def test_a_source_that_knows_nothing_or_that_is_not_there_is_no_pass(
    database: Database, lock: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database.known.clear()
    assert main([lock], database.url) == NOT_CHECKED
    assert "it knows nothing" in capsys.readouterr().out
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert main([lock], f"http://127.0.0.1:{closed.getsockname()[1]}") == NOT_CHECKED
    assert capsys.readouterr().out.startswith("NOT CHECKED")
    (tmp_path / "empty.lock").write_text("")
    assert main([str(tmp_path / "empty.lock")], database.url) == NOT_CHECKED


def test_the_make_target_asks_for_every_lock_that_is_installed_from() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "tools.advisories requirements-run.lock requirements.lock" in text
    for target in ("test", "check"):
        assert "advisories" not in text.partition(f"\n{target}: ")[2].partition("\n\n")[0], "it needs a network"
