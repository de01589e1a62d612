"""Home Assistant with its own MQTT integration: `home_assistant.py FOLDER PORT USER PASSWORD`. Speaks JSON lines:
{"do": "states"}, {"do": "call", "service": "number.set_value", "entity": UNIQUE_ID, "more": {}}, {"do": "end"},
{"do": "automate", "automation": {}, "states": {ENTITY: [STATE, ATTRIBUTES]}}."""

import asyncio
import json
import logging
import sys
from pathlib import Path

from homeassistant import bootstrap, config_entries, core, loader
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry
from homeassistant.setup import async_setup_component


async def house(folder: str) -> core.HomeAssistant:
    """A core without anything but what MQTT needs."""
    (Path(folder) / "configuration.yaml").touch()
    hass = core.HomeAssistant(folder)
    hass.config.skip_pip = True
    loader.async_setup(hass)
    hass.config_entries = config_entries.ConfigEntries(hass, {})
    await loader.async_get_custom_components(hass)
    await bootstrap.async_load_base_functionality(hass)
    hass.config.components |= {"http", "file_upload"}  # of its own dialogues: nothing of ours, and no listening port
    await async_setup_component(hass, "homeassistant", {})
    return hass


async def integrate(hass: core.HomeAssistant, port: int, user: str, password: str) -> None:
    """As its own dialogue leaves the MQTT integration."""
    entry = config_entries.ConfigEntry(
        version=1,
        minor_version=2,
        domain="mqtt",
        title="broker",
        data={"broker": "127.0.0.1", "port": port, "username": user, "password": password, "protocol": "5"},
        options={},
        source="user",
        unique_id=None,
        discovery_keys={},
    )
    await hass.config_entries.async_add(entry)
    await hass.async_start()


def states(hass: core.HomeAssistant) -> dict:
    """Of each entity of derctl's, by its unique id: what Home Assistant shows."""
    registry = entity_registry.async_get(hass)
    found = {}
    for entry in registry.entities.values():
        state = hass.states.get(entry.entity_id)
        known = {} if state is None else state.attributes
        found[entry.unique_id] = {
            "entity": entry.entity_id,
            "state": None if state is None else state.state,
            "unit": known.get("unit_of_measurement"),
            "device_class": known.get("device_class"),
            "state_class": known.get("state_class"),
            "device": entry.device_id is not None,
        }
    return found


async def answer(hass: core.HomeAssistant, asked: dict) -> dict:
    """One line."""
    if asked["do"] == "call":
        domain, _, service = asked["service"].partition(".")
        entity = states(hass)[asked["entity"]]["entity"]
        try:
            await hass.services.async_call(domain, service, {"entity_id": entity, **asked["more"]}, blocking=True)
        except HomeAssistantError:
            logging.exception("%s", asked)  # what was wanted of it will not be seen
    if asked["do"] == "automate":
        await async_setup_component(hass, "automation", {"automation": [asked["automation"]]})
        for entity, (state, attributes) in asked["states"].items():
            hass.states.async_set(entity, state, attributes)
    await hass.async_block_till_done()
    return states(hass)


async def main(folder: str, port: str, user: str, password: str) -> None:
    hass = await house(folder)
    await integrate(hass, int(port), user, password)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        asked = json.loads(line)
        if asked["do"] == "end":
            break
        print(json.dumps(await answer(hass, asked)), flush=True)
    await hass.async_stop(force=True)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    asyncio.run(main(*sys.argv[1:]))
