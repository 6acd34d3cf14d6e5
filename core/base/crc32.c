/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crc32.h"

#include <libdeflate.h>

/* SUMSn(x, ...): x plus each of the 2^n sums of the n constants, in the order of the bits that
 * choose them. Adding is exclusive or. */
#define SUMS1(x, a) (x), (x) ^ (a)
#define SUMS2(x, a, b) SUMS1(x, a), SUMS1((x) ^ (b), a)
#define SUMS3(x, a, b, c) SUMS2(x, a, b), SUMS2((x) ^ (c), a, b)
#define SUMS4(x, a, b, c, d) SUMS3(x, a, b, c), SUMS3((x) ^ (d), a, b, c)
#define SUMS5(x, a, b, c, d, e) SUMS4(x, a, b, c, d), SUMS4((x) ^ (e), a, b, c, d)
#define SUMS6(x, a, b, c, d, e, f) SUMS5(x, a, b, c, d, e), SUMS5((x) ^ (f), a, b, c, d, e)
#define SUMS7(x, a, b, c, d, e, f, g) SUMS6(x, a, b, c, d, e, f), SUMS6((x) ^ (g), a, b, c, d, e, f)
#define SUMS8(x, a, b, c, d, e, f, g, h) \
    SUMS7(x, a, b, c, d, e, f, g), SUMS7((x) ^ (h), a, b, c, d, e, f, g)

/*
 * A CRC is linear: that of eight bytes is that of eight zeros plus what each byte adds, which is
 * the sum of what each of its bits adds. The constants of row k are those of the bits of byte k,
 * the lowest first.
 */
static const uint32_t added[8][256] = {
    { SUMS8(0, 0xccaa009e, 0x4225077d, 0x844a0efa, 0xd3e51bb5, 0x7cbb312b, 0xf9766256, 0x299dc2ed,
            0x533b85da) },
    { SUMS8(0, 0xa6770bb4, 0x979f1129, 0xf44f2413, 0x33ef4e67, 0x67de9cce, 0xcfbd399c, 0x440b7579,
            0x8816eaf2) },
    { SUMS8(0, 0xcb5cd3a5, 0x4dc8a10b, 0x9b914216, 0xec53826d, 0x03d6029b, 0x07ac0536, 0x0f580a6c,
            0x1eb014d8) },
    { SUMS8(0, 0x3d6029b0, 0x7ac05360, 0xf580a6c0, 0x30704bc1, 0x60e09782, 0xc1c12f04, 0x58f35849,
            0xb1e6b092) },
    { SUMS8(0, 0xb8bc6765, 0xaa09c88b, 0x8f629757, 0xc5b428ef, 0x5019579f, 0xa032af3e, 0x9b14583d,
            0xed59b63b) },
    { SUMS8(0, 0x01c26a37, 0x0384d46e, 0x0709a8dc, 0x0e1351b8, 0x1c26a370, 0x384d46e0, 0x709a8dc0,
            0xe1351b80) },
    { SUMS8(0, 0x191b3141, 0x32366282, 0x646cc504, 0xc8d98a08, 0x4ac21251, 0x958424a2, 0xf0794f05,
            0x3b83984b) },
    { SUMS8(0, 0x77073096, 0xee0e612c, 0x076dc419, 0x0edb8832, 0x1db71064, 0x3b6e20c8, 0x76dc4190,
            0xedb88320) },
};

enum { EIGHT_ZEROS = 0x6522df69 };

uint32_t crc32_bytes(struct aq_bytes bytes)
{
    return libdeflate_crc32(0, bytes.ptr, bytes.len);
}

uint32_t crc32_eight(const uint8_t bytes[8])
{
    return EIGHT_ZEROS ^ added[0][bytes[0]] ^ added[1][bytes[1]] ^ added[2][bytes[2]] ^
           added[3][bytes[3]] ^ added[4][bytes[4]] ^ added[5][bytes[5]] ^ added[6][bytes[6]] ^
           added[7][bytes[7]];
}
