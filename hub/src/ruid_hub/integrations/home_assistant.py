"""What Home Assistant is told over MQTT: devices that appear by themselves, and their states.

Pure: a view of the site goes in, retained messages by topic come out. Topics are made of digests, never of names, so
that a camera called `#` or `a/b` is no trouble; names stand in the JSON alone. Nobody's identity is published.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from ruid_hub.site import CameraState, CameraView, SiteView

Messages = dict[str, str]
"""Topic to payload; all are retained, an empty payload removes."""


@dataclass(frozen=True, slots=True)
class Topics:
    """`base` is the hub's own, `discovery` where Home Assistant looks; `hub_id` tells hubs apart."""

    base: str
    discovery: str
    hub_id: str

    @property
    def availability(self) -> str:
        """`online` or `offline`, the latter also as the last will."""
        return f"{self.base}/{self.hub_id}/availability"

    @property
    def birth(self) -> str:
        """Where Home Assistant says that it has started."""
        return f"{self.discovery}/status"

    @property
    def site_state(self) -> str:
        """JSON of the whole site."""
        return f"{self.base}/{self.hub_id}/site"

    def camera_state(self, camera: str) -> str:
        """JSON of one camera."""
        return f"{self.base}/{self.hub_id}/camera/{key_of(camera)}"

    def config(self, device: str) -> str:
        """Where a device is announced."""
        return f"{self.discovery}/device/{device}/config"


def key_of(camera: str) -> str:
    """Stands for a camera in topics and ids."""
    return blake2b(camera.encode(), digest_size=6).hexdigest()


def messages(view: SiteView, *, topics: Topics, site_name: str, version: str, unique_today: int | None) -> Messages:
    """Everything as it should be now."""
    told = {
        topics.config(f"ruid_{topics.hub_id}"): _json(_hub_device(topics, site_name, version)),
        topics.site_state: _json(
            {
                "people_now": view.people_now,
                "occupied": "ON" if view.people_now else "OFF",
                "unique_today": view.unique.count if unique_today is None else unique_today,
                "cameras_up": sum(camera.state is CameraState.UP for camera in view.cameras),
            }
        ),
    }
    for camera in view.cameras:
        told[topics.config(f"ruid_{topics.hub_id}_{key_of(camera.camera)}")] = _json(
            _camera_device(topics, camera, version)
        )
        told[topics.camera_state(camera.camera)] = _json(_camera_state(camera))
    return told


def changes(before: Mapping[str, str], now: Messages) -> Messages:
    """What has to be published; topics that are gone are emptied."""
    fresh = {topic: payload for topic, payload in now.items() if before.get(topic) != payload}
    return fresh | {topic: "" for topic in before.keys() - now.keys() if before[topic]}


def _hub_device(topics: Topics, site_name: str, version: str) -> dict[str, Any]:
    device = f"ruid_{topics.hub_id}"
    state = topics.site_state
    return _device(
        topics,
        {"identifiers": [device], "name": site_name, "manufacturer": "RuID", "model": "Hub", "sw_version": version},
        version,
        {
            "people_now": _sensor(device, state, "people_now", "People", "mdi:account-multiple", unit="people"),
            "occupied": _binary(device, state, "occupied", "Occupancy", "occupancy"),
            "unique_today": _sensor(
                device, state, "unique_today", "Visitors today", "mdi:account-group", unit="people"
            ),
            "cameras_up": _sensor(device, state, "cameras_up", "Cameras up", "mdi:cctv"),
        },
    )


def _camera_device(topics: Topics, camera: CameraView, version: str) -> dict[str, Any]:
    device = f"ruid_{topics.hub_id}_{key_of(camera.camera)}"
    state = topics.camera_state(camera.camera)
    about = {
        "identifiers": [device],
        "name": camera.name,
        "manufacturer": "RuID",
        "model": "Camera",
        "via_device": f"ruid_{topics.hub_id}",
    }
    temperature = _sensor(device, state, "temperature", "Temperature", None, unit="°C")
    temperature |= {"device_class": "temperature", "entity_category": "diagnostic"}
    rate = _sensor(device, state, "fps", "Frame rate", "mdi:speedometer", unit="fps")
    components = {
        "people_now": _sensor(device, state, "people_now", "People", "mdi:account-multiple", unit="people"),
        "occupied": _binary(device, state, "occupied", "Occupancy", "occupancy"),
        "up": _binary(device, state, "up", "Connected", "connectivity") | {"entity_category": "diagnostic"},
        "fps": rate | {"entity_category": "diagnostic"},
        "temperature": temperature,
    }
    return _device(topics, about, version, components)


def _camera_state(camera: CameraView) -> dict[str, Any]:
    return {
        "people_now": camera.people_now,
        "occupied": "ON" if camera.people_now else "OFF",
        "up": "ON" if camera.state is CameraState.UP else "OFF",
        "fps": camera.fps,
        "temperature": camera.temperature_c,
        "reason": camera.reason,
    }


def _device(topics: Topics, device: dict[str, Any], version: str, components: dict[str, Any]) -> dict[str, Any]:
    return {
        "device": device,
        "origin": {"name": "RuID", "sw_version": version},
        "availability_topic": topics.availability,
        "components": components,
    }


def _sensor(
    device: str, state_topic: str, key: str, name: str, icon: str | None, *, unit: str | None = None
) -> dict[str, Any]:
    sensor: dict[str, Any] = {
        "platform": "sensor",
        "unique_id": f"{device}_{key}",
        "name": name,
        "state_topic": state_topic,
        "value_template": f"{{{{ value_json.{key} }}}}",
        "state_class": "measurement",
    }
    return sensor | ({"icon": icon} if icon else {}) | ({"unit_of_measurement": unit} if unit else {})


def _binary(device: str, state_topic: str, key: str, name: str, device_class: str) -> dict[str, Any]:
    return {
        "platform": "binary_sensor",
        "unique_id": f"{device}_{key}",
        "name": name,
        "state_topic": state_topic,
        "value_template": f"{{{{ value_json.{key} }}}}",
        "device_class": device_class,
    }


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
