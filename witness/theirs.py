"""pysunspec2 as the reader: its own Modbus TCP client, chain walk and scaling."""

import asyncio
from typing import Any

import sunspec2.modbus.client

Values = dict[str, object]


async def values(port: int, unit: int) -> tuple[list[int], Values]:
    """The ids of the models, and each value by its model, which of that model it is, and its point."""
    return await asyncio.to_thread(_values, port, unit)


def _values(port: int, unit: int) -> tuple[list[int], Values]:
    client = sunspec2.modbus.client.SunSpecModbusClientDeviceTCP(
        slave_id=unit, ipaddr="127.0.0.1", ipport=port, timeout=10.0
    )
    client.scan()
    models, found = [], Values()
    for model_id, models_of_id in client.models.items():
        if not isinstance(model_id, int):
            continue
        for number, model in enumerate(models_of_id, start=1):
            models.append(model_id)
            model.read()
            for path, value in _flat(model).items():
                found[f"{model_id}#{number}.{path}"] = value
    client.close()
    return models, found


def _flat(group: Any, prefix: str = "") -> Values:
    found = {f"{prefix}{name}": point.cvalue for name, point in group.points.items()}
    for name, inner in group.groups.items():
        for index, instance in enumerate(inner if isinstance(inner, list) else [inner]):
            found |= _flat(instance, f"{prefix}{name}[{index}].")
    return found
