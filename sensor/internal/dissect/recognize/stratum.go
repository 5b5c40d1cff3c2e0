// SPDX-License-Identifier: Apache-2.0

package recognize

import (
	"bytes"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/mask"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "stratum",
	Signs: "JSON with a method or a job of mining on one line",
	Reads: "program",
	Login: protocol.LoginUnread,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 350, Looks: LooksStratum, New: NewStratum},
		{From: protocol.Server, Order: 350, Looks: LooksStratumServer, New: NewStratum},
	},
})

// LooksStratum recognizes the first message of a miner, JSON on one line.
func LooksStratum(head []byte, final bool, _ dissect.Ports) match.Verdict {
	const maxLine = 1024
	if head[0] != '{' {
		return match.No
	}
	line := head[:min(len(head), maxLine)]
	i := bytes.IndexByte(line, '\n')
	if i >= 0 {
		line = line[:i]
	}
	for _, method := range [...]string{`"mining.subscribe"`, `"mining.authorize"`, `"mining.submit"`, `"mining.configure"`, `"eth_submitLogin"`} {
		if at := bytes.Index(line, []byte(method)); at > 0 && parse.IsPlain(line[:at]) {
			return match.Yes
		}
	}
	switch plain := parse.IsPlain(bytes.TrimRight(line, "\r")); {
	case !plain:
		return match.No
	case i >= 0:
		return match.If(hasAll(line, `"jsonrpc"`, `"login"`, `"pass"`) || hasAll(line, `"submit"`, `"job_id"`, `"nonce"`))
	case len(head) < maxLine && !final:
		return match.Maybe
	}
	return match.No
}

// LooksStratumServer recognizes what a pool sends of its own accord, JSON on one line: in a session that was captured midstream it may be the
// first message.
func LooksStratumServer(head []byte, final bool, _ dissect.Ports) match.Verdict {
	const maxLine = 4096
	if head[0] != '{' {
		return match.No
	}
	line := head[:min(len(head), maxLine)]
	i := bytes.IndexByte(line, '\n')
	if i >= 0 {
		line = line[:i]
	}
	switch plain := parse.IsPlain(bytes.TrimRight(line, "\r")); {
	case !plain:
		return match.No
	case i >= 0:
		return match.If(hasAll(line, `"mining.notify"`) || hasAll(line, `"mining.set_difficulty"`) || hasAll(line, `"mining.set_target"`) || hasAll(line, `"job_id"`, `"blob"`, `"target"`))
	case len(head) < maxLine && !final:
		return match.Maybe
	}
	return match.No
}

// hasAll reports whether a line contains each of the members.
func hasAll(line []byte, members ...string) bool {
	for _, m := range members {
		if !bytes.Contains(line, []byte(m)) {
			return false
		}
	}
	return true
}

// stratumStream reads the program of a miner.
type stratumStream struct{ done bool }

// NewStratum returns a dissector of Stratum.
func NewStratum() dissect.Stream { return new(stratumStream) }

// Feed reads the first message of the client; see dissect.Stream. The program is the first parameter of mining.subscribe, or the member "agent"
// of a login. Names of workers, wallets and passwords are not read.
func (s *stratumStream) Feed(dir int, head []byte, final bool, sink dissect.Sink) int {
	const maxLine = 1024
	if dir != dissect.FromClient || s.done {
		return 0
	}
	line, _, ok := parse.CutLine(head)
	if !ok && !final && len(head) < maxLine {
		return len(head) + 1
	}
	s.done = true
	if !ok {
		line = head[:min(len(head), maxLine)]
	}
	subscribes, agent := bytes.Contains(line, []byte(`"mining.subscribe"`)), []byte(nil)
	parse.JSONMembers(line, func(depth int, key, value []byte) {
		if agent == nil && (string(key) == "agent" || subscribes && depth == 2 && key == nil) {
			agent = value
		}
	})
	if text := mask.Text(agent, dissect.MaxBanner); text != "" {
		sink(&dissect.Banner{Protocol: "stratum", Text: text, Client: true})
	}
	return 0
}
