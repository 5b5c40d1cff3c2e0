// SPDX-License-Identifier: Apache-2.0

package recognize_test

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatch"
	"stillwatch/sensor/internal/dissect/dissecttest"
	"stillwatch/sensor/internal/dissect/recognize"
)

func rtpPacket(kind byte, number, size int) string {
	b := append([]byte{0x80, kind}, byte(number>>8), byte(number), 0, 0, 0, 1, 0, 0, 0, 9)
	return string(b) + strings.Repeat("m", size)
}

func TestMediaFlows(t *testing.T) {
	for name, tc := range map[string]struct {
		kind  byte
		size  func(i int) int
		other bool // the other side sends media too
		want  dissect.MediaFlow
	}{
		"dynamic, large":   {0x80 | 96, func(i int) int { return 100 + 1000*(i%8/7) }, false, dissect.MediaFlow{Payload: 96, SSRC: 9, Video: true, OneWay: true}},
		"dynamic, small":   {97, func(int) int { return 160 }, false, dissect.MediaFlow{Payload: 97, SSRC: 9, OneWay: true}},
		"JPEG":             {26, func(int) int { return 100 }, false, dissect.MediaFlow{Payload: 26, SSRC: 9, Codec: "JPEG", Video: true, OneWay: true}},
		"telephone":        {0, func(int) int { return 160 }, true, dissect.MediaFlow{SSRC: 9, Codec: "PCMU"}},
		"picture and call": {96, func(int) int { return 1000 }, true, dissect.MediaFlow{Payload: 96, SSRC: 9, Video: true}},
	} {
		var c dispatch.Conversation
		c.Reset(dissect.Ports{Client: 40000, Server: 40002}, nil)
		var facts []dissect.Fact
		sink := func(f dissect.Fact) { facts = append(facts, f) }
		more := true
		for i := 0; i < 100 && more; i++ {
			more = c.Datagram(dissect.FromServer, []byte(rtpPacket(tc.kind, 65530+i, tc.size(i))), sink)
			if tc.other && more {
				c.Datagram(dissect.FromClient, []byte(rtpPacket(tc.kind, i, tc.size(i))), sink)
			}
		}
		got := dissecttest.FactsOf[dissect.MediaFlow](facts)
		if more || len(got) != 1 || got[0] != tc.want || dissecttest.AppOf(facts) != "rtp" {
			t.Errorf("%s:\n%s", name, dissecttest.Dump(facts))
		}
	}
}

// rtcp returns a packet of RTCP.
func rtcp(kind byte, body string) string {
	body += strings.Repeat("\x00", -len(body)&3)
	return "\x81" + string([]byte{kind}) + string(binary.BigEndian.AppendUint16(nil, uint16(len(body)/4))) + body
}

const (
	senderReport = "\x00\x00\x00\x09" + "\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00\x04\x00\x00\x00\x05"
	description  = "\x00\x00\x00\x09" + "\x01\x0dadmin@gate.ex" + "\x06\x09GStreamer" + "\x00"
)

func TestRTCPSources(t *testing.T) {
	for name, tc := range map[string]struct {
		datagram string
		want     []dissect.Banner
	}{
		"host and tool": {rtcp(200, senderReport) + rtcp(202, description), []dissect.Banner{{Protocol: "rtcp", Text: "host gate.ex, tool GStreamer", Client: true}}},
		"no host":       {rtcp(200, senderReport) + rtcp(202, "\x00\x00\x00\x09\x01\x05admin\x00"), nil},
		"cut item":      {rtcp(200, senderReport) + rtcp(202, "\x00\x00\x00\x09\x01\x50a@gate\x00"), nil},
		"report":        {rtcp(200, senderReport), nil},
	} {
		var c dispatch.Conversation
		c.Reset(dissect.Ports{Client: 40001, Server: 40003}, nil)
		var facts []dissect.Fact
		c.Datagram(dissect.FromClient, []byte(tc.datagram), func(f dissect.Fact) { facts = append(facts, f) })
		if got := dissecttest.FactsOf[dissect.Banner](facts); !slices.Equal(got, tc.want) || dissecttest.AppOf(facts) != "rtcp" {
			t.Errorf("%s:\n%s", name, dissecttest.Dump(facts))
		}
		if strings.Contains(dissecttest.Dump(facts), "admin") {
			t.Errorf("%s: the user name is in\n%s", name, dissecttest.Dump(facts))
		}
	}
}

func FuzzMedia(f *testing.F) {
	f.Add(append(dissecttest.Chunk(dissecttest.Server(rtpPacket(96, 1, 20))), dissecttest.Chunk(dissecttest.Client(rtpPacket(0, 1, 20)))...))
	dissecttest.FuzzDatagrams(f, func() dissect.Datagrams { return new(recognize.Media) }, 64)
}

func FuzzRTCP(f *testing.F) {
	f.Add(dissecttest.Chunk(dissecttest.Client(rtcp(200, senderReport) + rtcp(202, description))))
	dissecttest.FuzzDatagrams(f, recognize.NewRTCP, 16)
}
