/* The firmware as a program: in virtual time for tests, in real time for a station, and its codec alone.
 *
 *   sim --lockstep [--boot-id N] [--ticks N]            see sim_lockstep.c
 *                   [--step-ticks N]                     the main loop takes so long, a timer interrupt fires meanwhile
 *   sim --pty PATH | --stdio [--boot-id N] [--part-ms N] [--width-ms N]
 *                                                        real time; PATH becomes a link to the new terminal
 *   sim --decode                                        a byte stream in; for each packet or damage: verdict u8 and,
 *                                                        of a packet, type u8, reliable u8, seq u16, length u16, payload
 *   sim --encode                                        these records in, without the verdict; packets out
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

static int decode(void)
{
    static uint8_t kept[EB_MAX_PACKET];
    struct eb_decoder decoder;
    struct eb_packet packet;
    int byte;

    eb_decoder_init(&decoder, kept, sizeof kept);
    while ((byte = getchar()) != EOF) {
        enum eb_verdict verdict = eb_decoder_put(&decoder, (uint8_t)byte, &packet);
        uint8_t head[6];
        if (verdict == EB_NOTHING)
            continue;
        putchar(verdict);
        if (verdict != EB_PACKET)
            continue;
        head[0] = packet.type;
        head[1] = packet.reliable;
        eb_put_u16(eb_put_u16(head + 2, packet.seq), packet.length);
        fwrite(head, 1, sizeof head, stdout);
        fwrite(packet.payload, 1, packet.length, stdout);
    }
    return 0;
}

static int encode(void)
{
    static uint8_t wire[EB_MAX_WIRE];
    static uint8_t payload[EB_MAX_PACKET];
    struct eb_encoder encoder;
    uint8_t head[6];

    while (fread(head, 1, sizeof head, stdin) == sizeof head) {
        uint16_t length = eb_get_u16(head + 4);
        if (length > EB_MAX_PACKET - EB_HEADER_BYTES - EB_CRC_BYTES || fread(payload, 1, length, stdin) != length)
            return 1;
        eb_encoder_begin(&encoder, wire, head[0], head[1] != 0, eb_get_u16(head + 2), length);
        eb_encoder_put(&encoder, payload, length);
        fwrite(wire, 1, eb_encoder_end(&encoder), stdout);
    }
    return 0;
}

static const char *option(int count, char **words, const char *name, const char *otherwise)
{
    for (int i = 1; i + 1 < count; i++)
        if (strcmp(words[i], name) == 0)
            return words[i + 1];
    return otherwise;
}

static uint64_t number(int count, char **words, const char *name, const char *otherwise)
{
    return strtoull(option(count, words, name, otherwise), NULL, 0);
}

int main(int count, char **words)
{
    const char *mode = count > 1 ? words[1] : "";
    uint64_t boot_id = number(count, words, "--boot-id", "1");

    if (strcmp(mode, "--lockstep") == 0)
        return sim_lockstep(boot_id, number(count, words, "--ticks", "0"), number(count, words, "--step-ticks", "0"));
    if (strcmp(mode, "--pty") == 0 || strcmp(mode, "--stdio") == 0)
        return sim_live(option(count, words, "--pty", NULL), boot_id, (uint32_t)number(count, words, "--part-ms", "500"),
                         (uint32_t)number(count, words, "--width-ms", "20"));
    if (strcmp(mode, "--decode") == 0)
        return decode();
    if (strcmp(mode, "--encode") == 0)
        return encode();
    fprintf(stderr, "usage: %s --lockstep | --pty PATH | --stdio | --decode | --encode\n", words[0]);
    return 2;
}
