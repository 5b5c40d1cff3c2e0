//go:build ignore

/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The XDP program counts every packet of a mirror port and copies those that the sensor needs. */
#define CTX struct xdp_md
#include "maps.h"

/* Bytes off to off+n, if they are in the first buffer of the frame. */
static __always_inline void *bytes(CTX *ctx, __u32 off, __u32 n)
{
	void *b = (void *)(long)ctx->data + off;
	asm volatile("" : "+r"(b)); /* one register for the check and for what is checked: the verifier follows no other */
	return b + n <= (void *)(long)ctx->data_end ? b : NULL;
}

#include "session.h"

volatile const __u32 verdict = XDP_PASS; /* what becomes of every packet; set before loading */

/* A record has one of these sizes, because the verifier must know it. Larger frames are cut. */
#define MAX_CAPTURED 65600

static __always_inline bool put(CTX *ctx, const struct frame *h, const __u32 size)
{
	struct frame *r = bpf_ringbuf_reserve(&ring, sizeof(*r) + size, 0);
	if (!r)
		return false;
	*r = *h;
	if (bpf_xdp_load_bytes(ctx, 0, r + 1, h->captured)) {
		bpf_ringbuf_discard(r, 0);
		return false;
	}
	bpf_ringbuf_submit(r, 0);
	return true;
}

#define PUT_UP_TO(size)                                                                                                   \
	if (h.captured <= (size))                                                                                         \
		return put(ctx, &h, size)

/* Copies a frame into the ring buffer. */
__noinline bool copy(CTX *ctx, __u32 wire, __u32 reason)
{
	struct frame h = {
		.kind = RECORD_FRAME,
		.reason = reason,
		.time = bpf_ktime_get_ns(),
		.wire = wire,
		.captured = wire < MAX_CAPTURED ? wire : MAX_CAPTURED,
	};
	if (!h.captured)
		return false;
	PUT_UP_TO(128);
	PUT_UP_TO(256);
	PUT_UP_TO(512);
	PUT_UP_TO(1024);
	PUT_UP_TO(1600);
	PUT_UP_TO(4096);
	PUT_UP_TO(9728);
	return put(ctx, &h, MAX_CAPTURED);
}

SEC("xdp.frags")
int watch(CTX *ctx)
{
	struct decision d = {};
	__u32 wire = ctx->data_end - ctx->data;
	d.packet.first = 1;
	int v = parse(ctx, &d.packet, wire);
	if (v != FLOW) { /* there may be more of the frame, in other buffers; to ask each time would cost more */
		wire = bpf_xdp_get_buff_len(ctx);
		d.packet.first = 0;
		v = parse(ctx, &d.packet, wire);
	}
	decide(ctx, &d, v);
	if (d.reason > REASON_SHUNTED) {
		tell_before(&d);
		if (!copy(ctx, wire, d.reason)) {
			d.reason = REASON_RING_FULL;
			if (d.session)
				count_event(EVENT_LOST_COUNTED, 1);
		}
	}
	if (d.reason == REASON_SHUNTED || d.reason == REASON_RING_FULL)
		keep_count(&d);
	count(d.reason, wire);
	return verdict;
}

char _license[] SEC("license") = "Dual BSD/GPL";
