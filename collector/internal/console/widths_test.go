// SPDX-License-Identifier: Apache-2.0

package console

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
)

// broken returns the items of the top bar that are wrapped or outside of the window.
const broken = `[...document.querySelectorAll(".top nav a, .brand, .who, .who button")].filter(e => {
	const r = e.getBoundingClientRect();
	return r.height > 48 || r.left < 0 || r.right > innerWidth || e.scrollWidth > e.clientWidth + 1;
}).map(e => e.textContent.trim()).join(", ")`

// TestPageWidths opens every page at the widths of a phone, a tablet and a desktop, in both themes, and checks that nothing overflows.
func TestPageWidths(t *testing.T) {
	b := newFixture(t)
	story := replay(t, "S2")
	tab := openTab(t, b.srv.URL)
	tab.open("/signin")
	tab.do(chromedp.SendKeys(chromedp.CSS(`input[name=name]`), "admin"), chromedp.SendKeys(chromedp.CSS(`input[name=password]`), password+"\r"))
	tab.wait(`location.pathname === "/"`)
	a := newest(&story)[0] // removes it from the story
	b.apply(t, append(story.alerts, a), story.devices)
	for range []string{"light", "dark"} {
		theme := "light"
		if ok, err := chromedp.Run(tab.ctx, chromedp.Evaluate[bool](`document.documentElement.dataset.theme === "dark"`)); err == nil && ok {
			theme = "dark"
		}
		for _, width := range []int64{360, 768, 1280} {
			tab.do(chromedp.EmulateViewport(width, 900))
			for name, path := range map[string]string{"overview": "/", "alerts": "/alerts", "filtered": "/alerts?rule=D01", "alert": "/alerts/" + a.ID, "incidents": "/incidents",
				"incident": "/incidents/" + a.IncidentID, "devices": "/devices", "device": string(deviceURL(a.Device.Key)), "sensors": "/sensors", "dead-letters": "/dead-letters", "admin": "/admin"} {
				tab.open(path)
				where := fmt.Sprintf("%s-%d-%s", name, width, theme)
				tab.shot(where)
				if wide, err := chromedp.Run(tab.ctx, chromedp.Evaluate[bool](`document.documentElement.scrollWidth > innerWidth`)); err != nil || wide {
					t.Errorf("%s: wider than the window (%v)", where, err)
				}
				if words, err := chromedp.Run(tab.ctx, chromedp.Evaluate[string](broken)); err != nil || words != "" {
					t.Errorf("%s: broken or cut: %s (%v)", where, words, err)
				}
			}
		}
		tab.do(chromedp.Click(chromedp.CSS("#theme")))
	}
	tab.noFaults()
}
