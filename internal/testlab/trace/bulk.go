// SPDX-License-Identifier: Apache-2.0

package trace

import "encoding/binary"

// bulk is the kind of traffic that follows the dialogue of a flow.
type bulk uint8

const (
	bulkNone        bulk = iota
	bulkTLS              // download: full records, one a segment
	bulkTLSUp            // upload
	bulkHTTP             // download
	bulkInterleaved      // RTP in the RTSP connection (RFC 2326 section 10.12)
	bulkRTP              // video over UDP
	bulkRTCP             // reports in both directions
	bulkQUIC             // protected packets, short header
	bulkSMB              // a file transfer
	bulkSSH              // interactive typing
	bulkRepeat           // the first message again
	bulkCount
)

// shape describes bulk traffic: the last of every period packets goes in the other direction, with backSize bytes of payload.
type shape struct {
	period         int // 1 if all packets go in one direction
	size, backSize int
	up             bool // the direction of the large packets
}

func (b bulk) shape() shape {
	return [bulkCount]shape{
		bulkTLS:         {2, maxSegment, 0, false},
		bulkTLSUp:       {2, maxSegment, 0, true},
		bulkHTTP:        {2, maxSegment, 0, false},
		bulkInterleaved: {3, maxSegment, 0, false},
		bulkRTP:         {1, 936, 0, false},
		bulkRTCP:        {2, 52, 32, false},
		bulkQUIC:        {4, 1250, 33, false},
		bulkSMB:         {2, maxSegment, 0, false},
		bulkSSH:         {2, 100, 36, false},
	}[b]
}

// fill writes the i-th bulk packet of f.
func (g *generator) fill(f *flow, i int) {
	if f.d.bulk == bulkRepeat {
		g.say(f, 0)
		return
	}
	sh := f.d.bulk.shape()
	up, size := sh.up, sh.size
	if sh.period > 1 && i%sh.period == sh.period-1 {
		up, size = !up, sh.backSize
	}
	flags := uint8(flagACK)
	if size > 0 && size < maxSegment {
		flags |= flagPSH
	}
	b := g.send(f, up, flags, size)
	copy(b, g.noise[mix(f.id^uint64(i)<<20)%noiseLen:])
	if size > 0 {
		f.d.bulk.prefix(b, uint32(f.id), i)
	}
}

// prefix writes the protocol header before the random bytes.
func (b bulk) prefix(p []byte, id uint32, i int) {
	switch b {
	case bulkTLS, bulkTLSUp: // application data, one record
		copy(p, []byte{0x17, 3, 3})
		be.PutUint16(p[3:], uint16(len(p)-5))
	case bulkInterleaved:
		p[0], p[1] = '$', 0
		be.PutUint16(p[2:], uint16(len(p)-4))
		rtp(p[4:], id, i)
	case bulkRTP:
		rtp(p, id, i)
	case bulkRTCP: // sender report, receiver report (RFC 3550 section 6.4)
		p[0], p[1] = 0x81, 200+uint8(i&1)
		be.PutUint16(p[2:], uint16(len(p)/4-1))
		be.PutUint32(p[4:], id)
	case bulkQUIC:
		p[0] = 0x40 | p[0]&0x3f
		be.PutUint32(p[1:], id)
	case bulkSMB:
		readResponse(p)
	}
}

// readResponse fills a segment with a complete SMB 2 READ response ([MS-SMB2] sections 2.2.1 and 2.2.20).
func readResponse(p []byte) {
	const head = 4 + 64 + 16
	clear(p[:head])
	be.PutUint16(p[2:], uint16(len(p)-4))
	copy(p[4:], []byte{0xfe, 'S', 'M', 'B', 64, 0, 1, 0})
	p[16], p[20] = 8, 1 // command, from the server
	p[4+64], p[4+66] = 17, 80
	binary.LittleEndian.PutUint32(p[4+68:], uint32(len(p)-head))
}

// rtp fills an RTP header (RFC 3550 section 5.1) of H.264 video at 25 pictures of 8 packets a second.
func rtp(p []byte, id uint32, i int) {
	p[0], p[1] = 0x80, 96
	if i%8 == 7 {
		p[1] |= 0x80
	}
	be.PutUint16(p[2:], uint16(i))
	be.PutUint32(p[4:], uint32(i/8)*3600)
	be.PutUint32(p[8:], id)
	p[12] = 0x7c // FU-A
}
