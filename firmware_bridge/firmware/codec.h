/* Packets are cut and built byte by byte: no allocation, no port, no clock. A packet on the wire is
 * COBS(header | payload | CRC-32) and one zero byte; after damage the next zero byte resynchronises. */
#ifndef EB_CODEC_H
#define EB_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire.h"

struct eb_packet {
    uint8_t type;
    bool reliable;
    uint16_t seq;
    uint16_t length;        /* of the payload [bytes] */
    const uint8_t *payload; /* holds until the next byte is put; as much of it as the decoder keeps */
};

enum eb_verdict {
    EB_NOTHING,  /* no packet ends here */
    EB_PACKET,   /* one is whole and its CRC is right */
    EB_CORRUPT,  /* a bad code, length or CRC */
    EB_OVERSIZE, /* longer than any packet may be */
    EB_FOREIGN   /* whole, of another version */
};

/* Bytes beyond `capacity` are checked but not kept: a receiver of short messages needs no long buffer. */
struct eb_decoder {
    uint8_t *kept;
    uint16_t capacity; /* of `kept` [bytes], EB_HEADER_BYTES or more */
    uint16_t encoded;  /* bytes since the last zero byte, saturating one above EB_MAX_ENCODED */
    uint16_t length;   /* of what they decode to [bytes] */
    uint8_t code;      /* of the group that is being read */
    uint8_t left;      /* bytes that this group still needs */
    uint32_t crc;
};

void eb_decoder_init(struct eb_decoder *decoder, uint8_t *kept, uint16_t capacity);
enum eb_verdict eb_decoder_put(struct eb_decoder *decoder, uint8_t byte, struct eb_packet *packet);

struct eb_encoder {
    uint8_t *wire;
    size_t length;
    size_t code_at; /* where the code of the open group goes */
    uint8_t code;
    uint32_t crc;
};

/* `wire` has room for EB_MAX_WIRE bytes; `length` bytes of payload, at most EB_MAX_PACKET in all, are put in between. */
void eb_encoder_begin(struct eb_encoder *encoder, uint8_t *wire, uint8_t type, bool reliable, uint16_t seq,
                      uint16_t length);
void eb_encoder_put(struct eb_encoder *encoder, const uint8_t *bytes, size_t count);
size_t eb_encoder_end(struct eb_encoder *encoder); /* bytes on the wire, zero byte included */

/* Little endian, whatever the processor. The `put` functions give the place behind what they wrote. */
uint8_t *eb_put_u16(uint8_t *to, uint16_t value);
uint8_t *eb_put_u32(uint8_t *to, uint32_t value);
uint8_t *eb_put_u64(uint8_t *to, uint64_t value);
uint16_t eb_get_u16(const uint8_t *from);
uint32_t eb_get_u32(const uint8_t *from);
uint64_t eb_get_u64(const uint8_t *from);

#endif
