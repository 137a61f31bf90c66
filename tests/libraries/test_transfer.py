from __future__ import annotations

import hashlib
import json
import os
import sys
from typing import TYPE_CHECKING

from PIL import Image

from tests.libraries.peers import website
from tests.processes import first_line, running
from tests.transfer.conftest import Origin

if TYPE_CHECKING:
    from tests.libraries.blenders import Blender
    from tests.libraries.peers import Peers


def test_pictures_come_and_the_scene_goes(blender: Blender, peers: Peers) -> None:
    address = peers.address(website)
    catalogue = []
    for colour in ("red", "teal"):
        picture = peers.website_folder / f"{colour}.png"
        Image.new("RGB", (64, 64), colour).save(picture)
        sha256 = hashlib.sha256(picture.read_bytes()).hexdigest()
        url = f"{address}/{picture.name}"
        catalogue.append({"name": picture.name, "url": url, "sha256": sha256})
    (peers.website_folder / "catalogue.json").write_text(json.dumps(catalogue))

    with running([sys.executable, "-m", "tests.transfer.origin"], os.environ) as shop:
        origin = Origin(int(first_line(shop)))
        till = origin.file(text="thank you")
        places = {"CATALOGUE": f"{address}/catalogue.json", "FOLDER": blender.folder_inside}
        blender.run("transfer", SHOP=till, SHOP_KEY="k3y", **places)
        assert blender.finish() == [["red.png", "teal.png"], "thank you"]
        (asked,) = origin.asked(till)
        shop.kill()

    assert asked["headers"]["authorization"] == "Bearer k3y"
    assert asked["body_size"] > (blender.folder / "scene.blend").stat().st_size
    size = "[list(bpy.data.images[name].size) for name in ('red.png', 'teal.png')]"
    assert blender.evaluate(size) == [[64, 64], [64, 64]]
