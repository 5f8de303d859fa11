"""All settings together, and the list of every name."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from promptcraft.settings.agents import AgentsSettings
from promptcraft.settings.analytics import AnalyticsSettings
from promptcraft.settings.app import AppSettings
from promptcraft.settings.audit import AuditSettings
from promptcraft.settings.backup import BackupSettings
from promptcraft.settings.base import ContextSettings, Setting
from promptcraft.settings.compliance import ComplianceSettings
from promptcraft.settings.core import CoreSettings
from promptcraft.settings.gateway import GatewaySettings
from promptcraft.settings.identity import IdentitySettings
from promptcraft.settings.monitoring import MonitoringSettings
from promptcraft.settings.quotas import QuotasSettings
from promptcraft.settings.registry import RegistrySettings
from promptcraft.settings.runtime import RuntimeSettings
from promptcraft.settings.ui import UiSettings

MODELS: dict[str, type[ContextSettings]] = {
    "core": CoreSettings,
    "app": AppSettings,
    "identity": IdentitySettings,
    "audit": AuditSettings,
    "compliance": ComplianceSettings,
    "quotas": QuotasSettings,
    "runtime": RuntimeSettings,
    "agents": AgentsSettings,
    "registry": RegistrySettings,
    "gateway": GatewaySettings,
    "analytics": AnalyticsSettings,
    "monitoring": MonitoringSettings,
    "backup": BackupSettings,
    "ui": UiSettings,
}

SETTINGS_FILE = "PROMPTCRAFT_SETTINGS"

_ONE_IMAGE = "every role is in one image and finds the others by itself"
# Names of the compose file in §8 that mean nothing here: accepted, so that an environment made for it starts.
UNUSED: dict[str, str] = {
    "ZEN_ENDPOINT": _ONE_IMAGE,
    "REGISTRY_URL": _ONE_IMAGE,
    "REGISTRY_PORT": _ONE_IMAGE,
    "API_ENDPOINT": _ONE_IMAGE,
    "CELERY_RESULT_BACKEND": "results of jobs are rows of the database",
    "ENABLE_SSO": "a connection to a provider is what makes single sign-on available",
    "NOTIFICATION_WEBHOOK": "webhooks are made through the API",
    "HITL_NOTIFICATION_WEBHOOK": "webhooks are made through the API",
    "NODE_ENV": "nothing here is a Node process",
}
# Others use these names too, so they are worth a warning only where they stand in our own settings file.
COMMON_ELSEWHERE = frozenset(UNUSED) - {"ZEN_ENDPOINT", "REGISTRY_URL"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every context's settings, what they warn about, and the names that were set (canonical, not aliases)."""

    core: CoreSettings = field(default_factory=CoreSettings)
    app: AppSettings = field(default_factory=AppSettings)
    identity: IdentitySettings = field(default_factory=IdentitySettings)
    audit: AuditSettings = field(default_factory=AuditSettings)
    compliance: ComplianceSettings = field(default_factory=ComplianceSettings)
    quotas: QuotasSettings = field(default_factory=QuotasSettings)
    runtime: RuntimeSettings = field(default_factory=RuntimeSettings)
    agents: AgentsSettings = field(default_factory=AgentsSettings)
    registry: RegistrySettings = field(default_factory=RegistrySettings)
    gateway: GatewaySettings = field(default_factory=GatewaySettings)
    analytics: AnalyticsSettings = field(default_factory=AnalyticsSettings)
    monitoring: MonitoringSettings = field(default_factory=MonitoringSettings)
    backup: BackupSettings = field(default_factory=BackupSettings)
    ui: UiSettings = field(default_factory=UiSettings)
    given: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()

    @property
    def without_effect(self) -> tuple[str, ...]:
        """Name the settings that were set and that this version does not use yet."""
        return tuple(name for name, setting in settings_by_name().items() if name in self.given and not setting.effect)


def every_setting() -> Iterator[tuple[str, str, Setting, Any]]:
    """Yield every setting as (attribute of Settings, field, setting, default)."""
    for attribute, model in MODELS.items():
        for name, setting, default in model.settings():
            yield attribute, name, setting, default


def settings_by_name() -> dict[str, Setting]:
    """Map each canonical name to its setting."""
    return {setting.name_of(name): setting for _, name, setting, _ in every_setting()}


def secret_names() -> frozenset[str]:
    """Name every secret, aliases included: those that NAME_FILE works for."""
    secrets = {name: setting for name, setting in settings_by_name().items() if setting.form.secret}
    return frozenset(secrets) | {alias for setting in secrets.values() for alias in setting.aliases}


def known_names() -> frozenset[str]:
    """Name everything that may be set, without the NAME_FILE forms."""
    names = settings_by_name()
    aliases = {alias for setting in names.values() for alias in setting.aliases}
    return frozenset(names) | aliases | frozenset(UNUSED) | {SETTINGS_FILE}
