"""Settings of runtime: where agents run, how much they may use and what that costs."""

from decimal import Decimal
from typing import Annotated, ClassVar

from promptcraft.settings import forms
from promptcraft.settings.base import ContextSettings, Setting


class RuntimeSettings(ContextSettings):
    """The programs that the platform starts."""

    context: ClassVar[str] = "runtime"

    runtime_driver: Annotated[
        str,
        Setting(
            forms.choice(
                "process",
                refused=dict.fromkeys(
                    ("docker", "kubernetes"),
                    ("names a driver that this version does not have", "write process, or leave it out"),
                ),
            ),
            "what runs the agents",
            ours=True,
        ),
    ] = "process"
    runtime_allow_unisolated: Annotated[
        bool,
        Setting(forms.FLAG, "run foreign code although this host cannot isolate it: never on a shared host", ours=True),
    ] = False
    price_cpu_second: Annotated[
        Decimal, Setting(forms.amount(), "price of one CPU-second of an agent, in dollars", ours=True)
    ] = Decimal(0)
    price_gib_second: Annotated[
        Decimal, Setting(forms.amount(), "price of one GiB-second of an agent's memory, in dollars", ours=True)
    ] = Decimal(0)
    mcp_resource_limits_memory: Annotated[
        int, Setting(forms.SIZE, "upper bound and default of one agent's memory", unset="1G")
    ] = forms.parse_size("1G")
    mcp_resource_limits_cpu: Annotated[
        Decimal, Setting(forms.CPU, "upper bound and default of one agent's processors", unset="1.0")
    ] = Decimal("1.0")
    mcp_sandbox_network: Annotated[
        str | None,
        Setting(
            forms.NETWORK,
            "network of the sandbox bridge; refused where it overlaps a route of this host",
            aliases=("SANDBOX_NETWORK",),
            effect=False,
        ),
    ] = None
    enable_auto_scaling: Annotated[bool, Setting(forms.FLAG, "replicas of agents follow the load", effect=False)] = (
        False
    )
    min_replicas: Annotated[int, Setting(forms.number(0, 1000), "fewest replicas", effect=False)] = 1
    max_replicas: Annotated[int, Setting(forms.number(1, 1000), "most replicas", effect=False)] = 10
    cpu_threshold_percent: Annotated[
        int, Setting(forms.number(1, 100), "load of the processors that adds a replica", effect=False)
    ] = 70
    memory_threshold_percent: Annotated[
        int, Setting(forms.number(1, 100), "use of memory that adds a replica", effect=False)
    ] = 80
