"""Modifiers that no job changes are applied once, and the picture is the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from PIL import Image

from aiobpy.templates import TemplateError, template

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fleet.supervisor import Supervisor

ROOT: Final = Path(__file__).parents[2]
PYTHONS: Final = {"bpy-4.2": ROOT / ".venv-4.2/bin/python", "bpy-5.0": Path(sys.executable)}

BUILD: Final = """
import sys
import bpy

bpy.ops.wm.read_factory_settings(use_empty=True)
scene = bpy.context.scene
scene.render.engine, scene.cycles.samples = 'CYCLES', 4
scene.world = bpy.data.worlds.new("World")
scene.world.color = (0.4, 0.5, 0.6)
bpy.ops.object.camera_add(location=(0, -9, 0), rotation=(1.5708, 0, 0))
scene.camera = bpy.context.object
bpy.ops.mesh.primitive_cube_add(rotation=(0.4, 0.2, 0.3))
cube = bpy.context.object
cube.name = "Cut"
bpy.ops.mesh.primitive_cylinder_add(radius=0.5, depth=4)
cutter = bpy.context.object
cutter.name, cutter.hide_render = "Cutter", True
cut = cube.modifiers.new("Hole", 'BOOLEAN')
cut.operation, cut.object = 'DIFFERENCE', cutter
smooth = cube.modifiers.new("Smooth", 'SUBSURF')
smooth.levels, smooth.render_levels = 0, 2
twins = cube.modifiers.new("Twins", 'ARRAY')
twins.show_viewport = False
material = bpy.data.materials.new("Paint")
material.use_nodes = True
image = material.node_tree.nodes.new('ShaderNodeTexImage')
image.image = bpy.data.images.load("//paint.png")
image.projection = 'BOX'
shader = material.node_tree.nodes["Principled BSDF"]
material.node_tree.links.new(image.outputs[0], shader.inputs["Emission Color"])
shader.inputs["Emission Strength"].default_value = 1.0
cube.data.materials.append(material)
bpy.ops.curve.primitive_bezier_circle_add()
bpy.context.object.name = "Ring"
bpy.ops.wm.save_as_mainfile(filepath=sys.argv[1])
"""
TEMPLATE: Final = """
import bpy
import aiobpy

@aiobpy.template(scene="scene.blend", name="{name}", formats=["png", "json"], {more})
def made(glow: float = 1.0, spoil: bool = False) -> list:
    cube = bpy.data.objects["Cut"]
    nodes = cube.material_slots[0].material.node_tree.nodes
    nodes["Principled BSDF"].inputs["Emission Strength"].default_value = glow
    if spoil:
        cube.data.vertices[0].co.x -= 1
    return [len(cube.modifiers), bpy.data.filepath]
"""


@pytest.fixture(params=PYTHONS)
def start(
    request: pytest.FixtureRequest, tmp_path: Path, supervise: Callable[..., Supervisor]
) -> Callable[..., Supervisor]:
    """Start a worker with the template as it is, and as it is with what is said of it."""
    python: Path = PYTHONS[request.param]
    if not python.exists():
        pytest.fail(f"`{python}` is missing; `cargo xtask setup` makes it")
    folder = tmp_path / "shop"
    folder.mkdir()
    Image.effect_noise((16, 16), 80).convert("RGB").save(folder / "paint.png")
    scene = str(folder / "scene.blend")
    # Where it is saved is where its texture is.
    subprocess.run([python, "-c", BUILD, scene], check=True, timeout=120, cwd=folder)

    def start(more: str) -> Supervisor:
        plain, other = folder / "plain.py", folder / "other.py"
        plain.write_text(TEMPLATE.format(name="plain", more=""))
        other.write_text(TEMPLATE.format(name="other", more=more))
        return supervise(plain, other, command=[str(python), "-m", "aiobpy.worker"])

    return start


def told(worker: Supervisor, name: str) -> tuple[int, str]:
    modifiers, path = json.loads(worker.render(name, format="json").read_text())
    return modifiers, path


def pixels(path: Path) -> bytes:
    with Image.open(path) as image:
        return image.convert("RGB").tobytes()


def test_a_scene_with_modifiers_applied_looks_as_before(start: Callable[..., Supervisor]) -> None:
    worker = start("apply_modifiers=['Cut']")
    size: dict[str, Any] = {"width": 48, "height": 32}
    for params in ({}, {"glow": 0.5}):
        usual = pixels(worker.render("plain", params, **size))
        assert pixels(worker.render("other", params, **size)) == usual
    before = pixels(worker.render("other", **size))
    # Then it is loaded anew, from the copy.
    spoilt = pixels(worker.render("other", {"spoil": True}, **size))
    assert spoilt != before
    assert pixels(worker.render("other", **size)) == before
    (modifiers, path), (modifiers_of_copy, copy) = told(worker, "plain"), told(worker, "other")
    assert (modifiers, modifiers_of_copy) == (3, 0)
    assert (Path(path).name, Path(copy).name) == ("scene.blend", "scene.blend")
    assert Path(copy).parent != Path(path).parent
    # Once, however often it was loaded.
    assert [*Path(copy).parent.parent.glob("applied-*")] == [Path(copy).parent]


@pytest.mark.parametrize(
    ("name", "why"), [("Lid", "those with modifiers are: Cut"), ("Ring", "is a curve")]
)
def test_what_cannot_be_applied_is_said(
    start: Callable[..., Supervisor], name: str, why: str
) -> None:
    problem = start(f"apply_modifiers=[{name!r}]").fail("other")
    assert problem["type"].endswith("modifiers-unapplied")
    assert why in problem["detail"]


@pytest.mark.parametrize(
    "said", [{"scene": "a.blend", "apply_modifiers": "Lid"}, {"apply_modifiers": ["Lid"]}]
)
def test_the_template_has_to_name_objects_of_its_own_scene(said: dict[str, Any]) -> None:
    def nothing() -> None: ...

    with pytest.raises(TemplateError, match="name objects of `scene`"):
        template(**said)(nothing)
