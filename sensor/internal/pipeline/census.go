// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"stillwatch/sensor/internal/alert"
	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
)

// censusStep bounds the devices that are looked at in one second: some ten milliseconds.
const censusStep = 2000

// census goes through the devices of a live run once a minute, some each second: it counts them, and tells of those that have changed.
type census struct {
	due    []*device.Device
	minute int64
	told   map[uint32]uint32 // version by device, of the pass before
	now    map[uint32]uint32 // of this pass
	silent uint64
	spoke  uint64
}

// censusCounts are those of the last whole pass.
type censusCounts struct{ silent, spoke uint64 }

// count looks at the devices whose turn it is.
func (j *judge) count(sec int64) {
	c := &j.census
	if len(c.due) == 0 {
		if sec/60 == c.minute {
			return
		}
		c.due, c.minute = j.reg.All(), sec/60
		c.now, c.silent, c.spoke = make(map[uint32]uint32, len(c.due)), 0, 0
	}
	n := min(len(c.due), censusStep)
	for _, d := range c.due[:n] {
		j.counted(d)
	}
	if c.due = c.due[n:]; len(c.due) == 0 {
		c.due, c.told = nil, c.now
		j.tally.census = censusCounts{c.silent, c.spoke}
	}
}

func (j *judge) counted(d *device.Device) {
	c := &j.census
	if e, _ := j.book.Expect(d, j.ctx.Now); e == contract.Silent || e == contract.ServerOnly {
		c.silent++
	}
	if j.tally.spoke[d.Key] {
		c.spoke++
	}
	version, known := c.told[d.ID]
	if j.out.Device != nil && j.failed == nil && (!known || version != d.Version) {
		r := alert.DeviceRecord(d, j.book, j.ctx.Now, j.alerts.Standing(d.Key)...)
		j.check(j.out.Device(&r))
	}
	c.now[d.ID] = d.Version
}
