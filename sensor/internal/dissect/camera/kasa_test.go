// SPDX-License-Identifier: Apache-2.0

package camera_test

import (
	"encoding/binary"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/camera"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

// kasa is a message of TP-Link's protocol over UDP.
func kasa(text string) string {
	b, key := []byte(text), byte(171)
	for i, c := range b {
		b[i] = c ^ key
		key = b[i]
	}
	return string(b)
}

// kasaTCP is a message over TCP.
func kasaTCP(text string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(text)))) + kasa(text)
}

const (
	kasaAsk  = `{"system":{"get_sysinfo":{}}}`
	kasaPlug = `{"system":{"get_sysinfo":{"err_code":0,"sw_ver":"1.5.4 Build 180815 Rel.121440","hw_ver":"2.0","type":"IOT.SMARTPLUGSWITCH","model":"HS110(EU)","mac":"02:00:5E:10:00:07","alias":"Lamp"}}}`
	kasaEye  = `{"system":{"get_sysinfo":{"system":{"sw_ver":"2.3.8 Build 20200101 rel.1","type":"IOT.IPCAMERA","model":"KC200(EU)","mac":"02005E100007","alias":"Door"}}}}`
)

func TestKasa(t *testing.T) {
	plug := dissect.DeviceInfo{Protocol: "kasa", Vendor: "TP-Link", Model: "HS110(EU)", Class: "IOT.SMARTPLUGSWITCH", Name: "Lamp", MAC: deviceMAC, Firmware: "1.5.4 Build 180815 Rel.121440", FirmwareDate: "2018-08-15"}
	eye := dissect.DeviceInfo{Protocol: "kasa", Vendor: "TP-Link", Model: "KC200(EU)", Class: "IOT.IPCAMERA", Name: "Door", MAC: deviceMAC, Firmware: "2.3.8 Build 20200101 rel.1", FirmwareDate: "2020-01-01"}
	for text, want := range map[string][]dissect.DeviceInfo{kasaPlug: {plug}, kasaEye: {eye}, kasaAsk: nil, `{"smartlife.iot.common.emeter":{"get_realtime":{"model":"a"}}}`: nil} {
		ports := dissect.Ports{Client: 40000, Server: 9000}
		overUDP := dispatchtest.Datagrams(ports, []byte(kasa(text)))
		overTCP := dispatchtest.PlayCut(t, ports, []turn{client(kasaTCP(kasaAsk)), server(kasaTCP(text))})
		for _, facts := range [][]dissect.Fact{overUDP, overTCP} {
			got := dissecttest.FactsOf[dissect.DeviceInfo](facts)
			if dissecttest.AppOf(facts) != "kasa" || len(got) != len(want) || len(want) > 0 && got[0] != want[0] {
				t.Errorf("%s:\n%s", text, dissecttest.Dump(facts))
			}
		}
	}
}

func FuzzKasa(f *testing.F) {
	dissecttest.FuzzStream(f, camera.NewKasa, []turn{client(kasaTCP(kasaAsk)), server(kasaTCP(kasaPlug))})
}

func FuzzKasaDatagrams(f *testing.F) {
	f.Add(dissecttest.Chunk(server(kasa(kasaEye))))
	dissecttest.FuzzDatagrams(f, camera.Kasa.New, 16)
}
