"""The compose file, balena.yml and the Dockerfiles keep to what balena and plain Docker both accept.

These are static checks; nothing is built here.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from ruid_edge.settings import EdgeSettings
from ruid_edge.settings import load_settings as load_edge_settings
from ruid_hub.settings import HubSettings
from ruid_hub.settings import load_settings as load_hub_settings
from tooling import REPOSITORY, require_file, require_tool


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What balena's builder and supervisor reject or drop, from its documentation and its compose parser.
REJECTED_ON_SERVICE = words(
    """blkio_config configs cpu_count cpu_percent cpu_period credential_spec deploy develop external_links gpus
    isolation links logging mem_swappiness memswap_limit oom_kill_disable platform pull_policy runtime scale secrets
    stdin_open storage_opt"""
)
DROPPED_ON_SERVICE = words("container_name cpus env_file expose profiles")
REJECTED_ON_BUILD = words(
    """additional_contexts cache_to dockerfile_inline entitlements isolation network no_cache platforms privileged pull
    secrets ssh tags ulimits"""
)
TAKES_OVER_THE_DEVICE = frozenset({"privileged", "devices", "network_mode", "pid", "ipc", "cap_add", "labels"})
DEVICE_TYPES = {"raspberrypi5", "raspberrypi4-64", "raspberrypi3-64", "raspberrypi0-2w-64"}
SERVICES = ("hub", "edge")
DOCKERFILES = {"hub": Path("hub/Dockerfile"), "edge": Path("edge-node/Dockerfile")}
KNOWN_VARIABLES = {
    "hub": {field.encode_name for field in msgspec.structs.fields(HubSettings)},
    "edge": {field.encode_name for field in msgspec.structs.fields(EdgeSettings)},
}


def read_yaml(name: str) -> dict[str, Any]:
    return yaml.safe_load((REPOSITORY / name).read_text(encoding="utf-8"))


def service(name: str) -> dict[str, Any]:
    return read_yaml("docker-compose.yml")["services"][name]


def instructions(name: str) -> list[tuple[str, str]]:
    """A Dockerfile's instructions in order, with their arguments on one line."""
    text = (REPOSITORY / DOCKERFILES[name]).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines()
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in joined]


def arguments_of(name: str, instruction: str) -> list[str]:
    return [arguments for word, arguments in instructions(name) if word == instruction]


def image_environment(name: str) -> dict[str, str]:
    pairs = (pair.partition("=") for line in arguments_of(name, "ENV") for pair in shlex.split(line))
    return {key: value for key, _, value in pairs}


def copied(name: str) -> list[str]:
    """The paths in the repository that an image is made from, in the order of its layers."""
    lines = [line for line in arguments_of(name, "COPY") if not line.startswith("--from")]
    return [source for line in lines for source in line.split()[:-1]]


# ── docker-compose.yml ────────────────────────────────────────────────────────────────────────────────────────────


def test_the_compose_file_is_in_the_format_that_balena_reads() -> None:
    compose = read_yaml("docker-compose.yml")
    assert compose["version"] == "2.4"
    assert set(compose["services"]) == set(SERVICES)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_uses_nothing_that_balena_rejects_or_drops(name: str) -> None:
    assert not (REJECTED_ON_SERVICE | DROPPED_ON_SERVICE) & service(name).keys()
    assert not REJECTED_ON_BUILD & service(name)["build"].keys()


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_cannot_change_its_image_or_gain_rights(name: str) -> None:
    assert service(name)["security_opt"] == ["no-new-privileges:true"]
    assert service(name)["read_only"] is True


def test_the_hub_gets_no_hold_of_the_device() -> None:
    assert not TAKES_OVER_THE_DEVICE & service("hub").keys()
    assert service("hub")["cap_drop"] == ["ALL"]


def test_the_node_gets_what_cameras_need_and_nothing_else() -> None:
    """Privileged is the only way to a camera that balena leaves; no label hands over the host besides."""
    assert TAKES_OVER_THE_DEVICE & service("edge").keys() == {"privileged"}
    assert service("edge")["user"] == "root"
    assert "/run/udev" in service("edge")["tmpfs"]


def test_plain_docker_takes_the_privilege_away_again() -> None:
    assert override("edge")["privileged"] is False
    assert override("edge")["user"] == "ruid"
    assert override("edge")["cap_drop"] == ["ALL"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_comes_back_by_itself_and_cannot_eat_the_device_s_memory(name: str) -> None:
    assert service(name)["restart"] == "always"
    assert re.fullmatch(r"\d+m", service(name)["mem_limit"])


@pytest.mark.parametrize("name", SERVICES)
def test_every_volume_is_a_named_one(name: str) -> None:
    named = read_yaml("docker-compose.yml")["volumes"]
    for volume in service(name)["volumes"]:
        assert volume.split(":")[0] in named


@pytest.mark.parametrize("name", SERVICES)
def test_tmp_is_left_to_the_supervisor(name: str) -> None:
    assert not [path for path in service(name)["tmpfs"] if path.startswith("/tmp")]  # noqa: S108 - a path in a container


def test_no_variable_is_substituted() -> None:
    assert "${" not in (REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8")


def test_services_wait_for_each_other_in_the_only_way_that_balena_knows() -> None:
    assert service("edge")["depends_on"] == ["hub"]


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_built_from_its_own_file_in_the_root(name: str) -> None:
    assert service(name)["build"] == {"context": ".", "dockerfile": str(DOCKERFILES[name])}


def test_the_node_s_variables_are_settings_that_it_accepts() -> None:
    settings = load_edge_settings({**image_environment("edge"), **service("edge")["environment"]})
    assert settings.hub_url == "wss://hub:8765"


def test_the_hub_s_variables_are_settings_that_it_accepts() -> None:
    settings = load_hub_settings({**image_environment("hub"), **service("hub")["environment"]})
    assert settings.bind == "0.0.0.0"  # noqa: S104 - in its own network; the compose file publishes the ports
    assert settings.access == "required"


# ── docker-compose.override.yml ───────────────────────────────────────────────────────────────────────────────────


def override(name: str) -> dict[str, Any]:
    return read_yaml("docker-compose.override.yml")["services"][name]


def test_only_what_plain_docker_adds_makes_a_demonstration() -> None:
    variables = {**image_environment("hub"), **service("hub")["environment"]}
    assert "RUID_ACCESS" not in variables
    assert load_hub_settings(variables | override("hub")["environment"]).access == "demonstration"


def test_a_demonstration_is_published_to_its_own_machine_alone() -> None:
    """Lists of ports of several files add up, so the network says it; both services are in no other one."""
    network = read_yaml("docker-compose.override.yml")["networks"]["demonstration"]
    assert network["driver_opts"] == {"com.docker.network.bridge.host_binding_ipv4": "127.0.0.1"}
    for name in SERVICES:
        assert override(name)["networks"] == ["demonstration"]
        assert "ports" not in override(name)
        assert "networks" not in service(name)


def test_the_node_of_a_demonstration_plays_the_clips_under_an_identity_of_its_own(tmp_path: Path) -> None:
    """Whatever else the container is told: the key and the secret that a demonstration's hub trusts see no camera."""
    assert override("edge")["command"] == ["/opt/ruid/demo/play-demo"]
    assert "environment" not in override("edge")
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nenv\n", encoding="utf-8")
    program.chmod(0o755)
    told = {"RUID_SOURCE": "/dev/video0", "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    given = {**image_environment("edge"), **service("edge")["environment"], **told}
    said = subprocess.run([REPOSITORY / "edge-node/play-demo"], env=given, capture_output=True, text=True, check=True)
    played = dict(line.split("=", 1) for line in said.stdout.splitlines() if line.startswith("RUID_"))
    settings, usual = load_edge_settings(played), load_edge_settings(given)
    assert [camera.name for camera in settings.cameras] == ["west", "east"]
    assert all(camera.source.startswith("/opt/ruid/demo/") for camera in settings.cameras)
    assert settings.loop
    assert settings.state_dir != usual.state_dir
    hub = load_hub_settings({**image_environment("hub"), **override("hub")["environment"]})
    assert settings.join_file == hub.joining_file != usual.join_file


@pytest.mark.parametrize("name", SERVICES)
def test_every_variable_of_ours_has_the_name_of_a_setting(name: str) -> None:
    given = image_environment(name).keys() | service(name)["environment"].keys()
    assert {key for key in given if key.startswith("RUID_")} <= KNOWN_VARIABLES[name]


def test_the_node_finds_the_hub_where_the_hub_listens() -> None:
    node_port = image_environment("hub")["RUID_NODE_PORT"]
    assert service("edge")["environment"]["RUID_HUB_URL"] == f"wss://hub:{node_port}"
    assert f"{node_port}:{node_port}" in service("hub")["ports"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_device_is_hub_and_camera_until_a_device_variable_says_otherwise(name: str) -> None:
    """The fleet's default and the compose file's say the same; an empty list of names is none."""
    fleet = [
        variable
        for variable in read_yaml("balena.yml")["data"]["applicationEnvironmentVariables"]
        if "RUID_ROLE" in variable
    ]
    assert fleet == [{"RUID_ROLE": "both"}]
    assert service(name)["environment"]["RUID_ROLE"] == "both"
    assert load_hub_settings(service("hub")["environment"]).names == ""


def test_the_hub_lets_the_node_of_its_own_machine_in() -> None:
    """Both read the secret in one file, of a volume that nobody else has."""
    files = {image_environment(name)["RUID_JOIN_FILE"] for name in SERVICES}
    assert files == {"/join/secret"}
    assert all("join:/join" in service(name)["volumes"] for name in SERVICES)


# ── balena's own rules ────────────────────────────────────────────────────────────────────────────────────────────


def long_form(compose: dict[str, Any]) -> dict[str, Any]:
    """The composition as compose-go prints it: what balena's parser starts from."""

    def port(text: str) -> dict[str, Any]:
        published, target = text.split(":")
        return {"mode": "ingress", "published": published, "target": int(target), "protocol": "tcp"}

    def volume(text: str) -> dict[str, Any]:
        source, target = text.split(":")
        return {"type": "volume", "source": source, "target": target, "volume": {}}

    services = {
        name: {
            **service,
            "build": {**service["build"], "context": str(REPOSITORY)},
            "ports": [port(text) for text in service.get("ports", [])],
            "volumes": [volume(text) for text in service["volumes"]],
            "depends_on": {
                other: {"condition": "service_started", "required": True} for other in service.get("depends_on", [])
            },
        }
        for name, service in compose["services"].items()
    }
    return {"name": "ruid", "services": services, "volumes": {name: {} for name in compose["volumes"]}}


def as_balena_sees(compose: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Put a composition through balena's own parser."""
    node = require_tool("node")
    folder = REPOSITORY / "tools/balena"
    require_file(folder / "node_modules/@balena/compose-parser", hint="run `npm ci` in tools/balena")
    return subprocess.run(
        [node, folder / "compose-rules.cjs", REPOSITORY / "docker-compose.yml"],
        cwd=folder,
        input=json.dumps(long_form(compose)),
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_compose_file_passes_balena_s_own_rules() -> None:
    done = as_balena_sees(read_yaml("docker-compose.yml"))
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)["services"]
    assert seen["edge"]["privileged"] is True
    assert seen["edge"]["tmpfs"] == ["/run/ruid", "/run/udev"]
    assert seen["hub"]["ports"] == ["8080:8080", "8765:8765"]
    assert seen["edge"]["depends_on"] == ["hub"]


@pytest.mark.parametrize(
    ("field", "value"), [("logging", {"driver": "none"}), ("security_opt", ["label:disable"]), ("secrets", [])]
)
def test_balena_s_rules_are_the_ones_that_are_asked(field: str, value: object) -> None:
    """What balena rejects is rejected here too: the check is no empty form."""
    compose = read_yaml("docker-compose.yml")
    compose["services"]["edge"][field] = value
    done = as_balena_sees(compose)
    assert done.returncode == 1
    assert field in done.stderr


# ── balena.yml ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_balena_yml_names_the_devices_and_the_release() -> None:
    balena = read_yaml("balena.yml")
    assert balena["type"] == "sw.application"
    assert re.fullmatch(r"\d+\.\d+\.\d+", balena["version"])
    assert set(balena["data"]["supportedDeviceTypes"]) == DEVICE_TYPES
    assert balena["data"]["defaultDeviceType"] in DEVICE_TYPES


@pytest.mark.parametrize("kind", ["applicationEnvironmentVariables", "applicationConfigVariables"])
def test_fleet_variables_are_lists_of_one_pair_of_strings(kind: str) -> None:
    for variable in read_yaml("balena.yml")["data"][kind]:
        ((name, value),) = variable.items()
        assert isinstance(name, str)
        assert isinstance(value, str)


def test_fleet_variables_are_settings_of_the_hub_or_the_node() -> None:
    names = {
        name for variable in read_yaml("balena.yml")["data"]["applicationEnvironmentVariables"] for name in variable
    }
    assert names <= KNOWN_VARIABLES["hub"] | KNOWN_VARIABLES["edge"]


def test_the_legacy_camera_stack_is_never_turned_on() -> None:
    assert not re.search(r"start_x|gpu_mem", (REPOSITORY / "balena.yml").read_text(encoding="utf-8"))


# ── Dockerfiles ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", SERVICES)
def test_images_stand_on_debian_trixie_and_need_no_buildkit(name: str) -> None:
    outside = [line.split()[0] for line in arguments_of(name, "FROM") if line.split()[0] not in {"base", "tooled"}]
    assert outside == ["debian:trixie-slim"]
    assert not [line for line in arguments_of(name, "RUN") if "--mount" in line]


@pytest.mark.parametrize("name", SERVICES)
def test_every_installation_checks_hashes(name: str) -> None:
    for line in arguments_of(name, "RUN"):
        for command in re.findall(r"pip install[^&]*", line):
            assert "--require-hashes" in command
            assert "--no-deps" in command


@pytest.mark.parametrize(("name", "module"), [("hub", "ruid_hub"), ("edge", "ruid_edge")])
def test_the_program_is_started_without_a_shell_and_without_root(name: str, module: str) -> None:
    assert [json.loads(line) for line in arguments_of(name, "CMD")] == [["python", "-m", module]]
    assert arguments_of(name, "USER") == ["ruid"]


@pytest.mark.parametrize("name", SERVICES)
def test_whatever_is_copied_exists_and_is_let_through_by_dockerignore(name: str) -> None:
    lines = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_through = [line[1:] for line in lines if line.startswith("!")]
    for source in copied(name):
        assert list(REPOSITORY.glob(source)), source
        assert any(source == path or source.startswith(f"{path}/") for path in let_through), source


def into_the_last_stage(name: str) -> list[str]:
    """What the image itself is made of, layer by layer: sources in this tree, or `stage:path` for what was built."""
    layers: list[str] = []
    for word, arguments in instructions(name):
        if word == "FROM":
            layers = []
        if word == "COPY":
            stage = re.match(r"--from=(\w+) ", arguments)
            layers.append(f"{stage.group(1)}:{arguments.split()[1]}" if stage else arguments.split()[0])
    return layers


@pytest.mark.parametrize(("name", "package"), [("hub", "hub/src/ruid_hub"), ("edge", "edge-node/src/ruid_edge")])
def test_every_part_of_a_program_goes_into_its_image(name: str, package: str) -> None:
    """Whole packages are copied, so that a new folder in one needs no line of its own."""
    assert {package, "core/src/ruid_core"} <= set(copied(name))


def test_what_changes_most_comes_last() -> None:
    assert into_the_last_stage("edge") == [
        "wheels:/opt/ruid/venv",
        "code:/build/models",
        "tools/src/ruid_tools/demo/clips",
        "code:/opt/ruid/LICENSE",
        "code:/opt/ruid/src",
    ]
    assert into_the_last_stage("hub") == [
        "wheels:/opt/ruid/venv",
        "web:/web/static/vendor",
        "web/static",
        "web/templates",
        "code:/opt/ruid/LICENSE",
        "code:/opt/ruid/src",
    ]


def test_the_node_sends_nobody_an_account_of_its_use() -> None:
    """onnxruntime does, unless it is told not to."""
    assert image_environment("edge")["ORT_DISABLE_TELEMETRY"] == "1"


# ── the hub's health check, run for real against a stand-in ───────────────────────────────────────────────────────


@contextmanager
def answering(status: HTTPStatus) -> Generator[tuple[int, list[str]]]:
    """A web server that answers everything with `status`; yields its port and the paths asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port, asked
        finally:
            server.shutdown()
            thread.join()


def health_command(name: str) -> list[str]:
    (line,) = arguments_of(name, "HEALTHCHECK")
    return json.loads(line.partition("CMD ")[2])


@pytest.mark.parametrize(("age_s", "well"), [(0.0, True), (8.0, True), (60.0, False), (None, False)])
def test_a_node_is_well_while_its_heartbeat_is_fresh(tmp_path: Path, age_s: float | None, well: bool) -> None:
    """A process that is stopped altogether cannot say so itself: its heartbeat grows old."""
    heartbeat = tmp_path / "heartbeat"
    if age_s is not None:
        heartbeat.touch()
        os.utime(heartbeat, (time.time() - age_s, time.time() - age_s))
    environment = {**os.environ, "RUID_HEARTBEAT_FILE": str(heartbeat)}
    asked = subprocess.run(health_command("edge"), env=environment, stderr=subprocess.DEVNULL, check=False)
    assert (asked.returncode == 0) is well


def run_health_check(port: int) -> int:
    program, *arguments = health_command("hub")
    assert program == "python"
    environment = {**os.environ, "RUID_HTTP_PORT": str(port)}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, stderr=subprocess.DEVNULL, check=False
    ).returncode


def test_the_health_check_is_content_with_a_healthy_hub() -> None:
    with answering(HTTPStatus.OK) as (port, asked):
        assert run_health_check(port) == 0
    assert asked == ["/healthz"]


def test_the_health_check_fails_when_the_hub_says_that_it_is_not_well() -> None:
    with answering(HTTPStatus.SERVICE_UNAVAILABLE) as (port, _):
        assert run_health_check(port) != 0
