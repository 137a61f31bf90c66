"""(a) A job on a warm Blender, by REST, against a fresh process per job, on the product's scene.

Both render the same picture: another colour and another text each time. Cold is what one does
without a fleet: a process that imports bpy (or is `blender -b`), loads the scene, renders and ends.
Warm is a whole request to `aiobpy serve`: validated, queued on disk, rendered, stored and answered
with the image. The two take turns, so that a busy machine is as busy for one as for the other.

What a warm Blender saves is all that is not rendering, so the ratio depends on how long the picture
takes. The goal is for the size in which a shop shows a choice while the customer makes it, five a
second; the larger sizes are there to show what becomes of it.

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
from pathlib import Path
from typing import Any

from benches.fleet import SCENE, Fleet, serving
from benches.machine import ROOT, ForeignLoad, print_table, verdict, write_json

GOAL = 8.0
COLOURS = ("#d13b2a", "#1f6f78", "#e3b23c", "#22262e", "#3b5d3a", "#7a4fa3", "#f2efe8")
TREE = Path.home() / ".cache" / "aiobpy" / "blender" / "sid"
SIZES = (
    # name, pixels, samples, rounds
    ("swatch", 128, 4, 9),
    ("preview", 256, 8, 5),
    ("shop", 640, 32, 2),
)


def main() -> bool:
    """Run all sizes, print the table, write the JSON; return whether the goal is met."""
    rows, sizes = [], []
    with serving() as fleet, tempfile.TemporaryDirectory(prefix="aiobpy-bench-") as folder:
        warm_job(fleet, choice_of(0, 64, 1))
        for name, pixels, samples, rounds in SIZES:
            size = measure(fleet, Path(folder), name, pixels, samples, rounds)
            sizes.append(size)
            for way in ("cold_blender", "cold_bpy", "warm"):
                if way in size["seconds"]:
                    seconds = size["seconds"][way]
                    ratio = statistics.median(seconds) / size["warm_median"]
                    rows.append(
                        (
                            f"{name} {pixels}², {samples} samples: {way.replace('_', ' ')}",
                            f"{statistics.median(seconds):.3f}",
                            f"{min(seconds):.3f}",
                            f"{max(seconds):.3f}",
                            f"{ratio:.1f}",
                            f"{size['foreign_cores']:.2f}",
                        )
                    )
    head = ("job", "median s", "best", "worst", "times warm", "foreign cores")
    print_table("One product picture: a warm Blender by REST against a fresh process", head, rows)
    write_json("warm_against_cold", {"sizes": sizes, "goal_ratio": GOAL})
    return verdict(
        "swatch: a fresh bpy process takes so many times as long",
        sizes[0]["ratio_to_bpy"],
        GOAL,
        at_least=True,
    )


def measure(
    fleet: Fleet, folder: Path, name: str, pixels: int, samples: int, rounds: int
) -> dict[str, Any]:
    """Take turns: fresh process, warm worker."""
    seconds: dict[str, list[float]] = {"cold_bpy": [], "warm": []}
    blender = blender_command()
    with ForeignLoad(also=[fleet.pid]) as load:
        for index in range(rounds):
            choice = choice_of(index, pixels, samples)
            cold = [sys.executable, str(ROOT / "benches/cold_job.py")]
            seconds["cold_bpy"].append(cold_job(cold, str(SCENE), str(folder), choice))
            seconds["warm"].append(warm_job(fleet, choice))
            if blender:
                seconds.setdefault("cold_blender", []).append(
                    cold_job(blender, "/tmp/product.blend", "/tmp", choice)
                )
                seconds["warm"].append(warm_job(fleet, choice))
    warm = statistics.median(seconds["warm"])
    return {
        "size": name,
        "pixels": pixels,
        "samples": samples,
        "seconds": seconds,
        "warm_median": warm,
        "ratio_to_bpy": round(statistics.median(seconds["cold_bpy"]) / warm, 1),
        "ratio_to_blender": blender and round(statistics.median(seconds["cold_blender"]) / warm, 1),
        "foreign_cores": load.cores,
    }


def choice_of(index: int, pixels: int, samples: int) -> dict[str, Any]:
    """What a customer chose: another mug each time, so that nothing can be remembered."""
    return {
        "colour": COLOURS[index % len(COLOURS)],
        "text": f"MUG {index}",
        "pixels": pixels,
        "samples": samples,
    }


def cold_job(command: list[str], scene: str, out: str, choice: dict[str, Any]) -> float:
    """Seconds from starting a process to its end."""
    began = time.perf_counter()
    # As nice to others as the fleet's workers are, or a busy machine would favour this one.
    arguments = ["nice", "-n", "5", *command, scene, f"{out}/cold.png", json.dumps(choice)]
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def warm_job(fleet: Fleet, choice: dict[str, Any]) -> float:
    """Seconds from sending the request to having the image."""
    request = {
        "template": "mug",
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


def blender_command() -> list[str]:
    """A real Blender in the cached Debian tree, if this machine has one that we may enter."""
    if os.geteuid() != 0 or not (TREE / "usr/bin/blender").exists():
        return []
    for file in (SCENE, ROOT / "benches/cold_job.py"):
        shutil.copy(file, TREE / "tmp" / file.name)
    command = ["chroot", str(TREE), "env", "HOME=/tmp", "blender", "-b", "--factory-startup"]
    return [*command, "--python-exit-code", "1", "--python", "/tmp/cold_job.py", "--"]


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
