// SPDX-License-Identifier: Apache-2.0

package camera

import (
	"encoding/binary"
	"strings"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "hcnet",
	Signs: "version, command and checksum of a request",
	Ports: "8000 without the checksum",
	Reads: "logins, actions; identity in the answer to a login",
	Login: protocol.LoginExplicit,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 260, Looks: LooksHCNet, New: NewHCNet},
	},
})

// The protocol of Hikvision's HCNetSDK, usually on TCP port 8000 (published device programs: jameshilliard/ipcDeviceVc, DeviceCommProtocol.h). A
// request begins with its length, the version of the interface, a checksum and a command; an answer with its length, a checksum and a status.
// Answers come in the order of the requests.
const (
	hcHead      = 16   // what requests and answers have in common
	hcRequest   = 32   // the least request
	hcLongest   = 8192 // the longest first request
	hcSum       = 8    // offset of the checksum in a request
	hcCommand   = 12
	hcStatus    = 8 // in an answer
	hcLogin     = 0x010000
	hcLoginMore = 0x010010
)

// hcVersions are the versions of the interface: old, new, and two of devices with a SIM card.
const hcVersions = "\x3c\x5a\x1e\x63"

// NewHCNet returns a dissector of HCNetSDK.
func NewHCNet() dissect.Stream {
	s := newStream("hcnet", hcHead, 0, (*dialogue).hcnet)
	s.size = func(head []byte) uint32 { return max(binary.BigEndian.Uint32(head), hcHead) - hcHead }
	return s
}

// LooksHCNet recognizes the first request of a client: a known version, a known range of commands, and the sum of the bytes behind the checksum.
// Without the right sum it must use port 8000. Scanners send a request of zeros.
func LooksHCNet(head []byte, _ bool, ports dissect.Ports) match.Verdict {
	if v := match.Prefix(head, "\x00\x00"); v != match.Yes {
		return v
	}
	if len(head) > 4 && strings.IndexByte(hcVersions, head[4]) < 0 || len(head) > 5 && match.Prefix(head[5:], "\x00\x00\x00") == match.No {
		return match.No
	}
	if len(head) < hcRequest {
		return match.Maybe
	}
	size := int(binary.BigEndian.Uint32(head))
	switch command := binary.BigEndian.Uint32(head[hcCommand:]); {
	case size < hcRequest || size > hcLongest:
		return match.No
	case command == 0:
		return match.If(size == hcRequest && byteSum(head[hcSum:hcRequest]) == 0)
	case command>>16 == 0 || command>>16 > 0x11:
		return match.No
	case ports.Has(8000):
		return match.Yes
	case len(head) < size:
		return match.Maybe
	}
	return match.If(binary.BigEndian.Uint32(head[hcSum:]) == byteSum(head[hcCommand:size]))
}

func byteSum(b []byte) (sum uint32) {
	for _, c := range b {
		sum += uint32(c)
	}
	return sum
}

// hcnet reads a message. The ids of dialogue are the numbers of the requests. Behind a request to view, the server sends media.
func (d *dialogue) hcnet(dir int, head, body []byte, sink dissect.Sink) {
	d.turn[dir]++
	id := d.turn[dir]
	if dir == dissect.FromServer {
		if d.media == 0 || id <= d.media {
			d.hcAnswer(id, binary.BigEndian.Uint32(head[hcStatus:]), body, sink)
		}
		return
	}
	switch command := binary.BigEndian.Uint32(head[hcCommand:]); command {
	case hcLogin, hcLoginMore:
		d.ask(request{id: id}, sink)
	default:
		call := hcCall(command)
		if call != nil && call.Kind == dissect.ActionView && d.media == 0 {
			d.media = id
		}
		d.do(id, call, sink)
	}
}

// hcAnswer reads an answer: 1 is done, 2 and 100 go on, 19, 20 and 104 ask for more data, 3 to 18 and others are errors, 3 a wrong name or
// password.
func (d *dialogue) hcAnswer(id, status uint32, body []byte, sink dissect.Sink) {
	const done, exchange, wrong, needHeader, needData, challenge, needData30 = 1, 2, 3, 19, 20, 100, 104
	a := answer{id: id}
	switch status {
	case done:
		a.plain, a.action = dissect.OutcomeSuccess, dissect.OutcomeSuccess
		a.device = hcDevice(body)
	case wrong:
		a.plain, a.action = dissect.OutcomeFailure, dissect.OutcomeFailure
	case exchange, challenge, needHeader, needData, needData30:
	default:
		a.action = dissect.OutcomeFailure
	}
	login := d.isLogin(id)
	d.answer(a, sink)
	if login && a.device != nil {
		a.device.Protocol = d.login.Protocol
		sink(a.device)
	}
}

// isLogin reports whether the request with an id is a login that waits for its answer.
func (d *dialogue) isLogin(id uint32) bool {
	for _, q := range d.waiting {
		if q.id == id {
			return q.call == nil
		}
	}
	return false
}

// hcDevice reads the answer to a login, behind the status: version, user, serial number, type, number of channels.
func hcDevice(body []byte) *dissect.DeviceInfo {
	const serial, serialLen, channels = 4, 48, 53
	if len(body) <= channels {
		return nil
	}
	info := &dissect.DeviceInfo{Vendor: "Hikvision", Serial: announce.Text(body[serial : serial+serialLen]), Analog: int(body[channels])}
	if info.Model = announce.ModelOfSerial(info.Serial); info.Model == "" {
		return nil
	}
	return info
}

// hcCommandCall is a command with which a client asks for something.
type hcCommandCall struct {
	command uint32
	Call
}

// hcCall returns what a command does, or nil. Of the others in the ranges of settings, even ones read and odd ones change.
func hcCall(command uint32) *Call {
	for i := range hcCommands {
		if hcCommands[i].command == command {
			return &hcCommands[i].Call
		}
	}
	if group := command >> 8; command>>16 == 0x02 || group >= 0x1100 && group <= 0x1101 {
		if command&1 == 0 {
			return &hcGet
		}
		return &hcSet
	}
	return nil
}

var (
	hcGet = Call{"get configuration", "", dissect.ActionRead, 0}
	hcSet = Call{"set configuration", "", dissect.ActionConfiguration, 0}
)

// hcCommands are the commands by their names in the header of the device program.
var hcCommands = []hcCommandCall{
	{0x020101, Call{"SET_NETCFG", "", dissect.ActionNetwork, 0}},
	{0x020111, Call{"SET_NETAPPCFG", "", dissect.ActionNetwork, 0}},
	{0x020113, Call{"SET_NTPCFG", "", dissect.ActionTime, 0}},
	{0x020115, Call{"SET_DDNSCFG", "", dissect.ActionNetwork, 0}},
	{0x02011b, Call{"SET_DDNSCFG_EX", "", dissect.ActionNetwork, 0}},
	{0x020201, Call{"SET_PICCFG", "", dissect.ActionVideo, 0}},
	{0x020211, Call{"SET_COMPRESSCFG", "", dissect.ActionVideo, 0}},
	{0x020219, Call{"SET_COMPRESSCFG_EX", "", dissect.ActionVideo, 0}},
	{0x020221, Call{"SET_RECORDCFG", "", dissect.ActionVideo, 0}},
	{0x020233, Call{"SET_PICCFG_EX", "", dissect.ActionVideo, 0}},
	{0x020235, Call{"SET_SHOWSTRING", "", dissect.ActionVideo, 0}},
	{0x020501, Call{"SET_TIMECFG", "", dissect.ActionTime, 0}},
	{0x020801, Call{"SET_USERCFG", "", dissect.ActionUsers, 0}},
	{0x020803, Call{"SET_USERCFG_EX", "", dissect.ActionUsers, 0}},
	{0x020a01, Call{"PUT_DEVCFGFILE", "", dissect.ActionConfiguration, 0}},
	{0x020c03, Call{"SET_RTSPCFG", "", dissect.ActionNetwork, 0}},
	{0x030000, Call{"TCP_PREV", "", dissect.ActionView, 0}},
	{0x030001, Call{"UDP_PREV", "", dissect.ActionView, 0}},
	{0x030002, Call{"MCAST_PREV", "", dissect.ActionView, 0}},
	{0x030003, Call{"RTP_PREV", "", dissect.ActionView, 0}},
	{0x030008, Call{"SET_VIDEOEFFECT", "", dissect.ActionVideo, 0}},
	{0x030009, Call{"GET_JPEGPICTURE", "", dissect.ActionView, 0}},
	{0x03000a, Call{"GET_JPEGPICTURE_EX", "", dissect.ActionView, 0}},
	{0x030100, Call{"FINDFILE", "", dissect.ActionRead, 0}},
	{0x030101, Call{"PLAYBYFILE", "", dissect.ActionView, 0}},
	{0x030102, Call{"PLAYBYTIME", "", dissect.ActionView, 0}},
	{0x030200, Call{"PTZ", "", dissect.ActionMove, 0}},
	{0x030201, Call{"TRANSPTZ", "", dissect.ActionMove, 0}},
	{0x030203, Call{"PTZWITHSPEED", "", dissect.ActionMove, 0}},
	{0x030290, Call{"PTZSELZOOMIN", "", dissect.ActionMove, 0}},
	{0x030401, Call{"SETALARMOUT", "", dissect.ActionConfiguration, 0}},
	{0x030600, Call{"SERIALSTART", "", dissect.ActionConfiguration, 0}},
	{0x030601, Call{"SERIALSEND", "", dissect.ActionConfiguration, 0}},
	{0x030700, Call{"SOFTRESTORE_CFG", "", dissect.ActionReset, 0}},
	{0x030900, Call{"REBOOT", "", dissect.ActionReboot, 0}},
	{0x030a00, Call{"SHUTDOWN", "", dissect.ActionReboot, 0}},
	{0x030b00, Call{"UPGRADE", "", dissect.ActionUpgrade, 0}},
	{0x030c00, Call{"FORMAT", "", dissect.ActionConfiguration, 0}}, // of a disk
	{0x030d00, Call{"STARTRECORD", "", dissect.ActionVideo, 0}},
	{0x030d01, Call{"STOPRECORD", "", dissect.ActionVideo, 0}},
	{0x030e00, Call{"GET_LOG", "", dissect.ActionRead, 0}},
	{0x040000, Call{"GET_WORKSTATUS", "", dissect.ActionRead, 0}},
	{0x090009, Call{"GET_DSTCFG", "", dissect.ActionRead, 0}},
	{0x09000a, Call{"SET_DSTCFG", "", dissect.ActionTime, 0}},
	{0x110001, Call{"SET_NETCFG_V30", "", dissect.ActionNetwork, 0}},
	{0x110011, Call{"SET_PICCFG_V30", "", dissect.ActionVideo, 0}},
	{0x110021, Call{"SET_RECORDCFG_V30", "", dissect.ActionVideo, 0}},
	{0x110031, Call{"SET_USERCFG_V30", "", dissect.ActionUsers, 0}},
	{0x110041, Call{"SET_COMPRESSCFG_V30", "", dissect.ActionVideo, 0}},
	{0x1100b1, Call{"SET_EMAILCFG_V30", "", dissect.ActionConfiguration, 0}},
	{0x110131, Call{"SET_SHOWSTRING_V30", "", dissect.ActionVideo, 0}},
	{0x110141, Call{"SET_DDNSCFG_V30", "", dissect.ActionNetwork, 0}},
	{0x110151, Call{"SET_IPCORECFG", "", dissect.ActionNetwork, 0}},
	{0x111000, Call{"GET_LOG_V30", "", dissect.ActionRead, 0}},
	{0x111040, Call{"FINDFILE_V30", "", dissect.ActionRead, 0}},
	{0x111070, Call{"GET_WORKSTATUS_V30", "", dissect.ActionRead, 0}},
	{0x111083, Call{"SET_NETCFG_MULTI", "", dissect.ActionNetwork, 0}},
	{0x1110c2, Call{"GET_DEVICECFG_V40", "", dissect.ActionRead, 0}},
	{0x1110c3, Call{"SET_DEVICECFG_V40", "", dissect.ActionConfiguration, 0}},
	{0x1110d6, Call{"SET_SNMPCFG", "", dissect.ActionNetwork, 0}},
}
