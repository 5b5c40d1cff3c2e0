//go:build ignore

/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The socket filter for AF_PACKET, from the same code as watch.c. It passes the packets that watch.c would copy to the socket, and reports
 * the counts of sessions through the ring buffer.
 */
#define CTX struct __sk_buff
#include "maps.h"

/* A socket filter can read a packet only by copying. The headers are copied once. */
#define HEADERS 256

struct headers {
	__u8 bytes[HEADERS];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct headers);
} headers SEC(".maps");

/* Bytes off to off+n, if they were copied. The caller has checked that the frame has them. */
static __always_inline void *bytes(CTX *ctx, __u32 off, const __u32 n)
{
	struct headers *h = bpf_map_lookup_elem(&headers, &(__u32){0});
	asm volatile("" ::"r"(ctx)); /* else the compiler passes anything to functions that need it no more, and the verifier objects */
	return h && off <= HEADERS - n ? h->bytes + off : NULL;
}

#include "session.h"

volatile const __u32 snap = -1; /* bytes that the socket gets of a frame at most; set before loading */

static __always_inline bool fetch(CTX *ctx)
{
	struct headers *h = bpf_map_lookup_elem(&headers, &(__u32){0});
	__u32 n = ctx->len < HEADERS ? ctx->len : HEADERS;
	return h && n && !bpf_skb_load_bytes(ctx, 0, h->bytes, n);
}

SEC("socket")
int filter(CTX *ctx)
{
	struct decision d = {};
	if (fetch(ctx))
		decide(ctx, &d, parse(ctx, &d.packet, ctx->len));
	else
		d.reason = REASON_SHORT;
	if (d.reason > REASON_SHUNTED)
		tell_before(&d);
	else
		keep_count(&d);
	count(d.reason, ctx->len);
	return d.reason > REASON_SHUNTED ? snap : 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
