"""What `call_soon` and `call_later` return, and what becomes of it."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import threading
import warnings
import weakref
from typing import TYPE_CHECKING, Any

import pytest

import aiobpy
from aiobpy import _native

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiobpy.testing import FakeHost


class Anything:
    """Something that can be watched as it dies."""

    handle: Any = None

    def method(self, *_arguments: object) -> None:
        """Do nothing."""


def context_of(handle: _native.Handle) -> contextvars.Context:
    """Return the one that it runs in."""
    context = handle.get_context()
    assert context is not None
    return context


@pytest.fixture
def loop() -> Iterator[aiobpy.EventLoop]:
    loop = aiobpy.EventLoop()
    yield loop
    loop.close()


@pytest.mark.parametrize("count", range(6))
def test_a_callback_is_given_all_its_arguments(host: FakeHost, count: int) -> None:
    seen: list[tuple[object, ...]] = []
    arguments = (None, *range(count - 1)) if count else ()
    handle = host.loop.call_soon(lambda *given: seen.append(given), *arguments)
    assert handle._args == arguments
    host.tick()
    assert seen == [arguments]


def test_callbacks_run_in_the_order_in_which_they_were_scheduled_from_any_thread(
    host: FakeHost,
) -> None:
    ran: list[int] = []
    for number in range(0, 30, 3):
        host.loop.call_soon(ran.append, number)
        other = threading.Thread(
            target=host.loop.call_soon_threadsafe, args=(ran.append, number + 1)
        )
        other.start()
        other.join()
        host.loop.call_soon_threadsafe(ran.append, number + 2)
    host.tick()
    assert ran == list(range(30))


def test_a_callback_runs_in_a_copy_of_the_context_or_in_the_one_that_it_is_given(
    host: FakeHost,
) -> None:
    variable = contextvars.ContextVar("variable", default="default")
    seen: list[str] = []

    def look_and_set(value: str) -> None:
        seen.append(variable.get())
        variable.set(value)

    variable.set("here")
    context = contextvars.Context()
    given = host.loop.call_soon(look_and_set, "there", context=context)
    host.loop.call_soon(look_and_set, "lost")
    host.tick()
    assert seen == ["default", "here"]
    assert variable.get() == "here"
    assert context[variable] == "there"
    assert given.get_context() is context


def test_callbacks_without_a_context_of_their_own_do_not_see_each_others_variables(
    host: FakeHost,
) -> None:
    variable = contextvars.ContextVar("variable", default="nothing")
    seen: list[str] = []
    tokens: list[contextvars.Token[str]] = []

    def look_and_set(value: str) -> None:
        seen.append(variable.get())
        tokens.append(variable.set(value))
        seen.append(variable.get())

    def set_and_reset() -> None:
        variable.reset(variable.set("for a moment"))

    handles = contextvars.Context().run(
        lambda: [
            host.loop.call_soon(look_and_set, "one"),
            host.loop.call_soon(set_and_reset),
            host.loop.call_soon(look_and_set, "two"),
            host.loop.call_later(0.0, look_and_set, "three"),
        ]
    )
    host.tick()
    assert seen == ["nothing", "one", "nothing", "two", "nothing", "three"]
    # Each has its own, in which it has run, though they were all empty when they began.
    contexts = [context_of(handle) for handle in handles]
    assert [dict(context) for context in contexts] == [
        {variable: "one"},
        {},
        {variable: "two"},
        {variable: "three"},
    ]
    assert len(set(map(id, contexts))) == 4
    assert [context.run(variable.get) for context in contexts[:2]] == ["one", "nothing"]


def test_a_callback_without_variables_may_run_others_within(host: FakeHost) -> None:
    variable = contextvars.ContextVar("variable", default="nothing")
    seen: list[object] = []

    def outer() -> None:
        handle = handles.pop()
        context = context_of(handle)
        inner = host.loop.call_soon(seen.append, "inner")
        assert context_of(inner) is not context
        inner._run()
        variable.set("outer")
        seen.append(context[variable])

    handles = [contextvars.Context().run(host.loop.call_soon, outer)]
    host.tick()
    assert seen == ["inner", "outer", "inner"]


def test_a_handle_that_has_run_is_the_same_for_whoever_keeps_it(host: FakeHost) -> None:
    """Others are used again for later callbacks."""
    callee = Anything()
    gone = weakref.ref(callee)
    kept = host.loop.call_soon(callee.method, 1)
    seen_weakly = weakref.ref(host.loop.call_soon(callee.method, 2))
    host.loop.call_soon(callee.method, 3)
    del callee
    host.tick()
    assert seen_weakly() is None
    ran: list[int] = []
    later = [host.loop.call_soon(ran.append, number) for number in range(300)]
    assert kept not in later
    assert kept._args == (1,)
    del kept
    assert gone() is None, "nobody else keeps what a handle has called"
    later[0].cancel()
    host.tick()
    assert ran == list(range(1, 300))


def test_what_a_callback_holds_may_schedule_as_it_is_let_go_of(host: FakeHost) -> None:
    ran: list[str] = []

    class Last:
        def __call__(self) -> None:
            ran.append("called")

        def __del__(self) -> None:
            host.loop.call_soon(ran.append, "gone")

    for _ in range(3):
        host.loop.call_soon(Last())
        host.tick()
    assert ran == ["called", "gone"] * 3


@pytest.mark.parametrize("delay", [None, 60.0])
def test_a_cancelled_handle_lets_go_of_the_callback_and_its_arguments(
    host: FakeHost, delay: float | None
) -> None:
    callee, argument = Anything(), Anything()
    gone = [weakref.ref(callee), weakref.ref(argument)]
    if delay is None:
        handle: Any = host.loop.call_soon(callee.method, argument)
    else:
        handle = host.loop.call_later(delay, callee.method, argument)
    handle.cancel()
    del callee, argument
    assert [reference() for reference in gone] == [None, None]
    assert handle.cancelled()
    assert (handle._callback, handle._args) == (None, None)
    assert isinstance(handle.get_context(), contextvars.Context)


def test_a_callback_that_cancels_its_own_handle_keeps_its_arguments_until_it_ends(
    host: FakeHost,
) -> None:
    argument = Anything()
    gone = weakref.ref(argument)
    seen: list[bool] = []

    def cancel_myself(_argument: Anything) -> None:
        handle.cancel()
        assert (handle._callback, handle._args) == (None, None)
        seen.append(gone() is not None)

    handle = host.loop.call_soon(cancel_myself, argument)
    del argument
    host.tick()
    assert seen == [True]
    assert gone() is None


def test_in_debug_mode_a_cancelled_handle_still_shows_what_it_would_have_called(
    loop: aiobpy.EventLoop,
) -> None:
    silent = loop.call_later(60.0, print, "hello")
    silent.cancel()
    assert "print" not in repr(silent)
    loop.set_debug(True)
    handle = loop.call_later(60.0, print, "hello")
    assert "cancelled" not in repr(handle)
    handle.cancel()
    assert "cancelled" in repr(handle)
    assert "print" in repr(handle)
    assert "'hello'" in repr(handle)
    assert f"created at {__file__}" in repr(handle)


def test_timer_handles_are_ordered_and_compared_as_those_of_asyncio(
    loop: aiobpy.EventLoop,
) -> None:
    one, same, other, later = (
        loop.call_at(1.0, print),
        loop.call_at(1.0, print),
        loop.call_at(1.0, print, "something else"),
        loop.call_at(2.0, print),
    )
    assert one == same
    assert hash(one) == hash(same) == hash(1.0)
    assert one != other
    assert one < later
    assert later > one
    assert one <= same
    assert one >= same
    assert not one <= other
    assert repr(one).startswith("<TimerHandle when=1.0 ")
    same.cancel()
    assert one != same


def test_a_handle_that_its_own_callback_keeps_is_collected_once_it_has_run(
    host: FakeHost,
) -> None:
    def keeps_its_handle() -> weakref.ref[Anything]:
        keeper = Anything()
        keeper.handle = host.loop.call_soon(keeper.method)
        return weakref.ref(keeper)

    gone = keeps_its_handle()
    host.loop.call_soon(print)
    host.tick()
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("keeps_handle", [False, True])
def test_a_loop_that_nobody_closed_is_collected_with_what_waits_in_it(keeps_handle: bool) -> None:
    def abandon() -> list[weakref.ref[Any]]:
        loop = aiobpy.EventLoop()
        for _ in range(3):
            loop.call_soon(Anything().method)
        loop.run_ready()
        keeper = Anything()
        handles = [
            loop.call_soon(keeper.method, loop),
            loop.call_soon_threadsafe(functools.partial(keeper.method, loop)),
            loop.call_later(60.0, keeper.method, loop),
        ]
        if keeps_handle:
            keeper.handle = handles
        return [weakref.ref(loop), weakref.ref(keeper)]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gone = abandon()
        gc.collect()
    assert [reference() for reference in gone] == [None, None]


@pytest.mark.parametrize("end", ["run", "cancelled", "closed", "abandoned"])
def test_of_thousands_of_handles_each_is_collected_in_the_end(end: str) -> None:
    """Of so many, the garbage collector is not told as long as they wait."""

    def schedule() -> list[weakref.ref[Any]]:
        loop = aiobpy.EventLoop()
        keepers = [Anything() for _ in range(4000)]
        for number, keeper in enumerate(keepers):
            if number % 2:
                handle = loop.call_soon(keeper.method, loop)
            else:
                handle = loop.call_later(
                    60.0 if end in ("closed", "abandoned") else 0.0, keeper.method, loop
                )
            if end != "abandoned":
                keeper.handle = handle
            if end == "cancelled":
                handle.cancel()
        if end == "run":
            loop.call_later(0.01, loop.stop)
            loop.run_forever()
        if end != "abandoned":
            loop.close()
        return [weakref.ref(loop), *map(weakref.ref, keepers)]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gone = schedule()
        gc.collect()
    assert not any(reference() for reference in gone)


def test_a_handle_that_somebody_keeps_stays_whole_while_its_loop_is_abandoned() -> None:
    def schedule() -> Any:
        loop = aiobpy.EventLoop()
        handles = [loop.call_soon(Anything().method, loop) for _ in range(2000)]
        return handles[-1]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        handle = schedule()
        gc.collect()
        assert handle._callback.__name__ == "method"
        assert "Anything.method" in repr(handle)
        handle.cancel()
        del handle
        gc.collect()


def test_a_task_factory_and_later_keywords_are_left_to_asyncio(runner: asyncio.Runner) -> None:
    loop = runner.get_loop()
    made: list[tuple[Any, ...]] = []

    def factory(
        loop: asyncio.AbstractEventLoop, coroutine: Any, **keywords: Any
    ) -> asyncio.Task[Any]:
        made.append((loop, keywords))
        return asyncio.Task(coroutine, loop=loop, **keywords)

    async def nothing() -> None:
        pass

    async def main() -> None:
        plain = loop.create_task(nothing())
        named = loop.create_task(nothing(), name="named")
        context = contextvars.Context()
        both = loop.create_task(nothing(), name="both", context=context)
        assert type(plain) is asyncio.Task
        assert plain.get_name().startswith("Task-")
        assert (named.get_name(), both.get_name()) == ("named", "both")
        loop.set_task_factory(factory)
        await loop.create_task(nothing())
        await loop.create_task(nothing(), context=context)
        loop.set_task_factory(None)
        await asyncio.gather(plain, named, both)
        coroutine = nothing()
        with pytest.raises(TypeError, match="loop"):
            loop.create_task(coroutine, loop=loop)  # type: ignore[call-arg]
        coroutine.close()

    runner.run(main())
    assert [given for given, _ in made] == [loop, loop]
    assert "context" not in made[0][1], "it was not given one"
    assert "context" in made[1][1]


def test_a_closed_loop_makes_no_task(loop: aiobpy.EventLoop) -> None:
    async def nothing() -> None:
        pass

    loop.close()
    coroutine = nothing()
    with pytest.raises(RuntimeError, match="closed"):
        loop.create_task(coroutine)
    coroutine.close()
