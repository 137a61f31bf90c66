"""The page on templates does what it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from PIL import Image

from tests.fleet.supervisor import Supervisor
from tests.libraries import guides

HERE = Path(__file__).parent


def test_the_guides_template_renders_what_was_chosen(tmp_path: Path) -> None:
    scene = str(tmp_path / "product.blend")
    subprocess.run([sys.executable, HERE / "studio.py", "build", scene], check=True, timeout=120)
    template = tmp_path / "product.py"
    template.write_text(guides.code("templates"))
    label = tmp_path / "inputs" / "ab" / ("ab" * 32)
    label.parent.mkdir(parents=True)
    Image.new("RGB", (4, 4), "#0000ff").save(label, "PNG")
    (tmp_path / "worker").mkdir()
    worker = Supervisor(tmp_path / "worker", [template], inputs=str(tmp_path / "inputs"))
    try:
        assert worker.greeting["template"] == "product"
        params = {"colour": "#00ff00", "label": "input:" + "ab" * 32, "handle": False}
        path = worker.render("product", params, width=48, height=32)
        again = worker.render("product", {"camera": "Side", "material": "Grey"})
    finally:
        worker.end()
    with Image.open(path) as image:
        left, middle, right = (image.convert("RGB").getpixel((x, 22)) for x in (12, 24, 36))
    assert (left, middle, right) == ((0, 255, 0), (0, 0, 0), (0, 0, 255))
    assert again.read_bytes() != path.read_bytes()
