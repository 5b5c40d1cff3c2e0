// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"time"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
)

// columns are the columns of a CSV file, in the order of an export. The names are those of NetBox (netbox/dcim/forms/bulk_import.py and the
// fields of its API); what NetBox does not have are custom fields, cf_….
var columns = []string{
	"name", "role", "manufacturer", "device_type", "serial", "site", "location", "status", "tenant", "primary_ip4", "primary_ip6", "mac_address",
	"comments", "tags", "cf_match", "cf_expect", "cf_criticality", "cf_allow", "cf_maintenance",
}

// aliases are other names of columns, in lower case with underscores: those of NetBox's own exports, and common ones.
var aliases = map[string]string{
	"type": "device_type", "model": "device_type", "vendor": "manufacturer", "owner": "tenant", "serial_number": "serial", "description": "comments",
	"ipv4_address": "primary_ip4", "ip_address": "primary_ip4", "ipv6_address": "primary_ip6", "mac": "mac_address", "match": "cf_match",
	"expect": "cf_expect", "criticality": "cf_criticality", "allow": "cf_allow", "maintenance": "cf_maintenance",
}

// Export writes the devices of an inventory as CSV. Import with the same inventory as base restores it.
func Export(out io.Writer, inv *contract.Inventory) error {
	w := csv.NewWriter(out)
	if err := w.Write(columns); err != nil {
		return err
	}
	for i := range inv.Devices {
		row := exportRow(inv, &inv.Devices[i])
		cells := make([]string, len(columns))
		for c, name := range columns {
			cells[c] = armor(row[name])
		}
		if err := w.Write(cells); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

func exportRow(inv *contract.Inventory, e *contract.Entry) map[string]string {
	row := map[string]string{"name": e.Name, "site": inv.Site, "status": "active", "tenant": e.Owner, "cf_criticality": e.Criticality}
	if e.HasExpect {
		row["cf_expect"] = e.Expect.String()
	}
	m := &e.Match
	switch {
	case !m.MAC.IsZero():
		row["mac_address"] = m.MAC.String()
	case m.IP.Is4():
		row["primary_ip4"] = m.IP.String() + "/32"
	case m.IP.IsValid():
		row["primary_ip6"] = m.IP.String() + "/128"
	case m.Prefix.IsValid():
		row["cf_match"] = "prefix " + m.Prefix.String()
	case m.Vendor != "":
		row["cf_match"] = "vendor " + m.Vendor
	case m.Role != device.Unknown:
		row["cf_match"] = "role " + m.Role.String()
	}
	var allow, windows []string
	for i := range e.Allow {
		allow = append(allow, e.Allow[i].Text)
	}
	for i := range e.Maintenance {
		windows = append(windows, windowText(&e.Maintenance[i]))
	}
	row["cf_allow"], row["cf_maintenance"] = strings.Join(allow, "; "), strings.Join(windows, "; ")
	return row
}

// weekdays are the days as the inventory names them, by time.Weekday.
var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// noDay stands for an empty list of days.
const noDay = "none"

// windowText returns a maintenance window as a cell has it: "sun,mon 02:00-04:00 Europe/Berlin".
func windowText(w *contract.Window) string {
	var days []string
	for i, on := range w.Days {
		if on {
			days = append(days, weekdays[i])
		}
	}
	if len(days) == 0 {
		days = []string{noDay}
	}
	zone := w.Zone
	if zone == nil {
		zone = time.UTC
	}
	return fmt.Sprintf("%s %s-%s %s", strings.Join(days, ","), clock(w.From), clock(w.To), zone)
}

func clock(minutes int) string { return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60) }

// formula has the characters with which a spreadsheet begins a formula (OWASP, CSV injection).
const formula = "=+-@\t\r\n|%"

// armor puts an apostrophe in front of a cell that a spreadsheet would take for a formula, and of one that looks as if it had one already.
func armor(s string) string {
	if armored(s) {
		return "'" + s
	}
	return s
}

// unarmor undoes armor.
func unarmor(s string) string {
	if rest, ok := strings.CutPrefix(s, "'"); ok && armored(rest) {
		return rest
	}
	return s
}

func armored(s string) bool {
	rest := strings.TrimLeft(s, "' ")
	return rest != "" && strings.IndexByte(formula, rest[0]) >= 0
}
