/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Reads the addresses, ports and lengths of the innermost packet of a frame, with the same results as the Go decoder of the sensor. Frames
 * that cannot be decoded with certainty end with a reason and are copied, because user space decodes more.
 *
 * Each layer is a function that the verifier checks once, for any state of struct packet.
 */
#pragma once
#include "tunnel.h"
#include "transport.h"

/* Sets the length from an IP header. It may exceed the frame only within a tunnel, because a switch may cut the frames that it mirrors. */
static __always_inline bool ip_length(struct packet *p, __u32 total)
{
	if (p->off + total > p->end) {
		if (!p->depth)
			return false;
	} else {
		p->end = p->off + total;
	}
	p->ip_bytes = p->wire = total;
	p->sport = p->dport = p->flags = p->neighbour = 0;
	return true;
}

/* RFC 791 section 3.1. */
static __always_inline int ipv4(CTX *ctx, struct packet *p)
{
	enum { MORE_OR_OFFSET = 0x3fff };
	__u8 *b = at(ctx, p, p->off, 20);
	if (!b)
		return REASON_SHORT;
	__u32 header = (b[0] & 15) * 4, total = be16(b + 2);
	if (!total && !p->first) /* a segment still to be cut by the network card */
		total = p->wire;
	if (b[0] >> 4 != 4 || header < 20 || total < header)
		return REASON_MALFORMED;
	p->src[0] = p->dst[0] = 0;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	p->src[1] = (__u64)*(__u32 *)(b + 12) << 32 | 0xffff0000;
	p->dst[1] = (__u64)*(__u32 *)(b + 16) << 32 | 0xffff0000;
#else
	p->src[1] = *(__u32 *)(b + 12) | 0xffff00000000;
	p->dst[1] = *(__u32 *)(b + 16) | 0xffff00000000;
#endif
	p->proto = b[9];
	p->v6 = 0;
	if (be16(b + 6) & MORE_OR_OFFSET)
		return REASON_FRAGMENT;
	if (p->off + header > p->end)
		return REASON_SHORT;
	if (!ip_length(p, total))
		return REASON_MALFORMED;
	skip(p, header);
	return transport(ctx, p);
}

/* Extension headers (RFC 8200 section 4), then the transport header. */
__noinline int read_extensions(CTX *ctx, struct packet *p)
{
	if (!p)
		return REASON_SHORT;
	for (int i = 0; i < MAX_EXTENSIONS; i++) {
		__u8 proto = p->proto;
		switch (proto) {
		case PROTO_HOPBYHOP: case PROTO_ROUTING: case PROTO_FRAGMENT: case PROTO_AH: case PROTO_DESTINATION:
		case PROTO_MOBILITY: case PROTO_HIP: case PROTO_SHIM6:
			break;
		default:
			return transport(ctx, p);
		}
		__u8 *b = at(ctx, p, p->off, 8);
		if (!b)
			return REASON_SHORT;
		__u32 size = proto == PROTO_AH ? (b[1] + 2) * 4 : proto == PROTO_FRAGMENT ? 8 : (b[1] + 1) * 8;
		if (proto == PROTO_FRAGMENT && be16(b + 2) & 0xfff9) /* else it is atomic (RFC 6946) */
			return REASON_FRAGMENT;
		if (b[0] == PROTO_NONE) /* a message of its own, or nothing: rare */
			return REASON_TUNNEL;
		if (size > p->wire || p->off + size > p->end)
			return REASON_SHORT;
		p->proto = b[0];
		skip(p, size);
	}
	return REASON_NESTING;
}

/* RFC 8200 section 3. */
static __always_inline int ipv6(CTX *ctx, struct packet *p)
{
	__u8 *b = at(ctx, p, p->off, 40);
	if (!b)
		return REASON_SHORT;
	__u32 length = be16(b + 4);
	if (b[0] >> 4 != 6)
		return REASON_MALFORMED;
	p->proto = b[6];
	if (!length && p->proto != PROTO_NONE) { /* a segment still to be cut, or with a jumbo payload option */
		if (p->proto == PROTO_HOPBYHOP || p->first)
			return REASON_MALFORMED;
		length = p->wire < 40 ? 0 : p->wire - 40;
	}
	p->src[0] = *(__u64 *)(b + 8);
	p->src[1] = *(__u64 *)(b + 16);
	p->dst[0] = *(__u64 *)(b + 24);
	p->dst[1] = *(__u64 *)(b + 32);
	p->v6 = 1;
	if (!ip_length(p, 40 + length))
		return REASON_MALFORMED;
	skip(p, 40);
	if (p->proto == PROTO_TCP || p->proto == PROTO_UDP)
		return transport(ctx, p);
	return read_extensions(ctx, p);
}

/* An Ethernet header and the most common next header. */
static __always_inline int ethernet_ip(CTX *ctx, struct packet *p)
{
	int v = ethernet(ctx, p);
	if (v == MORE && p->layer == LAYER_IPV4)
		return ipv4(ctx, p);
	if (v == MORE && p->layer == LAYER_IPV6)
		return ipv6(ctx, p);
	return v;
}

/* One more layer, or several. */
__noinline int read_layer(CTX *ctx, struct packet *p)
{
	if (!p)
		return REASON_SHORT;
	switch (p->layer) {
	case LAYER_VXLAN: {
		int v = vxlan(ctx, p);
		if (v != MORE)
			return v;
	}
		/* fall through */
	case LAYER_ETHERNET:
		return ethernet_ip(ctx, p);
	case LAYER_IPV4:
		return ipv4(ctx, p);
	case LAYER_IPV6:
		return ipv6(ctx, p);
	case LAYER_MPLS:
		return read_mpls(ctx, p);
	}
	return read_gre(ctx, p);
}

/*
 * Reads a frame of wire bytes down to its innermost packet. It returns FLOW, or the reason why the frame is copied. The headers of most
 * packets are read here, without a function call.
 */
static __always_inline int parse(CTX *ctx, struct packet *p, __u32 wire)
{
	p->off = 0;
	p->end = p->wire = wire;
	p->depth = 0;
	int v = ethernet_ip(ctx, p);
	for (int i = 0; i < MAX_LAYERS && v == MORE; i++)
		v = read_layer(ctx, p);
	return v == MORE ? REASON_NESTING : v;
}
