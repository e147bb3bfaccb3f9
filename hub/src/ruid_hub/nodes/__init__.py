"""Nodes as people look after them: who waits to be let in, who is in, what each is told.

`register` is what pages, the API and the command line call; `configurations` and `pictures` are what nodes are asked;
`waiting` bounds what strangers can do; `values` are the answers, `errors` the refusals.
"""

from ruid_hub.nodes.errors import (
    BadConfiguration,
    NobodyLooked,
    NodeAway,
    NodesError,
    NodeTooOld,
    NoSuchNode,
    NoSuchRequest,
    NotAdmitted,
    PictureRefused,
    PictureUnusable,
    StillUnavailable,
    TooManyNodes,
)
from ruid_hub.nodes.pictures import PersonInPicture
from ruid_hub.nodes.register import Links, NodeRegister
from ruid_hub.nodes.values import ConfigurationAnswer, Node, NodeConfiguration, PendingNode

__all__ = [
    "BadConfiguration",
    "ConfigurationAnswer",
    "Links",
    "NoSuchNode",
    "NoSuchRequest",
    "NobodyLooked",
    "Node",
    "NodeAway",
    "NodeConfiguration",
    "NodeRegister",
    "NodeTooOld",
    "NodesError",
    "NotAdmitted",
    "PendingNode",
    "PersonInPicture",
    "PictureRefused",
    "PictureUnusable",
    "StillUnavailable",
    "TooManyNodes",
]
