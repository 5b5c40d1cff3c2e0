// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"stillwatch/schemas"
	"stillwatch/sensor/internal/alert"
	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
)

// scanStep bounds the devices that are scanned in one second, which takes about ten milliseconds.
const scanStep = 2000

// deviceScan goes through the devices of a live run once a minute, a part of them every second. It counts them, and writes the records of those
// that have changed.
type deviceScan struct {
	due     []*device.Device
	minute  int64
	written map[uint32]writtenState // by device, in the previous pass
	now     map[uint32]writtenState // by device, in this pass
	silent  uint64
	spoke   uint64
}

// writtenState is what determines whether the record of a device is written again: its version, and for a device whose silence is proven, the last hour
// in which it did something, and the day.
type writtenState struct{ version, hour, day uint32 }

// scanCounts is the result of the last complete pass.
type scanCounts struct{ silent, spoke uint64 }

// scanDevices scans the devices that are due, and at once those that got another role, vendor or model: nobody should wait for a pass over all
// devices to learn what a new one is.
func (c *correlator) scanDevices(sec int64) {
	s := &c.scan
	for _, d := range c.reg.Reclassified() {
		if state := c.stateOf(d); s.written[d.ID] != state {
			c.writeDevice(d)
			s.note(d, state)
		}
	}
	if len(s.due) == 0 {
		if sec/60 == s.minute {
			return
		}
		s.due, s.minute = c.reg.All(), sec/60
		s.now, s.silent, s.spoke = make(map[uint32]writtenState, len(s.due)), 0, 0
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

// note records what was written of a device, for this pass and the next.
func (s *deviceScan) note(d *device.Device, state writtenState) {
	for _, m := range [...]*map[uint32]writtenState{&s.written, &s.now} {
		if *m == nil {
			*m = map[uint32]writtenState{}
		}
		(*m)[d.ID] = state
	}
}

// stateOf returns what determines whether the record of a device is written again.
func (c *correlator) stateOf(d *device.Device) writtenState {
	state := writtenState{version: d.Version}
	if e, _ := c.contracts.Expect(d, c.ctx.Now); e != contract.Normal {
		// The devices have different days, so that their records are not all written at midnight.
		state.hour, state.day = c.reg.LastActive(d), uint32((c.ctx.Now/60e9+int64(d.ID%1440))/1440)
	}
	return state
}

func (c *correlator) scanDevice(d *device.Device) {
	s := &c.scan
	if e, _ := c.contracts.Expect(d, c.ctx.Now); e == contract.Silent || e == contract.ServerOnly {
		s.silent++
	}
	if c.counts.spoke[d.Key] {
		s.spoke++
	}
	state := c.stateOf(d)
	if before, known := s.written[d.ID]; !known || before != state {
		c.writeDevice(d)
	}
	s.now[d.ID] = state
}

// writeDevice writes the record of a device.
func (c *correlator) writeDevice(d *device.Device) {
	if c.out.Device != nil && c.failed == nil {
		r := c.deviceRecord(d)
		c.check(c.out.Device(&r))
	}
}

// deviceRecord returns the record of a device.
func (c *correlator) deviceRecord(d *device.Device) schemas.Device {
	r := alert.DeviceRecord(d, c.contracts, c.ctx.Now, c.alerts.Standing(d.Key)...)
	if c.expectsLittle(d) {
		p := c.reg.Proof(d, c.ctx.Now)
		r.Silence = alert.Silence(&p, c.ctx.Now)
	}
	return r
}
