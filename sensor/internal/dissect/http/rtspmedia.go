// SPDX-License-Identifier: Apache-2.0

package http

import (
	"encoding/binary"
	"slices"

	"stillwatch/sensor/internal/dissect"
)

// frameHead is the length of the header of interleaved media: '$', channel, 16-bit length (RFC 2326 section 10.12).
const frameHead = 4

// frameLen returns the length of the packet behind a header.
func frameLen(head []byte) int { return int(binary.BigEndian.Uint16(head[2:])) }

// maxChannels bounds the channels of a session whose first packet is read.
const maxChannels = 8

// transport reports how a medium is sent. A server that does not repeat the ports of the client agrees to them.
func (r *rtspStream) transport(t *dissect.MediaTransport, q *rtspRequest, sink dissect.Sink) {
	if t.ClientPorts == [2]uint16{} && !t.Interleaved && !t.Multicast {
		t.ClientPorts = q.ports
	}
	if t.Interleaved && len(r.channels) < maxChannels && !slices.Contains(r.channels, t.Channels[0]) {
		r.channels = append(r.channels, t.Channels[0])
	}
	sink(t)
}

// packet reports the first packet of RTP in each channel. It returns how many bytes of the stream it needs.
func (r *rtspStream) packet(dir int, head []byte, pos int, sink dissect.Sink) (want int) {
	const rtpHead, rtp2, types = 12, 2, 0x7f
	if len(head) < pos+frameHead {
		return pos + frameHead
	}
	at := slices.Index(r.channels, head[pos+1])
	if at < 0 || frameLen(head[pos:]) < rtpHead {
		return 0
	}
	if len(head) < pos+frameHead+rtpHead {
		return pos + frameHead + rtpHead
	}
	b := head[pos+frameHead:]
	if b[0]>>6 != rtp2 {
		return 0
	}
	r.channels = slices.Delete(r.channels, at, at+1)
	f := &dissect.MediaFlow{Payload: b[1] & types, SSRC: binary.BigEndian.Uint32(b[8:]), OneWay: true}
	for i := range r.media {
		if t := &r.media[i]; t.Payload == f.Payload {
			f.Codec, f.Video = t.Codec, t.Kind == "video"
			break
		}
	}
	sink(f)
	return 0
}
