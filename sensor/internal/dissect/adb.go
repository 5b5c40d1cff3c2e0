// SPDX-License-Identifier: Apache-2.0

package dissect

import "encoding/binary"

// adbStream follows the messages of the Android debug bridge up to STLS, behind which each side goes on in TLS. (AOSP,
// packages/modules/adb/protocol.txt.)
type adbStream struct {
	tunnel handover
	count  [2]int
	tls    [2]bool
}

const (
	adbHeadLen = 24
	// maxADBMessages is how many messages come before STLS at most, and some more: the two greetings and keys.
	maxADBMessages = 8
)

// looksADB tells the Android debug bridge: a command, and its complement at the end of the header.
func looksADB(head []byte, _ bool, _ Ports) verdict {
	v := startsWithAny(head, "CNXN", "AUTH", "STLS")
	if v != yes {
		return v
	}
	if len(head) < adbHeadLen {
		return maybe
	}
	return yesIf(adbMessage(head))
}

func adbMessage(b []byte) bool {
	return binary.LittleEndian.Uint32(b) == ^binary.LittleEndian.Uint32(b[20:])
}

func (a *adbStream) feed(dir int, head []byte, final bool, sink Sink) int {
	pos := &a.tunnel.from[dir]
	for !a.tls[dir] {
		b := head[min(*pos, len(head)):]
		if len(b) < adbHeadLen {
			return *pos + adbHeadLen
		}
		size := binary.LittleEndian.Uint32(b[12:])
		if a.count[dir] == maxADBMessages || !adbMessage(b) || size > headLimit {
			return 0
		}
		a.count[dir]++
		a.tls[dir] = string(b[:4]) == "STLS"
		*pos += adbHeadLen + int(size)
	}
	return a.tunnel.feed(dir, head, final, sink)
}
