"""RTU frames on a TCP connection, as cheap gateways pass them on to their serial line."""

from __future__ import annotations

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.client.base import ModbusBaseClient
from pymodbus.framer import FramerType

from derctl.links.wires.framed import Framed
from derctl.links.wires.tcp import PymodbusTcp


class PymodbusRtuOverTcp(Framed, PymodbusTcp):
    """A Wire over one TCP connection to a gateway, which keeps the silences of its line itself.

    Frames carry no number: who they answer is told as on the line, also over a connection that is made anew.
    """

    def bare(self) -> ModbusBaseClient:
        return AsyncModbusTcpClient(
            self._host,
            port=self._port,
            framer=FramerType.RTU,
            retries=0,
            reconnect_delay=0,
            trace_packet=self._hearing.watch,
        )
