"""The extension's preferences: how much of each frame Python callbacks may take."""

import bpy

from aiobpy.blender import service

_DEFAULT_BUDGET_MILLISECONDS = 4.0


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


def register() -> None:
    """Register the preferences."""
    bpy.utils.register_class(AiobpyPreferences)


def unregister() -> None:
    """Unregister the preferences."""
    bpy.utils.unregister_class(AiobpyPreferences)


def _kept() -> AiobpyPreferences | None:
    addon = bpy.context.preferences.addons.get(AiobpyPreferences.bl_idname)
    return None if addon is None else addon.preferences
