"""Starts a kernel: `python -m aiobpy.jupyter`, or this file by `blender --python`.

This file uses only what the Python of any Blender can read, and imports aiobpy after the check:
what is missing has to be said even where nothing of ours can be imported.
"""

from __future__ import annotations

import argparse
import atexit
import importlib.util
import json
import os
import shutil
import sys
import traceback

MARK = "aiobpy-jupyter: "
"""Begins the line that answers `--check`: Blender prints lines of its own around it."""


def main() -> None:
    """Run the kernel that Jupyter asks for, or say whether this Blender could."""
    arguments = parse(own_arguments(sys.argv))
    if arguments.packages:
        sys.path.insert(0, arguments.packages)
    problem = why_it_cannot_be_a_kernel()
    if arguments.check:
        print(MARK + json.dumps(problem or what_it_is()), flush=True)
        leave(0)
    if problem:
        print(f"error: {problem['error']}\nhint: {problem['hint']}", file=sys.stderr)
        leave(1)
    import aiobpy.host
    from aiobpy.jupyter import run

    if aiobpy.host.has_main_loop():
        run.as_guest(arguments.connection_file)
        return
    # What is registered later is called earlier: this comes after all that a notebook leaves to do.
    atexit.register(leave, 0)
    try:
        run.alone(arguments.connection_file)
    except BaseException:
        traceback.print_exc()
        leave(1)


def own_arguments(argv: list[str]) -> list[str]:
    """Return what is meant for us: in a Blender, what stands behind `--`."""
    return argv[argv.index("--") + 1 :] if "--" in argv else argv[1:]


def parse(arguments: list[str]) -> argparse.Namespace:
    """Return the arguments by name."""
    parser = argparse.ArgumentParser(prog="aiobpy.jupyter", description="A Jupyter kernel.")
    parser.add_argument("connection_file", nargs="?", help="written by Jupyter")
    parser.add_argument("--packages", metavar="DIR", help="a folder that holds ipykernel")
    parser.add_argument("--check", action="store_true", help="say whether a kernel could run")
    namespace = parser.parse_args(arguments)
    if not namespace.check and not namespace.connection_file:
        parser.error("a connection file is needed, which Jupyter writes")
    return namespace


def why_it_cannot_be_a_kernel() -> dict[str, str] | None:
    """Return what is wrong with this Blender or its Python; None if nothing is."""
    version = python_version()
    try:
        import bpy
    except ImportError as error:
        return problem(
            f"{sys.executable} cannot import bpy: {error}",
            "install it with `pip install bpy`, or name a Blender with `--blender`",
        )
    blender = f"Blender {bpy.app.version_string} with Python {version}"
    try:
        import_aiobpy()
        from aiobpy.jupyter import OLDEST_IPYKERNEL
    except ImportError as error:
        return problem(
            f"{blender} cannot import aiobpy: {error}",
            "aiobpy needs Blender 4.2 or newer, and a wheel that is made for this platform; "
            "if this Blender has the extension, give that the version of this command",
        )
    package = f'"ipykernel>={OLDEST_IPYKERNEL}"'
    if bpy.app.binary_path:
        folder = f"~/.local/share/aiobpy/packages-{version}"
        install = (
            f"pip install --target {folder} --python-version {version} --only-binary :all: "
            f"{package}\nthen add `--packages {folder}`"
        )
    else:
        install = f"{sys.executable} -m pip install {package}"
    try:
        import ipykernel
    except ImportError as error:
        return problem(f"{blender} cannot import ipykernel: {error}", install)
    if ipykernel.version_info[0] < OLDEST_IPYKERNEL:
        return problem(
            f"{blender} has ipykernel {ipykernel.__version__}, and {OLDEST_IPYKERNEL} is needed",
            install,
        )
    return None


def import_aiobpy() -> None:
    """Import the package that this file belongs to, unless Blender has one already.

    Its folder does not go on the path: beside it may be packages for another Python.
    """
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if "aiobpy" in sys.modules:
        return
    spec = importlib.util.spec_from_file_location("aiobpy", os.path.join(folder, "__init__.py"))
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["aiobpy"] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules["aiobpy"]
        raise


def problem(error: str, hint: str) -> dict[str, str]:
    """Return what is wrong and what to do next, as the command reads it."""
    return {"error": error, "hint": hint}


def what_it_is() -> dict[str, str]:
    """Return what can be told of this Blender, as the command reads it."""
    import bpy

    return {"blender": bpy.app.version_string, "python": python_version()}


def python_version() -> str:
    """As in `3.13`."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def leave(code: int) -> None:
    """End the process now.

    Blender's own way out may hang or crash while a notebook's handlers are registered.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    bpy = sys.modules.get("bpy")
    if bpy is not None:
        shutil.rmtree(bpy.app.tempdir, ignore_errors=True)
    os._exit(code)


if __name__ == "__main__":
    main()
