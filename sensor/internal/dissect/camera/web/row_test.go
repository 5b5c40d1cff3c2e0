// SPDX-License-Identifier: Apache-2.0

package web

import (
	"fmt"
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
)

// example returns a request that fits a row: a method, a target and the method in a body of JSON.
func example(r *row) (method, target, inBody string) {
	method, target = "POST", r.pattern
	if target[0] != '/' {
		method, target, _ = strings.Cut(target, " ")
	}
	target, inBody, _ = strings.Cut(target, "#")
	path, query, _ := strings.Cut(target, "?")
	query = strings.ReplaceAll(query, "*", "Zz")
	return method, strings.ReplaceAll(strings.ReplaceAll(path, "**", "/zz/1"), "*", "zz") + "?a=b&" + query, strings.ReplaceAll(inBody, "*", "Zz")
}

// TestEveryRowDecides checks that no row is hidden behind another.
func TestEveryRowDecides(t *testing.T) {
	for _, p := range protocols {
		for i := range p.rows {
			r := &p.rows[i]
			method, target, inBody := example(r)
			c := Find(method, []byte(target), nil)
			if inBody != "" {
				c.ReadJSON(fmt.Appendf(nil, `{"params":{"method":"x"},"method":"%s"}`, inBody))
			}
			if c.row != r {
				t.Errorf("%s %s %s is decided by %q, not by %q", method, target, inBody, c.Action, r.pattern)
			}
			if strings.ToLower(r.pattern[strings.IndexByte(r.pattern, '/'):])[:len(p.root)] != p.root {
				t.Errorf("%q is not below %s", r.pattern, p.root)
			}
		}
	}
	for i := range onvifRows {
		r := &onvifRows[i]
		service, name, _ := strings.Cut(strings.ReplaceAll(r.pattern, "*", "Zz"), "/")
		c := FindSOAP(fmt.Appendf(nil, `<e:Envelope><e:Body><x:%s xmlns:x="http://www.onvif.org/ver10/%s/wsdl"/></e:Body></e:Envelope>`, name, service), "")
		if c.row != r {
			t.Errorf("%s is decided by %q", r.pattern, c.Action)
		}
	}
}

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"a/*/c", "a/b/c", true}, {"a/*/c", "A//C", true}, {"a/*/c", "a/b/b/c", false}, {"a**", "a", true}, {"a**", "a/b/c", true}, {"a/**", "a", false}, {"get*", "getAll", true}, {"get*", "get", true}, {"get*", "get/x", false}, {"get", "getAll", false}, {"", "", true}, {"", "a", false},
	} {
		if got := glob(c.pattern, []byte(c.text)); got != c.want {
			t.Errorf("%q, %q: %v", c.pattern, c.text, got)
		}
	}
}

func FuzzRequest(f *testing.F) {
	for _, p := range protocols {
		for i := range p.rows {
			method, target, _ := example(&p.rows[i])
			f.Add(method, []byte(target), []byte("action=update&root.Time.x=1"))
		}
	}
	f.Add("POST", []byte("/x"), []byte(`<s:Envelope xmlns:tds="http://www.onvif.org/ver10/device/wsdl"><s:Body><!-- --><tds:SystemReboot></s:Body>`))
	mutate.Fuzz(f, func(t *testing.T, method string, target, body []byte) {
		calls := []*Call{Find(method, target, nil), Find(method, target, body), FindSOAP(body, string(target))}
		reply := ReadReply(body)
		for _, c := range calls {
			c.ReadJSON(body)
			if c != nil && c.Known() != (c.Action != "" && c.Kind != "") {
				t.Errorf("%+v", c)
			}
			if c == nil {
				continue
			}
			c.Result(200, reply)
			if d := c.Device(reply); d != nil && len(d.Model) > 128 {
				t.Errorf("%+v", d)
			}
		}
	})
}
