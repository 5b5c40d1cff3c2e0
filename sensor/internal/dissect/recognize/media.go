// SPDX-License-Identifier: Apache-2.0

package recognize

import (
	"bytes"
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/mask"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "rtcp",
	Signs: "reports and descriptions to the end of the datagram; or ports announced in RTSP",
	Reads: "host and tool of a source",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 710, First: "\x80\xbf", Looks: LooksRTCP, New: NewRTCP},
	},
})

// Media reads a session of RTP that was recognized: what one side sends, and whether the other side sends media too. The zero value is ready to
// use.
type Media struct {
	count uint8
	first bool   // dir, source and kind are set
	dir   int    // of the medium that is described
	ssrc  uint32 // its source
	kind  uint8  // its payload type
	large bool   // it has packets of the size of pictures
	both  bool   // the other side sends media too
}

// Bounds of what is read: enough for a picture between packets of sound, and for the other side to answer.
const (
	mediaPackets = 32
	largeMedia   = 600 // bytes of payload: sound of usual codecs has at most 320 in a packet
)

// Datagram reports a dissect.MediaFlow once, with the last packet of the flow that is read; see dissect.Datagrams.
func (m *Media) Datagram(dir int, b []byte, sink dissect.Sink) bool {
	const headLen = 12
	if m.count < mediaPackets {
		m.count++
	}
	if rtpHeader(b) && !isRTCP(b) {
		if !m.first {
			m.first, m.dir, m.ssrc, m.kind = true, dir, binary.BigEndian.Uint32(b[8:]), b[1]&0x7f
		}
		same := dir == m.dir && binary.BigEndian.Uint32(b[8:]) == m.ssrc && b[1]&0x7f == m.kind
		m.large = m.large || same && len(b)-headLen >= largeMedia
		m.both = m.both || dir != m.dir
		if same && m.count >= mediaPackets {
			sink(m.flow())
			return false
		}
	}
	return true
}

// isRTCP tells RTCP from RTP on the same ports by its packet types (RFC 5761 section 4).
func isRTCP(b []byte) bool { return len(b) > 1 && b[1] >= 192 && b[1] <= 223 }

func (m *Media) flow() *dissect.MediaFlow {
	f := &dissect.MediaFlow{Payload: m.kind, SSRC: m.ssrc, OneWay: !m.both}
	for _, t := range staticTypes {
		if t.payload == m.kind {
			f.Codec, f.Video = t.codec, t.video
		}
	}
	const dynamic = 96
	f.Video = f.Video || m.kind >= dynamic && m.large
	return f
}

// staticTypes are the payload types of RFC 3551 section 6, tables 4 and 5.
var staticTypes = [...]struct {
	payload uint8
	codec   string
	video   bool
}{
	{0, "PCMU", false}, {3, "GSM", false}, {4, "G723", false}, {5, "DVI4", false}, {6, "DVI4", false}, {7, "LPC", false}, {8, "PCMA", false}, {9, "G722", false},
	{10, "L16", false}, {11, "L16", false}, {12, "QCELP", false}, {13, "CN", false}, {14, "MPA", false}, {15, "G728", false}, {16, "DVI4", false}, {17, "DVI4", false},
	{18, "G729", false}, {25, "CELB", true}, {26, "JPEG", true}, {28, "NV", true}, {31, "H261", true}, {32, "MPV", true}, {33, "MP2T", true}, {34, "H263", true},
}

// rtcpDatagrams reads the descriptions of sources in RTCP.
type rtcpDatagrams struct {
	named [2]bool
	count uint8
}

// NewRTCP returns a dissector of RTCP.
func NewRTCP() dissect.Datagrams { return new(rtcpDatagrams) }

// maxRTCP bounds the datagrams of a session that are read.
const maxRTCP = 16

// Datagram reports host and tool of the first source that a side describes (SDES, RFC 3550 section 6.5); see dissect.Datagrams. Of the
// canonical name, user@host, only the host is kept.
func (r *rtcpDatagrams) Datagram(dir int, b []byte, sink dissect.Sink) bool {
	const headLen, sdes = 4, 202
	r.count++
	if !LooksRTCP(b, dissect.Ports{}) {
		b = nil
	}
	for len(b) >= headLen {
		size := min(len(b), headLen+4*int(binary.BigEndian.Uint16(b[2:])))
		if b[1] == sdes && !r.named[dir] {
			if text := sourceText(b[headLen:size]); text != "" {
				r.named[dir] = true
				sink(&dissect.Banner{Protocol: "rtcp", Text: text, Client: dir == dissect.FromClient})
			}
		}
		b = b[size:]
	}
	return r.count < maxRTCP && !(r.named[0] && r.named[1])
}

// sourceText returns "host gate.example, tool GStreamer" from the first chunk of a description: a source, then items with a type and a length
// of one byte each, up to a zero.
func sourceText(b []byte) (text string) {
	const cname, tool = 1, 6
	r := parse.Reader{B: b}
	r.Bytes(4)
	var host, program string
	for len(r.B) > 0 && r.B[0] != 0 {
		kind, value := r.U8(), r.Vec8()
		switch kind {
		case cname:
			if at := bytes.LastIndexByte(value, '@'); at >= 0 {
				host = parse.CleanText(value[at+1:], 128)
			}
		case tool:
			program = mask.Text(value, 128)
		}
	}
	if host != "" {
		text = "host " + host
	}
	if program != "" {
		if text != "" {
			text += ", "
		}
		text += "tool " + program
	}
	return text
}
