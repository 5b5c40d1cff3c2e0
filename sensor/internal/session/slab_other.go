// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package session

func newRegion(*Slab) []Session { return make([]Session, chunkSize) }
