"""Renders, bakes and files where Blender has no windows: in the `bpy` module."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[[str], None]


def test_a_picture_appears_when_it_is_complete(run_in_bpy: Run) -> None:
    run_in_bpy('''
import threading

async def main():
    scene = small(samples=8)
    scene.render.filepath = "//mine"
    told = []
    threads = set()

    def tell(news):
        told.append(news)
        threads.add(threading.get_ident())

    rendered = await aiobpy.render(frame=4, write=folder / "picture", on_progress=tell)
    assert rendered.paths == (folder / "picture.png",), rendered
    assert (rendered.scene, rendered.frames) == ("Scene", 1) and rendered.seconds > 0
    assert [file.name for file in folder.iterdir()] == ["picture.png"]
    assert told[-1].fraction == 1.0 and told[-1].done == 1
    assert {news.frame for news in told} == {4}
    assert any(news.fraction and news.fraction < 1 for news in told), told
    assert (scene.render.filepath, scene.frame_current) == ("//mine", 1)
    assert scene.render.use_file_extension
    assert ours() == []

aiobpy.run(main())
''')


def test_an_animation_lets_the_loop_go_on_between_frames_and_can_be_cancelled(
    run_in_bpy: Run,
) -> None:
    run_in_bpy('''
async def main():
    scene = small()
    target = folder / "frame_"
    told = []
    rendered = await aiobpy.render(
        animation=range(3, 8, 2), write=target, on_progress=told.append
    )
    assert [path.name for path in rendered.paths] == [f"frame_000{n}.png" for n in (3, 5, 7)]
    assert all(path.exists() for path in rendered.paths)
    assert (told[0].fraction, told[-1].fraction, told[-1].done) == (0, 1, 3)
    assert (scene.frame_start, scene.frame_end, scene.frame_current) == (1, 250, 1)

    task = asyncio.create_task(aiobpy.render(animation=True, write=folder / "long_"))
    while not (folder / "long_0002.png").exists():
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert 2 <= len(list(folder.glob("long_*"))) <= 3
    assert (scene.frame_start, scene.frame_end, scene.frame_current) == (1, 250, 1)

    try:
        async with asyncio.timeout(0.000001):
            await aiobpy.render(animation=True, write=folder / "late_")
    except TimeoutError:
        assert [file.name for file in folder.glob("late_*")] == ["late_0001.png"]

aiobpy.run(main())
''')


def test_a_film_is_one_file(run_in_bpy: Run) -> None:
    run_in_bpy('''
async def main():
    scene = small()
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = 'VIDEO'
    settings.file_format = 'FFMPEG'
    rendered = await aiobpy.render(animation=range(1, 4), write=folder / "film.mkv")
    assert len(rendered.paths) == 1 and rendered.frames == 3
    assert rendered.paths[0].stat().st_size > 0
    try:
        await aiobpy.render(write=folder / "picture.png")
    except aiobpy.RenderError as error:
        assert "writes films" in str(error)

aiobpy.run(main())
''')


def test_what_cannot_be_rendered_is_refused_with_what_could(run_in_bpy: Run) -> None:
    run_in_bpy('''
async def main():
    scene = small()
    cases = [
        (dict(scene="Scen"), ValueError, "did you mean 'Scene'?"),
        (dict(scene=scene), TypeError, "pass its `.name`"),
        (dict(frame=3, animation=True), ValueError, "give one of them"),
        (dict(animation=range(5, 1)), ValueError, "frames that go up"),
        (dict(write="a.jpg"), ValueError, "writes PNG (.png), and 'a.jpg' is something else"),
        (dict(write="/proc/no such folder/a.png"), aiobpy.RenderError, "cannot save"),
    ]
    for arguments, kind, hint in cases:
        try:
            await aiobpy.render(**arguments)
        except kind as error:
            assert hint in str(error), error
        else:
            raise AssertionError(arguments)
    bpy.data.objects.remove(scene.camera)
    scene.render.use_sequencer = scene.render.use_compositing = False
    try:
        await aiobpy.render()
    except aiobpy.RenderError as error:
        assert "has no camera" in str(error)
    assert ours() == []

aiobpy.run(main())
''')


def test_what_on_progress_raises_comes_out_of_the_render(run_in_bpy: Run) -> None:
    run_in_bpy('''
def fail(news):
    raise KeyError("no such colour")

async def main():
    small()
    try:
        await aiobpy.render(write=folder / "picture.png", on_progress=fail)
    except KeyError:
        assert list(folder.iterdir()) == []
    else:
        raise AssertionError
    await aiobpy.render()

aiobpy.run(main())
''')


def test_a_bake_fills_the_image_of_the_material(run_in_bpy: Run) -> None:
    run_in_bpy('''
async def main():
    small()
    image = bpy.data.images.new("Bake", 16, 16)
    tree = cube().active_material.node_tree
    node = tree.nodes.new("ShaderNodeTexImage")
    node.image = image
    tree.nodes.active = node
    bpy.data.objects["Light"].select_set(True)
    bpy.context.view_layer.objects.active = bpy.data.objects["Light"]
    baked = await aiobpy.bake("Cube", type='DIFFUSE', pass_filter={'COLOR'})
    assert baked.objects == ("Cube",)
    assert max(image.pixels[:3]) > 0.5
    assert bpy.context.view_layer.objects.active.name == "Light"
    assert bpy.data.objects["Light"].select_get()
    for arguments, kind, hint in (
        (("Cub",), ValueError, "did you mean 'Cube'?"),
        (("Camera",), aiobpy.BakeError, "cannot bake Camera"),
    ):
        try:
            await aiobpy.bake(*arguments, type='DIFFUSE')
        except kind as error:
            assert hint in str(error), error
        else:
            raise AssertionError(arguments)

aiobpy.run(main())
''')


def test_files_that_cannot_be_read_or_written_are_named(run_in_bpy: Run) -> None:
    run_in_bpy('''
async def main():
    (folder / "no.blend").write_text("no blend")
    (folder / "folder.blend").mkdir()
    for job, kind, hint in (
        (aiobpy.save(), aiobpy.BlendFileError, "has no name yet"),
        (aiobpy.save(folder / "none" / "a.blend"), FileNotFoundError, "there is no folder"),
        (aiobpy.save(folder / "folder.blend"), aiobpy.BlendFileError, "cannot write"),
        (aiobpy.open_file(folder / "a.blend"), FileNotFoundError, "there is no file"),
        (aiobpy.open_file(folder / "no.blend"), aiobpy.BlendFileError, "cannot read"),
    ):
        try:
            await job
        except kind as error:
            assert hint in str(error), error
        else:
            raise AssertionError(hint)
    saved = await aiobpy.save(folder / "a.blend")
    cube().name = "Box"
    copy = await aiobpy.save(folder / "copy.blend", copy=True)
    assert bpy.data.filepath == str(saved.path)
    await aiobpy.open_file(copy.path)
    assert "Box" in bpy.data.objects and bpy.data.filepath == str(copy.path)
    await aiobpy.save()

aiobpy.run(main())
''')
