"""The pytest plugin as somebody uses it: pytest in pytest, with a real Blender in it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.blender.gui_blender import trees
from tests.libraries import guides

ROOT = Path(__file__).parents[2]
SAMPLES = Path(__file__).parent / "samples"
in_blender = [pytest.mark.blender, pytest.mark.timeout(300)]


class TestInBlender:
    pytestmark = in_blender

    def test_the_guides_test_passes_in_each_blender(self, tmp_path: Path) -> None:
        run = run_pytest(tmp_path, uitest_guide=guides.code("ui_tests"))
        assert run.returncode == 0, run.stdout
        assert f"{5 * len(trees())} passed" in run.stdout
        assert len(list((tmp_path / "uitest-output").rglob("xray.png"))) == len(trees())

    @pytest.mark.parametrize("tree", trees(), ids=lambda tree: tree.name)
    def test_what_goes_wrong_inside_is_told_outside(self, tmp_path: Path, tree: Path) -> None:
        run = run_pytest(tmp_path, "-k", tree.name, uitest_wrong=sample("wrong"))
        assert run.returncode == pytest.ExitCode.TESTS_FAILED
        assert re.search(
            r"7 failed, 2 passed, 1 skipped, (\d+ deselected, )?1 xfailed", run.stdout
        ), run.stdout
        failures = sections(run.stdout)
        assert "AssertionError: assert [1, 2, 3] == [1, 2, 4]" in failures["test_fails"]
        assert "At index 2 diff: 3 != 4" in failures["test_fails"]
        assert "uitest_wrong.py\", line 11, in test_fails" in failures["test_fails"]
        screenshot = re.search(r"screenshot: (.*)", failures["test_fails"])
        assert screenshot
        assert Path(screenshot[1]).read_bytes().startswith(b"\x89PNG")
        assert (
            "after 0.2 s this did not hold: len(bpy.data.objects) == wanted\n"
            "len(bpy.data.objects) was 3\nwanted was 4"
        ) in failures["test_waits_in_vain"]
        assert "took longer than 1 s" in failures["test_never_ends"]
        assert "await asyncio.Event().wait()" in failures["test_never_ends"]
        assert "left tasks running" in failures["test_leaves_a_task"]
        assert "forgotten: " in failures["test_leaves_a_task"]
        assert "ZeroDivisionError" in failures["test_does_not_await_an_error"]
        assert "perhaps 'LEFTMOUSE'" in failures["test_presses_no_key"]
        assert "Blender printed:\n  before it fails" in failures["test_prints"]

    @pytest.mark.parametrize("tree", trees(), ids=lambda tree: tree.name)
    def test_a_blender_that_crashes_or_freezes_is_started_again(
        self, tmp_path: Path, tree: Path
    ) -> None:
        run = run_pytest(tmp_path, "-k", tree.name, uitest_gone=sample("gone"))
        failures = sections(run.stdout)
        assert "4 failed, 2 passed" in run.stdout, run.stdout
        assert "Blender ended with -11" in failures["test_crashes"]
        assert "in test_crashes" in failures["test_crashes"].partition("Segmentation fault")[2]
        assert "Blender ended with 0" in failures["test_quits"]
        assert "did the test shut it down?" in failures["test_shuts_the_loop_down"]
        assert "Blender did not answer for 21 s" in failures["test_freezes"]
        assert re.search(r"line \d+ in test_freezes", failures["test_freezes"])
        assert "screenshot: " in failures["test_freezes"]

    @pytest.mark.parametrize("tree", trees(), ids=lambda tree: tree.name)
    def test_an_add_on_is_brought_into_blender(self, tmp_path: Path, tree: Path) -> None:
        package = tmp_path / "teapots"
        package.mkdir()
        (package / "__init__.py").write_text(sample("teapots"))
        run = run_pytest(
            tmp_path,
            *("-k", tree.name),
            settings="aiobpy_uitest_packages = teapots",
            uitest_teapots=sample("teapots_tested"),
        )
        assert run.returncode == 0, run.stdout

    def test_a_package_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        settings = "aiobpy_uitest_packages = nowhere"
        run = run_pytest(tmp_path, settings=settings, uitest_x="async def test_x(): pass")
        assert f"there is no `{tmp_path}/nowhere` to bring into Blender" in run.stdout

    @pytest.mark.skipif(not trees(), reason="there is no Blender")
    def test_a_blender_is_named_on_the_command_line(self, tmp_path: Path) -> None:
        tree = trees()[0]
        program = tmp_path / "blender-5" / "blender"
        program.parent.mkdir()
        # One that sees our files, as any does that is installed.
        begin = f'mount --bind /tmp {tree}/tmp && exec chroot {tree} blender "$@"'
        program.write_text(f"#!/bin/sh\nexec unshare --mount sh -c '{begin}' - \"$@\"\n")
        program.chmod(0o755)
        named = ("-v", "--aiobpy-blender", str(program))
        run = run_pytest(tmp_path, *named, uitest_guide=guides.code("ui_tests"))
        assert "5 passed" in run.stdout, run.stdout
        assert "test_everything_is_selected_by_a_key[blender-5] PASSED" in run.stdout
        assert (tmp_path / "uitest-output" / "blender-5" / "xray.png").exists()

    @pytest.mark.skipif(len(trees()) < 2, reason="there are no two Blenders to compare")
    def test_values_that_differ_between_blenders_fail(self, tmp_path: Path) -> None:
        run = run_pytest(tmp_path, uitest_compared=sample("compared"))
        assert run.returncode == pytest.ExitCode.TESTS_FAILED
        assert "1 failed, 2 passed" in run.stdout, run.stdout
        assert "compare('version', …) is not the same in all Blenders:" in run.stdout
        assert re.search(r"trixie +\(4, 3, \d+\)", run.stdout), run.stdout
        assert "compare('cubes'" not in run.stdout


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("def test_x(): pass", "1: `test_x` must be an `async def` to be run in Blender"),
        ("class TestX: pass", "1: write the tests of `TestX` as functions"),
        (
            "N = 3\n@pytest.mark.parametrize('n', range(N))\nasync def test_x(n): pass",
            "2: a decorator of `test_x` names `range`",
        ),
        ("async def test_x(*names): pass", "1: `test_x` takes * or **"),
        ("async def test_x(: pass", "1: "),
    ],
)
def test_a_file_that_cannot_be_collected_says_why(tmp_path: Path, text: str, why: str) -> None:
    run = run_pytest(tmp_path, "--collect-only", uitest_bad=text)
    assert f"uitest_bad.py:{why}" in run.stdout, run.stdout


def test_without_a_blender_it_says_how_to_name_one(tmp_path: Path) -> None:
    run = run_pytest(tmp_path, uitest_x="async def test_x(): pass", hooks="aiobpy.uitest.plugin")
    assert "no Blender to test in: name one with --aiobpy-blender PATH" in run.stdout


def test_what_is_no_blender_says_so(tmp_path: Path) -> None:
    arguments = ("--aiobpy-blender", sys.executable)
    run = run_pytest(tmp_path, *arguments, uitest_x="async def test_x(): pass")
    assert "bin could not be started; it printed:\n  unknown option" in run.stdout, run.stdout


def test_only_plain_values_go_into_blender(tmp_path: Path) -> None:
    conftest = "import pytest\n\n@pytest.fixture\ndef thing(): return object()\n"
    files = {"conftest": conftest, "uitest_x": "async def test_x(thing): pass"}
    run = run_pytest(tmp_path, "--aiobpy-blender", sys.executable, **files)
    assert "TypeError: 'thing' is <object object at " in run.stdout


def sample(name: str) -> str:
    """Return the text of a file of tests that are to fail."""
    return (SAMPLES / f"{name}.py").read_text()


def sections(printed: str) -> dict[str, str]:
    """Return what pytest printed of each failure, by test."""
    parts = re.split(r"^_+ (test_\w+).* _+$", printed, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def run_pytest(
    folder: Path,
    *arguments: str,
    hooks: str = "tests.conftest",
    settings: str = "",
    **files: str,
) -> subprocess.CompletedProcess[str]:
    """Run such files in the Blenders that our own tests use, and return what was printed."""
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    (folder / "pytest.ini").write_text(f"[pytest]\nmarkers = blender\n{settings}\n")
    plugins = ("-p", "aiobpy.uitest.plugin", "-p", hooks, "-p", "no:cacheprovider")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--color=no", *plugins, *arguments, str(folder)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
