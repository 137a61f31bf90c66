from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from tests.libraries.peers import postgresql

if TYPE_CHECKING:
    from tests.libraries.blenders import Blender
    from tests.libraries.peers import Peers


def test_the_scene_is_stored_in_one_transaction(blender: Blender, peers: Peers) -> None:
    url = peers.address(postgresql)
    with psycopg.connect(url, autocommit=True) as office:
        office.execute("DROP TABLE IF EXISTS inventory")
        blender.run("psycopg", DATABASE_URL=url)
        counts = blender.finish()
        stored = office.execute("SELECT name, type, x FROM inventory ORDER BY name").fetchall()

    objects = "sorted((object.name, object.type, object.location.x) for object in bpy.data.objects)"
    assert [list(row) for row in stored] == blender.evaluate(objects)
    assert ["CAMERA", 1] in counts
