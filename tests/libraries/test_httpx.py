from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.libraries.peers import website

if TYPE_CHECKING:
    from tests.libraries.blenders import Blender
    from tests.libraries.peers import Peers


def test_a_catalogue_becomes_materials(blender: Blender, peers: Peers) -> None:
    address = peers.address(website)
    shelf = peers.website_folder / "materials"
    shelf.mkdir(exist_ok=True)
    names = [f"Oak {number}" for number in range(1, 21)]
    for number, name in enumerate(names):
        page = {"name": name, "colour": [number / 32, 0.5, 0.25], "roughness": 0.5}
        (shelf / f"{name}.json").write_text(json.dumps(page))
    (shelf / "catalogue.json").write_text(json.dumps(names))

    blender.run("httpx", CATALOGUE_URL=f"{address}/materials")

    assert blender.finish() == names
    material = "bpy.data.materials['Oak 9']"
    seen = f"[*{material}.diffuse_color, {material}.roughness]"
    assert blender.evaluate(seen) == [0.25, 0.5, 0.25, 1, 0.5]
