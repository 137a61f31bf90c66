"""Handlers, frames and undo steps where Blender has no windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[[str], None]


def test_a_handler_is_awaited_and_gives_plain_values(run_in_bpy: Run) -> None:
    run_in_bpy('''
async def main():
    waiting = handlers.next("frame_change_post", "undo_post")
    bpy.context.scene.frame_set(12)
    assert await waiting == handlers.Fired("frame_change_post", "Scene", 12)
    assert ours() == []
    saved = handlers.next("save_post")
    assert (await aiobpy.save(folder / "scene.blend")).path == folder / "scene.blend"
    assert (await saved).path == str(folder / "scene.blend")

aiobpy.run(main())
''')


def test_the_oldest_events_are_dropped_and_counted(run_in_bpy: Run) -> None:
    run_in_bpy('''
async def main():
    with handlers.every("frame_change_post", limit=3) as fired:
        for frame in range(1, 11):
            bpy.context.scene.frame_set(frame)
        taken = [await anext(fired) for _ in range(3)]
        assert [(event.frame, event.missed) for event in taken] == [(8, 7), (9, 0), (10, 0)]
        bpy.context.scene.frame_set(11)
        assert (await anext(fired)).missed == 0
    assert [event async for event in fired] == []

aiobpy.run(main())
''')


def test_a_listener_lives_through_a_file_load_and_an_emptied_list(run_in_bpy: Run) -> None:
    run_in_bpy('''
async def main():
    async def follow():
        async for fired in handlers.every("frame_change_post"):
            frames.append(fired.frame)

    frames = []
    task = asyncio.create_task(follow())
    await aiobpy.frame()
    file = await aiobpy.save(folder / "scene.blend")
    assert await aiobpy.open_file(file.path)
    bpy.context.scene.frame_set(5)
    for _ in range(5):
        await aiobpy.frame()
    bpy.app.handlers.frame_change_post.clear()
    bpy.context.scene.frame_set(6)
    for _ in range(5):
        await aiobpy.frame()
    assert frames == [5]
    task.cancel()
    await asyncio.wait([task])
    # The task holds the listener until it is gone itself.
    del task
    assert ours() == []

aiobpy.run(main())
''')


def test_a_waiter_that_is_cancelled_does_no_harm(run_in_bpy: Run) -> None:
    run_in_bpy('''
async def main():
    one, other = handlers.next("frame_change_post"), handlers.next("frame_change_post")
    one.cancel()
    bpy.context.scene.frame_set(2)
    assert (await other).frame == 2
    assert ours() == []
    with handlers.every("frame_change_post") as fired:
        waiting = asyncio.ensure_future(anext(fired))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        bpy.context.scene.frame_set(3)
        assert (await anext(fired)).frame == 3

reported = []
host.loop().set_exception_handler(lambda loop, context: reported.append(context))
aiobpy.run(main())
assert reported == []
''')


def test_a_name_that_is_no_handler_is_refused(run_in_bpy: Run) -> None:
    run_in_bpy('''
async def main():
    for name, hint in {
        "frame_change_pst": "did you mean 'frame_change_post' or 'frame_change_pre'?",
        "scene_update_pre": "did you mean 'depsgraph_update_pre'?",
        "persistent": "it has ",
    }.items():
        try:
            handlers.next(name)
        except ValueError as error:
            assert repr(name) in str(error) and hint in str(error), error
        else:
            raise AssertionError(name)
    assert ours() == []

aiobpy.run(main())
''')


def test_a_listener_goes_with_its_owner(run_in_bpy: Run) -> None:
    run_in_bpy('''
from aiobpy import owners

async def main():
    with aiobpy.owner("my_addon") as owner:
        mine = handlers.every("save_post")
        waiting = handlers.next("load_post")
    others = handlers.every("save_pre")
    assert sorted(ours()) == ["load_post", "save_post", "save_pre"]
    owner.let_go()
    assert [event async for event in mine] == []
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    mine.close()
    assert ours() == ["save_pre"]
    others.close()

aiobpy.run(main())
''')


def test_shut_down_takes_all_handlers_down_and_listening_begins_anew(run_in_bpy: Run) -> None:
    run_in_bpy('''
listeners = []

async def listen():
    listeners.append(handlers.every("save_post"))

aiobpy.run(listen())
assert ours() == ["save_post"]
host.shut_down()
assert ours() == []
aiobpy.run(listen())
assert ours() == ["save_post"]
# Left as it is: Blender 4.5 would hang at its end, and 4.2 crash, if the callback stayed.
''')


def test_what_fires_on_other_threads_arrives(run_in_bpy: Run) -> None:
    run_in_bpy('''
import threading

async def main():
    scene = small()
    on_threads = set()
    bpy.app.handlers.render_stats.append(lambda *_: on_threads.add(threading.get_ident()))
    with handlers.every("render_stats", "render_complete") as fired:
        bpy.ops.render.render()
        texts = []
        async for event in fired:
            if event.handler == "render_complete":
                break
            texts.append(event.text)
    bpy.app.handlers.render_stats.clear()
    assert any(text and "Sample 1/1" in text for text in texts), texts
    assert on_threads - {threading.get_ident()}

aiobpy.run(main())
''')


def test_without_a_main_loop_a_frame_is_a_turn(run_in_bpy: Run) -> None:
    run_in_bpy('''
async def main():
    order = []
    asyncio.get_running_loop().call_soon(order.append, "what was ready")
    await aiobpy.frame()
    order.append("after the frame")
    assert order == ["what was ready", "after the frame"]
    await aiobpy.idle()

aiobpy.run(main())
''')


def test_spread_takes_turns_and_closes_what_it_iterates_over(run_in_bpy: Run) -> None:
    run_in_bpy('''
import time

closed = []

async def numbers():
    try:
        for number in range(100):
            yield number
    finally:
        closed.append(True)

def slow_numbers():
    for number in range(6):
        time.sleep(0.002)  # under test: items that take their time
        yield number

async def main():
    turns = []
    async def count():
        while True:
            turns.append(len(done))
            await asyncio.sleep(0)
    done = []
    counting = asyncio.create_task(count())
    async for number in aiobpy.spread(slow_numbers(), budget=0.003):
        done.append(number)
    counting.cancel()
    assert done == [0, 1, 2, 3, 4, 5]
    assert len(turns) >= 3, turns

    async def take():
        async for number in aiobpy.spread(numbers(), budget=0.000001):
            taken.append(number)
    taken = []
    task = asyncio.create_task(take())
    while len(taken) < 5:
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert closed == [True]
    assert taken == list(range(len(taken)))

    for given, kind, hint in (
        (bpy.data.objects, TypeError, "spread the names"),
        (7, TypeError, "an iterable, not on 7"),
    ):
        try:
            aiobpy.spread(given)
        except kind as error:
            assert hint in str(error), error
        else:
            raise AssertionError(given)

aiobpy.run(main())
''')


def test_an_undo_step_is_rolled_back_without_windows(run_in_bpy: Run) -> None:
    run_in_bpy('''
async def main():
    cube().location.x = 1
    try:
        async with aiobpy.undo_step("Import") as step:
            cube().location.x = 5
            bpy.data.meshes.new("Part")
            async with aiobpy.undo_step("within"):
                cube().location.y = 5
            raise KeyError("colour")
    except KeyError as error:
        assert step.rolled_back and not hasattr(error, "__notes__")
    assert tuple(cube().location) == (1, 0, 0)
    assert "Part" not in bpy.data.meshes
    async with aiobpy.undo_step("Import"):
        cube().location.x = 7
    bpy.ops.ed.undo()
    assert cube().location.x == 1
    assert "aiobpy_undo_step" not in bpy.context.scene

aiobpy.run(main())
''')


def test_two_undo_steps_at_once_are_not_rolled_back(run_in_bpy: Run) -> None:
    run_in_bpy('''
async def main():
    async def other():
        async with aiobpy.undo_step("Other"):
            cube().location.y = 3
            await asyncio.sleep(0.01)  # under test: a step that is open for a while

    task = asyncio.create_task(other())
    await asyncio.sleep(0)
    try:
        async with aiobpy.undo_step("Import"):
            cube().location.x = 5
            raise KeyError("colour")
    except KeyError as error:
        assert "another undo step was open" in error.__notes__[0]
    await task
    assert tuple(cube().location) == (5, 3, 0)
    assert "aiobpy_undo_step" not in bpy.context.scene

aiobpy.run(main())
''')


def test_a_data_block_of_the_file_before_is_explained(run_in_bpy: Run) -> None:
    run_in_bpy('''
import io, logging

async def main():
    mine = cube()
    file = await aiobpy.save(folder / "scene.blend")
    await aiobpy.open_file(file.path)
    return mine.name

log = io.StringIO()
logging.getLogger("asyncio").addHandler(logging.StreamHandler(log))
task = aiobpy.spawn(main())
aiobpy.run(asyncio.wait([task]))
for _ in range(3):
    aiobpy.run(asyncio.sleep(0))
said = log.getvalue()
assert "has been removed" in said, said
assert "look it up" in said and "session_uid" in said, said
''')
