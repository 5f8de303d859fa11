"""What the factory keeps on disk: knowledge as it was uploaded, repositories as git keeps them."""

from promptcraft.agents.clients.archive import Unpacked, unpack
from promptcraft.agents.clients.bundle import look_at
from promptcraft.agents.clients.git import Repository
from promptcraft.agents.clients.places import Places, tree_sha256
from promptcraft.agents.clients.vectors import make_vectors

__all__ = ["Places", "Repository", "Unpacked", "look_at", "make_vectors", "tree_sha256", "unpack"]
