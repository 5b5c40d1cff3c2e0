// SPDX-License-Identifier: Apache-2.0

package industrial_test

import (
	"slices"
	"strings"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
	"stillwatch/sensor/internal/dissect/industrial"
)

// modbus returns a message of Modbus over TCP.
func modbus(body string) string { return "\x00\x01\x00\x00\x00" + string(rune(len(body))) + body }

const (
	modbusAsk   = "\x01\x2b\x0e\x01\x00"
	modbusReply = "\x01\x2b\x0e\x01\x01\x00\x00\x03\x00\x12Schneider Electric\x01\x0aBMX P34 20\x02\x04v2.5"
)

func TestModbusIdentity(t *testing.T) {
	plc := dissect.DeviceInfo{Protocol: "modbus", Vendor: "Schneider Electric", Model: "BMX P34 20", Firmware: "v2.5"}
	for name, c := range map[string]struct {
		answer string
		want   []dissect.DeviceInfo
	}{
		"identity":                {modbus("\x01\x03\x02\x00\x07") + modbus(modbusReply), []dissect.DeviceInfo{plc}},
		"registers":               {modbus("\x01\x03\x02\x00\x07"), nil},
		"refused":                 {modbus("\x01\xab\x01"), nil},
		"another type of service": {modbus(strings.Replace(modbusReply, "\x0e", "\x0d", 1)), nil},
		"an object that is cut":   {modbus(modbusReply[:12]), nil},
	} {
		facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 502}, []dissecttest.Turn{dissecttest.Client(modbus(modbusAsk)), dissecttest.Server(c.answer)})
		if got := dissecttest.FactsOf[dissect.DeviceInfo](facts); dissecttest.AppOf(facts) != "modbus" || !slices.Equal(got, c.want) {
			t.Errorf("%s:\n%s", name, dissecttest.Dump(facts))
		}
	}
}

// bacnet returns a message of BACnet/IP to one device.
func bacnet(network, message string) string {
	return "\x81\x0a\x00" + string(rune(4+len(network)+len(message))) + network + message
}

func TestBACnetIdentity(t *testing.T) {
	property := func(object, id, text string) string {
		return "\x30\x01\x0c\x0c" + object + "\x00\x00\x07\x19" + id + "\x3e\x75" + string(rune(1+len(text))) + "\x00" + text + "\x3f"
	}
	for name, c := range map[string]struct {
		message string
		want    dissect.DeviceInfo
	}{
		"I-Am":               {bacnet("\x01\x20\xff\xff\x00\xff", "\x10\x00\xc4\x02\x00\x00\x07\x22\x05\xc4\x91\x00\x21\x11"), dissect.DeviceInfo{Protocol: "bacnet", Class: "device", Vendor: "Honeywell"}},
		"I-Am of a router":   {bacnet("\x01\x08\x00\x05\x01\x07", "\x10\x00\xc4\x02\x00\x00\x07\x22\x05\xc4\x91\x00\x22\x01\x04"), dissect.DeviceInfo{Protocol: "bacnet", Class: "device"}},
		"model":              {bacnet("\x01\x00", property("\x02", "\x46", "WEB-600")), dissect.DeviceInfo{Protocol: "bacnet", Model: "WEB-600"}},
		"vendor":             {bacnet("\x01\x00", property("\x02", "\x79", "Tridium")), dissect.DeviceInfo{Protocol: "bacnet", Vendor: "Tridium"}},
		"value":              {bacnet("\x01\x00", property("\x02", "\x55", "Tridium")), dissect.DeviceInfo{}},
		"another object":     {bacnet("\x01\x00", property("\x00", "\x46", "WEB-600")), dissect.DeviceInfo{}},
		"Who-Is":             {bacnet("\x01\x20\xff\xff\x00\xff", "\x10\x08"), dissect.DeviceInfo{}},
		"of the network":     {bacnet("\x01\x80", "\x10\x00\xc4\x02\x00\x00\x07\x22\x05\xc4\x91\x00\x21\x11"), dissect.DeviceInfo{}},
		"cut":                {bacnet("\x01\x20\xff\xff\x09\xff", "\x10\x00"), dissect.DeviceInfo{}},
		"longer than it has": {bacnet("\x01\x00", "\x30\x01\x0c\x0c\x02\x00\x00\x07\x19\x46\x3e\x75\x50\x00WEB"), dissect.DeviceInfo{}},
	} {
		facts := dispatchtest.Datagrams(dissect.Ports{Client: 40000, Server: 47808}, []byte(c.message))
		var got dissect.DeviceInfo
		if all := dissecttest.FactsOf[dissect.DeviceInfo](facts); len(all) > 0 {
			got = all[0]
		}
		if dissecttest.AppOf(facts) != "bacnet" || got != c.want {
			t.Errorf("%s:\n%s", name, dissecttest.Dump(facts))
		}
	}
}

// s7 returns a message of S7 in a data unit of ISO transport.
func s7(message string) string {
	return "\x03\x00\x00" + string(rune(7+len(message))) + "\x02\xf0\x80" + message
}

// s7List returns an answer with a list of the system status.
func s7List(id string, size byte, records ...string) string {
	all := strings.Join(records, "")
	data := "\xff\x09\x00" + string(rune(8+len(all))) + id + "\x00\x00\x00" + string(rune(size)) + "\x00" + string(rune(len(records))) + all
	return s7("\x32\x07\x00\x00\x00\x01\x00\x0c\x00" + string(rune(len(data))) + "\x00\x01\x12\x08\x12\x84\x01\x01\x00\x00\x00\x00" + data)
}

func s7Padded(s string, n int) string { return s + strings.Repeat("\x00", n-len(s)) }

func TestS7Identity(t *testing.T) {
	ask := "\x03\x00\x00\x19\x02\xf0\x80\x32\x07\x00\x00\x00\x01\x00\x08\x00\x08\x00\x01\x12\x04\x11\x44\x01\x00"
	order := "\x00\x01" + "6ES7 315-2EH14-0AB0 " + "\x00\xc0\x00\x06\x00\x01"
	firmware := "\x00\x07" + s7Padded("", 20) + "\x00\xc0\x56\x03\x02\x06"
	for name, c := range map[string]struct {
		answer string
		want   []dissect.DeviceInfo
	}{
		"modules":         {s7List("\x00\x11", 28, order, firmware), []dissect.DeviceInfo{{Protocol: "s7comm", Vendor: "Siemens", Model: "6ES7 315-2EH14-0AB0", Firmware: "3.2.6"}}},
		"components":      {s7List("\x00\x1c", 34, "\x00\x01"+s7Padded("SIMATIC 300", 32), "\x00\x05"+s7Padded("S C-X4U421302009", 32)), []dissect.DeviceInfo{{Protocol: "s7comm", Vendor: "Siemens", Name: "SIMATIC 300", Serial: "S C-X4U421302009"}}},
		"another list":    {s7List("\x01\x31", 28, order), nil},
		"records too few": {s7List("\x00\x11", 28, order[:20]), nil},
		"read":            {s7("\x32\x03\x00\x00\x00\x01\x00\x02\x00\x05\x00\x00\x04\x01\xff\x04\x00\x08\x01"), nil},
	} {
		facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 102}, []dissecttest.Turn{dissecttest.Client(ask), dissecttest.Server(c.answer)})
		if got := dissecttest.FactsOf[dissect.DeviceInfo](facts); dissecttest.AppOf(facts) != "s7comm" || !slices.Equal(got, c.want) {
			t.Errorf("%s:\n%s", name, dissecttest.Dump(facts))
		}
	}
}

func FuzzModbus(f *testing.F) {
	dissecttest.FuzzStream(f, industrial.NewModbus, []dissecttest.Turn{dissecttest.Client(modbus(modbusAsk)), dissecttest.Server(modbus(modbusReply))})
}

func FuzzBACnet(f *testing.F) {
	f.Add(dissecttest.Chunk(dissecttest.Server(bacnet("\x01\x20\xff\xff\x00\xff", "\x10\x00\xc4\x02\x00\x00\x07\x22\x05\xc4\x91\x00\x21\x11"))))
	f.Add(dissecttest.Chunk(dissecttest.Server(bacnet("\x01\x00", "\x30\x01\x0c\x0c\x02\x00\x00\x07\x19\x46\x3e\x75\x04\x00WEB\x3f"))))
	dissecttest.FuzzDatagrams(f, industrial.BACnet.New, 16)
}

func FuzzS7comm(f *testing.F) {
	dissecttest.FuzzStream(f, industrial.NewS7comm, []dissecttest.Turn{dissecttest.Server(s7List("\x00\x11", 28, "\x00\x01"+"6ES7 315-2EH14-0AB0 "+"\x00\xc0\x00\x06\x00\x01"))})
}
