// SPDX-License-Identifier: Apache-2.0

package console

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"stillwatch/collector/internal/auth"
	"stillwatch/internal/testneed"
	"stillwatch/schemas"
)

// tab is a tab of a headless Chromium with the errors that it reported.
type tab struct {
	t   *testing.T
	ctx context.Context
	url string

	mu     sync.Mutex
	faults []string
}

// openTab starts a Chromium with a new profile. It is stopped at the end of the test.
func openTab(t *testing.T, url string) *tab {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil && path == "" {
			path = p
		}
	}
	if path == "" {
		testneed.Missing(t, testneed.BrowserNeed, "chromium is not installed")
	}
	options := []chromedp.ExecAllocatorOption{chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1440, 900)}
	for _, flag := range []string{
		"headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking", "disable-component-update",
		"disable-sync", "hide-scrollbars", "disable-dev-shm-usage",
	} {
		options = append(options, chromedp.Flag(flag, true))
	}
	alloc, end := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, endTab := chromedp.NewContext(alloc)
	ctx, endTime := context.WithTimeout(ctx, 10*time.Minute)
	b := &tab{t: t, ctx: ctx, url: url}
	t.Cleanup(func() {
		endTime()
		endTab()
		end()
	})
	if err := chromedp.Listen(ctx, b.note); err != nil {
		t.Fatalf("chromium: %v", err)
	}
	for _, enable := range []cdp.Command[cdp.Empty, cdp.Empty]{log.Enable, runtime.Enable} {
		if _, err := chromedp.Call(ctx, enable, cdp.Empty{}); err != nil {
			t.Fatalf("chromium: %v", err)
		}
	}
	return b
}

// note records exceptions, console errors and violations of the Content-Security-Policy.
func (b *tab) note(ev any) {
	fault := ""
	switch ev := ev.(type) {
	case *runtime.EventExceptionThrown:
		fault = ev.ExceptionDetails.Text
	case *runtime.EventConsoleAPICalled:
		if ev.Type == "error" || ev.Type == "warning" {
			fault = fmt.Sprintf("console.%s: %+v", ev.Type, ev.Args)
		}
	case *log.EventEntryAdded:
		if ev.Entry.Level == log.EntryLevelError || ev.Entry.Level == log.EntryLevelWarning {
			fault = ev.Entry.Text + " " + ev.Entry.URL
		}
	}
	if fault != "" {
		b.mu.Lock()
		b.faults = append(b.faults, fault)
		b.mu.Unlock()
	}
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.fail("%v", err)
	}
}

// fail fails the test and takes a screenshot.
func (b *tab) fail(format string, args ...any) {
	b.t.Helper()
	b.shot("failed")
	b.mu.Lock()
	defer b.mu.Unlock()
	b.t.Fatalf("browser: "+format+fmt.Sprintf(" (browser errors: %v)", b.faults), args...)
}

func (b *tab) open(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.url+path), chromedp.WaitVisible(chromedp.CSS("main")))
}

// wait waits until a JavaScript expression is true. It retries on errors, which occur while the page changes.
func (b *tab) wait(expression string) {
	b.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if ok, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](expression)); err == nil && ok {
			return
		}
	}
	b.fail("never true: %s", expression)
}

// text returns the text of an element. It retries on errors, as wait does.
func (b *tab) text(selector string) string {
	b.t.Helper()
	var err error
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		var s string
		if s, err = chromedp.Run(b.ctx, chromedp.Text(chromedp.CSS(selector))); err == nil {
			return s
		}
	}
	b.fail("text of %s: %v", selector, err)
	return ""
}

// shot saves a screenshot of the page in the folder STILLWATCH_SHOTS.
func (b *tab) shot(name string) {
	b.t.Helper()
	dir := os.Getenv("STILLWATCH_SHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644)
	}
	if err != nil {
		b.t.Errorf("screenshot %s: %v", name, err)
	}
}

// axe runs axe-core in the page and reports serious and critical violations.
func (b *tab) axe(where string) {
	b.t.Helper()
	script, err := os.ReadFile(filepath.Join("testdata", "axe", "axe.min.js"))
	if err != nil {
		b.t.Fatal(err)
	}
	b.do(chromedp.Evaluate[chromedp.Void](string(script)))
	const run = `axe.run(document, {resultTypes: ["violations"]}).then(r => JSON.stringify(r.violations))`
	result, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](run, chromedp.EvalAwaitPromise))
	if err != nil {
		b.fail("axe in %s: %v", where, err)
	}
	var found []struct {
		ID, Impact, Help string
		Nodes            []struct {
			HTML           string
			FailureSummary string
		}
	}
	if err := json.Unmarshal([]byte(result), &found); err != nil {
		b.t.Fatal(err)
	}
	for _, v := range found {
		if v.Impact != "serious" && v.Impact != "critical" {
			continue
		}
		n := v.Nodes[0]
		b.t.Errorf("axe, %s: %s (%s), %d times, first: %.300s: %.300s", where, v.Help, v.ID, len(v.Nodes), n.HTML, n.FailureSummary)
	}
}

func (b *tab) noFaults() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.faults {
		b.t.Errorf("browser error: %s", f)
	}
}

// newest removes the alert with the latest event, with all its revisions, from a story.
func newest(s *story) (held []*schemas.Alert) {
	last := slices.MaxFunc(s.alerts, func(a, b *schemas.Alert) int { return int(a.Time.EventStart-b.Time.EventStart) / 1e6 })
	var rest []*schemas.Alert
	for _, a := range s.alerts {
		if a.ID == last.ID {
			held = append(held, a)
		} else {
			rest = append(rest, a)
		}
	}
	s.alerts = rest
	return held
}

// TestAnalystInBrowser does in a real browser what an analyst does first: sign in, see the newest alert arrive, read it, open its
// incident, find the device, search by Community ID.
func TestAnalystInBrowser(t *testing.T) {
	b := newFixture(t)
	s, other := replay(t, "S1"), replay(t, "S4")
	held := newest(&s)
	b.apply(t, other.alerts, other.devices)
	b.apply(t, s.alerts, s.devices)
	alert := held[0]
	tab := openTab(t, b.srv.URL)

	tab.open("/")
	tab.wait(`location.pathname === "/signin"`)
	tab.shot("signin")
	tab.axe("sign-in")
	tab.do(chromedp.SendKeys(chromedp.CSS(`input[name=name]`), "analyst"), chromedp.SendKeys(chromedp.CSS(`input[name=password]`), password+"\r"))
	tab.wait(`location.pathname === "/"`)
	tab.wait(`document.getElementById("live").dataset.state === "on"`)
	tab.shot("overview")

	b.apply(t, held, nil)
	row := fmt.Sprintf(`a.open[href="/alerts/%s"]`, alert.ID)
	tab.wait(fmt.Sprintf(`document.querySelector('[data-region=alerts] %s') !== null`, row))
	tab.wait(fmt.Sprintf(`document.querySelector('%s').closest("tr").classList.contains("fresh")`, row))
	if first := tab.text(`[data-region=alerts] tbody tr:first-child a.open`); first != held[len(held)-1].Title {
		t.Errorf("the first row is %q, want %q", first, held[len(held)-1].Title)
	}

	tab.do(chromedp.Click(chromedp.CSS(`[data-region=alerts] ` + row)))
	tab.wait(`location.pathname.startsWith("/alerts/")`)
	for selector, want := range map[string]string{".verdict .expected": "Expected", ".verdict .seen": "Seen", ".verdict .do": "What to do"} {
		if got := tab.text(selector); !strings.Contains(got, want) {
			t.Errorf("%s holds %q, want %q", selector, got, want)
		}
	}
	tab.do(chromedp.Click(chromedp.CSS(`.crumbs a[href^="/incidents/"]`)))
	tab.wait(`document.querySelectorAll(".timeline .step").length > 3`)
	tab.do(chromedp.Click(chromedp.CSS(`.verdict a[href^="/device?"]`)))
	tab.wait(`document.querySelectorAll(".activity tbody td").length === 168`)
	if got := tab.text("h1"); got != alert.Device.Key {
		t.Errorf("the device is %q, want %q", got, alert.Device.Key)
	}

	id := ""
	for _, a := range other.alerts {
		if a.Session != nil {
			id = a.Session.CommunityID
		}
	}
	// Not by the protocol: it sends the character of a key although the page has taken the key; a keyboard does not.
	tab.do(chromedp.Evaluate[chromedp.Void](`document.body.dispatchEvent(new KeyboardEvent("keydown", {key: "/", bubbles: true}))`))
	tab.wait(`document.activeElement.id === "find"`)
	tab.do(chromedp.SendKeys(chromedp.CSS("#find"), id+"\r"))
	tab.wait(`location.pathname === "/alerts" && new URLSearchParams(location.search).get("community_id") !== null`)
	tab.wait(`document.querySelectorAll(".rows tbody a.open").length > 0`)
	tab.noFaults()
}

// TestPagesInBrowser opens every page in both themes and checks it with axe-core and for browser errors.
func TestPagesInBrowser(t *testing.T) {
	b := newFixture(t)
	for _, name := range []string{"S1", "S2", "S4"} {
		s := replay(t, name)
		b.apply(t, s.alerts, s.devices)
		b.tell(t, s.incidents)
	}
	s := replay(t, "S4")
	login := s.alerts[slices.IndexFunc(s.alerts, func(a *schemas.Alert) bool { return a.Rule.ID == "D08" })]
	tab := openTab(t, b.srv.URL)
	tab.open("/signin")
	tab.do(chromedp.SendKeys(chromedp.CSS(`input[name=name]`), string(auth.Admin)), chromedp.SendKeys(chromedp.CSS(`input[name=password]`), password+"\r"))
	tab.wait(`location.pathname === "/"`)
	for _, theme := range []string{"light", "dark"} {
		for _, p := range []struct{ name, path string }{
			{"overview", "/"}, {"alerts", "/alerts"}, {"search", "/alerts?q=cam-12&severity=critical&device=cam-12"}, {"alert", "/alerts/" + login.ID},
			{"incidents", "/incidents"}, {"incident", "/incidents/" + login.IncidentID}, {"devices", "/devices"},
			{"device", "/device?key=cam-12"}, {"sensors", "/sensors"}, {"dead-letters", "/dead-letters"}, {"admin", "/admin"},
		} {
			tab.open(p.path)
			tab.shot(p.name + "-" + theme)
			tab.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("main").lastElementChild.scrollIntoView({block: "end"})`))
			tab.shot(p.name + "-end-" + theme)
			tab.axe(p.name + ", " + theme)
		}
		tab.do(chromedp.Click(chromedp.CSS("#theme")))
		tab.wait(`document.documentElement.dataset.theme === "dark" || document.cookie.includes("theme=light")`)
	}
	tab.noFaults()
}

// TestHostileStringsInBrowser checks that hostile strings in records run no scripts, violate no policy and do not widen the page.
func TestHostileStringsInBrowser(t *testing.T) {
	b := newFixture(t)
	var all []*schemas.Alert
	for n, text := range []string{
		`<script>window.owned=1</script><img src=x onerror="window.owned=1">`, `"><svg/onload=window.owned=1>' onfocus='window.owned=1' autofocus='`,
		strings.Repeat("W", 10_240), "cam\u202egnp.exe\x1b[2J\x00" + strings.Repeat("\u0301", 300),
	} {
		alert, device := &schemas.Alert{}, &schemas.Device{}
		fillStrings(reflect.ValueOf(alert).Elem(), text)
		fillStrings(reflect.ValueOf(device).Elem(), text)
		alert.ID, alert.Action, alert.Revision, alert.Time.EventStart = alertID(n), "create", 1, at(n)
		device.LastSeen = at(n)
		b.apply(t, []*schemas.Alert{alert}, []*schemas.Device{device})
		all = append(all, alert)
	}
	tab := openTab(t, b.srv.URL)
	tab.open("/signin")
	tab.do(chromedp.SendKeys(chromedp.CSS(`input[name=name]`), "viewer"), chromedp.SendKeys(chromedp.CSS(`input[name=password]`), password+"\r"))
	tab.wait(`location.pathname === "/"`)
	paths := []string{"/", "/alerts", "/incidents", "/devices", "/sensors"}
	for _, a := range all {
		paths = append(paths, "/alerts/"+a.ID, string(deviceURL(a.Device.Key)))
	}
	for i, path := range paths {
		tab.open(path)
		tab.shot(fmt.Sprintf("hostile-%d", i))
		tab.wait(`document.querySelector("h1, h2") !== null`)
		for fault, expression := range map[string]string{
			"a script ran": `window.owned === undefined`, "the page is wider than its window": `document.documentElement.scrollWidth <= innerWidth`,
		} {
			if ok, err := chromedp.Run(tab.ctx, chromedp.Evaluate[bool](expression)); err != nil || !ok {
				t.Errorf("%.80s: %s (%v)", path, fault, err)
			}
		}
	}
	tab.noFaults()
}
