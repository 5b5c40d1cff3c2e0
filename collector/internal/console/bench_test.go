// SPDX-License-Identifier: Apache-2.0

package console

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"testing"
	"time"

	"stillwatch/collector/internal/auth"
	"stillwatch/collector/internal/store"
	"stillwatch/schemas"
)

// many is the number of alerts in the database of the benchmark: of 2000 devices, in 5000 incidents, over 30 days.
const many = 100_000

// fill stores copies of the alerts of a story, each with its own id, device, time and session.
func fill(b *testing.B, s *fixture) {
	b.Helper()
	models := replay(b, "S1").alerts
	for from := 0; from < many; from += 1000 {
		var batch store.Batch
		for n := from; n < from+1000; n++ {
			a := copyOf(models[n%len(models)], n)
			line, err := schemas.AppendAlert(nil, a)
			if err != nil {
				b.Fatal(err)
			}
			batch.Alerts = append(batch.Alerts, store.AlertRecord{Alert: a, JSON: line})
		}
		if _, err := s.store.Apply(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
	}
}

func copyOf(model *schemas.Alert, n int) *schemas.Alert {
	a := *model
	a.ID, a.IncidentID, a.Revision, a.Action = alertID(n), alertID(1<<30+n/20), 1, "create"
	if n%3 == 0 {
		a.Action = "close"
	}
	a.Severity = severities[n*7%len(severities)]
	a.Device.Key, a.Device.IP = fmt.Sprintf("device-%d", n%2000), netip.AddrFrom4([4]byte{10, 20, byte(n % 2000 >> 8), byte(n % 2000)})
	at := model.Time.EventStart - schemas.Time(n)*schemas.Time(30*24*time.Hour)/many
	a.Time.EventStart, a.Time.EventEnd, a.Time.DetectedAt, a.Dedupe.FirstSeen, a.Dedupe.LastSeen = at, at, at, at, at
	a.Sensor.Seq = uint64(n + 1)
	if model.Session != nil {
		session := *model.Session
		session.CommunityID, session.Initiator.IP, session.Start = fmt.Sprintf("1:%027d=", n), a.Device.IP, at
		a.Session = &session
		a.RelatedSessions = []string{session.CommunityID}
	}
	return &a
}

// BenchmarkPages measures the time of responses without the network: the median and the slowest of the runs. Run it with -benchtime 50x.
func BenchmarkPages(b *testing.B) {
	s := newFixture(b)
	fill(b, s)
	c := s.as(b, auth.Viewer)
	var cookies []*http.Cookie
	if req, err := http.NewRequest(http.MethodGet, s.srv.URL, nil); err == nil {
		cookies = c.Jar.Cookies(req.URL)
	}
	list, err := s.store.Alerts(context.Background(), store.AlertFilter{}, store.Page{Limit: 1000})
	if err != nil {
		b.Fatal(err)
	}
	for _, p := range []struct{ name, path string }{
		{"page overview", "/"}, {"page alerts", "/alerts"}, {"page alerts, filtered", "/alerts?severity=critical&state=open"},
		{"page alerts, riskiest", "/alerts?order=risk"}, {"page alerts, word in all", "/alerts?q=legacy"}, {"page alerts, rare word", "/alerts?q=device-77"},
		{"page alerts, deep", "/alerts?cursor=" + list.Next}, {"page alerts, Community ID", "/alerts?community_id=1:000000000000000000000000077%3D"},
		{"page alert", "/alerts/" + alertID(777)}, {"page incidents", "/incidents"}, {"page incident", "/incidents/" + alertID(1<<30+7)},
		{"page devices", "/devices"}, {"page devices, search", "/devices?q=device-77"}, {"page device", "/device?key=device-77"}, {"page sensors", "/sensors"},
		{"API alerts", "/api/v1/alerts"}, {"API alerts, 1000", "/api/v1/alerts?limit=1000"}, {"API alert", "/api/v1/alerts/" + alertID(777)},
		{"API incidents", "/api/v1/incidents"}, {"API devices", "/api/v1/devices"}, {"API overview", "/api/v1/overview"},
	} {
		b.Run(p.name, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				req := httptest.NewRequest(http.MethodGet, p.path, nil)
				for _, c := range cookies {
					req.AddCookie(c)
				}
				w := httptest.NewRecorder()
				begin := time.Now()
				s.con.ServeHTTP(w, req)
				took = append(took, time.Since(begin))
				if w.Code != http.StatusOK {
					b.Fatalf("%s: %d", p.path, w.Code)
				}
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms/median")
			b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "ms/slowest")
			b.ReportMetric(0, "ns/op")
		})
	}
}
