"""What Blender's own errors mean, in words, for whoever sees one come out of a task."""

from __future__ import annotations


def explain(error: BaseException) -> str | None:
    """Return what happened and what to do next; None if the error says enough by itself."""
    text = str(error)
    if isinstance(error, ReferenceError) and "StructRNA" in text:
        return (
            "hint: a data-block was used after Blender had freed it, as a file load, an undo or a"
            " deletion does during an `await`; keep its name or its `session_uid`, and look it up"
            " in `bpy.data` again after each `await`"
        )
    if isinstance(error, AttributeError) and "Writing to ID classes in this context" in text:
        return (
            "hint: Blender allows no changes while it draws or registers; make them in a task that"
            " an operator starts with `aiobpy.spawn`"
        )
    return None
