"""The conversation between node and hub, without sockets.

`messages` are the bytes' shapes, `codec` turns them into bytes and back, `vectors` packs embeddings, `uplink`
and `ingest` are the two ends as state machines (frames in, events out, frames to send out, time passed in),
`clock` estimates how far two clocks are apart, `configuration` says whether a camera can be set like that, `pictures`
whether bytes are a picture to look at, `errors` is what can go wrong.

Promise: a node keeps a durable item until the hub acknowledged it; the hub acknowledges after its commit and
drops what it already has. So every item takes effect exactly once, whatever is cut, repeated or restarted.
"""
