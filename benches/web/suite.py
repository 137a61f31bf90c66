"""The web server against its rivals, the servers taking turns, and what it holds.

cargo xtask bench web [--rounds N] [--seconds S] [--only PATTERN] [--keep]
"""

from __future__ import annotations

import argparse
import fnmatch
import re
import statistics
import subprocess
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benches import machine
from benches.web import held, in_blender
from benches.web.peers import Server, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PAGE: Final = machine.ROOT / "docs" / "benchmarks_web.md"
MEBIBYTE: Final = "mebibyte.bin"
OURS: Final = "aiobpy"
NAMES: Final = {
    "aiobpy": "aiobpy",
    "plain_axum": "plain axum",
    "granian": "granian",
    "granian_uvloop": "granian, uvloop",
    "uvicorn": "uvicorn, uvloop",
    "aiohttp": "aiohttp",
    "aiohttp_uvloop": "aiohttp, uvloop",
}


@dataclass(frozen=True)
class Part:
    """What was measured: a table, the goals in words with whether they are met, and all figures."""

    title: str
    head: Sequence[str]
    lines: Sequence[Sequence[object]]
    verdicts: Sequence[tuple[str, bool]]
    figures: Any


@dataclass(frozen=True)
class Row:
    """What is asked of several servers.

    Attributes:
        key: Tells it from the others.
        title: As the table has it.
        figure: The one of a round's figures that is ranked; more is better.
        paths: What is asked of each server.
        goals: At least so many times what the named server does.
        measure: Asks a path of a server for so many seconds.
    """

    key: str
    title: str
    figure: str
    paths: dict[str, str]
    goals: dict[str, float]
    measure: Callable[[Server, str, float], dict[str, Any]]


def main(arguments: list[str]) -> bool:
    """Measure, print, and say whether each goal is met."""
    options = parse(arguments)
    made = list(parts(options))
    for part in made:
        machine.print_table(part.title, part.head, part.lines)
    verdicts = [verdict for part in made for verdict in part.verdicts]
    for text, is_met in verdicts:
        print(f"  {'met   ' if is_met else 'MISSED'} {text}")
    figures = {part.title: part.figures for part in made}
    machine.write_json("web", {"rounds": options.rounds, "figures": figures})
    if options.keep:
        command = f"`cargo xtask bench web --rounds {options.rounds} --seconds {options.seconds:g}`"
        machine.keep(PAGE, "bench web", page_of(command, made))
    return all(is_met for _, is_met in verdicts)


def parts(options: argparse.Namespace) -> Iterator[Part]:
    """Measure one part after the other: those that are chosen."""
    rows = [row for row in ROWS if is_chosen(row.key, options)]
    if rows:
        results = run(rows, options)
        yield Part(
            "the web server and its rivals, outside Blender",
            ("", "server", "times ours", "a second", "RSS, MiB"),
            [line for row in rows for line in lines_of(row, results[row.key])],
            [verdict for row in rows for verdict in verdicts_of(row, results[row.key])],
            results,
        )
    if is_chosen("held", options):
        held_figures = held.measure()
        head, lines = held.HEAD, held.lines(held_figures)
        yield Part("what it holds", head, lines, held.verdicts(held_figures), held_figures)
    if is_chosen("blender", options):
        played = in_blender.measure(options.rounds, options.seconds)
        head, lines = in_blender.HEAD, in_blender.lines(played)
        yield Part("inside Blender", head, lines, in_blender.verdicts(played), played)


def is_chosen(key: str, options: argparse.Namespace) -> bool:
    """Whether `--only` is of this row or part."""
    return fnmatch.fnmatch(key, f"{options.only}*")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="cargo xtask bench web", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="the median of so many counts")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--only", default="", help="rows such as `hello`, or `held`")
    parser.add_argument("--keep", action="store_true", help=f"write {PAGE.name}")
    return parser.parse_args(arguments)


def run(rows: Sequence[Row], options: argparse.Namespace) -> dict[str, dict[str, list[Any]]]:
    """Rounds outside, servers inside: what disturbs the machine for a while disturbs all alike."""
    results: dict[str, dict[str, list[Any]]] = {row.key: {} for row in rows}
    names = {name for row in rows for name in row.paths}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        (Path(folder) / MEBIBYTE).write_bytes(bytes(1 << 20))
        servers = {name: stack.enter_context(Server.start(name, folder)) for name in names}
        for number in range(options.rounds):
            for row in rows:
                for name, path in row.paths.items():
                    found = row.measure(servers[name], path, options.seconds)
                    found["rss_mebibytes"] = servers[name].resident_mebibytes()
                    results[row.key].setdefault(name, []).append(found)
                    print(f"  {number + 1}: {row.key} {name}: {found}", flush=True)
    return results


def requests(server: Server, path: str, seconds: float) -> dict[str, Any]:
    """Ask as often as one thread of wrk can over 64 connections."""
    command = ["wrk", "-t1", "-c64", f"-d{max(1, round(seconds))}s", "--latency"]
    command += ["-H", f"Authorization: Bearer {server.token}", f"{server.address}{path}"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)|Socket errors: .*", said)
    if wrong:
        msg = f"{server.name} did not answer as it should: {wrong[0]}"
        raise RuntimeError(msg)
    rate = re.search(r"Requests/sec: +([\d.]+)", said)
    assert rate is not None
    return {"per_second": float(rate[1])}


def echoes(server: Server, path: str, seconds: float) -> dict[str, Any]:
    """Echo over 8 WebSockets, 16 messages of 32 bytes on their way in each."""
    options = ["--connections", "8", "echo", "--depth", "16", "--bytes", "32"]
    return load("websocket_load", server, path, [*options, "--seconds", str(seconds)])


def lines_of(row: Row, results: dict[str, list[Any]]) -> list[tuple[object, ...]]:
    """A line of the table for each server."""
    ours = median(results[OURS], row.figure)
    return [
        (
            row.title if name == OURS else "",
            NAMES[name],
            f"{median(found, row.figure) / ours:.2f}",
            round(median(found, row.figure)),
            round(max(each["rss_mebibytes"] for each in found)),
        )
        for name, found in results.items()
    ]


def verdicts_of(row: Row, results: dict[str, list[Any]]) -> list[tuple[str, bool]]:
    """Each goal in words, and whether it is met."""
    verdicts = []
    for rival, goal in row.goals.items():
        # Round by round: what disturbs one disturbs the other.
        pairs = zip(results[OURS], results[rival], strict=True)
        times = statistics.median(ours[row.figure] / theirs[row.figure] for ours, theirs in pairs)
        verdicts.append(
            (f"{row.title}: {times:.2f} times {NAMES[rival]} (≥ {goal:g})", times >= goal)
        )
    if row.key == "static":
        most = max(found["rss_mebibytes"] for found in results[OURS])
        verdicts.append((f"{row.title}: {most:.0f} MiB resident (< 60)", most < 60))
    return verdicts


def median(rounds: list[dict[str, Any]], figure: str) -> float:
    """The middle of the rounds."""
    return float(statistics.median(found[figure] for found in rounds))


def page_of(command: str, made: Sequence[Part]) -> str:
    """The tables and the goals as Markdown."""
    lines = [command]
    for part in made:
        lines += ["", f"## {part.title[0].upper()}{part.title[1:]}", ""]
        lines += ["| " + " | ".join(part.head) + " |", "|---|" + "--:|" * (len(part.head) - 1)]
        lines += ["| " + " | ".join(str(cell) for cell in line) + " |" for line in part.lines]
    lines += ["", "## Goals", ""]
    for part in made:
        lines += [f"- {'met' if met else '**missed**'}: {text}" for text, met in part.verdicts]
    return "\n".join(lines)


ROWS: Final = (
    Row(
        "hello_rust",
        "a route without Python",
        "per_second",
        {"aiobpy": "/healthz", "plain_axum": "/"},
        {"plain_axum": 0.9},
        requests,
    ),
    Row(
        "hello_python",
        "an ASGI application",
        "per_second",
        {
            "aiobpy": "/a/bench/asgi/",
            "granian": "/",
            "granian_uvloop": "/",
            "uvicorn": "/",
            "aiohttp": "/",
            "aiohttp_uvloop": "/",
        },
        {"granian": 0.9, "granian_uvloop": 0.9, "aiohttp": 1.5},
        requests,
    ),
    Row(
        "typed",
        "a typed handler",
        "per_second",
        {"aiobpy": "/a/bench/typed", "aiohttp": "/"},
        {},
        requests,
    ),
    Row(
        "static",
        "a file of 1 MiB",
        "per_second",
        {
            "aiobpy": f"/a/bench/files/{MEBIBYTE}",
            "aiohttp": f"/files/{MEBIBYTE}",
            "aiohttp_uvloop": f"/files/{MEBIBYTE}",
        },
        {"aiohttp": 1.0},
        requests,
    ),
    Row(
        "echo",
        "a WebSocket's echo in Rust, 16 at once",
        "per_second",
        {"aiobpy": "/api/v1/echo", "aiohttp": "/echo", "aiohttp_uvloop": "/echo"},
        {"aiohttp_uvloop": 1.3},
        echoes,
    ),
    Row(
        "echo_python",
        "the same by an ASGI application",
        "per_second",
        {
            "aiobpy": "/a/bench/asgi/",
            "aiohttp_uvloop": "/echo",
            "uvicorn": "/",
            "granian_uvloop": "/",
        },
        {},
        echoes,
    ),
)
