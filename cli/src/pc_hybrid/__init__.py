"""The command line of PromptCraft-Hybrid: a client of its HTTP API."""

from pc_hybrid.main import main

__all__ = ["main"]
