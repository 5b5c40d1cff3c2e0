/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The maps, and the settings of user space: constants are set before the program is loaded, variables at any time. */
#pragma once
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "types.h"

/* Map sizes are the defaults of the loader, which may change them. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1 << 18);
	__type(key, struct session_key);
	__type(value, struct session);
} sessions SEC(".maps");

/* The oldest are evicted: user space finds how many, from the events and `waiting`. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1 << 12);
	__type(key, struct opening);
	__type(value, __u32); /* sequence number of the first byte of the stream */
} openings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 24);
	__type(value, union ring_record);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NUM_REASONS);
	__type(key, enum reason);
	__type(value, struct counter);
} reasons SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NUM_EVENTS);
	__type(key, enum event);
	__type(value, __u64);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 16);
	__type(key, struct prefix4);
	__type(value, __u8);
} watch4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 16);
	__type(key, struct prefix6);
	__type(value, __u8);
} watch6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 16);
	__type(key, __u64); /* the six bytes as in the frame, then two zero bytes */
	__type(value, __u8);
} watch_mac SEC(".maps");

#define ANSWER_BITS 12

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1 << ANSWER_BITS);
	__type(key, __u32);
	__type(value, struct answer);
} answers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 12);
	__type(key, struct session_key);
	__type(value, __u8);
} full_copy SEC(".maps");

/* Set before loading. */
volatile const __u32 head_bytes = 16 << 10;	/* of each direction of TCP, by sequence number */
volatile const __u32 head_segments = 8;		/* with payload, of each direction of TCP */
volatile const __u32 head_datagrams = 64;	/* of each direction of everything else */
volatile const __u64 idle = 15000000000; /* a session that was quiet for so long is copied from its beginning again, ns */
volatile const __u32 shunt = 1;		/* else every packet of a watched session is copied */

__u32 waiting; /* entries of the map openings at the last sweep */

/* Set at any time. */
__u32 watch_prefixes4;		/* how many there are: 0 spares the look-up */
__u32 watch_prefixes6;
__u32 watch_macs;
__u32 watch_all = 1;
__u32 generation = 1;		/* of the watch list */
__u32 full_sessions;		/* how many are copied in full */
