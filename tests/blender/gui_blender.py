"""A real Blender with a window, from a Debian tree, and a wire to the driver inside it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import aiobpy
from aiobpy.uitest.blenders import RunningBlender, link_or_copy
from aiobpy.uitest.wire import PATIENCE
from tests.blender.process_facts import ProcessFacts

if TYPE_CHECKING:
    from aiobpy.uitest.display import Display

_ROOT: Final = Path(__file__).parents[2]
_DRIVER: Final = Path(__file__).with_name("driver.py")


def trees() -> list[Path]:
    """Return the Debian trees with a Blender: those named, else those in the cache."""
    if named := os.environ.get("AIOBPY_BLENDER_TREES"):
        return [Path(tree) for tree in named.split(os.pathsep)]
    cache = Path(os.environ.get("AIOBPY_CACHE", "~/.cache/aiobpy")).expanduser()
    found = cache.glob("blender/*/usr/bin/blender")
    return sorted(blender.parents[2] for blender in found if ".partial" not in str(blender))


class Installation:
    """A Debian tree with a Blender in it, and a home folder of its own for one test.

    Attributes:
        variables: Of the environment, beside those that every Blender here has.
    """

    def __init__(self, tree: Path, display: Display) -> None:
        self.tree = tree
        self.display = display
        self.variables: dict[str, str] = {}
        (tree / "tmp").mkdir(exist_ok=True)
        self.home = Path(tempfile.mkdtemp(prefix="aiobpy-test-", dir=tree / "tmp"))

    def remove(self) -> None:
        """Remove the home folder."""
        shutil.rmtree(self.home, ignore_errors=True)

    def version(self) -> str:
        """As Blender itself says it, as in `5.2.2`."""
        return self.run("--version").split()[1]

    def python(self) -> str:
        """Return the version of its Python, as in `3.14`."""
        return (self.tree / "usr/bin/python3").readlink().name.removeprefix("python")

    def bring(self, file: Path) -> Path:
        """Copy a file into the home folder; return its path as Blender sees it."""
        return self.inside(Path(shutil.copy(file, self.home)))

    def inside(self, path: Path) -> Path:
        """Return the path of a file in the tree as Blender sees it."""
        return Path("/") / path.relative_to(self.tree)

    def command_line(self, *arguments: str) -> list[str]:
        """Return how to run this Blender with nothing of the outer environment."""
        environment = {
            "DISPLAY": self.display.name,
            "HOME": str(self.inside(self.home)),
            "LANG": "C.UTF-8",
            "LIBGL_ALWAYS_SOFTWARE": "1",
            # Shaders take software GL some ten seconds: one home's serve the next.
            "MESA_SHADER_CACHE_DIR": "/tmp/aiobpy-shaders",
            "PATH": "/usr/bin:/bin",
            **self.variables,
        }
        variables = [f"{name}={value}" for name, value in environment.items()]
        return ["chroot", str(self.tree), "env", "-i", *variables, "blender", *arguments]

    def run(self, *arguments: str) -> str:
        """Run this Blender to its end without a window and return what it printed.

        Raises:
            AssertionError: It did not end with 0.
        """
        result = subprocess.run(
            self.command_line(*arguments),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            stdin=subprocess.DEVNULL,
        )
        printed = f"{result.stdout}\n{result.stderr}"
        assert result.returncode == 0, f"blender {arguments} ended so:\n{printed}"
        return result.stdout


def install_libraries(installation: Installation) -> None:
    """Put the libraries, and us, where the guides say: into the user's folder of modules.

    Raises:
        FileNotFoundError: The libraries for its Python are not there.
    """
    libraries = _ROOT / ".venv" / "blender-libraries" / installation.python()
    if not libraries.is_dir():
        msg = f"`{libraries}` is missing; `cargo xtask setup` makes it"
        raise FileNotFoundError(msg)
    version = installation.version().rpartition(".")[0]
    modules = installation.home / ".config" / "blender" / version / "scripts" / "modules"
    shutil.copytree(libraries, modules, copy_function=link_or_copy)
    shutil.copytree(Path(aiobpy.__file__).parent, modules / "aiobpy")


class GuiBlender(RunningBlender, ProcessFacts):
    """A running Blender with a window. Its driver does what it is asked, one thing at a time.

    Args:
        driver: The script that answers at Blender's end of the wire.
        arguments: For the script, after the number of the wire's descriptor.
    """

    def __init__(self, installation: Installation, driver: Path = _DRIVER, *arguments: str) -> None:
        script = installation.bring(driver)
        super().__init__(
            installation, lambda wire: ["--python", str(script), "--", str(wire), *arguments]
        )
