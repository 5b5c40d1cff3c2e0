// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"net/netip"
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/dissect"
)

// nbEncoded returns a name as NetBIOS sends it.
func nbEncoded(name string, suffix byte) string {
	raw := name + strings.Repeat(" ", 15-len(name)) + string([]byte{suffix})
	out := []byte{32}
	for _, c := range []byte(raw) {
		out = append(out, 'A'+c>>4, 'A'+c&15)
	}
	return string(out) + "\x00"
}

func nbEntry(name string, suffix, flags byte) string {
	return name + strings.Repeat(" ", 15-len(name)) + string([]byte{suffix, flags, 0})
}

const (
	registration = "\x12\x34\x29\x10\x00\x01\x00\x00\x00\x00\x00\x01"
	answerHead   = "\x12\x34\x85\x80\x00\x00\x00\x01\x00\x00\x00\x00"
	statusHead   = "\x12\x34\x84\x00\x00\x00\x00\x01\x00\x00\x00\x00"
	nbRecord     = "\x00\x20\x00\x01"
	nbAddress    = "\xc0\x00\x02\x07"
)

func registered(name string, suffix, flags byte) string {
	return registration + nbEncoded(name, suffix) + nbRecord + "\xc0\x0c" + nbRecord + "\x00\x04\x93\xe0\x00\x06" + string([]byte{flags, 0}) + nbAddress
}

// browserDatagram returns an announcement in a datagram to the group of a domain.
func browserDatagram(op byte, name, kind, comment string) string {
	data := string([]byte{op}) + "\x00\x60\xea\x00\x00" + name + strings.Repeat("\x00", 16-len(name)) + "\x06\x01" + kind + "\x0f\x01\x55\xaa" + comment + "\x00"
	words := strings.Repeat("\x00", 22) + string([]byte{byte(len(data)), 0, 86, 0}) + "\x03\x00\x01\x00\x01\x00\x02\x00"
	smb := "\xffSMB\x25" + strings.Repeat("\x00", 27) + "\x11" + words + string([]byte{byte(len(data) + 17), 0}) + "\\MAILSLOT\\BROWSE\x00" + data
	return "\x11\x02\x00\x01" + nbAddress + "\x00\x8a\x00\xbb\x00\x00" + nbEncoded("NAS", 0) + nbEncoded("OFFICE", 0x1d) + smb
}

var netBIOSCases = map[string]struct {
	read func([]byte) *dissect.DeviceInfo
	b    string
	want *dissect.DeviceInfo
}{
	"registration":      {nbnsInfo, registered("PC1", 0, 0), &dissect.DeviceInfo{Name: "PC1", IP: netip.MustParseAddr("192.0.2.7")}},
	"workgroup":         {nbnsInfo, registered("OFFICE", 0, 0x80), nil},
	"domain controller": {nbnsInfo, registered("CORP", 0x1c, 0x80), &dissect.DeviceInfo{Class: "domain_controller", IP: netip.MustParseAddr("192.0.2.7")}},
	"master browser":    {nbnsInfo, registered("OFFICE", 0x1d, 0), nil},
	"a query":           {nbnsInfo, "\x12\x34\x01\x10\x00\x01\x00\x00\x00\x00\x00\x00" + nbEncoded("PC1", 0x20) + nbRecord, nil},
	"an answer": {nbnsInfo, answerHead + nbEncoded("PC1", 0x20) + nbRecord + "\x00\x04\x93\xe0\x00\x06\x60\x00" + nbAddress,
		&dissect.DeviceInfo{Name: "PC1", IP: netip.MustParseAddr("192.0.2.7")}},
	"a negative answer": {nbnsInfo, "\x12\x34\x85\x83\x00\x00\x00\x01\x00\x00\x00\x00" + nbEncoded("PC1", 0x20) + nbRecord + "\x00\x04\x93\xe0\x00\x06\x60\x00" + nbAddress, nil},
	"node status": {nbnsInfo, statusHead + nbEncoded("*", 0) + "\x00\x21\x00\x01\x00\x00\x00\x00\x00\x65\x03" + nbEntry("OFFICE", 0, 0x84) + nbEntry("PC1", 0, 4) + nbEntry("PC1", 0x20, 4) + chassisMAC,
		&dissect.DeviceInfo{Name: "PC1", MAC: [6]byte([]byte(chassisMAC))}},
	"node status that is cut": {nbnsInfo, statusHead + nbEncoded("*", 0) + "\x00\x21\x00\x01\x00\x00\x00\x00\x00\x65\x03" + nbEntry("PC1", 0, 4), &dissect.DeviceInfo{Name: "PC1"}},
	"registration cut":        {nbnsInfo, registered("PC1", 0, 0)[:60], nil},
	"host": {nbdgmInfo, browserDatagram(1, "NAS", "\x03\x9a\x81\x00", "Samba 4.9.5-Debian"),
		&dissect.DeviceInfo{Name: "NAS", Class: "print_server,unix,nt_server,nt_workstation,os_6.1", Description: "Samba 4.9.5-Debian"}},
	"master":                 {nbdgmInfo, browserDatagram(0x0f, "DC1", "\x2b\x80\x80\x00", ""), &dissect.DeviceInfo{Name: "DC1", Class: "domain_controller,nt_server,os_6.1"}},
	"request for a list":     {nbdgmInfo, browserDatagram(9, "PC1", "\x00\x00\x00\x00", ""), nil},
	"announcement cut":       {nbdgmInfo, browserDatagram(1, "NAS", "\x03\x9a\x81\x00", "x")[:170], nil},
	"datagram without a SMB": {nbdgmInfo, strings.Repeat("\x11", 200), nil},
}

func TestNetBIOS(t *testing.T) {
	for name, tc := range netBIOSCases {
		got := tc.read([]byte(tc.b))
		if (got == nil) != (tc.want == nil) || got != nil && *got != *tc.want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got, tc.want)
		}
	}
	if !LooksNBDGM([]byte(browserDatagram(1, "NAS", "\x03\x9a\x81\x00", "")), dissect.Ports{}) || LooksNBDGM([]byte("\x00\x00\x00\x00abcdefgh"), dissect.Ports{}) {
		t.Error("datagrams of NetBIOS are not recognized")
	}
}

func FuzzNetBIOS(f *testing.F) {
	for _, tc := range netBIOSCases {
		f.Add([]byte(tc.b))
	}
	mutate.Fuzz(f, func(t *testing.T, b []byte) {
		for _, read := range []func([]byte) *dissect.DeviceInfo{nbnsInfo, nbdgmInfo} {
			if d := read(b); d != nil && d.Name == "" && d.Class == "" {
				t.Fatalf("%+v", d)
			}
		}
	})
}
