import asyncio

import bpy
import pytest

from aiobpy import spawn, uitest


async def test_fails() -> None:
    found = [1, 2, 3]
    assert found == [1, 2, 4]


async def test_waits_in_vain() -> None:
    wanted = 4
    await uitest.until(lambda: len(bpy.data.objects) == wanted, timeout=0.2)


@pytest.mark.aiobpy_timeout(1)
async def test_never_ends() -> None:
    await asyncio.Event().wait()


async def test_leaves_a_task() -> None:
    spawn(asyncio.sleep(3600), name="forgotten")  # under test: a task that is left behind


async def test_does_not_await_an_error() -> None:
    asyncio.get_running_loop().call_soon(lambda: 1 / 0)
    await uitest.passes(2)


async def test_presses_no_key() -> None:
    await uitest.press("LEFT_MOUSE")


async def test_prints() -> None:
    print("before it fails")
    pytest.fail("as it should")


async def test_raises_as_it_should() -> None:
    with pytest.raises(LookupError, match="outside window 0"):
        await uitest.click(-1, 0)


async def test_begins_anew_after_all_these() -> None:
    assert sorted(bpy.data.objects.keys()) == ["Camera", "Cube", "Light"]


async def test_is_not_for_this_blender() -> None:
    pytest.skip("not today")


async def test_is_known_to_fail() -> None:
    pytest.xfail("not yet")
