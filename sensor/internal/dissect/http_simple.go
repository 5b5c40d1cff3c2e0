// SPDX-License-Identifier: Apache-2.0

package dissect

import "bytes"

// looksSimpleHTTP tells the request of HTTP/0.9, "GET /path" (RFC 1945 section 4.1), also without the path, where HTTP is
// expected: servers and scanners still understand it. Nothing of such a session is read.
func looksSimpleHTTP(head []byte, _ bool, ports Ports) verdict {
	const longest = 2048
	if !ports.has(80, 8080) {
		return no
	}
	if v := startsWith(head, "GET"); v != yes {
		return v
	}
	line, _, ok := cutLine(head)
	switch {
	case !ok && len(head) < longest && !hasControl(bytes.TrimSuffix(head, []byte("\r"))):
		return maybe
	case !ok || hasControl(line):
		return no
	}
	target := bytes.TrimLeft(line[len("GET"):], " ")
	return yesIf(len(target) == 0 || target[0] == '/' && line[len("GET")] == ' ')
}
