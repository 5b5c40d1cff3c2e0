// SPDX-License-Identifier: Apache-2.0

// Package bpf is the part of live capture that runs in the kernel: an XDP program that counts every packet of a mirror port and copies those
// that the sensor needs (watch.c), a socket filter from the same code (filter.c), and their loader. docs/capture-xdp.md describes what is copied
// and what is only counted.
package bpf

//go:generate go tool bpf2go -cc clang-14 -strip llvm-strip-14 -tags linux -no-global-types filter filter.c -- -mcpu=v3 -Wall -Werror
//go:generate go tool bpf2go -cc clang-14 -strip llvm-strip-14 -tags linux -no-global-types watch watch.c -- -mcpu=v3 -Wall -Werror
