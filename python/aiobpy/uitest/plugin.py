"""The pytest plugin: tests of an add-on's interface, run inside real Blenders with windows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _pytest.pathlib import fnmatch_ex

from aiobpy.uitest import comparison, hooks
from aiobpy.uitest.blenders import Candidate, InstalledBlender
from aiobpy.uitest.collecting import FIXTURE, UiTestFile
from aiobpy.uitest.display import Display
from aiobpy.uitest.tested import TestedBlender

if TYPE_CHECKING:
    from collections.abc import Iterator

_NO_BLENDER = (
    "no Blender to test in: name one with --aiobpy-blender PATH, in the environment as"
    " AIOBPY_BLENDER, or in pytest's configuration as aiobpy_blender"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say which Blenders there are, and which files have tests for them."""
    group = parser.getgroup("aiobpy", "tests inside Blender")
    group.addoption(
        "--aiobpy-blender",
        action="append",
        metavar="PATH",
        help="a Blender to run the tests of uitest files in; may be given several times",
    )
    parser.addini(
        "aiobpy_uitest_files", "names of the files with tests for Blender", "args", ["uitest_*.py"]
    )
    parser.addini("aiobpy_blender", "paths of the Blenders to run them in", "paths", [])
    parser.addini("aiobpy_uitest_packages", "what these tests import in Blender", "paths", [])
    parser.addini("aiobpy_uitest_output", "the folder for pictures", default="uitest-output")
    parser.addini("aiobpy_uitest_timeout", "seconds that such a test may take", default="60")


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Add what a `conftest.py` may tell us."""
    pluginmanager.add_hookspecs(hooks)


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark, and compare what tests record."""
    config.pluginmanager.register(comparison.Comparison(config), "aiobpy.uitest.comparison")
    config.addinivalue_line(
        "markers", "aiobpy_timeout(seconds): how long a test inside Blender may take"
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a file of tests for Blender that pytest itself does not take for one of tests."""
    if not _is_ours(file_path, parent.config) or _is_pythons(file_path, parent):
        return None
    module: UiTestFile = UiTestFile.from_parent(parent, path=file_path)
    return module


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> pytest.Module | None:
    """Collect one that it does: because it is named on the command line, say."""
    if not _is_ours(module_path, parent.config):
        return None
    module: UiTestFile = UiTestFile.from_parent(parent, path=module_path)
    return module


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of each Blender."""
    if FIXTURE not in metafunc.fixturenames:
        return
    stash = metafunc.config.stash
    # The same objects each time: pytest tells from them that two tests want the same Blender.
    candidates = stash.setdefault(_CANDIDATES, None) or _candidates(metafunc.config)
    stash[_CANDIDATES] = candidates
    metafunc.parametrize(
        FIXTURE,
        candidates or [None],
        ids=[candidate.name for candidate in candidates] or ["none"],
        indirect=True,
        scope="session",
    )


@pytest.fixture(scope="session")
def aiobpy_display() -> Iterator[Display]:
    """The display of this session, or one that is started for it."""
    display = Display.of_this_session()
    yield display
    display.stop()


@pytest.fixture(scope="session")
def aiobpy_blender(
    request: pytest.FixtureRequest, aiobpy_display: Display
) -> Iterator[TestedBlender]:
    """Each Blender in turn; pytest runs all tests of one before it goes on to the next."""
    if request.param is None:
        pytest.fail(_NO_BLENDER, pytrace=False)
    config = request.config
    blender = TestedBlender(
        request.param,
        aiobpy_display,
        _packages(config),
        config.rootpath / config.getini("aiobpy_uitest_output"),
        float(config.getini("aiobpy_uitest_timeout")),
    )
    yield blender
    blender.close()


_CANDIDATES = pytest.StashKey[list[Candidate] | None]()


def _is_ours(path: Path, config: pytest.Config) -> bool:
    return any(fnmatch_ex(glob, path) for glob in config.getini("aiobpy_uitest_files"))


def _is_pythons(path: Path, parent: pytest.Collector) -> bool:
    """Whether pytest collects it as it does each file of tests, and so asks for a module."""
    globs = parent.config.getini("python_files")
    return parent.session.isinitpath(path) or any(fnmatch_ex(glob, path) for glob in globs)


def _candidates(config: pytest.Config) -> list[Candidate]:
    if named := config.getoption("aiobpy_blender"):
        return _installed([Path(path) for path in named])
    if (told := config.hook.pytest_aiobpy_blenders(config=config)) is not None:
        return list(told)
    if named := os.environ.get("AIOBPY_BLENDER"):
        return _installed([Path(path) for path in named.split(os.pathsep)])
    return _installed(config.getini("aiobpy_blender"))


def _installed(programs: list[Path]) -> list[Candidate]:
    """Name each by its folder, as Blenders that are unpacked side by side are told apart."""
    candidates: dict[str, Candidate] = {}
    for program in programs:
        name = program.resolve().parent.name
        while name in candidates:
            name += "'"

        def install(display: Display, program: Path = program) -> InstalledBlender:
            return InstalledBlender(program, display)

        candidates[name] = Candidate(name, install)
    return [*candidates.values()]


def _packages(config: pytest.Config) -> list[Path]:
    told = config.hook.pytest_aiobpy_packages(config=config)
    packages = [
        *config.getini("aiobpy_uitest_packages"),
        *(path for paths in told for path in paths),
    ]
    for package in packages:
        if not package.exists():
            pytest.fail(f"there is no `{package}` to bring into Blender", pytrace=False)
    return packages
