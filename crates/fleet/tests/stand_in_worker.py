#!/usr/bin/env python3
"""Speaks a worker's side of the link without Blender: each job says what it has to do.

Run in place of Blender: the arguments are ignored, standard input is the link.
"""

import json
import os
import select
import signal
import socket
import struct
import sys
import zlib

DRAWING = {
    "name": "drawing",
    "description": "Draws what it is told.",
    "params_schema": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "do": {
                "enum": [
                    "draw",
                    "raise",
                    "die",
                    "crash",
                    "dawdle",
                    "take",
                    "hang",
                    "stop",
                    "babble",
                    "nothing",
                    "wait",
                    "picture",
                ]
            },
            "attempts": {"type": "integer", "description": "how often to do that"},
            "text": {"type": "string"},
            "label": {"type": "string", "description": "an input, to be drawn as it is"},
            "seconds": {"type": "number", "description": "how long to take"},
        },
    },
}


def main() -> None:
    link = socket.socket(fileno=os.dup(0))
    received = link.makefile("r")

    def say(**message: object) -> None:
        link.sendall(json.dumps(message).encode() + b"\n")

    print("the stand-in has started", flush=True)
    inputs = ""
    for line in received:
        message = json.loads(line)
        if message["type"] == "welcome":
            inputs = message.get("inputs", "")
            welcome(say, message["templates"])
        elif message["type"] == "start":
            start(say, message, received, inputs)
        else:
            print("told to stop", flush=True)
            os._exit(0)


def welcome(say, templates: list) -> None:
    marker = next((path for path in templates if path.endswith("mode")), None)
    with open(marker) if marker else open(os.devnull) as file:
        mode = file.read()
    if mode == "too old":
        problem = {
            "type": "unusable-blender",
            "title": "Blender is too old",
            "status": 503,
            "detail": "this is Blender 3.4.1; aiobpy needs 4.2 or newer",
        }
        say(type="unusable", problem=problem)
    elif mode == "dies at start":
        print("no bpy here", file=sys.stderr, flush=True)
        os._exit(7)
    elif mode != "never ready":
        shared = mode == "shared"
        templates = [
            {**DRAWING, "name": name, "shared": shared} for name in ("drawing", "painting")
        ]
        if mode == "tame":
            # For those who ask for whatever they may.
            text = {"text": {"type": "string", "minLength": 1}}
            schema = {**DRAWING["params_schema"], "properties": text}
            templates = [{**one, "params_schema": schema} for one in templates]
        ready = {"blender_version": "5.0.1", "python_version": "3.11.7", "templates": templates}
        if mode.startswith("cached"):
            # What its pictures depend on, besides what is asked for.
            ready["made_of"] = {"drawing": {"code": "1", "scene": marker}}
        say(type="ready", can_leave=mode.startswith("leaves"), **ready)


def start(say, job: dict, received, inputs: str) -> None:
    attempt = {"id": job["id"], "attempt": job["attempt"]}
    what = job["params"].get("do", "draw")
    if job["attempt"] > job["params"].get("attempts", 1):
        what = "draw"
    say(type="progressed", progress=0.5, message="Sample 16/32", **attempt)
    if what == "picture":
        path = job["output_path"] + ".1.png"
        with open(path, "wb") as file:
            file.write(picture())
        say(type="pictured", picture={"kind": "whole", "path": path}, **attempt)
        what = "wait"
    if what == "wait":
        go = os.path.join(os.path.dirname(job["output_path"]), "../../../go")
        while not os.path.exists(go) and not select.select([0], [], [], 0.02)[0]:
            say(type="alive")
        if not os.path.exists(go) and json.loads(received.readline())["type"] == "cancel":
            problem = {"type": "cancelled", "title": "It left", "status": 409, "detail": "no"}
            say(type="failed", problem=problem, **attempt)
            return
        what = "draw"
    if what == "take":
        if select.select([0], [], [], job["params"]["seconds"])[0]:
            os._exit(0)
        what = "draw"
    if what == "draw":
        drawn = job["params"].get("text", "picture").encode()
        if label := job["params"].get("label", "").removeprefix("input:"):
            with open(os.path.join(inputs, label[:2], label), "rb") as file:
                drawn = file.read()
        with open(job["output_path"], "wb") as file:
            file.write(drawn)
        say(type="finished", **attempt)
    elif what == "raise":
        problem = {"type": "template-raised", "title": "It raised", "status": 500, "detail": "no"}
        say(type="failed", problem=problem, **attempt)
    elif what == "die":
        print("about to die", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "crash":
        print("about to crash", flush=True)
        os.kill(os.getpid(), signal.SIGSEGV)
    elif what == "dawdle":
        while not select.select([0], [], [], 0.05)[0]:
            say(type="alive")
    elif what == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif what == "hang":
        received.readline()
    elif what == "babble":
        link_line = b"Fra:1 Mem:12.3M\n"
        os.write(0, link_line)
    elif what == "nothing":
        say(type="finished", **attempt)


def picture() -> bytes:
    """A black PNG of 640 by 480 pixels."""
    width, height = 640, 480
    rows = zlib.compress(bytes(1 + 3 * width) * height)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", rows), (b"IEND", b"")]
    checked = [(name + data, len(data)) for name, data in parts]
    chunks = [struct.pack(">I", n) + it + struct.pack(">I", zlib.crc32(it)) for it, n in checked]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


main()
