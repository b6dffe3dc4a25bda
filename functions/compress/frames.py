"""Sound and film that have no magic: two frames in a row tell them from text and numbers.

The beginning of a frame is eleven or twelve bits. Its header says how long the frame is, so the next header is
looked for exactly there.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

# ISO 11172-3 and 13818-3, layer III, in kbit/s by the header's index; 0 and 15 are not allowed. MPEG 2 has the same
# for layer II.
_KBITS_MPEG1: Final = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0)
_KBITS_MPEG2: Final = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0)
_KBITS_LAYER2: Final = (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 0)  # of MPEG 1
_LAYER2, _LAYER3 = 2, 1
_HERTZ: Final = (44_100, 48_000, 32_000, 0)
_MPEG1: Final = 3
_DIVISORS: Final = {0: 4, 2: 2, _MPEG1: 1}  # MPEG 2.5, 2 and 1
_PACKET_BYTES: Final = 188
_TIME_BYTES: Final = 4  # before each packet in the files of camcorders and Blu-ray discs
_PARITY_BYTES: Final = 16  # behind each packet as it is broadcast (ETSI EN 300 429)
_PACKETS: Final = 4
# ATSC A/52, table 5.18: kbit/s by the header's index, and 16-bit words for each of them at 48, 44.1 and 32 kHz.
_KBITS_AC3: Final = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)
_AC3_HERTZ: Final = (48_000, 44_100, 32_000)
_AC3_VERSIONS, _EAC3_VERSIONS = range(11), range(11, 17)


def is_mp3(head: bytes) -> bool:
    """Whether two frames of MPEG layer III follow each other, or the input is one frame."""
    return _is_layer(head, _LAYER3)


def is_mp2(head: bytes) -> bool:
    """Whether two frames of MPEG layer II follow each other, or the input is one frame."""
    return _is_layer(head, _LAYER2)


def _is_layer(head: bytes, layer: int) -> bool:
    return _are_frames(head, partial(_layer_frame_bytes, layer=layer))


def _are_frames(head: bytes, frame_bytes: Callable[[bytes], int]) -> bool:
    """Whether a frame ends where another begins or the input ends; `frame_bytes` gives a frame's length, 0 for none."""
    first = frame_bytes(head)
    if first == 0 or len(head) < first:
        return False
    return len(head) == first or frame_bytes(head[first:]) > 0


def _layer_frame_bytes(head: bytes, layer: int) -> int:
    """The length of the frame that begins here, or 0."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0 or head[1] >> 1 & 3 != layer:
        return 0
    version = head[1] >> 3 & 3
    index, rate = head[2] >> 4, _HERTZ[head[2] >> 2 & 3]
    kbits_of = _KBITS_MPEG2 if version != _MPEG1 else _KBITS_LAYER2 if layer == _LAYER2 else _KBITS_MPEG1
    if version not in _DIVISORS or not kbits_of[index] or not rate:
        return 0
    samples_by_eight = 72 if layer == _LAYER3 and version != _MPEG1 else 144
    return samples_by_eight * kbits_of[index] * 1000 * _DIVISORS[version] // rate + (head[2] >> 1 & 1)


def is_ac3(head: bytes) -> bool:
    """Whether two frames of AC-3 or E-AC-3 follow each other (ATSC A/52, 5.3 and E.1.2), or the input is one frame."""
    return _are_frames(head, _ac3_frame_bytes)


def _ac3_frame_bytes(head: bytes) -> int:
    if len(head) < 6 or not head.startswith(b"\x0b\x77"):
        return 0
    rate, index, version = head[4] >> 6, head[4] & 0x3F, head[5] >> 3
    if version in _EAC3_VERSIONS:
        return 2 * ((head[2] & 7) << 8 | head[3]) + 2
    if version not in _AC3_VERSIONS or rate >= len(_AC3_HERTZ) or index // 2 >= len(_KBITS_AC3):
        return 0
    odd = index & 1 if _AC3_HERTZ[rate] == 44_100 else 0
    return 2 * (_KBITS_AC3[index // 2] * 96_000 // _AC3_HERTZ[rate] + odd)


def is_adts(head: bytes) -> bool:
    """Whether two frames of AAC follow each other (ISO 13818-7, 6.2), or the input is one frame."""
    return _are_frames(head, _adts_frame_bytes)


def _adts_frame_bytes(head: bytes) -> int:
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:  # the sync, and layer 0
        return 0
    rate_index = head[2] >> 2 & 15
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return length if length >= 7 and rate_index < 13 else 0


def is_loas(head: bytes) -> bool:
    """Whether two frames of AAC in LATM follow each other (ISO 14496-3, 1.7.2), or the input is one frame."""
    return _are_frames(head, _loas_frame_bytes)


def _loas_frame_bytes(head: bytes) -> int:
    if len(head) < 3 or head[0] != 0x56 or head[1] & 0xE0 != 0xE0:
        return 0
    length = (head[1] & 0x1F) << 8 | head[2]
    return 3 + length if length else 0


def is_mpeg(head: bytes) -> bool:
    """Whether a pack or a sequence of MPEG begins here, with the bits that are fixed in its header.

    A pack: ISO 11172-1, 2.4.3.2 and ISO 13818-1, 2.5.3.3. A sequence: ISO 11172-2 and 13818-2, 6.2.2.1.
    """
    if len(head) < 14 or not head.startswith((b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3")):
        return False
    if head[3] == 0xBA:
        is_first = head[4] & 0xF1 == 0x21 and head[6] & head[8] & 1 and head[9] & 0x80 and head[11] & 1
        is_second = head[4] & 0xC4 == 0x44 and head[6] & head[8] & 4 and head[9] & 1 and head[12] & 3 == 3
        return bool(is_first or is_second)
    width, height = head[4] << 4 | head[5] >> 4, (head[5] & 15) << 8 | head[6]
    shape, rate = head[7] >> 4, head[7] & 15
    return bool(width and height and shape in range(1, 15) and rate in range(1, 9) and head[10] & 0x20)


def is_transport_stream(head: bytes) -> bool:
    """Whether four packets of MPEG-TS follow each other (ISO 13818-1, 2.4.3).

    A time may stand before each, or parity behind it. The sync byte is the letter G. So each packet also must have
    one of the three ways to carry something, and the first bytes must not all be printable.
    """
    return any(_are_packets(head, *extra) for extra in ((0, 0), (_TIME_BYTES, 0), (0, _PARITY_BYTES)))


def _are_packets(head: bytes, before: int, behind: int) -> bool:
    size = before + _PACKET_BYTES + behind
    end = size * _PACKETS
    if len(head) < end or head[:end].isascii():
        return False
    starts = range(before, end, size)
    return all(head[at] == 0x47 and not head[at + 1] & 0x80 and head[at + 3] & 0x30 for at in starts)
