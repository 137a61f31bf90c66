"""An animation, rendered by Blender and encoded by ffmpeg as the frames get ready.

python encode.py SCENE.blend CLIP.mp4           where the `bpy` module is
blender -b SCENE.blend -P encode.py -- CLIP.mp4
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import aiobpy

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Callable

    import bpy


async def encode(
    frames: AsyncIterable[bytes],
    width: int,
    height: int,
    path: Path,
    *,
    rate: int = 24,
    on_frame: Callable[[int], object] = lambda frame: None,
) -> None:
    """Encode raw pictures (8-bit RGB, the top row first) as H.264, as fast as they come.

    Args:
        frames: Each of `3 * width * height` bytes.
        width: In pixels; even, as H.264 wants it.
        height: The same.
        path: Where the clip is to be.
        rate: Frames a second.
        on_frame: Called with the number of frames that are encoded.

    Raises:
        aiobpy.ProcessError: ffmpeg has failed; the text says why.
    """
    source = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(rate))
    result = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-y", path)
    told = ("-v", "error", "-nostats", "-progress", "pipe:1")
    async with aiobpy.process("ffmpeg", *told, *source, "-i", "pipe:0", *result) as ffmpeg:
        # While one frame is written, the progress of those before is read.
        await asyncio.gather(feed(ffmpeg, frames), follow(ffmpeg, on_frame))


async def feed(ffmpeg: aiobpy.Process, frames: AsyncIterable[bytes]) -> None:
    """Write the frames, each when ffmpeg has taken the one before."""
    async for frame in frames:
        await ffmpeg.write(frame)
    await ffmpeg.end_input()


async def follow(ffmpeg: aiobpy.Process, on_frame: Callable[[int], object]) -> None:
    """Read the lines of `-progress`, as in `frame=25`."""
    async for line in ffmpeg:
        name, _, value = line.partition("=")
        if name == "frame":
            on_frame(int(value))


async def rendered(scene: bpy.types.Scene, folder: Path) -> AsyncIterator[bytes]:
    """Yield the scene's frames, one after another, each rendered when it is wanted."""
    import bpy
    import numpy as np

    picture = folder / "frame.png"
    scene.render.image_settings.file_format = 'PNG'
    scene.render.filepath = str(picture)
    for number in range(scene.frame_start, scene.frame_end + 1):
        scene.frame_set(number)
        bpy.ops.render.render(write_still=True)
        image = bpy.data.images.load(str(picture))
        width, height = image.size
        values = np.empty(width * height * 4, dtype=np.float32)
        image.pixels.foreach_get(values)
        bpy.data.images.remove(image)
        # Blender begins at the bottom.
        pixels = values.reshape(height, width, 4)[::-1, :, :3]
        yield (pixels * 255 + 0.5).astype(np.uint8).tobytes()
    picture.unlink()


async def main(clip: Path) -> None:
    """Render the open file's animation and encode it; say how far it is."""
    import bpy

    scene = bpy.context.scene
    settings = scene.render
    count = scene.frame_end - scene.frame_start + 1
    await encode(
        rendered(scene, clip.parent),
        settings.resolution_x * settings.resolution_percentage // 100,
        settings.resolution_y * settings.resolution_percentage // 100,
        clip,
        rate=settings.fps,
        on_frame=lambda frame: print(f"{frame} of {count} frames are encoded", flush=True),
    )


if __name__ == "__main__":
    arguments = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    if arguments[0].endswith(".blend"):
        import bpy

        bpy.ops.wm.open_mainfile(filepath=arguments.pop(0))
    aiobpy.run(main(Path(arguments[0]).resolve()))
