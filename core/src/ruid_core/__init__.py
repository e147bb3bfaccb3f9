"""RuID's pure thought: arrays and values in, values out; no I/O, no clock, no hidden randomness.

Rooms, from the ground up (an import only ever points down):

- `geometry`: boxes and overlap.
- `vision`: letterbox geometry, detector decoding, non-maximum suppression, crop quality.
- `tracking`: detections of one camera become tracks, tracks become tracklets.
- `identity`: tracklets of all cameras become identities.
- `wire`: the messages between node and hub and the two ends of their conversation, without sockets.
"""
