from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.libraries.peers import website
from tests.libraries.server import free_port

if TYPE_CHECKING:
    from tests.libraries.blenders import Blender
    from tests.libraries.peers import Peers

PICTURES = Path(__file__).parents[2] / "docs" / "images"


def test_blender_fetches_the_pictures_whose_addresses_it_is_sent(
    blender: Blender, peers: Peers
) -> None:
    address = peers.address(website)
    for picture in PICTURES.glob("*.png"):
        shutil.copy(picture, peers.website_folder)
    port = free_port()
    blender.run("aiohttp", PICTURES_PORT=port)
    blender.wait_until_it_listens(port)

    def send(name: str) -> Any:
        url = f"http://127.0.0.1:{port}/pictures"
        with urllib.request.urlopen(url, f"{address}/{name}".encode(), 30) as response:
            assert response.status == 201
            return json.load(response)

    with ThreadPoolExecutor() as customers:
        answers = list(customers.map(send, ["product.png", "panel.png"]))
    with pytest.raises(urllib.error.HTTPError) as missing:
        send("missing.png")
    with missing.value as answer:
        assert answer.status == 502
        assert b"404" in answer.read()

    names = [answer["name"] for answer in answers]
    assert names == ["product.png", "panel.png"]
    images = f"[bpy.data.images[name] for name in {names}]"
    sizes = f"[[*image.size, image.packed_file.size] for image in {images}]"
    assert blender.evaluate(sizes) == [
        [*answer["size"], (PICTURES / answer["name"]).stat().st_size] for answer in answers
    ]
    blender.stop()
