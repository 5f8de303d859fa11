"""Settings of compliance: the rules that the installation must keep."""

from typing import Annotated, ClassVar

from promptcraft.settings import forms
from promptcraft.settings.base import ContextSettings, Setting


class ComplianceSettings(ContextSettings):
    """What the platform is held to."""

    context: ClassVar[str] = "compliance"

    compliance_level: Annotated[
        tuple[str, ...],
        Setting(
            forms.choices("SOC2", "HIPAA", "GDPR"),
            "refuses settings that contradict it: DEBUG_MODE, a DATA_RETENTION_DAYS that is too short",
        ),
    ] = ()
    enable_gdpr_compliance: Annotated[
        bool, Setting(forms.FLAG, "privacy requests, keys per subject, processing register", effect=False)
    ] = False
