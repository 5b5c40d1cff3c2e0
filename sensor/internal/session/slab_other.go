// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package session

func newChunk(*Table) *[chunkSize]Session { return new([chunkSize]Session) }
