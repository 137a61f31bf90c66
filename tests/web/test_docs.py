"""What is served, described by the server itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import pytest

from aiobpy import web
from aiobpy.rpc import registered, remove, rpc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.web.conftest import Run


@pytest.fixture(autouse=True)
def _offer_nothing_afterwards() -> Iterator[None]:
    yield
    for function in list(registered().values()):
        remove(function)


def test_the_document_follows_what_is_offered(run: Run) -> None:
    async def main(client: aiohttp.ClientSession) -> None:
        async with client.get("/openapi.json") as response:
            empty, tag = await response.json(), response.headers["etag"]
        assert not any("cup" in path for path in empty["paths"])
        async with client.get("/openapi.json", headers={"If-None-Match": tag}) as response:
            assert (response.status, await response.read()) == (304, b"")

        @rpc(name="cup.fill")
        def fill(height: float = 0.5) -> int:
            """Fill it."""
            return 7

        async with client.get("/openapi.json", headers={"If-None-Match": tag}) as response:
            assert response.status == 200
            operation = (await response.json())["paths"]["/api/v1/rpc/cup.fill"]["post"]
        assert operation["summary"] == "Fill it."
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        assert schema["properties"]["height"] == {"type": "number", "default": 0.5}
        remove(fill)
        async with client.get("/openapi.json", headers={"If-None-Match": tag}) as response:
            assert response.status == 304

    run(main)


def test_what_sites_answer_is_described(run: Run) -> None:
    site = web.site("cups")

    @site.get("/cups/{name}", scope="read")
    def cup(name: str, limit: int = 5) -> dict[str, int]:
        """Tell of a cup.

        Args:
            limit: How much of it.
        """
        return {name: limit}

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.get("/openapi.json") as response:
            operation = (await response.json())["paths"]["/a/cups/cups/{name}"]["get"]
        assert operation["summary"] == "Tell of a cup."
        assert [parameter["in"] for parameter in operation["parameters"]] == ["path", "query"]
        assert operation["parameters"][1]["description"] == "How much of it."
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        assert schema == {"type": "object", "additionalProperties": {"type": "integer"}}
        assert operation["tags"] == ["cups"]

    try:
        run(main)
    finally:
        site.close()


def test_the_page_needs_no_token_and_loads_nothing_from_elsewhere(run: Run) -> None:
    async def main(client: aiohttp.ClientSession) -> None:
        async with aiohttp.ClientSession(client._base_url) as stranger:
            async with stranger.get("/docs") as response:
                page = await response.text()
                policy = response.headers["content-security-policy"]
            assert "'unsafe" not in policy
            assert policy.startswith("default-src 'none'; script-src 'self'")
            assert "http" not in page
            assert "<style" not in page
            for file in ["docs.css", "docs.js"]:
                assert f"/docs/{file}" in page
                async with stranger.get(f"/docs/{file}") as response:
                    assert (response.status, "http" in await response.text()) == (200, False)
            async with stranger.get("/openapi.json") as response:
                assert response.status == 401

    run(main)
