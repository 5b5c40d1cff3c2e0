// SPDX-License-Identifier: Apache-2.0

// Package announce is what the dissectors of discovery protocols share: reading datagrams in which devices describe themselves and clients
// change them, and cleaning what they say.
package announce

import (
	"cmp"
	"hash/maphash"
	"time"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/parse"
)

// Protocol reads the datagrams of one discovery protocol.
type Protocol struct {
	// Info returns what a device says about itself in a datagram, nil if it says nothing. The protocol is Name, unless it
	// says another.
	Info func(b []byte) *dissect.DeviceInfo
	// Action returns what a client asks a device to do in a datagram, nil if it only searches. It is nil if the protocol changes nothing.
	Action func(b []byte) *dissect.DeviceAction
	Name   string
}

// Bounds of a session. Announcements repeat themselves, so a few of them are enough. A tool that has searched for a while may change a device
// later, so requests are read for longer.
const (
	MaxInfos   = 16
	MaxActions = 1024
)

// recent is how many announcements are compared with the next one.
const recent = 4

// datagrams reads one session.
type datagrams struct {
	protocol     *Protocol
	infos, count int
	known        [recent]uint64 // hashes of the last announcements
}

// New returns a dissector of p.
func (p *Protocol) New() dissect.Datagrams { return &datagrams{protocol: p} }

// hashSeed makes the hashes of this run. Only their equality matters.
var hashSeed = maphash.MakeSeed()

// Datagram reports what a datagram says. One that repeats a recent announcement is not read again.
func (d *datagrams) Datagram(_ int, data []byte, sink dissect.Sink) bool {
	d.count++
	if d.infos < MaxInfos && d.isNew(data) {
		if info := d.protocol.Info(data); info != nil {
			info.Protocol = cmp.Or(info.Protocol, d.protocol.Name)
			d.infos++
			sink(info)
			return d.more()
		}
	}
	if d.protocol.Action != nil {
		if action := d.protocol.Action(data); action != nil {
			action.Protocol = d.protocol.Name
			sink(action)
		}
	}
	return d.more()
}

// more reports whether the session is read on.
func (d *datagrams) more() bool {
	if d.protocol.Action != nil {
		return d.count < MaxActions
	}
	return d.count < MaxInfos
}

// isNew reports whether a datagram differs from the last ones, and keeps it for the next ones.
func (d *datagrams) isNew(data []byte) bool {
	h := maphash.Bytes(hashSeed, data)
	for _, k := range d.known {
		if k == h {
			return false
		}
	}
	d.known[d.count%recent] = h
	return true
}

// maxText is the longest text of an announcement that is kept, in bytes.
const maxText = 128

// Text returns a text of an announcement that is safe in a record.
func Text(b []byte) string { return parse.CleanText(parse.CString(b), maxText) }

// JSONText is Text for a JSON string with its escapes.
func JSONText(b []byte) string {
	var room [4 * maxText]byte
	return Text(parse.UnescapeJSON(room[:0], b))
}

// BuildDate returns the date of a firmware build in the text of its version, as in "V5.6.2build 190701", "2.800.0.R, Build Date: 2020-03-20"
// and "2019-07-01 10:20:30", in the form 2019-07-01; "" if there is none. Other numbers of a version are no date.
func BuildDate(version []byte) string {
	if i := parse.FoldIndex(version, "build"); i >= 0 {
		return Date(version[i+len("build"):])
	}
	if len(version) < len(time.DateOnly) || version[4] != '-' {
		return ""
	}
	return Date(version[:len(time.DateOnly)])
}

// Date returns the first date in a text as "2019-12-15", or "" if there is none: "2019-12-15 10:02:11", "20191215", "191215" (Hikvision),
// "Dec 15 2019 10:02" (Axis).
func Date(text []byte) string {
	s := parse.CleanText(text, maxText)
	for _, layout := range [...]string{time.DateOnly, "20060102", "Jan 02 2006", "Jan _2 2006", "060102"} {
		for i := 0; i+len(layout) <= len(s); i++ {
			if i > 0 && isWord(s[i-1]) || i+len(layout) < len(s) && isWord(s[i+len(layout)]) {
				continue
			}
			if t, err := time.Parse(layout, s[i:i+len(layout)]); err == nil && t.Year() >= 2000 {
				return t.Format(time.DateOnly)
			}
		}
	}
	return ""
}

func isWord(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// Time reads a date and a time without a zone as UTC. It returns the zero time if b is none, or a date before 2000: the clock of the device
// was not set.
func Time(b []byte) time.Time {
	t, err := time.Parse(time.DateTime, string(b[:min(len(b), len(time.DateTime))]))
	if err != nil || t.Year() < 2000 {
		return time.Time{}
	}
	return t
}
