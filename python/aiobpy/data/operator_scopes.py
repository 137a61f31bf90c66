"""Which scope an operator takes: most change data, some reach files, some run Python."""

from __future__ import annotations

from typing import Any, Final

_EXEC_MODULES: Final = frozenset(
    {"console", "extensions", "file", "preferences", "script", "scripting"}
)
_EXEC_PREFIXES: Final = (
    "asset.bundle_install",
    "asset.open_containing",
    "image.external_edit",
    "image.project_edit",
    "render.play_rendered",
    "scene.freestyle_module",
    "screen.userpref",
    "sound.bake",
    "text.run_script",
    "ui.drop",
    "ui.editsource",
    "wm.addon_",
    "wm.batch_rename",
    "wm.context_",
    "wm.doc_",
    "wm.keyconfig",
    "wm.open_mainfile",
    "wm.operator_",
    "wm.owner_",
    "wm.path_open",
    "wm.previews_",
    "wm.properties_",
    "wm.quit_blender",
    "wm.read_",
    "wm.recover_",
    "wm.revert_",
    "wm.save_homefile",
    "wm.save_userpref",
    "wm.url_open",
    "wm.window_close",
    "wm.xr_",
)
"""They run text as Python, start programs, delete files, or replace or end what is open."""

_FILES_PREFIXES: Final = (
    "asset.",
    "brush.asset_",
    "clip.delete_proxy",
    "clip.rebuild_proxy",
    "collection.export",
    "dpaint.bake",
    "fluid.",
    "image.save",
    "image.unpack",
    "object.geometry_node_bake",
    "object.multires_external_",
    "object.simulation_nodes_cache",
    "poselib.",
    "ptcache.",
    "sequencer.rebuild_proxy",
    "sound.unpack",
    "text.reload",
    "text.save",
    "wm.clear_recent_files",
    "wm.collection_export",
    "wm.interface_theme_",
    "wm.lib_",
    "wm.save_",
)
"""They read, write or delete where a data-block or a preference says, without being told a path."""

_FILES_SUFFIXES: Final = ("preset_add", "preset_remove", "preset_save")
"""They write or delete presets among the user's scripts, by a name."""

_PATH_ARGUMENTS: Final = frozenset({"directory", "filename", "filepath", "files"})
_PATH_SUBTYPES: Final = frozenset({'DIR_PATH', 'FILE_PATH'})


def scope_of(name: str, arguments: Any) -> str:
    """Return the scope that an operator takes at least, whatever it is given.

    Args:
        name: As in `mesh.primitive_cube_add`.
        arguments: The properties of its RNA type.
    """
    module = name.partition(".")[0]
    if module == "aiobpy":
        # The panel's: they let others in, and say what those may do.
        return "admin"
    if module in _EXEC_MODULES or name.startswith(_EXEC_PREFIXES):
        return "exec"
    if name.startswith(_FILES_PREFIXES) or name.endswith(_FILES_SUFFIXES):
        return "files"
    if any(is_path(prop) for prop in arguments):
        return "files"
    return "control"


def scope_of_call(name: str, arguments: Any, given: dict[str, Any]) -> str:
    """Return the scope that one call takes: a render takes that of files only if it writes."""
    if name == "render.render" and not (given.get("write_still") or given.get("animation")):
        return "control"
    if name in ("render.render", "render.opengl"):
        writes = given.get("write_still") or given.get("animation")
        return "files" if writes else "control"
    return scope_of(name, arguments)


def is_path(prop: Any) -> bool:
    """Return whether an argument names files."""
    return prop.subtype in _PATH_SUBTYPES or prop.identifier in _PATH_ARGUMENTS
