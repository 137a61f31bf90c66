"""What a person does in a notebook whose kernel is the `bpy` module."""

from __future__ import annotations

import base64
import io
import json
import socket
from pathlib import Path

import PIL.Image
import pytest

from tests.jupyter import interrupts
from tests.jupyter.conftest import MODULES
from tests.jupyter.notebook import PATIENCE, Notebook
from tests.libraries import guides

SERVER = """
import asyncio
heard = []
a_word_came = asyncio.Event()

async def echo(reader, writer):
    heard.append(await reader.readline())
    a_word_came.set()
    writer.write(heard[-1].upper())
    writer.close()

server = await asyncio.start_server(echo, "127.0.0.1", 0)
server.sockets[0].getsockname()[1]
"""


def test_a_cell_makes_an_object(notebook: Notebook) -> None:
    assert notebook.value("bpy.ops.mesh.primitive_monkey_add(); C.object.name") == "'Suzanne'"
    assert notebook.value("'Suzanne' in D.objects, bpy.data == D") == "(True, True)"


def test_cells_run_in_tasks_of_the_loop_that_add_ons_share(notebook: Notebook) -> None:
    cell = "import asyncio\nasyncio.get_running_loop() is aiobpy.host.loop()"
    assert notebook.value(cell) == "True"
    assert notebook.value("await aiobpy.spawn(asyncio.sleep(0, 'done'))") == "'done'"


def test_what_a_cell_has_started_goes_on_between_cells(notebook: Notebook) -> None:
    port = int(notebook.value(SERVER))
    assert ask(port, b"suzanne\n") == b"SUZANNE\n"
    assert notebook.value("server.close(); heard") == "[b'suzanne\\n']"


def test_what_a_cell_has_started_goes_on_while_another_awaits(notebook: Notebook) -> None:
    port = int(notebook.value(SERVER))
    waiting = notebook.begin("print('waits', flush=True); await a_word_came.wait()")
    notebook.wait_for_text(waiting)
    assert ask(port, b"go on\n") == b"GO ON\n"
    assert notebook.finish(waiting).result == "True"
    assert notebook.run("server.close()").status == "ok"


def test_the_cell_of_the_guide_turns_its_object_while_others_run(notebook: Notebook) -> None:
    assert notebook.run(guides.code("jupyter")).status == "ok"
    name = "turning.get_coro().cr_frame.f_locals['name']"
    before = float(notebook.value(f"turned = D.objects[{name}]; turned.rotation_euler.z"))
    answer = notebook.run(
        f"while turned.rotation_euler.z <= {before}:\n    await asyncio.sleep(0)\nturning.cancel()"
    )
    assert answer.result == "True"


@interrupts.CELLS
def test_an_interrupt_ends_a_cell_wherever_it_is(
    notebook: Notebook, cell: str, ended_by: str
) -> None:
    interrupts.check_a_cell(notebook, cell, ended_by)


def test_an_interrupt_ends_a_task_that_never_would(notebook: Notebook) -> None:
    interrupts.check_a_task_that_spins(notebook)


def test_an_interrupt_is_for_the_cell_and_not_for_the_tasks_beside_it(notebook: Notebook) -> None:
    interrupts.check_the_tasks_beside_a_cell(notebook)


def test_an_interrupt_between_cells_does_nothing(notebook: Notebook) -> None:
    notebook.interrupt()
    assert notebook.value("1 + 1") == "2"


def test_an_error_ends_its_cell_and_nothing_else(notebook: Notebook) -> None:
    answer = notebook.run("bpy.ops.object.mode_set(mode='POETRY')")
    assert (answer.status, answer.error) == ("error", "TypeError")
    assert "POETRY" in answer.message
    assert notebook.run("raise SystemExit(3)").error == "SystemExit"
    assert notebook.value("1 + 1") == "2"


def test_a_cell_asks_the_person(notebook: Notebook) -> None:
    cell = notebook.client.execute("input('colour? ')", allow_stdin=True)
    question = notebook.client.get_stdin_msg(timeout=PATIENCE)
    assert question["content"]["prompt"] == "colour? "
    notebook.client.input("red")
    assert notebook.finish(cell).result == "'red'"


def test_an_image_is_shown_as_a_picture(notebook: Notebook) -> None:
    answer = notebook.run(
        "sky = D.images.new('sky', 4, 2)\nsky.pixels = [0.2, 0.4, 0.8, 1.0] * 8\nsky"
    )
    with PIL.Image.open(io.BytesIO(base64.b64decode(answer.shown[-1]["image/png"]))) as picture:
        assert picture.size == (4, 2)
        assert picture.getpixel((0, 0)) == (51, 102, 204, 255)
    assert "image/png" not in notebook.run("D.images['Render Result']").shown[-1]


def test_a_render_is_shown_as_a_picture_whatever_the_scene_writes(notebook: Notebook) -> None:
    answer = notebook.run(
        "render = C.scene.render\n"
        "render.engine, render.resolution_x, render.resolution_y = 'CYCLES', 16, 12\n"
        "C.scene.cycles.samples = 1\n"
        "render.image_settings.file_format = 'OPEN_EXR'\n"
        "bpy.ops.render.render()\n"
        "D.images['Render Result']"
    )
    with PIL.Image.open(io.BytesIO(base64.b64decode(answer.shown[-1]["image/png"]))) as picture:
        assert (picture.format, picture.size) == ("PNG", (16, 12))
    assert notebook.value("render.image_settings.file_format") == "'OPEN_EXR'"


def test_no_thread_is_offered_for_cells(notebook: Notebook) -> None:
    request = notebook.client.kernel_info()
    while (reply := notebook.client.get_shell_msg(timeout=PATIENCE))["parent_header"][
        "msg_id"
    ] != request:
        pass
    assert "kernel subshells" not in reply["content"]["supported_features"]
    refusal = notebook.ask_control("create_subshell_request")["content"]
    assert refusal["status"] == "error"
    assert "Blender does not support" in refusal["evalue"]


def test_a_restart_begins_anew() -> None:
    with Notebook.opened("blender") as notebook:
        first = notebook.process
        assert notebook.run("x = 1; bpy.ops.mesh.primitive_monkey_add()").status == "ok"
        notebook.restart()
        assert first.wait(PATIENCE) == 0
        assert notebook.process.pid != first.pid
        assert notebook.run("x").error == "NameError"
        assert notebook.value("'Suzanne' in D.objects") == "False"


def test_a_restart_while_a_cell_spins() -> None:
    with Notebook.opened("blender") as notebook:
        notebook.wait_for_text(notebook.begin("print('spins', flush=True)\nwhile True: pass"))
        notebook.restart()
        assert notebook.value("1 + 1") == "2"


@pytest.mark.parametrize("kernel", MODULES)
def test_a_kernel_that_is_shut_down_leaves_nothing_behind(
    kernel: str, jupyter_folder: Path
) -> None:
    with Notebook.opened(kernel) as notebook:
        process = notebook.process
        # What hangs or crashes some Blenders when they end by themselves.
        cell = "bpy.app.handlers.frame_change_post.append(lambda scene: None)\nbpy.app.tempdir"
        temporary = Path(notebook.value(cell).strip("'"))
        file = Path(notebook.manager.connection_file)
        assert file.is_relative_to(jupyter_folder)
        assert json.loads(file.read_text())["ip"] == "127.0.0.1"
    assert process.wait(PATIENCE) == 0
    assert not file.exists()
    assert not temporary.exists()


def test_cells_and_what_they_print_are_encrypted_where_jupyter_asks_for_it() -> None:
    with Notebook.opened("blender", transport_encryption="required") as notebook:
        file = json.loads(Path(notebook.manager.connection_file).read_text())
        assert file["curve_publickey"]
        assert notebook.value("1 + 1") == "2"


def test_a_cell_ends_the_kernel() -> None:
    with Notebook.opened("blender") as notebook:
        assert notebook.run("exit()").status == "ok"
        assert notebook.process.wait(PATIENCE) == 0


def ask(port: int, line: bytes) -> bytes:
    """Say a line to the notebook's server, and return its answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(line)
        return connection.makefile("rb").read()
