"""When captions are shown, and how they are rendered in a Blender without windows."""

from __future__ import annotations

import pytest

from tests.examples.test_examples import EXAMPLES, in_blender

TIMING = """
    import json, sys
    sys.path.insert(0, sys.argv[1])
    import timing
    text = '1\\r\\n00:00:01,500 --> 00:00:03,000\\r\\n<i>Good</i>\\r\\nmorning\\r\\n\\r\\n' + (
        '2\\r\\n00:01:00.25 --> 00:01:01,250\\r\\n{\\\\an8}Bye\\r\\n')
    one = timing.one_after_another(" Hello /  / you ", 2.0)
    wrong = []
    for call in (lambda: timing.read_subtitles("hello"), lambda: timing.one_after_another("/", 1)):
        try:
            call()
        except ValueError as error:
            wrong.append(str(error))
    told = [[c.text, c.begin, c.seconds] for c in [*timing.read_subtitles(text), *one]]
    print(json.dumps([told, wrong]))
"""


def test_subtitles_are_read_as_they_are_found() -> None:
    captions, wrong = in_blender(TIMING, str(EXAMPLES / "captions"))
    assert captions == [
        ["Good\nmorning", 1.5, 1.5],
        ["Bye", 60.25, 1.0],
        ["Hello", 0.0, 2.0],
        ["you", 2.0, 2.0],
    ]
    assert "no subtitles" in wrong[0]
    assert "no text" in wrong[1]


RENDER = """
    import asyncio, json, sys
    from pathlib import Path
    import bpy
    import aiobpy
    from examples import captions
    from examples.captions import strips

    async def main():
        scene = bpy.context.scene
        scene.render.resolution_x, scene.render.resolution_y = 96, 54
        scene.render.resolution_percentage = 100
        scene.render.fps = 4
        scene.frame_current = 10
        said = []
        wanted = captions.Wanted("Hello world", 1.0, "", "#ff0000")
        names = await captions.add_captions(wanted, lambda *told: said.append(told))
        names += await captions.add_captions(wanted, lambda *told: None)
        found = [strips.all_of(scene)[name] for name in names]
        image = bpy.data.images.load(str(Path(found[0].directory) / found[0].elements[2].filename))
        pixels = list(image.pixels)
        return {
            "fractions": [fraction for fraction, _ in said],
            "strips": [
                [one.name, one.channel, one.frame_final_start, one.frame_final_duration]
                for one in found
            ],
            "most": [max(pixels[channel::4]) for channel in range(4)],
            "corner": pixels[-4:],
        }

    print(json.dumps(aiobpy.run(main())), flush=True)
    import os
    os._exit(0)
"""


def test_captions_become_strips_of_transparent_pictures() -> None:
    got = in_blender(RENDER)
    assert got["fractions"][0] == 0.0
    assert got["fractions"] == sorted(got["fractions"])
    assert got["fractions"][-1] == 1.0
    assert [strip[1:] for strip in got["strips"]] == [[1, 10, 4], [2, 10, 4]]
    assert got["strips"][0][0] == "Hello world"
    red, green, blue, alpha = got["most"]
    assert red > 0.9
    assert max(green, blue) < 0.05
    assert alpha == pytest.approx(1.0, abs=0.01)
    assert got["corner"] == [0.0, 0.0, 0.0, 0.0]
