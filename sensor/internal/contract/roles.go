// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"fmt"
	"slices"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/session"
)

// template is what a role normally does and what it never does. Ports decide until the protocol is recognized by its bytes.
type template struct {
	role       device.Role
	neverPorts []uint16 // as a client
	neverApps  []string // as a client
	serves     []uint16 // ports that it normally answers on; nil: any
}

// What no camera, recorder or IoT device has a reason to open: remote login, file sharing, IRC, proxies, mining.
func loginPorts() []uint16 {
	return []uint16{22, 23, 2323, 445, 139, 3389, 5900, 6667, 6697, 1080, 3333, 4444, 14444}
}
func loginApps() []string {
	return []string{"ssh", "telnet", "smb", "rdp", "vnc", "irc", "socks", "stratum"}
}

// templates holds the roles that have one.
func templates() []template {
	return []template{
		{role: device.Camera, neverPorts: loginPorts(), neverApps: loginApps(),
			serves: []uint16{80, 443, 554, 8000, 8080, 8443, 8554, 8899, 9000, 10554, 1935, 3702, 5000, 5353, 1900, 161, 37777, 37778, 37810, 34567, 37020}},
		{role: device.NVR, neverPorts: []uint16{23, 2323, 3389, 5900, 6667, 6697, 1080, 3333, 4444, 14444}, neverApps: []string{"telnet", "rdp", "vnc", "irc", "socks", "stratum"}},
		{role: device.VMS, neverPorts: []uint16{23, 2323, 6667, 6697, 1080, 3333, 4444, 14444}, neverApps: []string{"telnet", "irc", "socks", "stratum"}},
		{role: device.Printer, neverPorts: []uint16{22, 23, 2323, 3389, 5900, 6667, 6697, 1080, 3333, 4444, 14444}, neverApps: []string{"ssh", "telnet", "rdp", "vnc", "irc", "socks", "stratum"}},
		{role: device.IoT, neverPorts: loginPorts(), neverApps: loginApps()},
		{role: device.IoTHub, neverPorts: loginPorts(), neverApps: loginApps()},
		{role: device.Server, neverPorts: []uint16{6667, 6697, 3333, 14444}, neverApps: []string{"irc", "stratum"}},
		{role: device.Phone, neverPorts: []uint16{3333, 14444}, neverApps: []string{"stratum"}},
	}
}

var roleTemplates = templates()

func templateOf(r device.Role) *template {
	for i := range roleTemplates {
		if roleTemplates[i].role == r {
			return &roleTemplates[i]
		}
	}
	return nil
}

// RoleBreach describes how a session breaks the template of the role of d, whichever end d is; "" if it does not. forbidden is true
// for what the role never does, and false for what is only unusual (a camera that answers on a port cameras do not have). Roles that
// are less than probable have no template.
func (b *Registry) RoleBreach(d *device.Device, v *session.View, app *fingerprint.App) (text string, forbidden bool) {
	if d == nil || d.Level < device.Probable {
		return "", false
	}
	t := templateOf(d.Role)
	if t == nil {
		return "", false
	}
	switch {
	case d.HasIP(v.Initiator.Addr.Netip()):
		text = t.clientBreach(v, app)
		return text, text != "" && v.Opened()
	case d.HasIP(v.Responder.Addr.Netip()) && v.Answered() && v.Proto == 6:
		return t.serverBreach(v, app), false
	}
	return "", false
}

func (t *template) clientBreach(v *session.View, app *fingerprint.App) string {
	name := ""
	if app != nil {
		name = app.Name
	}
	return t.forbids(v.Proto, v.Responder.Port, name)
}

func (t *template) forbids(proto uint8, port uint16, app string) string {
	if app != "" {
		if slices.Contains(t.neverApps, app) {
			return fmt.Sprintf("%s never opens %s (port %d)", t.role.Phrase(), app, port)
		}
		return "" // another protocol on a suspicious port
	}
	if proto == 6 && slices.Contains(t.neverPorts, port) {
		return fmt.Sprintf("%s never opens port %d", t.role.Phrase(), port)
	}
	return ""
}

// Forbids describes why a device of a role never opens a session of a protocol and port; "" if it may. app is the application protocol, ""
// if it was not recognized.
func Forbids(r device.Role, proto uint8, port uint16, app string) string {
	if t := templateOf(r); t != nil {
		return t.forbids(proto, port, app)
	}
	return ""
}

func (t *template) serverBreach(v *session.View, app *fingerprint.App) string {
	if t.serves == nil || slices.Contains(t.serves, v.Responder.Port) {
		return ""
	}
	what := "answers"
	if app != nil && app.Name != "" {
		what = "answers " + app.Name
	}
	return fmt.Sprintf("%s normally has no port %d, and this one %s there", t.role.Phrase(), v.Responder.Port, what)
}
