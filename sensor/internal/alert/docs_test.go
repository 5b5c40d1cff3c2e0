// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/enrich"
	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

var update = flag.Bool("update", false, "write the generated parts of docs/detections anew")

const docs = "../../../docs/detections"

// stage plays scenes for the examples, through the real registry, book, detectors and manager.
type stage struct {
	c    detect.Context
	dets []detect.Detector
	m    *Manager
	num  uint64
	got  []*schemas.Alert
}

func newStage(t *testing.T, entries ...contract.Entry) *stage {
	t.Helper()
	dets, err := detect.New(detect.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var names []device.Named
	for i := range entries {
		entries[i].HasExpect = true
		names = append(names, device.Named{Name: entries[i].Name, IP: entries[i].Match.IP})
	}
	var inv *contract.Inventory
	if len(entries) > 0 {
		inv = &contract.Inventory{Devices: entries}
	}
	s := &stage{dets: dets}
	s.m = New(Config{Replay: true, Sensor: schemas.AlertSensor{ID: "sensor-1", Site: "hq", Capture: "file"}}, func(a *schemas.Alert) { s.got = append(s.got, a) })
	s.c = detect.Context{Now: begin, Devices: device.New(device.Config{Named: names}), Contracts: contract.New(inv, contract.Config{}), Names: enrich.NewNames(0)}
	s.c.Emit = func(f *detect.Finding) { s.m.Add(f, &s.c) }
	return s
}

func (s *stage) wait(ns int64) {
	s.c.Now += ns
	for _, d := range s.dets {
		d.Tick(s.c.Now, &s.c)
	}
	s.m.Tick(s.c.Now, &s.c)
}

// view gives a session that is just being opened.
func (s *stage) view(proto uint8, from, to string) *session.View {
	s.num++
	dst, src := netip.MustParseAddrPort(to), netip.MustParseAddr(from)
	mac := func(a netip.Addr) packet.MAC {
		if b := a.As4(); a.IsPrivate() {
			return packet.MAC{0x90, 0x01, 0x02, b[1], b[2], b[3]} // nobody's prefix: the pages must not depend on evidence
		}
		return packet.MAC{0, 0x1b, 0x54, 0, 0, 1}
	}
	v := &session.View{ID: s.num, Start: s.c.Now, End: s.c.Now, Proto: proto, HasPorts: true, SynSeq: 1, SynOptLen: 20, Packets: [2]uint64{1, 0},
		Initiator: session.Endpoint{Addr: packet.AddrOf(src), MAC: mac(src), Port: uint16(40000 + s.num)},
		Responder: session.Endpoint{Addr: packet.AddrOf(dst.Addr()), MAC: mac(dst.Addr()), Port: dst.Port()}}
	if proto == 17 {
		v.Basis = session.BasisFirstPacket
	}
	return v
}

var steps = map[detect.Kind]device.Step{detect.SessionOpened: device.Opened, detect.SessionState: device.StateChanged,
	detect.SessionFact: device.FactRead, detect.SessionProgress: device.Progress, detect.SessionEnded: device.Ended}

func (s *stage) event(k detect.Kind, v *session.View, f dissect.Fact) {
	var app *fingerprint.App
	e := &detect.Event{Kind: k, Time: s.c.Now, Session: v, Fact: f, FactDir: session.In}
	if f != nil {
		e.App = app.With(f)
	}
	e.Initiator, e.Responder = s.c.Devices.Session(steps[k], v, e.App, s.c.Now)
	s.c.Begin()
	detect.NewWatch(s.dets).Observe(e, &s.c)
}

func (s *stage) open(proto uint8, from, to string) *session.View {
	v := s.view(proto, from, to)
	s.event(detect.SessionOpened, v, nil)
	return v
}

func (s *stage) connect(from, to string) *session.View {
	v := *s.open(6, from, to)
	v.State, v.Packets[1] = session.Established, 1
	s.event(detect.SessionState, &v, nil)
	return &v
}

func (s *stage) attempt(from, to string) {
	v := *s.open(6, from, to)
	s.event(detect.SessionEnded, &v, nil)
}

func (s *stage) end(v *session.View, out, in uint64) {
	n := *v
	n.State, n.End, n.Packets, n.PayloadBytes = session.Closed, s.c.Now, [2]uint64{out/1400 + 3, in/1400 + 3}, [2]uint64{out, in}
	n.IPBytes = [2]uint64{out + 40*n.Packets[0], in + 40*n.Packets[1]}
	s.event(detect.SessionEnded, &n, nil)
}

const (
	silent  = "10.20.10.17"
	foreign = "203.0.113.66"
)

func legacy() contract.Entry {
	return contract.Entry{Name: "srv-legacy-07", Match: contract.Match{IP: netip.MustParseAddr(silent)}, Expect: contract.Silent,
		Owner: "infrastructure team", Criticality: "high"}
}

// scenes gives, for each rule, what has to happen so that it speaks.
var scenes = map[string]func(t *testing.T) *stage{
	"D01": func(t *testing.T) *stage {
		s := newStage(t, legacy())
		v := s.connect(silent, "198.51.100.23:443")
		s.c.Now += 42 * second
		s.end(v, 51_200, 7_400)
		return s
	},
	"D02": func(t *testing.T) *stage {
		s := newStage(t, legacy())
		for range 9 {
			s.open(17, silent, "10.20.1.53:53")
			s.wait(24 * hour)
		}
		s.connect(silent, "198.51.100.23:443")
		return s
	},
	"D05": func(t *testing.T) *stage {
		s := newStage(t, contract.Entry{Name: "cam-12", Match: contract.Match{IP: netip.MustParseAddr("10.20.30.22")}, Expect: contract.Allowlist})
		s.open(17, "10.20.30.22", "10.20.1.53:53")
		d := s.c.Devices.ByKey("cam-12")
		d.Role, d.Level, d.Probability = device.Camera, device.Identified, 0.998
		s.connect("10.20.30.22", "10.20.10.21:22")
		return s
	},
	"D06": func(t *testing.T) *stage {
		s := newStage(t, legacy())
		for range 6 {
			s.attempt(silent, "198.51.100.200:6667")
			s.wait(90 * second)
		}
		return s
	},
	"D07": func(t *testing.T) *stage {
		s := newStage(t, legacy())
		s.connect(foreign, silent+":22")
		return s
	},
	"D08": func(t *testing.T) *stage {
		s := newStage(t, legacy())
		s.event(detect.SessionFact, s.connect(foreign, silent+":22"), &dissect.SSHAuth{Result: dissect.OutcomeSuccess})
		return s
	},
	"D09": func(t *testing.T) *stage {
		s := newStage(t, legacy())
		for i := range 14 {
			s.event(detect.SessionFact, s.connect(foreign, silent+":23"), &dissect.Login{Protocol: "telnet", Result: dissect.OutcomeFailure})
			s.wait(second * int64(3+i%4))
		}
		return s
	},
	"D13": func(t *testing.T) *stage {
		s := newStage(t, legacy())
		for i := range 8 {
			s.attempt(silent, fmt.Sprintf("10.20.30.%d:554", 11+i))
			s.wait(2 * second)
		}
		return s
	},
	"D14": func(t *testing.T) *stage {
		s := newStage(t, legacy())
		v := s.view(6, silent, "192.0.2.115:23")
		v.SynSeq, v.SynOptLen = binary.BigEndian.Uint32([]byte{192, 0, 2, 115}), 0
		s.event(detect.SessionOpened, v, nil)
		return s
	},
	"D18": func(t *testing.T) *stage {
		s := newStage(t, legacy())
		v := s.connect(silent, "203.0.113.45:443")
		s.c.Now += 10 * minute
		s.end(v, 31_000_000, 240_000)
		return s
	},
	"D34": func(t *testing.T) *stage {
		s := newStage(t)
		s.open(17, silent, "10.20.1.53:53")
		s.wait(30 * hour)
		s.open(17, "10.20.50.99", "10.20.1.53:53")
		return s
	},
	"D41": func(t *testing.T) *stage {
		s := newStage(t)
		s.wait(second)
		s.c.Quality = detect.Quality{OneWayShare: 0.42, OneWay: true}
		s.wait(6 * minute)
		return s
	},
	"D42": func(t *testing.T) *stage {
		s := newStage(t, legacy())
		v := s.connect(foreign, silent+":22")
		s.wait(minute)
		s.event(detect.SessionFact, v, &dissect.SSHAuth{Result: dissect.OutcomeSuccess})
		s.wait(9 * minute)
		s.connect(silent, "198.51.100.23:443")
		return s
	},
}

// example gives the last alert of a rule in its scene, indented.
func example(t *testing.T, id string) string {
	t.Helper()
	s := scenes[id](t)
	s.m.Close(s.c.Now, &s.c)
	var last *schemas.Alert
	for _, a := range s.got {
		line, err := schemas.AppendAlert(nil, a)
		if err == nil {
			err = schemas.Validate(schemas.KindAlert, line)
		}
		if err != nil {
			t.Errorf("%s: %v\n%s", a.Rule.ID, err, line)
		}
		if a.Rule.ID == id {
			last = a
		}
	}
	if last == nil {
		t.Fatalf("%s does not speak in its scene", id)
	}
	line, _ := schemas.AppendAlert(nil, last)
	var b bytes.Buffer
	if err := json.Indent(&b, line, "", "  "); err != nil {
		t.Fatal(err)
	}
	return "```json\n" + b.String() + "\n```\n"
}

// comments reads the comment of each field of the parameter structs from the source of the detectors.
func comments(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	files, err := filepath.Glob("../detect/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no source of the detectors", err)
	}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			ts, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if st, ok := ts.Type.(*ast.StructType); ok {
				for _, field := range st.Fields.List {
					for _, name := range field.Names {
						out[ts.Name.Name+"."+name.Name] = strings.TrimSpace(field.Comment.Text())
					}
				}
			}
			return true
		})
	}
	return out
}

func parameters(t *testing.T, id string, comments map[string]string) string {
	p := detect.Parameters()[id]
	if p == nil {
		return "None; the rule is applied to what the others find.\n"
	}
	var b strings.Builder
	b.WriteString("| parameter | default | meaning |\n|---|---|---|\n")
	v := reflect.ValueOf(p).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		text := comments[v.Type().Name()+"."+f.Name]
		if text == "" || f.Tag.Get("yaml") == "" {
			t.Errorf("%s: %s has no comment or no yaml tag", id, f.Name)
		}
		value, err := json.Marshal(v.Field(i).Interface())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s |\n", f.Tag.Get("yaml"), strings.ReplaceAll(string(value), ",", ", "), text)
	}
	return b.String()
}

func attack(r detect.Rule) string {
	if len(r.Attack) == 0 {
		return "Those of its findings.\n"
	}
	var b strings.Builder
	b.WriteString("| domain | tactic | technique |\n|---|---|---|\n")
	for _, a := range r.Attack {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", a.Domain, a.Tactic, a.Technique)
	}
	return b.String()
}

// between replaces what stands between the marks of a page.
func between(t *testing.T, page, mark, text string) string {
	t.Helper()
	begin, end := "<!-- begin: "+mark+" -->\n", "<!-- end: "+mark+" -->"
	i, j := strings.Index(page, begin), strings.Index(page, end)
	if i < 0 || j < i {
		t.Fatalf("the page has no marks for %s", mark)
	}
	return page[:i+len(begin)] + text + page[j:]
}

func hold(t *testing.T, path, was, is string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(is), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if was != is {
		t.Errorf("%s is not what the code says; run go test ./sensor/internal/alert -update", path)
	}
}

// Each rule has a page, each parameter stands there with its default, and each page has an alert that the code wrote.
func TestPages(t *testing.T) {
	c := comments(t)
	var table strings.Builder
	table.WriteString("| rule | kind | reliability | says |\n|---|---|---|---|\n")
	for _, r := range detect.Rules() {
		path := filepath.Join(docs, r.ID+".md")
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		was := string(b)
		if !strings.HasPrefix(was, "# "+r.ID+": "+r.Name+"\n") {
			t.Errorf("%s does not begin with the name of the rule", path)
		}
		is := between(t, was, "parameters", parameters(t, r.ID, c))
		is = between(t, is, "attack", attack(r))
		is = between(t, is, "example", example(t, r.ID))
		hold(t, path, was, is)
		first, _, _ := strings.Cut(strings.SplitN(was, "\n", 4)[2], ". ")
		fmt.Fprintf(&table, "| [%s](%s.md) %s | `%s` | %v | %s |\n", r.ID, r.ID, r.Name, r.Kind, r.Reliability, strings.TrimSuffix(first, "."))
	}
	path := filepath.Join(docs, "README.md")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	hold(t, path, string(b), between(t, string(b), "rules", table.String()))
}

// Nobody's password goes into an alert: facts hold none, and the hint of a user name is not written either.
func TestNoSecretInAnAlert(t *testing.T) {
	s := newStage(t, legacy())
	for range 20 {
		v := s.connect(foreign, silent+":80")
		s.event(detect.SessionFact, v, &dissect.HTTPExchange{Method: "GET", URI: "/", AuthScheme: "basic", AuthUserHint: "ZQ", AuthResult: dissect.OutcomeFailure})
		s.event(detect.SessionFact, v, &dissect.HTTPExchange{Method: "GET", URI: "/", AuthScheme: "basic", AuthUserHint: "ZQ", AuthResult: dissect.OutcomeSuccess})
		s.wait(second)
	}
	for _, a := range s.got {
		line, _ := schemas.AppendAlert(nil, a)
		if strings.Contains(string(line), "ZQ") {
			t.Errorf("the hint is in %s", line)
		}
	}
	if len(s.got) == 0 {
		t.Error("no alert at all")
	}
}
