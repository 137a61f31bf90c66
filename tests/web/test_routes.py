"""Functions that answer the routes of a site."""

from __future__ import annotations

import asyncio
import datetime as dt
import enum
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, NotRequired, TypedDict

import pytest

import aiobpy
from aiobpy import web
from tests.web.raw import Raw

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    import aiohttp

    from tests.web.conftest import Run

PNG = b"\x89PNG\r\n\x1a\n and the rest"


class Finish(enum.Enum):
    MATT = "matt"
    GLOSS = "gloss"


@dataclass
class Cup:
    height: float
    finish: Finish = Finish.MATT
    made: dt.date | None = None


class Patch(TypedDict):
    height: NotRequired[float]
    names: NotRequired[list[str]]


@pytest.fixture
def site() -> Iterator[web.Site]:
    made = web.site("cups")
    yield made
    made.close()


def test_the_path_and_the_query_are_typed_parameters(run: Run, site: web.Site) -> None:
    given: list[Any] = []

    @site.get("/{shelf}/{name}")
    async def cup(
        shelf: int,
        name: str,
        limit: int = 50,
        scale: float | None = None,
        finish: Finish = Finish.MATT,
        size: Literal["small", 1] = "small",
        tag: list[str] | None = None,
        since: dt.datetime | None = None,
        is_full: bool = False,
    ) -> dict[str, Any]:
        given.append((shelf, name, limit, scale, finish, size, tag, since, is_full))
        return {"name": name}

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.get("/a/cups/3/blue%20cup%2F") as response:
            assert response.status == 200
            assert response.headers["content-type"] == "application/json"
            assert await response.json() == {"name": "blue cup/"}
        query = "limit=2&scale=3&finish=gloss&size=1&tag=a&tag=b&is_full=true"
        query += "&since=2026-11-21T12:00:00Z"
        async with client.get(f"/a/cups/4/x?{query}") as response:
            assert response.status == 200

    run(main)
    at = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
    assert given == [
        (3, "blue cup/", 50, None, Finish.MATT, "small", None, None, False),
        (4, "x", 2, 3.0, Finish.GLOSS, 1, ["a", "b"], at, True),
    ]


def test_what_does_not_fit_is_named(run: Run, site: web.Site) -> None:
    @site.get("/{shelf}")
    def cup(
        shelf: int, height: Annotated[float, aiobpy.Range(0, 1)], since: dt.date | None = None
    ) -> None:
        raise AssertionError

    async def main(client: aiohttp.ClientSession) -> None:
        query = "height=2&hieght=1&since=2026-02-30"
        async with client.get(f"/a/cups/top?{query}") as response:
            assert response.status == 422
            assert response.headers["content-type"] == "application/problem+json"
            problem = await response.json()
            assert problem["type"] == "invalid-request"
            assert {error["parameter"] for error in problem["errors"]} == {
                "shelf",
                "height",
                "hieght",
                "since",
            }
        async with client.get("/a/cups/3") as response:
            assert (await response.json())["errors"] == [
                {"parameter": "height", "detail": "is missing"}
            ]

    run(main)


def test_a_body_is_json_of_the_annotated_shape(run: Run, site: web.Site) -> None:
    @site.post("/")
    def make(cup: Cup) -> Cup:
        assert isinstance(cup, Cup)
        assert isinstance(cup.finish, Finish)
        return Cup(cup.height * 2, cup.finish, cup.made)

    @site.patch("/{name}")
    async def change(name: str, patch: Patch | None = None) -> dict[str, Any]:
        return {"name": name, "patch": patch}

    @site.put("/numbers")
    def numbers(values: Annotated[list[int], web.Body]) -> int:
        return sum(values)

    async def main(client: aiohttp.ClientSession) -> None:
        made = {"height": 1, "finish": "gloss", "made": "2026-11-21"}
        async with client.post("/a/cups/", json=made) as response:
            assert await response.json() == {**made, "height": 2.0}
        merge = {"content-type": "application/merge-patch+json"}
        async with client.patch("/a/cups/x", data=b'{"names": ["a"]}', headers=merge) as response:
            assert await response.json() == {"name": "x", "patch": {"names": ["a"]}}
        async with client.patch("/a/cups/x") as response:
            assert await response.json() == {"name": "x", "patch": None}
        async with client.put("/a/cups/numbers", json=[1, 2, 3]) as response:
            assert await response.json() == 6

    run(main)


def test_a_body_that_does_not_fit_is_answered_with_pointers(run: Run, site: web.Site) -> None:
    @site.post("/")
    def make(cup: Cup) -> None:
        raise AssertionError

    async def main(client: aiohttp.ClientSession) -> None:
        wrong = {"height": "tall", "finish": "rough", "made": "2026-02-30", "colour": 1}
        async with client.post("/a/cups/", json=wrong) as response:
            assert response.status == 422
            errors = (await response.json())["errors"]
            assert {error["pointer"] for error in errors} == {"/height", "/finish", "/colour"}
        async with client.post("/a/cups/", json={"height": 1, "made": "2026-02-30"}) as response:
            assert (await response.json())["errors"][0]["pointer"] == "/made"
        as_json = {"content-type": "application/json"}
        for body, headers, status in [
            (b"{", as_json, 400),
            (b'{"height": NaN}', as_json, 400),
            (b"{}", {"content-type": "text/plain"}, 415),
            (io.BytesIO(b'"' + b"x" * (1 << 20) + b'"'), as_json, 413),
        ]:
            async with client.post("/a/cups/", data=body, headers=headers) as response:
                assert response.status == status
        async with client.post("/a/cups/") as response:
            assert response.status == 422
        async with client.get("/a/cups/") as response:
            assert response.status == 405
            assert response.headers["allow"] == "POST"

    run(main)


@pytest.mark.parametrize(
    ("result", "status", "content_type", "body"),
    [
        ({"a": [1]}, 200, "application/json", b'{"a":[1]}'),
        ([Cup(1.0)], 200, "application/json", b'[{"height":1.0,"finish":"matt","made":null}]'),
        (1.5, 200, "application/json", b"1.5"),
        ("text \N{SNOWMAN}", 200, "text/plain; charset=utf-8", "text \N{SNOWMAN}".encode()),
        (b"bytes", 200, "application/octet-stream", b"bytes"),
        (None, 204, None, b""),
        (aiobpy.Image(PNG), 200, "image/png", PNG),
        (
            web.Response({"a": 1}, status=201, headers={"x-a": "b"}),
            201,
            "application/json",
            b'{"a":1}',
        ),
        (web.Response("<p>", content_type="text/html"), 200, "text/html", b"<p>"),
        (float("nan"), 500, "application/problem+json", None),
        # Its name is to be the same in every process that collects the tests.
        pytest.param(object(), 500, "application/problem+json", None, id="an object"),
    ],
    ids=str,
)
def test_what_a_function_returns_is_the_answer(
    run: Run, site: web.Site, result: Any, status: int, content_type: str, body: bytes | None
) -> None:
    @site.get("/now")
    def now() -> Any:
        return result

    @site.get("/later")
    async def later() -> Any:
        return result

    async def main(client: aiohttp.ClientSession) -> None:
        for path in ["now", "later"]:
            async with client.get(f"/a/cups/{path}") as response:
                assert response.status == status
                assert response.headers.get("content-type") == content_type
                answered = await response.read()
                assert answered == body or body is None
            async with client.head(f"/a/cups/{path}") as response:
                assert response.status == status
                if body:
                    assert response.headers["content-length"] == str(len(body))
                assert await response.read() == b""

    run(main, reports=status == 500)


def test_a_problem_is_answered_as_it_is(run: Run, site: web.Site) -> None:
    @site.get("/")
    def cup() -> None:
        raise aiobpy.Problem("there is no such cup", status=404, kind="unknown-cup")

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.get("/a/cups") as response:
            assert response.status == 404
            assert (await response.json())["type"] == "unknown-cup"

    run(main)


def test_what_goes_wrong_in_a_function_is_not_told_to_the_client(run: Run, site: web.Site) -> None:
    @site.get("/")
    async def cup() -> None:
        msg = "a secret"
        raise RuntimeError(msg)

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.get("/a/cups") as response:
            assert response.status == 500
            text = await response.text()
            assert "RuntimeError" in text
            assert "secret" not in text

    run(main, reports=True)


def test_a_stream_is_sent_as_it_is_made(run: Run, site: web.Site) -> None:
    async def numbers(count: int) -> AsyncIterator[bytes]:
        for number in range(count):
            yield f"{number}\n".encode()

    @site.get("/numbers")
    def stream(count: int) -> web.Stream:
        return web.Stream(numbers(count), content_type="text/plain")

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.get("/a/cups/numbers?count=3") as response:
            assert response.headers["content-type"] == "text/plain"
            assert await response.text() == "0\n1\n2\n"

    run(main)


def test_a_body_is_taken_as_it_comes(run: Run, site: web.Site) -> None:
    @site.post("/length")
    async def length(request: web.Request) -> int:
        return sum([len(chunk) async for chunk in request.stream()])

    @site.post("/bytes")
    async def of_bytes(data: Annotated[bytes, web.Body]) -> int:
        return len(data)

    @site.post("/json")
    async def of_json(request: web.Request) -> Any:
        assert request.header("content-type") == "text/plain"
        assert ("content-type", "text/plain") in request.headers
        return await request.json()

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.post("/a/cups/length", data=io.BytesIO(bytes(5 << 20))) as response:
            assert await response.json() == 5 << 20
        async with client.post("/a/cups/bytes", data=bytes(1000)) as response:
            assert await response.json() == 1000
        plain = {"content-type": "text/plain"}
        async with client.post("/a/cups/json", data=b"[1]", headers=plain) as response:
            assert await response.json() == [1]
        async with client.post("/a/cups/json", data=b"[", headers=plain) as response:
            assert response.status == 400

    run(main)


def test_an_answer_reaches_a_client_that_is_still_sending(run: Run, site: web.Site) -> None:
    @site.post("/")
    def refuse(request: web.Request) -> None:
        raise aiobpy.Problem("no more", status=409)

    async def main(client: aiohttp.ClientSession) -> None:
        raw = await Raw.open()
        size = 4 << 20
        raw.ask("POST", "/a/cups/", f"Content-Length: {size}", body=bytes(size))
        await raw.writer.drain()
        status, headers = await raw.head()
        assert status == 409
        await raw.reader.readexactly(int(headers["content-length"]))
        # It can be asked again.
        raw.ask("GET", "/a/cups/nowhere")
        assert (await raw.head())[0] == 404
        await raw.cut()

    run(main)


def test_more_requests_than_may_wait_are_told_to_come_back(run: Run, site: web.Site) -> None:
    go_on = asyncio.Event()
    answered: list[int] = []

    @site.get("/")
    async def wait() -> None:
        await go_on.wait()

    async def main(client: aiohttp.ClientSession) -> None:
        async def ask() -> None:
            async with client.get("/a/cups") as response:
                answered.append(response.status)
                if response.status == 503:
                    assert response.headers["retry-after"] == "1"
                if answered.count(503) == 44:
                    go_on.set()

        await asyncio.gather(*[ask() for _ in range(300)])

    run(main)
    assert sorted(answered) == [204] * 256 + [503] * 44


def test_a_file_is_sent_with_its_length_an_etag_and_ranges(
    run: Run, site: web.Site, tmp_path: Path
) -> None:
    (tmp_path / "cup.json").write_bytes(json.dumps({"a": 1}).encode())

    @site.get("/file")
    def file() -> web.File:
        return web.File(tmp_path / "cup.json", headers={"x-cup": "blue"})

    @site.get("/missing")
    def missing() -> web.File:
        return web.File(tmp_path / "saucer.json")

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.get("/a/cups/file") as response:
            assert response.status == 200
            assert response.headers["content-type"] == "application/json"
            assert response.headers["content-length"] == "8"
            assert response.headers["x-cup"] == "blue"
            assert await response.json() == {"a": 1}
            etag = response.headers["etag"]
        async with client.get("/a/cups/file", headers={"if-none-match": etag}) as response:
            assert response.status == 304
        async with client.get("/a/cups/file", headers={"range": "bytes=1-3"}) as response:
            assert response.status == 206
            assert await response.read() == b'"a"'
        async with client.get("/a/cups/missing") as response:
            assert response.status == 500
            assert (await response.json())["type"] == "unreadable-file"

    run(main)


def test_routes_describe_themselves(site: web.Site) -> None:
    @site.patch("/cups/{name}", scope="files")
    def change(name: str, patch: Patch, limit: int = 3) -> Cup:
        """Change a cup.

        All of it.

        Args:
            name: Which.
            limit: How much.
        """
        raise AssertionError

    [route] = site.routes
    assert site in web.sites()
    assert (route.method, route.pattern, route.scope) == ("PATCH", "/cups/{name}", "files")
    assert route.function is change
    assert (route.summary, route.description) == ("Change a cup.", "Change a cup.\n\nAll of it.")
    name, limit = route.parameters
    assert (name.name, name.place, name.is_required, name.description) == (
        "name",
        "path",
        True,
        "Which.",
    )
    assert (limit.name, limit.place, limit.schema) == ("limit", "query", {"type": "integer"})
    assert route.body is not None
    assert route.body.schema["properties"].keys() == {"height", "names"}
    assert route.result is not None
    assert route.result.schema["required"] == ["height"]


def test_what_no_request_can_give_is_refused_at_once(site: web.Site) -> None:
    with pytest.raises(TypeError, match="has no type"):

        @site.get("/")
        def untyped(name) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - under test
            ...

    with pytest.raises(TypeError, match="has no parameter 'name'"):

        @site.get("/{name}")
        def without() -> None: ...

    with pytest.raises(TypeError, match="has none with GET"):

        @site.get("/")
        def with_body(cup: Cup) -> None: ...

    with pytest.raises(ValueError, match="pattern"):

        @site.get("/{name}{other}")
        def malformed(name: str, other: str) -> None: ...

    assert site.routes == []


def test_a_function_takes_the_place_of_its_earlier_self_and_of_no_other(site: web.Site) -> None:
    def offer(answer: str) -> None:
        @site.get("/")
        def cup() -> str:
            return answer

    offer("one")
    offer("two")
    assert len(site.routes) == 1

    with pytest.raises(ValueError, match="is answered by"):

        @site.get("/")
        def saucer() -> None: ...


def test_an_add_on_cannot_take_the_site_of_another(site: web.Site) -> None:
    assert web.site("cups") is site
    with aiobpy.owner("another_add_on"), pytest.raises(ValueError, match="that of scripts already"):
        web.site("cups")
    with pytest.raises(ValueError, match="cannot stand in an address"):
        web.site("../api")
