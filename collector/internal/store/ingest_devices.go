// SPDX-License-Identifier: Apache-2.0

package store

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"stillwatch/schemas"
)

// devices stores the device records of a batch that are not older than the stored ones. Devices without a record get one from their
// alert.
func (in *ingest) devices(b Batch) error {
	newest := map[string]DeviceRecord{}
	for _, r := range b.Devices {
		if old, ok := newest[r.Device.Key]; !ok || r.Device.LastSeen >= old.Device.LastSeen {
			newest[r.Device.Key] = r
		}
	}
	for _, r := range b.Devices {
		n := newest[r.Device.Key]
		if n.Device != r.Device {
			continue
		}
		r, err := in.complete(r, b)
		if err != nil {
			return err
		}
		if err := in.device(r, false); err != nil {
			return err
		}
	}
	if err := in.fromAlerts(b); err != nil {
		return err
	}
	return in.hours(b)
}

// complete fills in FirstSeen and LastOrigination of r from other records if r has none: a sensor that starts without saved state knows
// neither.
func (in *ingest) complete(r DeviceRecord, b Batch) (DeviceRecord, error) {
	if r.Device.LastOrigination != nil && r.Device.FirstSeen != 0 {
		return r, nil
	}
	d := *r.Device
	learn := func(old *schemas.Device) {
		if t := old.LastOrigination; r.Device.LastOrigination == nil && t != nil && (d.LastOrigination == nil || *t > *d.LastOrigination) {
			d.LastOrigination = t
		}
		if t := old.FirstSeen; r.Device.FirstSeen == 0 && t != 0 && (d.FirstSeen == 0 || t < d.FirstSeen) {
			d.FirstSeen = t
		}
	}
	for _, other := range b.Devices {
		if other.Device.Key == d.Key {
			learn(other.Device)
		}
	}
	err := in.each(`SELECT json FROM devices WHERE key IN (%s)`, []any{d.Key}, func(rs *sql.Rows) error {
		var line []byte
		if err := rs.Scan(&line); err != nil {
			return err
		}
		var old schemas.Device
		if json.Unmarshal(line, &old) == nil { // ignore what cannot be parsed
			learn(&old)
		}
		return nil
	})
	if err != nil || d.LastOrigination == r.Device.LastOrigination && d.FirstSeen == r.Device.FirstSeen {
		return r, err
	}
	line, err := schemas.AppendDevice(nil, &d)
	if err != nil {
		return r, fmt.Errorf("%w: %w", ErrRejected, err)
	}
	return DeviceRecord{Device: &d, JSON: line}, nil
}

// fromAlerts adds rows for devices of alerts that have none.
func (in *ingest) fromAlerts(b Batch) error {
	if len(b.Alerts) == 0 {
		return nil
	}
	missing := map[string]bool{}
	var keys []any
	for _, r := range b.Alerts {
		if k := r.Alert.Device.Key; !missing[k] {
			missing[k] = true
			keys = append(keys, k)
		}
	}
	err := in.each(`SELECT key FROM devices WHERE key IN (%s)`, keys, func(rs *sql.Rows) error {
		var k string
		err := rs.Scan(&k)
		delete(missing, k)
		return err
	})
	if err != nil {
		return err
	}
	for _, r := range b.Alerts {
		if !missing[r.Alert.Device.Key] {
			continue
		}
		delete(missing, r.Alert.Device.Key)
		d := deviceOf(r.Alert)
		line, err := schemas.AppendDevice(nil, d)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrRejected, err)
		}
		if err := in.device(DeviceRecord{Device: d, JSON: line}, true); err != nil {
			return err
		}
	}
	return nil
}

// deviceOf returns a device record made from an alert.
func deviceOf(a *schemas.Alert) *schemas.Device {
	d := &schemas.Device{
		Schema: schemas.DeviceSchema, Key: a.Device.Key, MAC: a.Device.MAC, Vendor: a.Device.Vendor, Model: a.Device.Model,
		Role: a.Device.Role, RoleLevel: "unknown", Evidence: a.Device.Evidence, Expect: a.Device.Expect,
		FirstSeen: a.Time.EventStart, LastSeen: a.Time.EventEnd,
	}
	if a.Device.IP.IsValid() {
		d.IPs = []netip.Addr{a.Device.IP}
	}
	if a.Device.VLAN != nil {
		d.VLANs = []uint16{*a.Device.VLAN}
	}
	if d.Role == "" {
		d.Role = "unknown"
	}
	if d.Expect == "" {
		d.Expect = "normal"
	}
	return d
}

// device upserts one row. A device record replaces a row made from an alert, and a record that is not newer.
func (in *ingest) device(r DeviceRecord, fromAlert bool) error {
	d := r.Device
	res, err := in.exec(deviceUpsert, d.Key, in.change+1, fromAlert, d.LastSeen, d.Role, d.Expect, deviceWords(d), r.JSON)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	in.change++
	if !fromAlert {
		in.applied.Devices++
	}
	return nil
}

const deviceUpsert = `INSERT INTO devices (key, change, from_alert, last_seen, role, expect, text, json) VALUES (?,?,?,?,?,?,?,?)
	ON CONFLICT (key) DO UPDATE SET change = excluded.change, from_alert = excluded.from_alert, last_seen = excluded.last_seen,
	role = excluded.role, expect = excluded.expect, text = excluded.text, json = excluded.json
	WHERE (devices.from_alert AND NOT excluded.from_alert)
	OR (NOT excluded.from_alert AND excluded.last_seen >= devices.last_seen AND excluded.json <> devices.json)`

// deviceWords returns the text of a device for searches, limited in length.
func deviceWords(d *schemas.Device) string {
	const most = 2 << 10
	parts := []string{d.Key, d.Vendor, d.Model, d.Firmware, d.Role}
	if d.MAC != (schemas.MAC{}) {
		parts = append(parts, d.MAC.String())
	}
	for _, a := range d.IPs {
		parts = append(parts, a.String())
	}
	s := strings.ToLower(strings.Join(append(parts, d.Hostnames...), "\n"))
	return strings.ToValidUTF8(s[:min(len(s), most)], "")
}

// hours records the times at which devices are known to have opened sessions, for the activity chart.
func (in *ingest) hours(b Batch) error {
	r := rows{head: `INSERT OR FAIL INTO device_hours (device, hour, at)`, tail: `ON CONFLICT DO NOTHING`, width: 3}
	for _, d := range b.Devices {
		if t := d.Device.LastOrigination; t != nil {
			r.add(d.Device.Key, hourOf(*t), *t)
		}
	}
	for _, a := range b.Alerts {
		if opened(a.Alert) {
			r.add(a.Alert.Device.Key, hourOf(a.Alert.Session.Start), a.Alert.Session.Start)
		}
	}
	return in.insert(&r)
}

// opened reports whether the device of an alert opened its session.
func opened(a *schemas.Alert) bool {
	if a.Session == nil {
		return false
	}
	from := a.Session.Initiator
	return a.Device.IP.IsValid() && from.IP == a.Device.IP || from.MAC != (schemas.MAC{}) && from.MAC == a.Device.MAC && !a.Device.IP.IsValid()
}

// hourOf returns the start of the hour of t.
func hourOf(t schemas.Time) schemas.Time {
	const hour = schemas.Time(3600 * 1e9)
	return t - (t%hour+hour)%hour
}
