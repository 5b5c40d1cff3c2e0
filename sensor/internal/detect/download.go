// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(downloadRule)

// downloadRule registers D46.
var downloadRule = register(registration{
	Rule: Rule{
		ID: "D46", Name: "Program downloaded from a bare address", Kind: "bare_download", Version: 1, Reliability: 0.85,
		Attack: join(enterprise(taCommand, "T1105"), ics(icsLateral, "T0867")),
	},
	titleOrder: 3,
	advice: map[string]steps{
		"": {
			"{contain}",
			"Find out how the command to download it came in: look for a login or a web request just before.",
			"Search for other devices that call the same address, then: {then renew}",
		},
	},
}, DefaultDownloadParams, newDownload)

// DownloadParams are the parameters of D46.
type DownloadParams struct {
	MaxServers int `yaml:"max_servers"` // pairs of device and server kept
}

// DefaultDownloadParams returns the defaults of D46.
func DefaultDownloadParams() DownloadParams { return DownloadParams{MaxServers: 20_000} }

// download is D46: a device that is no computer fetches a program or a script over HTTP from an address that it has not looked up by name.
// The loaders of botnets do: their servers have no name that could be taken away.
type download struct {
	p       DownloadParams
	servers *table[fileServer, downloads]
}

type fileServer struct {
	caller
	addr packet.Addr
}

// downloads is what one caller has fetched from one server.
type downloads struct {
	counter
	files []string // paths, at most maxListed
}

func newDownload(p DownloadParams) *download {
	return &download{p: p, servers: newTable[fileServer, downloads](p.MaxServers)}
}

func (d *download) Rule() Rule { return downloadRule.Rule }

func (d *download) Kinds() []Kind { return []Kind{SessionFact} }

func (d *download) setParams(p DownloadParams) {
	d.p = p
	d.servers.limit(p.MaxServers)
}

func (d *download) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{d.servers.part("D46.servers/1", func(c *snapshot.Codec, k *fileServer) {
		k.caller.walk(c)
		addrKey(c, &k.addr)
	}, func(c *snapshot.Codec, x *downloads) {
		x.counter.walk(c)
		texts(c, &x.files)
	})}
}

func (d *download) evictions() uint64 { return d.servers.evicted() }

func (d *download) Tick(now int64, c *Context) { d.servers.expire(now - 2*day) }

func (d *download) Observe(e *Event, c *Context) {
	x, ok := e.Fact.(*dissect.HTTPExchange)
	if !ok || x.Method != "GET" || x.Status != 200 && x.Status != 206 || isComputer(e.Initiator) {
		return
	}
	why := program(x)
	if why == "" || !bareHost(x.Host) || !c.callsOut(e) || c.ResponderName(e) != "" {
		return
	}
	who, ok := callerOf(e)
	if !ok {
		return
	}
	n := d.servers.put(fileServer{who, e.Session.Responder.Addr}, c.Now)
	n.begin(c.Now, day)
	n.files = addDistinct(n.files, Clean(x.URI, 120), maxListed)
	if n.add(e.Session.Start) {
		if f := d.finding(e, c, n, why); f != nil {
			c.Emit(f)
		}
	}
}

// bareHost reports whether a Host header (RFC 9110 section 7.2) is missing or an address.
func bareHost(host string) bool {
	if host == "" {
		return true
	}
	if _, err := netip.ParseAddrPort(host); err == nil {
		return true
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil
}

// program returns why the response of an exchange is taken for a program or a script, "" if it is not: by its first bytes, else by its type
// or its name.
func program(x *dissect.HTTPExchange) string {
	if x.Program != "" {
		return "its first bytes are those of " + map[string]string{"elf": "a Linux program", "pe": "a Windows program", "script": "a script"}[x.Program]
	}
	if t, _, _ := strings.Cut(x.ContentType, ";"); slices.Contains(programTypes, strings.ToLower(strings.TrimSpace(t))) {
		return "its type is " + Clean(t, 60)
	}
	path, _, _ := strings.Cut(x.URI, "?")
	file := strings.ToLower(path[strings.LastIndexByte(path, '/')+1:])
	if strings.HasSuffix(file, ".sh") || strings.HasSuffix(file, ".elf") || slices.Contains(architectures, file[strings.LastIndexByte(file, '.')+1:]) {
		return "its name is " + Clean(file, 60)
	}
	return ""
}

// programTypes are the media types of programs and scripts.
var programTypes = []string{"application/x-executable", "application/x-elf", "application/x-sharedlib", "application/x-sh", "text/x-sh",
	"application/x-shellscript", "text/x-shellscript", "application/x-msdownload", "application/x-dosexec", "application/vnd.microsoft.portable-executable"}

// architectures are the processors after which loaders name their files.
var architectures = []string{"mips", "mpsl", "mipsel", "mips64", "arm", "arm4", "arm5", "arm6", "arm7", "arm64", "aarch64", "armv4l", "armv5l", "armv6l", "armv7l",
	"x86", "x86_64", "x64", "i486", "i586", "i686", "ppc", "powerpc", "sh4", "m68k", "spc", "sparc", "arc", "riscv64"}

func (d *download) finding(e *Event, c *Context, n *downloads, why string) *Finding {
	f, x, source, ok := c.callerFinding(d.Rule(), e)
	if !ok {
		return nil
	}
	f.Key = addr(&e.Session.Responder, e.Session.V6).String()
	f.Stage, f.Severity = StageControl, callerSeverity(e.Initiator, x, source)
	f.Start, f.Total, f.Count = n.first, n.count, n.take()
	who, from, files := f.self(), f.Peer.at(), Plural(n.count, "program", "programs")
	last := n.files[len(n.files)-1]
	f.Brief = "fetches a program from " + from.brief()
	f.Title = headline("%s downloaded "+files+" from %s", who, from)
	f.Message = fmt.Sprintf("Expected: %s gets its updates from servers that have a name. Seen: since %s it downloaded %s over HTTP from the address %s, which it did not look up, last %s; %s.",
		who.full, clock(n.first), files, f.Peer.IP, last, why)
	f.Reasons = append(f.Reasons, Reason{Code: "program", Text: why, Weight: 0.4}, Reason{Code: "no_name", Text: "the server has no name", Weight: 0.3},
		benign("an administrator installs software by hand, or the vendor's update server has no name"))
	f.Evidence = []Evidence{{Kind: "download", Summary: files + " downloaded: " + listing(n.files, 5), Data: map[string]any{"files": slices.Clone(n.files), "count": n.count}}}
	f.Recommendation = downloadRule.advise("", f.Device)
	return f
}
