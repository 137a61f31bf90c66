"""RPC methods: from a JSON object to a call, and from its result to an answer."""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import json
import pathlib
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest

import aiobpy
from aiobpy import Problem, Range, rpc
from aiobpy.rpc import dispatch, registered, remove

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Json = Any


class Recorder:
    """Keeps the one answer to a call."""

    def __init__(self, scopes: str = "read control files") -> None:
        self.number = 1
        self.trace: str | None = None
        self.scopes = scopes.split()
        self.steps: list[tuple[float | None, str]] = []
        self.answered: asyncio.Event = asyncio.Event()
        self.answers: list[Json] = []
        self.problems: list[Json] = []

    def may(self, scope: str, /) -> bool:
        return scope in self.scopes

    def begin(self) -> None: ...

    def progress(self, fraction: float | None, text: str, /) -> None:
        self.steps.append((fraction, text))

    def log(self, level: str, data: str, /) -> None: ...

    def ask(self, number: int, method: str, params: str, /) -> bool:
        return False

    def send(self, text: str, /) -> None:
        self.answers.append(json.loads(text))
        self.answered.set()

    def fail(self, problem: str, /) -> None:
        self.problems.append(json.loads(problem))
        self.answered.set()


@pytest.fixture(autouse=True)
def _offer_nothing_afterwards() -> Iterator[None]:
    yield
    for function in registered().values():
        remove(function)


def answer_to(
    name: str, params: Json = None, *, is_debug: bool = False, recorder: Recorder | None = None
) -> Json:
    """Return the one answer to a call, or the problem, on a loop of its own."""
    unhandled: list[Json] = []

    async def call() -> Recorder:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: unhandled.append(context))
        given = recorder or Recorder()
        dispatch(name, json.dumps(params or {}), given)
        await asyncio.wait_for(given.answered.wait(), 10)
        return given

    with asyncio.Runner(loop_factory=aiobpy.EventLoop, debug=is_debug) as runner:
        called = runner.run(call())
    (answer,) = called.answers + called.problems
    if called.problems:
        answer["unhandled"] = unhandled
    return answer


class Finish(enum.Enum):
    MATT = "matt"
    GLOSS = "gloss"


def test_a_method_gets_its_parameters_by_name_and_answers_at_once() -> None:
    @rpc
    def add(one: int, two: int = 2) -> int:
        return one + two

    assert answer_to("add", {"one": 1}) == 3
    assert answer_to("add", {"one": 1, "two": 1}) == 2


def test_a_coroutine_answers_when_it_ends() -> None:
    @rpc
    async def later(value: str) -> str:
        await asyncio.sleep(0)
        return value

    assert answer_to("later", {"value": "x"}) == "x"


def test_a_method_may_have_a_name_of_its_own() -> None:
    @rpc(name="my_addon.count")
    def count_cups() -> int:
        return 3

    assert answer_to("my_addon.count") == 3
    assert registered() == {"my_addon.count": count_cups}


def test_parameters_become_what_the_annotations_say() -> None:
    seen: list[Any] = []

    @rpc
    def take(
        number: float,
        finish: Finish,
        at: tuple[float, float],
        camera: Literal["front", "top"] = "front",
        tags: list[str] | None = None,
    ) -> None:
        seen.extend([number, finish, at, camera, tags])

    answer_to("take", {"number": 1, "finish": "gloss", "at": [1, 2.5], "tags": ["a"]})
    assert seen == [1.0, Finish.GLOSS, (1.0, 2.5), "front", ["a"]]
    assert isinstance(seen[0], float)


def test_every_wrong_parameter_is_pointed_at() -> None:
    @rpc
    def paint(height: Annotated[float, Range(0.5, 2.0)], coats: int, colour: str = "red") -> None:
        raise AssertionError("must not be called")

    problem = answer_to("paint", {"height": 3, "color": "red", "colour": 7})
    assert (problem["status"], problem["type"]) == (422, "invalid-params")
    assert {error["pointer"]: error["detail"] for error in problem["errors"]} == {
        "/color": "there is no such parameter; did you mean 'colour'?",
        "/coats": "is missing",
        "/height": "3 is greater than the maximum of 2.0",
        "/colour": '7 is not of type "string"',
    }


def test_a_boolean_is_no_number() -> None:
    @rpc
    def take(number: int) -> None:
        raise AssertionError("must not be called")

    assert answer_to("take", {"number": True})["status"] == 422


def test_an_unknown_method_is_answered_with_the_nearest() -> None:
    @rpc(name="cup.fill")
    def fill() -> None: ...

    problem = answer_to("cup.fil")
    assert (problem["status"], problem["type"]) == (404, "unknown-method")
    assert problem["detail"] == "there is no method 'cup.fil'"
    assert problem["hint"] == "did you mean 'cup.fill'?"
    assert answer_to("plate")["hint"] == "there are: 'cup.fill'"


def test_without_methods_the_hint_says_so() -> None:
    assert answer_to("anything")["hint"] == "there are none"


def failing() -> None:
    """Raise from a place whose name would show in a traceback."""
    raise LookupError("no cup left")


async def failing_later() -> None:
    """Raise after the call has been dispatched."""
    await asyncio.sleep(0)
    failing()


@pytest.mark.parametrize("function", [failing, failing_later])
def test_a_method_that_raises_is_a_500_without_a_traceback(function: Callable[[], Any]) -> None:
    rpc(function)
    problem = answer_to(function.__name__)
    assert (problem["status"], problem["type"]) == (500, "method-failed")
    assert problem["detail"] == f"the method '{function.__name__}' raised LookupError: no cup left"
    assert "crash_text" not in problem
    (context,) = problem["unhandled"]
    assert isinstance(context["exception"], LookupError), "the author sees it in the console"


def test_in_debug_mode_the_traceback_is_told() -> None:
    rpc(failing)
    assert "in failing" in answer_to("failing", is_debug=True)["crash_text"]


def test_a_method_may_say_what_is_wrong_in_its_own_words() -> None:
    @rpc
    def fill(cup: str) -> None:
        raise Problem(f"there is no cup {cup!r}", status=404, kind="unknown-cup", hint="buy one")

    problem = answer_to("fill", {"cup": "x"})
    assert problem.pop("unhandled") == [], "the author meant it"
    assert problem == {
        "type": "unknown-cup",
        "title": "The method refused",
        "status": 404,
        "detail": "there is no cup 'x'",
        "hint": "buy one",
    }


def test_a_task_that_is_cancelled_answers() -> None:
    @rpc
    async def give_up() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    assert answer_to("give_up")["type"] == "method-cancelled"


@dataclasses.dataclass
class Cup:
    name: str
    finish: Finish


class Vector:
    """A sequence by its methods, as Blender's vectors are."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> float:
        return [1.0, 2.0][index]


@pytest.mark.parametrize(
    ("result", "answer"),
    [
        (None, None),
        ((1, 2), [1, 2]),
        ({"a": 1.5}, {"a": 1.5}),
        ([Cup("x", Finish.MATT)], [{"name": "x", "finish": "matt"}]),
        (Vector(), [1.0, 2.0]),
        ({3}, [3]),
        (pathlib.PurePosixPath("/tmp/x"), "/tmp/x"),
    ],
)
def test_results_become_what_json_can_say(result: Any, answer: Json) -> None:
    @rpc
    def give() -> Any:
        return result

    assert answer_to("give") == answer


def endless() -> list[Any]:
    """Return a list that holds itself."""
    result: list[Any] = []
    result.append(result)
    return result


@pytest.mark.parametrize("result", [object(), float("nan"), {(1, 2): 3}, endless()])
def test_a_result_that_json_cannot_say_is_a_problem(result: Any) -> None:
    @rpc
    def give() -> Any:
        return result

    problem = answer_to("give")
    assert (problem["status"], problem["type"]) == (500, "unspeakable-result")
    assert problem["detail"].startswith("the method 'give' returned what JSON cannot say: ")
    assert problem["hint"]


def test_a_name_that_is_taken_is_refused_with_advice() -> None:
    @rpc(name="count")
    def count() -> None: ...

    with pytest.raises(ValueError, match=r"already offered by .*prefix yours .* 'my_addon\.count'"):

        @rpc(name="count")
        def another_count() -> None: ...


def test_a_function_that_is_defined_again_takes_the_place_of_the_first() -> None:
    def define(result: int) -> None:
        @rpc
        def reloaded() -> int:
            return result

    define(1)
    define(2)
    assert answer_to("reloaded") == 2


@pytest.mark.parametrize("name", ["", "a b", "a/b", ".a", "a.", "1a", "<lambda>"])
def test_a_name_must_be_words_with_dots_between_them(name: str) -> None:
    with pytest.raises(ValueError, match="is no name of a method"):
        rpc(name=name)(failing)


def test_a_parameter_without_a_type_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match=r"'height' of .* has no type; write one"):

        @rpc
        def take(height) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
            ...


def test_a_removed_method_is_unknown() -> None:
    rpc(failing)
    remove(failing)
    assert answer_to("failing")["type"] == "unknown-method"


def test_parameters_may_be_given_in_their_order() -> None:
    @rpc
    def add(one: int, two: int = 2) -> int:
        return one + two

    assert answer_to("add", [1, 1]) == 2
    assert answer_to("add", [1]) == 3
    problem = answer_to("add", [1, 2, 3])
    assert (problem["status"], problem["errors"][0]["pointer"]) == (422, "/2")
    assert answer_to("add", ["x"])["errors"][0]["pointer"] == "/one"


def test_a_method_needs_its_scope() -> None:
    @rpc(scope="exec")
    def run_it() -> str:
        return "ran"

    problem = answer_to("run_it")
    assert (problem["status"], problem["type"]) == (403, "not-allowed")
    assert answer_to("run_it", recorder=Recorder("exec")) == "ran"
    with pytest.raises(ValueError, match="'root' is no scope"):
        rpc(scope="root")(run_it)  # type: ignore[call-overload]


def test_a_method_says_how_far_it_has_come() -> None:
    @rpc(long=True)
    async def slow() -> str:
        aiobpy.set_progress(0.25, "warming up")
        await asyncio.sleep(0)
        aiobpy.set_progress(1.0)
        return "done"

    recorder = Recorder()
    assert answer_to("slow", recorder=recorder) == "done"
    assert recorder.steps == [(0.25, "warming up"), (1.0, "")]


def test_the_server_is_told_all_that_is_known_of_a_method(monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict[str, str] = {}

    class Offers:
        def put(self, description: str) -> None:
            told[json.loads(description)["name"]] = description

        def remove(self, kind: str, name: str) -> None:
            assert kind == "method"
            del told[name]

    monkeypatch.setattr("aiobpy.server.offers", Offers())

    @rpc(name="cup.fill", scope="read", long=True, read_only=True, title="Fill it")
    async def fill(height: Annotated[float, Range(0, 1)] = 0.5) -> list[str]:
        """Fill the cup.

        With tea.

        Args:
            height: How full.
        """
        return []

    description = json.loads(told["cup.fill"])
    assert description["params"]["properties"]["height"]["description"] == "How full."
    assert description["result"] == {"type": "array", "items": {"type": "string"}}
    assert description["summary"] == "Fill the cup."
    assert description["description"] == "Fill the cup.\n\nWith tea."
    assert (description["scope"], description["is_long"]) == ("read", True)
    assert description["hints"] == {"title": "Fill it", "read_only_hint": True}
    remove(fill)
    assert told == {}
