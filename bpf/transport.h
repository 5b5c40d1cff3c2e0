/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The payload of IP. */
#pragma once
#include "packet.h"

static __always_inline int tcp(CTX *ctx, struct packet *p)
{
	__u8 *b = at(ctx, p, p->off, 20);
	if (!b)
		return REASON_SHORT;
	p->sport = be16(b);
	p->dport = be16(b + 2);
	p->seq = be32(b + 4);
	p->ack = be32(b + 8);
	p->flags = b[13];
	__u32 header = (b[12] >> 4) * 4;
	if (header < 20 || header > p->wire)
		return REASON_MALFORMED;
	p->payload = p->wire - header;
	return FLOW;
}

/* The UDP port of a tunnel. VXLAN and Geneve use random source ports, GTP-U and Teredo do not. */
static __always_inline int udp_tunnel(struct packet *p)
{
	switch (p->dport) {
	case 4789: case 8472:
		p->layer = LAYER_VXLAN;
		skip(p, 8);
		return MORE;
	case 2152: case 3544: case 4790: case 6081: case 6635: case 37008: case 48879:
		return REASON_TUNNEL;
	}
	return p->sport == 2152 || p->sport == 3544 ? REASON_TUNNEL : FLOW;
}

static __always_inline int udp(CTX *ctx, struct packet *p)
{
	__u8 *b = at(ctx, p, p->off, 8);
	if (!b)
		return REASON_SHORT;
	p->sport = be16(b);
	p->dport = be16(b + 2);
	__u32 length = be16(b + 4);
	if (!length) /* a segment still to be cut, or a jumbogram */
		length = p->wire;
	if (length < 8 || length > p->wire)
		return REASON_MALFORMED;
	p->payload = length - 8;
	p->wire = length;
	if (p->off + length < p->end)
		p->end = p->off + length;
	return udp_tunnel(p);
}

static __always_inline int sctp(CTX *ctx, struct packet *p)
{
	__u8 *b = at(ctx, p, p->off, 13);
	if (!b)
		return REASON_SHORT;
	p->sport = be16(b);
	p->dport = be16(b + 2);
	p->chunk = b[12];
	p->payload = p->wire - 12;
	return FLOW;
}

/* The type of the answer or the request to an ICMP type (Community ID version 1), -1 if there is none. */
static __always_inline int icmp_pair(__u8 v6, __u8 type)
{
	switch (type | (v6 ? 256 : 0)) {
	case 8: return 0;
	case 0: return 8;
	case 10: return 9;
	case 9: return 10;
	case 13: return 14;
	case 14: return 13;
	case 15: return 16;
	case 16: return 15;
	case 17: return 18;
	case 18: return 17;
	case 256 + 128: return 129;
	case 256 + 129: return 128;
	case 256 + 130: return 131;
	case 256 + 131: return 130;
	case 256 + 133: return 134;
	case 256 + 134: return 133;
	case 256 + 135: return 136;
	case 256 + 136: return 135;
	case 256 + 139: return 140;
	case 256 + 140: return 139;
	case 256 + 144: return 145;
	case 256 + 145: return 144;
	}
	return -1;
}

/* ICMP and ICMPv6: type and answering type, or code, take the place of ports. */
static __always_inline int icmp(CTX *ctx, struct packet *p, bool six)
{
	__u8 *b = at(ctx, p, p->off, 8);
	if (!b)
		return REASON_SHORT;
	int pair = icmp_pair(six, b[0]);
	p->sport = b[0];
	p->dport = pair >= 0 ? pair : b[1];
	p->neighbour = six && b[0] >= 133 && b[0] <= 137;
	p->payload = p->wire - 8;
	return FLOW;
}

/* Protocols other than TCP and UDP. */
__noinline int read_other(CTX *ctx, struct packet *p)
{
	if (!p)
		return REASON_SHORT;
	switch (p->proto) {
	case PROTO_ICMP:
		return icmp(ctx, p, false);
	case PROTO_ICMP6:
		return icmp(ctx, p, true);
	case PROTO_SCTP:
		return sctp(ctx, p);
	case PROTO_IPV4:
		return inner(p, LAYER_IPV4, 0);
	case PROTO_IPV6:
		return inner(p, LAYER_IPV6, 0);
	case PROTO_GRE:
		p->layer = LAYER_GRE;
		return MORE;
	case PROTO_AH: case PROTO_MPLS:
		return REASON_TUNNEL;
	}
	p->payload = p->wire;
	return FLOW;
}

static __always_inline int transport(CTX *ctx, struct packet *p)
{
	if (p->proto == PROTO_TCP)
		return tcp(ctx, p);
	if (p->proto == PROTO_UDP)
		return udp(ctx, p);
	return read_other(ctx, p);
}
