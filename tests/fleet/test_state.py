"""Nothing leaks from one job into the next: a warm picture is the cold one, to the bit."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fleet.supervisor import Supervisor

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
PYTHONS: Final = {"bpy-4.5": ROOT / ".venv-4.5/bin/python", "bpy-5.0": Path(sys.executable)}
STEPS: Final = int(os.environ.get("AIOBPY_PARITY_STEPS", "8"))
"""How many jobs follow one another; 50 is what a release has to stand."""
SPOILS: Final = ("vertices", "new things", "gone", "settings", "nodes")


@pytest.fixture(params=PYTHONS, scope="module")
def python(request: pytest.FixtureRequest) -> Path:
    """A Python with a Blender."""
    python: Path = PYTHONS[request.param]
    if not python.exists():
        pytest.fail(f"`{python}` is missing; `cargo xtask setup` makes it")
    return python


@pytest.fixture(scope="module")
def shop(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template beside its scene."""
    folder = tmp_path_factory.mktemp("shop")
    scene = str(folder / "studio.blend")
    subprocess.run([python, HERE / "studio.py", "build", scene], check=True, timeout=120)
    (folder / "shop.py").write_bytes((HERE / "shop.py").read_bytes())
    return folder / "shop.py"


@pytest.fixture
def start(tmp_path: Path, python: Path, supervise: Callable[..., Supervisor]) -> Callable[..., Any]:
    """Start workers of that Blender."""
    texture = tmp_path / "inputs" / "ab" / ("ab" + "0" * 62)
    texture.parent.mkdir(parents=True)
    Image.effect_noise((16, 16), 80).convert("RGB").save(texture, "PNG")
    command = [str(python), "-m", "aiobpy.worker"]
    return lambda shop: supervise(shop, command=command, inputs=str(tmp_path / "inputs"))


def any_job(choose: random.Random) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parameters, of which many are left out, and an output."""
    params: dict[str, Any] = {
        "colour": choose.choice(["#00ff00", "#102030"]),
        "material": choose.choice(["Blue", "Grey"]),
        "label": "input:ab" + "0" * 62,
        "text": choose.choice(["B", "two\nlines"]),
        "handle": choose.random() < 0.5,
        "camera": choose.choice(["Front", "Side"]),
        "moved": choose.choice([0.25, -0.5]),
        "spoil": choose.choice(SPOILS),
    }
    output = {
        "width": choose.choice([16, 20]),
        "samples": choose.choice([1, 3]),
        "frame": choose.choice([1, 3, 5]),
        "engine": "cycles",
    }
    return (
        {name: value for name, value in params.items() if choose.random() < 0.4},
        {name: value for name, value in output.items() if choose.random() < 0.4},
    )


def pixels(path: Path) -> tuple[tuple[int, int], bytes]:
    with Image.open(path) as image:
        return image.size, image.convert("RGBA").tobytes()


@pytest.mark.timeout(60 + 15 * STEPS)
def test_any_sequence_of_jobs_renders_what_each_renders_alone(
    start: Callable[[Path], Supervisor], shop: Path
) -> None:
    seed = os.environ.get("AIOBPY_PARITY_SEED", str(random.randrange(1 << 32)))
    choose = random.Random(seed)
    warm = start(shop)
    for step in range(STEPS):
        params, output = any_job(choose)
        picture = pixels(warm.render("shop", params, **output))
        cold = start(shop)
        alone = pixels(cold.render("shop", params, **output))
        cold.end()
        assert picture == alone, f"seed {seed}, step {step}: {params} {output}"


@pytest.mark.parametrize("spoil", SPOILS)
def test_what_a_template_spoils_is_set_back_or_loaded_anew(
    start: Callable[[Path], Supervisor], shop: Path, spoil: str
) -> None:
    worker = start(shop)
    before = pixels(worker.render("shop"))
    spoilt = pixels(worker.render("shop", {"spoil": spoil}))
    assert spoilt != before
    assert pixels(worker.render("shop")) == before
    was_loaded_anew = "The scene is loaded anew" in worker.printed.read_text()
    assert was_loaded_anew is (spoil in ("vertices", "new things", "gone", "nodes"))


def test_what_can_be_set_back_does_not_load_the_scene_anew(
    start: Callable[[Path], Supervisor], shop: Path
) -> None:
    worker = start(shop)
    before = pixels(worker.render("shop"))
    params = {"colour": "#00ff00", "material": "Grey", "text": "x", "handle": False}
    more = {"label": "input:ab" + "0" * 62, "camera": "Side", "moved": 0.5}
    worker.render("shop", {**params, **more}, frame=4, width=8)
    assert pixels(worker.render("shop")) == before
    assert "loaded anew" not in worker.printed.read_text()
