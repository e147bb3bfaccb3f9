"""How a route asks for a part of the hub."""

from typing import Annotated, TypeVar

from litestar.params import Dependency

Part = TypeVar("Part")

Given = Annotated[Part, Dependency(skip_validation=True)]
"""`site: Given[Site]`: comes from the application, never from the request."""
