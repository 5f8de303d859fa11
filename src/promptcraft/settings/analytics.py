"""Settings of analytics."""

from datetime import timedelta
from typing import Annotated, ClassVar

from promptcraft.settings import addresses, forms
from promptcraft.settings.base import ContextSettings, Setting


class AnalyticsSettings(ContextSettings):
    """How the record is evaluated."""

    context: ClassVar[str] = "analytics"

    mlflow_tracking_uri: Annotated[
        str | None, Setting(addresses.STORE, "mirror of the model registry", effect=False, unset="own registry only")
    ] = None
    mlflow_artifact_root: Annotated[
        str | None, Setting(addresses.STORE, "where the mirror's files go", effect=False)
    ] = None
    analytics_cache_ttl_minutes: Annotated[
        timedelta,
        Setting(forms.duration("m"), "upper bound on the age of a cached answer", effect=False, unset="15"),
    ] = timedelta(minutes=15)
    enable_predictive_analytics: Annotated[
        bool, Setting(forms.FLAG, "forecasts, anomalies and advice", effect=False)
    ] = True
    model_retraining_schedule: Annotated[
        str, Setting(forms.SCHEDULE, "when models are fitted again", effect=False, unset="weekly")
    ] = forms.parse_schedule("weekly")
    enable_advanced_reporting: Annotated[bool, Setting(forms.FLAG, "scheduled reports", effect=False)] = False
