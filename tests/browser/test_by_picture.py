"""Find by picture on a real site: somebody cut out of the bundled footage is found by the hub that followed them."""

import json
import shlex
import time
import urllib.request
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, expect

from browser.test_pages import BYTES_A_PAGE, grave_violations
from hub_fakes import WEB_DIR
from system.playing import CLIPS, Hub, Node, poll, site
from tooling import require_file

FIRST, LAST = 260, 460
"""The frames of the west clip that are played."""
ALONE = 425
"""A frame in which one person is in view, and where."""
ALONE_XYXY_PX = (297, 205, 322, 292)
CROWDED = 300
"""A frame with four people."""
FRAMES_PER_S = 10.0
NEAR_S = 3.0
"""A sighting need not cover every frame that shows somebody."""
WITHIN_S = 300.0
ANSWERED_WITHIN_MS = 40_000


@dataclass
class Played:
    """A hub that has followed a part of the west clip, whose node is gone; and a node that only looks on."""

    hub: Hub
    add_onlooker: Callable[[], Node]
    start_s: float

    def open(self, page: Page, path: str) -> None:
        page.set_default_timeout(60_000)
        page.goto(f"http://127.0.0.1:{self.hub.port}{path}")

    def api(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.hub.port}/api/v1/{path}", timeout=10) as answer:
            return json.load(answer)

    def seen_about(self, frame: int) -> set[str]:
        """The identities of the sightings near a frame."""
        at_s = self.start_s + (frame - FIRST) / FRAMES_PER_S
        near = [row for row in self.api("sightings") if row["from_s"] - NEAR_S <= at_s <= row["to_s"] + NEAR_S]
        return {row["identity_id"] for row in near if row["identity_id"]}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Generator[Played]:
    folder = tmp_path_factory.mktemp("site")
    start_s = time.time() - 600
    source = shlex.quote(str(a_part_of_the_clip(folder / "part.avi")))
    with site(folder) as (hub, add):
        west = add("west", RUID_SOURCE=source, RUID_PACE="fast", RUID_START_AT_S=str(start_s))
        assert west.process is not None
        west.process.wait(WITHIN_S)
        yield Played(hub, lambda: add("east", RUID_LOOP="true"), start_s)


@pytest.fixture(scope="module")
def watched(played: Played) -> Played:
    """The same with a node that can look at a picture; asked for after the test without one."""
    played.add_onlooker()
    poll(lambda: connected(played) == 1, within_s=60, what="the other camera's node is there")
    return played


def a_part_of_the_clip(target: Path) -> Path:
    writer: cv2.VideoWriter | None = None
    for frame in frames_of_the_clip(FIRST, LAST):
        writer = writer or cv2.VideoWriter(
            str(target), cv2.VideoWriter.fourcc(*"MJPG"), FRAMES_PER_S, frame.shape[1::-1]
        )
        writer.write(frame)
    assert writer is not None
    writer.release()
    return target


def frames_of_the_clip(first: int, last: int) -> Iterator[NDArray[np.uint8]]:
    clip = cv2.VideoCapture(str(CLIPS / "west.mp4"))
    for number in range(last):
        done, frame = clip.read()
        assert done
        if number >= first:
            yield np.asarray(frame, np.uint8)


def frame_of_the_clip(number: int) -> NDArray[np.uint8]:
    return next(frames_of_the_clip(number, number + 1))


def written(picture: NDArray[np.uint8], path: Path) -> Path:
    assert cv2.imwrite(str(path), picture)
    return path


def find(page: Page, picture: Path) -> None:
    """As with the keyboard alone, but for the system's own window in which a file is chosen."""
    page.get_by_text("Find by picture").focus()
    page.keyboard.press("Enter")
    page.get_by_label("A picture of somebody").set_input_files(picture)
    page.get_by_test_id("find").focus()
    page.keyboard.press("Enter")


def test_without_a_connected_camera_the_page_says_what_to_do(played: Played, page: Page, tmp_path: Path):
    played.open(page, "/people")
    find(page, written(frame_of_the_clip(ALONE), tmp_path / "frame.png"))
    expect(page.get_by_role("alert")).to_contain_text(
        "No camera is connected at the moment", timeout=ANSWERED_WITHIN_MS
    )
    expect(page.get_by_test_id("people-page")).to_be_visible()


def test_a_person_cut_out_of_the_footage_is_found_first(watched: Played, page: Page, tmp_path: Path):
    x1, y1, x2, y2 = ALONE_XYXY_PX
    [expected] = watched.seen_about(ALONE)
    watched.open(page, "/people")
    find(page, written(frame_of_the_clip(ALONE)[y1:y2, x1:x2], tmp_path / "ada.png"))
    expect(page.get_by_test_id("lookalikes-page")).to_be_visible(timeout=ANSWERED_WITHIN_MS)
    expect(page.get_by_role("heading", level=1)).to_have_text("Who looks like the person in your picture?")
    assert page.locator(".profile .picture img").evaluate("image => image.naturalWidth") == 64
    first = page.get_by_test_id("lookalike").first.get_by_test_id("person")
    expect(first).to_have_attribute("data-identity", expected)


def connected(played: Played) -> int:
    return sum(node["connected"] for node in played.api("nodes"))


@pytest.mark.parametrize("window", ["phone", "desktop"])
def test_of_several_people_one_is_chosen(watched: Played, browser: Browser, tmp_path: Path, window: str):
    """Whole on a phone and on a desktop, light and small, and usable with a screen reader."""
    axe = require_file(WEB_DIR / "node_modules" / "axe-core" / "axe.min.js", hint="run `npm ci` in web/")
    size: Any = {"width": 360, "height": 740} if window == "phone" else {"width": 1280, "height": 900}
    context = browser.new_context(viewport=size, color_scheme="dark", bypass_csp=True)
    context.add_init_script(path=axe)
    page, sizes = context.new_page(), list[int]()
    page.on("response", lambda response: sizes.append(max(0, response.request.sizes()["responseBodySize"])))
    watched.open(page, "/people")
    page.get_by_text("Find by picture").click()
    assert grave_violations(page) == []
    page.get_by_text("Find by picture").click()
    sizes.clear()
    find(page, written(frame_of_the_clip(CROWDED), tmp_path / "frame.png"))
    choices = page.get_by_test_id("choice")
    expect(choices).to_have_count(4, timeout=ANSWERED_WITHIN_MS)
    assert sum(sizes) < BYTES_A_PAGE
    assert grave_violations(page) == []
    sizes.clear()
    choices.first.get_by_role("button", name="Who looks like person 1?").click()
    expect(page.get_by_test_id("lookalike").first).to_be_visible(timeout=ANSWERED_WITHIN_MS)
    assert sum(sizes) < BYTES_A_PAGE
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    assert grave_violations(page) == []
    context.close()


def test_what_the_browser_cannot_open_is_said_at_once(played: Played, page: Page, tmp_path: Path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8 this is no picture")
    played.open(page, "/people")
    find(page, broken)
    expect(page.get_by_text("Your browser cannot open this picture")).to_be_visible(timeout=ANSWERED_WITHIN_MS)


def test_a_large_picture_is_made_small_before_it_leaves_the_browser(watched: Played, page: Page, tmp_path: Path):
    """As it is the hub would not take it; it is looked at all the same."""
    noise = np.random.default_rng(3).integers(0, 256, (2400, 3200, 3), dtype=np.uint8)
    large = written(noise, tmp_path / "large.jpg")
    assert large.stat().st_size > 4_000_000
    watched.open(page, "/people")
    find(page, large)
    expect(page.get_by_role("alert")).to_contain_text("Nobody was found in the picture", timeout=ANSWERED_WITHIN_MS)
