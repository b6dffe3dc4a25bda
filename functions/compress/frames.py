"""Sound and film that have no magic: two frames in a row tell them from text and numbers.

The beginning of a frame is eleven or twelve bits. Its header says how long the frame is, so the next header is
looked for exactly there.
"""

from typing import Final

# ISO 11172-3 and 13818-3, layer III, in kbit/s by the header's index; 0 and 15 are not allowed.
_KBITS_MPEG1: Final = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0)
_KBITS_MPEG2: Final = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0)
_HERTZ: Final = (44_100, 48_000, 32_000, 0)
_MPEG1: Final = 3
_DIVISORS: Final = {0: 4, 2: 2, _MPEG1: 1}  # MPEG 2.5, 2 and 1
_PACKET_BYTES: Final = 188
_PACKETS: Final = 4


def is_mp3(head: bytes) -> bool:
    """Whether two frames of MPEG layer III follow each other, or the input is one frame."""
    first = _mp3_frame_bytes(head)
    if first == 0 or len(head) < first:
        return False
    return len(head) == first or _mp3_frame_bytes(head[first : first + 4]) > 0


def _mp3_frame_bytes(head: bytes) -> int:
    """The length of the frame that begins here, or 0."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:  # the sync, and layer III
        return 0
    version = head[1] >> 3 & 3
    index, rate = head[2] >> 4, _HERTZ[head[2] >> 2 & 3]
    kbits = (_KBITS_MPEG1 if version == _MPEG1 else _KBITS_MPEG2)[index]
    if version not in _DIVISORS or not kbits or not rate:
        return 0
    samples_by_eight = 144 if version == _MPEG1 else 72
    return samples_by_eight * kbits * 1000 * _DIVISORS[version] // rate + (head[2] >> 1 & 1)


def is_adts(head: bytes) -> bool:
    """Whether two frames of AAC follow each other (ISO 13818-7, 6.2), or the input is one frame."""
    first = _adts_frame_bytes(head)
    if first == 0 or len(head) < first:
        return False
    return len(head) == first or _adts_frame_bytes(head[first : first + 7]) > 0


def _adts_frame_bytes(head: bytes) -> int:
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:  # the sync, and layer 0
        return 0
    rate_index = head[2] >> 2 & 15
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return length if length >= 7 and rate_index < 13 else 0


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

    The sync byte is the letter G. So each packet also must have one of the three ways to carry something, and
    the first bytes must not all be printable.
    """
    starts = range(0, _PACKET_BYTES * _PACKETS, _PACKET_BYTES)
    if len(head) < _PACKET_BYTES * _PACKETS or head[: _PACKET_BYTES * _PACKETS].isascii():
        return False
    return all(head[at] == 0x47 and not head[at + 1] & 0x80 and head[at + 3] & 0x30 for at in starts)
