"""A stand-in for the daemon, to test the bench itself: limits export through 704 and 123, answers `status`.

`python tiny_controller.py -c site.yaml [--crash-after S] [--start-s S] [--end-s S]`.
It reads registers with pysunspec2's client.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from sunspec2.modbus.client import SunSpecModbusClientDeviceTCP


def connect(site: dict[str, Any], bus: str, unit: int) -> Any:
    tcp = next(b["tcp"] for b in site["buses"] if b["id"] == bus)
    device = SunSpecModbusClientDeviceTCP(slave_id=unit, ipaddr=tcp["host"], ipport=tcp["port"], timeout=60)
    device.scan()
    return device


def limit(device: Any, pct: float) -> None:
    if 704 in device.models:
        model, names = device.models[704][0], ("WMaxLimPct", "WMaxLimPctRvrtTms", "WMaxLimPctEna")
    else:
        model, names = device.models[123][0], ("WMaxLimPct", "WMaxLimPct_RvrtTms", "WMaxLim_Ena")
    model.read()
    for name, value in zip(names, (pct, 6, 1), strict=True):
        point = model.points[name]
        if name.endswith("Pct"):
            point.cvalue = value
        else:
            point.value = value
        point.write()


class Loop:
    def __init__(self, site: dict[str, Any]) -> None:
        self.site = site
        self.ticks = 0
        self.pct = 100.0
        self.fresh: dict[str, bool] = {}
        self.devices: dict[str, Any] = {}

    def tick(self) -> None:
        self.ticks += 1
        limit_w = self.site["functions"][0]["limit_w"]
        try:
            meter = self._device("poc", self.site["poc"])
            meter.models[203][0].read()
            export_w = meter.models[203][0].W.cvalue
        except Exception:
            self.devices.clear()
            return
        total_w = 15_000.0
        self.pct = max(0.0, min(100.0, self.pct + (limit_w - 200.0 - export_w) / total_w * 100.0))
        for der in self.site["ders"]:
            if der["kind"] != "sunspec_pv":
                continue
            try:
                limit(self._device(der["id"], der), round(self.pct, 1))
                self.fresh[der["id"]] = True
            except Exception:
                self.devices.pop(der["id"], None)
                self.fresh[der["id"]] = False

    def _device(self, name: str, spec: dict[str, Any]) -> Any:
        if name not in self.devices:
            self.devices[name] = connect(self.site, spec["bus"], spec["unit"])
        return self.devices[name]

    def status(self) -> dict[str, Any]:
        ders = {id: {"fresh": fresh, "state": "ok" if fresh else "unreachable"} for id, fresh in self.fresh.items()}
        loop = {"tick_s": 1.0, "ticks": self.ticks, "missed": 0}
        return {"pid": os.getpid(), "mode": "control", "loop": loop, "ders": ders, "t": time.time()}


async def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("-c", dest="config", type=Path)
    parser.add_argument("--crash-after", type=float)
    parser.add_argument("--start-s", type=float, default=0.0)
    parser.add_argument("--end-s", type=float, default=0.0)
    args = parser.parse_args()
    site = yaml.safe_load(args.config.read_text())
    loop = Loop(site)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(json.dumps({"ok": True, "result": loop.status()}).encode() + b"\n")
        await writer.drain()
        writer.close()

    await asyncio.sleep(args.start_s)
    server = await asyncio.start_unix_server(serve, site["site"]["socket"])
    done = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, done.set)
    began_s = time.monotonic()
    while not done.is_set():
        await asyncio.to_thread(loop.tick)
        if args.crash_after is not None and time.monotonic() - began_s > args.crash_after:
            raise RuntimeError("crashed as asked")
        try:
            await asyncio.wait_for(done.wait(), 0.7)
        except TimeoutError:
            continue
    server.close()
    await asyncio.sleep(args.end_s)
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
