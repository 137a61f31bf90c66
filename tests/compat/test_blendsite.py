from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import pytest

from tests.libraries import guides
from tests.libraries.server import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.libraries.blenders import Guest

# A site as its author's example has it, with the imports changed; the system chooses the port.
SITE = """
import asyncio
import bpy
from aiobpy.compat import async_loop
from aiobpy.compat.blendsite import BasicWebOn, BlenderResource, BlendSite, RESTWebOn, TextResource

class ObjectResource(BlenderResource):
    resource_name = 'object'

    def items(self):
        return [self.make_reference(each) for each in bpy.data.objects]

    def serialize(self, name):
        found = bpy.data.objects[name]
        return {'data': found.data, 'location': found.location}

bpy.ops.wm.read_homefile(use_factory_startup=True)
bpy.data.texts.new('Notes / "1"').from_string('first')
loop = asyncio.get_event_loop()
async_loop.ensure_async_loop()
app = BlendSite()
app.port = 0
basic_web_on = BasicWebOn(app)
rest_web_on = RESTWebOn(app)
rest_web_on.rest_handler.register_resources([TextResource, ObjectResource])
started = loop.create_task(app.start())

def stopped():
    loop.run_until_complete(app.stop())
"""


class Browser:
    """Asks a site, as a browser or a program does."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, method: str, path: str, body: str = "", **headers: str) -> tuple[int, str]:
        """Return status and body."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        # The path as it is told, and a `Host` of one's own.
        connection.putrequest(method, path, skip_host=True)
        for name, value in {"Host": f"127.0.0.1:{self.port}", **named}.items():
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body.encode())))
        connection.endheaders(body.encode())
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def get(self, path: str) -> Any:
        """Return what is there, in JSON."""
        status, text = self.ask("GET", path)
        assert status == 200, text
        return json.loads(text)


@pytest.fixture
def browser(blender: Guest) -> Iterator[Browser]:
    """A browser for a site that runs."""
    quiet = "import logging; logging.getLogger('aiobpy.compat').setLevel(logging.ERROR)"
    blender.ask("run", name="quiet", code=quiet)
    blender.ask("run", name="site", code=SITE)
    blender.ask("until", name="site", expression="started.done() and not started.result()")
    yield Browser(blender.ask("evaluate", name="site", expression="app.port"))
    blender.ask("run", name="stop", code="import sys; sys.modules['script_site'].stopped()")


def text_of(blender: Guest, name: str) -> str:
    expression = f"bpy.data.texts[{name!r}].as_string()"
    text: str = blender.ask("evaluate", name="site", expression=expression)
    return text


def test_the_basic_page_shows_what_is_open(browser: Browser) -> None:
    status, page = browser.ask("GET", "/basic/")
    assert status == 200
    assert "<li>Cube</li>" in page
    assert "Notes / &#34;1&#34;" in page
    status, style = browser.ask("GET", "/static/basic/basic.css")
    assert (status, "font" in style) == (200, True)
    assert browser.ask("GET", "/")[0] == 302


def test_data_is_read_and_written(browser: Browser, blender: Guest) -> None:
    [reference] = browser.get("/rest/v1/text")
    assert reference == {"name": 'Notes / "1"', "url": "/rest/v1/text/Notes%20%2F%20%221%22"}
    assert browser.get(reference["url"]) == {"name": 'Notes / "1"', "content": "first"}

    sent = json.dumps({"content": "second"})
    assert browser.ask("PUT", reference["url"], sent, Content_Type="application/json")[0] == 200
    assert text_of(blender, 'Notes / "1"') == "second"

    form = "content=third&name=Renamed"
    kind = "application/x-www-form-urlencoded"
    assert browser.ask("PUT", reference["url"], form, Content_Type=kind)[0] == 200
    assert text_of(blender, "Renamed") == "third"


def test_a_resource_of_ones_own_answers_in_json(browser: Browser) -> None:
    names = [each["name"] for each in browser.get("/rest/v1/object")]
    assert names == ["Camera", "Cube", "Light"]
    cube = browser.get("/rest/v1/object/Cube")
    assert cube == {"data": {"name": "Cube"}, "location": [0.0, 0.0, 0.0]}


def test_what_is_not_there_is_said_so(browser: Browser) -> None:
    for method, path, body, expected in (
        ("GET", "/rest/v1/sound", "", 404),
        ("GET", "/rest/v1/text/Missing", "", 404),
        ("PUT", "/rest/v1/text/Missing", "{}", 404),
        ("PUT", "/rest/v1/text/Missing", "[1", 400),
        ("PUT", "/rest/v1/text/Missing", "[1]", 400),
        ("PUT", "/rest/v1/object/Cube", "{}", 501),
    ):
        status, text = browser.ask(method, path, body, Content_Type="application/json")
        assert status == expected, text
        assert set(json.loads(text)) == {"error", "hint"}


def test_pages_of_others_are_refused(browser: Browser, blender: Guest) -> None:
    path, port = "/rest/v1/text/Notes%20%2F%20%221%22", browser.port
    here = f"http://localhost:{port}"
    refused = [
        {"Origin": "http://example.org"},
        {"Origin": "null"},
        {"Origin": f"https://127.0.0.1:{port}"},
        {"Origin": f"http://127.0.0.1:{port + 1}"},
        {"Host": "example.org"},
        {"Host": f"example.org:{port}"},
        {"Host": "127.0.0.1"},
        {"Host": "["},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ]
    for headers in refused:
        for method in ("GET", "PUT", "OPTIONS"):
            status, text = browser.ask(method, path, "content=stolen", **headers)
            assert status == 403, (method, headers, text)
    assert text_of(blender, 'Notes / "1"') == "first"
    for headers in ({"Origin": here}, {"Host": f"localhost:{port}", "Sec-Fetch-Site": "none"}):
        assert browser.ask("GET", path, **headers)[0] == 200


def test_files_outside_a_folder_of_files_are_not_served(browser: Browser) -> None:
    for outside in ("../site.py", "%2e%2e/site.py", "..%2fsite.py", "//etc/passwd", "../gate.py"):
        status, _ = browser.ask("GET", f"/static/basic/{outside}")
        assert status in {403, 404}, outside


def test_the_guide_runs(blender: Guest) -> None:
    port = free_port()
    blender.ask("run", name="port", code=f"import os; os.environ['SITE_PORT'] = '{port}'")
    blender.ask("run", name="guide", code=guides.code("coming_from_blender_asyncio"))
    for frame in (11, 12):
        blender.ask("has_printed", line="Please change the frame")
        assert Browser(port).ask("GET", "/basic/")[0] == 200
        blender.ask("run", name="change", code=f"import bpy; bpy.context.scene.frame_set({frame})")
    ended = "task.done() and task.result()"
    assert blender.ask("until", name="guide", expression=ended) == "frame 12"


def test_a_port_that_is_taken_is_told(browser: Browser, blender: Guest) -> None:
    code = f"""
        import asyncio
        from aiobpy.compat.blendsite import BlendSite

        class Second(BlendSite):
            port = {browser.port}

        async def start():
            try:
                await Second().start()
            except OSError as error:
                return error.__notes__[0]
        told = asyncio.get_event_loop().run_until_complete(start())
    """
    blender.ask("run", name="second", code=textwrap.dedent(code))
    told = blender.ask("evaluate", name="second", expression="told")
    assert told == f"give your BlendSite another `port` than {browser.port}, or 0"


def test_the_packages_that_are_missing_are_named() -> None:
    code = "import sys; sys.modules['aiohttp'] = None; import aiobpy.compat.blendsite"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "needs the package 'aiohttp'" in done.stderr
    assert "manifest" in done.stderr
