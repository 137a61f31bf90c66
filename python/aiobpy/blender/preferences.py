"""The extension's preferences: how much of each frame Python callbacks may take."""

import bpy

from aiobpy.blender import service

_DEFAULT_BUDGET_MILLISECONDS = 4.0


class AiobpyFilesFolder(bpy.types.PropertyGroup):
    """A folder whose files clients of the web server may name."""

    folder: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Folder",
        description="Files in it, and in the folders in it, may be named by programs",
        subtype='DIR_PATH',
        update=lambda _self, _context: service.allow_files(files_folders()),
    )


class AIOBPY_OT_files_folder_add(bpy.types.Operator):
    """Let programs that may use files name those in one more folder"""

    bl_idname = "aiobpy.files_folder_add"
    bl_label = "Add Folder"

    def execute(self, _context: bpy.types.Context) -> set[str]:
        if (kept := _kept()) is not None:
            kept.files_folders.add()
        return {'FINISHED'}


class AIOBPY_OT_files_folder_remove(bpy.types.Operator):
    """Let programs name files in this folder no more"""

    bl_idname = "aiobpy.files_folder_remove"
    bl_label = "Remove Folder"

    index: bpy.props.IntProperty(options={'HIDDEN'})  # type: ignore[valid-type]

    def execute(self, _context: bpy.types.Context) -> set[str]:
        if (kept := _kept()) is not None:
            kept.files_folders.remove(self.index)
        service.allow_files(files_folders())
        return {'FINISHED'}


class AiobpyPreferences(bpy.types.AddonPreferences):
    """What a person may set."""

    # Blender looks preferences up by the add-on's package, which is only known at registration.
    bl_idname = __package__

    budget_milliseconds: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Budget per Tick",
        description=(
            "Milliseconds that Python callbacks may take before Blender goes on with its own work;"
            " what is left runs in the next tick"
        ),
        default=_DEFAULT_BUDGET_MILLISECONDS,
        min=0.1,
        soft_max=16.0,
        max=100.0,
        precision=1,
        update=lambda self, _context: service.set_budget(self.budget_milliseconds / 1000),
    )

    keeps_frame_rate: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Keep the Frame Rate",
        description=(
            "Give callbacks a small part of each frame while an animation plays, something is"
            " moved or a menu is open"
        ),
        default=True,
        update=lambda self, _context: service.set_keeps_frame_rate(self.keeps_frame_rate),
    )

    allows_exec: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Run Python",
        description=(
            "Let programs that have the web server's token run any Python in Blender, from each"
            " start of the server on"
        ),
        default=False,
    )

    is_shared: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Share on the Network",
        description="Let devices on the network reach the web server, from each start of it on",
        default=False,
    )

    files_folders: bpy.props.CollectionProperty(  # type: ignore[valid-type]
        name="Files",
        description="Folders whose files programs may name",
        type=AiobpyFilesFolder,
    )

    def draw(self, _context: bpy.types.Context) -> None:
        column = self.layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        column.prop(self, "budget_milliseconds")
        column.prop(self, "keeps_frame_rate")
        column.separator()
        column.label(text="When the web server is started:")
        column.prop(self, "is_shared")
        column.prop(self, "allows_exec")
        column.separator()
        column.label(text="Folders whose files programs may name:")
        for index, kept in enumerate(self.files_folders):
            row = column.row(align=True)
            row.use_property_split = False
            row.prop(kept, "folder", text="")
            row.operator("aiobpy.files_folder_remove", text="", icon='X').index = index
        column.operator("aiobpy.files_folder_add", icon='ADD')


def name_after(package: str) -> None:
    """Tie the preferences to the add-on's package. Call it before `register`."""
    AiobpyPreferences.bl_idname = package


def budget_seconds() -> float:
    """What the person has set, in seconds; the default where Blender keeps none for us."""
    kept = _kept()
    milliseconds = _DEFAULT_BUDGET_MILLISECONDS if kept is None else kept.budget_milliseconds
    return float(milliseconds) / 1000


def keeps_frame_rate() -> bool:
    """Whether callbacks give way while Blender draws for somebody."""
    kept = _kept()
    return True if kept is None else bool(kept.keeps_frame_rate)


def allows_exec() -> bool:
    """Whether programs may run Python as soon as the web server runs."""
    kept = _kept()
    return False if kept is None else bool(kept.allows_exec)


def is_shared() -> bool:
    """Whether devices on the network may reach the web server as soon as it runs."""
    kept = _kept()
    return False if kept is None else bool(kept.is_shared)


def files_folders() -> list[str]:
    """The folders whose files clients of the web server may name."""
    kept = _kept()
    folders = [] if kept is None else [kept.folder for kept in kept.files_folders]
    return [bpy.path.abspath(folder) for folder in folders if folder]


def register() -> None:
    """Register the preferences."""
    for registered in _CLASSES:
        bpy.utils.register_class(registered)


def unregister() -> None:
    """Unregister the preferences."""
    for registered in reversed(_CLASSES):
        bpy.utils.unregister_class(registered)


def _kept() -> AiobpyPreferences | None:
    addon = bpy.context.preferences.addons.get(AiobpyPreferences.bl_idname)
    return None if addon is None else addon.preferences


_CLASSES = (
    AiobpyFilesFolder,
    AIOBPY_OT_files_folder_add,
    AIOBPY_OT_files_folder_remove,
    AiobpyPreferences,
)
