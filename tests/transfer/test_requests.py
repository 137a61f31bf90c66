"""Requests, uploads and redirects; who gets to see which header."""

from __future__ import annotations

import asyncio
import hashlib
import os
from typing import TYPE_CHECKING, Any

import pytest

import aiobpy
from aiobpy.testing import FakeHost
from aiobpy.transferred import Headers
from tests.transfer.origin import content

if TYPE_CHECKING:
    from pathlib import Path

    from tests.transfer.conftest import Origin, Run

MIB = 1 << 20


def test_json_comes_and_goes(run: Run[Any], origin: Origin) -> None:
    url = origin.file(text='{"mugs": ["Ada"]}', content_type="application/json")
    got = run(aiobpy.fetch(url))
    assert got.json() == {"mugs": ["Ada"]}
    assert (got.status, got.url, got.http_version) == (200, url, "HTTP/1.1")
    assert got.headers["Content-Type"] == "application/json; charset=utf-8"
    run(aiobpy.fetch(url, json={"colour": "#1f6f78"}, headers={"X-Kind": "mug"}))
    sent = origin.asked(url)[1]
    assert sent["method"] == "POST"
    assert sent["headers"]["content-type"] == "application/json"
    assert sent["headers"]["x-kind"] == "mug"
    assert sent["headers"]["user-agent"].startswith("aiobpy/")
    assert sent["body_sha256"] == hashlib.sha256(b'{"colour": "#1f6f78"}').hexdigest()


def test_text_is_decoded_as_the_answer_says(run: Run[Any], origin: Origin) -> None:
    url = origin.file(text="Größe", content_type="text/plain")
    assert run(aiobpy.fetch(url)).text() == "Größe"
    latin = aiobpy.Response(
        "",
        200,
        "",
        Headers([("content-type", "text/plain; Charset=latin-1")]),
        b"\xdf",
    )
    assert latin.text() == "ß"
    unknown = latin._replace(headers=Headers([("content-type", "text/plain; charset=klingon")]))
    assert unknown.text() == "\N{REPLACEMENT CHARACTER}"


def test_what_is_compressed_is_decoded(run: Run[Any], origin: Origin) -> None:
    url = origin.file(size=MIB, encoding="gzip")
    got = run(aiobpy.fetch(url))
    assert got.bytes == content(MIB)
    assert "gzip" in origin.asked(url)[0]["headers"]["accept-encoding"]
    with pytest.raises(aiobpy.TransferError, match='encoded as "br", which was not asked for'):
        run(aiobpy.fetch(origin.file(size=10, encoding="br")))


def test_an_answer_is_bounded(run: Run[Any], origin: Origin) -> None:
    url = origin.file(size=MIB)
    with pytest.raises(aiobpy.TransferError, match="larger than the limit of 1048575 bytes"):
        run(aiobpy.fetch(url, limit=MIB - 1))
    for behaviour in ({"chunked": True}, {"encoding": "gzip"}):
        url = origin.file(size=MIB, **behaviour)
        assert len(run(aiobpy.fetch(url, limit=MIB + 400)).bytes) == MIB
        with pytest.raises(aiobpy.TransferError, match="larger than the limit"):
            run(aiobpy.fetch(url, limit=MIB - 1))


def test_a_head_of_something_large_has_no_body(run: Run[Any], origin: Origin) -> None:
    got = run(aiobpy.fetch(origin.file(size=2 * MIB), method="HEAD", limit=MIB))
    assert (got.bytes, got.headers["content-length"]) == (b"", str(2 * MIB))


def test_a_refusal_is_an_error_with_all_that_the_server_said(run: Run[Any], origin: Origin) -> None:
    url = origin.file(status=403, text="Ada may not")
    with pytest.raises(aiobpy.HttpError) as caught:
        run(aiobpy.fetch(f"{url}?token=s3cret"))
    error = caught.value
    assert (error.status, error.body, error.url) == (403, b"Ada may not", f"{url}?…")
    assert error.headers["content-length"] == "11"
    assert str(error).startswith(f"{url}?…: the server answered 403 Forbidden; these credentials")
    assert run(aiobpy.fetch(url, check=False)).status == 403


def test_no_error_repeats_a_secret(
    run: Run[Any], origin: Origin, closed_port: int, tmp_path: Path
) -> None:
    with_secrets = f"http://ada:s3cret@127.0.0.1:{closed_port}/a?sig=s3cret#s3cret"
    with pytest.raises(aiobpy.TransferError, match=f"http://127.0.0.1:{closed_port}/a") as caught:
        run(aiobpy.fetch(with_secrets))
    assert "s3cret" not in repr(caught.value)
    with pytest.raises(ValueError, match=r"no name of a header|holds a line break") as refused:
        run(aiobpy.fetch(origin.address, headers={"X-Key": "s3cret\r\nX: y"}))
    assert "s3cret" not in repr(refused.value)
    with pytest.raises(aiobpy.TransferError) as downloading:
        run(aiobpy.download(with_secrets, tmp_path / "file", retries=0))
    assert "s3cret" not in repr(downloading.value)


def test_credentials_in_an_address_are_sent_to_its_server_alone(
    run: Run[Any], origin: Origin, other_origin: Origin
) -> None:
    other = other_origin.file(text="here")
    url = origin.file(status=302, location=other)
    got = run(aiobpy.fetch(url.replace("http://", "http://ada:lovelace@")))
    assert got.url == other
    assert origin.asked(url)[0]["headers"]["authorization"] == "Basic YWRhOmxvdmVsYWNl"
    assert "authorization" not in other_origin.asked(other)[0]["headers"]


def test_a_redirect_elsewhere_carries_no_secret_and_one_at_home_does(
    run: Run[Any], origin: Origin, other_origin: Origin
) -> None:
    headers = {"Authorization": "Bearer x", "X-Api-Key": "x", "Cookie": "x", "Accept": "a/b"}
    other = other_origin.file(text="there")
    home = origin.file(text="here")
    run(aiobpy.fetch(origin.file(status=302, location=other), headers=headers))
    run(aiobpy.fetch(origin.file(status=302, location=home), headers=headers))
    seen = [
        server.asked(url)[0]["headers"] for server, url in ((other_origin, other), (origin, home))
    ]
    kept = [{name.lower() for name in headers} & set(each) for each in seen]
    assert kept == [{"accept"}, {"accept", "authorization", "cookie", "x-api-key"}]


def test_redirects_end_somewhere(run: Run[Any], origin: Origin) -> None:
    url = origin.file(status=302, location="?token=s3cret")
    with pytest.raises(aiobpy.TransferError, match="redirects in circles") as caught:
        run(aiobpy.fetch(url))
    assert "s3cret" not in str(caught.value)
    assert len(origin.asked(url)) == 11
    with pytest.raises(aiobpy.TransferError, match="no web address"):
        run(aiobpy.fetch(origin.file(status=302, location="file:///etc/passwd")))


def test_a_download_follows_redirects_and_resumes_behind_them(
    run: Run[Any], origin: Origin, other_origin: Origin, tmp_path: Path
) -> None:
    there = other_origin.file(size=2 * MIB, drops=[MIB])
    url = origin.file(status=307, location=there)
    got = run(aiobpy.download(url, tmp_path / "file"))
    assert got.url == there
    assert [each["headers"].get("range") for each in other_origin.asked(there)] == [
        None,
        f"bytes={MIB}-",
    ]
    assert (tmp_path / "file").read_bytes() == content(2 * MIB)


def test_methods_and_bodies_follow_redirects_as_clients_do(run: Run[Any], origin: Origin) -> None:
    target = origin.file(text="here")
    run(aiobpy.fetch(origin.file(status=302, location=target), body="text"))
    run(aiobpy.fetch(origin.file(status=307, location=target), body="text"))
    seen = [(each["method"], each["body_size"]) for each in origin.asked(target)]
    assert seen == [("GET", 0), ("POST", 4)]
    assert "content-type" not in origin.asked(target)[0]["headers"]


def test_a_file_goes_up_as_it_is(run: Run[Any], origin: Origin, tmp_path: Path) -> None:
    url = origin.file(text="taken")
    file = tmp_path / "picture.png"
    file.write_bytes(content(3 * MIB + 7))
    seen: list[aiobpy.Progress] = []
    got = run(aiobpy.upload(url, file, on_progress=seen.append))
    assert got.text() == "taken"
    (asked,) = origin.asked(url)
    assert (asked["method"], asked["headers"]["content-type"]) == ("PUT", "image/png")
    assert asked["headers"]["content-length"] == str(3 * MIB + 7)
    assert asked["body_sha256"] == hashlib.sha256(content(3 * MIB + 7)).hexdigest()
    assert {step.total for step in seen} == {3 * MIB + 7}
    assert seen[-1] == (3 * MIB + 7, 3 * MIB + 7)


def test_an_upload_goes_where_it_is_redirected(
    run: Run[Any], origin: Origin, tmp_path: Path
) -> None:
    target = origin.file(text="taken")
    file = tmp_path / "file"
    file.write_bytes(content(MIB))
    run(aiobpy.upload(origin.file(status=307, location=target), file))
    (asked,) = origin.asked(target)
    assert asked["body_sha256"] == hashlib.sha256(content(MIB)).hexdigest()


def test_a_form_has_its_fields_and_the_file(run: Run[Any], origin: Origin, tmp_path: Path) -> None:
    file = tmp_path / "clip.mp4"
    file.write_bytes(content(MIB))
    fields = {"title": "Zwei Tassen", "tags": 'a "b"\r\n--c'}
    got = run(
        aiobpy.upload(
            f"{origin.address}/form", file, fields=fields, file_field="media", file_name='ü"\n.mp4'
        )
    )
    assert got.json() == {
        "content_type": "multipart/form-data",
        **fields,
        "media": {
            "file_name": "ü%22%0A.mp4",
            "content_type": "video/mp4",
            "sha256": hashlib.sha256(content(MIB)).hexdigest(),
            "size": MIB,
        },
    }


def test_a_server_that_refuses_before_the_end_is_heard(
    run: Run[Any], origin: Origin, tmp_path: Path
) -> None:
    file = tmp_path / "large"
    with file.open("wb") as large:
        large.truncate(64 * MIB)
    with pytest.raises(aiobpy.TransferError) as caught:
        run(aiobpy.upload(f"{origin.address}/refuse-early", file))
    # The answer, unless the reset of the connection has overtaken it.
    assert "413" in str(caught.value) or "onnection" in str(caught.value), caught.value


def test_what_cannot_be_sent_is_named(run: Run[Any], origin: Origin, tmp_path: Path) -> None:
    url = origin.file(text="taken")
    with pytest.raises(FileNotFoundError, match="could not read it; check the path"):
        run(aiobpy.upload(url, tmp_path / "none"))
    with pytest.raises(IsADirectoryError):
        run(aiobpy.upload(url, tmp_path))
    (tmp_path / "file").write_text("x")
    for arguments in ({"method": "P UT"}, {"content_type": "a\r\nb"}, {"headers": {"Host": "x"}}):
        with pytest.raises(ValueError, match=r"no method|no content type|set by the transfer"):
            run(aiobpy.upload(url, tmp_path / "file", **arguments))
    with pytest.raises(ValueError, match="not both"):
        run(aiobpy.fetch(url, json={}, body=b""))
    assert origin.asked(url) == []


def test_files_are_hashed_and_read(run: Run[Any], tmp_path: Path) -> None:
    data = content(9 * MIB + 3)
    path = tmp_path / "file"
    path.write_bytes(data)
    seen: list[aiobpy.Progress] = []
    assert run(aiobpy.hash_file(path, on_progress=seen.append)) == hashlib.sha256(data).hexdigest()
    assert seen[-1] == (len(data), len(data))
    for algorithm in ("sha1", "sha384", "sha512"):
        expected = hashlib.new(algorithm, data).hexdigest()
        assert run(aiobpy.hash_file(path, algorithm)) == expected
    # blake3's own test vector of no bytes.
    (tmp_path / "empty").touch()
    assert run(aiobpy.hash_file(tmp_path / "empty", "blake3")).startswith("af1349b9f5f9a1a6")
    assert run(aiobpy.read_file(path)) == data
    assert run(aiobpy.read_file(tmp_path / "empty")) == b""
    assert run(aiobpy.read_file("/proc/self/status")).startswith(b"Name:")
    with pytest.raises(aiobpy.TransferError, match="larger than the limit of 5 bytes"):
        run(aiobpy.read_file(path, limit=5))
    with pytest.raises(aiobpy.TransferError, match="larger than the limit of 5 bytes"):
        run(aiobpy.read_file("/proc/self/status", limit=5))
    with pytest.raises(ValueError, match='no digest "md5" here; there are sha1'):
        run(aiobpy.hash_file(path, "md5"))
    with pytest.raises(FileNotFoundError) as caught:
        run(aiobpy.read_file(tmp_path / "none"))
    assert caught.value.filename == tmp_path / "none"
    with pytest.raises(IsADirectoryError):
        run(aiobpy.hash_file(tmp_path))


def test_a_large_file_does_not_hold_up_a_tick(tmp_path: Path) -> None:
    """It reaches Python in pieces, with a look at the budget after each."""
    path = tmp_path / "file"
    data = content(16 * MIB)
    path.write_bytes(data * 4)
    with FakeHost(budget=0.0) as host:
        task = host.spawn(aiobpy.read_file(path))
        ticks = 0
        while not task.done():
            ticks += host.tick().left
            if not task.done():
                host.loop._wait_for_ready(10.0)
        assert task.result() == data * 4
        assert ticks > 60


def test_another_kind_of_loop_is_told_what_is_needed() -> None:
    with (
        asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner,
        pytest.raises(RuntimeError, match=r"aiobpy\.fetch needs aiobpy\.EventLoop"),
    ):
        runner.run(aiobpy.fetch("http://127.0.0.1/"))


def test_a_fork_does_not_wait_for_the_threads_of_its_parent(origin: Origin) -> None:
    loop = aiobpy.EventLoop()
    loop.run_until_complete(aiobpy.fetch(origin.file(text="here")))
    child = os.fork()
    if child == 0:
        loop.close()
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    loop.close()
