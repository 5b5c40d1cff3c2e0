// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"stillwatch/schemas"
)

// kept is a packet that is evidence. Several alerts can share it.
type kept struct {
	held
	data []byte
}

func keep(h *held, data []byte) *kept { return &kept{*h, slices.Clone(data)} }

// job collects the evidence of one alert.
type job struct {
	Alert
	packets     []*kept
	bytes       int
	leftOut     int    // further packets for which there was no room
	overwritten uint64 // packets of the device that were no longer held
}

// Start collects the evidence of an alert: what is held, and what comes until Finish returns it. It reports false if too many alerts wait,
// or if the device is not followed.
func (r *Recorder) Start(a Alert) bool {
	f := r.devices[a.Device]
	if f == nil || len(r.jobs) >= maxJobs {
		r.stats.Refused++
		return false
	}
	j := &job{Alert: a}
	if f.lostAt >= a.Now-around && f.overwritten > 0 {
		j.overwritten = f.overwritten
	}
	r.gather(j, f)
	r.jobs = append(r.jobs, j)
	f.jobs = append(f.jobs, j)
	if a.HasSession && a.App != "" {
		if x := &r.flows[a.Flow%flowSlots]; x.hash != a.Flow {
			*x = flow{hash: a.Flow, shown: shownOf(a.App)} // its packets were not seen before; from is 0
		}
	}
	return true
}

// gather takes the packets from before the alert: of the session the first and the latest, of the device the latest.
func (r *Recorder) gather(j *job, f *followed) {
	var session, other []*held // the latest first
	r.ring.walk(f.id, f.last, func(h *held) bool {
		switch {
		case j.HasSession && h.flow == j.Flow:
			if h.num >= j.First {
				session = append(session, h)
			}
		case h.time >= j.Now-around:
			other = append(other, h)
		case !j.HasSession || h.num < j.First:
			return false
		}
		return true
	})
	if peer := r.byAddr[j.Peer]; j.HasSession && len(session) == 0 && peer != nil && peer != f { // the device was not followed before
		r.ring.walk(peer.id, peer.last, func(h *held) bool {
			if h.flow == j.Flow && h.num >= j.First {
				session = append(session, h)
			}
			return h.num >= j.First
		})
	}
	if n := len(session) - beforeSession; n > 0 {
		j.leftOut += n
		half := beforeSession / 2
		session = slices.Delete(session, half, half+n)
	}
	room := beforeDevice + beforeSession - len(session)
	if n := len(other) - room; n > 0 {
		j.leftOut += n
		other = other[:room]
	}
	for _, h := range append(session, other...) {
		j.take(keep(h, r.ring.bytes(h)))
	}
}

// take adds a packet if there is room.
func (j *job) take(k *kept) {
	if len(j.packets) >= MaxPackets || j.bytes+blockSize(len(k.data)) > MaxBytes-headRoom {
		j.leftOut++
		return
	}
	j.packets = append(j.packets, k)
	j.bytes += blockSize(len(k.data))
}

// wants reports whether a packet that was captured now is evidence.
func (j *job) wants(h *held) bool { return h.time <= j.Now+around }

// after adds a packet that was captured after the alert.
func (j *job) after(k *kept, h *held) {
	if j.wants(h) {
		j.take(k)
	}
}

// Finish returns the evidence of the alerts whose time is over at now, in the order of the alerts. all ends those that wait, too.
func (r *Recorder) Finish(now int64, all bool) (files []*File) {
	n := 0
	for ; n < len(r.jobs) && (all || r.jobs[n].Now+around < now); n++ {
		j := r.jobs[n]
		if f := r.devices[j.Device]; f != nil {
			f.jobs = slices.DeleteFunc(f.jobs, func(x *job) bool { return x == j })
		}
		if len(j.packets) > 0 {
			files = append(files, r.file(j))
			r.stats.Files++
		}
	}
	r.jobs = slices.Delete(r.jobs, 0, n)
	return files
}

// file writes the evidence of an alert.
func (r *Recorder) file(j *job) *File {
	slices.SortFunc(j.packets, func(a, b *kept) int { return cmp.Compare(a.num, b.num) })
	ofSession, cut, hidden := 0, 0, 0
	w := newWriter()
	for _, k := range j.packets {
		var notes []string
		if j.HasSession && k.flow == j.Flow {
			ofSession++
			if k.num == j.First {
				notes = append(notes, "the session of the alert begins here")
			}
		}
		if k.num == j.Num {
			notes = append(notes, "the alert was decided with this packet")
		}
		if k.captured < k.orig {
			cut++
			notes = append(notes, fmt.Sprintf("head only: %d of %d bytes were captured", k.captured, k.orig))
		}
		if k.hidden != nothingHidden {
			hidden++
			notes = append(notes, k.hidden.String())
		}
		if len(notes) > 0 {
			notes = append([]string{fmt.Sprintf("packet %d", k.num)}, notes...)
		}
		w.packet(k.link, k.time, k.orig, k.data, strings.Join(notes, "; "))
	}
	lines := j.lines(ofSession, cut, hidden)
	data := w.bytes(strings.Join(append([]string{schemas.EvidenceTitle(j.ID) + " rule " + j.Rule + " " + j.Name}, lines...), "\n"))
	sum := sha256.Sum256(data)
	return &File{Alert: j.ID, At: j.Now, SHA256: hex.EncodeToString(sum[:]), Data: data, Packets: len(j.packets), Summary: strings.Join(lines, "; ")}
}

// lines describe what a file has and what it lacks.
func (j *job) lines(ofSession, cut, hidden int) []string {
	lines := []string{fmt.Sprintf("%s of the device, at most %d bytes of each", plural(len(j.packets), "packet"), snapLen)}
	add := func(n uint64, format string) {
		if n > 0 {
			lines = append(lines, fmt.Sprintf(format, plural(int(n), "packet")))
		}
	}
	if j.HasSession {
		lines = append(lines, fmt.Sprintf("%s of the session; it had %d when the alert was decided", plural(ofSession, "packet"), j.Counted))
	}
	add(uint64(j.leftOut), fmt.Sprintf("left out: %%s, because a file has at most %d packets and %d KiB", MaxPackets, MaxBytes>>10))
	add(j.overwritten, "no longer held: %s from before")
	add(uint64(cut), "captured in part only: %s")
	add(uint64(hidden), "bytes that may be secret are overwritten with x in %s")
	return lines
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// shown returns what is shown of a packet of a flow at a time.
func (r *Recorder) shown(hash uint64, at int64) shown {
	if f := &r.flows[hash%flowSlots]; f.hash == hash && at >= f.from {
		return f.shown
	}
	return shownUnknown
}
