// SPDX-License-Identifier: Apache-2.0

package fingerprint

import (
	"encoding/binary"

	"stillwatch/sensor/internal/memo"
	"stillwatch/sensor/internal/packet"
)

// Stack is what a SYN or a SYN-ACK tells about the TCP/IP stack that sent it. It is shared and must not be changed.
type Stack struct {
	NPF    string // NPF fingerprint: tcp or tcp_server
	Answer bool   // of a SYN-ACK

	v6         bool
	ttl        uint8
	ipOptions  uint8 // bytes
	mss        uint16
	window     uint16
	scale      uint8 // 0 if absent
	hasPayload bool
	layout     string // kinds of the options in their order, up to the end of the list
	padding    uint8  // bytes behind the end of the list
	quirks     quirks
}

// quirks are the peculiarities of a packet that p0f signatures name (p0f 3, docs/README, section 5).
type quirks uint32

const (
	quirkDF       quirks = 1 << iota // "don't fragment" is set
	quirkIDPlus                      // ... and the identification is not zero
	quirkIDMinus                     // "don't fragment" is not set, and the identification is zero
	quirkECN                         // explicit congestion notification
	quirkReserved                    // the reserved flag of IPv4 is set
	quirkFlow                        // the flow label is not zero
	quirkSeqZero                     // the sequence number is zero
	quirkAckPlus                     // the acknowledgment number is not zero without ACK
	quirkAckMinus                    // it is zero with ACK
	quirkUrgPlus                     // the urgent pointer is not zero without URG
	quirkUrg                         // URG is set
	quirkPush                        // PSH is set
	quirkTS1Zero                     // the own time stamp is zero
	quirkTS2Plus                     // the peer's time stamp is not zero in a SYN
	quirkOptPlus                     // bytes behind the end of the option list are not zero
	quirkScale                       // window scale above 14
	quirkBad                         // damaged options
)

// TCP options, and the flags of the header that packet.Packet does not name.
const (
	optionEnd, optionNop, optionMSS, optionScale, optionTimes = 0, 1, 2, 3, 8

	flagECE, flagCWR = 0x40, 0x80
	flagNonce        = 1 // of the byte before the flags
)

const tcpHeader = 20

var stacks memo.Table[Stack]

// StackOf returns what a SYN or SYN-ACK tells about its sender, nil for other packets and for cut headers.
func StackOf(p *packet.Packet) *Stack {
	if p.Kind != packet.KindTCP || p.TCPFlags&(packet.SYN|packet.RST|packet.FIN) != packet.SYN || len(p.Body) < tcpHeader+int(p.TCPOptLen) {
		return nil
	}
	s := Stack{Answer: p.TCPFlags&packet.ACK != 0, v6: p.V6, ttl: p.TTL, ipOptions: uint8(p.IPForm.Options()), window: p.Window,
		hasPayload: p.PayloadLen > 0}
	s.quirks = headerQuirks(p)
	var room [96]byte
	options := s.readOptions(p.Body[tcpHeader:tcpHeader+int(p.TCPOptLen)], room[:0])
	key := append(options, flags(s.Answer, s.v6, s.hasPayload, p.IPID == 0), s.ttl, s.ipOptions, s.padding)
	key = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint32(key, uint32(s.quirks)), s.window)
	return stacks.Of(key, func() *Stack {
		x := s
		x.NPF = x.npf(p.IPID == 0, options)
		x.layout = kinds(options)
		return &x
	})
}

// headerQuirks returns the quirks of the headers without the options.
func headerQuirks(p *packet.Packet) (q quirks) {
	set := func(on bool, x quirks) {
		if on {
			q |= x
		}
	}
	ack, urgent := p.TCPFlags&packet.ACK != 0, p.TCPFlags&packet.URG != 0
	df := p.IPForm&packet.IPDontFragment != 0
	set(df, quirkDF)
	set(df && p.IPID != 0, quirkIDPlus)
	set(!df && p.IPID == 0 && !p.V6, quirkIDMinus)
	set(p.IPForm&packet.IPReserved != 0, quirkReserved)
	set(p.IPForm&packet.IPFlowLabel != 0, quirkFlow)
	set(p.IPForm&packet.IPECN != 0 || p.TCPFlags&(flagECE|flagCWR) != 0 || p.Body[12]&flagNonce != 0, quirkECN)
	set(p.Seq == 0, quirkSeqZero)
	set(!ack && p.Ack != 0, quirkAckPlus)
	set(ack && p.Ack == 0, quirkAckMinus)
	set(!urgent && binary.BigEndian.Uint16(p.Body[18:]) != 0, quirkUrgPlus)
	set(urgent, quirkUrg)
	set(p.TCPFlags&packet.PSH != 0, quirkPush)
	return q
}

// readOptions reads the options of a header (RFC 9293 section 3.2, RFC 7323) and appends those that a Stack depends on to out: kind, length
// and, of segment size and window scale, the value.
func (s *Stack) readOptions(o, out []byte) []byte {
	for len(o) > 0 {
		kind := o[0]
		if kind == optionEnd {
			s.padding = uint8(len(o) - 1)
			for _, b := range o[1:] {
				if b != 0 {
					s.quirks |= quirkOptPlus
				}
			}
			return append(out, kind)
		}
		if kind == optionNop {
			out, o = append(out, kind), o[1:]
			continue
		}
		if len(o) < 2 || o[1] < 2 || int(o[1]) > len(o) {
			s.quirks |= quirkBad
			return append(out, kind, 0)
		}
		value := o[2:o[1]]
		out = append(out, kind, o[1])
		switch {
		case kind == optionMSS && len(value) == 2:
			s.mss = binary.BigEndian.Uint16(value)
		case kind == optionScale && len(value) == 1:
			s.scale = value[0]
			if s.scale > 14 {
				s.quirks |= quirkScale
			}
		case kind == optionTimes && len(value) == 8:
			s.times(value)
		case kind == optionMSS, kind == optionScale, kind == optionTimes:
			s.quirks |= quirkBad
		}
		if kind == optionMSS || kind == optionScale {
			out = append(out, value...)
		}
		o = o[2+len(value):]
	}
	return out
}

// Stamp returns the time stamp in the options of a TCP header that StackOf accepts (TSval, RFC 7323 section 3.2), 0 if there is none.
func Stamp(p *packet.Packet) uint32 {
	o := p.Body[tcpHeader : tcpHeader+int(p.TCPOptLen)]
	for len(o) > 0 && o[0] != optionEnd {
		if o[0] == optionNop {
			o = o[1:]
			continue
		}
		if len(o) < 2 || o[1] < 2 || int(o[1]) > len(o) {
			break
		}
		if o[0] == optionTimes && o[1] == 10 {
			return binary.BigEndian.Uint32(o[2:])
		}
		o = o[o[1]:]
	}
	return 0
}

func (s *Stack) times(value []byte) {
	if binary.BigEndian.Uint32(value) == 0 {
		s.quirks |= quirkTS1Zero
	}
	if !s.Answer && binary.BigEndian.Uint32(value[4:]) != 0 {
		s.quirks |= quirkTS2Plus
	}
}

// nextOption splits the first of the options that readOptions wrote off.
func nextOption(o []byte) (option, rest []byte) {
	size := 1
	if o[0] != optionEnd && o[0] != optionNop && len(o) > 1 {
		size = 2
		if o[0] == optionMSS || o[0] == optionScale {
			size = max(2, int(o[1]))
		}
	}
	size = min(size, len(o))
	return o[:size], o[size:]
}

// kinds returns the kinds of the options that readOptions wrote.
func kinds(o []byte) string {
	var b []byte
	for len(o) > 0 {
		var x []byte
		x, o = nextOption(o)
		b = append(b, x[0])
	}
	return string(b)
}

// npf returns the NPF fingerprint: IP version, whether the identification (IPv4) or the flow label (IPv6) is zero, TTL in steps of 32, window,
// options. Segment size and window scale count with their values.
func (s *Stack) npf(noID bool, options []byte) string {
	b := []byte("tcp/(40)")
	if s.Answer {
		b = []byte("tcp_server/(40)")
	}
	if s.v6 {
		b[len(b)-3] = '6'
		noID = s.quirks&quirkFlow == 0
	}
	if noID {
		b = append(b, "(00)"...)
	} else {
		b = append(b, "()"...)
	}
	b = append(appendHex(append(b, '('), []byte{s.ttl & 0xe0}), ')')
	b = append(appendNPF16(b, s.window), '(')
	for len(options) > 0 {
		var x []byte
		x, options = nextOption(options)
		if x[0] != optionMSS && x[0] != optionScale {
			x = x[:1]
		}
		b = append(appendHex(append(b, '('), x), ')')
	}
	return string(append(b, ')'))
}
