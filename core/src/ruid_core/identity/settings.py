"""What may be set, with the defaults that every site starts from."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IdentitySettings:
    """Nothing here is a similarity threshold: those are learned from the stream.

    `most_tracks` and `most_identities` bound the memory; the longest unseen go first.
    `clock_tolerance_s` is how far tracks of one camera may arrive out of order.
    """

    most_tracks: int = 8192
    most_identities: int = 65536
    clock_tolerance_s: float = 60.0
