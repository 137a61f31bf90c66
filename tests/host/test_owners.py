"""What an add-on has going on ends with it, and nobody else's does."""

from __future__ import annotations

import asyncio
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

import aiobpy
from aiobpy import host, owners, progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ADD_ON = "bl_ext.user_default.teapots"


@pytest.fixture(autouse=True)
def shared_loop() -> Iterator[Any]:
    """A loop of the test's own, without what other tests have left."""
    owners._owners.clear()
    progress.forget_failures()
    yield host.loop()
    host.shut_down()


@pytest.fixture
def add_on(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Define functions in a module of an add-on, marked as Blender marks it."""
    module = ModuleType(ADD_ON)
    module.__addon_enabled__ = True  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, ADD_ON, module)

    def define(source: str) -> Any:
        names: dict[str, Any] = {
            "__name__": f"{ADD_ON}.parts",
            "aiobpy": aiobpy,
            "asyncio": asyncio,
        }
        exec(source, names)
        return names

    return define


def test_the_owner_is_the_add_on_whose_code_calls(add_on: Callable[[str], Any]) -> None:
    names = add_on("def start(work): return aiobpy.spawn(work)")

    async def work() -> owners.Owner:
        return await asyncio.create_task(child())

    async def child() -> owners.Owner:
        return owners.current()

    assert aiobpy.run(names["start"](work())).name == ADD_ON
    assert aiobpy.run(aiobpy.spawn(work())).name == owners.SCRIPTS


def test_a_task_that_asyncio_starts_outside_of_the_loop_is_the_add_ons(
    add_on: Callable[[str], Any],
) -> None:
    names = add_on("def start(loop, work): return asyncio.ensure_future(work, loop=loop)")

    async def work() -> owners.Owner:
        return owners.current()

    task = names["start"](host.loop(), work())
    assert list(owners.of(ADD_ON).tasks) == [task]
    assert aiobpy.run(task).name == ADD_ON


def test_an_operator_that_another_add_ons_task_calls_is_its_own(
    add_on: Callable[[str], Any],
) -> None:
    start = add_on("def start(work): return aiobpy.spawn(work)")["start"]

    async def child() -> str:
        return owners.current().name

    async def work() -> tuple[str, str]:
        return await start(child()), await asyncio.create_task(child())

    with aiobpy.owner("cups"):
        task = aiobpy.spawn(work())
        overruled = start(child())
    assert aiobpy.run(task) == (ADD_ON, "cups")
    assert aiobpy.run(overruled) == "cups"


def test_release_cancels_the_tasks_of_one_add_on_and_waits_for_their_end() -> None:
    ended = []

    async def work(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(name)

    async def with_a_child() -> None:
        child = asyncio.create_task(work("child"))
        await child

    with aiobpy.owner("teapots"):
        aiobpy.spawn(with_a_child())
    with aiobpy.owner("cups"):
        other = aiobpy.spawn(work("other"))
    aiobpy.run(asyncio.sleep(0))
    aiobpy.run(asyncio.sleep(0))

    host.release(owners.of("teapots"))

    assert ended == ["child"]
    assert not other.done()
    assert owners.of("teapots").is_idle()


@pytest.mark.parametrize("within_a_task", [False, True], ids=["outside", "within a task"])
def test_the_children_of_a_group_have_their_time_and_those_of_nobody_end_too(
    within_a_task: bool,
) -> None:
    ended = []
    # Else it may be collected as garbage first: asyncio holds no task that waits.
    of_nobody = []

    async def child(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            ended.append(name)

    async def parent() -> None:
        of_nobody.append(asyncio.create_task(child("of nobody")))
        async with asyncio.TaskGroup() as group:
            group.create_task(child("of the group"))

    async def release() -> None:
        host.release(owners.of("teapots"))
        while len(ended) < 2:  # noqa: ASYNC110 - it is turns that are counted
            await asyncio.sleep(0)

    with aiobpy.owner("teapots"):
        aiobpy.spawn(parent())
    for _ in range(3):
        aiobpy.run(asyncio.sleep(0))
    if within_a_task:
        aiobpy.run(release())
    else:
        host.release(owners.of("teapots"))
    assert ended == ["of the group", "of nobody"]


def test_release_closes_servers_connections_timers_and_children_of_one_add_on() -> None:
    ran: list[str] = []

    async def work() -> Any:
        loop = asyncio.get_running_loop()
        loop.call_later(0.0, ran.append, "timer")
        loop.call_later(60.0, ran.append, "late timer")
        server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        child = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE)
        return server, writer, child, reader

    with aiobpy.owner("cups"):
        kept_server, kept_writer, kept_child, _ = aiobpy.run(aiobpy.spawn(work()))
    with aiobpy.owner("teapots"):
        server, writer, child, _ = aiobpy.run(aiobpy.spawn(work()))

    host.release(owners.of("teapots"))

    assert not server.is_serving()
    assert writer.is_closing()
    assert aiobpy.run(child.wait()) != 0
    timers = [timer for timer in host.loop()._scheduled if not timer.cancelled()]
    assert len(timers) == 1
    assert kept_server.is_serving()
    assert not kept_writer.is_closing()
    assert kept_child.returncode is None
    host.release(owners.of("cups"))
    assert aiobpy.run(kept_child.wait()) != 0


def test_what_is_registered_is_taken_down_newest_first_even_if_one_fails(
    caplog: pytest.LogCaptureFixture,
) -> None:
    taken: list[str] = []

    def fail() -> None:
        raise OSError("no")

    owner = owners.of("teapots")
    owner.on_release(lambda: taken.append("first"))
    owner.on_release(fail)
    forget = owner.on_release(lambda: taken.append("ended by itself"))
    owner.on_release(lambda: taken.append("last"))
    forget()
    host.release(owner)
    assert taken == ["last", "first"]
    assert "something of teapots" in caplog.text
    host.release(owner)
    assert taken == ["last", "first"]


def test_release_within_a_task_cancels_and_does_not_wait() -> None:
    async def other() -> None:
        await asyncio.Event().wait()

    with aiobpy.owner("teapots"):
        task = aiobpy.spawn(other())

    async def disable() -> None:
        host.release(owners.of("teapots"))
        assert not task.done()
        await asyncio.wait([task])

    aiobpy.run(disable())
    assert task.cancelled()


def test_an_owner_needs_a_name() -> None:
    with pytest.raises(ValueError, match="__package__"), aiobpy.owner(""):
        pass


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        (asyncio.sleep, r"call it: `aiobpy.spawn\(sleep\(...\)\)`"),
        (print, "make the function `async def`"),
    ],
)
def test_spawn_of_something_that_is_no_coroutine_says_what_to_do(
    given: Any, remedy: str, add_on: Callable[[str], Any]
) -> None:
    start = add_on("def start(given): return aiobpy.spawn(given)")["start"]
    with pytest.raises(TypeError, match=f"^teapots gave .*{remedy}"):
        start(given)


def test_spawn_of_a_future_says_what_to_do(shared_loop: Any) -> None:
    with pytest.raises(TypeError, match="`await` it inside an `async def` function"):
        aiobpy.spawn(shared_loop.create_future())


def test_a_call_off_the_main_thread_is_refused_in_words(shared_loop: Any) -> None:
    async def work() -> None:
        pass

    async def check() -> None:
        with pytest.raises(RuntimeError, match="only the main thread may use Blender"):
            await asyncio.to_thread(aiobpy.spawn, work())

    aiobpy.run(check())


def test_a_task_that_fails_is_told_of_once_and_only_if_nobody_awaits_it(shared_loop: Any) -> None:
    told: list[str] = []
    shared_loop.set_exception_handler(lambda loop, context: told.append(context["message"]))

    async def fail() -> None:
        raise ReferenceError("StructRNA of type Object has been removed")

    async def await_it() -> None:
        with pytest.raises(ReferenceError):
            await aiobpy.spawn(fail(), name="awaited")
        aiobpy.spawn(fail(), name="forgotten")

    with aiobpy.owner("teapots"):
        aiobpy.run(aiobpy.spawn(await_it()))
    for _ in range(3):
        aiobpy.run(asyncio.sleep(0))
    assert told == ["the task 'forgotten' of teapots failed"]
    (failure,) = progress.failures()
    assert (failure.name, failure.owner) == ("forgotten", "teapots")
    assert "session_uid" in failure.text


def test_progress_is_that_of_the_task_that_was_spawned() -> None:
    shown: list[tuple[str, float | None, str]] = []

    async def part() -> None:
        aiobpy.set_progress(0.5, "half")
        shown.extend((work.name, work.fraction, work.text) for _, work in progress.under_way())

    async def work() -> None:
        await asyncio.create_task(part())
        with pytest.raises(ValueError, match="from 0 to 1, not 50"):
            aiobpy.set_progress(50)

    aiobpy.run(aiobpy.spawn(work(), name="Import"))
    assert shown == [("Import", 0.5, "half")]
    assert progress.under_way() == []
    aiobpy.set_progress(1.0, "outside of a task nobody shows it")


def test_a_second_copy_is_told_of_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    from aiobpy.host import one_loop

    host.shut_down()
    other = one_loop.Copy("9.9", "/somewhere/else")
    monkeypatch.setattr(sys, one_loop._PLACE, other, raising=False)
    with pytest.raises(RuntimeError, match=r"aiobpy 9.9 from /somewhere/else"):
        host.loop()
    monkeypatch.undo()
    assert not host.loop().is_closed()
