"""What jobs make: pictures of all formats, videos, documents; and what each parameter may be."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from tests.fleet.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
TEXTURE = "input:" + "cd" * 32
OTHERS = {
    "numbers.py": """
import aiobpy

@aiobpy.template(formats=["json"])
def numbers(count: int = 3) -> dict[str, list[int]]:
    return {"numbers": list(range(count))}
""",
    "lazy.py": """
import aiobpy

@aiobpy.template(formats=["glb"])
def lazy(output: aiobpy.Output) -> None:
    output.progress(0.5, "half-way")
""",
}


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    """A worker with the shop and two templates that make other things than pictures."""
    folder = tmp_path_factory.mktemp("formats")
    scene = str(folder / "studio.blend")
    subprocess.run([sys.executable, HERE / "studio.py", "build", scene], check=True, timeout=120)
    (folder / "shop.py").write_bytes((HERE / "shop.py").read_bytes())
    for name, text in OTHERS.items():
        (folder / name).write_text(text)
    texture = folder / "inputs" / "cd" / ("cd" * 32)
    texture.parent.mkdir(parents=True)
    Image.new("RGB", (4, 4), "#00ff00").save(texture, "PNG")
    no_picture = folder / "inputs" / "ef" / ("ef" * 32)
    no_picture.parent.mkdir(parents=True)
    no_picture.write_text("no picture")
    (folder / "worker").mkdir()
    supervisor = Supervisor(folder / "worker", [folder], inputs=str(folder / "inputs"))
    assert supervisor.greeting["type"] == "ready", supervisor.greeting
    yield supervisor
    supervisor.end()


def probe(path: Path) -> dict[str, Any]:
    """What ffprobe says of the first stream."""
    shown = "stream=codec_name,width,height,nb_read_frames,r_frame_rate,color_space"
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_entries", shown, "-of", "json"]
    done = subprocess.run([*command, path], check=True, capture_output=True, timeout=60)
    stream: dict[str, Any] = json.loads(done.stdout)["streams"][0]
    return stream


def test_a_worker_has_warmed_up_before_it_is_ready(worker: Supervisor) -> None:
    assert worker.greeting["template"] == "shop"


def test_a_template_says_what_it_makes_and_what_its_scene_has(worker: Supervisor) -> None:
    described = {template["name"]: template for template in worker.greeting["templates"]}
    assert described["shop"]["formats"][:2] == ["png", "jpeg"]
    assert described["numbers"]["formats"] == ["json"]
    assert set(described["lazy"]["params_schema"]["properties"]) == set()
    (material, _) = described["shop"]["params_schema"]["properties"]["material"]["anyOf"]
    assert material["enum"] == ["Blue", "Grey", "Label", "Red"]


@pytest.mark.parametrize(
    ("name", "codec"), [("mp4", "h264"), ("webm", "vp9"), ("avif", "av1"), ("exr", "exr")]
)
def test_what_is_asked_for_is_what_is_made(worker: Supervisor, name: str, codec: str) -> None:
    path = worker.render("shop", {}, width=24, height=16, format=name)
    found = probe(path)
    assert (found["codec_name"], found["width"], found["height"]) == (codec, 24, 16)
    assert found["nb_read_frames"] == ("5" if name in ("mp4", "webm") else "1")


def test_a_video_is_of_the_frames_that_were_asked_for(worker: Supervisor) -> None:
    frames = {"first": 1, "last": 5, "step": 2}
    path = worker.render("shop", {}, width=15, height=15, format="mp4", frames=frames, fps=25)
    found = probe(path)
    assert (found["nb_read_frames"], found["r_frame_rate"], found["width"]) == ("3", "25/1", 16)
    assert worker.progress == sorted(worker.progress)
    assert any(message.startswith("2/3") for message in worker.messages), worker.messages
    assert not list(path.parent.glob("*.parts"))


def test_frames_and_engines_are_the_jobs_choice(worker: Supervisor) -> None:
    first, last = (worker.render("shop", {}, frame=frame).read_bytes() for frame in (1, 5))
    assert first != last
    drawn = worker.render("shop", {}, frame=1, engine="cycles", samples=2).read_bytes()
    assert drawn.startswith(b"\x89PNG")


def test_a_lower_quality_is_a_smaller_file(worker: Supervisor) -> None:
    sizes = [
        len(worker.render("shop", {}, format="jpeg", quality=quality).read_bytes())
        for quality in (10, 95)
    ]
    assert sizes[0] < sizes[1]


def test_what_a_function_returns_is_its_document(worker: Supervisor) -> None:
    path = worker.render("numbers", {"count": 2}, format="json")
    assert json.loads(path.read_text()) == {"numbers": [0, 1]}


def test_a_template_that_makes_nothing_is_told_so(worker: Supervisor) -> None:
    worker.begin("lazy", {}, format="glb")
    problem = worker.hear("failed")["problem"]
    assert problem["type"] == "nothing-made"
    assert "'lazy'" in problem["detail"]
    assert worker.messages == ["half-way"]


@pytest.mark.parametrize(
    ("params", "wrong"),
    [
        ({"material": "Gold"}, "'material': the scene has no material 'Gold'; it has: Blue, Grey"),
        ({"camera": "Body"}, "'camera': the scene has no camera 'Body'; it has: Front, Side"),
        ({"label": "input:" + "0" * 64}, "'label': there is no input"),
        ({"label": "input:" + "ef" * 32}, "is no picture that Blender can read"),
    ],
)
def test_what_a_parameter_names_has_to_be_there(
    worker: Supervisor, params: dict[str, Any], wrong: str
) -> None:
    problem = worker.fail("shop", params)
    assert (problem["type"], problem["status"]) == ("parameter-unfit", 422)
    assert wrong in problem["detail"]


def test_a_texture_that_was_sent_is_on_the_thing(worker: Supervisor) -> None:
    with Image.open(worker.render("shop", {"label": TEXTURE}, width=48, height=32)) as image:
        red, green, blue = image.convert("RGB").getpixel((36, 16))  # type: ignore[misc]
    assert (red < 20, green > 235, blue < 20) == (True, True, True)


def test_a_format_that_needs_ffmpeg_says_so_where_there_is_none(
    supervise: Callable[..., Supervisor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIOBPY_FFMPEG", "/nowhere/ffmpeg")
    worker = supervise(HERE / "ball.py")
    worker.begin("ball", {}, format="mp4")
    problem = worker.hear("failed")["problem"]
    assert (problem["type"], problem["status"]) == ("ffmpeg-missing", 503)
    assert "install ffmpeg" in problem["hint"]


def test_a_device_that_is_not_there_makes_a_worker_unusable(
    supervise: Callable[..., Supervisor],
) -> None:
    worker = supervise(HERE / "ball.py", device="cuda")
    assert worker.greeting["type"] == "unusable"
    assert worker.greeting["problem"]["type"] == "device-missing"
