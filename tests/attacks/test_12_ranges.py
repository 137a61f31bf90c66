"""12. A Range header that costs the server more than it says: CVE-2025-62727 (Starlette)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aiobpy import web

if TYPE_CHECKING:
    from pathlib import Path

    from tests.attacks.conftest import Attack, Target

_SIZE = 10_000


@pytest.fixture
def _served(tmp_path: Path) -> None:
    (tmp_path / "file.bin").write_bytes(bytes(_SIZE))
    web.site("ranges").static("/", tmp_path)


@pytest.mark.usefixtures("_served")
@pytest.mark.parametrize(
    "ranges",
    [
        ",".join(f"{number}-{number}" for number in range(0, 2000, 2)),
        ",".join(["0-"] * 1000),
        ",".join(["-1"] * 1000),
        "0-0," * 3000,
        ",".join(f"0-{number}" for number in range(1000)),
    ],
)
def test_a_thousand_ranges_are_no_more_than_the_file(attack: Attack, ranges: str) -> None:
    async def main(target: Target) -> None:
        headers = {"Range": f"bytes={ranges}"}
        answer = await target.ask("/a/ranges/file.bin", headers=headers)
        assert answer.status in {200, 206, 416}
        # Of what a part has besides, some hundred bytes for each of eight.
        assert len(answer.body) <= _SIZE + 8 * 300

    attack(main)


@pytest.mark.usefixtures("_served")
@pytest.mark.parametrize(
    "ranges",
    [
        "bytes=99999999999999999999-",
        "bytes=-99999999999999999999",
        "bytes=5-2",
        "bytes=a-b",
        "bytes=",
        "bytes=-",
        "lines=0-5",
        "bytes=0-18446744073709551616",
    ],
)
def test_numbers_without_sense_do_no_harm(attack: Attack, ranges: str) -> None:
    async def main(target: Target) -> None:
        answer = await target.ask("/a/ranges/file.bin", headers={"Range": ranges})
        assert answer.status in {200, 206, 416}
        assert (await target.ask()).status == 200

    attack(main)
