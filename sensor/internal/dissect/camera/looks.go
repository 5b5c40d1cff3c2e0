// SPDX-License-Identifier: Apache-2.0

package camera

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
)

// LooksDHIP recognizes Dahua's protocol of JSON behind a header of 32 bytes, which begins with its own length.
func LooksDHIP(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	return match.Prefix(head, "\x20\x00\x00\x00DHIP")
}

// LooksDVRIP recognizes Dahua's protocol of port 37777 by its first message: a login or a request for the realm,
// answered by b0, or by a request without a login, which old devices obey (CVE-2013-6117). On other ports the magic number at the end of the
// header is required.
func LooksDVRIP(head []byte, _ bool, ports dissect.Ports) match.Verdict {
	const headLen, maxBody = 32, 4096
	v := match.AnyPrefix(head, "\xa0\x00\x00", "\xa0\x01\x00", "\xa0\x05\x00", "\xb0\x00\x00", "\xb0\x01\x00", "\xf6\x00\x00",
		"\xa1\x00\x00", "\xa3\x00\x00", "\xa4\x00\x00", "\xa6\x00\x00", "\xb1\x00\x00", "\xb3\x00\x00", "\xb4\x00\x00", "\xb6\x00\x00")
	if v != match.Yes {
		return v
	}
	if len(head) < headLen {
		return match.Maybe
	}
	size := binary.LittleEndian.Uint32(head[4:])
	marked := head[30] == 0xa1 && head[31] == 0xaa
	return match.If(size <= maxBody && (marked || ports.Has(37777, 37778)))
}

// LooksXMEye recognizes the protocol of Xiongmai recorders: a header of 20 bytes with a known message, then JSON.
func LooksXMEye(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	const headLen, maxBody = 20, 1 << 16
	switch {
	case head[0] != 0xff, len(head) > 1 && head[1] > 1, len(head) > 3 && (head[2] != 0 || head[3] != 0):
		return match.No
	case len(head) < headLen:
		return match.Maybe
	}
	message, size := binary.LittleEndian.Uint16(head[14:]), binary.LittleEndian.Uint32(head[16:])
	switch {
	case message < 1000 || message > 3000 || size > maxBody:
		return match.No
	case size == 0:
		return match.Yes
	case len(head) == headLen:
		return match.Maybe
	}
	return match.If(head[headLen] == '{')
}

// LooksBaichuan recognizes Reolink's protocol by its magic number.
func LooksBaichuan(head []byte, _ bool, ports dissect.Ports) match.Verdict {
	return match.Prefix(head, baichuanMagic)
}
