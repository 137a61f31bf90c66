"""A Blender in which tests run, one after another, and what is told of those that fail."""

from __future__ import annotations

import ast
import importlib.util
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

import aiobpy
from aiobpy.uitest import comparison
from aiobpy.uitest.blenders import RunningBlender, provide
from aiobpy.uitest.wire import HungUpError, NoAnswerError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiobpy.uitest.blenders import Candidate, Installation
    from aiobpy.uitest.display import Display

_GRACE: Final = 20.0
"""Seconds beyond a test's own time until a Blender that does not answer is given up: it has to load
the factory settings first, and to clean up afterwards."""
_GOODBYE: Final = 30.0
"""Seconds that Blender may take to quit."""
_END_AFTER_HANGING_UP: Final = 5.0
"""Seconds that Blender may take to write down that it has crashed, and to end."""
_PYTEST: Final = ("pytest", "_pytest", "py", "pluggy", "iniconfig", "packaging", "pygments")
"""What pytest consists of, which is there for the tests inside Blender too."""


class TestedBlender:
    """A Blender that is started when a test needs it, and again after it has crashed.

    Args:
        candidate: Which Blender.
        display: Where its windows are.
        packages: What the tests import, besides aiobpy and pytest.
        output: The folder for pictures.
        timeout: Seconds that a test may take.
    """

    __test__ = False

    def __init__(
        self,
        candidate: Candidate,
        display: Display,
        packages: Sequence[Path],
        output: Path,
        timeout: float,
    ) -> None:
        self.name = candidate.name
        self._candidate = candidate
        self._display = display
        self._packages = [Path(aiobpy.__file__).parent, *_packages_of_pytest(), *packages]
        self._output = output
        self._timeout = timeout
        self._installation: Installation | None = None
        self._blender: RunningBlender | None = None
        self._version = ""

    def run(
        self, item: pytest.Item, path: str, source: str, name: str, values: Mapping[str, Any]
    ) -> None:
        """Run a test; return when it has passed.

        Raises:
            BaseException: As pytest has it for tests that fail, are skipped or expected to fail.
        """
        seconds = self._timeout_of(item)
        picture = _file_name(f"{Path(path).stem}-{item.name}") + ".png"
        arguments = {
            "path": path,
            "source": source,
            "name": name,
            "arguments": _plain(values),
            "timeout": seconds,
            "picture": picture,
        }
        blender = self._running()
        already_said = len(blender.said())
        answer, problem = None, ""
        try:
            answer = blender.wire.ask_for(seconds + _GRACE, "run", arguments)
        except HungUpError:
            problem = self._has_ended(blender)
        except NoAnswerError:
            problem = self._is_frozen(f"{seconds + _GRACE:g} s", picture)
        except AssertionError as error:
            problem = f"{error}"
        finally:
            if answer is None:
                # It would go on with a test that nobody waits for.
                blender.close()
                self._blender = None
        self._fetch_pictures()
        said = blender.said()[already_said:]
        if answer is None:
            where = f"in {self.name} (Blender {self._version}), which printed:\n{_tail(said)}"
            pytest.fail(f"{problem}\n\nat {name}, {where}", pytrace=False)
        comparison.note(item, self.name, answer["compared"])
        match answer["outcome"]:
            case "skipped":
                pytest.skip(answer["message"])
            case "xfailed":
                pytest.xfail(answer["message"])
            case "failed":
                pytest.fail(self._told(answer, said), pytrace=False)

    @property
    def pid(self) -> int:
        """The number of its process, which is started if it does not run."""
        return self._running().pid

    def folder_inside(self) -> str:
        """Return the folder that it shares with us, as it sees it."""
        self._running()
        assert self._installation is not None
        return str(self._installation.inside(self._installation.home))

    def quit(self) -> str:
        """Quit Blender, as a person does, and return what it has printed.

        Raises:
            AssertionError: It did not end, or not with 0.
        """
        blender, self._blender = self._blender, None
        if blender is None:
            return ""
        try:
            blender.hang_up()
            code = blender.wait(_GOODBYE)
        except subprocess.TimeoutExpired:
            msg = f"{self.name} has not quit within {_GOODBYE:g} s:\n{_tail(blender.said())}"
            raise AssertionError(msg) from None
        finally:
            blender.close()
        assert code == 0, f"{self.name} ended with {code}:\n{_tail(blender.said())}"
        return blender.said()

    def close(self) -> None:
        """Quit Blender, and remove its folder.

        Raises:
            AssertionError: It did not end, or not with 0.
        """
        try:
            self.quit()
        finally:
            if self._installation is not None:
                self._installation.remove()
                self._installation = None

    def _running(self) -> RunningBlender:
        if self._blender is not None and self._blender.is_running():
            return self._blender
        if self._installation is None:
            self._installation = self._candidate.install(self._display)
            self._modules = provide(self._installation, self._packages)
            (self._installation.home / "output").mkdir()
        output = str(self._installation.inside(self._installation.home / "output"))
        modules = str(self._modules)

        def arguments(wire: int) -> list[str]:
            begin = (
                f"import sys; sys.path.insert(0, {modules!r}); "
                f"from aiobpy.uitest import inner; inner.start({wire}, {output!r})"
            )
            return ["--enable-event-simulate", "--python-exit-code", "3", "--python-expr", begin]

        blender = RunningBlender(self._installation, arguments)
        try:
            self._version = blender.ask("ready")
        except NoAnswerError:
            blender.close()
            said = _tail(blender.said())
            pytest.fail(f"{self.name} could not be started; it printed:\n{said}", pytrace=False)
        self._blender = blender
        return blender

    def _timeout_of(self, item: pytest.Item) -> float:
        marker = item.get_closest_marker("aiobpy_timeout")
        return float(marker.args[0]) if marker and marker.args else self._timeout

    def _told(self, answer: Mapping[str, Any], said: str) -> str:
        parts = [answer["message"], f"\nin {self.name} (Blender {self._version}):"]
        parts.append(answer["traceback"].rstrip())
        if answer["picture"]:
            parts.append(f"\nscreenshot: {self._place(answer['picture'])}")
        if said.strip():
            parts.append(f"\nBlender printed:\n{_tail(said)}")
        return "\n".join(parts)

    def _has_ended(self, blender: RunningBlender) -> str:
        try:
            return f"Blender ended with {blender.wait(_END_AFTER_HANGING_UP)}"
        except subprocess.TimeoutExpired:
            return "Blender runs, but aiobpy's loop does not: did the test shut it down?"

    def _is_frozen(self, patience: str, picture: str) -> str:
        what = f"Blender did not answer for {patience}"
        # Nobody wants a picture of all that is on their own screen.
        if not self._display.is_ours() or shutil.which("import") is None:
            return what
        place = self._place(picture)
        self._display.screenshot(place)
        return f"{what}\nscreenshot: {place}"

    def _fetch_pictures(self) -> None:
        if self._installation is None:
            return
        folder = self._installation.home / "output"
        for file in folder.rglob("*"):
            if file.is_file():
                place = self._place(str(file.relative_to(folder)))
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(file, place)

    def _place(self, name: str) -> Path:
        return self._output / self.name / name


def _packages_of_pytest() -> list[Path]:
    specs = [importlib.util.find_spec(name) for name in _PYTEST]
    files = [Path(spec.origin) for spec in specs if spec is not None and spec.origin]
    return [file.parent if file.name == "__init__.py" else file for file in files]


def _plain(values: Mapping[str, Any]) -> str:
    """The values as they are written in Python.

    Raises:
        TypeError: One is not plain.
    """
    for name, value in values.items():
        try:
            ast.literal_eval(repr(value))
        except (ValueError, SyntaxError):
            msg = (
                f"{name!r} is {value!r}, which cannot go into Blender; parameters and fixtures of"
                " a test that runs there are plain values: numbers, texts, lists, dictionaries"
            )
            raise TypeError(msg) from None
    return repr(dict(values))


def _file_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-")


def _tail(text: str) -> str:
    lines = text.strip().splitlines()
    return "\n".join(f"  {line}" for line in lines[-60:])
