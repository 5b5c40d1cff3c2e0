// SPDX-License-Identifier: Apache-2.0

package dissect

import "encoding/binary"

// looksDHIP tells Dahua's protocol of JSON behind a header of 32 bytes that begins with its own length.
func looksDHIP(head []byte, _ bool, _ Ports) verdict { return startsWith(head, "\x20\x00\x00\x00DHIP") }

// looksDVRIP tells Dahua's protocol of port 37777 by the first message: a login or a request for the realm, answered by b0.
// Away from its ports the mark at the end of the header must be there.
func looksDVRIP(head []byte, _ bool, ports Ports) verdict {
	const headLen, maxBody = 32, 4096
	v := startsWithAny(head, "\xa0\x00\x00", "\xa0\x01\x00", "\xa0\x05\x00", "\xb0\x00\x00", "\xb0\x01\x00", "\xf6\x00\x00")
	if v != yes {
		return v
	}
	if len(head) < headLen {
		return maybe
	}
	size := binary.LittleEndian.Uint32(head[4:])
	marked := head[30] == 0xa1 && head[31] == 0xaa
	return yesIf(size <= maxBody && (marked || ports.has(37777, 37778)))
}

// looksXMEye tells the protocol of Xiongmai recorders: a header of 20 bytes with a known message, then JSON.
func looksXMEye(head []byte, _ bool, _ Ports) verdict {
	const headLen, maxBody = 20, 1 << 16
	switch {
	case head[0] != 0xff, len(head) > 1 && head[1] > 1, len(head) > 3 && (head[2] != 0 || head[3] != 0):
		return no
	case len(head) < headLen:
		return maybe
	}
	message, size := binary.LittleEndian.Uint16(head[14:]), binary.LittleEndian.Uint32(head[16:])
	switch {
	case message < 1000 || message > 3000 || size > maxBody:
		return no
	case size == 0:
		return yes
	case len(head) == headLen:
		return maybe
	}
	return yesIf(head[headLen] == '{')
}

// looksBaichuan tells Reolink's protocol by its magic number.
func looksBaichuan(head []byte, _ bool, ports Ports) verdict {
	return startsWith(head, "\xf0\xde\xbc\x0a")
}

func looksXMEyeDatagram(b []byte, ports Ports) bool {
	return len(b) > 0 && looksXMEye(b, true, ports) == yes
}

func looksDHIPDatagram(b []byte, ports Ports) bool { return looksDHIP(b, true, ports) == yes }

// looksDVRIPDatagram tells the older discovery of Dahua on port 5050.
func looksDVRIPDatagram(b []byte, ports Ports) bool {
	return ports.has(5050) && len(b) >= 32 && (b[0] == 0xa3 && b[1] == 1 || b[0] == 0xb3 && b[1] == 0)
}

// looksSADP tells Hikvision's search protocol: XML with a Probe or a ProbeMatch that carries a Uuid.
func looksSADP(b []byte, _ Ports) bool {
	return startsWithAny(b, "<?xml", "<Probe") == yes && foldContains(b, "<probe") && foldContains(b, "<uuid>")
}
