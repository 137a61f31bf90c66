"""Says what a Blender and its Python are: `aiobpy doctor` runs this file in each that it finds.

It uses only what the Python of any Blender can read: an old one has to be able to say that it is.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import sys

MARK = "aiobpy-examination: "
DEVICES = ('CUDA', 'OPTIX', 'HIP', 'ONEAPI', 'METAL')


def main() -> None:
    """Print what is here as one line, and end the process."""
    folder = os.path.dirname(os.path.abspath(__file__))
    # Run by its path: what lies beside this file is no module of anybody's.
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != folder]
    blender = of_blender()
    # After that: beside an installed aiobpy lies the bpy of another Python.
    sys.path.append(os.path.dirname(os.path.dirname(folder)))
    found = {
        "python": platform.python_version(),
        "executable": sys.executable,
        "aiobpy": of_aiobpy(),
        "blender": blender,
    }
    sys.stdout.write(f"\n{MARK}{json.dumps(found)}\n")
    sys.stdout.flush()
    # Blender's own way out may hang.
    os._exit(0)


def of_aiobpy() -> dict[str, object]:
    """Return which aiobpy this Python has."""
    try:
        import aiobpy
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {"version": aiobpy.__version__}


def of_blender() -> dict[str, object]:
    """Return what Blender this is, and what it sees."""
    try:
        import bpy
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {
        "version": list(bpy.app.version),
        "path": bpy.app.binary_path,
        "devices": devices(bpy),
        "ffmpeg": bool(bpy.app.ffmpeg.supported),
        "fonts": os.path.isdir(os.path.join(bpy.utils.system_resource('DATAFILES'), "fonts")),
    }


def devices(bpy: object) -> list[str]:
    """Return the graphics cards that Cycles can render on."""
    try:
        add_on = bpy.context.preferences.addons["cycles"].preferences  # type: ignore[attr-defined]
    except (AttributeError, KeyError):
        return []
    found = []
    for kind in DEVICES:
        # What it was built without is an error.
        with contextlib.suppress(Exception):
            cards = add_on.get_devices_for_type(kind)
            found += [f"{card.name} ({kind})" for card in cards if card.type == kind]
    return found


if __name__ == "__main__":
    main()
