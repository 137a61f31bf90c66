"""Finds the tests of a file without importing it: outside Blender there is no `bpy`.

For each `async def test_…` pytest gets a function with the same name, marks and parameters, which
has the test run in Blender. So pytest's own marks, parameters and fixtures work as ever.
"""

from __future__ import annotations

import ast
import inspect
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from aiobpy.uitest.tested import TestedBlender

FIXTURE: Final = "aiobpy_blender"
"""The fixture that is each Blender in turn."""


class UiTestFile(pytest.Module):
    """A file of tests that run inside Blender."""

    def _getobj(self) -> ModuleType:
        source = self.path.read_text(encoding="utf-8")
        try:
            tree = ast.parse(source, str(self.path))
        except SyntaxError as error:
            msg = f"{self.path}:{error.lineno}: {error.msg}"
            raise self.CollectError(msg) from None
        module = ModuleType(self.path.stem)
        module.__file__ = str(self.path)
        module.__doc__ = ast.get_docstring(tree)
        for node in tree.body:
            self._take(module, node, source)
        return module

    def _take(self, module: ModuleType, node: ast.stmt, source: str) -> None:
        match node:
            case ast.AsyncFunctionDef(name=name) if name.startswith("test"):
                setattr(module, name, self._stand_in(node, source))
            case ast.FunctionDef(name=name) if name.startswith("test"):
                self._refuse(node, f"`{name}` must be an `async def` to be run in Blender")
            case ast.ClassDef(name=name) if name.startswith("Test"):
                self._refuse(node, f"write the tests of `{name}` as functions: classes do not run")
            case ast.Assign(targets=[ast.Name(id="pytestmark")], value=value):
                module.pytestmark = self._value(value, "pytestmark")  # type: ignore[attr-defined]

    def _stand_in(self, node: ast.AsyncFunctionDef, source: str) -> Any:
        """A function that pytest takes for the test."""
        path, name = str(self.path), node.name

        def run_in_blender(**values: Any) -> None:
            blender: TestedBlender = values.pop(FIXTURE)
            request: pytest.FixtureRequest = values.pop("request")
            blender.run(request.node, path, source, name, values)

        # Reports name the place of the code.
        code: CodeType = run_in_blender.__code__
        code = code.replace(co_filename=path, co_firstlineno=node.lineno, co_name=name)
        test = FunctionType(code, globals(), name, None, run_in_blender.__closure__)
        test.__doc__ = ast.get_docstring(node)
        test.__signature__ = self._signature(node)  # type: ignore[attr-defined]
        for decorator in reversed(node.decorator_list):
            if ast.unparse(decorator).startswith("pytest."):
                test = self._value(decorator, f"a decorator of `{name}`")(test)
        return test

    def _signature(self, node: ast.AsyncFunctionDef) -> inspect.Signature:
        arguments = node.args
        if arguments.vararg or arguments.kwarg:
            self._refuse(node, f"`{node.name}` takes * or **; name its parameters")
        without_default = arguments.args[: len(arguments.args) - len(arguments.defaults)]
        names = [argument.arg for argument in without_default]
        return inspect.Signature(
            [
                inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY)
                for name in dict.fromkeys([FIXTURE, "request", *names])
            ]
        )

    def _value(self, node: ast.expr, what: str) -> Any:
        """Evaluate marks and their arguments, which may name nothing but `pytest`."""
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and inner.id != "pytest":
                self._refuse(
                    inner,
                    f"{what} names `{inner.id}`; it is evaluated outside Blender, where this file"
                    " is not imported: write literal values",
                )
        return eval(compile(ast.Expression(node), str(self.path), "eval"), {"pytest": pytest})

    def _refuse(self, node: ast.stmt | ast.expr, why: str) -> None:
        msg = f"{self.path}:{node.lineno}: {why}"
        raise self.CollectError(msg)
