"""Networks that users bring: fetched from a server of the test's own, checked, and found by the node."""

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from ruid_edge.inference import find_model, load_detector
from ruid_edge.inference.cards import models_folder
from ruid_tools.models import add_command, catalogue
from ruid_tools.models.add_command import FIRST, PINNED, VERIFIED, list_models
from ruid_tools.models.added import AddingError, Wish, add_model
from ruid_tools.models.catalogue import CATALOGUE, CatalogueEntry
from ruid_tools.models.download import DownloadError, fetch
from ruid_tools.models.pins import DamagedPinsError, pin, read_pins

DETECTOR = models_folder() / "detector-nanodet-g.int8.onnx"
CONTENT = DETECTOR.read_bytes()
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Gives one file; what it was asked is kept."""

    content = CONTENT
    ranges = True
    breaks_off_after: int | None = None

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/mine.onnx"


class Answer(BaseHTTPRequestHandler):
    """The server's answer."""

    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        asked = self.headers.get("Range")
        server.asked.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and server.ranges else 0
        if "missing" in self.path:
            self.send_error(404)
            return
        if start and start >= len(server.content):
            self.send_error(416)
            return
        rest = server.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest[: server.breaks_off_after])

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RUID_MODELS_DIR", str(tmp_path / "models"))
    return tmp_path / "models"


def wish(*, name: str = "", family: str = "", sha256: str = "") -> Wish:
    return Wish(licence="Apache-2.0", name=name, family=family, sha256=sha256)


def test_the_node_finds_what_was_added_by_its_name(server: Server, folder: Path) -> None:
    add_model(server.url, wish(name="mine", sha256=SHA256), folder=folder)
    assert load_detector("mine", threads=1, width_px=64, height_px=64).model_id == f"mine-{SHA256[:8]}"
    card = find_model("mine").card
    assert card is not None
    assert (card.licence, card.source, card.output["family"]) == ("Apache-2.0", server.url, "nanodet")


def test_a_transfer_that_broke_off_goes_on_where_it_stopped(server: Server, folder: Path) -> None:
    server.breaks_off_after = 1000
    with pytest.raises(DownloadError, match="run it again to go on"):
        add_model(server.url, wish(name="mine", sha256=SHA256), folder=folder)
    server.breaks_off_after = None
    add_model(server.url, wish(name="mine", sha256=SHA256), folder=folder)
    assert server.asked == [None, "bytes=1000-"]
    assert (folder / "mine.onnx").read_bytes() == CONTENT


def test_a_server_that_knows_no_ranges_gives_the_whole_file_again(server: Server, tmp_path: Path) -> None:
    partial = tmp_path / "mine.partial"
    partial.write_bytes(b"begun")
    server.ranges = False
    fetch(server.url, partial)
    assert partial.read_bytes() == CONTENT


def test_what_is_there_already_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    partial = tmp_path / "mine.partial"
    partial.write_bytes(CONTENT)
    fetch(server.url, partial)
    assert partial.read_bytes() == CONTENT


def test_without_a_stated_checksum_it_says_the_one_that_arrived_and_adds_nothing(server: Server, folder: Path) -> None:
    with pytest.raises(AddingError, match=f"arrived with SHA-256 {SHA256}"):
        add_model(server.url, wish(name="mine"), folder=folder)
    assert not list(folder.glob("*.onnx"))
    add_model(server.url, wish(name="mine", sha256=SHA256), folder=folder)
    assert server.asked[1] == f"bytes={len(CONTENT)}-"


def test_another_file_than_was_meant_is_not_added(server: Server, folder: Path) -> None:
    with pytest.raises(AddingError, match="it is another file"):
        add_model(server.url, wish(name="mine", sha256="0" * 64), folder=folder)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("http://127.0.0.1:1/mine.onnx", "run it again"),
        ("ftp://example.org/mine.onnx", "only https"),
    ],
)
def test_an_address_that_cannot_be_fetched_is_told_in_one_line(address: str, reason: str, folder: Path) -> None:
    with pytest.raises(DownloadError, match=reason) as told:
        add_model(address, wish(sha256=SHA256), folder=folder)
    assert "\n" not in str(told.value)


def test_a_server_that_refuses_is_told(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="the server answers 404"):
        fetch(server.url.replace("mine", "missing"), tmp_path / "x.partial")


def test_a_file_that_is_too_large_is_not_fetched(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="larger than"):
        fetch(server.url, tmp_path / "x.partial", most_bytes=1000)


def test_a_file_is_copied_and_an_embedder_tried_as_one(tmp_path: Path, folder: Path) -> None:
    own = tmp_path / "Own Embedder.onnx"
    shutil.copyfile(models_folder() / "reid-osnet.int8.onnx", own)
    add_model(str(own), Wish(licence="MIT", embedder=True), folder=folder)
    card = find_model("own-embedder").card
    assert card is not None
    assert "family" not in card.output
    assert own.is_file()


@pytest.mark.parametrize(
    ("what", "said", "reason"),
    [
        ("nothing.onnx", {}, "no file, no address and no name"),
        ("osnet", {}, "upstream offers no ONNX file"),
        (str(DETECTOR), {"name": "accurate"}, "cannot be its name"),
        (str(DETECTOR), {"name": "../up"}, "cannot be its name"),
        (str(DETECTOR), {"name": "mine", "family": "yolo"}, "no family 'yolo'"),
        (str(DETECTOR), {"name": "mine", "family": "yolox"}, "are those of nanodet, not of yolox"),
        (str(DETECTOR), {"name": "mine", "sha256": "abc"}, "64 hexadecimal digits"),
        (str(models_folder() / "reid-osnet.int8.onnx"), {"name": "mine"}, "not a person detector.*say --embedder"),
    ],
)
def test_what_cannot_be_added_is_told(what: str, said: dict[str, str], reason: str, folder: Path) -> None:
    with pytest.raises(AddingError, match=reason):
        add_model(what, wish(**said), folder=folder)
    assert not list(folder.glob("*.card.json"))


def test_a_licence_must_be_said(folder: Path) -> None:
    with pytest.raises(AddingError, match="--licence"):
        add_model(str(DETECTOR), Wish(name="mine"), folder=folder)


def test_an_entry_of_the_catalogue_knows_its_licence_and_family(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = CatalogueEntry("nanodet-g", "detector", "nanodet", "Apache-2.0", server.url, "")
    monkeypatch.setattr(catalogue, "CATALOGUE", (entry,))
    add_model("nanodet-g", Wish(sha256=SHA256), folder=folder)
    assert find_model("nanodet-g").detector_use.family == "nanodet"


@pytest.fixture
def entry(server: Server, monkeypatch: pytest.MonkeyPatch) -> CatalogueEntry:
    """The catalogue's only entry, without a checksum."""
    only = CatalogueEntry("nanodet-g", "detector", "nanodet", "Apache-2.0", server.url, "")
    monkeypatch.setattr(catalogue, "CATALOGUE", (only,))
    monkeypatch.setattr(add_command, "CATALOGUE", (only,))
    return only


def trusts(capsys: pytest.CaptureFixture[str]) -> dict[tuple[str, str], str]:
    capsys.readouterr()
    list_models(json=True)
    return {(row["name"], row["state"]): row["trust"] for row in json.loads(capsys.readouterr().out)}


def test_the_first_download_of_an_entry_without_checksum_is_trusted_and_pinned(
    server: Server, folder: Path, entry: CatalogueEntry
) -> None:
    card = add_model(entry.name, Wish(), folder=folder)
    assert read_pins(folder) == {server.url: SHA256}
    card.unlink()
    server.content = CONTENT + b"changed"
    with pytest.raises(AddingError, match=r"another file.*--sha256"):
        add_model(entry.name, Wish(), folder=folder)
    assert not card.is_file()
    server.content = CONTENT
    add_model(entry.name, Wish(), folder=folder)
    assert card.is_file()


def test_a_stated_checksum_replaces_the_pinned_one(folder: Path, entry: CatalogueEntry) -> None:
    pin(folder_made(folder), entry.url, "0" * 64)
    add_model(entry.name, Wish(sha256=SHA256), folder=folder)
    assert read_pins(folder) == {entry.url: SHA256}


def test_an_entry_with_a_checksum_is_held_against_it(
    folder: Path, entry: CatalogueEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "CATALOGUE", (dataclasses.replace(entry, sha256="0" * 64),))
    with pytest.raises(AddingError, match="another file"):
        add_model(entry.name, Wish(), folder=folder)
    monkeypatch.setattr(catalogue, "CATALOGUE", (dataclasses.replace(entry, sha256=SHA256),))
    assert add_model(entry.name, Wish(), folder=folder).is_file()


def test_a_record_of_pins_that_cannot_be_read_stops_the_adding(folder: Path, entry: CatalogueEntry) -> None:
    (folder_made(folder) / "pins.json").write_text("{")
    with pytest.raises(DamagedPinsError, match="trust the next downloads"):
        add_model(entry.name, Wish(), folder=folder)


def test_the_list_says_what_each_file_is_held_against(
    folder: Path, entry: CatalogueEntry, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = trusts(capsys)
    assert before["accurate", "shipped"] == VERIFIED
    assert before[entry.name, "can be added"] == FIRST
    add_model(entry.name, Wish(), folder=folder)
    add_model(str(DETECTOR), wish(name="mine"), folder=folder)
    after = trusts(capsys)
    assert after[entry.name, "can be added"] == after[entry.name, "added"] == PINNED
    assert after["mine", "added"] == VERIFIED
    monkeypatch.setattr(add_command, "CATALOGUE", (dataclasses.replace(entry, sha256=SHA256),))
    assert set(trusts(capsys).values()) == {VERIFIED}


def folder_made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def test_the_list_names_shipped_added_and_catalogued_networks(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add_model(str(DETECTOR), wish(name="mine"), folder=folder)
    list_models(json=True)
    listed = capsys.readouterr().out
    assert all(f'"{name}"' in listed for name in ("accurate", "reid-osnet", "mine", *(e.name for e in CATALOGUE)))
