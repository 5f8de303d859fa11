"""Settings of app: where the API listens and who may stand in front of it."""

from typing import Annotated, ClassVar

from promptcraft.settings import addresses, forms
from promptcraft.settings.base import ContextSettings, Setting


class AppSettings(ContextSettings):
    """The processes and their front door."""

    context: ClassVar[str] = "app"

    host: Annotated[str, Setting(forms.HOST, "address to listen on", ours=True)] = "127.0.0.1"
    port: Annotated[
        int, Setting(forms.LISTEN_PORT, "port to listen on; 0 takes a free one", aliases=("API_PORT",), ours=True)
    ] = 8000
    public_url: Annotated[
        str | None,
        Setting(
            addresses.WEB,
            "address by which people reach the platform",
            ours=True,
            unset="http://HOST:PORT",
            example="https://promptcraft.example.org",
        ),
    ] = None
    trusted_proxies: Annotated[
        tuple[str, ...],
        Setting(forms.NETWORKS, "proxies whose X-Forwarded-For is believed", ours=True, example="10.0.0.0/8"),
    ] = ()
    nginx_upstream_servers: Annotated[
        tuple[str, ...],
        Setting(addresses.ENDPOINTS, "instances behind the proxy, as `status` shows them", effect=False),
    ] = ()
    debug_mode: Annotated[
        bool, Setting(forms.FLAG, "verbose problem details; refused with COMPLIANCE_LEVEL", effect=False)
    ] = False
    enable_swagger_ui: Annotated[bool, Setting(forms.FLAG, "interactive API documentation", effect=False)] = False
    enable_performance_profiling: Annotated[
        bool, Setting(forms.FLAG, "sampling profiler for administrators", effect=False)
    ] = False

    @property
    def address(self) -> str:
        """The address of the platform as people and tokens name it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url or f"http://{host}:{self.port}"
