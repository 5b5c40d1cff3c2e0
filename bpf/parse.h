/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * From the bytes of a frame to the addresses, ports and lengths of the innermost packet, as the Go decoder of the sensor has
 * them. What is not understood for certain ends with a reason, and is copied: user space reads it better.
 *
 * Each layer is a function that the verifier checks once, for any state of struct packet.
 */
#pragma once
#include "maps.h"

#define MAX_LAYERS 20	/* of any kind */
#define MAX_DEPTH 8	/* encapsulations */
#define MAX_TAGS 8
#define MAX_LABELS 16
#define MAX_EXTENSIONS 8
#define MAX_OFFSET 1024	/* no header is looked for beyond */

/* What a layer says that does not end the parsing with a reason. */
enum { MORE = -1, FLOW = -2 };

enum layer { LAYER_ETHERNET, LAYER_IPV4, LAYER_IPV6, LAYER_MPLS, LAYER_GRE, LAYER_VXLAN };

struct packet {
	__u64 src[2], dst[2];	/* network order, IPv4-mapped */
	__u64 smac, dmac;	/* of the innermost Ethernet header */
	__u32 off;		/* of the next header */
	__u32 end;		/* of the bytes that belong to this layer */
	__u32 wire;		/* bytes from off on that the headers speak of; in a tunnel they may be more than are there */
	__u32 ip_bytes, payload;
	__u32 seq, ack;
	__u16 sport, dport;
	__u8 layer, depth;
	__u8 proto, v6;
	__u8 flags;		/* TCP */
	__u8 chunk;		/* SCTP: type of the first one */
	__u8 neighbour;		/* ICMPv6: Neighbour Discovery */
	__u8 first;		/* only the first buffer of the frame is looked at: how long the frame is is not known */
};

enum {
	ETHER_IPV4 = 0x0800, ETHER_VLAN = 0x8100, ETHER_QINQ = 0x88a8, ETHER_VLAN_OLD = 0x9100, ETHER_VLAN_OLD2 = 0x9200,
	ETHER_VNTAG = 0x8926, ETHER_CMD = 0x8909, ETHER_IPV6 = 0x86dd, ETHER_MPLS = 0x8847, ETHER_MPLS_MULTI = 0x8848,
	ETHER_BRIDGED = 0x6558, ETHER_ERSPAN = 0x88be, ETHER_ERSPAN3 = 0x22eb, ETHER_ARP = 0x0806, ETHER_PPPOE = 0x8864,
	ETHER_PBB = 0x88e7, ETHER_PPP = 0x880b, ETHER_MACSEC = 0x88e5, ETHER_NSH = 0x894f, ETHER_EDSA = 0xdada,
	MAX_LENGTH_FIELD = 1500,
};

enum {
	PROTO_HOPBYHOP = 0, PROTO_ICMP = 1, PROTO_IPV4 = 4, PROTO_TCP = 6, PROTO_UDP = 17, PROTO_IPV6 = 41, PROTO_ROUTING = 43,
	PROTO_FRAGMENT = 44, PROTO_GRE = 47, PROTO_AH = 51, PROTO_ICMP6 = 58, PROTO_NONE = 59, PROTO_DESTINATION = 60,
	PROTO_SCTP = 132, PROTO_MOBILITY = 135, PROTO_MPLS = 137, PROTO_HIP = 139, PROTO_SHIM6 = 140,
};

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };

/* Bytes off to off+n of the frame, if they are of this layer; else NULL. */
static __always_inline void *at(CTX *ctx, struct packet *p, __u32 off, __u32 n)
{
	if (off > MAX_OFFSET || off + n > p->end)
		return NULL;
	return bytes(ctx, off, n);
}

static __always_inline __u16 be16(const void *b)
{
	return bpf_ntohs(*(const __u16 *)b);
}

static __always_inline __u32 be32(const void *b)
{
	return bpf_ntohl(*(const __u32 *)b);
}

static __always_inline void skip(struct packet *p, __u32 n)
{
	p->off += n;
	p->wire -= p->wire < n ? p->wire : n;
}

/* Goes on to what is in a tunnel. */
static __always_inline int inner(struct packet *p, __u8 layer, __u32 header)
{
	if (p->depth >= MAX_DEPTH)
		return REASON_NESTING;
	p->depth++;
	p->layer = layer;
	skip(p, header);
	return MORE;
}

static __always_inline __u32 tag_size(__u16 type)
{
	switch (type) {
	case ETHER_VLAN: case ETHER_QINQ: case ETHER_VLAN_OLD: case ETHER_VLAN_OLD2:
		return 4;
	case ETHER_VNTAG:
		return 6;
	case ETHER_CMD:
		return 8;
	}
	return 0;
}

/* What an EtherType leads to. */
static __always_inline int ether_type(struct packet *p, __u16 type)
{
	switch (type) {
	case ETHER_IPV4:
		p->layer = LAYER_IPV4;
		return MORE;
	case ETHER_IPV6:
		p->layer = LAYER_IPV6;
		return MORE;
	case ETHER_MPLS: case ETHER_MPLS_MULTI:
		p->layer = LAYER_MPLS;
		return MORE;
	case ETHER_PPPOE: case ETHER_PBB: case ETHER_PPP: case ETHER_MACSEC: case ETHER_NSH: case ETHER_EDSA:
		return REASON_TUNNEL;
	}
	return type <= MAX_LENGTH_FIELD ? REASON_TUNNEL : REASON_NO_IP; /* LLC may lead on to IP */
}

/* Takes off the tags that follow a frame's addresses: VLAN (802.1Q, 802.1ad), VN-Tag, Cisco MetaData. */
__noinline int read_tags(CTX *ctx, struct packet *p, __u16 type)
{
	if (!p)
		return REASON_SHORT;
	for (int i = 0; i < MAX_TAGS; i++) {
		__u32 size = tag_size(type);
		if (!size)
			return ether_type(p, type);
		void *b = at(ctx, p, p->off + size - 2, 2);
		if (!b)
			return REASON_SHORT;
		type = be16(b);
		skip(p, size);
	}
	return tag_size(type) ? REASON_NESTING : ether_type(p, type);
}

static __always_inline __u64 mac(const __u8 *b)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return *(const __u16 *)b | (__u64)*(const __u16 *)(b + 2) << 16 | (__u64)*(const __u16 *)(b + 4) << 32;
#else
	return ((__u64)*(const __u16 *)b << 32 | (__u64)*(const __u16 *)(b + 2) << 16 | *(const __u16 *)(b + 4)) << 16;
#endif
}

static __always_inline int ethernet(CTX *ctx, struct packet *p)
{
	__u8 *b = at(ctx, p, p->off, 14);
	if (!b)
		return REASON_SHORT;
	p->dmac = mac(b);
	p->smac = mac(b + 6);
	__u16 type = be16(b + 12);
	skip(p, 14);
	if (type == ETHER_IPV4 || type == ETHER_IPV6)
		return ether_type(p, type);
	return read_tags(ctx, p, type);
}

/* Whether an Ethernet header that leads on stands here: what follows MPLS does not say what it is. */
static __always_inline bool plausible_ethernet(CTX *ctx, struct packet *p, __u32 off)
{
	__u8 *b = at(ctx, p, off, 14);
	if (!b || b[6] & 1) /* no group address sends */
		return false;
	__u16 type = be16(b + 12);
	return type == ETHER_IPV4 || type == ETHER_IPV6 || type == ETHER_ARP || type == ETHER_MPLS || tag_size(type);
}

/* A label stack (RFC 3032); the first nibble after it tells what it carries (RFC 4928 section 3, RFC 4385 section 3). */
__noinline int read_mpls(CTX *ctx, struct packet *p)
{
	if (!p)
		return REASON_SHORT;
	bool last = false;
	for (int i = 0; i < MAX_LABELS && !last; i++) {
		__u8 *b = at(ctx, p, p->off, 4);
		if (!b)
			return REASON_SHORT;
		last = b[2] & 1;
		skip(p, 4);
	}
	if (!last)
		return REASON_NESTING;
	__u8 *b = at(ctx, p, p->off, 20);
	if (!b)
		return REASON_SHORT;
	switch (b[0] >> 4) {
	case 4:
		if ((b[0] & 15) >= 5 && be16(b + 2) <= p->wire)
			return inner(p, LAYER_IPV4, 0);
		break;
	case 6:
		if (40u + be16(b + 4) <= p->wire)
			return inner(p, LAYER_IPV6, 0);
		break;
	case 0:
		if (plausible_ethernet(ctx, p, p->off + 4))
			return inner(p, LAYER_ETHERNET, 4);
	}
	return plausible_ethernet(ctx, p, p->off) ? inner(p, LAYER_ETHERNET, 0) : REASON_TUNNEL;
}

/* ERSPAN after its GRE header of size bytes (draft-foschiano-erspan-03): types I (no sequence number), II and III. */
static __always_inline int erspan(CTX *ctx, struct packet *p, __u32 size, __u16 type, bool sequence)
{
	if (type == ETHER_ERSPAN && !sequence)
		return inner(p, LAYER_ETHERNET, size);
	__u8 *b = at(ctx, p, p->off + size, 12);
	if (!b)
		return REASON_SHORT;
	__u8 version = b[0] >> 4;
	if (version == 1 && type == ETHER_ERSPAN)
		return inner(p, LAYER_ETHERNET, size + 8);
	if (version != 2 || (b[10] >> 2 & 0x1f) != 0) /* of another kind of frame than Ethernet */
		return REASON_TUNNEL;
	return inner(p, LAYER_ETHERNET, size + (b[11] & 1 ? 20 : 12));
}

/* GRE version 0 (RFC 2784, RFC 2890). */
__noinline int read_gre(CTX *ctx, struct packet *p)
{
	enum { CHECKSUM = 0x8000, ROUTING = 0x4000, KEY = 0x2000, SEQUENCE = 0x1000, VERSION = 7 };
	if (!p)
		return REASON_SHORT;
	__u8 *b = at(ctx, p, p->off, 4);
	if (!b)
		return REASON_SHORT;
	__u16 flags = be16(b), type = be16(b + 2);
	if (flags & (ROUTING | VERSION))
		return REASON_TUNNEL;
	__u32 size = 4 + (flags & CHECKSUM ? 4 : 0) + (flags & KEY ? 4 : 0) + (flags & SEQUENCE ? 4 : 0);
	if (p->off + size > p->end)
		return REASON_SHORT;
	switch (type) {
	case ETHER_IPV4:
		return inner(p, LAYER_IPV4, size);
	case ETHER_IPV6:
		return inner(p, LAYER_IPV6, size);
	case ETHER_BRIDGED:
		return inner(p, LAYER_ETHERNET, size);
	case ETHER_MPLS: case ETHER_MPLS_MULTI:
		return inner(p, LAYER_MPLS, size);
	case ETHER_ERSPAN: case ETHER_ERSPAN3:
		return erspan(ctx, p, size, type, flags & SEQUENCE);
	}
	return REASON_TUNNEL;
}

/* VXLAN (RFC 7348 section 5), with the bits of the group policy extension. */
static __always_inline int vxlan(CTX *ctx, struct packet *p)
{
	enum { VNI = 0x08, GROUP = 0x80 };
	__u8 *b = at(ctx, p, p->off, 8 + 14);
	if (!b)
		return REASON_SHORT;
	if ((b[0] & ~GROUP) != VNI || b[7] || (!(b[0] & GROUP) && (b[1] | b[2] | b[3])))
		return REASON_TUNNEL;
	return inner(p, LAYER_ETHERNET, 8);
}

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

/* The UDP port of a tunnel. VXLAN and its kin choose the source port at random, GTP-U and Teredo do not. */
static __always_inline int udp_tunnel(struct packet *p)
{
	switch (p->dport) {
	case 4789: case 8472:
		p->layer = LAYER_VXLAN;
		skip(p, 8);
		return MORE;
	case 2152: case 3544: case 4790: case 6081: case 6635: case 37008:
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

/* The type that answers an ICMP type, or is answered by it (Community ID version 1); -1 if there is none. */
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

/* ICMP and ICMPv6: type and answering type, or code, stand for the ports. */
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

/* What is neither TCP nor UDP. */
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

/* Takes the length that an IP header gives, of which the frame may hold less only inside of a tunnel: a switch cuts what it mirrors. */
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

/* Extension headers (RFC 8200 section 4), then what they lead to. */
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

/* An Ethernet header and what most often follows it. */
static __always_inline int ethernet_ip(CTX *ctx, struct packet *p)
{
	int v = ethernet(ctx, p);
	if (v == MORE && p->layer == LAYER_IPV4)
		return ipv4(ctx, p);
	if (v == MORE && p->layer == LAYER_IPV6)
		return ipv6(ctx, p);
	return v;
}

/* A layer more, or several. */
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
 * Reads a frame of wire bytes down to its innermost packet: FLOW, or the reason why it is copied as it is. What most packets
 * have is read here, without the price of a call.
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
