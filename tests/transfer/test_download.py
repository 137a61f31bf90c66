"""Files that come, whatever the network and the server do."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import os
import resource
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import aiobpy
from tests.transfer.origin import content

if TYPE_CHECKING:
    from tests.transfer.conftest import Origin, Run

MIB = 1 << 20


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def part_of(path: Path, data: bytes, url: str, **note: Any) -> None:
    """Leave a part, as a download that was broken off does."""
    Path(f"{path}.part").write_bytes(data)
    source = hashlib.sha256(url.encode()).hexdigest()
    Path(f"{path}.part.json").write_text(json.dumps({"source": source, **note}))


def test_a_file_comes_whole_with_its_progress(
    run: Run[Any], origin: Origin, tmp_path: Path
) -> None:
    url = origin.file(size=5 * MIB)
    seen: list[aiobpy.Progress] = []
    path = tmp_path / "file.bin"
    got = run(aiobpy.download(url, path, on_progress=seen.append))
    assert path.read_bytes() == content(5 * MIB)
    assert got == (path, 5 * MIB, None, url, 0, "HTTP/1.1")
    assert {step.total for step in seen} == {5 * MIB}
    assert seen[-1].fraction == 1.0
    assert seen[-1] == (5 * MIB, 5 * MIB)
    assert [step.done for step in seen] == sorted(step.done for step in seen)
    assert names(tmp_path) == ["file.bin"], "nothing is left beside it"


def test_an_empty_file_and_one_of_unknown_length_come_too(
    run: Run[Any], origin: Origin, tmp_path: Path
) -> None:
    empty = run(aiobpy.download(origin.file(size=0), tmp_path / "empty"))
    assert (empty.size, (tmp_path / "empty").read_bytes()) == (0, b"")
    seen: list[aiobpy.Progress] = []
    url = origin.file(size=3 * MIB, chunked=True)
    got = run(aiobpy.download(url, tmp_path / "chunked", on_progress=seen.append))
    assert got.size == 3 * MIB
    assert (tmp_path / "chunked").read_bytes() == content(3 * MIB)
    assert all(step.total is step.fraction is None for step in seen[:-1])
    assert seen[-1] == (3 * MIB, 3 * MIB)


def test_many_come_at_once(run: Run[Any], origin: Origin, tmp_path: Path) -> None:
    urls = [origin.file(size=MIB + number, seed=number) for number in range(20)]

    async def main() -> list[aiobpy.Download]:
        return await asyncio.gather(
            *(aiobpy.download(url, tmp_path / str(number)) for number, url in enumerate(urls))
        )

    assert [got.size for got in run(main())] == [MIB + number for number in range(20)]
    for number in range(20):
        assert (tmp_path / str(number)).read_bytes() == content(MIB + number, number)


def test_a_dropped_connection_is_taken_up_where_it_broke(
    run: Run[Any], origin: Origin, tmp_path: Path
) -> None:
    url = origin.file(size=4 * MIB, drops=[MIB, MIB + 1, 5])
    got = run(aiobpy.download(url, tmp_path / "file"))
    assert (tmp_path / "file").read_bytes() == content(4 * MIB)
    assert got.resumed_from == 0, "nothing had come before"
    asked = [
        (each["headers"].get("range"), each["headers"].get("if-range"))
        for each in origin.asked(url)
    ]
    assert asked == [
        (None, None),
        (f"bytes={MIB}-", '"v1"'),
        (f"bytes={2 * MIB + 1}-", '"v1"'),
        (f"bytes={2 * MIB + 6}-", '"v1"'),
    ]


def test_without_a_validator_a_dropped_connection_starts_again(
    run: Run[Any], origin: Origin, tmp_path: Path
) -> None:
    url = origin.file(size=2 * MIB, etag='W/"weak"', modified=None, drops=[MIB])
    run(aiobpy.download(url, tmp_path / "file"))
    assert (tmp_path / "file").read_bytes() == content(2 * MIB)
    assert [each["headers"].get("range") for each in origin.asked(url)] == [None, None]


def test_a_part_of_last_time_is_gone_on_with(run: Run[Any], origin: Origin, tmp_path: Path) -> None:
    url = origin.file(size=2 * MIB, drops=[MIB])
    path = tmp_path / "file"
    with pytest.raises(aiobpy.TransferError, match=r"n[0-9]+: "):
        run(aiobpy.download(url, path, retries=0))
    assert names(tmp_path) == ["file.part", "file.part.json"]
    assert url not in Path(f"{path}.part.json").read_text(), "an address may hold a signature"
    got = run(aiobpy.download(url, path))
    assert (got.resumed_from, got.size) == (MIB, 2 * MIB)
    assert path.read_bytes() == content(2 * MIB)
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize(
    "now",
    [
        pytest.param({"etag": '"v2"', "seed": 7}, id="it has changed"),
        pytest.param({"ranges": False}, id="no ranges"),
        pytest.param({"lies": "shifted"}, id="another range"),
        pytest.param({"lies": "another"}, id="another version's range"),
        pytest.param({"lies": "unsatisfiable"}, id="no such range"),
        pytest.param({"lies": "encoded"}, id="an encoded range"),
    ],
)
def test_a_part_that_does_not_go_with_what_the_server_has_is_dropped(
    run: Run[Any], origin: Origin, tmp_path: Path, now: dict[str, Any]
) -> None:
    url = origin.file(size=2 * MIB, **now)
    path = tmp_path / "file"
    part_of(path, content(2 * MIB)[:MIB], url, etag='"v1"', total=2 * MIB)
    got = run(aiobpy.download(url, path))
    assert got.resumed_from == 0
    assert path.read_bytes() == content(2 * MIB, now.get("seed", 0))


def test_a_date_tells_versions_apart_where_there_is_no_etag(
    run: Run[Any], origin: Origin, tmp_path: Path
) -> None:
    url = origin.file(size=2 * MIB, etag=None, drops=[MIB])
    path = tmp_path / "file"
    with pytest.raises(aiobpy.TransferError):
        run(aiobpy.download(url, path, retries=0))
    assert run(aiobpy.download(url, path)).resumed_from == MIB
    assert origin.asked(url)[1]["headers"]["if-range"] == "Mon, 02 Mar 2026 10:00:00 GMT"


@pytest.mark.parametrize("note", [None, "", "{", "[]", '{"etag": 3}'])
def test_a_part_of_which_nothing_is_known_is_dropped(
    run: Run[Any], origin: Origin, tmp_path: Path, note: str | None
) -> None:
    url = origin.file(size=MIB)
    path = tmp_path / "file"
    Path(f"{path}.part").write_bytes(b"of what?")
    if note is not None:
        Path(f"{path}.part.json").write_text(note)
    assert run(aiobpy.download(url, path)).resumed_from == 0
    assert path.read_bytes() == content(MIB)
    assert names(tmp_path) == ["file"]


def test_a_part_of_another_address_is_not_gone_on_with(
    run: Run[Any], origin: Origin, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    part_of(path, b"x" * MIB, "http://elsewhere/", etag='"v1"', total=2 * MIB)
    got = run(aiobpy.download(origin.file(size=2 * MIB), path))
    assert got.resumed_from == 0
    assert path.read_bytes() == content(2 * MIB)


def test_resume_false_neither_takes_nor_leaves_a_part(
    run: Run[Any], origin: Origin, tmp_path: Path
) -> None:
    url = origin.file(size=2 * MIB, drops=[MIB])
    path = tmp_path / "file"
    part_of(path, content(2 * MIB)[:MIB], url, etag='"v1"', total=2 * MIB)
    with pytest.raises(aiobpy.TransferError):
        run(aiobpy.download(url, path, resume=False, retries=0))
    assert names(tmp_path) == []
    assert "range" not in origin.asked(url)[0]["headers"]


def test_cancelling_leaves_a_part_in_good_order(
    run: Run[Any], origin: Origin, tmp_path: Path
) -> None:
    url = origin.file(size=3 * MIB, stalls=[2 * MIB])
    path = tmp_path / "file"

    async def main() -> aiobpy.Download:
        has_begun = asyncio.Event()

        def look(progress: aiobpy.Progress) -> None:
            if progress.done >= 2 * MIB:
                has_begun.set()

        task = asyncio.create_task(aiobpy.download(url, path, on_progress=look))
        await has_begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        kept = await aiobpy.read_file(f"{path}.part")
        assert content(3 * MIB).startswith(kept)
        assert len(kept) >= MIB
        # At once: whoever cancels may begin again.
        again = await aiobpy.download(url, path)
        assert again.resumed_from == len(kept)
        return again

    assert run(main()).size == 3 * MIB
    assert path.read_bytes() == content(3 * MIB)


def test_the_sha256_is_checked_before_the_file_takes_its_place(
    run: Run[Any], origin: Origin, tmp_path: Path
) -> None:
    url = origin.file(size=MIB)
    path = tmp_path / "file"
    path.write_text("what was there before")
    with pytest.raises(aiobpy.ChecksumError, match=f"not {'0' * 64}.*nothing was kept"):
        run(aiobpy.download(url, path, sha256="0" * 64))
    assert path.read_text() == "what was there before"
    assert names(tmp_path) == ["file"]
    got = run(aiobpy.download(url, path, sha256=sha256(content(MIB)).upper()))
    assert got.sha256 == sha256(content(MIB))
    assert path.read_bytes() == content(MIB)


def test_a_part_that_was_tampered_with_is_found_out_and_begun_again(
    run: Run[Any], origin: Origin, tmp_path: Path
) -> None:
    url = origin.file(size=2 * MIB)
    path = tmp_path / "file"
    part_of(path, b"x" * MIB, url, etag='"v1"', total=2 * MIB)
    got = run(aiobpy.download(url, path, sha256=sha256(content(2 * MIB))))
    assert got.resumed_from == 0
    assert path.read_bytes() == content(2 * MIB)
    assert len(origin.asked(url)) == 2


def test_a_part_that_is_complete_needs_no_server(
    run: Run[Any], closed_port: int, tmp_path: Path
) -> None:
    url = f"http://127.0.0.1:{closed_port}/file"
    path = tmp_path / "file"
    part_of(path, content(MIB), url, etag='"v1"', total=MIB)
    got = run(aiobpy.download(url, path, sha256=sha256(content(MIB))))
    assert (got.resumed_from, got.size) == (MIB, MIB)
    assert names(tmp_path) == ["file"]


def test_a_mirror_goes_on_where_the_first_address_failed(
    run: Run[Any], origin: Origin, other_origin: Origin, tmp_path: Path
) -> None:
    first = origin.file(size=3 * MIB, drops=[MIB, 0, 0])
    mirror = other_origin.file(size=3 * MIB)
    secret = {"Authorization": "Bearer s3cret", "User-Agent": "test"}
    got = run(
        aiobpy.download(first, tmp_path / "file", mirrors=[mirror], retries=0, headers=secret)
    )
    assert got.url == mirror
    assert (tmp_path / "file").read_bytes() == content(3 * MIB)
    (asked,) = other_origin.asked(mirror)
    assert asked["headers"]["range"] == f"bytes={MIB}-"
    assert asked["headers"]["user-agent"] == "test"
    assert "authorization" not in asked["headers"], "that was for the first address alone"


def test_with_a_sha256_a_mirror_need_not_have_the_same_etag(
    run: Run[Any], origin: Origin, other_origin: Origin, tmp_path: Path
) -> None:
    first = origin.file(size=3 * MIB, drops=[MIB])
    mirror = other_origin.file(size=3 * MIB, etag='"of-the-mirror"')
    wanted = sha256(content(3 * MIB))
    path = tmp_path / "file"
    run(aiobpy.download(first, path, mirrors=[mirror], retries=0, sha256=wanted))
    (asked,) = other_origin.asked(mirror)
    assert asked["headers"]["range"] == f"bytes={MIB}-"


def test_when_every_address_fails_each_is_named(
    run: Run[Any], origin: Origin, closed_port: int, tmp_path: Path
) -> None:
    first = origin.file(status=404, text="gone")
    mirrors = [f"http://127.0.0.1:{closed_port}/file", origin.file(status=403, text="no")]
    with pytest.raises(aiobpy.TransferError) as caught:
        run(aiobpy.download(first, tmp_path / "file", mirrors=mirrors, retries=0))
    said = str(caught.value)
    assert "404 Not Found" in said
    assert f"{closed_port}/file: " in said
    assert "Connection refused" in said
    assert "403 Forbidden" in said
    assert names(tmp_path) == []


def test_a_server_that_is_overloaded_is_asked_again(
    run: Run[Any], origin: Origin, tmp_path: Path
) -> None:
    url = origin.file(size=MIB, statuses=[503, 429], retry_after="0")
    assert run(aiobpy.download(url, tmp_path / "file")).size == MIB
    url = origin.file(size=MIB, statuses=[503], retry_after="3600")
    with pytest.raises(aiobpy.HttpError, match="503 Service Unavailable; try again later"):
        run(aiobpy.download(url, tmp_path / "file"))


def test_silence_is_noticed(run: Run[Any], origin: Origin, tmp_path: Path) -> None:
    url = origin.file(size=MIB, stalls=[1000])
    with pytest.raises(aiobpy.TransferTimeout, match=r"nothing more came within 0\.2 s") as caught:
        run(aiobpy.download(url, tmp_path / "file", timeout=0.2, retries=0))
    assert isinstance(caught.value, TimeoutError)
    assert names(tmp_path) == ["file.part", "file.part.json"]


def test_gzip_is_decoded_and_begun_again_when_it_breaks(
    run: Run[Any], origin: Origin, tmp_path: Path
) -> None:
    url = origin.file(size=2 * MIB, encoding="gzip", drops=[MIB])
    seen: list[aiobpy.Progress] = []
    path = tmp_path / "file"
    got = run(aiobpy.download(url, path, compressed=True, on_progress=seen.append))
    assert path.read_bytes() == content(2 * MIB)
    assert got.size == 2 * MIB
    assert [each["headers"].get("range") for each in origin.asked(url)] == [None, None]
    assert len(gzip.compress(content(2 * MIB))) in {step.total for step in seen}


def test_compression_is_asked_for_only_on_request(
    run: Run[Any], origin: Origin, tmp_path: Path
) -> None:
    url = origin.file(size=MIB, encoding="gzip")
    run(aiobpy.download(url, tmp_path / "file"))
    assert origin.asked(url)[0]["headers"]["accept-encoding"] == "identity"
    assert (tmp_path / "file").read_bytes() == content(MIB)


def test_a_place_that_cannot_be_written_is_named_before_anything_is_asked(
    run: Run[Any], origin: Origin, tmp_path: Path
) -> None:
    url = origin.file(size=MIB)
    with pytest.raises(FileNotFoundError, match="check the path") as missing:
        run(aiobpy.download(url, tmp_path / "no" / "folder" / "file"))
    assert missing.value.filename == tmp_path / "no" / "folder" / "file.part"
    with pytest.raises(IsADirectoryError):
        run(aiobpy.download(url, tmp_path))
    # Where not even root may.
    with pytest.raises(OSError, match="choose a folder that you may write to"):
        run(aiobpy.download(url, "/sys/file"))
    assert origin.asked(url) == []


def test_a_link_in_the_place_of_the_part_is_not_followed(
    run: Run[Any], origin: Origin, tmp_path: Path
) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "file.part").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="could not write it"):
        run(aiobpy.download(origin.file(size=MIB), tmp_path / "file"))
    assert (tmp_path / "precious").read_text() == "precious"


def test_a_file_that_no_disk_has_room_for_is_refused_at_once(
    run: Run[Any], origin: Origin, tmp_path: Path
) -> None:
    """An answer that announces a pebibyte, and sends 3 bytes of it."""

    async def announce(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1125899906842624\r\n\r\nabc")
        await reader.read()
        writer.close()
        hung_up.set()

    hung_up = asyncio.Event()

    async def main() -> None:
        server = await asyncio.start_server(announce, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            await aiobpy.download(f"http://127.0.0.1:{port}/file", tmp_path / "file")
        finally:
            await hung_up.wait()
            server.close()

    with pytest.raises(OSError, match="free some space") as caught:
        run(main())
    assert caught.value.errno == 28
    assert names(tmp_path) == []


def test_a_disk_that_refuses_halfway_says_so_and_keeps_what_has_come(
    run: Run[Any], origin: Origin, tmp_path: Path
) -> None:
    url = origin.file(size=8 * MIB)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 * MIB, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            run(aiobpy.download(url, tmp_path / "file"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.filename == tmp_path / "file"
    assert (tmp_path / "file.part").stat().st_size == 3 * MIB
    assert run(aiobpy.download(url, tmp_path / "file")).resumed_from == 3 * MIB
    assert (tmp_path / "file").read_bytes() == content(8 * MIB)


def test_two_downloads_to_one_path_do_not_mix(
    run: Run[Any], origin: Origin, tmp_path: Path
) -> None:
    url = origin.file(size=2 * MIB, stalls=[MIB])

    async def main() -> None:
        has_begun = asyncio.Event()

        def note(progress: aiobpy.Progress) -> None:
            if progress.done:
                has_begun.set()

        first = asyncio.create_task(aiobpy.download(url, tmp_path / "file", on_progress=note))
        await has_begun.wait()
        with pytest.raises(aiobpy.TransferError, match="another download is writing"):
            await aiobpy.download(url, tmp_path / "file")
        first.cancel()
        await asyncio.wait([first])

    run(main())
    assert names(tmp_path) == ["file.part", "file.part.json"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"sha256": "abc"}, "64 hexadecimal digits"),
        ({"timeout": 0}, "timeout has to be a positive number"),
        ({"connect_timeout": float("nan")}, "connect_timeout has to be"),
        ({"headers": {"X-A": "1\r\nX-B: 2"}}, "holds a line break"),
        ({"headers": {"Range": "bytes=5-"}}, "set by the transfer itself"),
        ({"mirrors": ["ftp://127.0.0.1/"]}, "has to begin with http"),
    ],
)
def test_wrong_arguments_are_refused(
    run: Run[Any], origin: Origin, tmp_path: Path, arguments: dict[str, Any], why: str
) -> None:
    url = origin.file(size=1)
    with pytest.raises(ValueError, match=why):
        run(aiobpy.download(url, tmp_path / "file", **arguments))
    assert origin.asked(url) == []
    assert names(tmp_path) == []


def test_a_failing_callback_is_reported_and_harms_nothing(origin: Origin, tmp_path: Path) -> None:
    reported: list[dict[str, Any]] = []
    loop = aiobpy.EventLoop()
    loop.set_exception_handler(lambda _loop, context: reported.append(context))
    path = tmp_path / "file"
    url = origin.file(size=MIB)
    loop.run_until_complete(aiobpy.download(url, path, on_progress=lambda _: 1 / 0))
    loop.close()
    assert path.read_bytes() == content(MIB)
    assert isinstance(reported[0]["exception"], ZeroDivisionError)


def test_the_main_thread_may_be_blocked_meanwhile(origin: Origin, tmp_path: Path) -> None:
    """All of it comes, drops and pauses included, though the loop takes not one turn."""
    from aiobpy.testing import FakeHost

    url = origin.file(size=8 * MIB, drops=[MIB, MIB])
    path = tmp_path / "file"
    with FakeHost() as host:
        task = host.spawn(aiobpy.download(url, path))
        host.tick()
        # The host works, and the loop is not ticked.
        until(path.exists)
        assert not task.done()
        assert path.read_bytes() == content(8 * MIB)
        host.tick_until(task.done)
        assert task.result().size == 8 * MIB


def test_closing_the_loop_ends_downloads_and_leaves_nothing(origin: Origin, tmp_path: Path) -> None:
    before = (threads(), descriptors())
    url = origin.file(size=4 * MIB, stalls=[2 * MIB])
    path = tmp_path / "file"
    loop = aiobpy.EventLoop()

    async def begin() -> None:
        has_begun = asyncio.Event()
        task = asyncio.create_task(
            aiobpy.download(url, path, on_progress=lambda _: has_begun.set())
        )
        await has_begun.wait()
        loop.kept = task  # type: ignore[attr-defined]

    loop.run_until_complete(begin())
    assert "aiobpy-transfer" in threads()
    task: asyncio.Task[Any] = loop.kept  # type: ignore[attr-defined]
    loop.close()
    assert (threads(), descriptors()) == before
    # What a closed loop's task does any more is asyncio's affair: it is never run again.
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    other = aiobpy.EventLoop()
    assert other.run_until_complete(aiobpy.download(url, path)).size == 4 * MIB
    other.close()


def until(is_true: Any) -> None:
    """Look again and again, without a turn of any loop."""
    import select

    for _ in range(1000):
        if is_true():
            return
        select.select([], [], [], 0.01)
    raise TimeoutError(is_true)


def threads() -> list[str]:
    tasks = Path("/proc/self/task").glob("*/comm")
    return sorted(name for task in tasks if (name := task.read_text().strip()).startswith("aiobpy"))


def descriptors() -> list[str]:
    found = []
    for number in os.listdir("/proc/self/fd"):
        try:
            found.append(f"{number}: {os.readlink(f'/proc/self/fd/{number}').partition(':')[0]}")
        except FileNotFoundError:
            # The one that lists them.
            continue
    return sorted(found)
