"""What can go wrong with a job in a worker, in the words that a client reads."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


class JobError(Exception):
    """A job cannot be done; the worker goes on.

    Args:
        kind: A short, stable word.
        title: The same for all of one kind.
        detail: What was wrong, with what.
        hint: What to do next.
        crash_text: What a person needs to find the fault, as a traceback.
        status: 422 where the job asked for what cannot be.
    """

    def __init__(
        self,
        kind: str,
        title: str,
        detail: str,
        *,
        hint: str | None = None,
        crash_text: str = "",
        status: int = 500,
    ) -> None:
        super().__init__(detail)
        self.problem: dict[str, Any] = {
            "type": kind,
            "title": title,
            "status": status,
            "detail": detail,
        }
        if hint is not None:
            self.problem["hint"] = hint
        if crash_text:
            self.problem["crash_text"] = crash_text


def scene_missing(path: Path) -> JobError:
    """Return the problem of a .blend that is not there."""
    return JobError(
        "scene-missing",
        "The scene does not exist",
        f"there is no file {path}",
        hint="check the scene's path in the template's file; it is relative to that file",
    )


def scene_unreadable(path: Path, error: Exception) -> JobError:
    """Return the problem of a .blend that Blender cannot read."""
    return JobError(
        "scene-unreadable",
        "The scene cannot be loaded",
        f"Blender cannot read {path}: {_one_line(error)}",
        hint="open the file in Blender; it may be damaged or of a newer Blender",
    )


def modifiers_unapplied(path: Path, why: str) -> JobError:
    """Return the problem of modifiers that a template wants applied, and that cannot be."""
    return JobError(
        "modifiers-unapplied",
        "A scene's modifiers cannot be applied",
        f"in {path}, {why}",
        hint="`apply_modifiers` of @aiobpy.template names objects of the scene, as in ['Lid']",
    )


def copy_unwritten(path: Path, error: Exception) -> JobError:
    """Return the problem of a copy of the scene that cannot be written."""
    return JobError(
        "scene-unwritten",
        "A copy of the scene cannot be written",
        f"Blender cannot write {path}: {_one_line(error)}",
        hint="see how much room there is where the fleet keeps its data",
    )


def parameter_unfit(template: str, error: ValueError, pointer: str) -> JobError:
    """Return the problem of a parameter that the scene, or the files at hand, cannot fulfil."""
    return JobError(
        "parameter-unfit",
        "A parameter cannot be used",
        f"the template {template!r} cannot use its parameter {pointer.lstrip('/')!r}: "
        f"{_one_line(error)}",
        hint="`GET /api/v1/templates` lists what each parameter may be",
        status=422,
    )


def scene_outside(paths: list[str]) -> JobError:
    """Return the problem of a .blend that names files where jobs may not read."""
    return JobError(
        "scene-outside",
        "The scene reads files that it may not",
        f"the scene reads {', '.join(paths)}, which is in no folder that jobs may read",
        hint="pack the files into the .blend, or start the server with `--root` for their folder",
        status=422,
    )


def template_raised(name: str, error: BaseException) -> JobError:
    """Return the problem of a template whose function raised, with its traceback."""
    return JobError(
        "template-raised",
        "The template raised an exception",
        f"the template {name!r} raised {type(error).__name__}: {_one_line(error)}",
        hint="the crash text says where",
        crash_text="".join(traceback.format_exception(error)).rstrip(),
    )


def render_failed(error: Exception | str) -> JobError:
    """Return the problem of a render that Blender refused or broke off."""
    return JobError(
        "render-failed",
        "Blender could not render",
        f"the render failed: {_one_line(error)}",
        hint="open the template's scene in Blender, set it up as the job does, and render it there",
    )


def engine_missing(engine: str) -> JobError:
    """Return the problem of a render engine that this Blender has not."""
    return JobError(
        "engine-missing",
        "The render engine is not there",
        f"this Blender has no engine {engine!r}",
        hint="ask for `cycles` or `workbench`, or for a pool of workers whose Blender has it",
        status=422,
    )


def nothing_made(template: str, kind: str) -> JobError:
    """Return the problem of a template that was to make a file and made none."""
    return JobError(
        "nothing-made",
        "The template made nothing",
        f"the template {template!r} ended without writing its {kind} file",
        hint="write to `output.path`, or return a value where the format is json",
    )


def ffmpeg_missing(kind: str) -> JobError:
    """Return the problem of a format that needs ffmpeg where there is none."""
    return JobError(
        "ffmpeg-missing",
        "ffmpeg is missing",
        f"{kind} is made by ffmpeg, and no program of that name is on the worker's PATH",
        hint="install ffmpeg on the server, or name the program in AIOBPY_FFMPEG",
        status=503,
    )


def ffmpeg_failed(kind: str, code: int, printed: str) -> JobError:
    """Return the problem of an ffmpeg that ended badly, with what it printed."""
    return JobError(
        "ffmpeg-failed",
        "ffmpeg failed",
        f"ffmpeg ended with exit code {code} while it made {kind}",
        hint="the crash text is what ffmpeg printed; has this ffmpeg the encoder that it names?",
        crash_text=printed,
    )


def exporter_missing(kind: str) -> JobError:
    """Return the problem of a format that this Blender cannot export."""
    return JobError(
        "exporter-missing",
        "The exporter is not there",
        f"this Blender was built without the exporter of {kind}",
        hint="ask for another format, or for a pool of workers whose Blender has it",
        status=422,
    )


def cancelled() -> JobError:
    """Return the problem of a job that was cancelled while it was under way."""
    return JobError("cancelled", "The job was cancelled", "the job was cancelled", status=409)


def image_unwritten(path: Path, error: Exception | str) -> JobError:
    """Return the problem of a picture that could not be written."""
    return JobError(
        "picture-unwritten",
        "The picture could not be written",
        f"Blender could not write {path}: {_one_line(error)}",
        hint="is the disk full?",
    )


def worker_fault(error: Exception) -> JobError:
    """Return the problem of an exception that is no template's fault."""
    return JobError(
        "worker-fault",
        "The worker failed",
        f"{type(error).__name__}: {_one_line(error)}",
        crash_text="".join(traceback.format_exception(error)).rstrip(),
    )


def _one_line(error: BaseException | str) -> str:
    return " ".join(str(error).removeprefix("Error: ").split())
