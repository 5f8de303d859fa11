"""Settings of monitoring."""

from typing import Annotated, ClassVar

from pydantic import SecretStr

from promptcraft.settings import addresses, forms
from promptcraft.settings.base import ContextSettings, Setting


class MonitoringSettings(ContextSettings):
    """The outside tools that watch the platform."""

    context: ClassVar[str] = "monitoring"

    prometheus_url: Annotated[
        str | None, Setting(addresses.WEB, "queries of service levels", effect=False, unset="built-in views")
    ] = None
    alertmanager_url: Annotated[str | None, Setting(addresses.WEB, "alerts and silences", effect=False)] = None
    grafana_url: Annotated[str | None, Setting(addresses.WEB, "links and provisioning", effect=False)] = None
    grafana_admin_password: Annotated[
        SecretStr | None, Setting(forms.SECRET, "administrator that provisions dashboards", effect=False)
    ] = None
