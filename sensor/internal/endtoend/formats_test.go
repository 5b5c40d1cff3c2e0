// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"encoding/csv"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"stillwatch/internal/testneed"
)

// formats are the options of all formats, with files in dir.
func formats(dir string) []string {
	return []string{"--csv", filepath.Join(dir, "csv"), "--zeek-logs", filepath.Join(dir, "zeek"), "--parquet", filepath.Join(dir, "parquet"),
		"--timesketch", filepath.Join(dir, "timesketch.jsonl"), "--l2t-csv", filepath.Join(dir, "l2t.csv"), "--eve", filepath.Join(dir, "eve.json")}
}

// exported replays a story into all formats and returns the files.
func exported(t *testing.T, story, dir string, args ...string) map[string]string {
	t.Helper()
	from := filepath.Join(testneed.Root(t), "scripts", "stories", "testdata", story)
	all := append([]string{"replay", "--inventory", filepath.Join(from, "inventory.yaml"), "--alerts", os.DevNull}, formats(dir)...)
	r := run1(t, append(append(all, args...), filepath.Join(from, "input.pcap"))...)
	if r.status != exitOK {
		t.Fatalf("exit status %d: %s", r.status, r.err)
	}
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			name, _ := filepath.Rel(dir, path)
			files[filepath.ToSlash(name)] = read(t, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestFormatsAreGolden compares the four minutes of story S3 in which the recorder is taken over, in each format that is text.
func TestFormatsAreGolden(t *testing.T) {
	part := []string{"--from", "2026-03-10 21:21", "--to", "2026-03-10 21:24", "--device", "nvr", "--tz", "Europe/Berlin"}
	all := exported(t, "S3", t.TempDir(), part...)
	for name, text := range exported(t, "S3", t.TempDir(), append(part, "--zeek-format", "json")...) {
		if log, ok := strings.CutPrefix(name, "zeek/"); ok {
			all["zeek-json/"+log] = text
		}
	}
	var names []string
	for name, text := range all {
		names = append(names, name)
		if filepath.Ext(name) != ".parquet" {
			golden(t, "formats/"+name, text)
		}
	}
	slices.Sort(names)
	golden(t, "formats/files.txt", strings.Join(names, "\n")+"\n")
}

func TestFormatsDoNotDependOnShards(t *testing.T) {
	one, four := exported(t, "S1", t.TempDir(), "--shards", "1"), exported(t, "S1", t.TempDir(), "--shards", "4")
	if len(one) != len(four) || len(one) < 19 {
		t.Errorf("%d and %d files", len(one), len(four))
	}
	for name, want := range one {
		if got := four[name]; got != want {
			t.Errorf("%s differs: %s", name, difference(got, want))
		}
	}
}

// TestZeekConnections checks that the logs of a capture belong together, and the states of its connections.
func TestZeekConnections(t *testing.T) {
	files := exported(t, "S1", t.TempDir())
	conns := map[string]bool{}
	states := map[string]int{}
	for _, r := range zeekRows(t, files["zeek/conn.log"]) {
		if conns[r["uid"]] {
			t.Errorf("two connections have the uid %s", r["uid"])
		}
		conns[r["uid"]] = true
		states[r["proto"]+" "+r["conn_state"]]++
	}
	for _, log := range []string{"dns", "http", "ssl", "ssh", "notice"} {
		rows := zeekRows(t, files["zeek/"+log+".log"])
		for _, r := range rows {
			if r["uid"] != "-" && !conns[r["uid"]] {
				t.Errorf("%s.log: no connection has the uid %s", log, r["uid"])
			}
		}
		if len(rows) == 0 {
			t.Errorf("no rows in %s.log", log)
		}
	}
	for _, want := range []string{"tcp SF", "tcp REJ", "tcp RSTO", "tcp S0", "udp SF", "udp S0", "icmp OTH"} {
		if states[want] == 0 {
			t.Errorf("no connection is %s: %v", want, states)
		}
	}
}

// zeekRows reads a log by the rules of zeek-cut.
func zeekRows(t *testing.T, text string) (rows []map[string]string) {
	t.Helper()
	var fields []string
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		switch {
		case cells[0] == "#fields":
			fields = cells[1:]
		case strings.HasPrefix(line, "#"):
		case len(cells) != len(fields):
			t.Fatalf("%d cells for %d fields: %q", len(cells), len(fields), line)
		default:
			row := map[string]string{}
			for i, f := range fields {
				row[f] = cells[i]
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// python runs a script with the packages that it needs and returns its output.
func python(t *testing.T, need, script string, args ...string) string {
	t.Helper()
	program := filepath.Join(testneed.Root(t), ".cache", "python", "bin", "python")
	if out, err := exec.Command(program, "-c", "import "+need).CombinedOutput(); err != nil {
		testneed.Missing(t, need, "the package is not installed (make test does so): %v %s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), program, append([]string{"-c", script}, args...)...).Output()
	if err != nil {
		var text []byte
		if e, ok := err.(*exec.ExitError); ok {
			text = e.Stderr
		}
		t.Fatalf("%v: %s%s", err, out, text)
	}
	return string(out)
}

// zatScript prints each log with its number of rows and of those that became a data frame, and one connection as zat reads it.
const zatScript = `
import sys, glob, os
from zat.zeek_log_reader import ZeekLogReader
from zat.log_to_dataframe import LogToDataFrame
for path in sorted(glob.glob(os.path.join(sys.argv[1], "*.log"))):
    rows = list(ZeekLogReader(path).readrows())
    frame = LogToDataFrame().create_dataframe(path)
    print("log", os.path.basename(path), len(rows), len(frame))
    if path.endswith("conn.log"):
        first = rows[0]
        print("first", first["ts"].isoformat(), first["id.orig_p"], first["duration"].total_seconds(), first["orig_bytes"] + first["resp_bytes"], first["conn_state"])
        print("sum", int(frame["orig_ip_bytes"].sum()))
`

// TestZatReadsZeekLogs reads the logs with the Python package zat, which converts the values by the types in the header.
func TestZatReadsZeekLogs(t *testing.T) {
	dir := t.TempDir()
	files := exported(t, "S1", dir)
	out := python(t, "zat", zatScript, filepath.Join(dir, "zeek"))
	sum := 0
	for name, text := range files {
		log, ok := strings.CutPrefix(name, "zeek/")
		if !ok {
			continue
		}
		rows := zeekRows(t, text)
		for _, r := range rows {
			if log == "conn.log" {
				n, err := strconv.Atoi(r["orig_ip_bytes"])
				if err != nil {
					t.Fatal(err)
				}
				sum += n
			}
		}
		if n := strconv.Itoa(len(rows)); !strings.Contains(out, "log "+log+" "+n+" "+n+"\n") {
			t.Errorf("%s has %s rows; zat says\n%s", log, n, out)
		}
	}
	if !strings.Contains(out, "first 2026-03-02T00:30:39.41") || !strings.Contains(out, " SF\n") || !strings.Contains(out, "sum "+strconv.Itoa(sum)+"\n") {
		t.Errorf("want the first connection of %v, sum %d:\n%s", zeekRows(t, files["zeek/conn.log"])[0], sum, out)
	}
}

// duckScript compares each Parquet file with its CSV: the same columns, rows, and texts.
const duckScript = `
import sys, duckdb
duckdb.sql("set timezone = 'UTC'")
for table in ["sessions", "devices", "alerts", "incidents"]:
    p, c = f"'{sys.argv[1]}/parquet/{table}.parquet'", f"read_csv('{sys.argv[1]}/csv/{table}.csv', all_varchar=true, header=true)"
    names = [d[0] for d in duckdb.sql(f"select * from {p} limit 0").description]
    assert names == [d[0] for d in duckdb.sql(f"select * from {c} limit 0").description], (table, names)
    types = {d[0]: d[1] for d in duckdb.sql(f"describe select * from {p}").fetchall()}
    def cell(name):
        if types[name].endswith("[]"):
            return f'nullif(array_to_string("{name}", \'; \'), \'\')'
        if types[name].startswith("TIMESTAMP"):
            return f'strftime("{name}"::timestamptz at time zone \'UTC\', \'%Y-%m-%dT%H:%M:%S\')'
        if types[name] == "DOUBLE":
            return f'round("{name}", 6)::varchar'
        return f'"{name}"::varchar'
    def text(name):
        if types[name].startswith("TIMESTAMP"):
            return f'substr("{name}", 1, 19)'
        if types[name] == "DOUBLE":
            return f'round("{name}"::double, 6)::varchar'
        return f'"{name}"'
    a = duckdb.sql(f"select {', '.join(map(cell, names))} from {p}").fetchall()
    b = duckdb.sql(f"select {', '.join(map(text, names))} from {c}").fetchall()
    for x, y in zip(a, b):
        for n, u, v in zip(names, x, y):
            assert (u or None) == (v or None) or v and v.startswith("'"), (table, n, u, v)
    print(table, len(a), len(b), len(names))
print(duckdb.sql(f"select typeof(start), typeof(packets_out), typeof(initiator_port), typeof(dns_answers) from '{sys.argv[1]}/parquet/sessions.parquet' limit 1").fetchall())
`

// TestDuckDBReadsParquet reads the Parquet files with DuckDB, and compares them with the CSV files, cell by cell.
func TestDuckDBReadsParquet(t *testing.T) {
	dir := t.TempDir()
	files := exported(t, "S3", dir)
	out := python(t, "duckdb", duckScript, dir)
	for _, table := range []string{"sessions", "devices", "alerts", "incidents"} {
		rows, err := csv.NewReader(strings.NewReader(files["csv/"+table+".csv"])).ReadAll()
		if err != nil || len(rows) < 2 {
			t.Fatalf("%s: %d rows: %v", table, len(rows), err)
		}
		if n := strconv.Itoa(len(rows) - 1); !strings.Contains(out, table+" "+n+" "+n+" "+strconv.Itoa(len(rows[0]))+"\n") {
			t.Errorf("%s.csv has %s rows; DuckDB says\n%s", table, n, out)
		}
	}
	if !strings.Contains(out, "'UBIGINT', 'UINTEGER', 'VARCHAR[]'") {
		t.Errorf("types: %s", out)
	}
}

// TestFormatErrors gives folders and files that cannot be used. Each ends with status 2 and one line, before a file is created or changed.
func TestFormatErrors(t *testing.T) {
	d := newDesk(t)
	for _, name := range []string{"zeek", "tables"} {
		if err := os.Mkdir(d.at(name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	d.put("zeek/conn.log", "#separator \\x09\n")
	d.put("tables/alerts.parquet", "PAR1")
	before := d.tree()
	for _, c := range []struct {
		name string
		args []string // words with a @ in front are files on the desk
		want string
	}{
		{"the folder is a file", []string{"--csv", "@old"}, "old is a file: give a folder"},
		{"a file above the folder", []string{"--zeek-logs", "@old/logs"}, "--zeek-logs: stat "},
		{"cannot be created", []string{"--parquet", "/proc/nothing/here"}, "--parquet: mkdir /proc/nothing"},
		{"logs of Zeek", []string{"--csv", "@new/csv", "--zeek-logs", "@zeek"}, "conn.log exists already and is not overwritten"},
		{"an older run", []string{"--zeek-logs", "@new/deep/er", "--parquet", "@tables"}, "alerts.parquet exists already and is not overwritten"},
		{"a file in its own folder", []string{"--csv", "@tables", "--sessions", "@tables/sessions.csv"}, "sessions.csv exists already"},
		{"over the capture", []string{"--eve", "@c.pcap"}, "--eve would overwrite the capture"},
		{"over the inventory", []string{"--inventory", "@inv.yaml", "--timesketch", "@link-inv"}, "--timesketch would overwrite the inventory"},
		{"over another output", []string{"--l2t-csv", "@hard-old", "--eve", "@old"}, "--l2t-csv and --eve both write"},
		{"two on standard output", []string{"--alerts", "@new", "--eve", "-", "--timesketch", "/dev/stdout"}, "both write standard output"},
		{"alerts on standard output", []string{"--eve", "-"}, "--eve writes standard output, and so do the alerts by default: add --alerts FILE"},
		{"no folder of the file", []string{"--csv", "@new", "--l2t-csv", "@no/l2t.csv"}, "no/l2t.csv: no such file or directory"},
		{"format without logs", []string{"--zeek-format", "json"}, "--zeek-format is for --zeek-logs"},
		{"format that does not exist", []string{"--zeek-logs", "@new", "--zeek-format", "xml"}, `--zeek-format must be one of "tsv","json"`},
		{"with a comparison", []string{"--what-if", "@inv.yaml", "--csv", "@new"}, "omit --csv"},
		{"bad capture", []string{"--csv", "@new/csv", "--zeek-logs", "@new/zeek", "--parquet", "@new/parquet", "--eve", "@eve", "@inv.yaml"}, "not a capture in the format"},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := []string{"replay", "--log-level", "error"}
			for _, a := range c.args {
				if name, ok := strings.CutPrefix(a, "@"); ok {
					a = filepath.Clean(d.at(name))
				}
				args = append(args, a)
			}
			r := run1(t, append(args, d.at("c.pcap"))...)
			if r.status != exitUsage || r.out != "" || strings.Count(r.err, "\n") != 1 || !strings.Contains(r.err, c.want) {
				t.Errorf("exit status %d, want one line with %q:\n%s%s", r.status, c.want, r.out, r.err)
			}
			if after := d.tree(); after != before {
				t.Errorf("something changed: %s", difference(after, before))
			}
		})
	}
}

// tree returns the names, types and contents of the files, also in folders.
func (d desk) tree() string {
	d.t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(d.dir, func(path string, e fs.DirEntry, err error) error {
		b.WriteString(path + " " + e.Type().String())
		if e.Type().IsRegular() {
			b.WriteString(" " + read(d.t, path))
		}
		b.WriteByte('\n')
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return b.String()
}

// TestFormatsOnAFullDisk writes EVE to a device that is always full: the run ends with status 1, and the other formats are complete.
func TestFormatsOnAFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		testneed.Missing(t, "fifo", "no /dev/full here: %v", err)
	}
	dir := t.TempDir()
	from := filepath.Join(testneed.Root(t), "scripts", "stories", "testdata", "S3")
	r := run1(t, "replay", "--log-level", "error", "--inventory", filepath.Join(from, "inventory.yaml"), "--alerts", os.DevNull, "--csv", dir, "--parquet", dir, "--zeek-logs", dir,
		"--eve", "/dev/full", filepath.Join(from, "input.pcap"))
	if r.status != exitIncomplete || strings.Count(r.err, "\n") != 1 || !strings.Contains(r.err, "cannot write /dev/full: no space left on device; no record was written") {
		t.Errorf("exit status %d: %s", r.status, r.err)
	}
	if !strings.HasSuffix(read(t, filepath.Join(dir, "sessions.parquet")), "PAR1") || !strings.Contains(read(t, filepath.Join(dir, "conn.log")), "\n#close\t") {
		t.Error("the other files are not complete")
	}
}
