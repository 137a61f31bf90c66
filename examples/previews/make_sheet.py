"""Has a running `aiobpy serve` draw what ships inside Blender, and makes a contact sheet of it.

    .venv/bin/aiobpy serve --templates examples/previews/preview.py --workers 2 &
    .venv/bin/python examples/previews/make_sheet.py [--out out/previews] [--only brush]

The client is plain aiohttp on aiobpy's event loop: all jobs are posted at once, and each picture is
fetched as it gets ready. What has no picture is on the sheet with the reason that the server gave.
"""

from __future__ import annotations

import argparse
import asyncio
import html
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import bpy

import aiobpy

KINDS = ("object", "node_group", "brush", "environment", "matcap")
BRUSH_LIBRARY = "essentials_brushes-mesh_sculpt.blend"
PIXELS = 192


@dataclass
class Subject:
    """One cell of the sheet."""

    file: str
    kind: str
    name: str = ""
    picture: bytes | None = None
    problem: str | None = None

    @property
    def title(self) -> str:
        """What stands under the picture."""
        return self.name or Path(self.file).stem if self.kind != "object" else self.file


def main() -> None:
    """Find the subjects and the server, then draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--url", help="of the server; default: the one that started last")
    parser.add_argument("--out", type=Path, default=Path("out/previews"))
    parser.add_argument("--only", choices=KINDS, help="draw one kind")
    arguments = parser.parse_args()
    url, token = find_server(arguments.url)
    subjects = [subject for subject in find_subjects() if arguments.only in (None, subject.kind)]
    began = time.monotonic()
    aiobpy.run(draw_all(url, token, subjects))
    page = write_page(subjects, arguments.out)
    drawn = sum(subject.picture is not None for subject in subjects)
    seconds = time.monotonic() - began
    print(f"{drawn} pictures in {seconds:.0f} s, {len(subjects) - drawn} without: {page}")


def find_server(url: str | None) -> tuple[str, str]:
    """The address and the token: as given, or from the newest discovery file."""
    token = os.environ.get("AIOBPY_TOKEN")
    if url and token:
        return url, token
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    files = sorted(
        (config / "aiobpy/servers").glob("*.json"), key=lambda path: path.stat().st_mtime
    )
    found = [json.loads(path.read_text()) for path in reversed(files)]
    for server in found:
        if url in (None, server["address"]):
            return server["address"], server["token"]
    sys.exit(
        "no server was found\nhint: start one with `aiobpy serve`, or set AIOBPY_TOKEN and --url"
    )


def find_subjects() -> list[Subject]:
    """Every object, node group, light and matcap of this Blender, and its sculpt brushes."""
    folder = Path(bpy.utils.resource_path('LOCAL'))
    subjects = []
    for path in sorted(folder.rglob("*.blend")):
        file = str(path.relative_to(folder))
        with bpy.data.libraries.load(str(path), assets_only=True) as (held, _wanted):
            groups, brushes = list(held.node_groups), list(held.brushes)
        subjects += [Subject(file, "node_group", name) for name in groups if name[0] != "."]
        if path.name == BRUSH_LIBRARY:
            subjects += [Subject(file, "brush", name) for name in brushes]
        elif not groups:
            subjects.append(Subject(file, "object"))
    for kind, place in (("environment", "world"), ("matcap", "matcap")):
        lights = sorted((folder / "datafiles/studiolights" / place).glob("*.exr"))
        subjects += [Subject(str(path.relative_to(folder)), kind) for path in lights]
    return sorted(subjects, key=lambda subject: KINDS.index(subject.kind))


async def draw_all(url: str, token: str, subjects: list[Subject]) -> None:
    """Post all jobs, then fetch what they become."""
    headers = {"Authorization": f"Bearer {token}"}
    # Few connections: one waits for each job that is being drawn, and more are no faster.
    connector = aiohttp.TCPConnector(limit=8)
    async with (
        aiohttp.ClientSession(url, headers=headers, connector=connector) as session,
        asyncio.TaskGroup() as group,
    ):
        for subject in subjects:
            group.create_task(draw(session, subject))


async def draw(session: aiohttp.ClientSession, subject: Subject) -> None:
    """Post one job and wait for its picture or its problem."""
    request = {
        "template": "preview",
        "params": {"file": subject.file, "kind": subject.kind, "name": subject.name},
        "output": {"width": PIXELS, "height": PIXELS, "samples": 16, "format": "png"},
    }
    async with session.post("/api/v1/jobs", json=request) as response:
        job = await response.json(content_type=None)
        if response.status != 202:
            subject.problem = explain(job)
            return
        place = response.headers["Location"]
    while job["state"] in ("queued", "running"):
        # The stream of a job's events ends with the job.
        async with session.get(f"{place}/events", timeout=aiohttp.ClientTimeout(None)) as events:
            await events.read()
        async with session.get(place) as response:
            job = await response.json()
    if job["state"] != "finished":
        subject.problem = explain(job.get("problem") or {"title": job["state"]})
    else:
        async with session.get(f"{place}/result") as response:
            subject.picture = await response.read()
    print(
        f"{'drawn' if subject.picture else 'none ':5}  {subject.kind}  {subject.title}", flush=True
    )


def explain(problem: dict[str, Any]) -> str:
    """A problem's last line that says what happened."""
    text = problem.get("detail") or problem.get("title") or json.dumps(problem)
    return str(text).strip().splitlines()[-1]


def write_page(subjects: list[Subject], out: Path) -> Path:
    """Write the pictures and the contact sheet that shows them; return the sheet's path."""
    out.mkdir(parents=True, exist_ok=True)
    parts = [HEAD]
    for kind in KINDS:
        cells = []
        for index, subject in enumerate(subjects):
            if subject.kind == kind:
                file = out / f"{index:03}.png"
                if subject.picture:
                    file.write_bytes(subject.picture)
                cells.append(cell_of(subject, file.name))
        if cells:
            parts.append(f"<h2>{kind.replace('_', ' ')}s</h2><div>{''.join(cells)}</div>")
    page = out / "index.html"
    page.write_text("\n".join(parts))
    return page


def cell_of(subject: Subject, file: str) -> str:
    """One picture with its title, or the reason why there is none."""
    title = html.escape(subject.title)
    if subject.picture:
        seen = f'<img src="{file}" alt="{title}" width={PIXELS} height={PIXELS}>'
    else:
        seen = f"<p>{html.escape(subject.problem or '')}</p>"
    return f"<figure>{seen}<figcaption>{title}</figcaption></figure>"


HEAD = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>What ships inside Blender</title>
<style>
body { font: 14px system-ui; background: #1d1d1f; color: #e4e4e6; margin: 2rem; }
h1, h2 { font-weight: 500; }
div { display: flex; flex-wrap: wrap; gap: 12px; }
figure { margin: 0; width: 192px; }
img, p { display: block; width: 192px; height: 192px; border-radius: 6px; background: #2c2c2f; }
p { box-sizing: border-box; margin: 0; padding: 12px; font-size: 12px; color: #a5a5ab;
    overflow: hidden; overflow-wrap: anywhere; }
figcaption { padding: 4px 2px; font-size: 12px; overflow-wrap: anywhere; }
</style>
<h1>What ships inside Blender, drawn over REST</h1>"""

if __name__ == "__main__":
    main()
