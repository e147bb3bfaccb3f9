"""Being found, and agreeing on one hub: announcements on the local network (DNS-SD, `_ruid-hub._tcp`).

`settling` is the rule, `announcer` says and hears. With RUID_ROLE=auto a device becomes the hub where there is none.
Of several that start together the one with the lowest id stays; a hub that has nodes is never given up for one
without. Two hubs that both have nodes both stay and say so: which one goes is a person's decision.
"""

from ruid_hub.discovery.announcer import Announcer, Presence, settle, watch_for_better
from ruid_hub.discovery.role import be_found, take_role
from ruid_hub.discovery.settling import Announced, Standing, gives_way

__all__ = [
    "Announced",
    "Announcer",
    "Presence",
    "Standing",
    "be_found",
    "gives_way",
    "settle",
    "take_role",
    "watch_for_better",
]
