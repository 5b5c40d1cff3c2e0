// SPDX-License-Identifier: Apache-2.0

package casereport

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/terminal"
)

// Sizes of a picture, in its own units.
const (
	pictureWidth = 1000
	leftMargin   = 176
	rightMargin  = 12
	topMargin    = 62
	laneHeight   = 38
	bottomMargin = 44
	arrowSize    = 5
)

// Limits of a picture. What is beyond them shares a lane, or is counted below it.
const (
	maxColumns = 13
	maxOutside = 5
	maxInside  = 10
)

// picture shows an incident: devices and hosts as lanes, time across, sessions as arrows.
type picture struct {
	Height, Width int
	Body          int // height of the bands
	TimeY, DateY  int
	Lanes         []*lane
	Columns       []*column
	Bands         []band
	Left          int // where the lanes begin
	Text          string
	More          int // columns that are not shown
}

// lane is a device or host.
type lane struct {
	Name, Note string
	Y          int
	NameY      int
	NoteY      int
	Outside    bool
	order      int
}

// column is one step: alike sessions of one device, or what it did without a session.
type column struct {
	X            int
	From         int // y of the lane
	Top, Bottom  int // y of the line
	Heads        []string
	Label, Count string
	Time, Date   string
	Stage        string
	Class        string // of the severity

	key     string
	from    *lane
	targets []*lane
	first   schemas.Time
	n       int
	rank    int

	services int // merged into it
}

// band is a stage of the attack over neighboring columns.
type band struct {
	X, Width, Middle int
	Name, Class      string
}

// painter builds a picture.
type painter struct {
	report *view
	in     *schemas.Incident
	keys   map[netip.Addr]string // device of an address
	lanes  map[string]*lane
	cols   map[string]*column
	stages map[string]string // by alert
	parts  map[string]schemas.IncidentDevice
}

// draw returns the picture of an incident, nil if there is nothing to show.
func (v *view) draw(in *schemas.Incident, alerts []*schemas.Alert) *picture {
	p := &painter{report: v, in: in, keys: map[netip.Addr]string{}, lanes: map[string]*lane{}, cols: map[string]*column{}, stages: stagesOf(in, alerts), parts: map[string]schemas.IncidentDevice{}}
	for _, d := range v.Report.Devices {
		for _, ip := range d.IPs {
			p.keys[ip] = d.Key
		}
	}
	for _, d := range in.Devices {
		p.parts[d.Key] = d
		p.keys[d.IP] = d.Key
	}
	delete(p.keys, netip.Addr{})
	for _, a := range slices.SortedFunc(slices.Values(alerts), func(a, b *schemas.Alert) int {
		return cmp.Or(cmp.Compare(a.Time.EventStart, b.Time.EventStart), strings.Compare(a.ID, b.ID))
	}) {
		p.add(a)
	}
	if len(p.cols) == 0 {
		return nil
	}
	return p.arrange()
}

// stagesOf returns the stage of each alert. An alert that another one absorbs belongs to the stage of that one, unless it is
// older than the stage: a login is no login stage before it succeeds.
func stagesOf(in *schemas.Incident, alerts []*schemas.Alert) map[string]string {
	stages, by, times := map[string]string{}, map[string]string{}, map[string]schemas.IncidentStage{}
	for _, s := range in.Stages {
		times[s.Stage] = s
		for _, id := range s.Alerts {
			stages[id] = s.Stage
		}
	}
	for _, a := range alerts {
		by[a.ID] = a.AbsorbedBy
	}
	for _, a := range alerts {
		id := a.ID
		for range 8 { // longer chains do not occur, and a circle must end
			if stages[id] != "" || by[id] == "" {
				break
			}
			id = by[id]
		}
		if s, ok := times[stages[id]]; ok && a.Time.EventStart >= s.First {
			stages[a.ID] = s.Stage
		}
	}
	return stages
}

// add adds what an alert shows: its session, or a mark on the lane of its device. Alike sessions share a column.
func (p *painter) add(a *schemas.Alert) {
	stage, at, n := p.stages[a.ID], a.Time.EventStart, max(a.Dedupe.Count, 1)
	s := a.Session
	if s == nil {
		if standsAlone(a) && a.Rule.Kind != chainKind && !p.report.absorbs[a.ID] { // the sessions of absorbed alerts are shown themselves
			p.step(a, p.device(a.Device.Key, a.Device.IP), nil, stage, clip(a.Rule.Name), at, n)
		}
		return
	}
	p.step(a, p.endpoint(s.Initiator.IP, a), p.endpoint(s.Responder.IP, a), stage, service(s), at, n)
}

// chainKind is the kind of the alert about the whole incident (D42).
const chainKind = "chain"

func (p *painter) step(a *schemas.Alert, from, to *lane, stage, label string, at schemas.Time, n int) {
	key := stage + "\x00" + from.Name + "\x00" + label
	c := p.cols[key]
	if c == nil {
		c = &column{key: key, Stage: stage, from: from, Label: label, first: at, rank: rank(a.Severity)}
		p.cols[key] = c
	}
	c.first, c.rank, c.n = min(c.first, at), min(c.rank, rank(a.Severity)), c.n+n
	if to != nil && to != from && !slices.Contains(c.targets, to) {
		c.targets = append(c.targets, to)
	}
}

// service names what a session carries: its application, or port and protocol.
func service(s *schemas.Session) string {
	switch {
	case s.App != "":
		return clip(s.App)
	case s.Responder.Port != nil:
		return fmt.Sprintf("%d/%s", *s.Responder.Port, clip(s.Proto))
	}
	return clip(s.Proto)
}

func clip(s string) string { return terminal.Cut(terminal.Clean(s), 24) }

func (p *painter) endpoint(ip netip.Addr, a *schemas.Alert) *lane {
	if key := p.keys[ip]; key != "" {
		return p.device(key, ip)
	}
	l := &lane{Name: ip.String(), Outside: a.Peer != nil && a.Peer.IP == ip && a.Peer.Scope == "external"}
	for _, x := range p.in.Peers {
		if x.IP == ip {
			l.Outside, l.Note = true, clip(x.Name)
		}
	}
	return p.lane(l)
}

func (p *painter) device(key string, ip netip.Addr) *lane {
	l := &lane{Name: key}
	var notes []string
	if d, ok := p.parts[key]; ok {
		notes = append(notes, part(d.Part))
		ip = cmp.Or(d.IP, ip)
	}
	if ip.IsValid() && ip.String() != key {
		notes = append(notes, ip.String())
	}
	l.Note = strings.Join(notes, ", ")
	return p.lane(l)
}

// part names the part of a device in an incident.
func part(s string) string { return strings.ReplaceAll(clip(s), "_", " ") }

// lane returns the lane of that name. When there are too many, the rest shares one.
func (p *painter) lane(l *lane) *lane {
	if have := p.lanes[l.Name]; have != nil {
		return have
	}
	n, most, rest := 0, maxInside, "other devices"
	if l.Outside {
		most, rest = maxOutside, "other hosts outside"
	}
	for _, x := range p.lanes {
		if x.Outside == l.Outside {
			n++
		}
	}
	if n > most { // the shared lane is one of them
		return p.lanes[rest]
	}
	if n == most {
		l = &lane{Name: rest, Outside: l.Outside}
	}
	l.order = len(p.lanes)
	p.lanes[l.Name] = l
	return l
}

// arrange sets the places of lanes and columns.
func (p *painter) arrange() *picture {
	out := &picture{Width: pictureWidth, Left: leftMargin, Columns: p.fold()}
	if n := len(out.Columns) - maxColumns; n > 0 {
		out.More, out.Columns = n, out.Columns[:maxColumns]
	}
	used := map[*lane]bool{}
	for _, c := range out.Columns {
		used[c.from] = true
		for _, t := range c.targets {
			used[t] = true
		}
	}
	out.Lanes = slices.Collect(maps.Keys(used))
	slices.SortFunc(out.Lanes, func(a, b *lane) int {
		if a.Outside != b.Outside {
			if a.Outside {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.order, b.order)
	})
	for i, l := range out.Lanes {
		l.Y = topMargin + laneHeight*i + laneHeight/2
		l.NameY, l.NoteY = l.Y+5, l.Y+13
		if l.Note != "" {
			l.NameY = l.Y - 1
		}
		l.Name = terminal.Cut(terminal.Clean(l.Name), 24)
		l.Note = terminal.Cut(l.Note, 30)
	}
	out.Body = topMargin + laneHeight*len(out.Lanes)
	out.TimeY, out.DateY, out.Height = out.Body+18, out.Body+32, out.Body+bottomMargin
	p.place(out)
	out.Text = p.text(out)
	return out
}

// fold returns the columns in the order of time. If there are too many, the sessions of one device in one stage share a column: first those to the
// same hosts, then all.
func (p *painter) fold() []*column {
	all := slices.SortedFunc(maps.Values(p.cols), func(a, b *column) int { return cmp.Or(cmp.Compare(a.first, b.first), strings.Compare(a.key, b.key)) })
	for _, alike := range []func(c *column) string{
		func(c *column) string { return c.Stage + "\x00" + c.from.Name + "\x00" + c.hosts() },
		func(c *column) string { return c.Stage + "\x00" + c.from.Name },
	} {
		for len(all) > maxColumns {
			group := largestGroup(all, alike)
			if len(group) < 2 {
				break
			}
			group[0].merge(group[1:])
			all = slices.DeleteFunc(all, func(c *column) bool { return slices.Contains(group[1:], c) })
		}
	}
	return all
}

// largestGroup returns the most columns that are alike, the first ones if there are several groups. Steps without a session stay alone.
func largestGroup(all []*column, alike func(*column) string) (largest []*column) {
	groups := map[string][]*column{}
	for _, c := range all {
		if len(c.targets) > 0 {
			groups[alike(c)] = append(groups[alike(c)], c)
		}
	}
	for _, c := range all {
		if g := groups[alike(c)]; len(c.targets) > 0 && len(g) > len(largest) {
			largest = g
		}
	}
	return largest
}

// hosts names the hosts that a column reaches.
func (c *column) hosts() string {
	var names []string
	for _, t := range c.targets {
		names = append(names, t.Name)
	}
	slices.Sort(names)
	return strings.Join(names, "\x00")
}

// merge adds other columns to c.
func (c *column) merge(others []*column) {
	c.services += len(others)
	for _, o := range others {
		c.services += o.services
		c.rank, c.n = min(c.rank, o.rank), c.n+o.n
		for _, t := range o.targets {
			if !slices.Contains(c.targets, t) {
				c.targets = append(c.targets, t)
			}
		}
	}
	c.Label = fmt.Sprintf("%d services", 1+c.services)
}

// place sets the places of the columns, and of the bands of stages above them.
func (p *painter) place(out *picture) {
	width := (pictureWidth - leftMargin - rightMargin) / len(out.Columns)
	date := ""
	for i, c := range out.Columns {
		c.X, c.From = leftMargin+width*i+width/2, c.from.Y
		c.Top, c.Bottom = c.From, c.From
		for _, t := range c.targets {
			c.Top, c.Bottom = min(c.Top, t.Y), max(c.Bottom, t.Y)
			c.Heads = append(c.Heads, head(c.X, t.Y, t.Y > c.From))
		}
		c.Label = terminal.Cut(c.Label, max(width/6, 6))
		if c.n > 1 {
			c.Count = fmt.Sprintf("× %d", c.n)
		}
		c.Class = severityClass(c.rank)
		at := p.report.at(c.first)
		c.Time = at.Format("15:04:05")
		if d := at.Format("2006-01-02"); d != date {
			date, c.Date = d, d
		}
		if n := len(out.Bands); c.Stage != "" && n > 0 && i > 0 && out.Columns[i-1].Stage == c.Stage {
			out.Bands[n-1].Width += width
		} else if c.Stage != "" {
			out.Bands = append(out.Bands, band{X: leftMargin + width*i + 1, Width: width - 2, Name: c.Stage, Class: "stage" + fmt.Sprint(len(out.Bands)%2)})
		}
	}
	for i := range out.Bands {
		b := &out.Bands[i]
		b.Middle, b.Name = b.X+b.Width/2, terminal.Cut(clip(b.Name), max(b.Width/7, 6))
	}
}

// head returns the corners of an arrow head that points down or up to y.
func head(x, y int, down bool) string {
	back := y - 2*arrowSize
	if !down {
		back = y + 2*arrowSize
	}
	return fmt.Sprintf("%d,%d %d,%d %d,%d", x, y, x-arrowSize, back, x+arrowSize, back)
}

// text says in words what the picture shows, for readers who do not see it.
func (p *painter) text(out *picture) string {
	var steps []string
	for _, c := range out.Columns {
		var to []string
		for _, t := range c.targets {
			to = append(to, t.Name)
		}
		step := c.Time + " " + c.from.Name + ": " + c.Label
		if len(to) > 0 {
			step += " to " + strings.Join(to, ", ")
		}
		steps = append(steps, step)
	}
	return strings.Join(steps, "; ") + "."
}

// severityClass returns the class of a rank in the style sheet.
func severityClass(rank int) string {
	return (append(severities(), "none"))[min(max(rank, 0), len(severities()))]
}
