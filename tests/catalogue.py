"""A plan with every function of the catalogue, for a site of two inverters and a battery."""

from __future__ import annotations

from derctl.functions import plan_of
from derctl.functions.bms_guard import BmsGuard
from derctl.functions.const_pf import ConstPf
from derctl.functions.const_var import ConstVar
from derctl.functions.contract_export_limit import ContractExportLimit
from derctl.functions.enter_service import EnterService
from derctl.functions.freq_droop import FreqDroop
from derctl.functions.fuse_limit import FuseLimit
from derctl.functions.operator import OperatorLimit, OperatorSiteLimit, SetpointFunction
from derctl.functions.owner_export_limit import OwnerExportLimit
from derctl.functions.reserve import Reserve
from derctl.functions.self_consumption import SelfConsumption
from derctl.functions.soc_guard import SocGuard
from derctl.functions.utility_limit import UtilityLimit
from derctl.functions.volt_var import VoltVar
from derctl.functions.volt_watt import VoltWatt
from derctl.functions.watt_var import WattVar

ALL = ("pv1", "pv2", "bat1")
CONTRACT_W, IMPORT_W = 7_000.0, 9_000.0
PLAN = plan_of(
    der_functions=(
        (BmsGuard(), ("bat1",)),
        (SocGuard(), ("bat1",)),
        (Reserve(min_pct=20.0), ("bat1",)),
        (EnterService(), ALL),
        (VoltWatt(), ALL),
        (FreqDroop(), ALL),
        (VoltVar(), ALL),
        (WattVar(), ()),  # a DER has one reactive mode at a time
        (ConstPf(pf=0.95), ()),
        (ConstVar(q_pu=-0.2), ()),
        (UtilityLimit(limit_pu=1.0), ALL),
        (OperatorLimit(), ALL),
        (SetpointFunction(), ("bat1",)),
    ),
    site_functions=(
        (ContractExportLimit(limit_w=CONTRACT_W, import_limit_w=IMPORT_W), ALL),
        (FuseLimit(fuse_a=100.0, phase_count=3), ALL),
        (OwnerExportLimit(limit_w=50_000.0), ALL),
        (OperatorSiteLimit(), ALL),
        (SelfConsumption(), ALL),
    ),
)
