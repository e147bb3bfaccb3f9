"""Nodes as people look after them: who waits to be let in, who is in, what each is told.

`register` is what pages, the API and the command line call; `waiting` bounds what strangers can do; `values` are the
answers, `errors` the refusals.
"""

from ruid_hub.nodes.errors import (
    BadConfiguration,
    NodeAway,
    NodesError,
    NodeTooOld,
    NoSuchNode,
    NoSuchRequest,
    NotAdmitted,
    StillUnavailable,
    TooManyNodes,
)
from ruid_hub.nodes.register import Links, NodeRegister
from ruid_hub.nodes.values import ConfigurationAnswer, Node, NodeConfiguration, PendingNode

__all__ = [
    "BadConfiguration",
    "ConfigurationAnswer",
    "Links",
    "NoSuchNode",
    "NoSuchRequest",
    "Node",
    "NodeAway",
    "NodeConfiguration",
    "NodeRegister",
    "NodeTooOld",
    "NodesError",
    "NotAdmitted",
    "PendingNode",
    "StillUnavailable",
    "TooManyNodes",
]
