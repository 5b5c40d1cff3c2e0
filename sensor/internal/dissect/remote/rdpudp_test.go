// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"bytes"
	"encoding/binary"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

func RDPSYN(flags uint16) []byte {
	b := make([]byte, 1232)
	copy(b, "\xff\xff\xff\xff\x00\x40")
	binary.BigEndian.PutUint16(b[6:], flags)
	copy(b[8:], "\x11\x22\x33\x44\x04\xd0\x04\xd0")
	return b
}

func TestRDPUDPRecognition(t *testing.T) {
	if !LooksRDPUDP(RDPSYN(1), dissect.Ports{}) || LooksRDPUDP(RDPSYN(4), dissect.Ports{}) || LooksRDPUDP(RDPSYN(1)[:1000], dissect.Ports{}) || LooksRDPUDP(bytes.Repeat([]byte{0xff}, 1232), dissect.Ports{}) {
		t.Error("the SYN is recognized wrongly")
	}
}

// FuzzRDPUDP feeds any datagrams: the dissector neither fails nor reads without end.
func FuzzRDPUDP(f *testing.F) {
	f.Add(append(dissecttest.Chunk(turn{Dir: 0, Data: string(RDPSYN(1))}), dissecttest.Chunk(turn{Dir: 1, Data: "\x11\x22\x33\x44\x00\x40\x00\x0c" + string(dissecttest.ServerHello)})...))
	dissecttest.FuzzDatagrams(f, NewRDPUDP, 64)
}
