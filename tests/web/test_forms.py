"""Forms that browsers send, with their files."""

from __future__ import annotations

import gc
import io
from typing import TYPE_CHECKING, Annotated, Any

import aiohttp
import pytest

from aiobpy import web

if TYPE_CHECKING:
    from pathlib import Path

    from tests.web.conftest import Run


def test_fields_and_files_are_typed_parameters(run: Run, tmp_path: Path) -> None:
    site = web.site("forms")
    large = bytes(range(256)) * 4096
    paths: list[Path] = []

    @site.post("/upload", body_bytes=8 << 20)
    async def upload(
        title: Annotated[str, web.Field],
        picture: web.Upload,
        count: Annotated[int, web.Field] = 1,
        tag: Annotated[list[str], web.Field] = [],  # noqa: B006 - it is not changed
        more: list[web.Upload] = [],  # noqa: B006 - it is not changed
        thumb: web.Upload | None = None,
    ) -> dict[str, Any]:
        assert thumb is None
        assert picture.path is not None
        paths.append(picture.path)
        assert await picture.read() == large
        await picture.save(tmp_path / picture.file_name)
        return {
            "title": title,
            "count": count,
            "tag": tag,
            "picture": [picture.file_name, picture.content_type, picture.size],
            "more": [(await other.read()).decode() for other in more],
        }

    async def main(client: aiohttp.ClientSession) -> None:
        form = aiohttp.FormData(quote_fields=False)
        form.add_field("title", "Cup \N{SNOWMAN}")
        form.add_field("count", "3")
        form.add_field("tag", "a")
        form.add_field("tag", "b")
        name, kind = "../cup.png", "image/png"
        form.add_field("picture", io.BytesIO(large), filename=name, content_type=kind)
        form.add_field("more", b"one", filename="1")
        form.add_field("more", b"two", filename="2")
        async with client.post("/a/forms/upload", data=form) as response:
            assert await response.json() == {
                "title": "Cup \N{SNOWMAN}",
                "count": 3,
                "tag": ["a", "b"],
                "picture": ["cup.png", "image/png", len(large)],
                "more": ["one", "two"],
            }

    run(main)
    assert (tmp_path / "cup.png").read_bytes() == large
    gc.collect()
    assert not paths[0].exists()


def test_a_form_is_given_whole(run: Run) -> None:
    site = web.site("forms")

    @site.post("/")
    def take(form: web.Form) -> dict[str, Any]:
        assert form.get("nothing") is None
        return {"fields": form.fields, "a": form["a"], "files": len(form.uploads)}

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.post("/a/forms/", data={"a": "1 &", "b": "\N{SNOWMAN}"}) as response:
            fields = [["a", "1 &"], ["b", "\N{SNOWMAN}"]]
            assert await response.json() == {"fields": fields, "a": "1 &", "files": 0}

    run(main)


def test_what_is_missing_wrong_or_too_large_is_refused(run: Run) -> None:
    site = web.site("forms")

    @site.post("/", body_bytes=1000)
    def take(count: Annotated[int, web.Field], file: web.Upload) -> None:
        raise AssertionError

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.post("/a/forms/", data={"count": "many"}) as response:
            assert response.status == 422
            errors = (await response.json())["errors"]
            assert {error["parameter"] for error in errors} == {"count", "file"}
        form = aiohttp.FormData()
        form.add_field("file", io.BytesIO(bytes(2000)), filename="a")
        async with client.post("/a/forms/", data=form) as response:
            assert response.status == 413
        async with client.post("/a/forms/", json={}) as response:
            assert response.status == 415
        kind = {"content-type": "multipart/form-data; boundary=x"}
        async with client.post("/a/forms/", data=b"--x\r\n", headers=kind) as response:
            assert response.status == 400

    run(main)


def test_a_route_that_takes_a_form_says_so() -> None:
    site = web.site("forms")

    @site.post("/")
    def take(count: Annotated[int, web.Field], file: web.Upload | None = None) -> None: ...

    [route] = site.routes
    assert route.body is not None
    assert route.body.content_type == "multipart/form-data"
    assert route.body.schema["properties"].keys() == {"count", "file"}
    assert route.body.schema["required"] == ["count"]
    with pytest.raises(TypeError, match="is of a form"):

        @site.get("/")
        def wrong(file: web.Upload) -> None: ...

    site.close()
