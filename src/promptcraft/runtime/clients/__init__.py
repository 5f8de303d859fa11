"""Engines that run programs."""

from promptcraft.runtime.clients.driver import RuntimeDriver
from promptcraft.runtime.clients.process import ProcessDriver
from promptcraft.runtime.clients.sandbox import HostPlaces

__all__ = ["HostPlaces", "ProcessDriver", "RuntimeDriver"]
