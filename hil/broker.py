"""`python -m hil.broker PORT`: amqtt on loopback, where there is no mosquitto."""

import asyncio
import signal
import sys

from amqtt.broker import Broker

PLUGINS = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}


async def run(port: int) -> None:
    """Until SIGTERM."""
    listener = {"type": "tcp", "bind": f"127.0.0.1:{port}", "max_connections": 50}
    broker = Broker({"listeners": {"default": listener}, "plugins": PLUGINS, "sys_interval": 0})
    done = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, done.set)
    await broker.start()
    await done.wait()
    await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(run(int(sys.argv[1])))
