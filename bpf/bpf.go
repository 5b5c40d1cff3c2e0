// SPDX-License-Identifier: Apache-2.0

// Package bpf is the kernel's part of a live capture: an XDP program that counts every packet of a mirror port and copies to
// user space those that the sensor needs (watch.c),
// the same decisions as a socket filter (filter.c), and their loader. What is copied and what is only counted is told in
// docs/capture-xdp.md.
package bpf

//go:generate go tool bpf2go -cc clang-14 -strip llvm-strip-14 -tags linux -no-global-types filter filter.c -- -mcpu=v3 -Wall -Werror
//go:generate go tool bpf2go -cc clang-14 -strip llvm-strip-14 -tags linux -no-global-types watch watch.c -- -mcpu=v3 -Wall -Werror
