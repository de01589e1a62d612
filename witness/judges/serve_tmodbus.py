"""tmodbus as the device: `serve_tmodbus.py JOB` serves register images on each wire that JOB names, until stdin ends.

JOB: {"images": {NAME: {"unit": int, "registers": {ADDRESS: word}}}, "tls": FOLDER or null}. Prints one line:
{NAME: {WIRE: port, or path}}; a serial line is a pair of pseudo-terminals, one for each side. A write is stored where
the image has the registers; over TLS only for the role Operator, and a read is answered to who has a role.
"""

import asyncio
import json
import os
import ssl
import sys
import tty
from pathlib import Path

from tmodbus.exceptions import IllegalDataAddressError, IllegalFunctionError
from tmodbus.pdu import (
    ReadHoldingRegistersPDU,
    ReadInputRegistersPDU,
    WriteMultipleRegistersPDU,
    WriteSingleRegisterPDU,
)
from tmodbus.server import (
    AsyncRtuOverTcpServer,
    AsyncRtuServer,
    AsyncTcpServer,
    ModbusRequestRouter,
    extract_modbus_role,
)


def router_of(image, *, roles):
    router, unit = ModbusRequestRouter(), image["unit"]
    registers = image["registers"]

    def allow(request, context, among):
        role = extract_modbus_role(context.client_cert) if context.client_cert else None
        if roles and role not in among:
            raise IllegalFunctionError(request.function_code)

    def there(request, address, count):
        if any(at not in registers for at in range(address, address + count)):
            raise IllegalDataAddressError(request.function_code)

    async def read(_unit, request, context):
        allow(request, context, ("Operator", "Viewer"))
        there(request, request.start_address, request.quantity)
        return [registers[request.start_address + i] for i in range(request.quantity)]

    async def write(_unit, request, context):
        allow(request, context, ("Operator",))
        there(request, request.start_address, len(request.values))
        registers.update((request.start_address + i, word) for i, word in enumerate(request.values))
        return len(request.values)

    async def write_one(_unit, request, context):
        allow(request, context, ("Operator",))
        there(request, request.address, 1)
        registers[request.address] = request.value
        return request.value

    for pdu, handler in (
        (ReadHoldingRegistersPDU, read),
        (ReadInputRegistersPDU, read),
        (WriteMultipleRegistersPDU, write),
        (WriteSingleRegisterPDU, write_one),
    ):
        router.register(pdu, unit_id=unit)(handler)
    return router


def secure(folder):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(folder / "ca.pem")
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    return context


class Line:
    """Two pseudo-terminals, each of which hears what is sent into the other."""

    def __init__(self):
        self.ends = [os.openpty() for _ in range(2)]
        for _, terminal in self.ends:
            tty.setraw(terminal)
        (self.here, self.server), (self.there, self.client) = ((m, os.ttyname(t)) for m, t in self.ends)

    def run(self):
        loop = asyncio.get_running_loop()
        for source, target in ((self.here, self.there), (self.there, self.here)):
            loop.add_reader(source, lambda source=source, target=target: os.write(target, os.read(source, 4096)))


async def main(job):
    ports, servers = {}, []
    for name, image in job["images"].items():
        image["registers"] = {int(address): word for address, word in image["registers"].items()}
        plain, roles = router_of(image, roles=False), router_of(image, roles=True)
        line = Line()
        line.run()
        made = {
            "rtu": AsyncRtuServer(line.server, plain, baudrate=19200),
            "tcp": AsyncTcpServer("127.0.0.1", plain, port=0),
            "rtu_over_tcp": AsyncRtuOverTcpServer("127.0.0.1", plain, port=0),
        }
        if job["tls"] is not None:
            context = secure(Path(job["tls"]))
            made["tls"] = AsyncTcpServer("127.0.0.1", roles, port=0, ssl_context=context)
        for server in made.values():
            await server.start()
        servers += made.values()
        tcp = {wire: server for wire, server in made.items() if wire != "rtu"}
        ports[name] = {wire: server._server.sockets[0].getsockname()[1] for wire, server in tcp.items()}
        ports[name]["rtu"] = line.client
    print(json.dumps(ports), flush=True)
    await asyncio.to_thread(sys.stdin.read)


asyncio.run(main(json.loads(Path(sys.argv[1]).read_text())))
