// SPDX-License-Identifier: Apache-2.0

package device

import (
	"slices"

	"stillwatch/sensor/internal/device/evidence"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/packet"
)

// mediaDescription weighs a description of media in RTSP. A client that pushes video is a camera or an encoder.
func (r *Registry) mediaDescription(f *dissect.MediaDescription, client, server *Device, now int64) {
	video := slices.ContainsFunc(f.Media, func(t dissect.MediaTrack) bool { return t.Kind == "video" })
	switch {
	case f.Push && video:
		r.say(client, evidence.Serves, "rtsp pushes video", now)
	case !f.Push && f.Vendor != "":
		r.say(server, evidence.Banner, "sdp vendor "+f.Vendor, now)
	}
}

// mediaFlow counts the senders of video that goes one way, other than between partners of a call: who takes it from several is a recorder or a
// platform, as with RTSP.
func (r *Registry) mediaFlow(f *dissect.MediaFlow, from packet.Addr, receiver *Device, now int64) {
	if f.Video && f.OneWay {
		r.pullsFrom(receiver, from, now)
	}
}
