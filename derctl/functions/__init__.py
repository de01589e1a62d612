"""Grid-support and site functions, one a file. CATALOGUE is the only place that lists them."""

from __future__ import annotations

from derctl.functions.bms_guard import BmsGuard
from derctl.functions.contract_export_limit import ContractExportLimit
from derctl.functions.freq_droop import FreqDroop
from derctl.functions.operator import OperatorLimit, OperatorSiteLimit, SetpointFunction
from derctl.functions.reserve import Reserve
from derctl.functions.self_consumption import SelfConsumption
from derctl.functions.settings import Settings
from derctl.functions.soc_guard import SocGuard
from derctl.functions.volt_var import VoltVar
from derctl.functions.volt_watt import VoltWatt

DER_CATALOGUE: dict[str, type[Settings]] = {
    "bms_guard": BmsGuard,
    "soc_guard": SocGuard,
    "reserve": Reserve,
    "volt_watt": VoltWatt,
    "freq_droop": FreqDroop,
    "volt_var": VoltVar,
    "operator_limit": OperatorLimit,
    "setpoint": SetpointFunction,
}
"""Functions that speak for one DER each."""

SITE_CATALOGUE: dict[str, type[Settings]] = {
    "contract_export_limit": ContractExportLimit,
    "operator_site_limit": OperatorSiteLimit,
    "self_consumption": SelfConsumption,
}
"""Functions that speak for the site."""

CATALOGUE: dict[str, type[Settings]] = DER_CATALOGUE | SITE_CATALOGUE

NEEDS_STORAGE = frozenset({"bms_guard", "soc_guard", "reserve", "setpoint"})
"""Functions that make no sense for a DER without storage."""

REACTIVE = frozenset({"volt_var"})
"""Modes of reactive power, of which a DER has one at a time."""

__all__ = ["CATALOGUE", "DER_CATALOGUE", "NEEDS_STORAGE", "REACTIVE", "SITE_CATALOGUE", "Settings"]
