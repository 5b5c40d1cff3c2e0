// SPDX-License-Identifier: Apache-2.0

package industrial

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/parse"
)

// enipIdentity reports the first item of an answer to ListIdentity, and whether there is one (CIP volume 2, section 2-4.2): a count, type and
// length of the item, version, socket address, then the attributes of the identity object.
func enipIdentity(b []byte, sink dissect.Sink) bool {
	const identityItem, fixed, address, attributes, name = 0x0c, 39, 12, 24, 38
	if len(b) < fixed || binary.LittleEndian.Uint16(b) == 0 || binary.LittleEndian.Uint16(b[2:]) != identityItem {
		return false
	}
	d := &dissect.DeviceInfo{
		Protocol: "enip",
		Vendor:   enipVendors[binary.LittleEndian.Uint16(b[attributes:])],
		Class:    enipTypes[binary.LittleEndian.Uint16(b[attributes+2:])],
		Firmware: strconv.Itoa(int(b[attributes+6])) + "." + strconv.Itoa(int(b[attributes+7])),
		Serial:   fmt.Sprintf("%08X", binary.LittleEndian.Uint32(b[attributes+10:])),
		Model:    parse.CleanText(b[fixed:min(len(b), fixed+int(b[name]))], 64),
	}
	if ip := netip.AddrFrom4([4]byte(b[address:])); !ip.IsUnspecified() {
		d.IP = ip
	}
	sink(d)
	return true
}

// enipVendors has the names of some vendors by the number that ODVA gave them.
var enipVendors = map[uint16]string{
	1: "Rockwell Automation", 40: "WAGO", 43: "Balluff", 44: "Yaskawa", 46: "ABB", 47: "Omron", 48: "Turck", 57: "Pepperl+Fuchs", 345: "Endress+Hauser",
	356: "Fanuc Robotics", 367: "Keyence",
}

// enipTypes has the names of device profiles (CIP volume 1, chapter 6).
var enipTypes = map[uint16]string{
	0x02: "AC Drive", 0x07: "General Purpose Discrete I/O", 0x0c: "Communications Adapter", 0x0e: "Programmable Logic Controller", 0x10: "Position Controller",
	0x13: "DC Drive", 0x18: "Human-Machine Interface", 0x1b: "Pneumatic Valve", 0x22: "Encoder", 0x23: "Safety Discrete I/O", 0x25: "CIP Motion Drive",
	0x2b: "Generic Device", 0x2c: "Managed Ethernet Switch",
}
