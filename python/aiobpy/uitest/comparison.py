"""Compares, when all tests have run, what the same test has recorded in each Blender."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from aiobpy.uitest.collecting import FIXTURE

if TYPE_CHECKING:
    from collections.abc import Mapping

_PROPERTY: Final = "aiobpy_compared"
"""A report's property with the values: reports come from pytest-xdist's workers, too."""


def note(item: pytest.Item, blender: str, values: Mapping[str, str]) -> None:
    """Keep what a test has recorded in a Blender; values are as they are written in Python."""
    assert isinstance(item, pytest.Function)
    parameters = {name: value for name, value in item.callspec.params.items() if name != FIXTURE}
    test = f"{item.originalname}{parameters or ''}"
    item.user_properties.append((_PROPERTY, {"test": test, "in": blender, "values": values}))


class Comparison:
    """Fails each test whose values are not the same in all Blenders."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._values: dict[tuple[str, str, str], dict[str, str]] = {}
        """By file, test and name: for each Blender the value."""
        self._is_over = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take down what a test has recorded."""
        noted: list[Any] = [value for name, value in report.user_properties if name == _PROPERTY]
        if report.when != "call" or self._is_over:
            return
        for of_test in noted:
            for name, value in of_test["values"].items():
                key = (report.nodeid.partition("::")[0], of_test["test"], name)
                self._values.setdefault(key, {})[of_test["in"]] = value

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Report those that differ as failures. The workers of pytest-xdist see only a part."""
        if hasattr(self._config, "workerinput"):
            return
        self._is_over = True
        for key, values in self._values.items():
            if len(set(values.values())) > 1:
                self._config.hook.pytest_runtest_logreport(report=_failure(*key, values))
                session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _failure(file: str, test: str, name: str, values: Mapping[str, str]) -> pytest.TestReport:
    width = max(map(len, values))
    lines = [f"  {blender:{width}}  {value}" for blender, value in sorted(values.items())]
    text = "\n".join([f"compare({name!r}, …) is not the same in all Blenders:", *lines])
    return pytest.TestReport(
        nodeid=f"{file}::{test}",
        location=(file, None, test),
        keywords={},
        outcome="failed",
        longrepr=text,
        when="call",
    )
