"""Children that talk in lines, are fed, and end."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import aiobpy
from examples.encode_video.encode import encode

if TYPE_CHECKING:
    from tests.transfer.conftest import Run

MIB = 1 << 20


def python(program: str) -> tuple[str, str, str]:
    return sys.executable, "-c", program


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    # Whose parent has not looked yet.
    return state != "Z"


async def gone(pid: int) -> None:
    """Wait for the end of a process that is no child of ours."""
    fd = os.pidfd_open(pid)
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    loop.add_reader(fd, ended.cancel)
    await asyncio.wait([ended])
    loop.remove_reader(fd)
    os.close(fd)


def test_lines_come_as_they_are_printed_and_say_where(run: Run[Any]) -> None:
    program = """
import sys
print("one", flush=True)
sys.stdin.readline()
print("zwei, größer", file=sys.stderr, flush=True)
sys.stdin.readline()
sys.stdout.write("1 %\\r2 %\\r\\n\\nlast"); sys.stdout.flush()
"""

    async def main() -> list[tuple[str, str]]:
        seen: list[tuple[str, str]] = []
        async with aiobpy.process(*python(program)) as child:
            async for line in child:
                seen.append((line.stream, str(line)))
                if len(seen) < 3:
                    await child.write("go on\n")
        assert child.returncode == 0
        return seen

    assert run(main()) == [
        ("stdout", "one"),
        ("stderr", "zwei, größer"),
        ("stdout", "1 %"),
        ("stdout", "2 %"),
        ("stdout", ""),
        ("stdout", "last"),
    ]


def test_what_is_written_waits_for_the_child(run: Run[Any]) -> None:
    """A child that does not read stops the writer, and gets every byte all the same."""
    program = """
import hashlib, sys
print("ready", flush=True)
digest = hashlib.sha256()
while block := sys.stdin.buffer.read(65536):
    digest.update(block)
print(digest.hexdigest())
"""
    frame = os.urandom(4 * MIB)

    async def main() -> str:
        async with aiobpy.process(*python(program)) as child:
            lines = aiter(child)
            assert await anext(lines) == "ready"
            for _ in range(8):
                await child.write(frame)
                assert child._input.transport.get_write_buffer_size() <= 64 << 10
            await child.end_input()
            return await anext(lines)

    assert run(main()) == hashlib.sha256(frame * 8).hexdigest()


def test_a_failure_has_the_last_lines(run: Run[Any]) -> None:
    program = "import sys; print('what it did'); sys.exit('what went wrong')"

    async def main(**options: Any) -> aiobpy.Process:
        async with aiobpy.process(*python(program), **options) as child:
            pass
        return child

    with pytest.raises(aiobpy.ProcessError) as caught:
        run(main())
    assert re.fullmatch(
        r"python\S* has failed with return code 1; it said:"
        r"\n  what (it did|went wrong)\n  what (it did|went wrong)",
        str(caught.value),
    )
    assert caught.value.returncode == 1
    assert run(main(check=False)).returncode == 1
    with pytest.raises(FileNotFoundError):
        run(enter("/no/such/program"))


async def enter(*command: str) -> None:
    async with aiobpy.process(*command):
        pass


def test_a_child_that_takes_no_more_input_is_named(run: Run[Any]) -> None:
    async def main() -> None:
        async with aiobpy.process(*python("print('enough')")) as child:
            for _ in range(100):
                await child.write(b"x" * MIB)

    with pytest.raises(aiobpy.ProcessError, match="takes no more input; it said:\n  enough"):
        run(main())


def test_cancelling_ends_the_whole_group(run: Run[Any]) -> None:
    """Also what the child has started, and what does not want to end."""
    program = """
import signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
stubborn = "import signal as s; s.signal(s.SIGTERM, s.SIG_IGN); print(0, flush=True); s.pause()"
grandchild = subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE)
grandchild.stdout.readline()
print(grandchild.pid, flush=True)
signal.pause()
"""
    pids: list[int] = []

    async def work(begun: asyncio.Event) -> None:
        async with aiobpy.process(*python(program), grace=0.05) as child:
            async for line in child:
                pids.extend((child.pid, int(line)))
                begun.set()

    async def main() -> None:
        begun = asyncio.Event()
        task = asyncio.create_task(work(begun))
        await begun.wait()
        assert all(map(is_running, pids))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not is_running(pids[0])
        if is_running(pids[1]):
            await gone(pids[1])

    run(main())


def test_leaving_early_ends_a_child_that_goes_on(run: Run[Any]) -> None:
    """Nobody reads its lines any more, and its input has ended."""
    program = """
import sys
sys.stdin.read()
for _ in range(100_000): print("line " * 20)
"""

    async def main() -> aiobpy.Process:
        async with aiobpy.process(*python(program)) as child:
            pass
        return child

    assert run(main()).returncode == 0


def test_an_exception_inside_ends_the_child(run: Run[Any]) -> None:
    pids: list[int] = []

    async def main() -> None:
        async with aiobpy.process(*python("import signal; signal.pause()")) as child:
            pids.append(child.pid)
            msg = "mine"
            raise KeyError(msg)

    with pytest.raises(KeyError, match="mine"):
        run(main())
    assert not is_running(pids[0])


def test_ffmpeg_encodes_frames_from_its_input_and_says_how_far_it_is(
    run: Run[Any], tmp_path: Path
) -> None:
    width, height, count = 320, 180, 90
    frame = bytes(range(256)) * (width * height * 3 // 256)
    seen: list[int] = []

    async def main() -> None:
        async def frames() -> Any:
            for number in range(count):
                yield frame[number * 3 :] + frame[: number * 3]

        await encode(frames(), width, height, tmp_path / "clip.mp4", on_frame=seen.append)

    run(main())
    assert seen == sorted(seen)
    assert seen[-1] == count
    probe = run(probed(tmp_path / "clip.mp4"))
    assert probe == [f"h264,{width},{height},{count}"]


async def probed(path: Path) -> list[str]:
    show = ("-show_entries", "stream=codec_name,width,height,nb_read_frames", "-of", "csv=p=0")
    async with aiobpy.process("ffprobe", "-v", "error", "-count_frames", *show, path) as child:
        return [line async for line in child]
