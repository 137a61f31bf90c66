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
    """

    def __init__(
        self, kind: str, title: str, detail: str, *, hint: str | None = None, crash_text: str = ""
    ) -> None:
        super().__init__(detail)
        self.problem: dict[str, Any] = {
            "type": kind,
            "title": title,
            "status": 500,
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


def image_unwritten(path: Path, error: Exception | str) -> JobError:
    """Return the problem of an image that could not be written."""
    return JobError(
        "image-unwritten",
        "The image could not be written",
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
