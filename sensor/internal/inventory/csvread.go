// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/detect"
)

// Bounds of a CSV file.
const (
	maxCSV  = 64 << 20 // bytes
	maxRows = 100_000
	maxCell = 64 << 10 // bytes
)

// position is where a value is in a CSV file, from 1. name is its column, "" for a whole row.
type position struct {
	line, column int
	name         string
}

// cell is a value with its place.
type cell struct {
	text string
	position
}

// reader turns a CSV file into the YAML of an inventory. It keeps from which cell each line of the YAML is, so that the checks of the
// inventory are reported at that cell.
type reader struct {
	file    string
	bad     config.Errors
	header  []string // known columns, "" for others
	ignored []string
	yaml    bytes.Buffer
	origins []position // of each line of yaml
	rows    []map[string]cell
}

// Import converts CSV to an inventory in YAML. file is its name in messages. The site, the networks, the zones and the infrastructure are those
// of base, which may be nil. The error is of type config.Errors if the content is not valid.
func Import(in io.Reader, file string, base *contract.Inventory) ([]byte, error) {
	src, err := io.ReadAll(io.LimitReader(in, maxCSV+1))
	if err != nil {
		return nil, err
	}
	r := &reader{file: file}
	if len(src) > maxCSV {
		r.fail(position{line: 1, column: 1}, "the file is larger than %d MiB", maxCSV>>20)
		return nil, r.bad
	}
	r.read(bytes.TrimPrefix(src, []byte("\xef\xbb\xbf")))
	if len(r.bad) > 0 {
		return nil, r.bad
	}
	r.head(base)
	for _, row := range r.rows {
		r.device(row)
	}
	if len(r.rows) == 0 {
		r.line(position{line: 1, column: 1}, "devices: []")
	}
	if _, err := config.ParseInventory(file, r.yaml.Bytes()); err != nil {
		r.translate(err)
	}
	if len(r.bad) > 0 {
		slices.SortStableFunc(r.bad, func(a, b config.Problem) int { return 4096*(a.Line-b.Line) + min(a.Column, 4095) - min(b.Column, 4095) })
		return nil, r.bad
	}
	return r.yaml.Bytes(), nil
}

func (r *reader) fail(at position, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if at.name != "" {
		text = "column " + at.name + ": " + text
	}
	r.bad = append(r.bad, config.Problem{File: r.file, Line: at.line, Column: at.column, Text: detect.Clean(text, 400)})
}

// line adds a line of YAML that comes from a cell.
func (r *reader) line(from position, format string, args ...any) {
	fmt.Fprintf(&r.yaml, format+"\n", args...)
	r.origins = append(r.origins, from)
}

// read reads the rows.
func (r *reader) read(src []byte) {
	c := csv.NewReader(bytes.NewReader(src))
	c.FieldsPerRecord, c.ReuseRecord = -1, true
	if first, _, _ := bytes.Cut(src, []byte("\n")); bytes.Contains(first, []byte(";")) && !bytes.Contains(first, []byte(",")) {
		c.Comma = ';' // as spreadsheets write where the comma is the decimal point
	}
	for {
		cells, err := c.Read()
		var syntax *csv.ParseError
		switch {
		case err == io.EOF:
			if r.header == nil {
				r.fail(position{line: 1, column: 1}, "the file is empty: the first line must name the columns")
			}
			return
		case errors.As(err, &syntax):
			r.fail(position{line: syntax.Line, column: syntax.Column}, "not valid CSV: %s", syntax.Err)
			return
		case r.header == nil:
			if r.columns(cells); len(r.bad) > 0 {
				return
			}
		case len(r.rows) >= maxRows:
			line, _ := c.FieldPos(0)
			r.fail(position{line: line, column: 1}, "more than %d rows", maxRows)
			return
		default:
			r.row(c, cells)
		}
		if len(r.bad) >= 50 {
			return
		}
	}
}

// columns reads the header.
func (r *reader) columns(cells []string) {
	r.header = []string{}
	for i, s := range cells {
		name := strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToLower(strings.TrimSpace(s)))
		if a := aliases[name]; a != "" {
			name = a
		}
		switch {
		case !slices.Contains(columns, name):
			r.ignored = append(r.ignored, detect.Clean(s, 40))
			name = ""
		case slices.Contains(r.header, name):
			r.fail(position{line: 1, column: 1 + i}, "two columns are %s", name)
		}
		r.header = append(r.header, name)
	}
	if !slices.Contains(r.header, "name") {
		r.fail(position{line: 1, column: 1}, "there is no column name; the first line must name the columns: %s", strings.Join(columns, ", "))
	}
}

// row reads a row: the known columns that have a value.
func (r *reader) row(c *csv.Reader, cells []string) {
	line, _ := c.FieldPos(0)
	if len(cells) != len(r.header) {
		r.fail(position{line: line, column: 1}, "%d cells, but the first line names %d columns", len(cells), len(r.header))
		return
	}
	row := map[string]cell{"": {position: position{line: line, column: 1}}}
	for i, s := range cells {
		if r.header[i] == "" {
			continue
		}
		at := position{name: r.header[i]}
		at.line, at.column = c.FieldPos(i)
		if s = unarmor(s); at.name != "tenant" {
			s = strings.TrimSpace(s)
		}
		switch {
		case len(s) > maxCell:
			r.fail(at, "the cell is larger than %d KiB", maxCell>>10)
		case !utf8.ValidString(s) || strings.ContainsRune(s, 0):
			r.fail(at, "the cell is not UTF-8 text")
		case s != "":
			row[r.header[i]] = cell{strings.Clone(s), at}
		}
	}
	if len(row) > 1 {
		r.rows = append(r.rows, row)
	}
}

// head writes what comes before the devices.
func (r *reader) head(base *contract.Inventory) {
	at := position{line: 1, column: 1}
	if len(r.ignored) > 0 {
		r.line(at, "# Columns that were ignored: %s.", detect.Clean(strings.Join(r.ignored, ", "), 300))
	}
	r.line(at, "version: 1")
	if base == nil {
		base = &contract.Inventory{Site: r.site()}
	}
	if base.Site != "" {
		r.line(at, "site: %s", quote(base.Site))
	}
	if len(base.Internal) > 0 {
		r.line(at, "networks:")
		r.line(at, "  internal: [%s]", joined(base.Internal))
	}
	if len(base.Zones) > 0 {
		r.line(at, "zones:")
	}
	for _, z := range base.Zones {
		r.line(at, "  %s: [%s]", quote(z.Name), joined(z.Networks))
	}
	r.infrastructure(at, &base.Infrastructure)
	if len(r.rows) > 0 {
		r.line(at, "devices:")
	}
}

func joined[T fmt.Stringer](all []T) string {
	var parts []string
	for _, p := range all {
		parts = append(parts, quote(p.String()))
	}
	return strings.Join(parts, ", ")
}

func (r *reader) infrastructure(at position, in *contract.Infrastructure) {
	begun := false
	for _, x := range []struct {
		name  string
		hosts []contract.Host
	}{{"dns", in.DNS}, {"ntp", in.NTP}, {"dhcp", in.DHCP}, {"syslog", in.Syslog}, {"admin", in.Admin}} {
		if x.hosts == nil {
			continue
		}
		if !begun {
			r.line(at, "infrastructure:")
			begun = true
		}
		var parts []string
		for _, h := range x.hosts {
			switch {
			case h.Name != "":
				parts = append(parts, quote(h.Name))
			case h.Prefix.IsSingleIP():
				parts = append(parts, quote(h.Prefix.Addr().String()))
			default:
				parts = append(parts, quote(h.Prefix.String()))
			}
		}
		r.line(at, "  %s: [%s]", x.name, strings.Join(parts, ", "))
	}
}

// site returns the site of the rows if all have the same, else "".
func (r *reader) site() (site string) {
	for i, row := range r.rows {
		if i > 0 && row["site"].text != site {
			return ""
		}
		site = row["site"].text
	}
	return site
}

// device writes a row as a device.
func (r *reader) device(row map[string]cell) {
	about := []string{}
	for _, name := range []string{"role", "manufacturer", "device_type", "serial", "location", "status", "tags", "comments"} {
		if c := row[name]; c.text != "" && (name != "status" || c.text != "active") {
			about = append(about, strings.ReplaceAll(name, "_", " ")+" "+detect.Clean(c.text, 100))
		}
	}
	if len(about) > 0 {
		r.line(row[""].position, "  # %s", strings.Join(about, "; "))
	}
	name := row["name"]
	if name.text == "" {
		r.fail(row[""].position, "the row has no name")
		return
	}
	r.line(name.position, "  - name: %s", quote(name.text))
	r.match(row)
	for _, x := range [][2]string{{"cf_expect", "expect"}, {"tenant", "owner"}, {"cf_criticality", "criticality"}} {
		if c := row[x[0]]; c.text != "" {
			r.line(c.position, "    %s: %s", x[1], quote(c.text))
		}
	}
	r.list(row["cf_allow"], "allow", ruleYAML)
	r.list(row["cf_maintenance"], "maintenance", windowYAML)
}

// match writes the match of a device: cf_match, else the MAC address, else the IP address.
func (r *reader) match(row map[string]cell) {
	mac, ip := row["mac_address"], row["primary_ip4"]
	if ip.text == "" {
		ip = row["primary_ip6"]
	}
	switch c := row["cf_match"]; {
	case c.text != "":
		kind, value, _ := strings.Cut(c.text, " ")
		if !slices.Contains([]string{"mac", "ip", "prefix", "vendor", "role"}, kind) || value == "" {
			r.fail(c.position, `%q is no match: write "prefix 10.20.30.0/24", "vendor NAME" or "role NAME"`, c.text)
			return
		}
		r.line(c.position, "    match: {%s: %s}", kind, quote(value))
	case mac.text != "":
		r.line(mac.position, "    match: {mac: %s}", strconv.Quote(strings.ToLower(mac.text)))
	case ip.text != "":
		addr, _, _ := strings.Cut(ip.text, "/") // NetBox writes the mask, too
		r.line(ip.position, "    match: {ip: %s}", quote(addr))
	default:
		r.fail(row[""].position, "nothing identifies the device: give mac_address, primary_ip4, primary_ip6 or cf_match")
	}
}

// list writes a cell with several values, separated by semicolons or lines.
func (r *reader) list(c cell, key string, convert func(string) (string, error)) {
	begun := false
	for s := range strings.FieldsFuncSeq(c.text, func(x rune) bool { return x == ';' || x == '\n' }) {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		text, err := convert(s)
		if err != nil {
			r.fail(c.position, "%s", err)
			return
		}
		if !begun {
			r.line(c.position, "    %s:", key)
			begun = true
		}
		r.line(c.position, "      - %s", text)
	}
}

// ruleYAML converts an entry such as "out tcp 443 8000-8010 to *.example.com" to YAML.
func ruleYAML(s string) (string, error) {
	words := strings.Fields(s)
	dir, peer := "out", ""
	if len(words) > 0 && (words[0] == "in" || words[0] == "out") {
		dir, words = words[0], words[1:]
	}
	if n := len(words); n >= 2 && (words[n-2] == "to" || words[n-2] == "from") {
		if (words[n-2] == "to") != (dir == "out") {
			return "", fmt.Errorf(`%q: write "out … to PEER" or "in … from PEER"`, s)
		}
		peer, words = words[n-1], words[:n-2]
	}
	var parts []string
	if dir == "in" || len(words) == 0 && peer == "" {
		parts = append(parts, "direction: "+dir)
	}
	if peer != "" {
		parts = append(parts, "peer: "+quote(peer))
	}
	if len(words) > 0 && strings.IndexByte("0123456789", words[0][0]) < 0 {
		parts, words = append(parts, "proto: "+quote(words[0])), words[1:]
	}
	var ports []string
	for _, p := range words {
		if strings.IndexByte("0123456789", p[0]) < 0 {
			return "", fmt.Errorf(`%q: %q is no port; write entries such as "out tcp 443 to *.example.com"`, s, p)
		}
		if strings.Contains(p, "-") {
			p = strconv.Quote(p)
		}
		ports = append(ports, p)
	}
	if len(ports) > 0 {
		parts = append(parts, "ports: ["+strings.Join(ports, ", ")+"]")
	}
	return "{" + strings.Join(parts, ", ") + "}", nil
}

// windowYAML converts a window such as "sun,mon 02:00-04:00 Europe/Berlin" to YAML.
func windowYAML(s string) (string, error) {
	words := strings.Fields(s)
	var parts []string
	switch {
	case len(words) > 0 && words[0] == noDay:
		parts, words = append(parts, "days: []"), words[1:]
	case len(words) > 0 && !strings.Contains(words[0], ":"):
		parts, words = append(parts, "days: ["+joinedText(strings.Split(words[0], ","))+"]"), words[1:]
	}
	if len(words) == 0 || len(words) > 2 {
		return "", fmt.Errorf(`%q is no maintenance window; write "sun,mon 02:00-04:00 Europe/Berlin"`, s)
	}
	from, to, _ := strings.Cut(words[0], "-")
	parts = append(parts, "from: "+strconv.Quote(from), "to: "+strconv.Quote(to))
	if len(words) == 2 {
		parts = append(parts, "zone: "+quote(words[1]))
	}
	return "{" + strings.Join(parts, ", ") + "}", nil
}

func joinedText(all []string) string {
	var parts []string
	for _, s := range all {
		parts = append(parts, quote(s))
	}
	return strings.Join(parts, ", ")
}

// inLine finds a reference to a line of the YAML in a message.
var inLine = regexp.MustCompile(`in line (\d+)`)

// translate reports the errors of the YAML at the cells that they are from.
func (r *reader) translate(err error) {
	var all config.Errors
	if !errors.As(err, &all) {
		r.fail(position{line: 1, column: 1}, "%s", err)
		return
	}
	at := func(line int) position {
		if line >= 1 && line <= len(r.origins) {
			return r.origins[line-1]
		}
		return position{line: 1, column: 1}
	}
	known := map[int]bool{1: len(r.bad) > 0} // lines with an error that was reported before, or that lack a row because of one
	for _, p := range r.bad {
		known[p.Line] = true
	}
	for _, p := range all {
		if known[at(p.Line).line] {
			continue
		}
		text := inLine.ReplaceAllStringFunc(p.Text, func(s string) string {
			n, _ := strconv.Atoi(s[len("in line "):])
			return fmt.Sprintf("in line %d", at(n).line)
		})
		r.fail(at(p.Line), "%s", text)
	}
}
