// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"stillwatch/internal/testneed"
	"stillwatch/sensor/internal/casereport"
)

// caseFolder returns a folder with the capture and the inventory of S1, and a function that runs the program in it.
func caseFolder(t *testing.T) (dir string, run func(args ...string) ran) {
	t.Helper()
	dir = t.TempDir()
	capture, inventory := storyFiles(t, "S1")
	for name, from := range map[string]string{"monday.pcap": capture, "site.yaml": inventory} {
		put(t, dir, name, read(t, from))
	}
	return dir, func(args ...string) ran {
		t.Helper()
		cmd := sensor(t, args...)
		cmd.Dir = dir
		return finish(t, cmd)
	}
}

// caseArgs makes case.html and case.json of monday.pcap.
var caseArgs = []string{"replay", "--case-report", "case.html", "--case-json", "case.json", "--case", "2026-117", "--examiner", "A. Meier", "--tz", "Europe/Berlin",
	"--inventory", "site.yaml", "--alerts", "alerts.jsonl", "--log-level", "error"}

// sections returns the text of parts of a page, without the names of the classes and the places of the picture.
func sections(t *testing.T, page string, ids ...string) string {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode || !slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "id" && slices.Contains(ids, a.Val) }) {
			continue
		}
		for x := range n.Descendants() {
			if text := strings.TrimSpace(x.Data); x.Type == html.TextNode && text != "" {
				b.WriteString(text + "\n")
			}
		}
	}
	return b.String()
}

// TestCaseReport checks the report of S1: what a reader sees of it, that the number of shards changes nothing but the command line, and that it
// leads back to the capture.
func TestCaseReport(t *testing.T) {
	dir, run := caseFolder(t)
	unsealed := regexp.MustCompile(`[0-9a-f]{64}|--shards[", \n]+[0-9]`)
	var pages, data []string
	for _, shards := range []string{"1", "5"} {
		if r := run(append(slices.Clone(caseArgs), "--shards", shards, "monday.pcap")...); r.status != exitOK || r.err != "" {
			t.Fatalf("exit status %d: %s", r.status, r.err)
		}
		pages = append(pages, unsealed.ReplaceAllString(read(t, filepath.Join(dir, "case.html")), ""))
		data = append(data, unsealed.ReplaceAllString(read(t, filepath.Join(dir, "case.json")), ""))
	}
	if pages[0] != pages[1] || data[0] != data[1] {
		t.Error("the report depends on the number of shards")
	}
	golden(t, "casereport.txt", sections(t, pages[0], "summary", "incidents", "timeline", "unseen"))

	var x struct {
		Report casereport.Report `json:"report"`
	}
	if err := json.Unmarshal([]byte(read(t, filepath.Join(dir, "case.json"))), &x); err != nil {
		t.Fatal(err)
	}
	sum := casereport.HashFile(t.Context(), filepath.Join(dir, "monday.pcap"))
	if c := x.Report.Captures; len(c) != 1 || c[0].File.File != "monday.pcap" || c[0].SHA256 != sum.SHA256 || c[0].Size != sum.Size || c[0].Packets != x.Report.Totals.Packets || c[0].First == nil {
		t.Errorf("captures: %+v", c)
	}
	if s := x.Report.Settings; len(s) != 1 || s[0].What != "inventory" || s[0].SHA256 != casereport.HashFile(t.Context(), filepath.Join(dir, "site.yaml")).SHA256 {
		t.Errorf("settings: %+v", s)
	}
	if p := x.Report.Program; len(p.SHA256) != 64 || !slices.Contains(p.Command, "A. Meier") {
		t.Errorf("program: %+v", p)
	}
	if n := strings.Count(read(t, filepath.Join(dir, "alerts.jsonl")), `"action":"create"`); uint64(n) != x.Report.Totals.Alerts || len(x.Report.Alerts) != n {
		t.Errorf("%d alerts in the report, a total of %d, and %d in the file", len(x.Report.Alerts), x.Report.Totals.Alerts, n)
	}
}

// TestCaseReportOfAPipe checks that standard input, which cannot be read twice, is hashed while it is read.
func TestCaseReportOfAPipe(t *testing.T) {
	dir, _ := caseFolder(t)
	cmd := sensor(t, append(slices.Clone(caseArgs), "-")...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(read(t, filepath.Join(dir, "monday.pcap")))
	if r := finish(t, cmd); r.status != exitOK || r.err != "" {
		t.Fatalf("exit status %d: %s", r.status, r.err)
	}
	if r := run1(t, "verify", filepath.Join(dir, "case.html"), filepath.Join(dir, "monday.pcap")); r.status != exitOK {
		t.Errorf("exit status %d: %s", r.status, r.out)
	}
}

// TestVerify checks what verify says of captures and reports that are as they were, and that are not.
func TestVerify(t *testing.T) {
	dir, run := caseFolder(t)
	if r := run("policy", "keygen", "--name", "examiner", "key.jwk"); r.status != exitOK {
		t.Fatal(r.err)
	} else {
		put(t, dir, "sensor.yaml", "version: 1\n"+r.out)
	}
	if r := run(append(slices.Clone(caseArgs), "--sign", "key.jwk", "monday.pcap")...); r.status != exitOK || r.err != "" {
		t.Fatalf("exit status %d: %s", r.status, r.err)
	}
	whole := read(t, filepath.Join(dir, "monday.pcap"))
	page, data := read(t, filepath.Join(dir, "case.html")), read(t, filepath.Join(dir, "case.json"))
	put(t, dir, "copy.pcap", whole)
	put(t, dir, "other.pcap", whole+"x")
	put(t, dir, "edited.html", strings.Replace(page, "taken over", "in good health", 1))
	put(t, dir, "edited.json", strings.Replace(data, "taken over", "in good health", 1))
	if err := os.Mkdir(filepath.Join(dir, "altered"), 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "altered"), "monday.pcap", whole[:len(whole)-1]+"x")
	for _, c := range []struct {
		args   string
		status int
		want   string // a regular expression
	}{
		{"case.html monday.pcap", exitOK, `report +OK +case.html\nsignature +not checked \(key .*\n?.*capture +OK +monday.pcap`},
		{"case.json copy.pcap", exitOK, `capture +OK +monday.pcap = copy.pcap`},
		{"--config sensor.yaml case.html", exitOK, `signature +OK, by examiner`},
		{"--config sensor.yaml case.json", exitOK, `signature +OK, by examiner`},
		{"case.html altered/monday.pcap", exitIncomplete, `capture +changed +monday.pcap = altered/monday.pcap`},
		{"case.html .", exitOK, `capture +OK +monday.pcap`}, // with other files in the folder
		{"case.html altered", exitIncomplete, `capture +changed +monday.pcap = altered/monday.pcap`},
		{"case.html other.pcap", exitIncomplete, `capture +missing +monday.pcap\ncapture +not in the report +other.pcap`},
		{"case.html monday.pcap other.pcap", exitIncomplete, `capture +not in the report +other.pcap`},
		{"edited.html monday.pcap", exitIncomplete, `report +changed +edited.html`},
		{"edited.json monday.pcap", exitIncomplete, `report +changed +edited.json`},
		{"--config sensor.yaml edited.html", exitIncomplete, `signature +by no key of the configuration`},
		{"site.yaml monday.pcap", exitUsage, ``},
		{"none.html", exitUsage, ``},
	} {
		r := run(append([]string{"verify"}, strings.Fields(c.args)...)...)
		if r.status != c.status || !regexp.MustCompile(c.want).MatchString(r.out) {
			t.Errorf("verify %s: exit status %d, not %d\n%s%s", c.args, r.status, c.status, r.out, r.err)
		}
	}
}

// TestCaseReportRefuses checks that mistakes are reported before a capture is read, and that nothing is overwritten or left behind.
func TestCaseReportRefuses(t *testing.T) {
	dir, run := caseFolder(t)
	for _, c := range []struct{ args, want string }{
		{"--case 7", "--case is for the case report"},
		{"--examiner M", "--examiner is for the case report"},
		{"--sign key.jwk", "--sign is for the case report"},
		{"--case-report -", "give a file"},
		{"--case-report monday.pcap", "would overwrite the capture"},
		{"--case-json site.yaml --inventory site.yaml", "would overwrite the inventory"},
		{"--case-report x --case-json x", "both write x"},
		{"--case-report none/x.html", "no such file"},
		{"--case-report x.html --sign site.yaml", "--sign"},
		{"--case-report x.html --follow", "complete captures"},
		{"--case-report x.html --what-if site.yaml", "omit --case-report"},
	} {
		r := run(append(append([]string{"replay"}, strings.Fields(c.args)...), "monday.pcap")...)
		if r.status != exitUsage || !strings.Contains(r.err, c.want) || strings.Count(r.err, "\n") != 1 {
			t.Errorf("%s: exit status %d: %q", c.args, r.status, r.err)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 2 {
		t.Errorf("left behind: %v", left)
	}
}

// TestCaseReportInBrowser checks that a browser shows and prints the report without a word on its console, such as a violation of the
// Content-Security-Policy.
func TestCaseReportInBrowser(t *testing.T) {
	browser := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil && browser == "" {
			browser = p
		}
	}
	if browser == "" {
		testneed.Missing(t, testneed.BrowserNeed, "chromium is not installed")
	}
	dir, run := caseFolder(t)
	if r := run(append(slices.Clone(caseArgs), "monday.pcap")...); r.status != exitOK {
		t.Fatal(r.err)
	}
	put(t, dir, "bad.html", strings.Replace(read(t, filepath.Join(dir, "case.html")), "<main>", `<main><p style="color:red">x</p>`, 1))
	for name, clean := range map[string]bool{"case.html": true, "bad.html": false} {
		pdf := filepath.Join(dir, name+".pdf")
		cmd := exec.CommandContext(t.Context(), browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
			"--user-data-dir="+t.TempDir(), "--enable-logging=stderr", "--no-pdf-header-footer", "--print-to-pdf="+pdf, "file://"+filepath.Join(dir, name))
		var log bytes.Buffer
		cmd.Stderr = &log
		if err := cmd.Run(); err != nil {
			t.Fatalf("%s: %v\n%s", browser, err, log.String())
		}
		if spoke := strings.Contains(log.String(), ":CONSOLE"); spoke == clean {
			t.Errorf("%s: the console says:\n%s", name, log.String())
		}
		if b := read(t, pdf); !strings.HasPrefix(b, "%PDF-") || len(b) < 10_000 {
			t.Errorf("%s: the PDF has %d bytes", name, len(b))
		}
	}
}
