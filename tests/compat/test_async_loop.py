from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

import pytest

from tests.libraries import guides

if TYPE_CHECKING:
    from tests.libraries.blenders import Guest

# The two listings of the add-on's README, with `blender_cloud` replaced by `aiobpy.compat`.
NOTIFIED: Final = """
import asyncio
from aiobpy.compat import async_loop

async def some_async_func():
    return 1 + 1

def done_callback(task):
    print('Task result: ', task.result())

async_task = asyncio.ensure_future(some_async_func())
async_task.add_done_callback(done_callback)
async_loop.ensure_async_loop()
"""
BLOCKED: Final = """
import asyncio

async def some_async_func():
    return 1 + 1

loop = asyncio.get_event_loop()
res = loop.run_until_complete(some_async_func())
print('Task result:', res)
"""


def run(blender: Guest, name: str, code: str) -> list[str]:
    printed: list[str] = blender.ask("run", name=name, code=textwrap.dedent(code))
    return printed


def test_a_task_is_started_and_its_end_is_told(blender: Guest) -> None:
    assert run(blender, "notified", NOTIFIED) == []
    assert blender.ask("has_printed", line="Task result:  2") == ["Task result:  2"]


def test_a_task_is_waited_for(blender: Guest) -> None:
    run(blender, "imported", "from aiobpy.compat import async_loop")
    assert run(blender, "blocked", BLOCKED) == ["Task result: 2"]


def test_the_loop_is_there_also_after_somebody_has_run_one_of_his_own(blender: Guest) -> None:
    run(blender, "imported", "from aiobpy.compat import async_loop")
    run(blender, "other", "import asyncio; asyncio.run(asyncio.sleep(0))")
    assert run(blender, "blocked", BLOCKED) == ["Task result: 2"]
    assert run(blender, "notified", NOTIFIED) == []
    assert blender.ask("has_printed", line="Task result:  2") == ["Task result:  2"]


def test_the_guide_runs(blender: Guest) -> None:
    assert run(blender, "guide", guides.code("coming_from_blender_cloud")) == []
    told = "Task result: Counted to 3"
    assert blender.ask("has_printed", line=told) == [told]


OPERATOR: Final = """
import asyncio
import bpy
from aiobpy.compat import async_loop

async def forever():
    try:
        await asyncio.Event().wait()
    finally:
        print('cleaned up')

class OLD_OT_work(async_loop.AsyncModalOperatorMixin, bpy.types.Operator):
    bl_idname = 'old.work'
    bl_label = 'Work'
    stop_upon_exception = True

    async def async_execute(self, context):
        global task, signal
        task, signal = self.async_task, self.signalling_future
        print('began')
        if kind == 'forever':
            await forever()
        if kind == 'again':
            self._new_async_task(forever())
            await asyncio.sleep(0)
        if kind == 'fails':
            raise ValueError('as asked for')
        await asyncio.sleep(0)
        print('done')
        self.quit()

def is_over():
    windows = bpy.context.window_manager.windows
    try:
        names = [operator.bl_idname for window in windows for operator in window.modal_operators]
    except (AttributeError, ValueError):
        # Its class has gone.
        return True
    return 'OLD_OT_work' not in names

if hasattr(bpy.types, 'OLD_OT_work'):
    bpy.utils.unregister_class(bpy.types.OLD_OT_work)
bpy.utils.register_class(OLD_OT_work)
"""
IS_OVER: Final = "is_over()"


def start(blender: Guest, kind: str) -> list[str]:
    code = f"{OPERATOR}\nkind = {kind!r}\nbpy.ops.old.work('INVOKE_DEFAULT')"
    return run(blender, "operator", code)


def test_an_operator_with_a_task_ends_when_the_task_says_so(blender: Guest) -> None:
    start(blender, "ends")
    assert blender.ask("has_printed", line="done") == ["began", "done"]
    assert blender.ask("until", name="operator", expression=IS_OVER)


def test_without_windows_an_operator_that_fails_says_why(blender: Guest) -> None:
    if not blender.ask("evaluate", name="", expression="bpy.app.background"):
        pytest.skip("this Blender has windows")
    with pytest.raises(AssertionError, match="ValueError: as asked for"):
        start(blender, "fails")


@pytest.fixture
def with_windows(blender: Guest) -> Guest:
    """Each Blender with windows: modal operators need some."""
    if blender.ask("evaluate", name="", expression="bpy.app.background"):
        pytest.skip("this Blender has no windows")
    return blender


def test_a_failed_task_ends_its_operator_if_it_is_to(with_windows: Guest) -> None:
    quiet = "import logging; logging.disable(logging.CRITICAL)"
    run(with_windows, "quiet", quiet)
    start(with_windows, "fails")
    assert with_windows.ask("until", name="operator", expression=IS_OVER)
    run(with_windows, "loud", quiet.replace("CRITICAL", "NOTSET"))


def test_a_new_task_takes_the_place_of_the_one_under_way(with_windows: Guest) -> None:
    start(with_windows, "again")
    assert with_windows.ask("until", name="operator", expression="task.cancelled()")
    assert with_windows.ask("evaluate", name="operator", expression="signal.cancelled()")
    assert not with_windows.ask("evaluate", name="operator", expression=IS_OVER)
    run(with_windows, "new", "import bpy; bpy.ops.wm.read_homefile(use_factory_startup=True)")
    assert with_windows.ask("has_printed", line="cleaned up") == ["cleaned up"]


def test_another_file_ends_the_operator_and_its_task(with_windows: Guest) -> None:
    start(with_windows, "forever")
    with_windows.ask("has_printed", line="began")
    run(with_windows, "new", "import bpy; bpy.ops.wm.read_homefile(use_factory_startup=True)")
    assert with_windows.ask("has_printed", line="cleaned up")
    assert with_windows.ask(
        "until", name="operator", expression=f"signal.cancelled() and {IS_OVER}"
    )


def test_an_operator_goes_with_its_add_on(with_windows: Guest) -> None:
    started = "with owners.owner('old_add_on'):\n    bpy.ops.old.work('INVOKE_DEFAULT')"
    run(
        with_windows,
        "operator",
        f"{OPERATOR}\nfrom aiobpy import owners\nkind='forever'\n{started}",
    )
    with_windows.ask("has_printed", line="began")
    gone = """
        import bpy
        from aiobpy import owners
        owners.of('old_add_on').let_go()
        bpy.utils.unregister_class(bpy.types.OLD_OT_work)
    """
    run(with_windows, "gone", gone)
    assert with_windows.ask("has_printed", line="cleaned up")
    assert with_windows.ask("until", name="operator", expression=IS_OVER)


def test_the_loop_is_kicked_until_all_is_done(blender: Guest) -> None:
    code = """
        import asyncio
        from aiobpy.compat import async_loop
        async def work():
            for _ in range(3):
                await asyncio.sleep(0.01)  # under test: work that takes some kicks
            return async_loop.kick_async_loop()
        task = asyncio.ensure_future(work())
        while not async_loop.kick_async_loop():
            pass
        print(task.result())
    """
    assert run(blender, "kicked", code) == ["False"]


def test_what_says_that_the_loop_runs(blender: Guest) -> None:
    code = """
        import logging
        logging.getLogger('aiobpy').setLevel(logging.ERROR)
        from aiobpy.compat import async_loop
        for change in (
            async_loop.ensure_async_loop, async_loop.stop_async_loop,
            async_loop.ensure_async_loop, async_loop.erase_async_loop,
        ):
            change()
            print(async_loop.async_loop_handler() is async_loop.kick_async_loop)
    """
    assert run(blender, "handler", code) == ["True", "False"] * 2


def test_two_add_ons_register_and_the_last_one_to_go_takes_the_operator(blender: Guest) -> None:
    code = """
        import bpy
        from aiobpy.compat import async_loop
        def is_there():
            print(hasattr(bpy.types, 'ASYNCIO_OT_loop'))
        async_loop.register()
        async_loop.register()
        print(sorted(bpy.ops.asyncio.loop()))
        async_loop.unregister()
        is_there()
        async_loop.unregister()
        is_there()
        async_loop.unregister()
    """
    assert run(blender, "registered", code) == ["['FINISHED']", "True", "False"]


def test_blocking_work_goes_to_ten_threads(blender: Guest) -> None:
    code = """
        import asyncio, threading
        from aiobpy.compat import async_loop
        async_loop.setup_asyncio_executor()
        async_loop.setup_asyncio_executor()
        barrier = threading.Barrier(10)
        async def work():
            loop = asyncio.get_running_loop()
            return await asyncio.gather(
                *(loop.run_in_executor(None, barrier.wait, 10) for _ in range(10))
            )
        print(sorted(asyncio.get_event_loop().run_until_complete(work())))
    """
    assert run(blender, "threads", code) == [str(list(range(10)))]


def test_a_shut_down_leaves_nothing_and_the_next_loop_takes_its_place(blender: Guest) -> None:
    code = """
        import asyncio, sys
        import bpy
        from aiobpy import host
        from aiobpy.compat import async_loop, asyncio_bridge
        async_loop.register()
        asyncio_bridge.ensure_running()
        loop = host.loop()
        print(asyncio.get_event_loop() is loop)
        host.shut_down()
        print([name for name in ('ASYNCIO_OT_loop', 'BPY_OT_start_asyncio_bridge')
               if hasattr(bpy.types, name)])
        # As Python itself has it, with warnings for errors.
        try:
            own = asyncio.get_event_loop()
        except (DeprecationWarning, RuntimeError) as error:
            print(sys.version_info >= (3, 12))
        else:
            print(sys.version_info < (3, 12) and own is not loop)
            own.close()
        again = host.ticked_loop()
        print(asyncio.get_event_loop() is again, again is not loop)
    """
    assert run(blender, "shut_down", code) == ["True", "[]", "True", "True True"]
