"""What the platform is told from outside. Nothing else reads the environment."""

from promptcraft.settings.agents import AgentsSettings
from promptcraft.settings.analytics import AnalyticsSettings
from promptcraft.settings.app import AppSettings
from promptcraft.settings.audit import AuditSettings
from promptcraft.settings.backup import BackupSettings
from promptcraft.settings.compliance import ComplianceSettings
from promptcraft.settings.core import CoreSettings
from promptcraft.settings.describe import Description, describe, describe_unused
from promptcraft.settings.forms import parse_cpu, parse_size
from promptcraft.settings.gateway import GatewaySettings
from promptcraft.settings.identity import IdentitySettings
from promptcraft.settings.load import load_settings, plain, read_settings
from promptcraft.settings.model import Settings
from promptcraft.settings.monitoring import MonitoringSettings
from promptcraft.settings.problems import Problem, SettingsError
from promptcraft.settings.quotas import QuotasSettings
from promptcraft.settings.registry import RegistrySettings
from promptcraft.settings.runtime import RuntimeSettings
from promptcraft.settings.ui import UiSettings

__all__ = [
    "AgentsSettings",
    "AnalyticsSettings",
    "AppSettings",
    "AuditSettings",
    "BackupSettings",
    "ComplianceSettings",
    "CoreSettings",
    "Description",
    "GatewaySettings",
    "IdentitySettings",
    "MonitoringSettings",
    "Problem",
    "QuotasSettings",
    "RegistrySettings",
    "RuntimeSettings",
    "Settings",
    "SettingsError",
    "UiSettings",
    "describe",
    "describe_unused",
    "load_settings",
    "parse_cpu",
    "parse_size",
    "plain",
    "read_settings",
]
