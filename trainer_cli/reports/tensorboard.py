"""Numbers by name and step in; TensorBoard's event files out, written by hand: TensorFlow is not needed for that.

A file is a row of records as TFRecord frames them (the length, its checksum, the bytes, their checksum), each of them
an `Event` of TensorFlow's `event.proto` in the wire format of Protocol Buffers.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import IO

_POLYNOMIAL = 0x82F63B78
"""CRC-32C (Castagnoli), its bits reversed."""
_MASK = 0xA282EAD8
"""TFRecord's: a checksum of data that holds checksums shall not be one of them."""


class EventFile:
    """An event file in a folder of its own kind of rows, made with the first number; a resumed run begins another."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stream: IO[bytes] | None = None

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Append the numbers of a step, and hand them to the system. Raises OSError."""
        now = time.time()
        if self._stream is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            name = f"events.out.tfevents.{int(now)}.{socket.gethostname()}.{os.getpid()}.{time.perf_counter_ns()}"
            self._stream = (self._folder / name).open("xb")
            self._stream.write(record(event(now, version="brain.Event:2")))
        self._stream.write(record(event(now, step=step, values=values)))
        self._stream.flush()

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()


def event(wall_time: float, *, step: int = 0, version: str | None = None, values: Mapping[str, float] = {}) -> bytes:
    """`Event {wall_time: 1, step: 2, file_version: 3, summary: 5}` with a `Summary` of scalars."""
    parts = [_key(1, 1) + struct.pack("<d", wall_time), _key(2, 0) + _varint(step)]
    if version is not None:
        parts.append(_framed(3, version.encode()))
    if values:
        parts.append(_framed(5, b"".join(_framed(1, _scalar(tag, value)) for tag, value in values.items())))
    return b"".join(parts)


def _scalar(tag: str, value: float) -> bytes:
    """`Summary.Value {tag: 1, simple_value: 2}`."""
    try:
        packed = struct.pack("<f", value)
    except OverflowError:  # beyond what float32 holds
        packed = struct.pack("<f", float("inf") if value > 0 else float("-inf"))
    return _framed(1, tag.encode()) + _key(2, 5) + packed


def record(content: bytes) -> bytes:
    """The bytes as a TFRecord."""
    length = struct.pack("<Q", len(content))
    return b"".join((length, _checksum(length), content, _checksum(content)))


def _checksum(content: bytes) -> bytes:
    crc = crc32c(content)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + _MASK) & 0xFFFFFFFF)


def crc32c(content: bytes) -> int:
    """CRC-32C of RFC 3720; `123456789` has 0xE3069283."""
    table = _table()
    crc = 0xFFFFFFFF
    for byte in content:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


@cache
def _table() -> tuple[int, ...]:
    found = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (_POLYNOMIAL if crc & 1 else 0)
        found.append(crc)
    return tuple(found)


def _key(field: int, kind: int) -> bytes:
    return _varint(field << 3 | kind)


def _framed(field: int, content: bytes) -> bytes:
    return _key(field, 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    """Seven bits per byte, the lowest first; the top bit says that more follow."""
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])
