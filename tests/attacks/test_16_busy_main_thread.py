"""16. Blender's main thread is kept busy from outside: floods, and handlers that do not return."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiobpy
from aiobpy.rpc import remove

if TYPE_CHECKING:
    from tests.attacks.conftest import Answer, Attack, Target

_CALL = "/api/v1/rpc/attacked.call"
_JSON = {"Content-Type": "application/json"}


def test_calls_beyond_the_bound_are_told_to_come_back(attack: Attack) -> None:
    async def main(target: Target) -> None:
        held = asyncio.Event()

        @aiobpy.rpc(name="attacked.hold")
        async def hold() -> None:
            await held.wait()

        async def ask() -> Answer:
            return await target.ask(
                "/api/v1/rpc/attacked.hold", method="POST", headers=_JSON, body=b"{}"
            )

        try:
            asked = [asyncio.ensure_future(ask()) for _ in range(300)]
            refused, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            for done in refused:
                answer = done.result()
                assert answer.status == 503
                assert int(answer.headers["retry-after"]) > 0
            # What needs no Python is answered all the while.
            assert (await target.ask()).status == 200
            held.set()
            answers = await asyncio.gather(*asked)
        finally:
            remove(hold)
        statuses = [answer.status for answer in answers]
        assert set(statuses) == {200, 503}

    attack(main)


def test_a_failure_tells_a_stranger_nothing_of_the_code(attack: Attack) -> None:
    async def main(target: Target) -> None:
        @aiobpy.rpc(name="attacked.fail")
        def fail() -> None:
            password = "secret in a local variable"
            raise ValueError(len(password))

        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        try:
            answer = await target.ask(
                "/api/v1/rpc/attacked.fail", method="POST", headers=_JSON, body=b"{}"
            )
        finally:
            remove(fail)
        assert answer.status == 500
        for word in [b"Traceback", b"password", b"test_16", b".py"]:
            assert word not in answer.body

    attack(main)
