// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"stillwatch/sensor/internal/alert"
	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
)

// scanStep bounds the devices that are scanned in one second, which takes about ten milliseconds.
const scanStep = 2000

// deviceScan goes through the devices of a live run once a minute, a part of them each second. It counts them, and writes the records of those
// that have changed.
type deviceScan struct {
	due     []*device.Device
	minute  int64
	written map[uint32]uint32 // version by device, in the previous pass
	now     map[uint32]uint32 // version by device, in this pass
	silent  uint64
	spoke   uint64
}

// scanCounts is the result of the last complete pass.
type scanCounts struct{ silent, spoke uint64 }

// scanDevices scans the devices that are due.
func (c *correlator) scanDevices(sec int64) {
	s := &c.scan
	if len(s.due) == 0 {
		if sec/60 == s.minute {
			return
		}
		s.due, s.minute = c.reg.All(), sec/60
		s.now, s.silent, s.spoke = make(map[uint32]uint32, len(s.due)), 0, 0
	}
	n := min(len(s.due), scanStep)
	for _, d := range s.due[:n] {
		c.scanDevice(d)
	}
	if s.due = s.due[n:]; len(s.due) == 0 {
		s.due, s.written = nil, s.now
		c.counts.scan = scanCounts{s.silent, s.spoke}
	}
}

func (c *correlator) scanDevice(d *device.Device) {
	s := &c.scan
	if e, _ := c.contracts.Expect(d, c.ctx.Now); e == contract.Silent || e == contract.ServerOnly {
		s.silent++
	}
	if c.counts.spoke[d.Key] {
		s.spoke++
	}
	version, known := s.written[d.ID]
	if c.out.Device != nil && c.failed == nil && (!known || version != d.Version) {
		r := alert.DeviceRecord(d, c.contracts, c.ctx.Now, c.alerts.Standing(d.Key)...)
		c.check(c.out.Device(&r))
	}
	s.now[d.ID] = d.Version
}
