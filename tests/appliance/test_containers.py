"""Both images as containers: built, composed, killed, stopped and replaced for real.

A plain `docker compose up`'s files are used as they are; only the images' names are added, their own health checks are
asked more often, and the volumes for state are small ones in memory, so that they can be filled. Port 8080 must be
free.
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
    BASE_IMAGE,
    IMAGES,
    PROJECT,
    Composed,
    build,
    compose_program,
    not_here,
    run,
    until,
)
from tooling import REPOSITORY

HUB = "http://localhost:8080"
STOP_S = 10.0

# What the hub's database holds of each start of a node: every durable item has a number, from 1 on without a gap.
ACCOUNT = """
import json, sqlite3
db = sqlite3.connect("file:/data/hub.db?mode=ro", uri=True)
numbers, rows = {}, 0
for table in ("observations", "gaps", "crossings", "stays"):
    for node, boot, number in db.execute(f"SELECT node_key, boot_epoch, seq FROM {table} WHERE seq IS NOT NULL"):
        numbers.setdefault((node, boot), set()).add(number)
        rows += 1
print(json.dumps({
    "observations": db.execute("SELECT count(*) FROM observations").fetchone()[0],
    "identities": db.execute("SELECT count(*) FROM identities").fetchone()[0],
    "twice": rows - sum(map(len, numbers.values())),
    "missing": sum(max(of_a_boot) - len(of_a_boot) for of_a_boot in numbers.values()),
    "given_up": db.execute("SELECT count(*) FROM drops").fetchone()[0],
    "boots": len(numbers),
    "revision": db.execute("SELECT version_num FROM alembic_version").fetchone()[0],
    "sound": db.execute("PRAGMA integrity_check").fetchone()[0],
}))
"""
STATE_VOLUMES = {"hub": "200m", "edge": "24m"}
HOLDER = "ruid-appliance-test-holder"
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


SETUP_CODE = """
import json
from pathlib import Path
from ruid_hub.nodes.local import command
print(json.dumps(command(Path("/data"), "setup-code")))
"""


@pytest.fixture(scope="module")
def site(images: None, tmp_path_factory: pytest.TempPathFactory) -> Generator[Composed]:
    """The demo as `docker compose up` starts it."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", 8080)) == 0:
            not_here("something else answers on port 8080")
    names = tmp_path_factory.mktemp("compose") / "images.yml"
    services = {service: {"image": image, "healthcheck": {"interval": "2s"}} for service, image in IMAGES.items()}
    volumes = {f"{service}-state": in_memory(size) for service, size in STATE_VOLUMES.items()}
    names.write_text(yaml.safe_dump({"version": "2.4", "services": services, "volumes": volumes}), encoding="utf-8")
    files = (REPOSITORY / "docker-compose.yml", REPOSITORY / "docker-compose.override.yml", names)
    site = Composed(compose_program(), files)
    try:
        site.compose("up", "--no-start", "--no-build")
        hold_volumes()
        site.compose("up", "--detach", "--no-build")
        until(lambda: site.healthy("hub"), within_s=180, what="the hub is healthy", logs=lambda: site.logs("hub"))
        yield site
    finally:
        run("docker", "rm", "--force", HOLDER, check=False)
        site.compose("down", "--volumes", "--timeout", "5")


def in_memory(size: str) -> dict[str, object]:
    options = {"type": "tmpfs", "device": "tmpfs", "o": f"size={size},uid=999,gid=999,mode=0755"}
    return {"driver": "local", "driver_opts": options}


def hold_volumes() -> None:
    """A container that keeps what is in the volumes while those that use them end and start."""
    mounts = [word for service in STATE_VOLUMES for word in ("--volume", f"{PROJECT}_{service}-state:/{service}")]
    run("docker", "run", "--detach", "--init", "--name", HOLDER, *mounts, BASE_IMAGE, "sleep", "infinity")


def fill_disk(service: str) -> None:
    """Leave the service no byte to write."""
    run("docker", "exec", HOLDER, "dd", "if=/dev/zero", f"of=/{service}/ballast", "bs=4k", check=False)


def free_disk(service: str) -> None:
    run("docker", "exec", HOLDER, "rm", "--force", f"/{service}/ballast")


@pytest.fixture(scope="module")
def api(site: Composed) -> Generator[httpx.Client]:
    """A client of the hub's API that may see everything."""
    with httpx.Client(base_url=address(), timeout=10, verify=False) as client:  # noqa: S501 - its own authority
        make_owner(client, site)
        yield client


def address() -> str:
    """Where the pages are: the documented address, or where it sends browsers."""
    answer = httpx.get(HUB, verify=False)  # noqa: S501 - the same
    target = httpx.URL(answer.headers.get("location", ""))
    return f"https://{target.netloc.decode()}" if target.scheme == "https" else HUB


def make_owner(client: httpx.Client, site: Composed) -> None:
    """Set the hub up as its first visitor does, with its code; the client is signed in afterwards."""
    code = site.python("hub", SETUP_CODE)["answer"]
    page = client.get("/setup")
    token = re.search(r'name="_csrf" value="([^"]+)"', page.text)
    assert token is not None, page.text[:2000]
    form = {"name": "owner", "password": "a long enough pass phrase", "code": code, "_csrf": token.group(1)}
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


def nothing_is_lost(site: Composed, *, before: dict[str, int]) -> None:
    """Every number that a node gave an item is at the hub once, whatever happened in between."""
    after = account(site)
    assert {key: after[key] for key in ("twice", "missing", "given_up", "sound")} == {
        "twice": 0,
        "missing": 0,
        "given_up": 0,
        "sound": "ok",
    }
    assert after["observations"] >= before["observations"]
    assert after["identities"] > 0, "fewer than before are right where the hub has joined two meanwhile"


@pytest.mark.parametrize("harm", ["killed", "frozen"])
@pytest.mark.parametrize("service", ["edge", "hub"])
def test_a_service_that_is_killed_or_hangs_comes_back_and_nothing_is_lost(
    site: Composed, service: str, harm: str
) -> None:
    """A hang is the event loop's thread stopped for good: the service's own watchdog must end it."""
    grows_beyond(site, 0)
    # A start takes a while, and nobody watches over it.
    until(lambda: site.healthy(service), within_s=180, what=f"{service} is up", logs=lambda: site.logs(service))
    before, restarts = account(site), site.inspect(service)["RestartCount"]
    if harm == "killed":
        site.crash(service)
    else:
        site.freeze(service)
    until(lambda: site.inspect(service)["RestartCount"] > restarts, within_s=30, what=f"{service} is started again")
    grows_beyond(site, before["observations"])
    if service == "edge":
        until(lambda: account(site)["boots"] > before["boots"], within_s=60, what="what the new start saw arrives")
    nothing_is_lost(site, before=before)


def test_a_node_that_works_is_healthy(site: Composed) -> None:
    until(lambda: site.healthy("edge"), within_s=60, what="the node is healthy", logs=lambda: site.logs("edge"))


def test_a_node_whose_disk_was_full_goes_on_and_delivers_what_it_has(site: Composed) -> None:
    """The hub is away meanwhile, so that the spool must grow; what the spool took before is delivered without a gap."""
    site.stop("edge")  # ended well, a spool has no log left whose room could be used again
    run("docker", "start", site.container("edge"))
    before = account(site)
    grows_beyond(site, before["observations"])
    site.stop("hub")
    fill_disk("edge")
    until(
        lambda: "disk is full" in site.logs("edge") or "disk I/O error" in site.logs("edge"),
        within_s=180,
        what="the node finds the disk full",
        logs=lambda: site.logs("edge"),
    )
    free_disk("edge")
    run("docker", "start", site.container("hub"))
    until(lambda: site.healthy("hub"), within_s=180, what="the hub is healthy", logs=lambda: site.logs("hub"))
    grows_beyond(site, account(site)["observations"])
    nothing_is_lost(site, before=before)


def test_a_hub_whose_disk_was_full_goes_on_by_itself(site: Composed) -> None:
    site.stop("hub")
    run("docker", "start", site.container("hub"))
    until(lambda: site.healthy("hub"), within_s=180, what="the hub is healthy", logs=lambda: site.logs("hub"))
    before = account(site)
    fill_disk("hub")
    until(
        lambda: "full" in site.logs("hub") or "disk I/O error" in site.logs("hub"),
        within_s=180,
        what="the hub finds the disk full",
        logs=lambda: site.logs("hub"),
    )
    free_disk("hub")
    grows_beyond(site, before["observations"])
    nothing_is_lost(site, before=before)


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
    until(lambda: site.healthy("hub"), within_s=180, what="the new hub is healthy", logs=lambda: site.logs("hub"))
    grows_beyond(site, before["observations"])
    after = account(site)
    assert after["revision"] == "9000"
    nothing_is_lost(site, before=before)


def test_the_hub_counts_no_item_that_never_came(site: Composed, api: httpx.Client) -> None:
    """Its own figure since its last start, as Prometheus reads it."""
    figures = api.get("/metrics").text
    assert re.search(r"^ruid_hub_items_missing_total 0\.0$", figures, re.MULTILINE), figures[:2000]


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
