"""Takes what the supervisor sends, one message after the other, and answers."""

from __future__ import annotations

import ctypes
import faulthandler
import json
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from aiobpy import tracing, values
from aiobpy._native import WorkerLink
from aiobpy.worker import device, kinds, problems
from aiobpy.worker.catalogue import Catalogue
from aiobpy.worker.output import Output
from aiobpy.worker.places import places
from aiobpy.worker.reporting import Reporter
from aiobpy.worker.scene import OpenScene
from aiobpy.worker.stopping import Stopper

if TYPE_CHECKING:
    from aiobpy.templates import Template


def serve() -> None:
    """Serve until the supervisor says stop."""
    # The two threads of the link say from now on that this process is there.
    link = WorkerLink()
    _say_everything_at_once()
    Worker(link).run()


class Worker:
    """Jobs in, files out.

    Args:
        link: To the supervisor.
    """

    def __init__(self, link: WorkerLink) -> None:
        self._link = link
        self._catalogue = Catalogue([])
        self._scene = OpenScene()
        self._stopper = Stopper()
        self._reporter = Reporter(link, self._stopper)

    def run(self) -> None:
        """Serve until the supervisor says stop."""
        while (line := self._link.receive()) is not None:
            message = json.loads(line)
            match message["type"]:
                case "welcome":
                    self._welcome(message)
                case "start":
                    self._start(message)
                case "stop":
                    return

    def _welcome(self, message: dict[str, Any]) -> None:
        # What the user of this machine prefers, scripts that run by themselves included, is not
        # for a server.
        bpy.ops.wm.read_factory_settings(use_empty=True)
        try:
            device.choose(message.get("device"))
        except problems.JobError as error:
            self._reporter.say("unusable", problem=error.problem)
            return
        if folder := message.get("inputs"):
            places.inputs = Path(folder)
        places.roots = [Path(path) for path in message.get("roots", ())]
        places.trusted = [Path(path) for path in message.get("trusted", ())]
        paths = [Path(path) for path in message["templates"]]
        self._catalogue = Catalogue(paths, with_builtins=message.get("builtins", False))
        # Before the warm-up: the names in a scene cannot be read from the one that is open.
        described = self._catalogue.describe()
        warm = self._warm_up(message)
        self._reporter.say(
            "ready",
            blender_version=".".join(str(part) for part in bpy.app.version),
            python_version=platform.python_version(),
            templates=described,
            made_of=self._catalogue.made_of(),
            can_leave=self._stopper.can_stop,
            **({} if warm is None else {"template": warm}),
        )

    def _warm_up(self, message: dict[str, Any]) -> str | None:
        """Render what templates want rendered first; return whose scene is open then."""
        warm = None
        if "folder" not in message:
            return None
        for template in self._catalogue.to_warm_up(message.get("pool")):
            output = {"format": "png", "width": 64, "height": 64, "samples": 1}
            path = Path(message["folder"]) / "warm-up.png"
            job = {"params": template.warm_up, "output": output, "output_path": path}
            try:
                self._do(template, job)
                warm = template.name
            except problems.JobError as error:
                # Its jobs will say so too.
                self._note(error)
            path.unlink(missing_ok=True)
        self._scene.restore()
        return warm

    def _start(self, job: dict[str, Any]) -> None:
        self._reporter.begin(job)
        # What the template asks of others is in the job's trace.
        tracing.trace.set(job.get("traceparent"))
        try:
            self._do(self._catalogue[job["template"]], job)
        except problems.JobError as error:
            self._fail(error)
        except Exception as error:
            self._fail(problems.worker_fault(error))
        else:
            self._reporter.end("finished")
        sys.stdout.flush()
        # While the next job is on its way.
        self._scene.restore()

    def _do(self, template: Template, job: dict[str, Any]) -> None:
        self._scene.open_for(template, job["params"])
        output = Output(job["output"], Path(job["output_path"]), self._reporter)
        try:
            arguments = self._arguments(template, job["params"])
            if template.output_parameter is not None:
                arguments[template.output_parameter] = output
            returned = _called(template, arguments)
            if returned is not None and output.format == "json":
                output.write_json(returned)
            elif template.output_parameter is None:
                output.render()
            if not output.path.exists():
                raise problems.nothing_made(template.name, output.format)
        finally:
            output.tidy()

    def _arguments(self, template: Template, params: dict[str, Any]) -> dict[str, Any]:
        try:
            arguments = template.arguments(params)
            kinds.show_parts(template.shows, arguments)
        except values.UnfitError as error:
            raise problems.parameter_unfit(template.name, error, error.pointer) from None
        except ValueError as error:
            raise problems.template_raised(template.name, error) from None
        return arguments

    def _fail(self, error: problems.JobError) -> None:
        if not self._reporter.is_cancelled():
            # The template may have been half-way through.
            self._scene.forget()
        self._note(error)
        self._reporter.end("failed", problem=error.problem)

    def _note(self, error: problems.JobError) -> None:
        print(f"{error.problem['title']}: {error}", file=sys.stderr)  # noqa: T201 - kept with the job


def _called(template: Template, arguments: dict[str, Any]) -> Any:
    try:
        return template.function(**arguments)
    except problems.JobError:
        # Of what it asked us to do, as a render that Blender refused.
        raise
    except (Exception, SystemExit) as error:
        raise problems.template_raised(template.name, error) from None


def _say_everything_at_once() -> None:
    """Let the supervisor have each line when it is printed: after a crash it is too late."""
    faulthandler.enable()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    sys.stderr.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    libc = ctypes.CDLL(None)
    by_line = 1  # _IOLBF
    libc.setvbuf(ctypes.c_void_p.in_dll(libc, "stdout"), None, by_line, ctypes.c_size_t(0))
