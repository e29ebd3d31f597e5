/* Framing after Cheshire and Baker, "Consistent Overhead Byte Stuffing", IEEE/ACM Transactions on Networking 7 (2), 1999;
 * the CRC is the one of IEEE 802.3, by nibbles: sixteen words of table instead of 256. */
#include "codec.h"

#define CRC_START 0xFFFFFFFFu
#define CRC_RESIDUE 0xDEBB20E3u /* the register after any message and its own CRC */
#define FULL_GROUP 0xFFu        /* the code of 254 bytes behind which no zero stands */

static uint32_t crc_put(uint32_t crc, uint8_t byte)
{
    static const uint32_t table[16] = {
        0x00000000u, 0x1DB71064u, 0x3B6E20C8u, 0x26D930ACu, 0x76DC4190u, 0x6B6B51F4u, 0x4DB26158u, 0x5005713Cu,
        0xEDB88320u, 0xF00F9344u, 0xD6D6A3E8u, 0xCB61B38Cu, 0x9B64C2B0u, 0x86D3D2D4u, 0xA00AE278u, 0xBDBDF21Cu,
    };
    crc ^= byte;
    crc = (crc >> 4) ^ table[crc & 15u];
    return (crc >> 4) ^ table[crc & 15u];
}

static void restart(struct eb_decoder *decoder)
{
    decoder->encoded = 0;
    decoder->length = 0;
    decoder->code = FULL_GROUP; /* no zero stands before the first group */
    decoder->left = 0;
    decoder->crc = CRC_START;
}

void eb_decoder_init(struct eb_decoder *decoder, uint8_t *kept, uint16_t capacity)
{
    decoder->kept = kept;
    decoder->capacity = capacity;
    restart(decoder);
}

static void keep(struct eb_decoder *decoder, uint8_t byte)
{
    if (decoder->length < decoder->capacity)
        decoder->kept[decoder->length] = byte;
    decoder->length++;
    decoder->crc = crc_put(decoder->crc, byte);
}

static enum eb_verdict checked(const struct eb_decoder *decoder, struct eb_packet *packet)
{
    if (decoder->encoded == 0)
        return EB_NOTHING;
    if (decoder->encoded > EB_MAX_ENCODED)
        return EB_OVERSIZE;
    if (decoder->left != 0 || decoder->length < EB_HEADER_BYTES + EB_CRC_BYTES || decoder->length > EB_MAX_PACKET)
        return EB_CORRUPT;
    if (decoder->crc != CRC_RESIDUE)
        return EB_CORRUPT;
    if (decoder->kept[0] != EB_VERSION)
        return EB_FOREIGN;
    packet->type = decoder->kept[1];
    packet->reliable = (decoder->kept[2] & EB_FLAG_RELIABLE) != 0;
    packet->seq = eb_get_u16(decoder->kept + 4);
    packet->length = eb_get_u16(decoder->kept + 6);
    packet->payload = decoder->kept + EB_HEADER_BYTES;
    if (packet->length != decoder->length - EB_HEADER_BYTES - EB_CRC_BYTES)
        return EB_CORRUPT;
    return EB_PACKET;
}

enum eb_verdict eb_decoder_put(struct eb_decoder *decoder, uint8_t byte, struct eb_packet *packet)
{
    if (byte == 0) {
        enum eb_verdict verdict = checked(decoder, packet);
        restart(decoder);
        return verdict;
    }
    if (decoder->encoded > EB_MAX_ENCODED)
        return EB_NOTHING;
    decoder->encoded++;
    if (decoder->left > 0) {
        decoder->left--;
        keep(decoder, byte);
        return EB_NOTHING;
    }
    if (decoder->code != FULL_GROUP)
        keep(decoder, 0);
    decoder->code = byte;
    decoder->left = (uint8_t)(byte - 1u);
    return EB_NOTHING;
}

static void open_group(struct eb_encoder *encoder)
{
    encoder->code_at = encoder->length++;
    encoder->code = 1;
}

static void stuff(struct eb_encoder *encoder, uint8_t byte)
{
    if (encoder->code == FULL_GROUP)
        open_group(encoder);
    if (byte != 0) {
        encoder->wire[encoder->length++] = byte;
        encoder->code++;
    }
    encoder->wire[encoder->code_at] = encoder->code;
    if (byte == 0)
        open_group(encoder);
}

void eb_encoder_begin(struct eb_encoder *encoder, uint8_t *wire, uint8_t type, bool reliable, uint16_t seq,
                      uint16_t length)
{
    uint8_t header[EB_HEADER_BYTES] = {EB_VERSION, type, reliable ? EB_FLAG_RELIABLE : 0, 0};

    encoder->wire = wire;
    encoder->length = 0;
    encoder->crc = CRC_START;
    open_group(encoder);
    eb_put_u16(eb_put_u16(header + 4, seq), length);
    eb_encoder_put(encoder, header, sizeof header);
}

void eb_encoder_put(struct eb_encoder *encoder, const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        encoder->crc = crc_put(encoder->crc, bytes[i]);
        stuff(encoder, bytes[i]);
    }
}

size_t eb_encoder_end(struct eb_encoder *encoder)
{
    uint8_t crc[EB_CRC_BYTES];

    eb_put_u32(crc, ~encoder->crc);
    for (size_t i = 0; i < sizeof crc; i++)
        stuff(encoder, crc[i]);
    encoder->wire[encoder->code_at] = encoder->code;
    encoder->wire[encoder->length++] = 0;
    return encoder->length;
}

uint8_t *eb_put_u16(uint8_t *to, uint16_t value)
{
    to[0] = (uint8_t)value;
    to[1] = (uint8_t)(value >> 8);
    return to + 2;
}

uint8_t *eb_put_u32(uint8_t *to, uint32_t value)
{
    return eb_put_u16(eb_put_u16(to, (uint16_t)value), (uint16_t)(value >> 16));
}

uint8_t *eb_put_u64(uint8_t *to, uint64_t value)
{
    return eb_put_u32(eb_put_u32(to, (uint32_t)value), (uint32_t)(value >> 32));
}

uint16_t eb_get_u16(const uint8_t *from)
{
    return (uint16_t)(from[0] | (from[1] << 8));
}

uint32_t eb_get_u32(const uint8_t *from)
{
    return eb_get_u16(from) | ((uint32_t)eb_get_u16(from + 2) << 16);
}

uint64_t eb_get_u64(const uint8_t *from)
{
    return eb_get_u32(from) | ((uint64_t)eb_get_u32(from + 4) << 32);
}
