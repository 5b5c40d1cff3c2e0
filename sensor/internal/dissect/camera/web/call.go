// SPDX-License-Identifier: Apache-2.0

// Package web reads what clients ask of cameras and recorders over HTTP, and what these say of themselves in return: ISAPI and PSIA of
// Hikvision, CGI and RPC2 of Dahua, VAPIX of Axis, ONVIF. The tables of requests are data.
package web

import (
	"bytes"
	"strings"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/camera"
	"stillwatch/sensor/internal/dissect/parse"
)

// Call is a request that asks something of a device; nil is any other request.
type Call struct {
	Protocol, Action string
	Kind             dissect.ActionKind
	row              *row
	rpc              *camera.Call
}

// Known reports whether the request asks something of a device, as far as it was read.
func (c *Call) Known() bool { return c != nil && c.Kind != "" }

// ChangesUsers reports whether the request changes accounts or passwords.
func (c *Call) ChangesUsers() bool { return c.Known() && c.Kind == dissect.ActionUsers }

// NeedsReply reports whether the result, or what the device says of itself, is in the body of the response.
func (c *Call) NeedsReply() bool {
	return c.Known() && (c.Protocol != isapi || c.row.describes)
}

const (
	isapi = "isapi"
	cgi   = "dahua_cgi"
	rpc2  = "rpc2"
	vapix = "vapix"
	onvif = "onvif"
)

// protocols are the protocols that are recognized by the target of a request, by how it begins.
var protocols = []struct {
	name, root string // root in lower case
	rows       []row
}{
	{isapi, "/isapi/", isapiRows},
	{isapi, "/psia/", psiaRows},
	{cgi, "/cgi-bin/", dahuaRows},
	{vapix, "/axis-cgi/", vapixRows},
}

// Find returns the call of a request with this method and target, nil if it is none. form is a body of the type
// application/x-www-form-urlencoded, whose parameters count as those of the target; nil if there is none.
func Find(method string, target, form []byte) *Call {
	if len(target) == 0 || target[0] != '/' {
		return nil
	}
	var buf [512]byte
	path, query := target, []byte(nil)
	if i := bytes.IndexAny(target, "?#"); i >= 0 {
		path, query = target[:i], target[i+1:]
	}
	if bytes.IndexByte(path, '%') >= 0 {
		path = parse.UnescapePercent(buf[:0], path)
	}
	if parse.FoldPrefix(path, "/rpc2") || parse.FoldPrefix(path, "/rpc3") {
		return &Call{Protocol: rpc2}
	}
	for i := range protocols {
		p := &protocols[i]
		if !parse.FoldPrefix(path, p.root) {
			continue
		}
		rest := bytes.TrimRight(path[len(p.root):], "/")
		if p.name == vapix {
			rest = withoutRole(rest)
		}
		for j := range p.rows {
			r := &p.rows[j]
			if r.fits(len(p.root), method, rest, query, form) {
				c := callOf(p.name, r)
				if r.setting != nil {
					c.Kind = settingKind(r.setting, query, form)
				}
				return c
			}
		}
	}
	return nil
}

// HasForm reports whether a body of parameters may tell what a request for this target does.
func HasForm(target string) bool {
	b := []byte(target)
	return parse.FoldPrefix(b, "/cgi-bin/") || parse.FoldPrefix(b, "/axis-cgi/")
}

func callOf(protocol string, r *row) *Call {
	return &Call{Protocol: protocol, Action: r.pattern, Kind: r.kind, row: r}
}

// ReadJSON reads the method in a body of JSON, of RPC2 and of VAPIX.
func (c *Call) ReadJSON(body []byte) {
	switch {
	case c == nil:
	case c.Protocol == rpc2:
		if m := camera.ReadRPC(body); m.Call != nil {
			c.Action, c.Kind, c.rpc = m.Call.Name, m.Call.Kind, m.Call
		}
	case c.Protocol == vapix:
		var method []byte
		parse.JSONMembers(body, func(depth int, key, value []byte) {
			if depth == 1 && parse.FoldEqual(key, "method") {
				method = value
			}
		})
		for i := range vapixRows {
			r := &vapixRows[i]
			if base, name, ok := strings.Cut(r.pattern, "#"); ok && base == c.row.pattern && len(method) > 0 && glob(name, method) {
				*c = *callOf(vapix, r)
				return
			}
		}
	}
}

// withoutRole removes the role that older versions of VAPIX have in a path: /axis-cgi/admin/restart.cgi.
func withoutRole(path []byte) []byte {
	for _, role := range [...]string{"admin/", "operator/", "viewer/", "view/"} {
		if parse.FoldPrefix(path, role) {
			return path[len(role):]
		}
	}
	return path
}
