// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bytes"

	"stillwatch/sensor/internal/dissect"
)

// onvifRows are the operations of ONVIF: service and name (Core Specification, section 8; Media, PTZ, Imaging, Recording Control, Replay
// Control and Device IO Specification). The first that fits decides.
var onvifRows = []row{
	{pattern: "device/GetDeviceInformation", kind: dissect.ActionRead, describes: true},
	{pattern: "device/SystemReboot", kind: dissect.ActionReboot},
	{pattern: "device/SetSystemFactoryDefault", kind: dissect.ActionReset},
	{pattern: "device/UpgradeSystemFirmware", kind: dissect.ActionUpgrade},
	{pattern: "device/StartFirmwareUpgrade", kind: dissect.ActionUpgrade},
	{pattern: "device/RestoreSystem", kind: dissect.ActionConfiguration},
	{pattern: "device/StartSystemRestore", kind: dissect.ActionConfiguration},
	{pattern: "device/CreateUsers", kind: dissect.ActionUsers},
	{pattern: "device/DeleteUsers", kind: dissect.ActionUsers},
	{pattern: "device/SetUser", kind: dissect.ActionUsers},
	{pattern: "device/SetRemoteUser", kind: dissect.ActionUsers},
	{pattern: "device/SetNetworkInterfaces", kind: dissect.ActionNetwork},
	{pattern: "device/SetNetworkProtocols", kind: dissect.ActionNetwork},
	{pattern: "device/SetNetworkDefaultGateway", kind: dissect.ActionNetwork},
	{pattern: "device/SetZeroConfiguration", kind: dissect.ActionNetwork},
	{pattern: "device/SetIPAddressFilter", kind: dissect.ActionNetwork},
	{pattern: "device/AddIPAddressFilter", kind: dissect.ActionNetwork},
	{pattern: "device/RemoveIPAddressFilter", kind: dissect.ActionNetwork},
	{pattern: "device/SetHostname*", kind: dissect.ActionNetwork},
	{pattern: "device/SetDNS", kind: dissect.ActionNetwork},
	{pattern: "device/SetDynamicDNS", kind: dissect.ActionNetwork},
	{pattern: "device/SetDPAddresses", kind: dissect.ActionNetwork},
	{pattern: "device/SetNTP", kind: dissect.ActionTime},
	{pattern: "device/SetSystemDateAndTime", kind: dissect.ActionTime},
	{pattern: "media/GetStreamUri", kind: dissect.ActionView},
	{pattern: "media/GetSnapshotUri", kind: dissect.ActionView},
	{pattern: "media/StartMulticastStreaming", kind: dissect.ActionView},
	{pattern: "replay/GetReplayUri", kind: dissect.ActionView},
	{pattern: "*/Get*", kind: dissect.ActionRead},
	{pattern: "search/*", kind: dissect.ActionRead},
	{pattern: "events/*", kind: dissect.ActionRead},
	{pattern: "media/SetVideoEncoderConfiguration", kind: dissect.ActionVideo},
	{pattern: "media/*", kind: dissect.ActionVideo},
	{pattern: "recording/*", kind: dissect.ActionVideo},
	{pattern: "imaging/Move", kind: dissect.ActionMove},
	{pattern: "imaging/Stop", kind: dissect.ActionMove},
	{pattern: "imaging/*", kind: dissect.ActionVideo},
	{pattern: "ptz/ContinuousMove", kind: dissect.ActionMove},
	{pattern: "ptz/AbsoluteMove", kind: dissect.ActionMove},
	{pattern: "ptz/RelativeMove", kind: dissect.ActionMove},
	{pattern: "ptz/GotoPreset", kind: dissect.ActionMove},
	{pattern: "ptz/GotoHomePosition", kind: dissect.ActionMove},
	{pattern: "ptz/Stop", kind: dissect.ActionMove},
	{pattern: "ptz/SetConfiguration", kind: dissect.ActionConfiguration},
	{pattern: "ptz/*", kind: dissect.ActionMove}, // presets, tours, auxiliary commands
	{pattern: "device/*", kind: dissect.ActionConfiguration},
	{pattern: "*/*", kind: dissect.ActionConfiguration},
}

// FindSOAP returns the call of a SOAP message by the first element of its body and its namespace. action is the action in a header, which
// decides if the body is nil or not readable.
func FindSOAP(body []byte, action string) *Call {
	namespace, operation := SOAPOperation(body)
	if c := findONVIF(namespace, operation); c != nil {
		return c
	}
	uri := []byte(action)
	if i := bytes.LastIndexByte(uri, '/'); i >= 0 {
		return findONVIF(uri[:i], uri[i+1:])
	}
	return nil
}

// findONVIF returns the call of an operation in a namespace such as http://www.onvif.org/ver10/device/wsdl.
func findONVIF(namespace, operation []byte) *Call {
	_, rest, ok := bytes.Cut(namespace, []byte("onvif.org/ver"))
	_, rest, hasService := bytes.Cut(rest, []byte("/"))
	service, _, _ := bytes.Cut(rest, []byte("/"))
	if !ok || !hasService || len(service)+len(operation) > 120 || len(operation) == 0 {
		return nil
	}
	var buf [128]byte
	name := append(append(append(buf[:0], service...), '/'), operation...)
	for i := range onvifRows {
		if glob(onvifRows[i].pattern, name) {
			return callOf(onvif, &onvifRows[i])
		}
	}
	return nil
}

// SOAPOperation returns the namespace and the local name of the first element in the body of a SOAP envelope.
func SOAPOperation(xml []byte) (namespace, operation []byte) {
	at, tag := firstInBody(xml)
	if tag == nil {
		return nil, nil
	}
	name := tag
	if end := bytes.IndexAny(tag, " \t\r\n/>"); end >= 0 {
		name = tag[:end]
	}
	prefix, local, ok := bytes.Cut(name, []byte(":"))
	if !ok {
		prefix, local = nil, name
	}
	if namespace = declared(tag, prefix); namespace == nil {
		namespace = declared(xml[:at], prefix)
	}
	return namespace, local
}

// firstInBody returns the first element in the body of a SOAP envelope, from its name to the end of its tag, and where it begins.
func firstInBody(xml []byte) (at int, tag []byte) {
	for i := 0; i < len(xml); {
		n := bytes.Index(xml[i:], []byte("Body"))
		if n < 0 {
			return 0, nil
		}
		i += n + len("Body")
		if before := i - len("Body") - 1; before < 0 || xml[before] != ':' && xml[before] != '<' {
			continue
		}
		end := bytes.IndexByte(xml[i:], '>')
		if end < 0 {
			return 0, nil
		}
		rest := xml[i+end+1:]
		for bytes.HasPrefix(bytes.TrimLeft(rest, " \t\r\n"), []byte("<!--")) {
			_, rest, _ = bytes.Cut(rest, []byte("-->"))
		}
		rest = bytes.TrimLeft(rest, " \t\r\n")
		if len(rest) < 2 || rest[0] != '<' {
			return 0, nil
		}
		tag, _, _ = bytes.Cut(rest[1:], []byte(">"))
		return len(xml) - len(rest), tag
	}
	return 0, nil
}

// declared returns the last namespace that a text declares for a prefix, or the default one if there is no prefix.
func declared(text, prefix []byte) []byte {
	name := []byte("xmlns")
	if len(prefix) > 0 {
		name = append(append(name, ':'), prefix...)
	}
	for {
		i := bytes.LastIndex(text, name)
		if i < 0 {
			return nil
		}
		after := bytes.TrimLeft(text[i+len(name):], " \t\r\n")
		text = text[:i]
		if len(after) < 2 || after[0] != '=' {
			continue
		}
		if after = bytes.TrimLeft(after[1:], " \t\r\n"); len(after) > 0 && (after[0] == '"' || after[0] == '\'') {
			if end := bytes.IndexByte(after[1:], after[0]); end >= 0 {
				return after[1 : 1+end]
			}
		}
	}
}
