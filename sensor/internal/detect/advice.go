// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"strings"

	"stillwatch/sensor/internal/device"
)

// roleAdvice holds the words of a recommendation that depend on the role of the device.
type roleAdvice struct {
	inspect string // how to see what the device does
	contain string // how to keep it from doing harm
	renew   string // how to make it trustworthy again
}

var (
	cameraAdvice = roleAdvice{"On the camera, check the users, the cloud and network settings, and the firmware version against the vendor's.",
		"Move the camera's switch port to a VLAN without Internet access; recording can continue there.",
		"Reset the camera, install the vendor's current firmware and set a new password."}
	recorderAdvice = roleAdvice{"On the recorder, check the users, plug-ins, configured exports and firmware version.",
		"Block the recorder at the firewall, except its cameras and its operators.",
		"Rebuild the recorder from known media, and change its password and that of each camera stored on it."}
	videoServerAdvice = roleAdvice{"On the video server, list users, running processes, plug-ins and configured exports.",
		"Block the video server at the firewall, except its cameras and its operators.",
		"Rebuild the video server from known media, and change its password and that of each camera stored on it."}
	serverAdvice = roleAdvice{"On the server, find the process that owns the connection (ss -tnp or netstat -abno), its parent and its user.",
		"Save the server's memory, then isolate it at its switch port or firewall.",
		"Rebuild the server from known media and change all passwords and keys stored on it."}
	workstationAdvice = roleAdvice{"Ask the user, and find the process that owns the connection (netstat -abno or the EDR console).",
		"Isolate the workstation with EDR or at its switch port; leave it switched on.",
		"Reinstall the workstation and change the passwords of its users."}
	gearAdvice = roleAdvice{"Compare the running configuration with the saved one, and list the admin sessions.",
		"Allow management of this network device from the admin network only.",
		"Reinstall the vendor's current firmware, load a reviewed configuration and change the admin passwords."}
	applianceAdvice = roleAdvice{"Check the device's settings and its firmware version against the vendor's.",
		"Move the device's switch port to a VLAN without Internet access.",
		"Reset the device, install the vendor's current firmware and set a new password."}
	unknownAdvice = roleAdvice{"Find the device by its switch port, and ask its owner what runs on it.",
		"Block the device at its switch port or at the firewall.",
		"Reinstall or reset the device and change its passwords."}
)

func adviceFor(d *device.Device) roleAdvice {
	if d == nil {
		return unknownAdvice
	}
	switch d.Role {
	case device.Camera:
		return cameraAdvice
	case device.NVR:
		return recorderAdvice
	case device.VMS:
		return videoServerAdvice
	case device.Server:
		return serverAdvice
	case device.Workstation:
		return workstationAdvice
	case device.NetworkGear:
		return gearAdvice
	case device.Phone, device.Printer, device.IoT, device.IoTHub:
		return applianceAdvice
	}
	return unknownAdvice
}

// steps are the first three things to do about a finding. {inspect}, {contain} and {renew} stand for the words that depend on the role of
// the device; {then contain} and {then renew} are the same words after a colon.
type steps [3]string

// forDevice returns the steps for a device, numbered.
func (s steps) forDevice(d *device.Device) string {
	x := adviceFor(d)
	r := strings.NewReplacer("{inspect}", x.inspect, "{contain}", x.contain, "{renew}", x.renew,
		"{then contain}", lowerFirst(x.contain), "{then renew}", lowerFirst(x.renew))
	return "1. " + r.Replace(s[0]) + " 2. " + r.Replace(s[1]) + " 3. " + r.Replace(s[2])
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }
