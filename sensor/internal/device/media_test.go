// SPDX-License-Identifier: Apache-2.0

package device

import (
	"slices"
	"strconv"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/session"
)

// observed reports whether a device has evidence with this value.
func observed(d *Device, value string) bool {
	return slices.ContainsFunc(d.Evidence, func(e Evidence) bool { return e.Value == value })
}

// Four devices send video to one host. Who only takes part in a call sends and receives.
func TestVideoByRTP(t *testing.T) {
	for _, oneWay := range []bool{true, false} {
		r := New(Config{})
		receiver, _ := play(r, talk{from: "10.0.0.2", to: "10.0.0.3", fromMAC: mac(2), toMAC: mac(3), port: 80, answered: true})
		for i := range 4 {
			k := talk{from: "10.0.0." + strconv.Itoa(10+i), to: "10.0.0.2", fromMAC: mac(byte(10 + i)), toMAC: mac(2), port: 50000, proto: 17}
			sender, other := play(r, k)
			r.Fact(k.view(), &dissect.MediaFlow{Payload: 96, Video: true, OneWay: oneWay}, session.Out, sender, other, 0)
			if other != receiver {
				t.Fatalf("the receiver is %s", keyOf(other))
			}
		}
		if observed(receiver, "streams of at least 3 servers") != oneWay {
			t.Errorf("one way %v: %+v", oneWay, receiver.Evidence)
		}
	}
}

func TestVideoDescribedByRTSP(t *testing.T) {
	video := []dissect.MediaTrack{{Kind: "video", Codec: "H264"}}
	for _, tt := range []struct {
		said           dissect.MediaDescription
		client, server string // evidence
	}{
		{dissect.MediaDescription{Vendor: "Dahua", Media: video}, "", "sdp vendor Dahua"},
		{dissect.MediaDescription{Push: true, Vendor: "Dahua", Media: video}, "rtsp pushes video", ""},
		{dissect.MediaDescription{Push: true, Media: []dissect.MediaTrack{{Kind: "audio"}}}, "", ""},
	} {
		r := New(Config{})
		k := talk{from: "10.0.0.9", to: "10.0.0.7", fromMAC: mac(9), toMAC: mac(7), port: 8554, answered: true}
		client, server := play(r, k)
		r.Fact(k.view(), &tt.said, session.In, client, server, 0)
		if observed(client, "rtsp pushes video") != (tt.client != "") || observed(server, "sdp vendor Dahua") != (tt.server != "") {
			t.Errorf("%+v:\n%+v\n%+v", tt.said, client.Evidence, server.Evidence)
		}
	}
}
