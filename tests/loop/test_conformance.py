"""CPython's own asyncio tests on our loop, alone and as a guest: the contract, to the letter.

What the stock loop passes, ours passes; what is not asked of it is named in `conformance.toml`.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import pytest

import aiobpy

if TYPE_CHECKING:
    from collections.abc import Callable

RUNNER = Path(__file__).with_name("run_conformance.py")
NOT_ASKED = tomllib.loads(Path(__file__).with_name("conformance.toml").read_text())
OTHER_PYTHONS = ["3.13"]
"""That Blenders have, besides the one that runs us: the same wheel serves them."""

FIND_MODULES = """
import pkgutil, sys, test.test_asyncio
for module in pkgutil.iter_modules(test.test_asyncio.__path__):
    if module.name.startswith("test_"):
        print(f"test.test_asyncio.{module.name}")
of_unittest = "test.test_unittest" if sys.version_info >= (3, 12) else "unittest.test"
print(f"{of_unittest}.test_async_case")
"""


class Python(NamedTuple):
    """An interpreter that has brought its own tests, or why there is none."""

    program: str
    modules: list[str]
    missing: str = ""


@functools.cache
def python(version: str) -> Python:
    """Find an interpreter: on the path, or among those of pyenv."""
    programs = [*Path("~/.pyenv/versions").expanduser().glob(f"{version}.*/bin/python{version}")]
    if on_path := shutil.which(f"python{version}"):
        programs.insert(0, Path(on_path))
    if version == RUNNING:
        programs = [Path(sys.executable)]
    for program in programs:
        found = subprocess.run(
            [program, "-c", FIND_MODULES], capture_output=True, text=True, check=False
        )
        if found.returncode == 0:
            modules = [
                module
                for module in found.stdout.split()
                if module.rpartition(".")[2] not in NOT_ASKED["left_out_modules"]
            ]
            return Python(str(program), modules)
    return Python("", [""], f"no Python {version} with its own tests (Debian's comes without)")


RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
CASES = [
    pytest.param(version, module, id=f"{version}-{module.rpartition('.')[2]}")
    for version in [RUNNING, *OTHER_PYTHONS]
    for module in python(version).modules
]


@pytest.fixture(scope="session")
def package_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with our package and nothing else: no other module made for another Python."""
    folder = tmp_path_factory.mktemp("package")
    (folder / "aiobpy").symlink_to(Path(aiobpy.__file__).parent)
    return folder


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("version", "module"), CASES)
def test_cpython_asyncio(version: str, module: str, package_path: Path, tmp_path: Path) -> None:
    interpreter = python(version)
    if interpreter.missing:
        pytest.skip(interpreter.missing)
    run = functools.partial(Run, interpreter, module, package_path, tmp_path)
    # Both at once: these tests wait more than they work.
    with run("alone") as alone, run("guest") as guest:
        problems = [*problems_of(alone, run), *problems_of(guest, run)]
    assert not problems, "\n\n".join(problems)


def test_what_is_not_asked_of_us_is_there() -> None:
    modules = {module.rpartition(".")[2] for module in python(RUNNING).modules}
    assert NOT_ASKED["private_internals"].keys() <= modules


class Run:
    """One module on one kind of loop, under way."""

    def __init__(
        self,
        interpreter: Python,
        module: str,
        package_path: Path,
        folder: Path,
        kind: str,
        *tests: str,
    ) -> None:
        self.module = module.rpartition(".")[2]
        self.kind = kind
        self._process = subprocess.Popen(
            [
                *(interpreter.program, str(RUNNER), "--loop", kind, module, *tests),
                *("--without", *NOT_ASKED["left_out_classes"]),
            ],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(package_path), "PYTHONWARNINGS": "default"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def outcome(self) -> dict[str, Any]:
        """Wait for the end and return what came of each test."""
        output, errors = self._process.communicate()
        try:
            outcome: dict[str, Any] = json.loads(output.splitlines()[-1])
        except (IndexError, ValueError):
            pytest.fail(f"{self.module} broke off ({self.kind}):\n{output}\n{errors}")
        return outcome


def problems_of(run: Run, run_again: Callable[..., Run]) -> list[str]:
    """Say, for each test that does not end as it should, what is wrong."""
    outcome = run.outcome()
    not_passed = outcome["failed"] | outcome["skipped"]
    private_internals = NOT_ASKED["private_internals"].get(run.module, {})
    problems = [
        f"{test} is passed ({run.kind}), or is not there: take it out of conformance.toml"
        for test in private_internals.keys() - not_passed.keys()
    ]
    if unexplained := not_passed.keys() - private_internals.keys():
        with run_again("stock", *unexplained) as on_stock:
            stock = on_stock.outcome()
        problems += [
            f"{test} passes on the stock loop, but not on ours ({run.kind}): {not_passed[test]}"
            for test in unexplained - stock["failed"].keys() - stock["skipped"].keys()
        ]
    return problems
