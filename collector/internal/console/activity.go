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
	hour         = schemas.Time(time.Hour)
	activityDays = 7
)

// activity is the activity of a device by hour over a week. It ends on the day on which the device was last seen, so that after a replay
// it shows the time of the capture.
type activity struct {
	Days   []activityDay
	Active int // hours in which the device opened sessions
	Alerts int // hours with alerts but no opened sessions
	Hours  int
}

type activityDay struct {
	Date  string
	Hours []activityHour
}

type activityHour struct {
	Of     int // 0 to 23
	Level  int // 0: silent, 1: one opened session, 2: two to five, 3: more; 9: alerts, no opened session
	Opened int
	Alerts int
	Label  string
}

func (k *Console) activity(ctx context.Context, d *store.DeviceRow) (activity, error) {
	last := max(d.Device.LastSeen, d.LastAlert)
	day := 24 * hour
	to := last - last%day + day
	from := to - activityDays*day
	hours, err := k.store.DeviceHours(ctx, d.Key, from, to)
	if err != nil {
		return activity{}, err
	}
	return layOut(from, hours), nil
}

// layOut arranges hours by day, starting at midnight from.
func layOut(from schemas.Time, hours []store.DeviceHour) activity {
	by := map[schemas.Time]store.DeviceHour{}
	for _, h := range hours {
		by[h.Hour] = h
	}
	s := activity{Hours: activityDays * 24}
	for d := range activityDays {
		start := from + schemas.Time(d)*24*hour
		row := activityDay{Date: layout(start, "Mon 2 Jan")}
		for i := range 24 {
			h := by[start+schemas.Time(i)*hour]
			cell := cellOf(i, h)
			row.Hours = append(row.Hours, cell)
			switch {
			case h.Opened > 0:
				s.Active++
			case h.Alerts > 0:
				s.Alerts++
			}
		}
		s.Days = append(s.Days, row)
	}
	return s
}

func cellOf(i int, h store.DeviceHour) activityHour {
	c := activityHour{Of: i, Opened: h.Opened, Alerts: h.Alerts}
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
	c.Label = fmt.Sprintf("%02d:00 silent", i)
	if c.Level > 0 {
		c.Label = fmt.Sprintf("%02d:00 opened %d, %s", i, h.Opened, plural(h.Alerts, "alert", "alerts"))
	}
	return c
}
