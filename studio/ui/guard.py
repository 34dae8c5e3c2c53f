"""The only file that decides which requests the page's server answers, and what a browser may do with the answer."""

import hashlib
import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

from studio.ui.i18n import language, tr

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOCAL = ("127.0.0.1", "localhost")
TOKEN_COOKIE = "crucible_token"
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; media-src 'self' blob:; "
    "worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'self'; object-src 'none'; form-action 'self'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}


class Guard:
    """ASGI middleware: refuses foreign hosts, cross-site requests and missing tokens; adds the security headers.

    With a ``token`` the server is open to the network: any host name is taken, but nothing is answered without the
    token, given once as ``?token=`` and then kept in a cookie.
    """

    def __init__(self, app: App, token: str = "", page: Callable[[bytes, dict[str, str]], bytes] | None = None) -> None:
        self.app = app
        self.token = token
        self.admission = hashlib.sha256(token.encode()).hexdigest()  # fit for a cookie, whatever it is made of
        self.page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = refused(scope.get("method", "GET"), headers, bool(self.token))
        if refusal:
            await _answer(send, refusal[0], _in_language(refusal[1], headers))
        elif self.token and not self._admitted(headers):
            await self._admit(scope, send, headers)
        else:
            await self._pass(scope, receive, send, headers)

    def _admitted(self, headers: dict[str, str]) -> bool:
        kept = cookies(headers).get(TOKEN_COOKIE, "")
        return hmac.compare_digest(kept.encode(), self.admission.encode())

    async def _admit(self, scope: Scope, send: Send, headers: dict[str, str]) -> None:
        given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]
        if scope.get("method") == "GET" and hmac.compare_digest(given.encode(), self.token.encode()):
            cookie = f"{TOKEN_COOKIE}={self.admission}; Path=/; HttpOnly; SameSite=Strict"
            await _answer(send, 303, "", {"location": "/", "set-cookie": cookie})
        else:
            needed = "Open the address with the token that the studio printed when it started."
            await _answer(send, 401, _in_language(needed, headers))

    async def _pass(self, scope: Scope, receive: Receive, send: Send, headers: dict[str, str]) -> None:
        whole = self.page is not None and scope["path"] == "/" and scope.get("method") == "GET"
        if whole:  # the page's own HTML is changed on its way, so it must come uncompressed
            kept = [pair for pair in scope["headers"] if pair[0] != b"accept-encoding"]
            scope = {**scope, "headers": kept}
        start: Message = {}
        body = bytearray()

        async def out(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": _hardened(message.get("headers", []))}
                if whole:
                    start.update(message)
                    return
            elif whole and message["type"] == "http.response.body":
                body.extend(message.get("body", b""))
                if not message.get("more_body"):
                    await _send_page(send, start, self.page(bytes(body), headers))  # type: ignore[misc]
                return
            await send(message)

        await self.app(scope, receive, out)


def refused(method: str, headers: dict[str, str], listening: bool = False) -> tuple[int, str] | None:
    """Why a request is not answered, as (status, sentence), or None.

    A page elsewhere may link here, but neither post, nor read, nor embed; a foreign name that was pointed at this
    machine (DNS rebinding) is not answered at all.
    """
    host = headers.get("host", "")
    if not listening and _name(host) not in LOCAL:
        return 400, "This server answers to 127.0.0.1 and localhost only."
    origin = headers.get("origin", "")
    if origin and urlsplit(origin).netloc != host:
        return 403, "Requests from other sites are refused."
    if headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        visit = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        if method not in ("GET", "HEAD") or not visit:
            return 403, "Requests from other sites are refused."
    return None


def _in_language(text: str, headers: dict[str, str]) -> str:
    """The sentence in the visitor's language."""
    return tr(text, language(cookies(headers), headers.get("accept-language", "")))


def cookies(headers: dict[str, str]) -> dict[str, str]:
    """What a request's cookies say, by name."""
    return {name: morsel.value for name, morsel in SimpleCookie(headers.get("cookie", "")).items()}


def _name(host: str) -> str:
    return host.rsplit(":", 1)[0] if ":" in host and not host.endswith("]") else host


def _hardened(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    present = {name.lower() for name, _ in headers}
    kept = [(name, value) for name, value in headers if not name.lower().startswith(b"access-control-")]
    return kept + [(k.encode(), v.encode()) for k, v in HEADERS.items() if k.encode() not in present]


async def _send_page(send: Send, start: Message, body: bytes) -> None:
    headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
    headers += [(b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store")]
    await send({**start, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _answer(send: Send, status: int, text: str, more: dict[str, str] | None = None) -> None:
    headers = {"content-type": "text/plain; charset=utf-8", **HEADERS, **(more or {})}
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": text.encode()})
