"""15. Pairing by a code that somebody else has seen, guesses or uses again; and framed pages.

In a frame, a click may allow what the user does not see.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

import aiobpy.server
from aiobpy.pairing import on_pairing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiobpy.pairing import Applicant
    from tests.attacks.conftest import Answer, Attack, Target

_JSON = {"Content-Type": "application/json"}


@pytest.fixture(autouse=True)
def asked() -> Iterator[list[str]]:
    """Let every device in that asks with the code, and return who did."""
    names: list[str] = []

    def decide(applicant: Applicant) -> str:
        names.append(applicant.name)
        return "read"

    on_pairing(decide)  # type: ignore[arg-type]
    yield names
    on_pairing(None)


async def claim(target: Target, code: str, name: str = "tablet") -> Answer:
    """Ask to be let in."""
    body = json.dumps({"code": code, "name": name}).encode()
    return await target.ask("/pair/claim", method="POST", token=False, headers=_JSON, body=body)


def new_code() -> str:
    """The one that the QR code shows now."""
    return aiobpy.server.pair().address.partition("#")[2]


def test_a_code_lets_one_device_in_once(attack: Attack, asked: list[str]) -> None:
    async def main(target: Target) -> None:
        code = new_code()
        answers = await asyncio.gather(*(claim(target, code, f"{n}") for n in range(5)))
        assert sum(answer.status == 201 for answer in answers) == 1
        assert len(asked) == 1
        assert (await claim(target, code)).status in {403, 410, 429}

    attack(main)


def test_a_new_code_ends_the_one_before(attack: Attack, asked: list[str]) -> None:
    async def main(target: Target) -> None:
        before = new_code()
        assert new_code() != before
        assert (await claim(target, before)).status in {403, 410}
        assert asked == []

    attack(main)


def test_who_guesses_is_slowed_down_and_nobody_is_asked(attack: Attack, asked: list[str]) -> None:
    async def main(target: Target) -> None:
        code = new_code()
        wrong = ("0" if code[0] != "0" else "1") + code[1:]
        statuses = [(await claim(target, wrong)).status for _ in range(30)]
        assert set(statuses) <= {403, 410, 429}
        assert 201 not in statuses
        assert statuses[-1] in {410, 429}
        assert asked == []

    attack(main)


def test_a_code_is_long_and_stays_out_of_what_browsers_send(attack: Attack) -> None:
    async def main(target: Target) -> None:
        address = aiobpy.server.pair().address
        before, _, code = address.partition("#")
        # 128 bits, in an alphabet of 64 characters at most.
        assert len(code) >= 22
        assert "?" not in before

    attack(main)


@pytest.mark.parametrize("path", ["/pair", "/docs", "/login"])
def test_no_page_shows_in_a_frame(attack: Attack, path: str) -> None:
    async def main(target: Target) -> None:
        answer = await target.ask(path)
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"

    attack(main)
