// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/lifecycle"
	"stillwatch/sensor/internal/session"
)

// firmware compares the device with the tables of releases and of exploited vulnerabilities, and the day of its firmware with today.
func (u *unmaintained) firmware(e *Event, c *Context, d *device.Device) {
	now := time.Unix(0, c.Now).UTC()
	what := Clean(strings.TrimSpace(d.Vendor+" "+d.Model), 60)
	day := builtOn(d)
	if built, err := time.Parse(time.DateOnly, day); err == nil {
		version := "its firmware " + Clean(d.Firmware, 40)
		switch {
		case !now.Before(built.AddDate(u.p.VeryOldYears, 0, 0)):
			u.report(e, c, d, flaw{"firmware_age", "", "its firmware is of " + day,
				fmt.Sprintf("%s was built on %s, more than %d years before", version, day, u.p.VeryOldYears), onDevice(d)})
		case !now.Before(built.AddDate(u.p.OldYears, 0, 0)):
			u.report(e, c, d, flaw{"firmware_age", "", "its firmware is of " + day,
				fmt.Sprintf("%s was built on %s, more than %d years before", version, day, u.p.OldYears), Medium})
		}
	}
	if r := lifecycle.Known.Get().Device(d.Vendor, d.Model, d.Firmware); r != nil && !r.Ended.IsZero() && now.After(r.Ended.AddDate(0, 0, 1)) {
		end := r.Ended.Format(time.DateOnly)
		u.report(e, c, d, flaw{"end_of_support", what, "its support ended on " + end,
			fmt.Sprintf("the vendor's support of %s ended on %s (%s)", what, end, r.Source), onDevice(d)})
	}
	for _, v := range lifecycle.InTheWild.Get().Device(d.Vendor, d.Model, d.Firmware, day, now) {
		u.exploited(e, c, d, v, what)
	}
}

// builtOn returns the day on which the firmware was built, YYYY-MM-DD: as the device says it, or at the end of the version, where Dahua writes
// it ("2.622.0000.18.R,2019-12-15"); "" if it is not known.
func builtOn(d *device.Device) string {
	if d.FirmwareDate != "" || len(d.Firmware) < len(time.DateOnly) {
		return d.FirmwareDate
	}
	day := d.Firmware[len(d.Firmware)-len(time.DateOnly):]
	if _, err := time.Parse(time.DateOnly, day); err != nil {
		return ""
	}
	return day
}

func (u *unmaintained) exploited(e *Event, c *Context, d *device.Device, v *lifecycle.Vulnerability, what string) {
	versions := "versions " + v.Affected
	if before, found := strings.CutPrefix(v.Affected, "built<"); found {
		versions = "firmware built before " + before
	} else if v.Affected == "any" {
		versions = "all versions"
	}
	u.report(e, c, d, flaw{"exploited", v.CVE, v.CVE + " is exploited in the wild",
		fmt.Sprintf("%s is exploited in the wild and affects %s (%s)", v.CVE, what, versions), onDevice(d)})
}

// uptime reports a device that says that it has not restarted for long, and so has got no new firmware.
func (u *unmaintained) uptime(e *Event, c *Context, d *device.Device, f *dissect.DeviceInfo) {
	if f.Booted.IsZero() || f.Booted.Year() < 2000 {
		return
	}
	if up := c.Now - f.Booted.UnixNano(); up > int64(u.p.UptimeDays)*day {
		u.report(e, c, d, flaw{"uptime", "", "it has run since " + f.Booted.Format(time.DateOnly),
			fmt.Sprintf("it has not restarted since %s", f.Booted.Format(time.DateOnly)), Low})
	}
}

// smb reports version 1 of SMB, which Microsoft has not installed since 2017: only that, or that too for a client that asks for nothing else.
func (u *unmaintained) smb(e *Event, c *Context, d *device.Device, f *dissect.DeviceInfo) {
	switch {
	case f.Protocol != "smb":
	case f.Class == "SMB1_only":
		u.report(e, c, d, flaw{"smb1", "only", "it speaks SMB 1 only", "it chose version 1 of SMB when the client offered later ones", Medium})
	case f.Class == "SMB1":
		u.report(e, c, d, flaw{"smb1", "", "it speaks SMB 1", "it speaks version 1 of SMB with a client that offers no other", Low})
	}
}

// greeting looks up the programs that a server names. A distribution corrects old versions: for one that is named its own releases count.
func (u *unmaintained) greeting(e *Event, c *Context, text string) {
	now := time.Unix(0, c.Now).UTC()
	for _, p := range u.products(text) {
		name := p.Name + " " + p.Version
		if p.Distribution != "" {
			name += " (" + p.Distribution + ")"
		}
		r := lifecycle.Known.Get().Program(p)
		switch {
		case r == nil:
		case !r.Ended.IsZero() && now.After(r.Ended.AddDate(0, 0, 1)):
			severity := Low
			if now.After(r.Ended.AddDate(1, 0, 0)) {
				severity = Medium
			}
			end := r.Ended.Format(time.DateOnly)
			u.report(e, c, e.Responder, flaw{"end_of_support", name, p.Name + " has no updates since " + end,
				fmt.Sprintf("it runs %s, whose support ended on %s (%s)", name, end, r.Source), severity})
		case r.Ended.IsZero() && p.Distribution == "" && !now.Before(r.Released.AddDate(u.p.VeryOldYears, 0, 0)):
			severity := Low
			if p.Name == "Dropbear" && lifecycle.Compare(p.Version, "2016") < 0 { // CVE-2016-7406 and others
				severity = Medium
			}
			day := r.Released.Format(time.DateOnly)
			u.report(e, c, e.Responder, flaw{"old_program", name, "it runs " + name,
				fmt.Sprintf("it runs %s, released on %s (%s)", name, day, r.Source), severity})
		}
		for _, v := range lifecycle.InTheWild.Get().Program(p, now) {
			u.exploited(e, c, e.Responder, v, name)
		}
	}
}

// products returns the programs that a greeting names, from the cache if it is there.
func (u *unmaintained) products(text string) []lifecycle.Product {
	h := uint32(2166136261)
	for i := range len(text) {
		h = (h ^ uint32(text[i])) * 16777619
	}
	slot := &u.recent[h%uint32(len(u.recent))]
	if slot.greeting != text {
		slot.greeting, slot.products = text, lifecycle.Products(text)
	}
	return slot.products
}

// ssh reports version 1 of the protocol (RFC 4253 section 5: 1.99 is a server that speaks both).
func (u *unmaintained) ssh(e *Event, c *Context, line string) {
	switch {
	case strings.HasPrefix(line, "SSH-1.99-"):
		u.report(e, c, e.Responder, flaw{"ssh1", "", "it offers SSH 1", "it offers version 1 of SSH, beside version 2", Low})
	case strings.HasPrefix(line, "SSH-1."):
		u.report(e, c, e.Responder, flaw{"ssh1", "", "it speaks SSH 1 only", "it speaks version 1 of SSH only", Medium})
	}
}

// tls reports a server that chose a version below 1.2 although the client offered 1.2 or later: it has none (RFC 8996). The version that the
// client offers is in its JA4.
func (u *unmaintained) tls(e *Event, c *Context, f *dissect.TLSServerHello) {
	if f.DTLS || f.Version >= 0x0303 || f.Version < 0x0300 || e.App == nil || e.App.Hello == nil || len(e.App.Hello.JA4) < 3 {
		return
	}
	if offered := e.App.Hello.JA4[1:3]; offered != "12" && offered != "13" {
		return
	}
	version := [...]string{"SSL 3.0", "TLS 1.0", "TLS 1.1"}[f.Version-0x0300]
	u.report(e, c, e.Responder, flaw{"old_tls", "", "it offers no TLS above " + version[len(version)-3:],
		fmt.Sprintf("it chose %s when the client offered TLS 1.2 or later", version), Low})
}

// certificate reports one that is expired for long.
func (u *unmaintained) certificate(e *Event, c *Context, f *dissect.TLSCertificate) {
	until := f.NotAfter
	if until.Year() < 1995 || until.Year() > 2200 || c.Now-until.UnixNano() <= int64(u.p.ExpiredDays)*day {
		return
	}
	day := until.UTC().Format(time.DateOnly)
	u.report(e, c, e.Responder, flaw{"certificate", "", "its certificate expired on " + day, "its certificate expired on " + day, Low})
}

// rank orders flaws of the same severity.
func rank(code string) int {
	if code == "exploited" {
		return 0
	}
	return 1
}

// finding reports all that is known of a device, the most severe first.
func (u *unmaintained) finding(e *Event, c *Context, d *device.Device, k *monthFindings) *Finding {
	flaws := slices.Clone(k.flaws)
	slices.SortStableFunc(flaws, func(a, b flaw) int {
		return cmp.Or(cmp.Compare(b.severity, a.severity), cmp.Compare(rank(a.code), rank(b.code)))
	})
	f := &Finding{Rule: u.Rule(), Device: d, DeviceAddr: d.IP(), Start: k.since, End: c.Now, Key: "unmaintained", WindowS: monthSeconds,
		Severity: flaws[0].severity, Standing: true, Count: 1, Total: len(flaws)}
	if v := e.Session; v != nil { // else it told its neighbors on the link
		f.DeviceAddr, f.Related = addr(&v.Responder, v.V6), []string{session.CommunityID(v)}
		if d == e.Initiator {
			f.DeviceAddr = addr(&v.Initiator, v.V6)
		}
	}
	f.Entities = entities(f)
	who := f.self()
	f.Title = headline("%s is not maintained: %s", who, name{flaws[0].brief, flaws[0].brief})
	var seen []string
	for i := range flaws {
		x := &flaws[i]
		seen = append(seen, x.text)
		f.Reasons = append(f.Reasons, Reason{Code: x.code, Text: x.text, Weight: 0.1 * float64(1+x.severity)})
		v := Evidence{Kind: x.code, Summary: x.text}
		if x.code == "exploited" {
			v.Data = map[string]any{"cve": x.subject}
		}
		f.Evidence = append(f.Evidence, v)
	}
	f.Message = fmt.Sprintf("Expected: %s gets updates. Seen: %s.", who.full, strings.Join(seen, "; "))
	f.Reasons = append(f.Reasons, benign("the vendor or a support contract still corrects this version, or the device is about to be replaced"))
	f.Recommendation = unmaintainedRule.advise("", d)
	return f
}
