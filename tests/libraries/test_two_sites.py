"""Two add-ons side by side on the web server of a Blender with windows: FastAPI, and our routes."""

from __future__ import annotations

import concurrent.futures
import http.client
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.blender.gui_blender import trees

if TYPE_CHECKING:
    from tests.blender.gui_blender import GuiBlender
    from tests.libraries.conftest import WindowedBlenders

ADD_ONS = Path(__file__).parent / "add_ons"
SETUP = """
import aiobpy.server

def outside(name, **arguments):
    # As a click in the preferences, which no task of the loop is waiting for.
    operator = getattr(bpy.ops.preferences, name)
    bpy.app.timers.register(lambda: print(operator(**arguments)))

import bpy
# The folder of add-ons may be new since Blender began; its installer says so in this way.
bpy.utils.refresh_script_paths()
server = aiobpy.server.start()
"""


class TwoSites:
    """A Blender whose server is on, and a client of it."""

    def __init__(self, blender: GuiBlender) -> None:
        self._blender = blender
        blender.ask("run", name="two_sites", code=SETUP, environment={})
        self._port = self._evaluate("server.port")
        self._token = self._evaluate("server.token")

    def outside(self, name: str, **arguments: str) -> None:
        """Call an operator of the preferences, after all that goes on now."""
        given = "".join(f", {key}={value!r}" for key, value in arguments.items())
        self._evaluate(f"outside({name!r}{given})")

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Return the status and the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        headers = {"Authorization": f"Bearer {self._token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        text = None if body is None else json.dumps(body)
        connection.request(method, path, text, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        is_json = "json" in (answer.getheader("Content-Type") or "")
        return answer.status, json.loads(content) if is_json else content

    def until(self, path: str, status: int) -> None:
        """Ask until it is answered so: Blender is about to change that."""
        while self.ask("GET", path)[0] != status:
            pass

    def until_busy(self, owner: str) -> None:
        """Look until the add-on has a task, such as one that answers a request."""
        while not self._evaluate(f"len(aiobpy.owners.of({owner!r}).tasks)"):
            pass

    def stop(self) -> None:
        """Switch the server off."""
        self._evaluate("aiobpy.server.stop()")

    def _evaluate(self, expression: str) -> Any:
        return self._blender.ask("evaluate", expression=expression)


@pytest.mark.blender
@pytest.mark.timeout(300)
@pytest.mark.parametrize("tree", [pytest.param(tree, id=tree.name) for tree in trees()])
def test_one_is_disabled_and_the_other_goes_on(tree: Path, windowed: WindowedBlenders) -> None:
    installation, blender = windowed.running(tree)
    version = installation.version().rpartition(".")[0]
    folder = installation.home / ".config" / "blender" / version / "scripts" / "addons"
    shutil.copytree(ADD_ONS, folder, dirs_exist_ok=True)
    sites = TwoSites(blender)
    sites.outside("addon_refresh")
    sites.outside("addon_enable", module="site_kiln")
    sites.outside("addon_enable", module="site_cups")
    sites.until("/a/kiln/pieces/Cube", 200)
    sites.until("/a/cups/cups", 200)

    assert sites.ask("POST", "/a/kiln/pieces", {"name": "Vase", "height": 2})[0] == 201
    assert sites.ask("POST", "/a/kiln/pieces", {"name": "Vase", "height": -2})[0] == 422
    assert sites.ask("GET", "/a/kiln/openapi.json")[1]["info"]["title"] == "Kiln"
    assert sites.ask("POST", "/a/cups/cups", {"name": "Mug"})[1] == {"name": "Mug", "handles": 1}
    assert sites.ask("PATCH", "/a/cups/cups/Mug", {"name": "Mug", "handles": 2})[0] == 200
    assert sites.ask("GET", "/a/cups/cups?prefix=Mug")[1] == [{"name": "Mug", "handles": 2}]
    assert sites.ask("GET", "/a/kiln/pieces/Mug")[0] == 200

    with concurrent.futures.ThreadPoolExecutor() as threads:
        waiting = threads.submit(sites.ask, "GET", "/a/cups/patient")
        sites.until_busy("site_cups")
        sites.outside("addon_disable", module="site_cups")
        # Cut short, and not left to hang.
        assert waiting.result(30)[0] == 503
    sites.until("/a/cups/cups", 404)
    assert sites.ask("GET", "/a/kiln/pieces/Vase")[0] == 200

    sites.outside("addon_enable", module="site_cups")
    sites.until("/a/cups/cups", 200)
    sites.outside("addon_disable", module="site_kiln")
    sites.until("/a/kiln/pieces/Vase", 404)
    assert sites.ask("DELETE", "/a/cups/cups/Mug")[0] in {200, 204}
    sites.outside("addon_disable", module="site_cups")
    sites.until("/a/cups/cups", 404)
    sites.stop()
