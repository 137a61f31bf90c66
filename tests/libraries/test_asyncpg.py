from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from tests.libraries.peers import postgresql

if TYPE_CHECKING:
    from tests.libraries.blenders import Blender
    from tests.libraries.peers import Peers


def test_bars_follow_the_rows_of_a_table(blender: Blender, peers: Peers) -> None:
    url = peers.address(postgresql)
    with psycopg.connect(url, autocommit=True) as office:
        office.execute("DROP TABLE IF EXISTS sales")
        office.execute("CREATE TABLE sales (city text, amount numeric)")
        office.execute("INSERT INTO sales VALUES ('Oslo', 2), ('Lima', 0.5)")
        office.execute("LISTEN drawn")
        blender.run("asyncpg", DATABASE_URL=url)
        assert len(list(office.notifies(timeout=30, stop_after=1))) == 1
        assert heights(blender) == {"Lima": 0.5, "Oslo": 2}

        office.execute("UPDATE sales SET amount = 5 WHERE city = 'Oslo'")
        office.execute("INSERT INTO sales VALUES ('Rome', 1)")
        office.execute("NOTIFY sales")
        assert len(list(office.notifies(timeout=30, stop_after=1))) == 1
        assert heights(blender) == {"Lima": 0.5, "Oslo": 5, "Rome": 1}

    blender.stop()


def heights(blender: Blender) -> dict[str, float]:
    """Return the heights of the bars, by city."""
    cities = "{name: bpy.data.objects.get(name) for name in ('Lima', 'Oslo', 'Rome')}"
    seen = f"{{name: bar.scale.z for name, bar in {cities}.items() if bar}}"
    found: dict[str, float] = blender.evaluate(seen)
    return found
