"""How a route asks for a part of the hub."""

from typing import Annotated, TypeVar

from litestar.di import Dependency
from litestar.params import SkipValidationMarker

Part = TypeVar("Part")

Given = Annotated[Part, Dependency(), SkipValidationMarker()]
"""`site: Given[Site]`: comes from the application, never from the request."""
