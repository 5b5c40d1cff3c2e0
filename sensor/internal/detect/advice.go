// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"strings"

	"stillwatch/sensor/internal/device"
)

// advice is the words of a recommendation that depend on the role of the device.
type advice struct {
	inspect string // how to see what the device does
	contain string // how to keep it from doing harm
	renew   string // how to make it trustworthy again
}

var (
	cameraAdvice = advice{"On the camera, check the users, the cloud and network settings, and the firmware version against the vendor's.",
		"Move the camera's switch port to a VLAN without Internet access; recording can go on there.",
		"Reset the camera, install the vendor's current firmware and set a new password."}
	recorderAdvice = advice{"On the recorder, list users, running processes, plug-ins and configured exports.",
		"Block the recorder at the firewall, except its cameras and its operators.",
		"Rebuild the recorder from known media, and change its password and that of each camera stored on it."}
	serverAdvice = advice{"On the server, find the process that owns the connection (ss -tnp or netstat -abno), its parent and its user.",
		"Save the server's memory, then isolate it at its switch port or firewall.",
		"Rebuild the server from known media and change all passwords and keys stored on it."}
	workstationAdvice = advice{"Ask the user, and find the process that owns the connection (netstat -abno or the EDR console).",
		"Isolate the workstation with EDR or at its switch port; leave it switched on.",
		"Reinstall the workstation and change the passwords of its users."}
	gearAdvice = advice{"Compare the running configuration with the saved one, and list the admin sessions.",
		"Allow management of this network device from the admin network only.",
		"Reinstall the vendor's current firmware, load a reviewed configuration and change the admin passwords."}
	applianceAdvice = advice{"Check the device's settings and its firmware version against the vendor's.",
		"Move the device's switch port to a VLAN without Internet access.",
		"Reset the device, install the vendor's current firmware and set a new password."}
	unknownAdvice = advice{"Find the device by its switch port, and ask its owner what runs on it.",
		"Block the device at its switch port or at the firewall.",
		"Reinstall or reset the device and change its passwords."}
)

func adviceFor(d *device.Device) advice {
	if d == nil {
		return unknownAdvice
	}
	switch d.Role {
	case device.Camera:
		return cameraAdvice
	case device.NVR, device.VMS:
		return recorderAdvice
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

// steps gives the first three steps for each rule, or for one of the things that a rule reports: {inspect}, {contain} and {renew} stand for
// what the role of the device makes of them; after a colon {then contain} and {then renew}.
var steps = map[string][3]string{
	"D01":                  {"Find out whose address the peer is, and ask the owner of the device whether this session is expected.", "{inspect}", "If nobody expects it: {then contain} If it is expected, add it to the inventory."},
	"D02":                  {"Ask the owner whether the device was put back into use.", "Read its other alerts and its logins of the hour before.", "If nobody can explain it: {then contain}"},
	"D02 budget":           {"Look at the names that the device asks for: long random ones are a tunnel.", "Check that the resolvers and time servers of the device answer.", "{inspect}"},
	"D05":                  {"Check that the role of the device is right; correct it in the inventory if not.", "{inspect}", "If the service is not wanted, block its port at the firewall."},
	"D06":                  {"Find out what the address is: a server that was switched off, or a known control server.", "{inspect}", "If it is a control server: {then contain}"},
	"D07":                  {"Block the port at the firewall for external hosts.", "Change the password if it is a default one, and look for successful logins from outside.", "{inspect}"},
	"D07 probes":           {"Do nothing while no port answers.", "Check at the firewall that these ports are closed on purpose.", "Watch for an alert that one of them answers."},
	"D08":                  {"Ask the administrators whether this login is theirs.", "If not: {then contain}", "Change the password that was used, and check every session that the device opened after the login."},
	"D09":                  {"Block the source at the firewall, or find its owner if it is internal.", "Check that the device has no default password and locks out after failures.", "Look for a successful login from the same source."},
	"D09 guessed":          {"{contain}", "Change the password that was guessed, wherever it is used.", "Check every session that the device opened after the login, then: {then renew}"},
	"D09 misconfiguration": {"Find the service on the source that logs in at these intervals.", "Give it the current password.", "Check that the alert does not come again."},
	"D09 spray":            {"Find out which program on the source logs in, and who started it.", "Change passwords that are the same on many devices.", "Look for successful logins from this source."},
	"D13":                  {"Ask whether somebody runs a scanner or a monitoring tool there.", "{inspect}", "If nobody does: {then contain} Then look for an earlier login to the device."},
	"D13 outside":          {"Do nothing while no target answers.", "Block the source at the firewall if it goes on.", "Look for a successful login from this source."},
	"D14":                  {"{contain}", "Close the port by which it was reached, usually Telnet or SSH with a default password.", "{renew}"},
	"D14 probed":           {"Do nothing while the port does not answer.", "Check that Telnet and SSH are closed to external hosts.", "Check that the device has no default password."},
	"D18":                  {"Find out whose address the peer is, and ask the owner whether this upload is expected.", "If not: {then contain}", "Find out what was sent, and look for an earlier login to the device."},
	"D34":                  {"Find the switch port of the device and its owner.", "If nobody knows it, block the port.", "If it belongs there, add it to the inventory."},
	"D34 flood":            {"Find the switch port from which the new addresses come.", "If it is one port, limit the number of MAC addresses on it.", "If a network was added to the mirror port, add its devices to the inventory."},
	"D41":                  {"Check on the switch that the mirror session copies both directions and all VLANs.", "Compare the drop counters of the mirror port and of the sensor.", "Until that is mended, read alerts about missing answers with care."},
	"D42":                  {"{contain}", "Read the alerts in the order of the message, and find the first login or session that nobody can explain.", "Check the devices that were reached from it, then: {then renew}"},
}

// Advice gives the first three steps for a rule and the role of a device, numbered.
func Advice(what string, d *device.Device) string {
	x := adviceFor(d)
	r := strings.NewReplacer("{inspect}", x.inspect, "{contain}", x.contain, "{renew}", x.renew,
		"{then contain}", lowerFirst(x.contain), "{then renew}", lowerFirst(x.renew))
	s := steps[what]
	return "1. " + r.Replace(s[0]) + " 2. " + r.Replace(s[1]) + " 3. " + r.Replace(s[2])
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }
