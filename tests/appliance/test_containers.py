"""Both images as containers: built, composed, killed, stopped and replaced for real.

A plain `docker compose up`'s files are used as they are; only the images' names are added, their own health checks are
asked more often and may take longer, and the volumes for state are small ones in memory, so that they can be filled.
Port 8080 must be free. The tests run in the order in which they stand: the first ones visit the demonstration, which
the owner then closes.
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
from appliance.kept import ACCOUNT, PATIENCE_S, account, grows_beyond, is_healthy, nothing_is_lost
from tooling import REPOSITORY

HUB = "http://localhost:8080"
STOP_S = 10.0

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


STRANGER = "ruid-appliance-test-stranger"
FORMER = "ruid-appliance-test-former"
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
    health = {"interval": "2s", "timeout": "60s"}  # to start the check may take long where much else runs
    services = {service: {"image": image, "healthcheck": health} for service, image in IMAGES.items()}
    volumes = {f"{service}-state": in_memory(size) for service, size in STATE_VOLUMES.items()}
    names.write_text(yaml.safe_dump({"version": "2.4", "services": services, "volumes": volumes}), encoding="utf-8")
    files = (REPOSITORY / "docker-compose.yml", REPOSITORY / "docker-compose.override.yml", names)
    site = Composed(compose_program(), files)
    try:
        site.compose("up", "--no-start", "--no-build")
        hold_volumes()
        site.compose("up", "--detach", "--no-build")
        is_healthy(site, "hub")
        yield site
    finally:
        run("docker", "rm", "--force", HOLDER, STRANGER, check=False)
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
    """A client of the hub's API that may see everything: the owner's, who closes the demonstration."""
    with visitor() as client:
        code = site.python("hub", SETUP_CODE)["answer"]
        assert set_up(client, code=code) == "/"
        yield client


def visitor() -> httpx.Client:
    """A browser that has never been here, at the documented address; it follows no redirection."""
    return httpx.Client(base_url=HUB, timeout=60, headers={"accept": "text/html,application/json"})


def send_form(client: httpx.Client, page: str, action: str, **fields: str) -> httpx.Response:
    """Send a form of a page to where it goes."""
    shown = client.get(page)
    token = re.search(r'name="_csrf" value="([^"]+)"', shown.text)
    assert token is not None, shown.text[:2000]
    return client.post(action, data={**fields, "_csrf": token.group(1)})


def set_up(client: httpx.Client, *, code: str) -> str | None:
    """Fill in the form of the first visit; where it leads. With the right code the client is signed in afterwards."""
    account = {"name": "owner", "password": "a long enough pass phrase", "code": code}
    return send_form(client, "/setup", "/setup", **account).headers.get("location")


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


LOAD = """
import sqlite3, sys
sqlite3.connect("/data/hub.db").executescript(sys.stdin.read())
"""
KEPT = """
import json, pathlib, urllib.request
with urllib.request.urlopen("http://127.0.0.1:8080/healthz", timeout=60) as answer:
    print(json.dumps({"ready": json.load(answer)["ready"], "backups": [
        path.name for path in pathlib.Path("/data/backups").iterdir()]}))
"""


@pytest.fixture
def former(images: None) -> Generator[str]:
    """A hub's container on the database that the first release's own code made."""
    volume = ("--volume", f"{FORMER}:/data")
    first = (REPOSITORY / "tests/golden/store/first.sql").read_text(encoding="utf-8")
    try:
        run("docker", "run", "--rm", "--interactive", *volume, IMAGES["hub"], "python", "-c", LOAD, text=first)
        run("docker", "run", "--detach", "--name", FORMER, *volume, IMAGES["hub"])
        yield FORMER
    finally:
        run("docker", "rm", "--force", FORMER, check=False)
        run("docker", "volume", "rm", "--force", FORMER, check=False)


def test_a_hub_takes_over_the_database_of_the_first_release(former: str) -> None:
    """Every step of the schema since, in the image: what was counted is kept, and there is a way back."""

    def ready() -> bool:
        return '"ready": true' in run("docker", "exec", former, "python", "-c", KEPT, check=False)

    until(ready, within_s=PATIENCE_S, what="the hub is ready", logs=lambda: run("docker", "logs", former))
    kept = json.loads(run("docker", "exec", former, "python", "-c", KEPT))
    assert kept["backups"] == ["before-update-0001.tar"]
    now = json.loads(run("docker", "exec", former, "python", "-c", ACCOUNT))
    assert {name: now[name] for name in ("observations", "identities", "given_up", "twice", "sound")} == {
        "observations": 3,
        "identities": 2,
        "given_up": ["spool full"],
        "twice": 0,
        "sound": "ok",
    }
    assert now["revision"] > "0001"


# ── the demo ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_compose_up_shows_the_demonstration_with_no_other_step(site: Composed) -> None:
    """No account, no certificate, no redirection: the page with counts at the documented address, and it says so."""
    with visitor() as client:

        def counted() -> bool:
            seen = client.get("/api/v1/site").json()
            up = {camera["name"] for camera in seen["cameras"] if camera["state"] == "up"}
            return up == {"west", "east"} and seen["people_now"] > 0 and seen["unique"]["count"] > 0

        until(counted, within_s=PATIENCE_S, what="people on both cameras", logs=lambda: site.logs("edge"))
        for path in ("/", "/people", "/counts", "/cameras"):
            page = client.get(path)
            assert page.status_code == 200, path
            assert 'data-testid="demonstration"' in page.text, path
        live = client.get("/").text
        assert "west" in live
        assert "east" in live
    grows_beyond(site, 3)
    assert account(site)["identities"] > 0


def test_a_visitor_of_the_demonstration_corrects_and_administers_nothing(site: Composed) -> None:
    grows_beyond(site, 0)
    with visitor() as client:
        someone = client.get("/api/v1/people").json()["items"][0]["identity_id"]
        named = send_form(client, f"/people/{someone}", f"/people/{someone}/rename", name="Somebody Visited")
        assert named.status_code == 303
        assert "Somebody Visited" in client.get("/people").text
        for path in ("/settings", "/audit", "/api/v1/users", "/api/v1/tokens"):
            assert client.get(path).status_code == 403, path


def test_the_demonstration_is_shown_to_its_own_machine_alone(site: Composed) -> None:
    """Its ports are bound to this machine's own address, and under another name the hub asks for its owner."""
    published = site.inspect("hub")["NetworkSettings"]["Ports"].values()
    assert {place["HostIp"] for places in published for place in places or ()} == {"127.0.0.1"}
    moved = httpx.get(HUB, headers={"host": "hub.example:8080"})
    assert (moved.status_code, moved.headers["location"]) == (307, "https://hub.example:8080/")
    with httpx.Client(verify=False, timeout=60) as client:  # noqa: S501 - its own authority
        asked = client.get("https://localhost:8080/", headers={"host": "hub.example:8080", "accept": "text/html"})
    assert (asked.status_code, asked.headers["location"]) == (303, "/setup")


def test_a_node_with_another_source_is_not_let_into_the_demonstration_unasked(site: Composed) -> None:
    """The image's own start, as it is for cameras, with the same volumes: the hub takes it for a stranger."""
    mounts = [word for name in ("join:/join", "edge-state:/data") for word in ("--volume", f"{PROJECT}_{name}")]
    variables = ("--env", "RUID_SOURCE=/opt/ruid/demo/west.mp4", "--env", "RUID_NODE_NAME=stranger")
    place = ("--network", f"{PROJECT}_demonstration", "--name", STRANGER)
    run("docker", "run", "--detach", *place, *mounts, *variables, IMAGES["edge"])
    asks = re.compile(r"a device asks to be let in.*name=stranger")
    until(lambda: asks.search(site.logs("hub")), within_s=PATIENCE_S, what="it asks", logs=lambda: site.logs("hub"))
    run("docker", "rm", "--force", STRANGER)
    with visitor() as client:
        assert {camera["node_name"] for camera in client.get("/api/v1/site").json()["cameras"]} == {"demo"}


def test_a_wrong_code_leaves_the_demonstration_as_it_is(site: Composed) -> None:
    grows_beyond(site, 0)
    with visitor() as client:
        assert set_up(client, code="AAAA-AAAA") == "/setup?trouble=code"
        assert client.get("/").status_code == 200


def test_an_owner_closes_the_demonstration(api: httpx.Client) -> None:
    page = api.get("/")
    assert page.status_code == 200
    assert 'data-testid="demonstration"' not in page.text
    with visitor() as client:
        answer = client.get("/")
        assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2F")
        assert client.get("/api/v1/site", headers={"accept": "application/json"}).status_code == 401
        assert client.get("/setup").status_code == 404


@pytest.mark.parametrize("service", ["hub", "edge"])
def test_a_service_has_no_rights(site: Composed, service: str) -> None:
    """Not root, no capability to use or to regain, and a root file system that cannot be written."""
    until(lambda: site.running(service), within_s=PATIENCE_S, what=f"{service} runs")
    rights = site.python(service, RIGHTS)
    assert rights == {"uid": 999, "effective": 0, "bounding": 0, "no_new_privileges": "1", "writable": False}


@pytest.mark.parametrize("harm", ["killed", "frozen"])
@pytest.mark.parametrize("service", ["edge", "hub"])
def test_a_service_that_is_killed_or_hangs_comes_back_and_nothing_is_lost(
    site: Composed, service: str, harm: str
) -> None:
    """A hang is the event loop's thread stopped for good: the service's own watchdog must end it."""
    grows_beyond(site, 0)
    is_healthy(site, service)  # a start takes a while, and nobody watches over it
    before, restarts = account(site), site.inspect(service)["RestartCount"]
    if harm == "killed":
        site.crash(service)
    else:
        site.freeze(service)
    until(lambda: site.inspect(service)["RestartCount"] > restarts, within_s=90, what=f"{service} is started again")
    grows_beyond(site, before["observations"])
    if service == "edge":
        what = "what the new start saw arrives"
        until(lambda: account(site)["boots"] > before["boots"], within_s=PATIENCE_S, what=what)
    nothing_is_lost(site, before=before)


def test_a_node_that_works_is_healthy(site: Composed) -> None:
    is_healthy(site, "edge")


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
        within_s=PATIENCE_S,
        what="the node finds the disk full",
        logs=lambda: site.logs("edge"),
    )
    free_disk("edge")
    run("docker", "start", site.container("hub"))
    is_healthy(site, "hub")
    grows_beyond(site, account(site)["observations"])
    nothing_is_lost(site, before=before)


def test_a_hub_whose_disk_was_full_goes_on_by_itself(site: Composed) -> None:
    site.stop("hub")
    run("docker", "start", site.container("hub"))
    is_healthy(site, "hub")
    before = account(site)
    fill_disk("hub")
    until(
        lambda: "full" in site.logs("hub") or "disk I/O error" in site.logs("hub"),
        within_s=PATIENCE_S,
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
    is_healthy(site, "hub")
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
    until(lambda: site.running(service), within_s=PATIENCE_S, what=f"{service} runs")
    took_s, exit_code = site.stop(service)
    assert exit_code == 0, site.logs(service)
    assert took_s < STOP_S
