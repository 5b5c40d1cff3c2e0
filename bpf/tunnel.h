/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Ethernet, its tags, and the encapsulations that are decoded. */
#pragma once
#include "packet.h"

static __always_inline __u32 tag_size(__u16 type)
{
	switch (type) {
	case ETHER_VLAN: case ETHER_QINQ: case ETHER_VLAN_OLD: case ETHER_VLAN_OLD2: case ETHER_VLAN_OLD3: case ETHER_CN_TAG: case ETHER_FGL:
		return 4;
	case ETHER_VNTAG: case ETHER_HSR: case ETHER_R_TAG: case ETHER_BROADCOM:
		return 6;
	case ETHER_CMD: case ETHER_TTAG: case ETHER_ETAG:
		return 8;
	}
	return 0;
}

/* The layer of an EtherType. */
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
	case ETHER_FABRICPATH: case ETHER_TRILL: case ETHER_ARISTA: case ETHER_REALTEK:
		return REASON_TUNNEL;
	}
	return type <= MAX_LENGTH_FIELD ? REASON_TUNNEL : REASON_NO_IP; /* LLC may lead on to IP */
}

/* Skips the tags after the addresses of a frame: VLAN (802.1Q, 802.1ad), VN-Tag, Cisco MetaData and timestamps, and similar ones. */
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

/* Whether a valid Ethernet header is here: no field names the payload of MPLS. */
static __always_inline bool plausible_ethernet(CTX *ctx, struct packet *p, __u32 off)
{
	__u8 *b = at(ctx, p, off, 14);
	if (!b || b[6] & 1) /* no group address sends */
		return false;
	__u16 type = be16(b + 12);
	return type == ETHER_IPV4 || type == ETHER_IPV6 || type == ETHER_ARP || type == ETHER_MPLS || tag_size(type);
}

/* A label stack (RFC 3032). The first nibble after it shows the payload (RFC 4928 section 3, RFC 4385 section 3). */
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
