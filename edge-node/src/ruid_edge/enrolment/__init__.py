"""Who this node is to its hub: `credentials` are its key and certificate, `hubs` finds the hub."""

from ruid_edge.enrolment.credentials import AdoptionSpoiled, Credentials
from ruid_edge.enrolment.hubs import FixedHub, HubAddress, HubFinder, HubUnknown, hub_finder

__all__ = ["AdoptionSpoiled", "Credentials", "FixedHub", "HubAddress", "HubFinder", "HubUnknown", "hub_finder"]
