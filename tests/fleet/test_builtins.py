"""aiobpy's own templates, which open any .blend that a job names."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from tests.fleet.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
SENT = "input:" + "ab" * 32
NAMES = ["catalogue", "contact_sheet", "convert", "preview", "render", "run", "turntable"]
TRUSTED = """
import bpy
import aiobpy

def count(kind: str = "objects") -> int:
    return len(getattr(bpy.data, kind))

def draw(output: aiobpy.Output) -> None:
    output.render()

def _hidden() -> None:
    pass
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that jobs may read, one of trusted functions, and one of inputs."""
    folder = tmp_path_factory.mktemp("builtins")
    for name in ("library", "trusted", "worker", "elsewhere"):
        (folder / name).mkdir()
    build("build", folder / "library" / "studio.blend")
    build("with_script", folder / "library" / "script.blend", folder / "written")
    (folder / "trusted" / "tools.py").write_text(TRUSTED)
    sent = folder / "inputs" / "ab" / ("ab" * 32)
    sent.parent.mkdir(parents=True)
    shutil.copy(folder / "library" / "studio.blend", sent)
    return folder


@pytest.fixture(scope="module")
def worker(files: Path) -> Iterator[Supervisor]:
    """A worker with the built-in templates alone."""
    supervisor = Supervisor(
        files / "worker",
        [],
        builtins=True,
        inputs=str(files / "inputs"),
        roots=[str(files / "library")],
        trusted=[str(files / "trusted")],
    )
    assert supervisor.greeting["type"] == "ready", supervisor.greeting
    yield supervisor
    supervisor.end()


def build(command: str, *arguments: Path) -> None:
    """Have a .blend made."""
    script = [sys.executable, str(HERE / "studio.py"), command]
    subprocess.run([*script, *map(str, arguments)], check=True, timeout=120)


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def test_all_are_there_and_none_is_broken(worker: Supervisor) -> None:
    described = worker.greeting["templates"]
    assert [one["name"] for one in described] == [f"builtin/{name}" for name in NAMES]
    assert not [one for one in described if one.get("broken")]
    assert described[0]["scene_from"] == "scene"


def test_what_calls_functions_needs_some_that_are_trusted(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, [], builtins=True)
    names = {one["name"] for one in supervisor.greeting["templates"]}
    supervisor.end()
    assert names == {f"builtin/{name}" for name in NAMES} - {"builtin/run"}


@pytest.mark.parametrize("scene", ["studio.blend", SENT])
def test_a_scene_is_rendered_as_it_is(worker: Supervisor, scene: str) -> None:
    path = worker.render("builtin/render", {"scene": scene}, width=12)
    assert size_of(path) == (12, 16)
    side = worker.render("builtin/render", {"scene": scene, "camera": "Side"}, width=12)
    assert side.read_bytes() != path.read_bytes()


@pytest.mark.parametrize(
    "scene", ["nowhere.blend", "../elsewhere/studio.blend", "/etc/passwd", "input:" + "0" * 64]
)
def test_a_scene_is_where_jobs_may_read_or_nowhere(
    worker: Supervisor, files: Path, scene: str
) -> None:
    shutil.copy(files / "library" / "studio.blend", files / "elsewhere" / "studio.blend")
    problem = worker.fail("builtin/render", {"scene": scene})
    assert (problem["type"], problem["status"]) == ("parameter-unfit", 422)


def test_a_link_out_of_the_folder_leads_nowhere(worker: Supervisor, files: Path) -> None:
    shutil.copy(files / "library" / "studio.blend", files / "elsewhere" / "linked.blend")
    (files / "library" / "link.blend").symlink_to(files / "elsewhere" / "linked.blend")
    assert worker.fail("builtin/render", {"scene": "link.blend"})["type"] == "parameter-unfit"


def test_a_blend_runs_no_script_and_writes_no_file(worker: Supervisor, files: Path) -> None:
    worker.render("builtin/render", {"scene": "script.blend"})
    assert not list(files.glob("written*"))


@pytest.mark.parametrize(("place", "is_shown"), [("library", True), ("elsewhere", False)])
def test_a_blend_reads_no_file_where_jobs_may_not(
    worker: Supervisor, files: Path, place: str, is_shown: bool
) -> None:
    picture = files / place / "green.png"
    Image.new("RGB", (4, 4), "#00ff00").save(picture)
    build("with_picture", files / "library" / f"{place}.blend", picture)
    path = worker.render("builtin/render", {"scene": f"{place}.blend"}, width=48, height=32)
    with Image.open(path) as image:
        assert (image.convert("RGB").getpixel((36, 16)) == (0, 255, 0)) is is_shown


def test_a_blend_that_links_a_library_where_jobs_may_not_read_is_refused(
    worker: Supervisor, files: Path
) -> None:
    shutil.copy(files / "library" / "studio.blend", files / "elsewhere" / "linked.blend")
    build("with_library", files / "library" / "links.blend", files / "elsewhere" / "linked.blend")
    problem = worker.fail("builtin/render", {"scene": "links.blend"})
    assert (problem["type"], problem["status"]) == ("scene-outside", 422)
    assert "linked.blend" in problem["detail"]


def test_a_trusted_template_lets_its_blend_run_scripts(files: Path, tmp_path: Path) -> None:
    template = tmp_path / "trusting.py"
    scene = files / "library" / "script.blend"
    template.write_text(
        f"import aiobpy\n@aiobpy.template(scene={str(scene)!r}, trusted=True)\n"
        "def trusting() -> None:\n    'It trusts its scene.'\n"
    )
    supervisor = Supervisor(tmp_path, [template])
    supervisor.render("trusting")
    supervisor.end()
    # So the test before this one has seen something.
    assert (files / "written").exists()
    assert (files / "written-node").is_dir()
    (files / "written").unlink()
    shutil.rmtree(files / "written-node")


def test_a_preview_is_small_and_shows_all_if_asked(worker: Supervisor) -> None:
    usual = worker.render("builtin/preview", {"scene": SENT, "size": 48}, format="jpeg")
    whole = worker.render("builtin/preview", {"scene": SENT, "size": 48, "whole": True})
    assert size_of(usual) == size_of(whole) == (48, 32)
    with Image.open(whole) as image:
        assert len(image.convert("RGB").getcolors() or []) > 4


@pytest.mark.parametrize(
    ("of", "size"), [("cameras", (32, 16)), ("objects", (48, 32)), ("frames", (48, 32))]
)
def test_a_contact_sheet_has_a_picture_of_each(
    worker: Supervisor, of: str, size: tuple[int, int]
) -> None:
    params = {"scene": SENT, "of": of, "size": 16, "columns": 3}
    path = worker.render("builtin/contact_sheet", params)
    assert size_of(path) == size
    assert worker.messages[-1].split()[0] in ("2/2", "4/4", "5/5")


def test_a_catalogue_lists_what_is_there_and_what_is_missing(
    worker: Supervisor, files: Path
) -> None:
    path = worker.render("builtin/catalogue", {"scene": "studio.blend"}, format="json")
    found = json.loads(path.read_text())
    assert found["counts"]["materials"] == 4
    (scene,) = found["scenes"]
    assert (scene["camera"], scene["cameras"], scene["frames"]) == (
        "Front",
        ["Front", "Side"],
        [1, 5],
    )
    body = next(one for one in found["data_blocks"] if one["name"] == "Body")
    assert body == {"kind": "objects", "name": "Body", "users": 1, "type": "mesh", "data": "Body"}
    assert found["missing"] == []


def test_a_turntable_goes_once_around(worker: Supervisor) -> None:
    params = {"scene": SENT, "pictures": 3}
    path = worker.render(
        "builtin/turntable", params, format="webm", width=32, height=32, samples=1, fps=10
    )
    assert path.read_bytes()[:4] == b"\x1aE\xdf\xa3"


@pytest.mark.parametrize(
    ("kind", "begins"),
    [("glb", b"glTF"), ("usdz", b"PK\x03\x04"), ("usdc", b"PXR-USDC"), ("fbx", b"Kaydara FBX")],
)
def test_a_scene_is_converted_to_one_file(worker: Supervisor, kind: str, begins: bytes) -> None:
    path = worker.render("builtin/convert", {"scene": SENT}, format=kind)
    assert path.read_bytes().startswith(begins)


def test_a_trusted_function_is_called_with_what_fits(worker: Supervisor) -> None:
    params = {"file": "tools.py", "function": "count", "scene": SENT}
    path = worker.render("builtin/run", params, format="json")
    assert path.read_text() == "6"
    path = worker.render("builtin/run", {**params, "arguments": {"kind": "cameras"}}, format="json")
    assert path.read_text() == "2"
    drawn = worker.render("builtin/run", {**params, "function": "draw"}, format="png")
    assert size_of(drawn) == (24, 16)


@pytest.mark.parametrize(
    ("params", "wrong"),
    [
        ({"file": "other.py", "function": "count"}, "'file': there is no file 'other.py'"),
        ({"file": "tools.py", "function": "_hidden"}, "it has: count, draw"),
        ({"file": "tools.py", "function": "count", "arguments": {"kind": 3}}, "arguments/kind"),
    ],
)
def test_what_is_not_trusted_is_not_called(
    worker: Supervisor, params: dict[str, object], wrong: str
) -> None:
    worker.begin("builtin/run", params, format="json")
    problem = worker.hear("failed")["problem"]
    assert problem["type"] == "parameter-unfit"
    assert wrong in problem["detail"]
