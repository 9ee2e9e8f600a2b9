"""What a JPEG file is made of: its segments, its size, its scans (ITU-T T.81, annex B). No pixel is decoded here."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import NamedTuple

START, END = b"\xff\xd8", b"\xff\xd9"
MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]", re.DOTALL)  # the end, or one that a length follows
RESTART = re.compile(rb"(\xff[\xd0-\xd7])")
END_CODE, SCAN, COMMENT = 0xD9, 0xDA, 0xFE
APPLICATION = range(0xE0, 0xF0)
FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
COEFFICIENTS = frozenset(range(64))  # of a block


class Segment(NamedTuple):
    """A marker with a length: `begin` is that of the marker, `end` that of what follows the segment."""

    marker: int
    begin: int
    end: int


@dataclass(frozen=True)
class Header:
    """What stands before the pixels: the frame's size and components, and the first start of a scan."""

    width: int
    height: int
    components: bytes  # their ids
    is_progressive: bool
    scan: Segment


def header(data: bytes) -> Header | None:
    """The header of a JPEG, or None if the file ends in it."""
    width, height, components, is_progressive = 0, 0, b"", False
    for segment in segments(data):
        if segment.marker in FRAME:
            frame = data[segment.begin + 4 : segment.end]
            height, width = int.from_bytes(frame[1:3]), int.from_bytes(frame[3:5])
            components, is_progressive = frame[6::3], segment.marker in PROGRESSIVE
        if segment.marker == SCAN:
            return Header(width, height, components, is_progressive, segment) if segment.end < len(data) else None
    return None


def segments(data: bytes) -> Iterator[Segment]:
    """The whole segments in order, those between scans too, until the end marker or the end of the file."""
    position = len(START)
    while (found := MARKER.search(data, position)) and found.end() + 2 <= len(data):
        marker, begin = data[found.start() + 1], found.start()
        if marker == END_CODE:
            return
        position = begin + 2 + int.from_bytes(data[begin + 2 : begin + 4])
        if position > len(data):
            return
        yield Segment(marker, begin, position)


def has_end(data: bytes, header: Header) -> bool:
    return data.rfind(END) >= header.scan.end  # from behind: it is where files end


def is_one_scan(data: bytes, header: Header) -> bool:
    """Whether the first scan holds all components in full, as in most files."""
    return not header.is_progressive and len(_components(data, header.scan)) == len(header.components)


def scans(data: bytes) -> Iterator[Segment]:
    return (segment for segment in segments(data) if segment.marker == SCAN)


def holds_all_scans(data: bytes, header: Header) -> bool:
    """Whether each coefficient of each component has its last bit in some scan."""
    missing = dict.fromkeys(header.components, COEFFICIENTS)
    for scan in scans(data):
        first, last, bits = data[scan.end - 3 : scan.end]
        for component in _components(data, scan):
            if bits & 15 == 0:
                missing[component] = missing.get(component, COEFFICIENTS).difference(range(first, last + 1))
    return not any(missing.values())


def _components(data: bytes, scan: Segment) -> bytes:
    """The ids of a scan's components."""
    return data[scan.begin + 5 : scan.end - 3 : 2]


def plain(data: bytes, header: Header, spared: int) -> bytes:
    """The same pixels without what libjpeg may warn of and what does no harm.

    That is: comments, application data, stray bytes between segments, and padding with zeros before a restart or the
    end. (Padding with 0xff is none of its concern: the standard allows it.) The pixels themselves may end in a zero:
    so a single one before a restart is left, and `spared` ones before the end.
    """
    found = list(segments(data))
    before = takewhile(lambda segment: segment.end <= header.scan.end, found)
    parts = [data[s.begin : s.end] for s in before if s.marker != COMMENT and s.marker not in APPLICATION]
    *intervals, last = RESTART.split(data[header.scan.end : data.find(END, found[-1].end)])
    for interval in intervals:
        without = _without_zeros(interval, 0)
        parts.append(interval if len(interval) - len(without) < 2 else without)
    return START + b"".join(parts) + _without_zeros(last, spared) + END


def _without_zeros(pixels: bytes, spared: int) -> bytes:
    """Without the zeros at the end, but for so many, and for the one that belongs to a 0xff before it."""
    stripped = pixels.rstrip(b"\0")
    return pixels[: len(stripped) + stripped.endswith(b"\xff") + spared]
