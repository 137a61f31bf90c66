from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.libraries.blenders import Blender


def test_cubes_are_built_saved_and_rendered(blender: Blender) -> None:
    blender.run("handlers_and_jobs", FOLDER=blender.folder_inside)
    objects, pictures, listed = blender.finish()
    assert objects == 3 + 30
    assert pictures == ["turn_0001.png", "turn_0011.png", "turn_0021.png"]
    assert all((blender.folder / name).stat().st_size for name in pictures)
    assert listed == f"{blender.folder_inside / 'cubes.blend'}\n"
