"""Settings of quotas."""

from typing import Annotated, ClassVar

from promptcraft.settings import forms
from promptcraft.settings.base import ContextSettings, Setting

_A_MINUTE = forms.number(1, 10**9)


class QuotasSettings(ContextSettings):
    """Who may use how much."""

    context: ClassVar[str] = "quotas"

    enable_cost_center_tracking: Annotated[bool, Setting(forms.FLAG, "costs by cost centre", effect=False)] = False
    enable_department_quotas: Annotated[bool, Setting(forms.FLAG, "budgets by department", effect=False)] = False
    enable_api_rate_limiting: Annotated[bool, Setting(forms.FLAG, "limits on requests")] = True
    rate_limit_user: Annotated[int, Setting(_A_MINUTE, "requests of one user in a minute", ours=True)] = 6_000
    rate_limit_key: Annotated[int, Setting(_A_MINUTE, "requests with one API key in a minute", ours=True)] = 6_000
    rate_limit_organisation: Annotated[
        int, Setting(_A_MINUTE, "requests of one organisation in a minute", ours=True)
    ] = 120_000
    rate_limit_address: Annotated[
        int, Setting(_A_MINUTE, "requests without valid credentials from one address in a minute", ours=True)
    ] = 6_000
