"""A plan with every function of the catalogue, for a site of two inverters and a battery."""

from __future__ import annotations

from derctl.functions import plan_of
from derctl.functions.bms_guard import BmsGuard
from derctl.functions.contract_export_limit import ContractExportLimit
from derctl.functions.freq_droop import FreqDroop
from derctl.functions.operator import OperatorLimit, OperatorSiteLimit, SetpointFunction
from derctl.functions.reserve import Reserve
from derctl.functions.self_consumption import SelfConsumption
from derctl.functions.soc_guard import SocGuard
from derctl.functions.volt_var import VoltVar
from derctl.functions.volt_watt import VoltWatt

ALL = ("pv1", "pv2", "bat1")
CONTRACT_W, IMPORT_W = 7_000.0, 9_000.0
PLAN = plan_of(
    der_functions=(
        (BmsGuard(), ("bat1",)),
        (SocGuard(), ("bat1",)),
        (Reserve(min_pct=20.0), ("bat1",)),
        (VoltWatt(), ALL),
        (FreqDroop(), ALL),
        (VoltVar(), ALL),
        (OperatorLimit(), ALL),
        (SetpointFunction(), ("bat1",)),
    ),
    site_functions=(
        (ContractExportLimit(limit_w=CONTRACT_W, import_limit_w=IMPORT_W), ALL),
        (OperatorSiteLimit(), ALL),
        (SelfConsumption(), ALL),
    ),
)
