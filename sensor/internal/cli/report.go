// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"stillwatch/internal/buildinfo"
	"stillwatch/schemas"
	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/pipeline"
	"stillwatch/sensor/internal/terminal"
)

type reportCmd struct {
	captures
	JSON     bool   `name:"json" help:"Write one JSON object for each device instead of text."`
	State    string `help:"Continue from the saved state in FILE, with its contracts; the file stays as it is." placeholder:"FILE" type:"path"`
	IdleDays int    `help:"Ask whether a device is still needed that opened nothing for so many days." default:"7" placeholder:"N"`
}

// Help returns examples.
func (reportCmd) Help() string {
	return `The report is for the periodic check of devices that should open little, and of all with a standing finding: when each opened its last
session, what it serves and to whom, where it broke its contract, how old its firmware is, and what to decide (D43).

Examples:

    stillwatch-sensor report --inventory site.yaml week.pcap
    stillwatch-sensor report --json --idle-days 30 --inventory site.yaml month-*.pcap.zst`
}

// Run writes the report.
func (c *reportCmd) Run(t *terminal.Terminal, b buildinfo.Info) error {
	if c.IdleDays < 1 || c.IdleDays > 90 {
		return badUsage(fmt.Errorf("--idle-days: %d is not between 1 and 90", c.IdleDays))
	}
	cfg, err := c.load(b.Version)
	if err != nil {
		return badUsage(err)
	}
	done, err := continueFrom(t, c.State, &cfg)
	if err != nil {
		return err
	}
	defer done()
	s, src, err := readCaptures(t, c.Captures)
	if err != nil {
		return err
	}
	defer s.stop()
	defer src.Close()
	x := &review{idle: int64(c.IdleDays) * 24 * 3600, inventory: cfg.Inventory, alerts: map[string]*schemas.Alert{}}
	r, err := pipeline.New(cfg, src, pipeline.Output{Alert: x.alert, Device: x.device})
	if err != nil {
		return badUsage(err)
	}
	end := run(r, src, s, t, t.CanRepaint() && t.OutTTY)
	var fault *pipeline.PanicError
	if errors.As(end.err, &fault) {
		return crash(fault)
	}
	if end.err == nil {
		end.err = x.write(t, c.JSON)
	}
	return verdict(end.err, end.signal, r.Summary().Damage)
}

// review collects what the report says.
type review struct {
	idle      int64 // seconds
	inventory *contract.Inventory
	alerts    map[string]*schemas.Alert // last revisions, by id
	devices   []*schemas.Device
}

func (x *review) alert(a *schemas.Alert) error {
	x.alerts[a.ID] = a
	return nil
}

// device takes the devices that are to be checked: those that are not expected to open any session, those with a standing finding other than that they
// are new, and those whose contract refuses sessions without an alert.
func (x *review) device(d *schemas.Device) error {
	lasting := slices.ContainsFunc(d.Findings, func(f schemas.DeviceFinding) bool { return f.Kind != "new_device" })
	refuses := d.Contract != nil && d.Contract.Refused != nil
	if d.Silence != nil || lasting || refuses {
		x.devices = append(x.devices, d)
	}
	return nil
}

// reviewed is what the report says about one device.
type reviewed struct {
	Device      *schemas.Device `json:"device"`
	Owner       string          `json:"owner,omitempty"`
	Criticality string          `json:"criticality,omitempty"`
	Exposed     []string        `json:"exposed"`         // ports on which it answered hosts outside: "tcp/80 http"
	Broken      []string        `json:"contract_broken"` // titles of the alerts about sessions outside its contract
	Alerts      map[string]int  `json:"alerts"`          // by severity, without those that another one explains
	Decide      []string        `json:"decide"`          // what its owner should decide
}

func (x *review) write(t *terminal.Terminal, asJSON bool) error {
	if len(x.devices) == 0 && !asJSON {
		_, err := fmt.Fprintln(t.Out, "no device to check: none is expected to be silent, and none has a standing finding")
		return err
	}
	about := x.byDevice()
	enc := json.NewEncoder(t.Out)
	for i, d := range x.devices {
		r := x.review(d, about[d.Key])
		var err error
		switch {
		case asJSON:
			err = enc.Encode(r)
		default:
			_, err = fmt.Fprint(t.Out, strings.Repeat("\n", min(i, 1))+r.text(t))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// byDevice returns the alerts about each device in the order of their times, without those that another one explains.
func (x *review) byDevice() map[string][]*schemas.Alert {
	all := map[string][]*schemas.Alert{}
	for _, id := range slices.Sorted(maps.Keys(x.alerts)) {
		if a := x.alerts[id]; a.AbsorbedBy == "" {
			all[a.Device.Key] = append(all[a.Device.Key], a)
		}
	}
	for _, list := range all {
		slices.SortStableFunc(list, func(a, b *schemas.Alert) int { return int(min(max(a.Time.EventStart-b.Time.EventStart, -1), 1)) })
	}
	return all
}

func (x *review) review(d *schemas.Device, alerts []*schemas.Alert) *reviewed {
	r := &reviewed{Device: d, Exposed: []string{}, Broken: []string{}, Alerts: map[string]int{}, Decide: []string{}}
	if x.inventory != nil {
		for i := range x.inventory.Devices {
			if e := &x.inventory.Devices[i]; e.Name == d.Key {
				r.Owner, r.Criticality = e.Owner, e.Criticality
			}
		}
	}
	for _, s := range d.Serves {
		if s.External {
			r.Exposed = append(r.Exposed, strings.TrimSpace(fmt.Sprintf("%s/%d %s", s.Proto, s.Port, s.App)))
		}
	}
	for _, a := range alerts {
		r.Alerts[a.Severity]++
		if a.Device.Contract != "" {
			r.Broken = append(r.Broken, a.Title)
		}
	}
	r.decide(x.idle)
	if d.Contract != nil && d.Contract.Proposed > 0 {
		r.Decide = append(r.Decide, "Are the proposed entries of its contract wanted? 'contract review' lists them.")
	}
	return r
}

// quietSince returns when a device opened its last session, or when it was first seen.
func quietSince(d *schemas.Device) schemas.Time {
	if d.LastOrigination != nil {
		return *d.LastOrigination
	}
	return d.FirstSeen
}

// oldFirmware is the age from which on firmware is asked about; D33 reports it.
const oldFirmware = 3 * 365 * 24 * time.Hour

// decide says what the owner of the device should decide.
func (r *reviewed) decide(idle int64) {
	d := r.Device
	if s := d.Silence; s != nil && s.SilentSeconds == s.WatchedSeconds && int64(s.Until-quietSince(d))/1e9 >= idle {
		switch {
		case s.SessionsAnswered == 0:
			r.Decide = append(r.Decide, "It opened no session and answered none. Is it still needed? If not, take it away.")
		case d.Expect == "silent":
			r.Decide = append(r.Decide, "It opened no session, and only answered. Is it still needed? If not, take it away.")
		}
	}
	if len(r.Exposed) > 0 {
		r.Decide = append(r.Decide, "Must hosts outside reach "+strings.Join(r.Exposed, ", ")+"?")
	}
	if built, err := time.Parse(time.DateOnly, d.FirmwareDate); err == nil && time.Unix(0, int64(d.LastSeen)).Sub(built) > oldFirmware {
		r.Decide = append(r.Decide, "Can its firmware be updated? If the vendor has none, replace it or keep it apart.")
	}
	if len(r.Broken) > 0 {
		r.Decide = append(r.Decide, "Are the sessions outside its contract wanted? Add them to the inventory, or investigate.")
	}
	if r.Owner == "" {
		r.Decide = append(r.Decide, "Who owns it? Name the owner in the inventory.")
	}
}
