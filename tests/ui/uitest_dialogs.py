"""`ui.dialog` and its kin: a person is asked, and whatever the person does, there is an answer."""

import asyncio
import enum
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import bpy
import pytest

import aiobpy
from aiobpy import ui, uitest
from aiobpy.ui import popups


class Kind(enum.Enum):
    MESH = "mesh"
    POINT_CLOUD = "point cloud"


@dataclass
class ImportSettings:
    path: Path = Path("/tmp/chair.obj")
    count: Annotated[int, aiobpy.Range(1, 10)] = 3
    scale: float = 0.1
    name: Annotated[str, aiobpy.MaxLength(8)] = "chair"
    kind: Kind = Kind.POINT_CLOUD
    up: Literal["Y", "Z"] = "Z"
    smooth: bool = True
    offset: tuple[float, float, float] = (1.0, 2.0, 0.3)
    tint: tuple[float, float, float] = field(
        default=(1.0, 0.5, 0.25), metadata={"subtype": 'COLOR', "min": 0.0, "max": 1.0}
    )
    paint: aiobpy.Colour = "#ff8000"

    def __post_init__(self) -> None:
        if self.name == "table":
            raise ValueError("a table is no chair")


class WithAnnotations:
    count: bpy.props.IntProperty(default=2)  # type: ignore[valid-type]
    ratio: bpy.props.FloatVectorProperty(  # type: ignore[valid-type]
        size=2, default=(0.5, 0.25)
    )
    flags: bpy.props.EnumProperty(  # type: ignore[valid-type]
        items=[("A", "A", ""), ("B", "B", "")], options={'ENUM_FLAG'}, default={"B"}
    )


class WithAssignments:
    text = bpy.props.StringProperty(default="hello")


async def opened(number: int = 1) -> None:
    """So many popups are open, and drawn."""
    await uitest.until(lambda: sum(popup.is_shown for popup in popups._open.values()) == number)
    await uitest.passes(3)


async def test_a_dataclass_comes_back_as_it_was_when_nothing_is_changed() -> None:
    asking = asyncio.ensure_future(ui.dialog(ImportSettings, text="What shall we import? " * 8))
    await opened()
    await uitest.screenshot("dialog.png")
    await uitest.press('RET')
    answer = await asking
    assert answer == ImportSettings()
    uitest.compare("answer", repr(answer))


async def test_what_is_entered_is_typed_as_the_dataclass_says() -> None:
    asking = asyncio.ensure_future(ui.dialog(ImportSettings(count=5, up="Y")))
    await opened()
    # A button of a popup is found by what stands in it.
    await uitest.click(prop="chair", popup=True)
    await uitest.press("A", ctrl=True)
    await uitest.type_text("stool")
    await uitest.press('RET')
    await uitest.click(prop="5", popup=True)
    await uitest.press("A", ctrl=True)
    await uitest.type_text("12")
    await uitest.press('RET')
    await uitest.press('RET')
    answer = await asking
    assert answer is not None
    assert (answer.name, answer.count, answer.up) == ("stool", 10, "Y"), "10 is the most"


async def test_a_dialog_is_shown_again_when_the_model_refuses() -> None:
    settings = ImportSettings()
    settings.name = "table"
    asking = asyncio.ensure_future(ui.dialog(settings))
    await opened()
    first = next(iter(popups._open))
    await uitest.press('RET')
    await uitest.until(lambda: first not in popups._open)
    await opened()
    await uitest.screenshot("refused.png")
    await uitest.press('ESC')
    assert await asking is None


@pytest.mark.parametrize("way", ["esc", "outside", "load", "window"])
async def test_however_a_person_cancels_it_resolves(way: str) -> None:
    asked = [
        asyncio.ensure_future(ui.dialog(ImportSettings)),
    ]
    await opened()
    if way == "esc":
        await uitest.press('ESC')
    elif way == "outside":
        await uitest.click(*uitest.centre('PROPERTIES'))
    elif way == "load":
        bpy.ops.wm.read_homefile(use_factory_startup=True)
    else:
        uitest.window().screen = uitest.window().screen
    assert await asyncio.gather(*asked) == [None]
    assert not popups._open


async def test_a_task_that_is_cancelled_takes_its_dialog_along_and_no_other() -> None:
    first = asyncio.ensure_future(ui.confirm("First?", title="First"))
    await opened(1)
    second = asyncio.ensure_future(ui.dialog(ImportSettings))
    await opened(2)
    third = asyncio.ensure_future(ui.menu(list(Kind), title="Third"))
    await opened(3)
    second.cancel()
    await asyncio.wait([second])
    assert second.cancelled()
    await opened(2)
    await uitest.press('RET')
    assert await third is Kind.MESH
    assert not first.done()
    await uitest.press('RET')
    assert await first is True


async def test_classes_of_properties_give_a_namespace_with_the_declared_names() -> None:
    for model, expected in (
        (WithAnnotations, {"count": 2, "ratio": (0.5, 0.25), "flags": frozenset({"B"})}),
        (WithAssignments, {"text": "hello"}),
    ):
        asking = asyncio.ensure_future(ui.dialog(model))
        await opened()
        await uitest.press('RET')
        assert vars(await asking) == expected


async def test_confirm_is_true_only_for_a_yes() -> None:
    for key, expected in (('RET', True), ('ESC', False)):
        asking = asyncio.ensure_future(ui.confirm("Delete it?", confirm="Delete", cancel="Keep"))
        await opened()
        await uitest.screenshot("confirm.png")
        await uitest.press(key)
        assert await asking is expected


async def test_a_menu_gives_back_the_item_itself() -> None:
    items: list[Any] = [{"id": number} for number in range(30)]
    asking = asyncio.ensure_future(ui.menu(items, title="Which?", label=_text_of))
    await opened()
    await uitest.screenshot("menu.png")
    await uitest.click(operator="aiobpy.popup_choose(number=7)", popup=True)
    assert await asking is items[7]
    with pytest.raises(ValueError, match="without items"):
        await ui.menu([])


def _text_of(item: Any) -> str:
    return f"Item {item['id']}"


async def test_a_message_waits_until_it_was_read() -> None:
    asking = asyncio.ensure_future(ui.message("It is done.\nAll 3 files.", title="Import"))
    await opened()
    await uitest.screenshot("message.png")
    assert not asking.done()
    await uitest.press('RET')
    await asking


async def test_a_model_that_no_dialog_can_show_is_an_error_that_names_the_field() -> None:
    @dataclass
    class Odd:
        names: list[str]

    with pytest.raises(ui.UnsupportedFieldError, match=r"Odd, but its field 'names' .*list\[str\]"):
        await ui.dialog(Odd)

    class Pointer:
        target = bpy.props.PointerProperty(type=bpy.types.PropertyGroup)

    with pytest.raises(ui.UnsupportedFieldError, match="'target' is a PointerProperty"):
        await ui.dialog(Pointer)

    @dataclass
    class Mistyped:
        size: float = field(default=1.0, metadata={"subtype": 'LENGTH'})

    with pytest.raises(ui.UnsupportedFieldError, match=r"'size' is refused .*subtype='LENGTH'"):
        await ui.dialog(Mistyped)
    with pytest.raises(ui.UnsupportedFieldError, match="neither a dataclass"):
        await ui.dialog(int)
    assert not popups._open


async def test_what_is_asked_right_after_a_dialog_was_given_up_stays() -> None:
    lower = asyncio.ensure_future(ui.confirm("Lower?"))
    await opened()

    async def give_up() -> None:
        question = asyncio.ensure_future(ui.confirm("In time?"))
        await late.wait()
        question.cancel()
        await asyncio.wait([question])
        await ui.message("Too late")

    late = asyncio.Event()
    telling = asyncio.ensure_future(give_up())
    await opened(2)
    late.set()
    await uitest.passes(20)
    await opened(2)
    assert not telling.done()
    await uitest.press('RET')
    await telling
    assert not lower.done()
    await uitest.press('RET')
    assert await lower is True
