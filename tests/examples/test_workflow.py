"""The importer's list, and the whole of it in a Blender without windows."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.examples.test_examples import ROOT, in_blender


def _without_its_package(name: str) -> Any:
    """Load a module of the example's that needs no Blender; the package around it loads it."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f"examples/workflow/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


parts_list = _without_its_package("parts_list")


def a_list(**changes: Any) -> bytes:
    part = {"name": "Bolt", "mesh": "bolt.obj", "places": [[0, 0, 0], [1, 2, 3.5]]}
    return json.dumps({"parts": [{**part, **changes}]}).encode()


def test_a_list_names_parts_and_where_their_meshes_are() -> None:
    [bolt] = parts_list.read(a_list(), "file:///home/me/lists/chairs.json")
    assert bolt == parts_list.Part(
        "Bolt", "file:///home/me/lists/bolt.obj", None, ((0.0, 0.0, 0.0), (1.0, 2.0, 3.5))
    )
    assert parts_list.path_of(bolt.url) == Path("/home/me/lists/bolt.obj")
    [bolt] = parts_list.read(a_list(mesh="https://example.org/a%20b.obj", sha256="f0"), "file:///x")
    assert (bolt.url, bolt.sha256) == ("https://example.org/a%20b.obj", "f0")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"{", "no list of parts: Expecting"),
        (b"[]", "no list of parts"),
        (b"{}", "'parts' is missing"),
        (b'{"parts": [{"name": "Bolt"}]}', "'places' is missing"),
        (a_list(places=[[0, 0]]), "not enough values"),
        (a_list(places=[["a", 0, 0]]), "could not convert"),
        (json.dumps({"parts": json.loads(a_list())["parts"] * 2}).encode(), "twice: Bolt"),
    ],
)
def test_what_is_wrong_with_a_list_is_told(data: bytes, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parts_list.read(data, "file:///x")


def test_a_mesh_is_read_from_lines() -> None:
    mesh = parts_list.Mesh()
    mesh.read([b"# a triangle", b"", b"v 0 0 0", b"v 1 0 0", b"v 0 1 0.5 1.0"])
    mesh.read([b"vn 0 0 1", b"f 1/1/1 2//1 3", b"f -3 -2 -1"])
    assert mesh.vertices == [(0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.5)]
    assert mesh.faces == [[0, 1, 2], [0, 1, 2]]
    with pytest.raises(ValueError, match="not there: f 1 2 4"):
        mesh.read([b"f 1 2 4"])


WHOLE = """
    import json, sys
    from pathlib import Path
    import bpy
    import aiobpy
    sys.path.insert(0, sys.argv[1])
    from examples.workflow import importer
    from examples.workflow.importer import Choice

    folder = Path(sys.argv[2])
    triangle = "v 0 0 0\\nv 1 0 0\\nv 0 1 0\\nf 1 2 3\\n"
    (folder / "good.obj").write_text(triangle)
    (folder / "bad.obj").write_text("v 0 0 0\\nf 1 2 3\\n")

    def write(**meshes):
        places = [[float(x), 0.0, 0.0] for x in range(100)]
        parts = [{"name": name, "mesh": mesh, "places": places} for name, mesh in meshes.items()]
        (folder / "list.json").write_text(json.dumps({"parts": parts}))

    def there():
        kinds = (bpy.data.collections, bpy.data.objects, bpy.data.meshes)
        return [sorted(kind.keys()) for kind in kinds]

    asked, said = [], []

    def run(*answers):
        answers = list(answers)

        async def ask(name):
            asked.append(name)
            return answers.pop(0)

        say = lambda fraction, text: said.append(fraction)
        return aiobpy.run(importer.import_parts(say, folder / "list.json", ask))

    before = there()
    write(Nut="good.obj", Bad="bad.obj")
    try:
        run()
    except ValueError as error:
        told = str(error)
    write(Nut="missing.obj")
    try:
        run()
    except OSError as error:
        told_of_file = str(error)
    untouched = there() == before

    write(Bolt="good.obj", Nut="good.obj", Washer="good.obj")
    first = run()
    after_first = there()
    gave_up = run(Choice.REPLACE, None)
    untouched_again = there() == after_first
    second = run(Choice.REPLACE, Choice.KEEP_BOTH, Choice.SKIP)
    at = [round(each.location.x) for each in bpy.data.collections["Washer"].objects]
    counts = {each.name: len(each.objects) for each in bpy.data.collections}
    linked = sorted(each.name for each in bpy.context.scene.collection.children)
    print(json.dumps({
        "told": told, "told_of_file": told_of_file,
        "untouched": untouched, "untouched_again": untouched_again,
        "first": [first.parts, first.objects], "second": [second.parts, second.objects],
        "gave_up": gave_up, "asked": asked, "counts": counts, "linked": linked,
        "last": said[-1], "at": at,
    }))
"""


def test_parts_are_imported_or_nothing_is(tmp_path: Path) -> None:
    got = in_blender(WHOLE, str(ROOT), str(tmp_path))
    assert "a corner that is not there" in got["told"]
    assert "missing.obj" in got["told_of_file"]
    assert got["untouched"]
    assert got["untouched_again"]
    assert got["first"] == [3, 300]
    assert got["gave_up"] is None
    assert got["second"] == [2, 200]
    assert got["asked"] == ["Bolt", "Nut", "Bolt", "Nut", "Washer"]
    names = ("Bolt", "Nut", "Nut.001", "Washer")
    assert {name: got["counts"][name] for name in names} == dict.fromkeys(names, 100)
    assert set(got["linked"]) >= set(names)
    assert got["last"] == 1.0
    assert got["at"] == list(range(100))
