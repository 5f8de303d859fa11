"""The providers of models."""

from promptcraft.gateway.clients.addresses import Addresses, AddressRefused
from promptcraft.gateway.clients.provider import Answering, Endpoint, HttpProviders, ProviderGone, Providers

__all__ = ["AddressRefused", "Addresses", "Answering", "Endpoint", "HttpProviders", "ProviderGone", "Providers"]
