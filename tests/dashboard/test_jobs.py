"""Jobs in the dashboard: submitted by its form, watched, cancelled, looked at."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Locator, Page

    from tests.dashboard.visitor import Visitor


def test_a_job_goes_from_the_form_to_its_picture(visitor: Visitor, gate: Path) -> None:
    page = visitor.open("/new/ball")
    page.get_by_label("Colour", exact=True).fill("#e87d0d")
    page.get_by_label("Size, as a slider").fill("1.5")
    expect(page.get_by_label("Size", exact=True)).to_have_value("1.5")
    page.get_by_label("Gate").fill(str(gate))
    ask_for_a_small_picture(page)
    page.get_by_role("button", name="Render").click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("ball")
    expect(badge(page)).to_have_text("Running")
    expect(page.get_by_role("progressbar")).to_be_visible()
    visitor.screenshot("job-running")
    open_gate(gate)

    expect(badge(page)).to_have_text("Done")
    expect_picture(page.get_by_alt_text("Result of ball"))
    expect(page.get_by_text("#e87d0d")).to_be_visible()
    story = page.get_by_role("region", name="What happened")
    expect(story).to_contain_text(re.compile("Taken on.*Attempt 1 on .*Done", re.DOTALL))
    visitor.screenshot("job-done")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename.endswith(".png")
    assert download.value.path().read_bytes().startswith(b"\x89PNG")


def test_a_job_shows_its_picture_as_far_as_it_has_come(visitor: Visitor, gate: Path) -> None:
    small = {"width": 160, "height": 120, "samples": 1}
    job = visitor.service.submit("film", {"gate": str(gate)}, **small)
    page = visitor.open("")
    shown = page.get_by_alt_text("film, as far as it is rendered")
    expect_picture(shown)
    page.get_by_role("region", name="Now").get_by_role("link", name="film").click()
    expect_picture(shown)
    expect(page.get_by_role("progressbar")).to_be_visible()
    visitor.screenshot("job-preview")
    open_gate(gate)
    expect(badge(page)).to_have_text("Done")
    expect(page.locator("video")).to_be_visible()
    assert visitor.service.job(job)["state"] == "finished"


def test_what_has_several_values_has_several_fields(visitor: Visitor) -> None:
    page = visitor.open("/new/wishes")
    names = page.get_by_role("group", name="Names (needed)", exact=True)
    sizes = page.get_by_role("group", name="Sizes", exact=True)
    names.get_by_role("button", name="Add one").click()
    expect(page.get_by_label("Names 1", exact=True)).to_be_focused()
    page.keyboard.type("mug")
    names.get_by_role("button", name="Add another").click()
    page.get_by_label("Names 2", exact=True).fill("cup")
    sizes.get_by_role("button", name="Add one").click()
    sizes.get_by_label("Width").fill("2")
    page.get_by_role("button", name="Render").click()
    expect(sizes).to_have_accessible_description(re.compile("1: Depth: This one has to be said"))
    sizes.get_by_label("Depth").fill("0.5")
    sides = page.get_by_role("group", name="Sides")
    for _ in range(2):
        sides.get_by_role("button", name=re.compile("Add")).click()
    page.get_by_label("Sides 1", exact=True).fill("3")
    page.get_by_label("Sides 2", exact=True).fill("4")
    page.get_by_role("button", name="Remove Sides 1").click()
    expect(page.get_by_label("Sides 1", exact=True)).to_have_value("4")
    page.get_by_label("gloss").check()
    page.get_by_text("Queue and webhook").click()
    page.get_by_label("Address").fill("http://127.0.0.1/hook")
    page.get_by_label("job.failed").check()
    visitor.screenshot("form-several", is_whole=True)
    assert visitor.barriers() == []
    page.get_by_role("button", name="Render").click()
    webhook = page.get_by_role("group", name="Webhook")
    expect(webhook).to_have_accessible_description(re.compile("127.0.0.1"))
    page.get_by_label("Address").fill("")
    page.get_by_label("job.failed").uncheck()
    page.get_by_role("button", name="Render").click()
    expect(badge(page)).to_have_text("Done")
    job = visitor.service.job({"id": page.url.rpartition("/")[2]})
    assert job["params"] == {
        "names": ["mug", "cup"],
        "sizes": [{"width": 2, "depth": 0.5}],
        "sides": [4],
        "finish": "gloss",
    }
    assert "webhook" not in job


def test_a_worker_tells_what_it_is(visitor: Visitor) -> None:
    worker = visitor.page.get_by_role("complementary", name="Workers").get_by_role("listitem")
    expect(worker).to_contain_text("worker-1")
    expect(worker).to_contain_text(re.compile(r"Blender \d+\.\d+\.\d+ · \d+ MiB"))


def test_a_job_is_cancelled_where_it_waits_and_where_it_runs(visitor: Visitor, gate: Path) -> None:
    page = visitor.page
    running = visitor.service.submit("ball", {"gate": str(gate)})
    waiting = visitor.service.submit("ball", {"colour": "#3366cc"})
    page.get_by_role("region", name="Waiting").get_by_role("button", name="Cancel ball").click()
    expect(page.get_by_role("region", name="Waiting")).to_have_count(0)
    assert visitor.service.job(waiting)["state"] == "cancelled"

    page.get_by_role("region", name="Now").get_by_role("link", name="ball").click()
    expect(badge(page)).to_have_text("Running")
    page.get_by_role("button", name="Cancel ball").click()
    expect(badge(page)).to_have_text("Cancelled")
    expect(page.get_by_role("status").filter(has_text="is cancelled")).to_be_visible()
    assert visitor.service.job(running)["state"] == "cancelled"


def test_what_does_not_fit_is_told_at_its_field(visitor: Visitor) -> None:
    page = visitor.open("/new/ball")
    size, colour = page.get_by_label("Size", exact=True), page.get_by_label("Colour", exact=True)
    size.fill("9")
    page.get_by_role("button", name="Render").click()
    expect(size).to_have_attribute("aria-invalid", "true")
    expect(size).to_be_focused()
    expect(size).to_have_accessible_description(re.compile("9 is not between 0.1 and 2"))
    size.fill("1")
    colour.fill("red")
    page.get_by_role("button", name="Render").click()
    expect(colour).to_have_accessible_description(re.compile("not a colour"))
    colour.fill("#ffffff")
    # What the page does not know to be wrong, the server does.
    wrong = {"template": "ball", "params": {"colour": "red", "nose": 1}}
    page.route("**/api/v1/jobs", lambda route: route.continue_(post_data=wrong))
    page.get_by_role("button", name="Render").click()
    expect(page.get_by_role("alert")).to_contain_text("no parameter `nose`")
    expect(colour).to_have_attribute("aria-invalid", "true")
    expect(colour).to_be_focused()
    expect(colour).to_have_accessible_description(re.compile('"red" does not match'))
    visitor.screenshot("form-wrong")


def test_a_job_that_failed_says_why_and_can_be_changed(visitor: Visitor) -> None:
    asked = {"misbehave": "raise", "size": 0.5}
    failed = visitor.service.submit("ball", asked)
    visitor.service.story(failed)
    page = visitor.open(f"/jobs/{failed['id']}")
    expect(badge(page)).to_have_text("Failed")
    problem = page.locator(".job-facts > .problem")
    expect(problem).to_contain_text("no such ball")
    visitor.screenshot("job-failed")
    page.get_by_role("link", name="Again, changed").click()
    expect(page.get_by_label("Size", exact=True)).to_have_value("0.5")
    expect(page.get_by_label("Misbehave")).to_have_value('"raise"')


def test_a_job_is_put_together_by_the_keyboard_alone(visitor: Visitor) -> None:
    page = visitor.page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="To the content")).to_be_focused()
    for name in ["aiobpy", "Fleet", "New job"]:
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name=name).first).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_label("Size", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("ball")
    page.get_by_role("button", name="Cancel ball").focus()
    page.keyboard.press("Enter")
    expect(badge(page)).to_have_text("Cancelled")


def test_a_file_is_sent_for_a_job(visitor: Visitor, tmp_path: Path) -> None:
    page = visitor.open("/new/poster")
    picture = tmp_path / "picture.png"
    page.screenshot(path=picture, clip={"x": 0, "y": 0, "width": 24, "height": 16})
    page.get_by_role("button", name="Render").click()
    field = page.get_by_label("Picture")
    expect(field).to_have_accessible_description(re.compile("has to be said"))
    field.set_input_files(picture)
    expect(page.get_by_role("status").filter(has_text="picture.png")).to_be_visible()
    page.get_by_role("button", name="Render").click()
    expect(badge(page)).to_have_text("Done")
    image = page.get_by_alt_text("Result of poster")
    expect(image).to_have_js_property("naturalWidth", 24)
    expect(image).to_have_js_property("naturalHeight", 16)


def test_several_jobs_are_put_together_at_once(visitor: Visitor) -> None:
    page = visitor.open("/new/ball")
    ask_for_a_small_picture(page)
    page.get_by_text("Several at once").click()
    page.get_by_label("Vary").select_option("Colour")
    values = page.get_by_label("Values, one a line")
    values.fill("#3366cc\nred")
    page.get_by_role("button", name="Render").click()
    expect(values).to_have_accessible_description(re.compile("“red” is not a colour"))
    values.fill("#3366cc\n#2a9d5c\n#c83c78")
    page.get_by_role("button", name="Render").click()
    expect(badge(page)).to_have_text("Done")
    expect(page.get_by_alt_text("Result of ball")).to_have_count(3)
    expect(page.get_by_text("3 jobs: 3 done")).to_be_visible()
    assert visitor.barriers() == []
    visitor.screenshot("batch")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download all").click()
    assert download.value.path().read_bytes().startswith(b"PK")


def test_a_job_that_nobody_knows_is_told_as_such(visitor: Visitor) -> None:
    page = visitor.open("/jobs/01890a5d-ac96-774b-bcce-b302099a8057")
    expect(page.get_by_role("heading", name="No such job")).to_be_visible()
    expect(visitor.open("/nowhere").get_by_text("There is no such page")).to_be_visible()


def ask_for_a_small_picture(page: Page) -> None:
    """Let a render take no time."""
    page.get_by_text("Picture", exact=True).click()
    for name, value in [("Width", "160"), ("Height", "120"), ("Samples", "1")]:
        page.get_by_label(name, exact=True).fill(value)


def open_gate(gate: Path) -> None:
    """Let the job go on."""
    with gate.open("wb") as pipe:
        pipe.write(b"!")


def badge(page: Page) -> Locator:
    """Return where the state of the page's job is told."""
    return page.locator(".job-head .badge")


def expect_picture(image: Locator) -> None:
    """Wait until a picture is there, with all its pixels."""
    expect(image).to_be_visible()
    expect(image).to_have_js_property("complete", True)
    expect(image).to_have_js_property("naturalWidth", 160)
