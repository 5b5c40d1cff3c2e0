// SPDX-License-Identifier: Apache-2.0

package http

import (
	"bytes"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
)

// LooksSimple recognizes a request of HTTP/0.9, "GET /path" (RFC 1945 section 4.1), also without the path, on the ports
// of HTTP: servers and scanners still understand it. Such a session is not read.
func LooksSimple(head []byte, _ bool, ports dissect.Ports) match.Verdict {
	const longest = 2048
	if !ports.Has(80, 8080) {
		return match.No
	}
	if v := match.Prefix(head, "GET"); v != match.Yes {
		return v
	}
	line, _, ok := parse.CutLine(head)
	switch {
	case !ok && len(head) < longest && !parse.HasControl(bytes.TrimSuffix(head, []byte("\r"))):
		return match.Maybe
	case !ok || parse.HasControl(line):
		return match.No
	}
	target := bytes.TrimLeft(line[len("GET"):], " ")
	return match.If(len(target) == 0 || target[0] == '/' && line[len("GET")] == ' ')
}
