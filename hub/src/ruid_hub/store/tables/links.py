"""Nodes that were let in, and what they are told."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, LargeBinary, Table, Text

from ruid_hub.store.tables.base import REAL, metadata

admissions = Table(
    "admissions",
    metadata,
    Column("node_key", Integer, ForeignKey("nodes.node_key"), primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    # SHA-256 of the node's public key, in hexadecimal: whoever shows a certificate for it is the node.
    Column("key_fingerprint", Text, nullable=False, unique=True),
    Column("revoked", Boolean, nullable=False),
    Column("approved_at_s", REAL, nullable=False),
    Column("approved_by", Text, nullable=False),
    Column("changed_at_s", REAL, nullable=False),
    Column("changed_by", Text, nullable=False),
)

configurations = Table(
    "configurations",
    metadata,
    Column("node_key", Integer, ForeignKey("nodes.node_key"), primary_key=True, autoincrement=False),
    Column("revision", BigInteger, nullable=False),
    # The cameras as the wire carries them (MessagePack).
    Column("cameras", LargeBinary, nullable=False),
    Column("changed_at_s", REAL, nullable=False),
    Column("changed_by", Text, nullable=False),
    # What the node said of the newest revision that it was told; empty before it answered.
    Column("answered_revision", BigInteger),
    Column("accepted", Boolean),
    Column("refused_field", Text),
    Column("refused_reason", Text),
    Column("answered_at_s", REAL),
)
