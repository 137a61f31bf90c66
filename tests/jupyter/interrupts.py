"""What an interrupt does, in a Blender without windows and in one with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from tests.jupyter.notebook import Notebook

CELLS: Final = pytest.mark.parametrize(
    ("cell", "ended_by"),
    [
        pytest.param("{begun}\nwhile True: pass", "KeyboardInterrupt", id="spins"),
        pytest.param(
            "import time\n{begun}\ntime.sleep(600)",  # under test: the interrupt ends it
            "KeyboardInterrupt",
            id="blocks",
        ),
        pytest.param(
            "{begun_soon}\nawait asyncio.sleep(600)",  # under test: the interrupt ends it
            "CancelledError",
            id="awaits",
        ),
        pytest.param(
            "import asyncio\nawait asyncio.sleep(0)\n{begun}\nwhile True: pass",
            "KeyboardInterrupt",
            id="spins-after-it-awaited",
        ),
    ],
)
_BEGUN: Final = "print('begun', flush=True)"
_BEGUN_SOON: Final = f"""
import asyncio
asyncio.get_running_loop().call_soon(lambda: {_BEGUN})
"""
"""Says so when the cell awaits already."""
_TASK: Final = """
import asyncio

async def spin():
    {begun}
    while True:
        {step}

task = asyncio.create_task(spin())
"""


def check_a_cell(notebook: Notebook, cell: str, ended_by: str) -> None:
    """An interrupt ends the cell, and the next one runs."""
    request = notebook.begin(cell.format(begun=_BEGUN, begun_soon=_BEGUN_SOON))
    notebook.wait_for_text(request)
    notebook.interrupt()
    answer = notebook.finish(request)
    assert (answer.status, answer.error) == ("error", ended_by)
    assert notebook.value("1 + 1") == "2"


def check_a_task_that_spins(notebook: Notebook) -> None:
    """An interrupt ends a task that holds the loop, and the loop goes on."""
    request = notebook.begin(_TASK.format(begun=_BEGUN, step="pass"))
    notebook.wait_for_text(request)
    notebook.interrupt()
    assert notebook.value("type(task.exception())") == "KeyboardInterrupt"


def check_the_tasks_beside_a_cell(notebook: Notebook) -> None:
    """An interrupt cancels the cell that awaits; a busy task beside it is not touched."""
    request = notebook.begin(
        _TASK.format(begun="", step="await asyncio.sleep(0)")
        + f"{_BEGUN_SOON}\nawait asyncio.sleep(600)"  # under test: the interrupt ends it
    )
    notebook.wait_for_text(request)
    notebook.interrupt()
    assert notebook.finish(request).error == "CancelledError"
    assert notebook.value("task.cancel()") == "True"
