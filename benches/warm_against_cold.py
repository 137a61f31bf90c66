"""A job on a warm Blender, by REST, against a fresh process per job, on the product's scene.

All render the same picture: another colour and another text each time. Cold is what one does
without a fleet: a process that imports bpy (or is `blender -b`), loads the scene, renders and ends.
Warm is a whole request to `aiobpy serve`: validated, queued on disk, rendered, stored and answered
with the image. Reloaded is the same by a template that has its scene loaded anew for each job. They
take turns, so that a busy machine is as busy for one as for the others.

What a warm Blender saves is all that is not rendering, so the ratio depends on how long the picture
takes. The goals are for the size in which a shop shows a choice while the customer makes it, five a
second; the larger sizes are there to show what becomes of it.

Measured with bpy 5.0, which runs this, and with 4.5, where `cargo xtask setup` has made its
environment.

    python -m benches warm_against_cold
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benches.fleet import CONFIGURATOR, Fleet, build_scene, serving
from benches.machine import ROOT, ForeignLoad
from benches.page import Findings

GOAL = 12.0
GOAL_RELOADED = 3.0
COLOURS = ("#d13b2a", "#1f6f78", "#e3b23c", "#22262e", "#3b5d3a", "#7a4fa3", "#f2efe8")
TREE = Path.home() / ".cache" / "aiobpy" / "blender" / "sid"
PYTHONS: Final = {"5.0": Path(sys.executable), "4.5": ROOT / ".venv-4.5" / "bin" / "python"}


@dataclass(frozen=True)
class Size:
    """A picture, and how often it is made in each way."""

    name: str
    pixels: int
    samples: int
    rounds: int


SIZES = (Size("swatch", 128, 4, 9), Size("preview", 256, 8, 5), Size("shop", 640, 32, 2))


def main(is_kept: bool = False) -> bool:
    """Run all sizes on each Blender; return whether the goals are met."""
    found = Findings("warm_against_cold", is_kept)
    figures: dict[str, Any] = {}
    for version, python in PYTHONS.items():
        if not python.exists():
            print(f"left out: bpy {version}: `cargo xtask setup` makes `{python}`")
            continue
        sizes = of_blender(found, version, python)
        figures[version] = sizes
        swatch = sizes[0]["ratios"]
        found.goal(f"bpy {version}: a swatch, times cold", swatch["warm"], GOAL, at_least=True)
        found.goal(
            f"bpy {version}: a swatch, scene reloaded, times cold",
            swatch["reloaded"],
            GOAL_RELOADED,
            at_least=True,
        )
    return found.close(figures)


def of_blender(found: Findings, version: str, python: Path) -> list[dict[str, Any]]:
    """Measure one Blender; return what came of each size."""
    rows, sizes = [], []
    with tempfile.TemporaryDirectory(prefix="aiobpy-bench-") as name:
        folder = Path(name)
        build_scene(folder / "product.blend", str(python))
        with serving(templates_in(folder), "--python", str(python)) as fleet:
            for size in SIZES:
                it = measure(fleet, folder, size, python)
                sizes.append(it)
                what = f"{size.name} {size.pixels}², {size.samples} samples"
                for way, seconds in it["seconds"].items():
                    times = f"{it['ratios'][way]:.1f}" if way in it["ratios"] else "-"
                    middle, best, worst = (f"{of(seconds):.3f}" for of in (median, min, max))
                    rows.append((f"{what}: {way}", middle, best, worst, times, f"{it['load']:.2f}"))
    head = ("job", "median s", "best", "worst", "times bpy per job", "foreign cores")
    found.table(f"one product picture, bpy {version}", head, rows)
    return sizes


def templates_in(folder: Path) -> list[Path]:
    """The product's template, and one that has its scene loaded anew each time."""
    text = (CONFIGURATOR / "product.py").read_text()
    usual = '@aiobpy.template(scene="product.blend", apply_modifiers=["Lid"])'
    assert usual in text, "the product's template is declared in another way than is known here"
    again = usual.replace(")", ', name="mug_reloaded", between_jobs="reload")')
    (folder / "product.py").write_text(text)
    (folder / "reloaded.py").write_text(text.replace(usual, again))
    return [folder / "product.py", folder / "reloaded.py"]


def measure(fleet: Fleet, folder: Path, size: Size, python: Path) -> dict[str, Any]:
    """Take turns: fresh process, warm worker, warm worker that loads the scene."""
    seconds: dict[str, list[float]] = {"bpy per job": [], "reloaded": [], "warm": []}
    blender = blender_command(folder / "product.blend")
    cold = [str(python), str(ROOT / "benches/cold_job.py")]
    with ForeignLoad(also=[fleet.pid]) as load:
        for index in range(size.rounds):
            choice = choice_of(index, size)
            seconds["bpy per job"].append(
                cold_job(cold, str(folder / "product.blend"), str(folder), choice)
            )
            if blender:
                seconds.setdefault("blender per job", []).append(
                    cold_job(blender, "/tmp/product.blend", "/tmp", choice)
                )
            # The first of each template finds the other's scene.
            warm_job(fleet, "mug_reloaded", choice_of(-1, size))
            seconds["reloaded"].append(warm_job(fleet, "mug_reloaded", choice))
            warm_job(fleet, "mug", choice_of(-1, size))
            seconds["warm"] += [
                warm_job(fleet, "mug", choice_of(index + it, size)) for it in (1, 2)
            ]
    usual = median(seconds["bpy per job"])
    ratios = {way: round(usual / median(seconds[way]), 1) for way in ("reloaded", "warm")}
    return {"size": size.name, "seconds": seconds, "ratios": ratios, "load": load.cores}


def median(values: list[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def choice_of(index: int, size: Size) -> dict[str, Any]:
    """What a customer chose: another mug each time, so that nothing can be remembered."""
    return {
        "colour": COLOURS[index % len(COLOURS)],
        "text": f"{time.monotonic_ns() % 10**15}",
        "pixels": size.pixels,
        "samples": size.samples,
    }


def cold_job(command: list[str], scene: str, out: str, choice: dict[str, Any]) -> float:
    """Seconds from starting a process to its end."""
    began = time.perf_counter()
    # As nice to others as the fleet's workers are, or a busy machine would favour this one.
    arguments = ["nice", "-n", "5", *command, scene, f"{out}/cold.png", json.dumps(choice)]
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def warm_job(fleet: Fleet, template: str, choice: dict[str, Any]) -> float:
    """Seconds from sending the request to having the image."""
    request = {
        "template": template,
        "params": {"colour": choice["colour"], "text": choice["text"]},
        "output": {
            "width": choice["pixels"],
            "height": choice["pixels"],
            "samples": choice["samples"],
        },
    }
    began = time.perf_counter()
    status, headers, body = fleet.ask("POST", "/api/v1/jobs", request, prefer="wait=60")
    seconds = time.perf_counter() - began
    if status != 200 or headers["content-type"] != "image/png":
        msg = f"the job was answered with {status}: {body[:500].decode(errors='replace')}"
        raise RuntimeError(msg)
    return seconds


def blender_command(scene: Path) -> list[str]:
    """A real Blender in the cached Debian tree, if this machine has one that we may enter."""
    if os.geteuid() != 0 or not (TREE / "usr/bin/blender").exists():
        return []
    for file in (scene, ROOT / "benches/cold_job.py"):
        shutil.copy(file, TREE / "tmp" / file.name)
    command = ["chroot", str(TREE), "env", "HOME=/tmp", "blender", "-b", "--factory-startup"]
    return [*command, "--python-exit-code", "1", "--python", "/tmp/cold_job.py", "--"]


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
