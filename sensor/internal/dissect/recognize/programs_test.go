// SPDX-License-Identifier: Apache-2.0

package recognize_test

import (
	"slices"
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatch"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
	"stillwatch/sensor/internal/dissect/recognize"
)

// stun returns a message with attributes.
func stun(kind, attributes string) string {
	return kind + string([]byte{0, byte(len(attributes))}) + "\x21\x12\xa4\x42" + "abcdefghijkl" + attributes
}

const stunSoftware = "\x80\x22\x00\x06coturn\x00\x00"

func TestSTUNPrograms(t *testing.T) {
	var c dispatch.Conversation
	c.Reset(dissect.Ports{Client: 40000, Server: 3478}, nil)
	var facts []dissect.Fact
	for _, x := range []dissecttest.Turn{
		dissecttest.Client(stun("\x00\x01", "")), dissecttest.Server(stun("\x01\x01", "\x00\x20\x00\x08\x00\x01abcdef"+"\x80\x22\x00\x06Coturn\x00\x00")),
		dissecttest.Client(stun("\x00\x01", "\x00\x06\x00\x01u\x00\x00\x00"+"\x80\x22\x00\x04pion")), dissecttest.Server("\x80abc"),
	} {
		c.Datagram(x.Dir, []byte(x.Data), func(f dissect.Fact) { facts = append(facts, f) })
	}
	want := []dissect.Banner{{Protocol: "stun", Text: "Coturn"}, {Protocol: "stun", Text: "pion", Client: true}}
	if got := dissecttest.FactsOf[dissect.Banner](facts); !slices.Equal(got, want) || dissecttest.AppOf(facts) != "stun" {
		t.Errorf("facts:\n%s", dissecttest.Dump(facts))
	}
}

const stratumLogin = `{"id":1,"jsonrpc":"2.0","method":"login","params":{"login":"wallet","pass":"s3cret","agent":"XMRig/6.20.0 (Linux x86_64)","algo":["rx/0"]}}` + "\n"

func TestStratumPrograms(t *testing.T) {
	for line, want := range map[string]string{
		`{"id":1,"method":"mining.subscribe","params":["cpuminer/2.5.1","s3cret"]}` + "\n": "cpuminer/2.5.1",
		`{"id":1,"method":"mining.subscribe","params":[]}` + "\n":                          "",
		`{"id":1,"method":"mining.authorize","params":["s3cret","x"]}` + "\n":              "",
		stratumLogin: "XMRig/6.20.0 (Linux x86_64)",
	} {
		facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 3333}, []dissecttest.Turn{dissecttest.Client(line)})
		text := ""
		for _, b := range dissecttest.FactsOf[dissect.Banner](facts) {
			text += b.Text
		}
		if text != want || dissecttest.AppOf(facts) != "stratum" {
			t.Errorf("%s:\n%s", line, dissecttest.Dump(facts))
		}
	}
}

// A session that was captured midstream begins with any message of either side.
func TestStratumMidstream(t *testing.T) {
	for name, turns := range map[string][]dissecttest.Turn{
		"stratum": {dissecttest.Server(`{"params":["1f","00","01","02",[],"20000000","1a","66",true],"id":null,"method":"mining.notify"}` + "\n")},
		"Stratum": {dissecttest.Server(`{"id":null,"method":"mining.set_difficulty","params":[1024]}` + "\r\n")},
		"sTratum": {dissecttest.Server(`{"jsonrpc":"2.0","method":"job","params":{"blob":"0e0e","job_id":"7","target":"b88d0600"}}` + "\n")},
		"stRatum": {dissecttest.Server(`{"id":1,"jsonrpc":"2.0","error":null,"result":{"id":"x","job":{"blob":"0e0e","job_id":"7","target":"b88d0600"},"status":"OK"}}` + "\n")},
		"strAtum": {dissecttest.Client(`{"id":4,"method":"mining.submit","params":["w","7","0","66","1a"]}` + "\n")},
		"straTum": {dissecttest.Client(`{"id":2,"jsonrpc":"2.0","method":"submit","params":{"id":"x","job_id":"7","nonce":"d0030040","result":"e1"}}` + "\n")},
		"":        {dissecttest.Server(`{"jsonrpc":"2.0","method":"status","params":{"job":"backup","target":"disk"}}` + "\n")},
		" ":       {dissecttest.Client(`{"id":2,"method":"submit","params":{"form":"7"}}` + "\n")},
	} {
		facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 3333}, turns)
		if got := dissecttest.AppOf(facts); got != strings.TrimSpace(strings.ToLower(name)) {
			t.Errorf("%v: %q\n%s", turns, got, dissecttest.Dump(facts))
		}
	}
}

func FuzzLooksStratum(f *testing.F) {
	f.Add([]byte(stratumLogin))
	f.Add([]byte(`{"method":"mining.notify"}` + "\n"))
	mutate.Fuzz(f, func(t *testing.T, head []byte) {
		if len(head) == 0 {
			return
		}
		for _, final := range []bool{false, true} {
			recognize.LooksStratum(head, final, dissect.Ports{})
			recognize.LooksStratumServer(head, final, dissect.Ports{})
		}
	})
}

func FuzzSTUN(f *testing.F) {
	f.Add(append(dissecttest.Chunk(dissecttest.Client(stun("\x00\x01", stunSoftware))), dissecttest.Chunk(dissecttest.Server(stun("\x01\x01", stunSoftware)))...))
	dissecttest.FuzzDatagrams(f, recognize.NewSTUN, 8)
}

func FuzzStratum(f *testing.F) {
	dissecttest.FuzzStream(f, recognize.NewStratum, []dissecttest.Turn{dissecttest.Client(stratumLogin)})
}
