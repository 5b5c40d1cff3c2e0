// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// Packet is an Ethernet frame of a story.
type Packet struct {
	Time    int64 // nanoseconds since the Unix epoch
	OrigLen int   // length on the wire, bytes
	Data    []byte
}

// ReadStory reads a pcap or pcapng file of Ethernet frames.
func ReadStory(r io.Reader) (story []Packet, err error) {
	br := bufio.NewReader(r)
	var src interface {
		gopacket.PacketDataSource
		LinkType() layers.LinkType
	}
	if head, _ := br.Peek(4); bytes.Equal(head, []byte{0x0a, 0x0d, 0x0d, 0x0a}) {
		src, err = pcapgo.NewNgReader(br, pcapgo.DefaultNgReaderOptions)
	} else {
		src, err = pcapgo.NewReader(br)
	}
	if err != nil {
		return nil, fmt.Errorf("story: %w", err)
	}
	if src.LinkType() != layers.LinkTypeEthernet {
		return nil, fmt.Errorf("story: its frames are %v, not Ethernet", src.LinkType())
	}
	for {
		data, info, err := src.ReadPacketData()
		if errors.Is(err, io.EOF) {
			return story, nil
		}
		if err != nil {
			return nil, fmt.Errorf("story: %w", err)
		}
		story = append(story, Packet{Time: info.Timestamp.UnixNano(), OrigLen: info.Length, Data: data})
	}
}

// shift moves a story so that it starts 10 % of span after start, and returns the time that a trace must
// cover so that another 10 % follows it. Intervals within the story do not change.
func shift(story []Packet, start, span int64) (moved []Packet, length int64) {
	if len(story) == 0 {
		return nil, 0
	}
	moved = slices.Clone(story)
	slices.SortStableFunc(moved, func(a, b Packet) int { return cmp.Compare(a.Time, b.Time) })
	by := start + span/10 - moved[0].Time
	for i := range moved {
		moved[i].Time += by
	}
	return moved, moved[len(moved)-1].Time - start + span/10
}
