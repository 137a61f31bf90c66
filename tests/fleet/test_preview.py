"""Pictures of how far jobs are, while they go on."""

from __future__ import annotations

import asyncio
import io
import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

from PIL import Image

from aiobpy import fleet
from tests.fleet.running import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fleet.service import Answer, Service
    from tests.fleet.supervisor import Supervisor


def test_the_newest_picture_is_there_until_the_result_takes_its_place(
    draw: Callable[..., Service], tmp_path: Path
) -> None:
    service = draw()
    job = service.submit("drawing", {"do": "picture", "text": "done"})
    path = f"/api/v1/jobs/{job['id']}/preview"
    told = service.until(job, "job.preview")
    assert {"id": job["id"], "attempt": 1, "number": 1}.items() <= told.items()
    preview = service.ask("GET", path)
    assert (preview.status, preview.headers["content-type"]) == (200, "image/jpeg")
    assert preview.headers["cache-control"] == "private, no-cache"
    assert size_of(preview) == (512, 384)
    again = service.ask("GET", path, If_None_Match=preview.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert service.ask("HEAD", path).headers["etag"] == preview.headers["etag"]
    (tmp_path / "go").touch()
    service.story(job)
    kinds = [event["type"] for event in service.story(job)]
    assert (kinds[-1], "job.preview" in kinds) == ("job.finished", False)
    result = service.ask("GET", path, If_None_Match=preview.headers["etag"])
    assert (result.status, result.body) == (200, b"done")


def test_what_has_no_picture_says_why(draw: Callable[..., Service], tmp_path: Path) -> None:
    service = draw()
    running = service.submit("drawing", {"do": "wait"})
    waiting = service.submit("drawing", {})
    service.until(running, "job.progressed")
    for job in running, waiting:
        answer = service.ask("GET", f"/api/v1/jobs/{job['id']}/preview")
        assert (answer.status, answer.json["type"]) == (404, "no-preview-yet")
    (tmp_path / "go").touch()
    failed = service.submit("drawing", {"do": "raise"})
    service.story(failed)
    answer = service.ask("GET", f"/api/v1/jobs/{failed['id']}/preview")
    assert (answer.status, answer.json["type"]) == (500, "template-raised")


def test_who_comes_back_to_a_stream_does_not_get_what_was_told_before_again(
    draw: Callable[..., Service], tmp_path: Path
) -> None:
    service = draw()
    job = service.submit("drawing", {"do": "picture"})
    service.until(job, "job.preview")
    connection, response = service._send("GET", f"/api/v1/jobs/{job['id']}/events", None, {})
    with closing(connection), response:
        blocks: list[dict[str, str]] = [{}]
        (tmp_path / "go").touch()
        for line in response:
            name, _, value = line.decode().strip().partition(":")
            blocks[-1][name] = value.strip()
            if not name and not value:
                blocks.append({})
    for block in blocks:
        if block.get("event") == "job.preview":
            assert "id" not in block
        elif "event" in block:
            assert block["id"] == str(json.loads(block["data"])["sequence"])


def test_a_client_awaits_how_far_its_job_is(draw: Callable[..., Service], tmp_path: Path) -> None:
    service = draw()

    async def main() -> None:
        async with fleet.connect(service.url, token=service.token) as studio:
            job = await studio.submit("drawing", do="picture", text="a mug")
            types = []
            async for event in job.events():
                types.append(event.type)
                if event.type == "job.preview":
                    preview = await job.preview()
                    assert preview is not None
                    assert preview.image.content_type == "image/jpeg"
                    (tmp_path / "go").touch()
            assert types.count("job.preview") == 1
            result = await job.preview(tmp_path / "mug.txt")
            assert result is not None
            assert result.bytes == b"a mug"
            # The only worker is at the first.
            (tmp_path / "go").unlink()
            at_work, waiting = [await studio.submit("drawing", do="wait") for _ in range(2)]
            assert await waiting.preview() is None
            await asyncio.gather(waiting.cancel(), at_work.cancel())

    run(main())


def test_a_video_shows_each_frame_once_it_is_there(worker: Supervisor) -> None:
    small: dict[str, Any] = {"width": 32, "height": 24, "samples": 1}
    path = worker.begin("ball", {}, format="webm", frames={"first": 1, "last": 3}, **small)
    shown = []
    while (said := worker.hear("pictured", "finished", "failed"))["type"] == "pictured":
        shown.append(said["picture"])
    assert said["type"] == "finished", said
    folder = path.with_name(path.name + ".parts")
    assert [picture["path"] for picture in shown] == [
        str(folder / f"{number:06}.png") for number in range(3)
    ]


def size_of(answer: Answer) -> tuple[int, int]:
    """Return the width and height of a picture."""
    with Image.open(io.BytesIO(answer.body)) as image:
        return image.size
