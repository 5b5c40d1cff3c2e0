// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"stillwatch/sensor/internal/customrule"
)

// names are the fields of Sigma in lower case, by the field of a custom rule. Those of session can be read at every kind of event.
var names = map[string][]string{
	"session.port":        {"dst_port", "destinationport", "id.resp_p", "dst.port", "cs-port"},
	"session.client_port": {"src_port", "sourceport", "id.orig_p", "src.port"},
	"session.server":      {"dst_ip", "destinationip", "id.resp_h", "dst.ip"},
	"session.client":      {"src_ip", "sourceip", "id.orig_h", "src.ip", "c-ip"},
	"session.name":        {"destinationhostname", "dst_host"},
	"session.proto":       {"proto", "protocol"},
	"session.app":         {"service", "app"},
	"session.bytes_out":   {"orig_bytes"},
	"session.bytes_in":    {"resp_bytes"},
	"session.direction":   {"initiated"},
	"dns.name":            {"query", "queryname"},
	"dns.type":            {"record_type", "qtype_name", "querytype"},
	"http.uri":            {"c-uri", "cs-uri", "uri", "c-uri-path", "cs-uri-stem"},
	"http.host":           {"cs-host", "host", "r-dns"},
	"http.user_agent":     {"c-useragent", "cs-user-agent", "user_agent"},
	"http.method":         {"cs-method", "method"},
	"http.status":         {"sc-status", "status_code"},
	"tls.sni":             {"server_name"},
	"tls.ja3":             {"ja3"},
	"tls.ja3s":            {"ja3s"},
	"tls.subject":         {"subject", "certificate.subject"},
	"tls.issuer":          {"issuer", "certificate.issuer"},
}

// numeric fields, and those with an address.
var (
	numeric   = []string{"session.port", "session.client_port", "session.bytes_out", "session.bytes_in", "http.status"}
	addresses = []string{"session.server", "session.client"}
	lowerCase = []string{"dns.name", "session.server", "session.client", "session.proto", "session.app", "session.direction", "tls.ja3", "tls.ja3s"} // as they are
)

// fieldOf returns the field that a Sigma field is.
func (t *translator) fieldOf(name string) (string, error) {
	for own, all := range names {
		group, _, _ := strings.Cut(own, ".")
		readable := group == "session" || group == "dns" && t.on == customrule.OnDNS || group == "http" && t.on == customrule.OnHTTP || group == "tls" && t.on == customrule.OnTLS
		if readable && slices.Contains(all, strings.ToLower(name)) {
			return own, nil
		}
	}
	return "", fmt.Errorf("the sensor has no field %q in events on %s", oneLine(name, 60), t.on)
}

// field translates "name|modifier: values".
func (t *translator) field(key string, v any) (string, error) {
	parts := strings.Split(key, "|")
	own, err := t.fieldOf(parts[0])
	if err != nil {
		return "", err
	}
	c := comparison{field: own}
	if c.sigma = strings.ToLower(parts[0]); len(parts) > 6 {
		return "", fmt.Errorf("%q has too many modifiers", oneLine(key, 60))
	}
	for _, m := range parts[1:] {
		switch {
		case slices.Contains([]string{"contains", "startswith", "endswith", "re", "cidr", "lt", "lte", "gt", "gte"}, m) && c.modifier == "":
			c.modifier = m
		case m == "all":
			c.all = true
		case m == "i" && c.modifier == "re":
			c.fold = true
		default:
			return "", fmt.Errorf("the modifier %q of %q is not supported", oneLine(m, 20), oneLine(parts[0], 60))
		}
	}
	values, ok := v.([]any)
	if !ok {
		values = []any{v}
	}
	var out []string
	for _, x := range values {
		s, isText := x.(string)
		if !isText && x != nil {
			return "", fmt.Errorf("the values of %q must be single values", oneLine(key, 60))
		}
		e, err := c.expression(s)
		if err != nil {
			return "", err
		}
		out = append(out, e)
	}
	if out == nil {
		return "", fmt.Errorf("%q has no value", oneLine(key, 60))
	}
	if c.all {
		return join(out, "and"), nil
	}
	return c.either(out), nil
}

// comparison compares one field with values.
type comparison struct {
	field, sigma, modifier string
	all, fold              bool
	equal                  []string // the literals, while all values are compared for equality
}

// read is how the field is read: in lower case, because Sigma ignores case.
func (c *comparison) read() string {
	if slices.Contains(numeric, c.field) || slices.Contains(lowerCase, c.field) {
		return c.field
	}
	return "lower(" + c.field + ")"
}

// either joins alternatives: a list if all are compared for equality.
func (c *comparison) either(out []string) string {
	if len(out) > 1 && len(c.equal) == len(out) {
		return c.read() + " in [" + strings.Join(c.equal, ", ") + "]"
	}
	return join(out, "or")
}

// expression translates the comparison with one value.
func (c *comparison) expression(v string) (string, error) {
	switch {
	case c.modifier == "cidr":
		p, err := netip.ParsePrefix(v)
		if err != nil || !slices.Contains(addresses, c.field) {
			return "", fmt.Errorf("cidr needs an address and a network, not %q", oneLine(v, 40))
		}
		return fmt.Sprintf("cidr(%s, %q)", c.field, p.Masked()), nil
	case slices.Contains(numeric, c.field):
		return c.number(v)
	case c.modifier == "re":
		if c.fold {
			v = "(?i)" + v
		}
		return c.field + " matches " + strconv.Quote(v), nil
	case c.field == "session.direction":
		return c.direction(v)
	case c.modifier == "lt" || c.modifier == "lte" || c.modifier == "gt" || c.modifier == "gte":
		return "", fmt.Errorf("%q is no number", c.sigma)
	}
	return c.text(strings.ToLower(v))
}

func (c *comparison) number(v string) (string, error) {
	n, err := strconv.ParseUint(v, 10, 53)
	operator, known := map[string]string{"": "==", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}[c.modifier]
	if err != nil || !known {
		return "", fmt.Errorf("%q must be compared with whole numbers, not %q", c.sigma, oneLine(v, 40))
	}
	if operator == "==" {
		c.equal = append(c.equal, strconv.FormatUint(n, 10))
	}
	return fmt.Sprintf("%s %s %d", c.field, operator, n), nil
}

// direction translates the field Initiated of Sysmon.
func (c *comparison) direction(v string) (string, error) {
	switch strings.ToLower(v) {
	case "true":
		return `session.direction == "out"`, nil
	case "false":
		return `session.direction == "in"`, nil
	}
	return "", fmt.Errorf("%q must be true or false", c.sigma)
}

// text translates a text with the wildcards * and ?, which a backslash escapes.
func (c *comparison) text(v string) (string, error) {
	if strings.HasPrefix(v, "http") && c.field == "http.uri" && c.modifier != "contains" && c.modifier != "endswith" {
		return "", fmt.Errorf("%q has a whole URL, but the sensor sees the path of a request: use contains", c.sigma)
	}
	switch c.modifier {
	case "contains":
		v = "*" + v + "*"
	case "startswith":
		v += "*"
	case "endswith":
		v = "*" + v
	}
	var pattern strings.Builder // of the whole text
	literal, wild := "", []int{}
	for i := 0; i < len(v); i++ {
		switch ch := v[i]; {
		case ch == '\\' && i+1 < len(v) && strings.IndexByte(`*?\`, v[i+1]) >= 0:
			i++
			literal += v[i : i+1]
			pattern.WriteString(regexp.QuoteMeta(v[i : i+1]))
		case ch == '*':
			wild = append(wild, i)
			pattern.WriteString(".*")
		case ch == '?':
			wild = append(wild, -1)
			pattern.WriteString(".")
		default:
			literal += v[i : i+1]
			pattern.WriteString(regexp.QuoteMeta(v[i : i+1]))
		}
	}
	last := len(v) - 1
	quoted := strconv.Quote(literal)
	switch {
	case len(wild) == 0:
		c.equal = append(c.equal, quoted)
		return c.read() + " == " + quoted, nil
	case literal == "":
		return c.field + ` != ""`, nil
	case len(wild) == 2 && wild[0] == 0 && wild[1] == last:
		return c.read() + " contains " + quoted, nil
	case len(wild) == 1 && wild[0] == 0:
		return c.read() + " endsWith " + quoted, nil
	case len(wild) == 1 && wild[0] == last:
		return c.read() + " startsWith " + quoted, nil
	}
	return c.read() + " matches " + strconv.Quote("(?s)^"+pattern.String()+"$"), nil
}
