"""What can be wrong with a request about nodes.

NodesError
├── NotAdmitted        a stranger or a revoked node is kept out (`code` names why)
├── NoSuchNode         no node goes by that id
├── NoSuchRequest      nobody waits with that code
├── NodeAway           the node is not connected
├── NodeTooOld         the node's software does not know how
├── StillUnavailable   the node has no picture to give
├── PictureRefused     who is in a picture is not known (`code` names why)
│   ├── PictureUnusable    another picture would do
│   └── NobodyLooked       no node could look at it now
├── BadConfiguration   a camera cannot be set like that (`field`, `reason`)
└── TooManyNodes       the hub takes no more
"""


class NodesError(Exception):
    """Its text says what to do."""


class NotAdmitted(NodesError):
    """A stranger, or a node that was revoked."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class NoSuchNode(NodesError):
    """The node was never approved here."""

    def __init__(self, node_id: str) -> None:
        super().__init__(f"there is no node '{node_id}'")
        self.node_id = node_id


class NoSuchRequest(NodesError):
    """The code is mistyped, or the node has given up asking."""

    def __init__(self, code: str) -> None:
        super().__init__(f"no node waits with the code '{code}'")
        self.code = code


class NodeAway(NodesError):
    """What was asked needs a connection."""

    def __init__(self, node_id: str) -> None:
        super().__init__(f"the node '{node_id}' is not connected")
        self.node_id = node_id


class NodeTooOld(NodesError):
    """Update the node."""

    def __init__(self, node_id: str) -> None:
        super().__init__(f"the software of the node '{node_id}' is too old for this: update it")
        self.node_id = node_id


class StillUnavailable(NodesError):
    """The text is the node's reason."""


_WHY_NO_PICTURE = {
    "picture_bytes": "the picture has more than 1 MB: make it smaller, 1280 pixels along its longer side are enough",
    "picture_format": "the picture cannot be read: choose a JPEG, PNG or WebP file",
    "picture_size": "the picture has more than 2560 pixels on a side: make it smaller, 1280 are enough",
    "nobody": "nobody was found in the picture: choose one that shows somebody from head to foot",
    "no_node": "no camera is connected at the moment that could look at the picture: try again once one is",
    "too_old": "the software of the connected cameras is too old to look at pictures: update them",
    "other_model": "the connected cameras describe people in another way than the hub has learned: "
    "their software, or RUID_EMBEDDER, is not the same",
    "busy": "the cameras are busy with other pictures: try again in a few seconds",
    "late": "the camera that looked at the picture did not answer in time: try again",
    "unavailable": "the camera that was asked cannot look at pictures: its log says why",
}


class PictureRefused(NodesError):
    """Nothing is known of the picture; one of the two below."""

    def __init__(self, code: str) -> None:
        super().__init__(_WHY_NO_PICTURE[code])
        self.code = code


class PictureUnusable(PictureRefused):
    """No node would find anybody in it."""


class NobodyLooked(PictureRefused):
    """The same picture may do later."""


class BadConfiguration(NodesError):
    """Which field, and why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class TooManyNodes(NodesError):
    """Revoking does not help: a revoked node is remembered, so that it stays out."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"this hub looks after {limit} nodes and takes no more")
