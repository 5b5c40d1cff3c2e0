/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the programs and user space say to each other. bpf2go makes the Go side of it; layout_test.go holds them together. */
#pragma once
#include <linux/types.h>

/* The way a packet leaves the program: each adds to exactly one counter. */
enum reason {
	REASON_UNWATCHED,	/* touches no watched device: counted and let go */
	REASON_SHUNTED,		/* of a session whose beginning was copied: counted there and let go */
	REASON_EDGE,		/* copied: SYN, FIN or RST, or an opening or ending of SCTP */
	REASON_HEAD,		/* copied: of the beginning of a session, or of one direction of it */
	REASON_DISCOVERY,	/* copied: a protocol that tells what a device is */
	REASON_FRAGMENT,	/* copied: part of an IP datagram */
	REASON_FULL,		/* copied: user space asked for the whole session */
	REASON_NO_IP,		/* copied: ARP, LLDP and whatever else has no IP inside */
	REASON_SHORT,		/* copied in doubt: a header lies beyond what is there, or beyond the first buffer of the frame */
	REASON_MALFORMED,	/* copied in doubt: a header contradicts itself or the length of the frame */
	REASON_TUNNEL,		/* copied in doubt: an encapsulation that is not taken off here */
	REASON_NESTING,		/* copied in doubt: more layers than are followed */
	REASON_NO_ROOM,		/* copied: the session table did not take the session */
	REASON_RING_FULL,	/* lost: the ring buffer was full */
	NUM_REASONS,
};

/* What else is counted: not per packet that leaves. */
enum event {
	EVENT_TOLD,		/* packets in the session counts that were put into the ring buffer */
	EVENT_LOST_COUNTED,	/* packets of REASON_RING_FULL that stand in the counts of their session */
	NUM_EVENTS,
};

/* What a record in the ring buffer is: its first word. */
enum record {
	RECORD_FRAME = 1,	/* struct frame, then the bytes of the frame */
	RECORD_COUNTS = 2,	/* struct counts */
};

struct counter {
	__u64 packets;
	__u64 bytes;	/* of the frames, on the wire */
};

struct frame {
	enum record kind;	/* RECORD_FRAME */
	enum reason reason;
	__u64 time;	/* CLOCK_MONOTONIC, ns */
	__u32 wire;	/* length of the frame */
	__u32 captured;	/* bytes of it that follow */
};

/*
 * A session, whatever its direction: lo is the end that sorts first by address, then by port. Addresses are in network
 * order, IPv4 as IPv4-mapped; ports in host order, 0 without ports; for ICMP what Community ID takes for them.
 */
struct session_key {
	__u64 lo[2];
	__u64 hi[2];
	__u16 lo_port;
	__u16 hi_port;
	__u8 proto;
	__u8 v6;
	__u16 zero;
};

/* The packets of a session that were counted and not copied since its last counts. Index 0: sent by lo. */
struct counts {
	enum record kind;	/* RECORD_COUNTS */
	__u32 gap;	/* TCP: bytes that these packets acknowledge and that were never seen */
	struct session_key key;
	__u64 packets[2];
	__u64 ip_bytes[2];
	__u64 payload_bytes[2];
	__u64 last;	/* time of the last of them, CLOCK_MONOTONIC_COARSE, ns: up to a tick of the kernel early */
	__u32 end[2];	/* TCP: sequence number after the highest that was seen, copied packets too; 0 if none was */
};

enum { KNOWN_BASE = 1, KNOWN_END = 2 };

/*
 * The kernel's state of a session. Counts are taken by exchange with 0, so that none is lost or told twice; what is not
 * counted may be written by two processors at once, which at worst copies a few packets more.
 */
struct session {
	__u64 volume[2];	/* not told: packets << 40 | IP bytes */
	__u64 payload_bytes[2];	/* not told: bytes */
	__u64 last;		/* time of the last packet that was not copied, CLOCK_MONOTONIC_COARSE, ns */
	__u64 seen;		/* time of the last packet */
	__u32 base[2];		/* TCP: sequence number of the first byte */
	__u32 end[2];		/* TCP: sequence number after the highest seen */
	__u32 gap;		/* not told */
	__u16 copied[2];	/* packets of the beginning that were copied; TCP: those with payload */
	__u8 acks[2];		/* TCP: packets without payload that were copied while nothing was seen of the other side */
	__u8 known[2];		/* TCP: KNOWN_BASE, KNOWN_END */
	__u8 grace;		/* packets to be copied after a FIN or RST */
	__u8 opened;		/* TCP: a SYN-ACK was seen, so base is what it says */
	__u8 ended;		/* TCP: a FIN or RST was seen */
	__u8 zero;
};

/*
 * A SYN or SYN-ACK that came amid a session and may open another one: it is believed when the other end agrees. A SYN and the SYN-ACK
 * that answers it have the same number.
 */
struct opening {
	struct session_key session;
	__u32 number;	/* SYN-ACK: its acknowledgement; SYN: the one that is expected */
	__u32 sender;	/* 0 for lo */
};

/* What the watch list said of two ends: the answer to the same question is most often the same. */
struct answer {
	__u64 src[2], dst[2];
	__u64 smac, dmac;	/* 0 as long as no MAC is watched */
	__u32 tag;		/* generation of the watch list, and in the last bit whether the packet is IPv6 */
	__u32 watched;
};

/* What stands in the ring buffer. */
union ring_record {
	enum record kind;
	struct frame frame;
	struct counts counts;
};

struct prefix4 {
	__u32 bits;
	__u32 addr;	/* network order */
};

struct prefix6 {
	__u32 bits;
	__u8 addr[16];
};
