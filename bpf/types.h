/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The types that the programs share with user space. layout_test.go checks that the Go types have the same layout. */
#pragma once
#include <linux/types.h>

/* What the program did with a packet. Each packet adds to exactly one counter. */
enum reason {
	REASON_UNWATCHED,	/* of no watched device: only counted here */
	REASON_SHUNTED,		/* of a session whose start was copied: counted in the session */
	REASON_EDGE,		/* copied: SYN, FIN or RST, or start or end of an SCTP association */
	REASON_HEAD,		/* copied: near the start of a session, or of one direction of it */
	REASON_DISCOVERY,	/* copied: a protocol that identifies devices */
	REASON_FRAGMENT,	/* copied: part of an IP datagram */
	REASON_FULL,		/* copied: user space requested a full copy of the session */
	REASON_NO_IP,		/* copied: ARP, LLDP and other frames without IP */
	REASON_SHORT,		/* copied, uncertain: a header exceeds the frame, or its first buffer */
	REASON_MALFORMED,	/* copied, uncertain: a header contradicts itself or the length of the frame */
	REASON_TUNNEL,		/* copied, uncertain: an encapsulation that is not decoded here */
	REASON_NESTING,		/* copied, uncertain: more layers than are parsed */
	REASON_NO_ROOM,		/* copied: the session table had no room */
	REASON_RING_FULL,	/* lost: the ring buffer was full */
	NUM_REASONS,
};

/* Other counters, not one for each packet. */
enum event {
	EVENT_TOLD,		/* packets in session counts that were put into the ring buffer */
	EVENT_LOST_COUNTED,	/* packets of REASON_RING_FULL that are in the counts of their session */
	EVENT_OPENING,		/* entries added to the map openings */
	EVENT_AGREED,		/* entries removed from it, because the other endpoint has confirmed them */
	NUM_EVENTS,
};

/* The type of a record in the ring buffer: its first word. */
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
	__u32 captured;	/* number of its bytes that follow */
};

/*
 * A session, regardless of direction: lo is the endpoint that sorts first by address, then by port. Addresses are in network order,
 * IPv4 as IPv4-mapped. Ports are in host order: 0 for protocols without ports, for ICMP the values that Community ID uses.
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
	__u64 last;	/* time of the last of them, CLOCK_MONOTONIC_COARSE, ns: up to one kernel tick early */
	__u32 end[2];	/* TCP: sequence number after the highest seen, in copied packets too; 0 if none was seen */
};

enum { KNOWN_BASE = 1, KNOWN_END = 2 };

/*
 * The state of a session. Counts are read by an atomic exchange with 0, so that none is lost or reported twice. Two processors may
 * write the other fields at once, which at worst copies a few more packets.
 */
struct session {
	__u64 volume[2];	/* not reported yet: packets << 40 | IP bytes */
	__u64 payload_bytes[2];	/* not reported yet: bytes */
	__u64 last;		/* time of the last packet that was not copied, CLOCK_MONOTONIC_COARSE, ns */
	__u64 seen;		/* time of the last packet */
	__u32 base[2];		/* TCP: sequence number of the first byte */
	__u32 end[2];		/* TCP: sequence number after the highest seen */
	__u32 gap;		/* not reported yet */
	__u16 copied[2];	/* packets copied near the start; TCP: those with payload */
	__u8 acks[2];		/* TCP: packets without payload that were copied while the other direction was not seen */
	__u8 known[2];		/* TCP: KNOWN_BASE, KNOWN_END */
	__u8 grace;		/* packets to be copied after a FIN or RST */
	__u8 opened;		/* TCP: a SYN-ACK was seen, which set base */
	__u8 ended;		/* TCP: a FIN or RST was seen */
	__u8 zero;
};

/*
 * A SYN or SYN-ACK within a session, which may open another one: it counts when the other endpoint confirms it. A SYN and the SYN-ACK that
 * answers it have the same number.
 */
struct opening {
	struct session_key session;
	__u32 number;	/* SYN-ACK: its acknowledgement number; SYN: the expected one */
	__u32 sender;	/* 0 for lo */
};

/* Cached result of the watch list for two endpoints. */
struct answer {
	__u64 src[2], dst[2];
	__u64 smac, dmac;	/* 0 while no MAC is watched */
	__u32 tag;		/* generation of the watch list; last bit: the packet is IPv6 */
	__u32 watched;
};

/* A record in the ring buffer. */
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
