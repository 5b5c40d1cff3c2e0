// SPDX-License-Identifier: Apache-2.0

package console

import (
	"context"
	"fmt"
	"time"

	"stillwatch/collector/internal/store"
	"stillwatch/schemas"
)

const (
	hour      = schemas.Time(time.Hour)
	stripDays = 7
)

// strip is a week of a device, hour by hour: the silence, and where it was broken. Its last day is the one on which the
// device was last heard of, so that the strip of a replay shows the time of the capture.
type strip struct {
	Days   []stripDay
	Spoken int // hours in which the device opened something
	Alerts int // hours with an alert and nothing opened
	Hours  int
}

type stripDay struct {
	Date  string
	Hours []stripHour
}

type stripHour struct {
	Of     int // 0 to 23
	Level  int // 0 silent, 1 one session opened, 2 two to five, 3 more; 9 an alert, and nothing opened
	Opened int
	Alerts int
	Says   string
}

func (k *Console) strip(ctx context.Context, d *store.DeviceRow) (strip, error) {
	last := max(d.Device.LastSeen, d.LastAlert)
	day := 24 * hour
	to := last - last%day + day
	from := to - stripDays*day
	hours, err := k.store.DeviceHours(ctx, d.Key, from, to)
	if err != nil {
		return strip{}, err
	}
	return lay(from, hours), nil
}

// lay puts hours into their places, from the midnight of from on.
func lay(from schemas.Time, hours []store.DeviceHour) strip {
	by := map[schemas.Time]store.DeviceHour{}
	for _, h := range hours {
		by[h.Hour] = h
	}
	s := strip{Hours: stripDays * 24}
	for d := range stripDays {
		start := from + schemas.Time(d)*24*hour
		row := stripDay{Date: layout(start, "Mon 2 Jan")}
		for i := range 24 {
			h := by[start+schemas.Time(i)*hour]
			cell := cellOf(i, h)
			row.Hours = append(row.Hours, cell)
			switch {
			case h.Opened > 0:
				s.Spoken++
			case h.Alerts > 0:
				s.Alerts++
			}
		}
		s.Days = append(s.Days, row)
	}
	return s
}

func cellOf(i int, h store.DeviceHour) stripHour {
	c := stripHour{Of: i, Opened: h.Opened, Alerts: h.Alerts}
	switch {
	case h.Opened > 5:
		c.Level = 3
	case h.Opened > 1:
		c.Level = 2
	case h.Opened == 1:
		c.Level = 1
	case h.Alerts > 0:
		c.Level = 9
	}
	c.Says = fmt.Sprintf("%02d:00 silent", i)
	if c.Level > 0 {
		c.Says = fmt.Sprintf("%02d:00 opened %d, %s", i, h.Opened, plural(h.Alerts, "alert", "alerts"))
	}
	return c
}
