// SPDX-License-Identifier: Apache-2.0

// Package logins compares the login results of the sensor with those of real clients and servers. Each row of a table is
// one client, one server and one outcome, in network namespaces of the test. All rows are in one capture; each row
// has its own server address, which identifies its sessions in the records of the replay.
package logins

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"stillwatch/internal/testlab/netns"
	"stillwatch/internal/testneed"
	"stillwatch/schemas"
)

// server is a server program. It is started once for all its rows, and must listen on at.port of every
// address and stay in the foreground.
type server struct {
	name    string                     // in the table
	command func(at *site) []string    // program and arguments
	prepare func(at *site) error       // writes its files into at.dir; may be nil
	mounts  func(at *site) [][2]string // files that are mounted over system files, for this program only
}

// row is one test case.
type row struct {
	server  *server
	client  string                                           // in the table
	task    string                                           // what it does, in the table
	command func(at *site, host string) (argv, env []string) // the client
	in      bool                                             // whether the login succeeds: the client's exit status must be 0 if so
	want    string                                           // expected result in the record: success, failure, or "" for no login attempt
}

// protocol is a set of rows whose records are interpreted in the same way.
type protocol struct {
	name     string
	evidence string // explicit or inferred
	rows     []row
	needs    []string     // programs
	check    func() error // other needs
	config   string       // configuration of the sensor; if not empty, each row is replayed alone, with only the servers as internal addresses
	says     func(sessions []schemas.Session, alerts []schemas.Alert) string
}

// protocols returns all protocols of the matrix.
var protocols = []protocol{sshProtocol, telnetProtocol(), ftpProtocol(), httpProtocol(), mqttProtocol(), postgresProtocol(), mysqlProtocol(), redisProtocol()}

// site is a running server.
type site struct {
	dir    string // for files of this server
	shared string // for files of all servers of its protocol: keys, say
	port   int
	python string // Python with the packages from PyPI
	here   string // directory of this package
	slots  chan struct{}
}

// run is a row with its result.
type run struct {
	*row
	protocol *protocol
	host     netip.Addr
	status   int
	output   string
	said     string
}

// atOnce limits the concurrent clients, perServer those of one server: Dropbear allows five unauthenticated connections.
const (
	atOnce    = 16
	perServer = 4
)

// maxUnknown is the largest share of logins whose result may be unknown.
const maxUnknown = 0.05

func TestLogins(t *testing.T) {
	python := need(t)
	n, err := netns.NewPair(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	capture := filepath.Join(t.TempDir(), "logins.pcap")
	stop := record(t, n, capture)
	runs := act(t, n, python)
	stop()
	compare(t, runs, capture)
	table(t, runs)
}

// need skips the test if a program is missing. It returns the Python with the packages from PyPI.
func need(t *testing.T) string {
	t.Helper()
	if err := netns.Needs(); err != nil {
		testneed.Missing(t, testneed.RootNeed, "%v", err)
	}
	testneed.Command(t, "tcpdump")
	for _, p := range protocols {
		for _, program := range p.needs {
			if _, err := exec.LookPath(program); err != nil {
				testneed.Missing(t, testneed.LoginsNeed, "%s is not installed", program)
			}
		}
		if p.check == nil {
			continue
		}
		if err := p.check(); err != nil {
			testneed.Missing(t, testneed.LoginsNeed, "%v", err)
		}
	}
	python := filepath.Join(testneed.Root(t), ".cache", "python", "bin", "python")
	if out, err := exec.Command(python, "-c", "import asyncssh, paramiko").CombinedOutput(); err != nil {
		testneed.Missing(t, testneed.LoginsNeed, "the programs of PyPI are not installed (make test does so): %s", out)
	}
	return python
}

// record captures on the server's interface until the returned function is called.
func record(t *testing.T, n *netns.Network, file string) (stop func()) {
	t.Helper()
	c := n.Command(context.Background(), netns.Server, "tcpdump", "-i", netns.PairPort, "-s", "0", "-B", "65536", "-U", "-Z", "root", "-w", file, "tcp")
	pipe, err := c.StderrPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(pipe)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("tcpdump: %v", err)
		}
		if strings.Contains(line, "listening on") {
			break
		}
	}
	return func() {
		time.Sleep(time.Second) // the kernel still delivers the last packets
		if err := c.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		said, _ := io.ReadAll(lines)
		if err := c.Wait(); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(said), "\n0 packets dropped by kernel") {
			t.Fatalf("the capture has holes: %s", said)
		}
	}
}

// act starts the servers, runs every row, and ends the servers.
func act(t *testing.T, n *netns.Network, python string) (runs []*run) {
	t.Helper()
	root := t.TempDir()
	if err := os.Chmod(filepath.Dir(root), 0o711); err != nil { // PostgreSQL does not run as root
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var servers, starting sync.WaitGroup
	defer func() { stop(); servers.Wait() }()
	sites := map[*server]*site{}
	host := netip.MustParsePrefix(netns.ServerNet).Addr()
	for i := range protocols {
		p := &protocols[i]
		shared := filepath.Join(root, p.name)
		if err := os.Mkdir(shared, 0o755); err != nil {
			t.Fatal(err)
		}
		var mine []func() error
		for j := range p.rows {
			r := &p.rows[j]
			if sites[r.server] == nil {
				at := &site{dir: filepath.Join(shared, fmt.Sprint("server", len(sites))), shared: shared, port: 20000 + len(sites), python: python,
					here: filepath.Join(testneed.Root(t), "scripts", "logins"), slots: make(chan struct{}, perServer)}
				sites[r.server] = at
				mine = append(mine, func() error { return start(ctx, n, r.server, at, &servers) })
			}
			host = host.Next()
			runs = append(runs, &run{row: r, protocol: p, host: host})
		}
		starting.Go(func() {
			for _, start := range mine {
				if err := start(); err != nil {
					t.Errorf("%s: %v", p.name, err)
				}
			}
		})
	}
	starting.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for s, at := range sites {
		waitReady(t, n, s, at)
	}
	var clients sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for _, r := range runs {
		at := sites[r.server]
		clients.Go(func() {
			at.slots <- struct{}{}
			slots <- struct{}{}
			r.ask(t, n, at)
			<-slots
			<-at.slots
		})
	}
	clients.Wait()
	return runs
}

// start starts a server. `ip netns exec` runs it in its own mount namespace.
func start(ctx context.Context, n *netns.Network, s *server, at *site, running *sync.WaitGroup) error {
	err := os.Mkdir(at.dir, 0o755)
	if err == nil && s.prepare != nil {
		err = s.prepare(at)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	script := ""
	if s.mounts != nil {
		for _, m := range s.mounts(at) {
			script += fmt.Sprintf("mount --bind %q %q && ", m[0], m[1])
		}
	}
	log, err := os.Create(filepath.Join(at.dir, "log"))
	if err != nil {
		return err
	}
	c := n.Command(ctx, netns.Server, "sh", append([]string{"-c", script + `exec "$@"`, "sh"}, s.command(at)...)...)
	c.Stdout, c.Stderr, c.Dir = log, log, at.dir
	if err := c.Start(); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	running.Go(func() { _ = c.Wait(); log.Close() }) // it ends by a signal
	return nil
}

// waitReady waits until a server listens.
func waitReady(t *testing.T, n *netns.Network, s *server, at *site) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		c, err := n.Dial(t.Context(), netns.Server, fmt.Sprintf("127.0.0.1:%d", at.port))
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(end) {
			log, _ := os.ReadFile(filepath.Join(at.dir, "log"))
			t.Fatalf("%s does not listen: %v: %s", s.name, err, log)
		}
	}
}

// ask runs the client of a row.
func (r *run) ask(t *testing.T, n *netns.Network, at *site) {
	argv, env := r.command(at, r.host.String())
	ctx, stop := context.WithTimeout(t.Context(), 60*time.Second)
	defer stop()
	c := n.Command(ctx, netns.Client, argv[0], argv[1:]...)
	c.Env = append(os.Environ(), env...)
	out, err := c.CombinedOutput()
	var status *exec.ExitError
	if err != nil && !errors.As(err, &status) {
		t.Errorf("%s: %v", r.title(), err)
	}
	r.status, r.output = c.ProcessState.ExitCode(), string(out)
}

func (r *run) title() string {
	return strings.Join([]string{r.protocol.name, r.server.name, r.client, r.task}, ", ")
}

// compare replays the capture and compares the records with the results of the programs.
func compare(t *testing.T, runs []*run, capture string) {
	t.Helper()
	x := newReplayer(t, capture)
	sessions, alerts := x.replay(capture)
	x.alone(runs)
	unknown := map[string]int{}
	all := map[string]int{}
	for _, r := range runs {
		if in := r.status == 0; in != r.in {
			t.Errorf("%s: the client ended with status %d: %s", r.title(), r.status, r.output)
			continue
		}
		if r.protocol.config == "" {
			r.said = r.protocol.says(of(sessions, alerts, r.host))
		}
		all[r.protocol.name]++
		switch {
		case r.said == r.want:
		case r.said == "unknown", r.said == "" && r.protocol.config != "":
			r.said = "unknown"
			unknown[r.protocol.name]++
			t.Logf("%s: not known, right is %q", r.title(), r.want)
		default:
			t.Errorf("%s: %q, right is %q (%s)", r.title(), r.said, r.want, r.host)
		}
	}
	sum := 0
	for _, p := range protocols {
		sum += unknown[p.name]
		t.Logf("%s: %d rows, %d unknown", p.name, all[p.name], unknown[p.name])
	}
	t.Logf("all: %d rows, %d unknown", len(runs), sum)
	if share := float64(sum) / float64(len(runs)); share > maxUnknown {
		t.Errorf("%d of %d logins are not known", sum, len(runs))
	}
}

// of returns the records of the sessions with a server address.
func of(sessions []schemas.Session, alerts []schemas.Alert, host netip.Addr) ([]schemas.Session, []schemas.Alert) {
	return slices.DeleteFunc(slices.Clone(sessions), func(s schemas.Session) bool { return s.Responder.IP != host }),
		slices.DeleteFunc(slices.Clone(alerts), func(a schemas.Alert) bool { return a.Session == nil || a.Session.Responder.IP != host })
}

// table compares the results with docs/logins.md; the argument `update` writes them there.
func table(t *testing.T, runs []*run) {
	t.Helper()
	const begin, end = "<!-- results -->\n", "<!-- end of results -->\n"
	file := filepath.Join(testneed.Root(t), "docs", "logins.md")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(text), begin)
	_, tail, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no place for the results", file)
	}
	var b strings.Builder
	b.WriteString("| protocol | server | client | case | the sensor says | evidence |\n|---|---|---|---|---|---|\n")
	for _, r := range runs {
		said := r.said
		if said == "" {
			said = "nothing"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", r.protocol.name, r.server.name, r.client, r.task, said, r.protocol.evidence)
	}
	got := head + begin + b.String() + end + tail
	if slices.EqualFunc(strings.Split(got, "\n"), strings.Split(string(text), "\n"), sameRow) {
		return
	}
	if !slices.Contains(os.Args, "update") {
		t.Errorf("docs/logins.md is not what the programs and the sensor say: go test ./scripts/logins -args update, and read the difference")
		return
	}
	if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
		t.Fatal(err)
	}
}

// sameRow reports whether two rows agree. "unknown" agrees with everything, because it depends on which packets share a segment.
func sameRow(a, b string) bool {
	x, y := strings.Split(a, " | "), strings.Split(b, " | ")
	if n := len(x); n == len(y) && n == 6 && (x[4] == "unknown" || y[4] == "unknown") {
		x[4] = y[4]
	}
	return slices.Equal(x, y)
}
