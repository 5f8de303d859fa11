"""Settings of agents: knowledge on this host, repositories, templates, vectors."""

from pathlib import Path
from typing import Annotated, ClassVar

from promptcraft.settings import addresses, forms
from promptcraft.settings.base import ContextSettings, Setting


class AgentsSettings(ContextSettings):
    """The Agent Factory."""

    context: ClassVar[str] = "agents"

    knowledge_roots: Annotated[
        tuple[Path, ...],
        Setting(
            forms.PATHS,
            "directories of this host that a knowledge source may name",
            ours=True,
            unset="none: knowledge is uploaded",
            example="/srv/handbooks",
        ),
    ] = ()
    git_author: Annotated[str, Setting(forms.AUTHOR, "author of the commits in agents' repositories", ours=True)] = (
        "PromptCraft Agent Factory <agent-factory@promptcraft.invalid>"
    )
    qdrant_host: Annotated[
        str | None,
        Setting(forms.HOST, "Qdrant that holds the vectors", effect=False, unset="the index in the repository"),
    ] = None
    qdrant_port: Annotated[int, Setting(forms.PORT, "its port", effect=False)] = 6333
    agent_factory_git_url: Annotated[
        str | None,
        Setting(
            addresses.REPOSITORY,
            "base of the remote repositories",
            aliases=("GIT_BASE_URL",),
            effect=False,
            unset="local repositories in the data directory",
        ),
    ] = None
    agent_factory_registry_url: Annotated[
        str | None, Setting(forms.WORD, "image registry", effect=False, unset="images stay in the local engine")
    ] = None
    agent_factory_auto_push: Annotated[
        bool, Setting(forms.FLAG, "push repository and image after a creation", aliases=("AUTO_PUSH",), effect=False)
    ] = False
    agent_template_repo: Annotated[
        str | None, Setting(addresses.REPOSITORY, "the organisation's own templates", effect=False)
    ] = None
