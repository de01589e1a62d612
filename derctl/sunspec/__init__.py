"""SunSpec without I/O: point types, tables compiled from the official JSON, the chain walk, decode and encode."""

from derctl.sunspec.chain import Block, Chain, walk
from derctl.sunspec.decode import Decoded, decode
from derctl.sunspec.encode import absent, encode_point, span
from derctl.sunspec.layout import Placed, arrange, flatten
from derctl.sunspec.points import POINT_TYPES, PointType, Raw, Value
from derctl.sunspec.reader import Reader, compile_reader
from derctl.sunspec.reading import inner_offsets, plan, read_block
from derctl.sunspec.tables import Group, Model, Point, compile_model

__all__ = [
    "POINT_TYPES",
    "Block",
    "Chain",
    "Decoded",
    "Group",
    "Model",
    "Placed",
    "Point",
    "PointType",
    "Raw",
    "Reader",
    "Value",
    "absent",
    "arrange",
    "compile_model",
    "compile_reader",
    "decode",
    "encode_point",
    "flatten",
    "inner_offsets",
    "plan",
    "read_block",
    "span",
    "walk",
]
