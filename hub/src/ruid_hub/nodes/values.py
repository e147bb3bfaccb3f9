"""What is known of nodes, for whoever shows it."""

from dataclasses import dataclass

from ruid_core.wire.messages import CameraConfig


@dataclass(frozen=True, slots=True)
class PendingNode:
    """A device that asks to be let in; compare `code` with the one in its log before you approve.

    `known_as` is the name of the approved node whose id it claims with another key, or empty. `connected` is
    whether it holds the line now.
    """

    node_id: str
    name: str
    code: str
    address: str
    key_fingerprint: str
    asked_at_s: float
    known_as: str
    connected: bool


@dataclass(frozen=True, slots=True)
class Node:
    """A node that was approved once. `revoked` nodes are kept out until they are approved again by id.

    `seen_at_s` is when it last connected or left, None if it has not since the hub started.
    """

    node_id: str
    name: str
    revoked: bool
    connected: bool
    address: str
    software_version: str
    cameras: tuple[str, ...]
    seen_at_s: float | None
    approved_at_s: float
    approved_by: str
    changed_at_s: float
    changed_by: str


@dataclass(frozen=True, slots=True)
class ConfigurationAnswer:
    """What a node said to a revision; where it was refused, `field` and `reason` say why and the old one stays."""

    revision: int
    accepted: bool
    field: str
    reason: str
    at_s: float


@dataclass(frozen=True, slots=True)
class NodeConfiguration:
    """What a node is told; revision 0 means nothing yet. `answer` may be about an earlier revision."""

    node_id: str
    revision: int
    cameras: tuple[CameraConfig, ...]
    changed_at_s: float
    changed_by: str
    answer: ConfigurationAnswer | None

    @property
    def applied(self) -> bool:
        """Whether the node says that it works by this revision."""
        return self.answer is not None and self.answer.accepted and self.answer.revision == self.revision

    def camera(self, camera_id: str) -> CameraConfig:
        """What one camera is told; the node's own settings where that is nothing."""
        return next((camera for camera in self.cameras if camera.camera_id == camera_id), CameraConfig(camera_id))
