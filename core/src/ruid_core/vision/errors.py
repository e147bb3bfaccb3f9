"""What can be wrong with a detector's outputs.

VisionError
└── UnknownOutputsError   no decoder fits the outputs
"""

from collections.abc import Sequence


class VisionError(Exception):
    """Base of this package's errors."""


class UnknownOutputsError(VisionError):
    """No decoder fits: `shapes` is what the network gave for an input of `width_px` × `height_px`."""

    def __init__(self, shapes: Sequence[tuple[int, ...]], *, width_px: int, height_px: int, expected: str) -> None:
        super().__init__(shapes, width_px, height_px, expected)
        self.shapes = tuple(shapes)
        self.width_px = width_px
        self.height_px = height_px
        self.expected = expected

    def __str__(self) -> str:
        given = ", ".join("×".join(map(str, shape)) or "a scalar" for shape in self.shapes) or "none"
        return (
            f"no decoder fits these outputs for a {self.width_px}×{self.height_px} input: {given}; "
            f"expected {self.expected}"
        )
