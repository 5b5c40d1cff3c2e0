// SPDX-License-Identifier: Apache-2.0

package recognize

import (
	"bytes"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
)

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
	for _, method := range [...]string{`"mining.subscribe"`, `"mining.authorize"`, `"eth_submitLogin"`} {
		if at := bytes.Index(line, []byte(method)); at > 0 && parse.IsPlain(line[:at]) {
			return match.Yes
		}
	}
	switch plain := parse.IsPlain(bytes.TrimRight(line, "\r")); {
	case !plain:
		return match.No
	case i >= 0:
		return match.If(bytes.Contains(line, []byte(`"jsonrpc"`)) && bytes.Contains(line, []byte(`"login"`)) && bytes.Contains(line, []byte(`"pass"`)))
	case len(head) < maxLine && !final:
		return match.Maybe
	}
	return match.No
}
