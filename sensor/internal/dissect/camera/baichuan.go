// SPDX-License-Identifier: Apache-2.0

package camera

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "baichuan",
	Signs: "`f0 de bc 0a`",
	Reads: "actions on the device",
	Login: protocol.LoginUnread,
	Streams: []protocol.Stream{
		{From: protocol.Either, Order: 250, Looks: LooksBaichuan, New: NewBaichuan},
	},
})

const baichuanMagic = "\xf0\xde\xbc\x0a"

// NewBaichuan returns a dissector of Reolink's protocol.
func NewBaichuan() dissect.Stream {
	s := newStream("baichuan", 20, 8, (*dialogue).baichuan)
	s.size = baichuanSize
	return s
}

// baichuanModern are the classes of messages that have a status and four more bytes of header.
func baichuanModern(head []byte) bool {
	class := binary.LittleEndian.Uint16(head[18:])
	return class == 0x6414 || class == 0
}

func baichuanSize(head []byte) uint32 {
	n := binary.LittleEndian.Uint32(head[8:])
	if baichuanModern(head) {
		n = min(n, dissect.HeadLimit) + 4
	}
	return n
}

// baichuan reads the header of a message, which is in clear text where its body is encrypted: the number of the message at offset 4, what its
// answer repeats at 12, the status of an answer at 16, the class at 18 (thirtythreeforty/neolink, dissector/messages.md).
func (d *dialogue) baichuan(dir int, head, _ []byte, sink dissect.Sink) {
	const done = 200
	number := binary.LittleEndian.Uint32(head[4:])
	id := number<<16 ^ binary.LittleEndian.Uint32(head[12:])
	status := binary.LittleEndian.Uint16(head[16:])
	switch {
	case string(head[:4]) != baichuanMagic:
	case dir == dissect.FromClient:
		d.do(id, baichuanCall(number), sink)
	case !baichuanModern(head) || baichuanCall(number) == nil:
	case status == done:
		d.answer(answer{id: id, action: dissect.OutcomeSuccess}, sink)
	case status != 0:
		d.answer(answer{id: id, action: dissect.OutcomeFailure}, sink)
	}
}

func baichuanCall(number uint32) *Call {
	for i := range baichuanMessages {
		if baichuanMessages[i].number == number {
			return &baichuanMessages[i].Call
		}
	}
	return nil
}

// baichuanMessages are the messages with which a client asks for something, by their names in neolink.
var baichuanMessages = []struct {
	number uint32
	Call
}{
	{3, Call{"Preview", "", dissect.ActionView, 0}},
	{5, Call{"FileInfoList replay", "", dissect.ActionView, 0}},
	{8, Call{"FileInfoList download", "", dissect.ActionView, 0}},
	{13, Call{"FileInfoList download", "", dissect.ActionView, 0}},
	{14, Call{"FileInfoList", "", dissect.ActionRead, 0}},
	{15, Call{"FileInfoList", "", dissect.ActionRead, 0}},
	{16, Call{"FileInfoList", "", dissect.ActionRead, 0}},
	{18, Call{"PtzControl", "", dissect.ActionMove, 0}},
	{19, Call{"PtzPreset", "", dissect.ActionMove, 0}},
	{23, Call{"Reboot", "", dissect.ActionReboot, 0}},
	{25, Call{"write VideoInput", "", dissect.ActionVideo, 0}},
	{36, Call{"write ServerPort", "", dissect.ActionNetwork, 0}},
	{39, Call{"write Ntp", "", dissect.ActionTime, 0}},
	{41, Call{"write Ddns", "", dissect.ActionNetwork, 0}},
	{43, Call{"write Email", "", dissect.ActionConfiguration, 0}},
	{45, Call{"write OsdChannelName", "", dissect.ActionVideo, 0}},
	{47, Call{"write MD", "", dissect.ActionConfiguration, 0}},
	{55, Call{"write RecordCfg", "", dissect.ActionVideo, 0}},
	{57, Call{"write Compression", "", dissect.ActionVideo, 0}},
	{59, Call{"write UserList", "", dissect.ActionUsers, 0}},
	{69, Call{"write Ftp", "", dissect.ActionConfiguration, 0}},
	{71, Call{"write FtpTask", "", dissect.ActionConfiguration, 0}},
	{77, Call{"write Ip", "", dissect.ActionNetwork, 0}},
	{79, Call{"Serial ptz", "", dissect.ActionMove, 0}},
	{80, Call{"VersionInfo", "", dissect.ActionRead, 0}},
	{82, Call{"write Record", "", dissect.ActionVideo, 0}},
	{98, Call{"write Upnp", "", dissect.ActionNetwork, 0}},
	{100, Call{"write AutoReboot", "", dissect.ActionConfiguration, 0}},
	{105, Call{"write SystemGeneral", "", dissect.ActionTime, 0}}, // the clock is in it
	{107, Call{"write Dst", "", dissect.ActionTime, 0}},
	{108, Call{"ConfigFileInfo", "", dissect.ActionConfiguration, 0}},
	{120, Call{"OnlineUserList", "", dissect.ActionRead, 0}},
	{211, Call{"write PTOP", "", dissect.ActionNetwork, 0}},
}
