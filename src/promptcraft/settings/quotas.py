"""Settings of quotas."""

from typing import Annotated, ClassVar

from promptcraft.settings import forms
from promptcraft.settings.base import ContextSettings, Setting


class QuotasSettings(ContextSettings):
    """Who may use how much."""

    context: ClassVar[str] = "quotas"

    enable_cost_center_tracking: Annotated[bool, Setting(forms.FLAG, "costs by cost centre", effect=False)] = False
    enable_department_quotas: Annotated[bool, Setting(forms.FLAG, "budgets by department", effect=False)] = False
    enable_api_rate_limiting: Annotated[bool, Setting(forms.FLAG, "limits on requests", effect=False)] = True
