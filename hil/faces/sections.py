"""An inverter that lists its meters behind a model 1 each, in one unit: 1 103 1 203 1 203 (SolarEdge)."""

from dataclasses import replace

from hil.faces import ac
from hil.faces.face import Face
from hil.faces.image import ModelImage
from hil.faces.meter import SCALES, flow, meter_values
from hil.faces.personality import Personality
from hil.faces.view import Rating, SiteView


class Sections(Face):
    """Its own power is that of `der`. Section 2 measures what all DERs give (Opt Production), section 3 the point of
    connection (Opt Export+Import). Serial numbers end in -1, -2, -3."""

    def __init__(
        self, habits: Personality, rating: Rating, *, serial: str, der: str, sign: int = 1, seed: int = 0
    ) -> None:
        self.der = der
        self.sign = sign
        watts = ac.watt_scale(rating.p_max_w)
        own, self.sun, self.grid = ModelImage(103), ModelImage(203), ModelImage(203)
        ac.set_scales(own, ac.scales_1xx(rating.p_max_w), habits)
        for image in (self.sun, self.grid):
            scales = {**SCALES, **dict.fromkeys(("W_SF", "VA_SF", "VAR_SF"), watts)}
            ac.set_scales(image, scales, habits)
        images = []
        for number, (image, opt) in enumerate(((own, ""), (self.sun, "Production"), (self.grid, "Export+Import")), 1):
            common = ac.common_image(replace(habits, common_length=65), f"{serial}-{number}")
            common.put("Opt", opt)
            images += [common, image]
        super().__init__(images, habits, rating, seed=seed)

    def fill(self, view: SiteView) -> None:
        """The inverter's own power, the sum of all, and the flow at the point of connection."""
        ders = view.state.ders
        own = ders[self.der]
        reading = self.noised(ac.der_reading(view, own))
        dc_w = reading.p_w / 0.96
        ac.fill_1xx(self.bank.image(103), reading, status=own.inverter.status, dc_v=600.0, dc_w=dc_w)
        seen = self.noised(flow(view, self.random))
        made = sum(der.inverter.p_w for der in ders.values())
        self.grid.put_all(meter_values(seen, self.sign))
        self.sun.put_all(meter_values(replace(seen, p_w=made), self.sign))
