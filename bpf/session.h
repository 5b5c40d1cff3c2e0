/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Which devices are watched, which packets of a session are copied, and the counts of the others. */
#pragma once
#include "parse.h"

#define GRACE 4			/* packets copied after a FIN or RST: they show whether it was accepted */
#define ACK_AHEAD (32 << 10)	/* bytes after the start of a stream where an acknowledgement still matters */
#define MAX_UNTOLD (1ULL << 22)	/* packets: reported before their 24 bits overflow */
#define MAX_GAP (1 << 24)	/* bytes: a number further ahead is not a gap but another stream */

#define VOLUME(packets, bytes) ((__u64)(packets) << 40 | (bytes))

/* Whether user space dissects every datagram on this port, from any device. */
static __always_inline bool discovery_port(__u16 port)
{
	switch (port) {
	case 53:			/* DNS */
	case 67: case 68:		/* DHCP */
	case 137: case 138:		/* NetBIOS */
	case 427:			/* SLP */
	case 546: case 547:		/* DHCPv6 */
	case 1900:			/* SSDP */
	case 3702:			/* WS-Discovery */
	case 5353:			/* mDNS */
	case 5355:			/* LLMNR */
	case 5678:			/* MNDP */
	case 6666: case 6667:		/* Tuya */
	case 10001:			/* Ubiquiti */
	case 34569:			/* XMEye */
	case 37020:			/* SADP */
	case 37810:			/* DHIP */
		return true;
	}
	return false;
}

static __always_inline bool discovery(struct packet *p)
{
	return p->proto == PROTO_UDP ? discovery_port(p->dport) || discovery_port(p->sport) : p->neighbour;
}

static __always_inline bool watched4(__u64 addr)
{
	struct prefix4 k = {.bits = 32, .addr = addr >> 32};
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
	k.addr = addr;
#endif
	return bpf_map_lookup_elem(&watch4, &k);
}

static __always_inline bool watched6(__u64 *addr)
{
	struct prefix6 k = {.bits = 128};
	__builtin_memcpy(k.addr, addr, 16);
	return bpf_map_lookup_elem(&watch6, &k);
}

/* Looks up both endpoints in the watch list. */
__noinline bool ask(struct packet *p)
{
	if (!p)
		return true;
	if (p->v6) {
		if (watch_prefixes6 && (watched6(p->src) || watched6(p->dst)))
			return true;
	} else if (watch_prefixes4 && (watched4(p->src[1]) || watched4(p->dst[1]))) {
		return true;
	}
	return watch_macs && (bpf_map_lookup_elem(&watch_mac, &p->smac) || bpf_map_lookup_elem(&watch_mac, &p->dmac));
}

/* Whether the device at either endpoint is watched. */
static __always_inline bool watched(struct packet *p)
{
	if (watch_all)
		return true;
	__u64 smac = 0, dmac = 0;
	if (watch_macs) {
		smac = p->smac;
		dmac = p->dmac;
	}
	/* Multipliers without a pattern: fractional parts of square roots. */
	__u64 h = (p->src[0] ^ smac) * 0x6a09e667f3bcc909 + (p->src[1] ^ p->v6) * 0xbb67ae8584caa73b +
		  (p->dst[0] ^ dmac) * 0x3c6ef372fe94f82b + p->dst[1] * 0xa54ff53a5f1d36f1;
	__u32 slot = h >> (64 - ANSWER_BITS), tag = generation << 1 | p->v6;
	struct answer *a = bpf_map_lookup_elem(&answers, &slot);
	if (!a)
		return ask(p);
	if (a->tag == tag && a->src[1] == p->src[1] && a->dst[1] == p->dst[1] && a->src[0] == p->src[0] &&
	    a->dst[0] == p->dst[0] && a->smac == smac && a->dmac == dmac)
		return a->watched;
	a->src[0] = p->src[0];
	a->src[1] = p->src[1];
	a->dst[0] = p->dst[0];
	a->dst[1] = p->dst[1];
	a->smac = smac;
	a->dmac = dmac;
	a->watched = ask(p);
	a->tag = tag;
	return a->watched;
}

/* Sets the key of the session of a packet, and returns which endpoint sent it: 0 for lo. */
static __always_inline __u32 key_of(struct packet *p, struct session_key *k)
{
	__u64 a = bpf_be64_to_cpu(p->src[1]), b = bpf_be64_to_cpu(p->dst[1]);
	bool lo = a < b || (a == b && p->sport <= p->dport);
	if (p->src[0] != p->dst[0])
		lo = bpf_be64_to_cpu(p->src[0]) < bpf_be64_to_cpu(p->dst[0]);
	k->lo[0] = lo ? p->src[0] : p->dst[0];
	k->lo[1] = lo ? p->src[1] : p->dst[1];
	k->hi[0] = lo ? p->dst[0] : p->src[0];
	k->hi[1] = lo ? p->dst[1] : p->src[1];
	k->lo_port = lo ? p->sport : p->dport;
	k->hi_port = lo ? p->dport : p->sport;
	k->proto = p->proto;
	k->v6 = p->v6;
	k->zero = 0;
	return !lo;
}

static __always_inline void count_event(__u32 event, __u64 n)
{
	__u64 *v = bpf_map_lookup_elem(&events, &event);
	if (v) /* a packet may come while the same processor sweeps */
		__sync_fetch_and_add(v, n);
}

/* Reports the counts of a session through the ring buffer. If it is full, they stay. */
static __always_inline bool tell(const struct session_key *k, struct session *s)
{
	struct counts *c = bpf_ringbuf_reserve(&ring, sizeof(*c), 0);
	if (!c)
		return false;
	__u64 v0 = __sync_lock_test_and_set(&s->volume[0], 0), v1 = __sync_lock_test_and_set(&s->volume[1], 0);
	c->kind = RECORD_COUNTS;
	c->gap = __sync_lock_test_and_set(&s->gap, 0);
	c->key = *k;
	c->packets[0] = v0 >> 40;
	c->packets[1] = v1 >> 40;
	c->ip_bytes[0] = v0 & (VOLUME(1, 0) - 1);
	c->ip_bytes[1] = v1 & (VOLUME(1, 0) - 1);
	c->payload_bytes[0] = __sync_lock_test_and_set(&s->payload_bytes[0], 0);
	c->payload_bytes[1] = __sync_lock_test_and_set(&s->payload_bytes[1], 0);
	c->last = s->last;
	c->end[0] = s->known[0] & KNOWN_END ? s->end[0] : 0;
	c->end[1] = s->known[1] & KNOWN_END ? s->end[1] : 0;
	bpf_ringbuf_submit(c, 0);
	count_event(EVENT_TOLD, (v0 >> 40) + (v1 >> 40));
	return true;
}

static __always_inline bool untold(struct session *s)
{
	return s->volume[0] | s->volume[1];
}

/* Copies the session again from its start. Its counts do not change. */
static __always_inline void restart(struct session *s)
{
	s->copied[0] = s->copied[1] = 0;
	s->acks[0] = s->acks[1] = 0;
	s->known[0] = s->known[1] = 0;
	s->grace = s->opened = s->ended = 0;
}

/*
 * Follows the sequence numbers of one direction, like session.trackTCP in user space. It returns the number of bytes that the packet
 * acknowledges and that were never seen.
 */
static __always_inline __u32 track(struct session *s, struct packet *p, __u32 side)
{
	__u32 other = !side, end = p->seq + p->payload + (p->flags & (SYN | FIN) ? 1 : 0);
	if (p->flags & RST)
		return 0;
	if (!(s->known[side] & KNOWN_BASE))
		s->base[side] = p->seq + (p->flags & SYN ? 1 : 0);
	if (!(s->known[side] & KNOWN_END) || (__s32)(end - s->end[side]) > 0)
		s->end[side] = end;
	s->known[side] = KNOWN_BASE | KNOWN_END;
	if (!(p->flags & ACK))
		return 0;
	if ((p->flags & SYN) && !s->opened) {
		s->opened = 1;
		if (!s->known[other]) { /* where its stream begins, whatever may claim to be a part of it */
			s->known[other] = KNOWN_BASE;
			s->base[other] = p->ack;
		}
	}
	if (!(s->known[other] & KNOWN_END))
		return 0;
	__s32 gap = p->ack - s->end[other];
	if (gap <= 0 || gap >= MAX_GAP)
		return 0;
	s->end[other] = p->ack;
	return gap;
}

/*
 * Stores a SYN or SYN-ACK, or returns true if the other endpoint has confirmed it: then base is the number of the first byte of its stream.
 * The stored packet is deleted, so that it counts once.
 */
__noinline bool agreed(struct session_key *k, __u32 number, __u32 side, __u32 first, __u32 *base)
{
	if (!k || !base)
		return false;
	struct opening o = {.session = *k, .number = number, .sender = !side};
	__u32 *other = bpf_map_lookup_elem(&openings, &o);
	if (other) {
		*base = *other;
		if (!bpf_map_delete_elem(&openings, &o))
			count_event(EVENT_AGREED, 1);
		return true;
	}
	o.sender = side;
	if (!bpf_map_update_elem(&openings, &o, &first, BPF_NOEXIST))
		count_event(EVENT_OPENING, 1);
	else
		bpf_map_update_elem(&openings, &o, &first, BPF_EXIST);
	return false;
}

/*
 * Whether a SYN or SYN-ACK within a session completes the handshake of another one: both have been seen, in either order, and their numbers
 * are not those of the session. One alone may be forged (RFC 5961 section 4). A SYN with the number of the session may come from a stack
 * that always starts with the same number: the SYN-ACK decides. Like session.opening in user space.
 */
static __always_inline bool reopens(struct session_key *k, struct session *s, struct packet *p, __u32 side)
{
	__u32 first = p->seq + 1, base = 0;
	if (p->flags & ACK) {
		if (first == s->base[side] && p->ack == s->base[!side])
			return false; /* repeated */
		if (!agreed(k, p->ack, side, first, &base))
			return false;
		restart(s); /* track takes both numbers from the SYN-ACK */
		return true;
	}
	/* With data in the SYN (RFC 7413) the answer may acknowledge the data or not. */
	if (!agreed(k, first, side, first, &base) && (!p->payload || !agreed(k, first + p->payload, side, first, &base)))
		return false;
	restart(s);
	s->opened = 1;
	s->known[!side] = KNOWN_BASE;
	s->base[!side] = base;
	return true;
}

/*
 * Whether a segment matters for reading the start of both streams: payload in the first head_bytes, in any order, and acknowledgements
 * that show a gap there. Sequence numbers wrap, so a few packets of a long stream are copied again
 * after every 4 GiB.
 */
static __always_inline bool of_beginning(struct session *s, struct packet *p, __u32 side)
{
	if (p->payload) {
		if (s->copied[side] < head_segments) {
			s->copied[side]++;
			return true;
		}
		__u32 early = head_bytes + p->payload; /* it may begin before base: the first that was seen need not be the first */
		return p->seq + early - s->base[side] < head_bytes + early;
	}
	__u32 other = !side;
	if (!(s->known[other] & KNOWN_BASE)) {
		if (s->acks[side] >= head_segments || s->acks[side] == 255)
			return false;
		s->acks[side]++;
		return true;
	}
	return p->ack + head_bytes - s->base[other] < 2 * head_bytes + ACK_AHEAD;
}

/* SCTP chunks that neither open nor close an association: DATA, SACK, HEARTBEAT and its answer (RFC 9260 section 3.2). */
static __always_inline bool sctp_transfer(__u8 chunk)
{
	return chunk == 0 || (chunk >= 3 && chunk <= 5);
}

/* Why a packet of a session with an entry is copied, or REASON_SHUNTED. */
static __always_inline __u32 policy(struct session_key *k, struct session *s, struct packet *p, __u32 side, __u32 *gap)
{
	side &= 1;
	if (p->proto == PROTO_TCP) {
		if ((p->flags & (SYN | RST)) == SYN) {
			if (!s->opened || s->ended)
				restart(s);
			else if (!reopens(k, s, p, side))
				return REASON_EDGE; /* it may be forged: its numbers mean nothing, as in user space */
		}
		*gap = track(s, p, side);
		if (p->flags & (SYN | FIN | RST)) {
			if (p->flags & (FIN | RST)) {
				s->grace = GRACE;
				s->ended = 1;
			}
			return REASON_EDGE;
		}
		if (of_beginning(s, p, side))
			return REASON_HEAD;
		if (s->grace) {
			s->grace--;
			return REASON_EDGE;
		}
	} else {
		if (p->proto == PROTO_SCTP && !sctp_transfer(p->chunk))
			return REASON_EDGE;
		if (s->copied[side] < head_datagrams) {
			s->copied[side]++;
			return REASON_HEAD;
		}
	}
	if (full_sessions && bpf_map_lookup_elem(&full_copy, k))
		return REASON_FULL;
	return REASON_SHUNTED;
}

/*
 * A packet that opens or ends a session is copied without an entry, so that a flood of them does not evict active sessions. A SYN-ACK
 * creates an entry, because it has the start of both streams.
 */
static __always_inline bool needs_no_entry(struct packet *p)
{
	return p->proto == PROTO_TCP && p->flags & (SYN | FIN | RST) && (p->flags & (SYN | ACK)) != (SYN | ACK);
}

/* Adds an entry for a session. Another processor may add it at the same time. */
static __always_inline struct session *add(struct session_key *k)
{
	struct session fresh = {};
	bpf_map_update_elem(&sessions, k, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&sessions, k);
}

/* The session of a packet, and what to do with it. */
struct decision {
	struct packet packet;
	struct session_key key;
	struct session *session; /* NULL if it has none, or if it was not looked up */
	__u32 side, gap;
	__u32 reason;
};

/* Decides what to do with a packet for which the parser returned v. */
static __always_inline void decide(CTX *ctx, struct decision *d, int v)
{
	struct packet *p = &d->packet;
	d->reason = v;
	if (v != FLOW)
		return;
	d->reason = REASON_DISCOVERY;
	if (discovery(p))
		return;
	d->reason = REASON_UNWATCHED;
	if (!watched(p))
		return;
	d->reason = REASON_FULL;
	if (!shunt)
		return;
	d->side = key_of(p, &d->key);
	struct session *s = bpf_map_lookup_elem(&sessions, &d->key);
	if (!s) {
		d->reason = REASON_EDGE;
		if (needs_no_entry(p))
			return;
		d->reason = REASON_NO_ROOM;
		s = add(&d->key);
		if (!s)
			return;
	}
	__u64 now = bpf_ktime_get_coarse_ns(); /* a fifth of the price of a time to the nanosecond */
	if (now - s->seen > idle)
		restart(s);
	s->seen = now;
	d->session = s;
	d->reason = policy(&d->key, s, p, d->side, &d->gap);
}

/* Reports the counts of the session of a packet that will be copied, so that user space gets them before the packet. */
static __always_inline void tell_before(struct decision *d)
{
	if (d->session && untold(d->session))
		tell(&d->key, d->session);
}

/* Counts a packet that is not copied. */
static __always_inline void keep_count(struct decision *d)
{
	struct session *s = d->session;
	struct packet *p = &d->packet;
	__u32 side = d->side & 1;
	if (!s)
		return;
	__sync_fetch_and_add(&s->volume[side], VOLUME(1, p->ip_bytes));
	if (p->payload)
		__sync_fetch_and_add(&s->payload_bytes[side], p->payload);
	if (d->gap)
		__sync_fetch_and_add(&s->gap, d->gap);
	s->last = s->seen;
	if (s->volume[side] >> 40 >= MAX_UNTOLD)
		tell(&d->key, s);
}

static __always_inline void count(__u32 reason, __u32 wire)
{
	struct counter *c = bpf_map_lookup_elem(&reasons, &reason);
	if (c) {
		c->packets++;
		c->bytes += wire;
	}
}

struct walk {
	__u64 room; /* bytes of the ring buffer that counts may fill; the rest is for packets that arrive meanwhile */
	bool more;
};

static long tell_if_untold(void *map, const struct session_key *k, struct session *s, struct walk *w)
{
	if (!untold(s))
		return 0;
	w->more = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) > w->room || !tell(k, s);
	return w->more;
}

static long one(void *map, const struct opening *k, __u32 *first, void *none)
{
	return 0;
}

/*
 * Run by user space at each tick: reports the counts of all sessions, and counts the openings. It returns 1 if the ring buffer had no room for all: user space then
 * reads the ring buffer and runs it again.
 */
SEC("syscall")
int sweep(void *ctx)
{
	struct walk w = {.room = bpf_ringbuf_query(&ring, BPF_RB_RING_SIZE) / 2};
	bpf_for_each_map_elem(&sessions, tell_if_untold, &w, 0);
	waiting = bpf_for_each_map_elem(&openings, one, NULL, 0);
	return w.more;
}
