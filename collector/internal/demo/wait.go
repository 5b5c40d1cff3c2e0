// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"text/tabwriter"
	"time"

	"stillwatch/collector/internal/sanitize"
)

// wait polls the API until it returns every alert at least at the raised revision. It returns the missing alerts when ctx is done.
func wait(ctx context.Context, base, token string, all []raised) (missing []raised) {
	for _, a := range all {
		for !shown(ctx, base, token, a) {
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
				continue
			}
			missing = append(missing, a)
			break
		}
	}
	return missing
}

func shown(ctx context.Context, base, token string, a raised) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/api/v1/alerts/"+a.ID, nil)
	if err != nil {
		return false
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer func() { _ = res.Body.Close() }()
	var got struct {
		Revision int `json:"revision"`
		Alert    struct {
			ID string `json:"id"`
		} `json:"alert"`
	}
	err = json.NewDecoder(io.LimitReader(res.Body, 8<<20)).Decode(&got)
	return err == nil && res.StatusCode == http.StatusOK && got.Alert.ID == a.ID && got.Revision >= a.Revision
}

// line is a row of the table: the alerts of one story with the same rule, device and severity.
type line struct {
	raised     // the first of them
	count  int // of alerts
}

// group groups alerts into lines, in the order of the first alerts.
func group(all []raised) []line {
	type same struct{ story, severity, rule, device string }
	var out []line
	at := map[same]int{}
	for _, a := range all {
		k := same{a.story, a.Severity, a.Rule.ID, a.Device.Key}
		if i, ok := at[k]; ok {
			out[i].count++
			continue
		}
		at[k] = len(out)
		out = append(out, line{a, 1})
	}
	return out
}

// table prints the alerts. Text from the network is sanitized for the terminal.
func table(out io.Writer, all []raised) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nSTORY\tSEVERITY\tRISK\tRULE\tDEVICE\tALERTS\tFIRST ALERT")
	for _, l := range group(all) {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%d\t%s\n", l.story, l.Severity, l.RiskScore, l.Rule.ID, sanitize.Value(l.Device.Key), l.count, sanitize.Value(l.Title))
	}
	return w.Flush()
}
