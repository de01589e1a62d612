"""The holding registers behind one unit id: a chain of model images, with the answers a device gives."""

from collections.abc import Callable, Sequence

from hil.faces.image import ModelImage, Slot

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE, DEVICE_FAILURE, BUSY = 1, 2, 3, 4, 6
Overlay = Callable[[ModelImage, bytearray], None]


class Refused(Exception):
    """The device answers with a Modbus exception."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exception {code}")
        self.code = code


class Bank:
    """`images` hold what the device means, `published` what a client reads: equal but for faults and refresh time."""

    def __init__(self, images: Sequence[ModelImage], *, base: int = 40000, end: bool = True) -> None:
        self.images = list(images)
        self.base = base
        self.start: dict[int, int] = {}
        at = base + 2
        for image in self.images:
            self.start[id(image)] = at
            at += image.size
        self.stop = at + (2 if end else 0)
        self.published = bytearray((self.stop - base) * 2)
        self.published[:4] = b"SunS"
        if end:
            self.published[-4:] = b"\xff\xff\x00\x00"
        self.overlays: dict[int, Overlay] = {}
        self.refused: frozenset[int] = frozenset()
        self.publish()

    def image(self, model_id: int) -> ModelImage:
        """The first image of a model."""
        return next(image for image in self.images if image.model_id == model_id)

    def publish(self, only: Sequence[int] | None = None) -> None:
        """Copy the images to what clients read, atomically per model, through the register faults."""
        for image in self.images:
            if only is not None and image.model_id not in only:
                continue
            memory = bytearray(image.memory)
            for overlay in list(self.overlays.values()):
                overlay(image, memory)
            first = (self.start[id(image)] - self.base) * 2
            self.published[first : first + len(memory)] = memory

    def read(self, address: int, count: int) -> bytes:
        """Registers as bytes; Refused(2) outside of the map, and inside the bodies of models in `refused`."""
        if address < self.base or address + count > self.stop or self._in_a_hole(address, count):
            raise Refused(ILLEGAL_ADDRESS)
        first = (address - self.base) * 2
        return bytes(self.published[first : first + count * 2])

    def _in_a_hole(self, address: int, count: int) -> bool:
        holes = (image for image in self.images if image.model_id in self.refused) if self.refused else ()
        bodies = ((self.start[id(image)] + 2, self.start[id(image)] + image.size) for image in holes)
        return any(address < last and address + count > first for first, last in bodies)

    def over_two(self, address: int, count: int) -> bool:
        """Whether these registers belong to more than one model. The marker belongs to the first."""
        ends = (self.start[id(image)] for image in self.images[1:])
        return any(address < end < address + count for end in ends)

    def find(self, address: int, count: int) -> tuple[ModelImage, list[Slot]]:
        """The image and the writable points that a write covers; Refused(2) for anything else."""
        for image in self.images:
            at = address - self.start[id(image)]
            if at >= 0 and at + count <= image.size:
                slots = image.is_writable(at, count)
                if slots is None:
                    raise Refused(ILLEGAL_ADDRESS)
                return image, slots
        raise Refused(ILLEGAL_ADDRESS)

    def store(self, address: int, content: bytes, image: ModelImage) -> None:
        """Put written registers into the image and into what clients read (the echo)."""
        at = (address - self.start[id(image)]) * 2
        image.memory[at : at + len(content)] = content
        first = (address - self.base) * 2
        self.published[first : first + len(content)] = content
