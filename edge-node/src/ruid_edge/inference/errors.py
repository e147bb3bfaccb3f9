"""What can be wrong with a model; each text says what to do.

InferenceError
├── ModelMissingError      no such file, nor a shipped model of that name
├── NotAModelError         the file cannot be read as a model
├── DamagedModelError      the file is not the one that its card describes
├── BadCardError           a model card cannot be read
├── UnknownFamilyError     the outputs fit no decoder
├── WrongInputError        the network wants an input that pictures cannot be made into
└── RuntimeMissingError    the runtime is not installed or not known
"""

from ruid_edge.errors import EdgeError


class InferenceError(EdgeError):
    """Base of this package's errors."""


class ModelMissingError(InferenceError):
    """Neither a file nor a shipped model."""

    def __init__(self, name: str, shipped: tuple[str, ...]) -> None:
        super().__init__(name, shipped)
        self.name = name
        self.shipped = shipped

    def __str__(self) -> str:
        known = ", ".join(self.shipped) or "none"
        return f"there is no model {self.name!r}: give the path of an .onnx file or a known name ({known})"


class NotAModelError(InferenceError):
    """The runtime cannot read the file."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path} cannot be read as an ONNX model ({self.reason}): export it again, or download it anew"


class DamagedModelError(InferenceError):
    """The checksum differs from the card's."""

    def __init__(self, path: str, *, expected_sha256: str, found_sha256: str) -> None:
        super().__init__(path, expected_sha256, found_sha256)
        self.path = path
        self.expected_sha256 = expected_sha256
        self.found_sha256 = found_sha256

    def __str__(self) -> str:
        return (
            f"{self.path} is not the file that its card describes (SHA-256 {self.found_sha256[:12]}…, "
            f"expected {self.expected_sha256[:12]}…): install it again, or take its card away to use it as it is"
        )


class BadCardError(InferenceError):
    """A model card is no JSON or lacks a field."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"the model card {self.path} cannot be used: {self.reason}"


class UnknownFamilyError(InferenceError):
    """No decoder fits the network's outputs."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path} is not a person detector that can be decoded: {self.reason}"


class WrongInputError(InferenceError):
    """The input is not one picture (or one batch of crops) with three channels."""

    def __init__(self, path: str, found: str, expected: str) -> None:
        super().__init__(path, found, expected)
        self.path = path
        self.found = found
        self.expected = expected

    def __str__(self) -> str:
        return f"{self.path} takes {self.found}; expected {self.expected}"


class RuntimeMissingError(InferenceError):
    """A runtime that this installation does not have."""

    def __init__(self, name: str, hint: str) -> None:
        super().__init__(name, hint)
        self.name = name
        self.hint = hint

    def __str__(self) -> str:
        return f"the runtime {self.name!r} cannot be used: {self.hint}"
