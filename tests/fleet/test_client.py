"""The client against a real fleet with a real Blender."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from aiobpy import fleet
from tests.fleet.running import run
from tests.fleet.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SMALL: dict[str, Any] = {"width": 32, "height": 24, "samples": 1}
LONG: dict[str, Any] = {"width": 2048, "height": 2048, "samples": 2048}
"""Would take minutes."""


@pytest.fixture(scope="module")
def service(templates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("client")
    service = Service(folder, "--templates", templates)
    with pytest.MonkeyPatch.context() as patch:
        # Where the client finds it.
        patch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
        yield service
    assert service.end() == 0, service.errors()


@pytest.mark.usefixtures("service")
def test_a_picture_is_rendered_by_the_fleet_that_runs(tmp_path: Path) -> None:
    async def main() -> None:
        told: list[fleet.Event] = []
        result = await fleet.render("ball", colour="#ff0000", **SMALL)
        with Image.open(io.BytesIO(result.bytes)) as image:
            assert image.size == (32, 24)
        assert result.image.content_type == result.content_type == "image/png"
        path = tmp_path / "ball.jpg"
        saved = await fleet.render("ball", output=path, on_progress=told.append, **SMALL)
        assert saved.path == path
        assert saved.image.content_type == "image/jpeg"
        assert [event.type for event in told][:2] == ["job.queued", "job.started"]
        assert (told[-1].type, told[-1].progress) == ("job.finished", 1.0)
        assert os.listdir(tmp_path) == ["ball.jpg"]

    run(main())


@pytest.mark.usefixtures("service")
def test_a_job_is_followed_fetched_and_found_again() -> None:
    async def main() -> None:
        async with fleet.connect() as client:
            job = await client.submit("ball", key="the very same", **SMALL)
            assert job.state == "queued"
            again = await client.submit("ball", key="the very same", **SMALL)
            assert again.id == job.id
            story = [event async for event in job.events()]
            assert story[-1].is_final
            assert (await job.refresh()).is_over
            with Image.open(io.BytesIO((await job.result()).bytes)) as image:
                assert image.size == (32, 24)
            # What has ended cannot be cancelled, and that is no matter.
            await job.cancel()
            assert job.state == "finished"
            assert job.id in [found.id for found in await client.jobs()]
            assert (await client.job(job.id)).state == "finished"
            templates = await client.templates()
            assert "size" in templates["ball"]["params_schema"]["properties"]
            (worker,) = await client.workers()
            assert worker["state"] in ("warm", "busy")

    run(main())


@pytest.mark.usefixtures("service")
def test_many_are_rendered_by_one_request(tmp_path: Path) -> None:
    async def main() -> None:
        async with fleet.connect() as client:
            colours = ["#ff0000", "#00ff00", "#0000ff"]
            batch = await client.batch("ball", matrix={"colour": colours}, settings=SMALL)
            told: list[fleet.Event] = []
            await batch.wait(on_progress=told.append)
            assert (batch.state, batch.counts["finished"], batch.progress) == ("finished", 3, 1.0)
            assert [event.type for event in told].count("job.finished") == 3
            jobs = await batch.jobs()
            assert [job.told["params"]["colour"] for job in jobs] == colours
            result = await batch.results(tmp_path / "balls.zip")
        with zipfile.ZipFile(io.BytesIO(result.bytes)) as pictures:
            assert len(pictures.namelist()) == 3

    run(main())


@pytest.mark.usefixtures("service")
def test_a_file_is_sent_for_jobs(tmp_path: Path) -> None:
    file = tmp_path / "label.png"
    file.write_bytes(bytes(range(256)) * 20_000)

    async def main() -> None:
        async with fleet.connect() as client:
            name = await client.upload(file)
            assert name.startswith("input:")
            assert await client.upload(str(file)) == name
            with pytest.raises(FileNotFoundError):
                await client.upload(tmp_path / "none.png")

    run(main())


@pytest.mark.usefixtures("service")
def test_a_job_that_fails_and_one_that_is_cancelled_raise() -> None:
    async def main() -> None:
        async with fleet.connect() as client:
            with pytest.raises(fleet.JobFailed) as failed:
                await client.render("ball", misbehave="raise", **SMALL)
            assert failed.value.kind == "template-raised"
            with pytest.raises(fleet.InvalidRequest, match="/params/size"):
                await client.render("ball", size="big")
            job = await client.submit("ball", size=2, **LONG)
            waiting = asyncio.ensure_future(job.result())
            async for event in job.events():
                if event.type == "job.started":
                    break
            await job.cancel()
            with pytest.raises(fleet.JobCancelled):
                await waiting

    run(main())


@pytest.mark.usefixtures("service")
def test_whoever_stops_waiting_frees_the_worker() -> None:
    async def main() -> None:
        began = asyncio.Event()

        def heard(event: fleet.Event) -> None:
            if event.type == "job.started":
                began.set()

        async with fleet.connect() as client:
            task = asyncio.ensure_future(client.render("ball", size=2, on_progress=heard, **LONG))
            await began.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            (newest,) = await client.jobs(limit=1)
            assert newest.state == "cancelled"

    run(main())


def test_a_server_that_is_started_again_is_found_again(
    templates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    services = [Service(tmp_path, "--templates", templates)]

    async def main() -> None:
        async with fleet.connect() as client:
            before = client.url
            job = await client.submit("ball", gate=str(gate), **SMALL)
            async for event in job.events():
                if event.type == "job.started" and len(services) == 1:
                    # On another port, with another token.
                    await asyncio.to_thread(services[0].end)
                    services.append(
                        await asyncio.to_thread(Service, tmp_path, "--templates", templates)
                    )
                    await asyncio.to_thread(gate.write_bytes, b"!")
            result = await job.result()
            assert result.image.content_type == "image/png"
            assert client.url != before

    try:
        run(main())
    finally:
        for service in services:
            service.end()


IN_BLENDER = """
import sys
import bpy
import aiobpy

async def main():
    result = await aiobpy.fleet.render("ball", output=sys.argv[1], width=32, height=24, samples=1)
    print(tuple(bpy.data.images.load(str(result.path)).size), flush=True)

aiobpy.run(main())
import os
os._exit(0)
"""


@pytest.mark.usefixtures("service")
def test_a_blender_has_another_one_render(tmp_path: Path) -> None:
    command = [sys.executable, "-c", IN_BLENDER, str(tmp_path / "ball.png")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "(32, 24)" in done.stdout
