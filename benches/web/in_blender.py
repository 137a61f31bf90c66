"""What a web server costs a Blender with windows: the frame rate while the server is stressed."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from typing import TYPE_CHECKING, Any, Final

from benches.gui.suite import blender_of
from benches.web.peers import PROGRAMS
from benches.web.serve import TOKEN
from tests.blender.gui_blender import trees

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.blender.gui_blender import GuiBlender

TREE: Final = "sid"
RATE: Final = 1000
"""Requests a second."""
CONNECTIONS: Final = 32


class Case:
    """A server inside Blender, and what is asked of it.

    Attributes:
        title: As the table has it.
        server: As `benches.gui.servers` has it; None for none.
        path: What is asked.
        rate: Requests a second; None for as many as it answers.
    """

    def __init__(self, title: str, server: str | None, path: str, rate: int | None) -> None:
        self.title = title
        self.server = server
        self.path = path
        self.rate = rate


NONE: Final = Case("no server", None, "", 0)
OURS: Final = Case("aiobpy, handlers in Python", "aiobpy", "/a/bench/hello", RATE)
OURS_RUST: Final = Case("aiobpy, routes in Rust", "aiobpy", "/healthz", 5 * RATE)
CASES: Final = (
    NONE,
    OURS,
    OURS_RUST,
    Case("aiohttp in a thread", "aiohttp", "/", RATE),
    Case("http.server in threads", "standard", "/", RATE),
    Case("aiobpy, handlers in Python", "aiobpy", "/a/bench/hello", None),
    Case("aiohttp in a thread", "aiohttp", "/", None),
    Case("http.server in threads", "standard", "/", None),
)


def measure(rounds: int, seconds: float) -> dict[int, list[dict[str, Any]]]:
    """Play an animation beside each case, the cases taking turns; by the case's index."""
    tree = next(tree for tree in trees() if tree.name == TREE)
    results: dict[int, list[dict[str, Any]]] = {}
    with blender_of(tree) as blender:
        blender.ask("set_up", scene="text")
        for _ in range(rounds):
            for index, case in enumerate(CASES):
                found = play(blender, case, seconds)
                results.setdefault(index, []).append(found)
                print(f"  in Blender: {case.title}, {case.rate}: {found}", flush=True)
    return results


def play(blender: GuiBlender, case: Case, seconds: float) -> dict[str, Any]:
    """The frames per second beside one case, and how it was answered."""
    if case.server is None:
        return {"frames_per_second": blender.ask("frames", seconds=seconds)}
    port = blender.ask("serve", kind=case.server)
    command = [str(PROGRAMS / "request_load"), "--port", str(port), "--path", case.path]
    command += ["--connections", str(CONNECTIONS), "--seconds", str(seconds + 3)]
    command += ["--rate", str(case.rate)] if case.rate else []
    env = os.environ | {"LOAD_TOKEN": TOKEN}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as loading:
        rate = blender.ask("frames", seconds=seconds)
        said, _ = loading.communicate()
    blender.ask("stop_serving")
    return {"frames_per_second": rate, "answers": json.loads(said)}


def share_of(results: dict[int, list[dict[str, Any]]], index: int) -> float:
    """The median of the rounds' shares of the frames without a server."""
    pairs = zip(results[index], results[0], strict=True)
    return statistics.median(
        float(one["frames_per_second"] / none["frames_per_second"]) for one, none in pairs
    )


def lines(results: dict[int, list[dict[str, Any]]]) -> list[tuple[object, ...]]:
    """A line of the table for each case."""
    made: list[tuple[object, ...]] = []
    for index, case in enumerate(CASES):
        answers = [found["answers"] for found in results[index] if "answers" in found]
        made.append(
            (
                case.title,
                f"{case.rate:,}/s" if case.rate else ("all it can" if answers else ""),
                f"{share_of(results, index):.1%}",
                *(
                    round(statistics.median(found[key] for found in answers), 2) if answers else ""
                    for key in ("per_second", "p50_ms", "p99_ms")
                ),
            )
        )
    return made


HEAD: Final[Sequence[str]] = (
    "server in Blender 5.2",
    "asked",
    "frames/s",
    "answers/s",
    "p50, ms",
    "p99, ms",
)


def verdicts(results: dict[int, list[dict[str, Any]]]) -> list[tuple[str, bool]]:
    """Each goal in words, and whether it is met."""
    made = []
    for case in (OURS, OURS_RUST):
        share = share_of(results, CASES.index(case))
        made.append(
            (f"{case.title}, {case.rate:,}/s: {share:.1%} of the frames (≥ 95 %)", share >= 0.95)
        )
    return made
