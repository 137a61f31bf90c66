"""What a person sees of aiobpy inside Blender: the sidebar panel, its operators, the preferences.

**Invariant:** nothing here knows how the loop or the server works; it starts, stops and shows them.
"""

from aiobpy.blender import operators, panel, preferences, service, sharing, tasks

_modules = (preferences, operators, tasks, panel, sharing)


def register(package: str) -> None:
    """Register in the order in which the modules need each other, then start the loop.

    Args:
        package: The name that Blender gave the extension, as in `bl_ext.user_default.aiobpy`.
    """
    preferences.name_after(package)
    for module in _modules:
        module.register()
    service.allow_files(preferences.files_folders())
    service.start(preferences.budget_seconds(), keeps_frame_rate=preferences.keeps_frame_rate())


def unregister() -> None:
    """Stop what runs, then unregister in the opposite order. Nothing of aiobpy is left behind."""
    try:
        service.stop()
    finally:
        for module in reversed(_modules):
            module.unregister()
