"""Takes what the supervisor sends, one message after the other, and answers."""

from __future__ import annotations

import ctypes
import faulthandler
import json
import platform
import sys
import time
from pathlib import Path
from typing import Any

import bpy

from aiobpy._native import WorkerLink
from aiobpy.worker import problems
from aiobpy.worker.catalogue import Catalogue
from aiobpy.worker.progress import Progress
from aiobpy.worker.render import render
from aiobpy.worker.scene import OpenScene


def serve() -> None:
    """Serve until the supervisor says stop."""
    # The two threads of the link say from now on that this process is there.
    link = WorkerLink()
    _say_everything_at_once()
    Worker(link).run()


class Worker:
    """Jobs in, images out.

    Args:
        link: To the supervisor.
    """

    def __init__(self, link: WorkerLink) -> None:
        self._link = link
        self._catalogue = Catalogue([])
        self._scene = OpenScene()
        self._job: dict[str, Any] = {}
        self._progress = Progress()

    def run(self) -> None:
        """Serve until the supervisor says stop."""
        while (line := self._link.receive()) is not None:
            message = json.loads(line)
            match message["type"]:
                case "welcome":
                    self._welcome([Path(path) for path in message["templates"]])
                case "start":
                    self._start(message)
                case "stop":
                    return

    def _welcome(self, paths: list[Path]) -> None:
        # What the user of this machine prefers, scripts that run by themselves included, is not
        # for a server.
        bpy.ops.wm.read_factory_settings(use_empty=True)
        self._catalogue = Catalogue(paths)
        self._say(
            "ready",
            blender_version=".".join(str(part) for part in bpy.app.version),
            python_version=platform.python_version(),
            templates=self._catalogue.describe(),
        )

    def _start(self, job: dict[str, Any]) -> None:
        self._job = {"id": job["id"], "attempt": job["attempt"]}
        self._progress = Progress()
        try:
            self._do(job)
        except problems.JobError as error:
            self._fail(error)
        except Exception as error:
            self._fail(problems.worker_fault(error))
        else:
            self._say("finished", **self._job)
        sys.stdout.flush()

    def _do(self, job: dict[str, Any]) -> None:
        template = self._catalogue[job["template"]]
        self._scene.open_for(template)
        try:
            template.apply(job["params"])
        except (Exception, SystemExit) as error:
            raise problems.template_raised(template.name, error) from None
        self._listen()
        render(job["output"], Path(job["output_path"]))

    def _fail(self, error: problems.JobError) -> None:
        # The template may have been half-way through.
        self._scene.forget()
        print(f"{error.problem['title']}: {error}", file=sys.stderr)  # noqa: T201 - kept with the job
        self._say("failed", problem=error.problem, **self._job)

    def _listen(self) -> None:
        """Hear what Blender says of its renders. Loading a scene may have ended that."""
        handlers = bpy.app.handlers.render_stats
        if self._on_stats not in handlers:
            handlers.append(self._on_stats)

    def _on_stats(self, *arguments: object) -> None:
        """Called by Blender, on a render thread of Cycles: nothing of `bpy` may be touched.

        Args:
            arguments: What Blender says, as a text, and nothing.
        """
        info = arguments[0] if arguments else None
        if isinstance(info, str) and (told := self._progress.take(info, time.monotonic())):
            fraction, message = told
            self._say("progressed", progress=fraction, message=message, **self._job)

    def _say(self, kind: str, **members: object) -> None:
        self._link.send(json.dumps({"type": kind, **members}))


def _say_everything_at_once() -> None:
    """Let the supervisor have each line when it is printed: after a crash it is too late."""
    faulthandler.enable()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    sys.stderr.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    libc = ctypes.CDLL(None)
    by_line = 1  # _IOLBF
    libc.setvbuf(ctypes.c_void_p.in_dll(libc, "stdout"), None, by_line, ctypes.c_size_t(0))
