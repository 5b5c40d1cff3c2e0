// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net"

	"github.com/danielgtaylor/huma/v2"

	"stillwatch/collector/internal/auth"
)

type evidenceInput struct {
	SHA256 string `path:"sha256" maxLength:"64" doc:"pcap.sha256 in the evidence of an alert"`
	remote string
}

// Resolve implements huma.Resolver: it keeps the source address for the audit log.
func (in *evidenceInput) Resolve(ctx huma.Context) []error {
	in.remote = ctx.RemoteAddr()
	if host, _, err := net.SplitHostPort(in.remote); err == nil {
		in.remote = host
	}
	return nil
}

type evidenceOutput struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Body        []byte
}

// evidenceType is the type of a download: browsers store it and do not show it.
const evidenceType = "application/octet-stream"

func (a *API) evidenceRoutes(h huma.API) {
	op := operation("get-evidence", "/evidence/{sha256}", "The packets of an alert, a file in the format pcapng (analyst)")
	op.Metadata[needs] = auth.Analyst
	op.Responses = map[string]*huma.Response{"200": {Description: "the file", Content: map[string]*huma.MediaType{
		evidenceType: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}}}}
	huma.Register(h, op, a.evidence)
}

// evidence returns the packets of an alert. Each download is in the audit log.
func (a *API) evidence(ctx context.Context, in *evidenceInput) (*evidenceOutput, error) {
	e, err := a.store.Evidence(ctx, in.SHA256)
	if err == nil {
		err = a.auth.Record(ctx, "evidence_download", e.SHA256, "alert "+e.Alert, in.remote)
	}
	if err != nil {
		return nil, a.problem(err)
	}
	return &evidenceOutput{ContentType: evidenceType, Disposition: `attachment; filename="` + e.SHA256 + `.pcapng"`, Body: e.Data}, nil
}
