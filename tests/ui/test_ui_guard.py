"""Foreign pages cannot read, write, embed or rebind the studio."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from studio.ui.app import application, bind
from studio.ui.guard import Guard
from studio.ui.late import LateWorker

HERE = "http://127.0.0.1:7860"


async def echo(request: Request) -> PlainTextResponse:
    return PlainTextResponse("answered", headers={"access-control-allow-origin": "*"})


def client(token: str = "", base: str = HERE) -> TestClient:
    routes = [Route("/{path:path}", echo, methods=["GET", "POST"])]
    return TestClient(Guard(Starlette(routes=routes), token), base_url=base, follow_redirects=False)


REFUSED = [
    ("GET", {"host": "evil.example"}, 400),
    ("GET", {"host": "evil.example:7860", "origin": "http://evil.example:7860"}, 400),
    ("GET", {"host": "127.0.0.1.evil.example:7860"}, 400),
    ("POST", {"origin": "http://evil.example"}, 403),
    ("POST", {"origin": "null"}, 403),
    ("POST", {"origin": "http://127.0.0.1:9999"}, 403),
    ("POST", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"}, 403),
    ("POST", {"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors"}, 403),
    ("POST", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}, 403),
    ("GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}, 403),
    ("GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}, 403),
]
ANSWERED = [
    ("GET", {}),
    ("GET", {"host": "localhost:7860"}),
    ("POST", {"origin": HERE, "sec-fetch-site": "same-origin"}),
    ("GET", {"sec-fetch-site": "none", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}),
    ("GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}),
]


@pytest.mark.parametrize(("method", "headers", "status"), REFUSED)
def test_foreign_requests_are_refused(method: str, headers: dict[str, str], status: int) -> None:
    answer = client().request(method, "/gradio_api/queue/join", headers=headers)
    assert answer.status_code == status
    assert "answered" not in answer.text


@pytest.mark.parametrize(("method", "headers"), ANSWERED)
def test_the_visitors_own_requests_are_answered(method: str, headers: dict[str, str]) -> None:
    answer = client().request(method, "/", headers=headers)
    assert answer.text == "answered"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in answer.headers


def test_a_listening_server_answers_only_with_its_token() -> None:
    visitor = client("secret; ü", "http://192.168.1.5:7860")
    assert visitor.get("/").status_code == 401
    assert visitor.get("/?token=wrong").status_code == 401
    assert visitor.post("/?token=secret").status_code == 401
    assert "令牌" in visitor.get("/", headers={"accept-language": "zh-CN,zh;q=0.9"}).text
    admitted = visitor.get("/", params={"token": "secret; ü"})
    assert admitted.status_code == 303
    assert "HttpOnly" in admitted.headers["set-cookie"] and "secret" not in admitted.headers["set-cookie"]
    assert visitor.get("/").text == "answered"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with TestClient(application(tmp_path_factory.mktemp("outputs"), LateWorker()), base_url=HERE) as opened:
        yield opened


@pytest.mark.parametrize(
    ("method", "path", "more"),
    [
        ("GET", "/config", {}),
        ("POST", "/gradio_api/queue/join", {"content": "{}"}),
        ("POST", "/gradio_api/upload", {"files": {"files": ("a.png", b"x")}}),
        ("POST", "/gradio_api/component_server", {"content": "{}"}),
    ],
)
def test_the_real_page_refuses_rebinding_and_cross_site(page: TestClient, method: str, path: str, more: Any) -> None:
    assert page.request(method, path, headers={"host": "evil.example"}, **more).status_code == 400
    foreign = {"origin": "http://evil.example", "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"}
    assert page.request(method, path, headers=foreign, **more).status_code == 403


def test_the_real_page_is_dressed_in_the_visitors_language(page: TestClient) -> None:
    assert "lang='zh-CN'" in page.get("/", headers={"accept-language": "zh-CN"}).text
    answer = page.get("/", headers={"cookie": "crucible_lang=en; crucible_theme=dark", "accept-language": "zh-CN"})
    assert "lang='en'" in answer.text and "includes('dark')" in answer.text
    assert "</script>" not in page.get("/", headers={"cookie": "crucible_theme=</script>x"}).text.split("<head>")[1][:9]


def test_the_docs_are_closed(page: TestClient) -> None:
    assert page.get("/docs").status_code == 404
    assert page.get("/openapi.json").status_code == 404


def test_a_taken_port_is_passed_over() -> None:
    first = bind("127.0.0.1", None)
    first.listen()
    second = bind("127.0.0.1", None)
    assert second.getsockname()[1] > first.getsockname()[1]
    first.close()
    second.close()


def test_files_outside_are_not_served(page: TestClient, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    assert page.get(f"/gradio_api/file={tmp_path / 'secret.txt'}").status_code in (403, 404)
