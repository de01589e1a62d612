"""Home Assistant, with its own MQTT integration, as the operator: it discovers the site, commands it, and sees its
end. The broker is mosquitto with the access list of docs/interfaces.md; the site is hil's house."""

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from witness import ours
from witness.judge import JUDGES, output
from witness.verdict import Row

JUDGE = "homeassistant"
SCENARIO = "base/house"
SITE, OWNER = "house-12", "home"
PATIENCE_S = 120.0
HEARD_S = 40.0
WORD_S = 8.0
WORDS = 4
"""Two arm it, unless what would be written moved a lot between them: then the second is the first of two again."""
"""How long a command may take until Home Assistant shows it."""
LIMIT_W = 1500
TARGET_W = -1000
PREFIX = "derctl_demo_house-12"
PIPE = asyncio.subprocess.PIPE
SHOWN = {"unit": "unit_of_measurement", "device_class": "device_class", "state_class": "state_class"}


def block(name: str, folder: Path) -> str:
    """Of docs/interfaces.md, with this folder in the place of mosquitto's."""
    document = (Path(__file__).parents[1] / "docs" / "interfaces.md").read_text(encoding="utf-8")
    [text] = re.findall(rf"^```mosquitto {name}\n(.*?)^```$", document, flags=re.MULTILINE | re.DOTALL)
    return str(text).replace("/etc/mosquitto", str(folder))


@asynccontextmanager
async def program(*command: str, out: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """One that runs until its end is asked for; what it says goes into a file."""
    with out.open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@asynccontextmanager
async def broker(folder: Path) -> AsyncIterator[int]:
    """mosquitto, with a password for the site and one for its owner. Its port."""
    passwords = folder / "derctl.passwords"
    for flags, user in ((["-b", "-c"], SITE), (["-b"], OWNER)):
        await output("mosquitto_passwd", *flags, str(passwords), user, user)
    (folder / "derctl.acl").write_text(block("acl", folder), encoding="utf-8")
    for path in (passwords, folder / "derctl.acl"):
        path.chmod(0o600)
    config = folder / "mosquitto.conf"
    rules = block("conf", folder)
    ready = folder / "mosquitto.log"
    for port in range(20_000, 20_050):
        user = "user root\n" if Path("/").stat().st_uid == 0 else ""
        config.write_text(f"listener {port} 127.0.0.1\n{user}{rules}", encoding="utf-8")
        async with program("mosquitto", "-c", str(config), out=ready) as process:
            await asyncio.sleep(1.0)
            if process.returncode is None:
                yield port
                return
    raise RuntimeError(f"no port for mosquitto: {ready.read_text(errors='replace')[-200:]}")


@asynccontextmanager
async def plant(folder: Path) -> AsyncIterator[Path]:
    """hil's house on real sockets. Its site file."""
    command = (sys.executable, "-m", "hil", "serve", SCENARIO)
    with (folder / "hil.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=log)
    try:
        assert process.stdout is not None
        said = await asyncio.wait_for(process.stdout.readline(), PATIENCE_S)
        yield Path(json.loads(said)["site_file"])
    finally:
        process.terminate()
        await process.wait()


def site_file(given: Path, port: int, folder: Path) -> Path:
    """The house's, under the document's name, with the broker and Home Assistant."""
    content = yaml.safe_load(given.read_text(encoding="utf-8"))
    secret = folder / "password"
    secret.write_text(SITE)
    secret.chmod(0o600)
    content["site"] |= {"id": SITE, "require_proof": False, "clock_sync": "assume"}
    content["mqtt"] = {
        "host": "127.0.0.1",
        "port": port,
        "username": SITE,
        "password_file": str(secret),
        "principals": [{"name": OWNER, "may_arm": True}],
        "home_assistant": {"principal": OWNER},
        "measurement_every_s": 5,
    }
    content["functions"].append({"kind": "schedule"})
    path = folder / "site.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


@dataclass(slots=True)
class Assistant:
    """Home Assistant as a program that answers lines of JSON."""

    process: asyncio.subprocess.Process

    async def asked(self, **asked: Any) -> dict[str, Any]:
        """What it shows then, by unique id."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(asked).encode() + b"\n")
        await self.process.stdin.drain()
        line = await asyncio.wait_for(self.process.stdout.readline(), PATIENCE_S)
        if not line:
            raise RuntimeError("Home Assistant has ended")
        seen: dict[str, Any] = json.loads(line)
        return seen

    async def until(self, true: Callable[[dict[str, Any]], bool], seconds: float = PATIENCE_S) -> dict[str, Any]:
        """The first that is true, or the last."""
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            seen = await self.asked(do="states")
            if true(seen) or asyncio.get_running_loop().time() > deadline:
                return seen
            await asyncio.sleep(0.5)


@asynccontextmanager
async def assistant(python: Path, folder: Path, port: int) -> AsyncIterator[Assistant]:
    """It runs until the end; its log lies in the folder."""
    home = folder / "home"
    home.mkdir()
    command = (str(python), "-I", str(JUDGES / "home_assistant.py"), str(home), str(port), OWNER, OWNER)
    with (folder / "home.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=log, limit=2**20)
    try:
        yield Assistant(process)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def announced(port: int) -> dict[str, Any]:
    """The entities that lie retained with the broker, by unique id: read by mosquitto's own client."""
    command = ("mosquitto_sub", "-h", "127.0.0.1", "-p", str(port), "-u", OWNER, "-P", OWNER, "-W", "3",
               "-t", "homeassistant/device/+/config")  # fmt: skip
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE)
    out, _ = await process.communicate()
    found = {}
    for line in out.decode().splitlines():
        for each in json.loads(line)["components"].values():
            if "unique_id" in each:  # what only names its platform is to be removed
                found[each["unique_id"]] = each
    return found


def discovered(told: Mapping[str, Any], seen: Mapping[str, Any]) -> list[str]:
    """Where what Home Assistant made of an announcement is something else."""
    wrong = [f"{name}: Home Assistant has no such entity" for name in told if name not in seen]
    for name in sorted({*told} & {*seen}):
        if not seen[name]["device"]:
            wrong.append(f"{name}: no device")
        for shown, key in SHOWN.items():
            if seen[name][shown] != told[name].get(key):
                wrong.append(f"{name}: {key} {seen[name][shown]!r}, announced {told[name].get(key)!r}")
        if told[name]["platform"] != "button" and seen[name]["state"] in {None, "unavailable"}:
            wrong.append(f"{name}: {seen[name]['state']}")
    return wrong


def numbers(seen: Mapping[str, Any], status: Mapping[str, Any]) -> list[str]:
    """Where Home Assistant shows another power than derctl: both move, so only who is far off."""
    wrong = []
    for der, each in status["ders"].items():
        shown, meant = seen[f"{PREFIX}_{der}_p_w"]["state"], each["measurement"]["p_w"]
        try:
            far = meant is None or abs(float(shown) - meant) > max(0.25 * abs(meant), 500.0)
        except ValueError:
            far = True
        if far:
            wrong.append(f"{der}: {shown} W, derctl says {meant} W")
    return wrong


async def status(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = await ours.told("status", "-c", str(path))
    return found


async def rows(python: Path, path: Path, folder: Path, port: int) -> list[Row]:
    """What it discovers, what its commands do, and what it shows after a kill."""
    command = (sys.executable, "-m", "derctl", "run", "-c", str(path))
    async with (
        program(*command, out=folder / "daemon.log") as daemon,
        assistant(python, folder, port) as home,
    ):
        limit, power = f"{PREFIX}_pv1_limit", f"{PREFIX}_pv1_p_w"
        await home.until(lambda seen: limit in seen and seen.get(power, {}).get("state") not in {None, "unknown"})
        told = await announced(port)
        seen = await home.until(lambda seen: not discovered(told, seen))
        found = Row(judge=JUDGE, wire="mqtt", what="each entity, its unit and class", compared=3 * len(told),
                    wrong=tuple(discovered(told, seen)))  # fmt: skip
        values = await near(home, path)
        commands = await commanded(home, path)
        plans = await planned(home, path)
        daemon.kill()
        await daemon.wait()
        names = {name for name, each in told.items() if each["platform"] != "button"}
        after = await home.until(lambda seen: all(seen[name]["state"] == "unavailable" for name in names))
        alive = tuple(f"{name}: {after[name]['state']}" for name in names if after[name]["state"] != "unavailable")
        killed = Row(judge=JUDGE, wire="mqtt", what="unavailable after SIGKILL", compared=len(names), wrong=alive)
        return [found, values, commands, plans, killed]


async def near(home: Assistant, path: Path) -> Row:
    """Once the site has come to rest after its start."""
    deadline = asyncio.get_running_loop().time() + HEARD_S
    while True:
        shown, seen = await status(path), await home.asked(do="states")
        wrong = numbers(seen, shown)
        if not wrong or asyncio.get_running_loop().time() > deadline:
            compared = len(shown["ders"])
            return Row(judge=JUDGE, wire="mqtt", what="power of each DER", compared=compared, wrong=tuple(wrong))
        await asyncio.sleep(1.0)


async def commanded(home: Assistant, path: Path) -> Row:
    """A limit, a looser one, none; a switch, a battery's setpoint, and two words to arm."""
    wrong: list[str] = []
    tried = 0

    async def sees(what: str, name: str, state: str, service: str, entity: str, more: Mapping[str, Any]) -> None:
        nonlocal tried
        tried += 1
        await home.asked(do="call", service=service, entity=f"{PREFIX}_{entity}", more=more)
        seen = await home.until(lambda seen: same(seen[f"{PREFIX}_{name}"]["state"], state), HEARD_S)
        if not same(seen[f"{PREFIX}_{name}"]["state"], state):
            answer = seen[f"{PREFIX}_answer"]["state"]
            wrong.append(f"{what}: {seen[f'{PREFIX}_{name}']['state']!r}, wanted {state!r}; last answer {answer!r}")

    value = "number.set_value"
    await sees("a limit", "pv1_limit", str(LIMIT_W), value, "pv1_limit", {"value": LIMIT_W})
    asked = [each for each in (await status(path))["requests"] if each["der"] == "pv1"]
    tried += 1
    if [each["p_ceiling_w"] for each in asked] != [LIMIT_W]:
        wrong.append(f"derctl's own status: {asked}")
    await sees("a looser limit", "pv1_limit", "3000", value, "pv1_limit", {"value": 3000})
    await sees("off", "pv1_limit", "0", "switch.turn_off", "pv1_production", {})
    await sees("on", "pv1_production", "on", "switch.turn_on", "pv1_production", {})
    await sees("a limit for the site", "limit", "4000", value, "limit", {"value": 4000})
    await sees("a battery", "bat1_target", str(TARGET_W), value, "bat1_target", {"value": TARGET_W})
    await sees("a reserve", "bat1_reserve", "40", value, "bat1_reserve", {"value": 40})
    await sees("drop all", "bat1_target", "0", "button.press", "clear", {})
    await sees("disarm", "mode", "observe", "button.press", "disarm", {})
    tried += 1
    for _ in range(WORDS):
        await home.asked(do="call", service="button.press", entity=f"{PREFIX}_arm", more={})
        seen = await home.until(lambda seen: seen[f"{PREFIX}_mode"]["state"] == "control", WORD_S)
        if seen[f"{PREFIX}_mode"]["state"] == "control":
            break
    else:
        wrong.append(f"arm: {seen[f'{PREFIX}_mode']['state']!r}; answer {seen[f'{PREFIX}_answer']['state']!r}")
    return Row(judge=JUDGE, wire="mqtt", what="commands", compared=tried, wrong=tuple(wrong))


def published(now: datetime) -> dict[str, list[Any]]:
    """As EMHASS publishes its plan to Home Assistant (docs/sources.md)."""
    times = [(now + timedelta(minutes=5 * i)).isoformat() for i in range(300)]
    rows = [{"date": time, "p_batt_forecast": str(float(TARGET_W))} for time in times]
    return {"sensor.p_batt_forecast": [str(TARGET_W), {"battery_scheduled_power": rows}]}


async def planned(home: Assistant, path: Path) -> Row:
    """A plan of EMHASS's reaches derctl by the document's automation."""
    document = (Path(__file__).parents[1] / "docs" / "interfaces.md").read_text(encoding="utf-8")
    [text] = re.findall(r"^```automation emhass\n(.*?)^```$", document, flags=re.MULTILINE | re.DOTALL)
    states = published(datetime.now(UTC))
    await home.asked(do="automate", automation=yaml.safe_load(text), states=states)
    name, wanted = f"{PREFIX}_bat1_plan_w", str(TARGET_W)
    seen = await home.until(lambda seen: same(seen[name]["state"], wanted), HEARD_S)
    asked = [each["by"] for each in (await status(path))["requests"] if each["kind"] == "battery_plan"]
    wrong = [] if asked == [OWNER] else [f"derctl's own status: {asked}"]
    if not same(seen[name]["state"], wanted):
        wrong.append(f"{seen[name]['state']!r}, wanted {wanted!r}; last answer {seen[f'{PREFIX}_answer']['state']!r}")
    return Row(judge=JUDGE, wire="mqtt", what="a plan by an automation", compared=2, wrong=tuple(wrong))


def same(shown: Any, wanted: str) -> bool:
    """Numbers by what they are."""
    try:
        return float(shown) == float(wanted)
    except (TypeError, ValueError):
        return bool(shown == wanted)


async def judged(python: Path | None, folder: Path, why_not: str) -> list[Row]:
    """python: of Home Assistant's own environment, None: there is none."""
    if python is None:
        return [Row(judge=JUDGE, wire="", what="", why_not=why_not)]
    place = folder / JUDGE
    place.mkdir()
    async with broker(place) as port, plant(place) as given:
        return await rows(python, site_file(given, port, place), place, port)
