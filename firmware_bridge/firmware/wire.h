/* The numbers of docs/wire.md: message types, results, flags and limits. Nothing here is a choice of this firmware. */
#ifndef EB_WIRE_H
#define EB_WIRE_H

#define EB_VERSION 1u  /* of the packets */
#define EB_PROTOCOL 1u /* of the messages */

#define EB_HEADER_BYTES 8u
#define EB_CRC_BYTES 4u
#define EB_MAX_PACKET 2048u /* header, payload and CRC */
#define EB_MAX_ENCODED (EB_MAX_PACKET + EB_MAX_PACKET / 254u + 1u)
#define EB_MAX_WIRE (EB_MAX_ENCODED + 1u) /* with its zero byte */
#define EB_FLAG_RELIABLE 0x01u

#define EB_AXES 3u
#define EB_MAX_BLOCK_SAMPLES 333u
#define EB_MAX_OUTPUTS 8u
#define EB_MAX_WAITING 16u  /* rejects that have not fired */
#define EB_MAX_ANSWERED 64u /* cmd_ids that are remembered */
#define EB_MIN_LEASE_MS 50u
#define EB_MAX_LEASE_MS 10000u
#define EB_EDGE_AGAIN_MS 5u
#define EB_STATUS_MS 1000u

enum eb_type {
    EB_HELLO = 1,
    EB_CONFIG = 2,
    EB_CONFIG_ACK = 3,
    EB_PING = 4,
    EB_PONG = 5,
    EB_ARM = 6,
    EB_HEARTBEAT = 7,
    EB_REJECT = 8,
    EB_REJECT_ACK = 9,
    EB_REJECT_DONE = 10,
    EB_CANCEL = 11,
    EB_BLOCK = 12,
    EB_EDGE = 13,
    EB_STATUS = 14,
    EB_LOG = 15,
    EB_ACK = 16,
    EB_NAK = 17
};

/* Payloads in bytes; BLOCK and LOG without their tail. */
#define EB_HELLO_BYTES 45u
#define EB_CONFIG_BYTES 20u
#define EB_CONFIG_ACK_BYTES 11u
#define EB_PING_BYTES 8u
#define EB_PONG_BYTES 24u
#define EB_ARM_BYTES 0u
#define EB_HEARTBEAT_BYTES 2u
#define EB_REJECT_BYTES 21u
#define EB_REJECT_ACK_BYTES 5u
#define EB_REJECT_DONE_BYTES 12u
#define EB_CANCEL_BYTES 4u
#define EB_BLOCK_BYTES 29u
#define EB_EDGE_BYTES 15u
#define EB_STATUS_BYTES 36u
#define EB_LOG_BYTES 1u
#define EB_MAX_LOG_BYTES 200u
#define EB_ACK_BYTES 2u

enum eb_config_result {
    EB_CONFIG_OK = 0,
    EB_BAD_RATE = 1,
    EB_BAD_RANGE = 2,
    EB_BAD_BLOCK = 3,
    EB_BAD_INPUT = 4,
    EB_BAD_LEVELS = 5, /* BAD_OUTPUT of CONFIG */
    EB_BAD_LEASE = 6
};

enum eb_reject_result {
    EB_ACCEPTED = 0,
    EB_LATE = 1,
    EB_DUP = 2,
    EB_FULL = 3,
    EB_SAFE = 4,
    EB_CANCELLED = 5,
    EB_UNKNOWN = 6,
    EB_BAD_OUTPUT = 7
};

#define EB_BLOCK_OVERRUN 0x01u
#define EB_BLOCK_SATURATED 0x02u
#define EB_BLOCK_SENSOR_FAULT 0x04u

#define EB_STATUS_CONFIGURED 0x01u
#define EB_STATUS_ARMED 0x02u
#define EB_STATUS_LAPSED 0x04u

#endif
