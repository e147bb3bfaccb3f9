"""Both images as containers: built, composed, killed, stopped and replaced for real.

A plain `docker compose up`'s files are used as they are; only the images' names are added. Port 8080 must be free.
"""

import json
import re
import socket
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest
import yaml

from appliance.engine import (
    DOCKERFILES,
    IMAGES,
    Composed,
    build,
    compose_program,
    not_here,
    require_base_image,
    require_engine,
    run,
    until,
)
from tooling import REPOSITORY

HUB = "http://localhost:8080"
STOP_S = 10.0

# What the hub's database holds: for each boot of a node the first, last and number of distinct sequence numbers.
ACCOUNT = """
import json, sqlite3
db = sqlite3.connect("file:/data/hub.db?mode=ro", uri=True)
print(json.dumps({
    "observations": db.execute("SELECT count(*) FROM observations").fetchone()[0],
    "identities": db.execute("SELECT count(*) FROM identities").fetchone()[0],
    "twice": db.execute(
        "SELECT count(*) FROM (SELECT 1 FROM observations GROUP BY node_key, boot_epoch, seq HAVING count(*) > 1)"
    ).fetchone()[0],
    "boots": db.execute("SELECT count(DISTINCT boot_epoch) FROM observations").fetchone()[0],
    "revision": db.execute("SELECT version_num FROM alembic_version").fetchone()[0],
    "sound": db.execute("PRAGMA integrity_check").fetchone()[0],
}))
"""
# How much the node's spool still holds.
WAITING = """
import glob, json, sqlite3
(path,) = glob.glob("/data/*.db")
db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
print(json.dumps({table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}))
"""
RIGHTS = """
import json, os
status = dict(line.split(":\\t", 1) for line in open("/proc/1/status").read().splitlines() if ":\\t" in line)
try:
    open("/opt/ruid/written", "w")
    writable = True
except OSError:
    writable = False
print(json.dumps({
    "uid": int(status["Uid"].split()[0]), "effective": int(status["CapEff"], 16),
    "bounding": int(status["CapBnd"], 16), "no_new_privileges": status["NoNewPrivs"], "writable": writable,
}))
"""


@pytest.fixture(scope="module")
def images() -> None:
    """Both images, built from this tree."""
    require_engine()
    require_base_image()
    for service, image in IMAGES.items():
        build(image, DOCKERFILES[service])


@pytest.fixture(scope="module")
def site(images: None, tmp_path_factory: pytest.TempPathFactory) -> Generator[Composed]:
    """The demo as `docker compose up` starts it."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", 8080)) == 0:
            not_here("something else answers on port 8080")
    names = tmp_path_factory.mktemp("compose") / "images.yml"
    services = {service: {"image": image} for service, image in IMAGES.items()}
    names.write_text(yaml.safe_dump({"version": "2.4", "services": services}), encoding="utf-8")
    files = (REPOSITORY / "docker-compose.yml", REPOSITORY / "docker-compose.override.yml", names)
    site = Composed(compose_program(), files)
    try:
        site.compose("up", "--detach", "--no-build")
        until(lambda: site.healthy("hub"), within_s=60, what="the hub is healthy", logs=lambda: site.logs("hub"))
        yield site
    finally:
        site.compose("down", "--volumes", "--timeout", "5")


@pytest.fixture(scope="module")
def api(site: Composed) -> Generator[httpx.Client]:
    """A client of the hub's API that may see everything."""
    with httpx.Client(base_url=address(), timeout=10, verify=False) as client:  # noqa: S501 - its own authority
        make_owner(client)
        yield client


def address() -> str:
    """Where the pages are: the documented address, or where it sends browsers."""
    answer = httpx.get(HUB, verify=False)  # noqa: S501 - the same
    target = httpx.URL(answer.headers.get("location", ""))
    return f"https://{target.netloc.decode()}" if target.scheme == "https" else HUB


def make_owner(client: httpx.Client) -> None:
    """Set the hub up as its first visitor does; the client is signed in afterwards."""
    page = client.get("/setup")
    token = re.search(r'name="_csrf" value="([^"]+)"', page.text)
    assert token is not None, page.text[:2000]
    form = {"name": "owner", "password": "a long enough pass phrase", "_csrf": token.group(1)}
    answer = client.post("/setup", data=form)
    assert answer.headers.get("location") == "/", answer.text[:2000]


def account(site: Composed) -> dict[str, int]:
    return site.python("hub", ACCOUNT)


def grows_beyond(site: Composed, observations: int) -> None:
    until(
        lambda: site.running("hub") and account(site)["observations"] > observations,
        within_s=90,
        what=f"more than {observations} observations",
        logs=lambda: site.logs("hub") + site.logs("edge"),
    )


# ── the images ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("images")
@pytest.mark.parametrize("image", IMAGES.values())
def test_an_image_holds_nothing_to_install_with(image: str) -> None:
    """No pip, no compiler, no Node; and it starts as somebody who is not root."""
    found = run("docker", "run", "--rm", "--entrypoint", "sh", image, "-c", "command -v pip pip3 gcc node npm; id -u")
    assert found.split() == ["999"]


@pytest.mark.usefixtures("images")
@pytest.mark.parametrize(("image", "library"), [(IMAGES["hub"], "sqlalchemy"), (IMAGES["edge"], "onnxruntime")])
def test_an_image_lists_what_is_in_it(image: str, library: str) -> None:
    bill = json.loads(run("docker", "run", "--rm", "--entrypoint", "cat", image, "/opt/ruid/sbom.cdx.json"))
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert {library, "msgspec", "libc6", "python3.13"} <= {component["name"] for component in bill["components"]}


@pytest.mark.usefixtures("images")
@pytest.mark.parametrize(("service", "package"), [("hub", "ruid_hub"), ("edge", "ruid_edge")])
def test_an_update_of_the_code_moves_one_small_layer(service: str, package: str) -> None:
    """The last layers of an image, from the code on, weigh less than 5 MB; the wheels are not among them."""
    history = run("docker", "history", "--no-trunc", "--format", "{{.Size}} {{.CreatedBy}}", IMAGES[service])
    copies = [line.split()[0] for line in history.splitlines() if "COPY" in line]
    assert len(copies) >= 4
    size = re.fullmatch(r"([\d.]+)(kB|MB)", copies[0])
    assert size is not None
    assert float(size.group(1)) * {"kB": 1e3, "MB": 1e6}[size.group(2)] < 5e6


@pytest.mark.usefixtures("images")
def test_a_node_started_as_root_keeps_no_right() -> None:
    """As balena starts it, but for `privileged`: the start script's own doing."""
    options = ("--user", "root", "--read-only", "--tmpfs", "/run/udev", "--network", "none")
    said = run("docker", "run", "--rm", *options, IMAGES["edge"], "python", "-c", RIGHTS)
    assert json.loads(said) == {
        "uid": 999,
        "effective": 0,
        "bounding": 0,
        "no_new_privileges": "1",
        "writable": False,
    }


# ── the demo ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_compose_up_gives_a_demo_that_counts(site: Composed, api: httpx.Client) -> None:
    """Both bundled cameras are on the page and in the API, people are seen, and the database keeps them."""

    def seen() -> bool:
        cameras = api.get("/api/v1/site").json()["cameras"]
        return {"west", "east"} <= {camera["name"] for camera in cameras}

    until(seen, within_s=60, what="both cameras in the API", logs=lambda: site.logs("edge"))
    page = api.get("/").text
    assert "west" in page
    assert "east" in page
    grows_beyond(site, 3)
    assert account(site)["identities"] > 0


@pytest.mark.parametrize("service", ["hub", "edge"])
def test_a_service_has_no_rights(site: Composed, service: str) -> None:
    """Not root, no capability to use or to regain, and a root file system that cannot be written."""
    until(lambda: site.running(service), within_s=30, what=f"{service} runs")
    rights = site.python(service, RIGHTS)
    assert rights == {"uid": 999, "effective": 0, "bounding": 0, "no_new_privileges": "1", "writable": False}


@pytest.mark.parametrize("service", ["edge", "hub"])
def test_a_killed_service_comes_back_and_nothing_is_lost(site: Composed, service: str) -> None:
    grows_beyond(site, 0)
    before, restarts = account(site), site.inspect(service)["RestartCount"]
    site.crash(service)
    until(lambda: site.inspect(service)["RestartCount"] > restarts, within_s=30, what=f"{service} is started again")
    grows_beyond(site, before["observations"])
    after = account(site)
    assert after["identities"] >= before["identities"]
    assert after["twice"] == 0
    assert after["sound"] == "ok"
    if service == "edge":
        until(lambda: account(site)["boots"] > before["boots"], within_s=60, what="what the new start saw arrives")


def test_a_new_hub_image_takes_over_with_its_migration(site: Composed, tmp_path: Path) -> None:
    """The node goes on while the hub is replaced; the database is migrated and keeps what it held."""
    before = account(site)
    run("docker", "tag", IMAGES["hub"], "ruid-hub:before")
    (tmp_path / "9000_next.py").write_text(next_migration(before["revision"]), encoding="utf-8")
    (tmp_path / "Dockerfile").write_text(
        "FROM ruid-hub:before\nCOPY 9000_next.py /opt/ruid/src/ruid_hub/store/migrations/versions/\n", encoding="utf-8"
    )
    build(IMAGES["hub"], str(tmp_path / "Dockerfile"), context=tmp_path)
    replaced = site.container("hub")
    site.compose("up", "--detach", "--no-build", "hub")
    assert site.container("hub") != replaced
    until(lambda: site.healthy("hub"), within_s=60, what="the new hub is healthy", logs=lambda: site.logs("hub"))
    grows_beyond(site, before["observations"])
    after = account(site)
    assert after["revision"] == "9000"
    assert after["identities"] >= before["identities"]
    assert (after["twice"], after["sound"]) == (0, "ok")


def next_migration(revision: object) -> str:
    return f'''"""A step that a later release might bring."""
import sqlalchemy as sa
from alembic import op

revision = "9000"
down_revision = "{revision}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("observations", sa.Column("of_a_later_release", sa.Integer()))
'''


@pytest.mark.parametrize("service", ["edge", "hub"])
def test_a_service_stops_in_time(site: Composed, service: str) -> None:
    """An update's SIGTERM ends it by itself, well before it would be killed."""
    until(lambda: site.running(service), within_s=30, what=f"{service} runs")
    took_s, exit_code = site.stop(service)
    assert exit_code == 0, site.logs(service)
    assert took_s < STOP_S
