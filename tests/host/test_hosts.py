"""The hosts inside Blender's Python: the `bpy` module, which has no main loop, and real timers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.host.program import run_in_bpy

PUMP = '''
import ctypes, subprocess
library = next(line.split()[-1] for line in open("/proc/self/maps") if "/bpy/__init__" in line)
symbols = subprocess.run(["nm", "--defined-only", library], capture_output=True, text=True).stdout
symbol = next(line for line in symbols.splitlines() if "BLI_timer_execute" in line)
offset = int(symbol.split()[0], 16)
base = min(int(line.split("-")[0], 16) for line in open("/proc/self/maps") if library in line)
run_due_timers = ctypes.CFUNCTYPE(None)(base + offset)
'''


def test_the_background_host_runs_asyncio_between_bpy_calls() -> None:
    printed = run_in_bpy('''
async def echo(reader, writer):
    writer.write(await reader.readline())
    writer.close()

async def main():
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"Suzanne\\n")
    name = (await reader.readline()).decode().strip()
    bpy.ops.mesh.primitive_monkey_add()
    bpy.context.object.name = name
    writer.close()
    server.close()
    return [name for name in bpy.data.objects.keys() if name == "Suzanne"]

async def tell():
    return "spawned before the loop ran"

assert not host.has_main_loop()
task = aiobpy.spawn(tell())
print(aiobpy.run(main()), task.result())
leave()
''')
    assert printed.splitlines()[-1] == "['Suzanne'] spawned before the loop ran"


@pytest.mark.skipif(
    not Path("/usr/bin/nm").exists(), reason="nm, of binutils, finds Blender's timers"
)
def test_blenders_own_timers_tick_the_gui_host_through_errors_and_file_loads() -> None:
    """`bpy.app.timers` as Blender's main loop runs them: here the main loop is these few lines."""
    printed = run_in_bpy(
        PUMP
        + '''
loop = host.loop()
gui = host.gui_host()
gui.start()
gui.start()
loop.set_exception_handler(lambda loop, context: print("reported:", context["exception"]))

async def work():
    await asyncio.sleep(0)
    return "done"

def until(is_done):
    while not is_done():
        run_due_timers()

loop.call_soon(lambda: 1 / 0)
loop.call_soon(sys.exit, 3)
task = loop.create_task(work())
until(task.done)
print(task.result())

bpy.ops.wm.read_homefile(use_factory_startup=True)
print("after a file load:", gui.is_running())
task = loop.create_task(work())
until(task.done)
print(task.result())

gui.stop()
gui.stop()
run_due_timers()
print("after the stop:", gui.is_running())
host.shut_down()
leave()
'''
    )
    assert printed.splitlines()[-6:] == [
        "reported: division by zero",
        "reported: 3",
        "done",
        "after a file load: True",
        "done",
        "after the stop: False",
    ]


@pytest.mark.skipif(
    not Path("/usr/bin/nm").exists(), reason="nm, of binutils, finds Blender's timers"
)
def test_a_tick_within_a_tick_is_left_out_and_nothing_is_reported() -> None:
    """As when a callback calls an operator that has Blender run its timers."""
    printed = run_in_bpy(
        PUMP
        + '''
loop = host.loop()
gui = host.gui_host()
gui.budget = 60.0  # However slow this machine is: what is ready runs in one tick.
gui.start()
loop.set_exception_handler(lambda loop, context: print("reported:", context["exception"]))

def opens_a_dialog():
    visits = gui.visits
    run_due_timers()
    print("visited within:", gui.visits - visits)

loop.call_soon(opens_a_dialog)
loop.call_soon(print, "the same turn")
run_due_timers()
print("still running:", gui.is_running())
gui.stop()
host.shut_down()
leave()
'''
    )
    assert printed.splitlines()[-3:] == [
        "visited within: 1",
        "the same turn",
        "still running: True",
    ]
