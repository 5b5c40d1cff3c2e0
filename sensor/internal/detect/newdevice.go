// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"strings"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(newDeviceRule)

// newDeviceRule registers D34.
var newDeviceRule = register(registration{
	Rule: Rule{
		ID: "D34", Name: "New device", Kind: "new_device", Version: 1, Reliability: 0.2,
		Attack: join(enterprise(taInitialAccess, "T1200"), ics(icsInitialAccess, "T0864", "T0848")),
	},
	advice: map[string]steps{
		"": {
			"Find the switch port of the device and its owner.",
			"If nobody knows it, block the port.",
			"If it belongs there, add it to the inventory.",
		},
		"flood": {
			"Find the switch port from which the new addresses come.",
			"If it is one port, limit the number of MAC addresses on it.",
			"If a network was added to the mirror port, add its devices to the inventory.",
		},
	},
}, DefaultNewDeviceParams, newNewDevice)

// NewDeviceParams are the parameters of D34.
type NewDeviceParams struct {
	LearnHours int      `yaml:"learn_hours"`  // hours before any device counts as new
	MaxPerHour int      `yaml:"max_per_hour"` // alerts an hour about single devices; the rest share one alert
	Zones      []string `yaml:"zones"`        // a zone with one of these in its name is for cameras: an unlisted device there is medium
}

// DefaultNewDeviceParams returns the defaults of D34.
func DefaultNewDeviceParams() NewDeviceParams {
	return NewDeviceParams{LearnHours: 24, MaxPerHour: 50, Zones: []string{"camera", "cctv", "video"}}
}

// newDevice is D34: a device that was never seen before. If there is an inventory, an unlisted device in a zone for cameras is
// reported at once. Anything else is reported only after a day of watching, or everything would be new.
type newDevice struct {
	p         NewDeviceParams
	start     int64
	hourStart int64
	hourCount int
}

func newNewDevice(p NewDeviceParams) *newDevice {
	return &newDevice{p: p}
}

func (n *newDevice) Rule() Rule { return newDeviceRule.Rule }

func (n *newDevice) Kinds() []Kind { return []Kind{SessionOpened, LinkFact} }

func (n *newDevice) setParams(p NewDeviceParams) {
	n.p = p
}

func (n *newDevice) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{snapshot.Single("D34/1", func(c *snapshot.Codec) {
		c.Time(&n.start)
		c.Time(&n.hourStart)
		c.Int(&n.hourCount)
	})}
}

func (n *newDevice) Tick(now int64, c *Context) {}

func (n *newDevice) Observe(e *Event, c *Context) {
	if n.start == 0 {
		n.start = e.Time
	}
	n.checkDevice(e, c, e.Initiator)
	n.checkDevice(e, c, e.Responder)
}

func (n *newDevice) checkDevice(e *Event, c *Context, d *device.Device) {
	if d == nil || d.Declared || d.Noticed || c.Now-d.FirstSeen > hour {
		return
	}
	c.Devices.Notice(d)
	zone := n.cameraZone(c, d)
	if zone == "" && (c.Now-n.start < int64(n.p.LearnHours)*hour || d.FirstSeen-n.start < int64(n.p.LearnHours)*hour) {
		return
	}
	if c.Contracts.Entry(d) != nil {
		return
	}
	if c.Now-n.hourStart >= hour {
		n.hourStart, n.hourCount = c.Now, 0
	}
	n.hourCount++
	over := n.hourCount - n.p.MaxPerHour
	switch {
	case over <= 0:
		c.Emit(n.finding(c, d, zone))
	case over&(over-1) == 0:
		c.Emit(n.flood(c, over))
	}
}

// cameraZone returns the camera zone that the device is in, "" if none. Without an inventory there are no zones.
func (n *newDevice) cameraZone(c *Context, d *device.Device) string {
	if !c.Contracts.HasInventory() {
		return ""
	}
	zone := c.Contracts.Zone(d.IP())
	for _, part := range n.p.Zones {
		if part != "" && strings.Contains(strings.ToLower(zone), part) {
			return zone
		}
	}
	return ""
}

func (n *newDevice) finding(c *Context, d *device.Device, zone string) *Finding {
	f := &Finding{Rule: n.Rule(), Device: d, DeviceAddr: d.IP(), Start: d.FirstSeen, End: c.Now, Key: "new", WindowS: weekSeconds,
		Severity: Informational, Standing: true, Count: 1}
	where := "the network"
	if zone != "" {
		f.Severity, where = Medium, "the zone "+Clean(zone, 80)
	}
	f.Entities = entities(f)
	who := f.self()
	f.Title = headline("%s is new in %s", who, name{where, where})
	f.Message = fmt.Sprintf("Expected: only known devices are in %s. Seen: %s for the first time at %s.", where, who.full, clock(d.FirstSeen))
	f.Reasons = []Reason{{Code: "first_seen", Text: "no device with this identity was seen before", Weight: 0.2}}
	if d.RandomMAC {
		f.Reasons = append(f.Reasons, Reason{Code: "random_mac", Text: "its MAC address is a random one: phones change theirs, so it may be a known device", Weight: -0.1})
	}
	f.Reasons = append(f.Reasons, benign("it was bought or moved; then add it to the inventory"))
	f.Recommendation = newDeviceRule.advise("", f.Device)
	return f
}

// flood is the one finding for all devices beyond the hourly limit: invented MAC addresses must not fill the list of alerts.
func (n *newDevice) flood(c *Context, over int) *Finding {
	f := &Finding{Rule: n.Rule(), Start: n.hourStart, End: c.Now, Key: "many new devices", WindowS: daySeconds, Severity: Low, Count: max(over/2, 1)}
	f.Total = over
	f.Title = fmt.Sprintf("More than %s within an hour", Plural(n.p.MaxPerHour, "new device", "new devices"))
	f.Message = fmt.Sprintf("Expected: a few new devices a day. Seen: since %s %d more than the %d that have alerts of their own.", clock(n.hourStart), over, n.p.MaxPerHour)
	f.Reasons = []Reason{{Code: "flood", Text: "somebody may invent MAC addresses to fill tables", Weight: 0.3}, benign("a new network was connected to the mirror port")}
	f.Recommendation = newDeviceRule.advise("flood", nil)
	return f
}
