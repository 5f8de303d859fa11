"""Engines that run programs."""

from promptcraft.runtime.clients.driver import RuntimeDriver
from promptcraft.runtime.clients.places import HostPlaces, host_place, host_places
from promptcraft.runtime.clients.process import ProcessDriver

__all__ = ["HostPlaces", "ProcessDriver", "RuntimeDriver", "host_place", "host_places"]
