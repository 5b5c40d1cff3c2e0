/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What all layers use: the packet that they fill in, and access to its bytes. */
#pragma once
#include "maps.h"

#define MAX_LAYERS 20	/* of any kind */
#define MAX_DEPTH 8	/* encapsulations */
#define MAX_TAGS 8
#define MAX_LABELS 16
#define MAX_EXTENSIONS 8
#define MAX_OFFSET 1024	/* headers are read up to here */

/* Results of a layer that do not end the parsing with a reason. */
enum { MORE = -1, FLOW = -2 };

enum layer { LAYER_ETHERNET, LAYER_IPV4, LAYER_IPV6, LAYER_MPLS, LAYER_GRE, LAYER_VXLAN };

struct packet {
	__u64 src[2], dst[2];	/* network order, IPv4-mapped */
	__u64 smac, dmac;	/* of the innermost Ethernet header */
	__u32 off;		/* of the next header */
	__u32 end;		/* of the bytes of this layer */
	__u32 wire;		/* bytes from off on by the headers; in a tunnel this may exceed the frame */
	__u32 ip_bytes, payload;
	__u32 seq, ack;
	__u16 sport, dport;
	__u8 layer, depth;
	__u8 proto, v6;
	__u8 flags;		/* TCP */
	__u8 chunk;		/* SCTP: type of the first one */
	__u8 neighbour;		/* ICMPv6: Neighbour Discovery */
	__u8 first;		/* only the first buffer of the frame is read, so its length is not known */
};

enum {
	ETHER_IPV4 = 0x0800, ETHER_VLAN = 0x8100, ETHER_QINQ = 0x88a8, ETHER_VLAN_OLD = 0x9100, ETHER_VLAN_OLD2 = 0x9200,
	ETHER_VNTAG = 0x8926, ETHER_CMD = 0x8909, ETHER_IPV6 = 0x86dd, ETHER_MPLS = 0x8847, ETHER_MPLS_MULTI = 0x8848,
	ETHER_BRIDGED = 0x6558, ETHER_ERSPAN = 0x88be, ETHER_ERSPAN3 = 0x22eb, ETHER_ARP = 0x0806, ETHER_PPPOE = 0x8864,
	ETHER_PBB = 0x88e7, ETHER_PPP = 0x880b, ETHER_MACSEC = 0x88e5, ETHER_NSH = 0x894f, ETHER_EDSA = 0xdada,
	ETHER_VLAN_OLD3 = 0x9300, ETHER_CN_TAG = 0x22e9, ETHER_FGL = 0x893b, ETHER_HSR = 0x892f, ETHER_R_TAG = 0xf1c1,
	ETHER_BROADCOM = 0x8874, ETHER_TTAG = 0x8988, ETHER_ETAG = 0x893f, ETHER_FABRICPATH = 0x8903, ETHER_TRILL = 0x22f3,
	ETHER_ARISTA = 0xd28b, ETHER_REALTEK = 0x8899,
	MAX_LENGTH_FIELD = 1500,
};

enum {
	PROTO_HOPBYHOP = 0, PROTO_ICMP = 1, PROTO_IPV4 = 4, PROTO_TCP = 6, PROTO_UDP = 17, PROTO_IPV6 = 41, PROTO_ROUTING = 43,
	PROTO_FRAGMENT = 44, PROTO_GRE = 47, PROTO_AH = 51, PROTO_ICMP6 = 58, PROTO_NONE = 59, PROTO_DESTINATION = 60,
	PROTO_SCTP = 132, PROTO_MOBILITY = 135, PROTO_MPLS = 137, PROTO_HIP = 139, PROTO_SHIM6 = 140,
};

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };

/* Bytes off to off+n of the frame, NULL if they are not of this layer. */
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

/* Continues with the inner packet of a tunnel. */
static __always_inline int inner(struct packet *p, __u8 layer, __u32 header)
{
	if (p->depth >= MAX_DEPTH)
		return REASON_NESTING;
	p->depth++;
	p->layer = layer;
	skip(p, header);
	return MORE;
}
