"""What the loop costs a Blender with windows, beside what add-ons do today, in one run.

python -m benches gui [--turns N] [--rounds N] [--seconds S] [--blender NAME] [--keep]
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from aiobpy.uitest.display import Display
from benches import machine
from tests.blender.gui_blender import GuiBlender, Installation, install_libraries, trees

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "benchmarks_gui.md"
NAMES: Final = {
    "none": "no loop",
    "aiobpy": "aiobpy, `aiobpy.download`",
    "aiobpy+aiohttp": "aiobpy, aiohttp",
    "kick": "`stop(); run_forever()` in a timer, aiohttp",
    "modal": "the same in a modal operator, 10 µs",
}
MODES: Final = tuple(NAMES)
SCENES: Final = {"text": "text editors", "view": "light 3D viewport"}
CONNECTIONS: Final = 200
STAMPS: Final = {"idle": 40, "traffic": 400}


class LowDisplay(Display):
    """Small, so that software GL does not eat both cores."""

    WIDTH, HEIGHT = 640, 480


def main(arguments: list[str]) -> bool:
    """Measure, print and say whether each goal is met."""
    parser = argparse.ArgumentParser(prog="python -m benches gui", description=__doc__)
    parser.add_argument("--turns", type=int, default=12, help="of ours and no loop, for the goals")
    parser.add_argument("--rounds", type=int, default=2, help="of all loops, for comparison")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--blender", help="the name of one Debian tree")
    parser.add_argument("--keep", action="store_true", help=f"write {PAGE.name}")
    options = parser.parse_args(arguments)
    found = [tree for tree in trees() if options.blender in (None, tree.name)]
    if not found:
        print("no Blender with windows is installed\nhint: `cargo xtask setup` installs two")
        return False
    words = f"--turns {options.turns} --rounds {options.rounds} --seconds {options.seconds:g}"
    lines = [f"`cargo xtask bench gui {words}`\n"]
    verdicts = []
    for tree in found:
        with blender_of(tree) as blender, Feeder.start() as feeder:
            version = blender.ask("set_up", scene="text")
            print(f"Blender {version}", flush=True)
            report = measure(blender, feeder, options)
        tables, goals = describe(version, report)
        print("\n".join(tables))
        lines += tables
        verdicts += goals
    lines.append("\n## Goals\n")
    met = all(is_met for _, is_met in verdicts)
    for text, is_met in verdicts:
        print(f"{'met   ' if is_met else 'MISSED'} {text}")
        lines.append(f"- {'met' if is_met else '**missed**'}: {text}")
    if options.keep:
        machine.keep(PAGE, "bench gui", "\n".join(lines))
    return met


def measure(blender: GuiBlender, feeder: Feeder, options: argparse.Namespace) -> Any:
    """Interleave all that is compared."""
    report: dict[str, Any] = {"turns": {}, "play": {}, "idle": {}, "latency": {}}
    for scene in SCENES:
        blender.ask("set_up", scene=scene)

        def played(mode: str, scene: str = scene) -> dict[str, float]:
            return play(blender, feeder, scene, mode, options.seconds)

        # Frames without a loop drift by more than what is looked for: each of ours has one on both
        # sides.
        without = [played("none")]
        ours = []
        for _ in range(options.turns):
            ours.append(played("aiobpy"))
            without.append(played("none"))
        report["turns"][scene] = {"none": without, "aiobpy": ours}
        for number in range(options.rounds):
            first = number % len(MODES)
            for mode in (*MODES[first:], *MODES[:first]):
                report["play"].setdefault((scene, mode), []).append(played(mode))
    blender.ask("set_up", scene="text")
    for _ in range(options.turns):
        for mode in ("none", "aiobpy"):
            share = blender.ask("idle", mode=mode, seconds=options.seconds)
            report["idle"].setdefault(mode, []).append(share)
    print(f"  idle: {json.dumps(report['idle'])}", flush=True)
    for mode in MODES[1:]:
        for kind, connections in (("idle", 0), ("traffic", CONNECTIONS)):
            late = blender.ask(
                "latency",
                mode=mode,
                number=STAMPS[kind],
                ports=feeder.ports,
                connections=connections,
            )
            report["latency"][kind, mode] = late
    return report


def play(
    blender: GuiBlender, feeder: Feeder, scene: str, mode: str, seconds: float
) -> dict[str, float]:
    """Return what one playback came to, with what the feeder sent meanwhile."""
    played: dict[str, float] = blender.ask(
        "play",
        mode=mode,
        seconds=seconds,
        port=feeder.ports["http"],
        connections=CONNECTIONS,
    )
    moved = feeder.sent_between(played["began"], played["ended"])
    played["mebibytes_per_second"] = moved / (played["ended"] - played["began"]) / 2**20
    print(f"  {scene} {mode}: {json.dumps(played)}", flush=True)
    return played


def describe(version: str, report: Any) -> tuple[list[str], list[tuple[str, bool]]]:
    """Return the tables as Markdown, and each goal with whether it is met."""
    lines = [f"\n## Blender {version}\n"]
    goals = []
    lines += [
        "| playback of 240 frames/s | loop | frames/s | of no loop | MiB/s |",
        "|---|---|--:|--:|--:|",
    ]
    for scene, title in SCENES.items():
        rates = {mode: median(report["play"][scene, mode], "frames_per_second") for mode in MODES}
        for mode in MODES:
            share = share_of(report, scene, mode)
            moved = median(report["play"][scene, mode], "mebibytes_per_second")
            lines.append(
                f"| {title} | {NAMES[mode]} | {rates[mode]:.1f} | {share:.1%} | {moved:.1f} |"
            )
        ours, worst, best = share_by_turns(report["turns"][scene])
        quartiles = f"{ours:.1%} ({worst:.1%} to {best:.1%})"
        lines.append(f"| {title}, by turns | {NAMES['aiobpy']} | | {quartiles} | |")
        moved = median(report["turns"][scene]["aiobpy"], "mebibytes_per_second")
        goals.append(
            (f"{version}, {title}: {ours:.1%} of the frames per second (≥ 95 %)", ours >= 0.95)
        )
        goals.append((f"{version}, {title}: {moved:.1f} MiB/s meanwhile (20)", moved >= 19.0))
    lines += [
        "",
        "| a byte's way to its callback | loop | p50, ms | p99, ms |",
        "|---|---|--:|--:|",
    ]
    for (kind, mode), late in report["latency"].items():
        p50, p99 = statistics.median(late), statistics.quantiles(late, n=100)[98]
        lines.append(f"| {kind} | {NAMES[mode]} | {p50 * 1e3:.2f} | {p99 * 1e3:.2f} |")
    for kind, limit in (("idle", 5.5e-3), ("traffic", 1e-3)):
        p50 = statistics.median(report["latency"][kind, "aiobpy"])
        text = f"{version}, {kind}: p50 {p50 * 1e3:.2f} ms (≤ {limit * 1e3:.1f})"
        goals.append((text, p50 <= limit))
    without, with_loop = (statistics.median(report["idle"][mode]) for mode in ("none", "aiobpy"))
    lines.append(f"\nIdle CPU: {without:.2%} without, {with_loop:.2%} with the loop.")
    more = (with_loop - without) * 100
    goals.append((f"{version}, idle: {more:+.2f} percentage points (≤ 0.5)", more <= 0.5))
    return lines, goals


def median(results: list[dict[str, float]], key: str) -> float:
    """Return the middle of the rounds."""
    return statistics.median(result[key] for result in results)


def share_of(report: Any, scene: str, mode: str) -> float:
    """Return the median of the rounds' ratios to their own measurement without a loop."""
    pairs = zip(report["play"][scene, mode], report["play"][scene, "none"], strict=True)
    return statistics.median(
        float(one["frames_per_second"] / none["frames_per_second"]) for one, none in pairs
    )


def share_by_turns(turns: dict[str, list[dict[str, float]]]) -> tuple[float, float, float]:
    """Return the median of ours, each against the mean of its neighbours, and the quartiles."""
    without = [one["frames_per_second"] for one in turns["none"]]
    shares = [
        one["frames_per_second"] / statistics.fmean(around)
        for one, around in zip(turns["aiobpy"], itertools.pairwise(without), strict=True)
    ]
    if len(shares) == 1:
        return shares[0], shares[0], shares[0]
    worst, middle, best = statistics.quantiles(shares, n=4, method="inclusive")
    return middle, worst, best


@contextlib.contextmanager
def blender_of(tree: Path) -> Iterator[GuiBlender]:
    """Start a Blender in a small window, with the client's side and aiohttp."""
    display = LowDisplay.start()
    installation = Installation(tree, display)
    # One thread for software GL: it must not eat both cores.
    installation.variables["LP_NUM_THREADS"] = "1"
    try:
        install_libraries(installation)
        place = installation.home / "benches"
        shutil.copytree(Path(__file__).parents[1], place, ignore=shutil.ignore_patterns("*cache*"))
        blender = GuiBlender(
            installation,
            Path(__file__).with_name("inside.py"),
            str(installation.inside(installation.home)),
        )
        try:
            yield blender
        finally:
            blender.close()
    finally:
        installation.remove()
        display.stop()


class Feeder:
    """The other side, in a process of its own.

    Attributes:
        ports: `http` and `stamps`.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._questions, self._answers = process.stdin, process.stdout
        self.ports: dict[str, int] = json.loads(self._answers.readline())

    @classmethod
    @contextlib.contextmanager
    def start(cls) -> Iterator[Self]:
        """Start it; it ends with the block."""
        process = subprocess.Popen(
            [sys.executable, "-m", "benches.gui.feeder"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        with process:
            yield cls(process)

    def sent_between(self, began: float, ended: float) -> int:
        """Return the bytes that it sent between two times."""
        self._questions.write(b"%f %f\n" % (began, ended))
        self._questions.flush()
        return int(self._answers.readline())
