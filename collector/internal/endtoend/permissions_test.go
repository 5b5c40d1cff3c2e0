// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/segmentio/kafka-go"

	"stillwatch/collector/internal/queue"
	"stillwatch/internal/testlab/cluster"
	"stillwatch/schemas"
)

// allow grants a user an operation on a topic or a group. After the first ACL of a resource, Kafka denies all other users.
func (d *delivery) allow(kind kafka.ResourceType, name, user string, what kafka.ACLOperationType) {
	d.Helper()
	_, err := d.client.CreateACLs(d.Context(), &kafka.CreateACLsRequest{ACLs: []kafka.ACLEntry{{ResourceType: kind, ResourceName: name,
		ResourcePatternType: kafka.PatternTypeLiteral, Principal: "User:" + user, Host: "*", Operation: what, PermissionType: kafka.ACLPermissionTypeAllow}}})
	if err != nil {
		d.Fatal(err)
	}
}

// waitForProblem waits until the collector reports a reason why it is not ready.
func (d *delivery) waitForProblem(p *process, want string) {
	d.Helper()
	last := ""
	defer func() {
		if d.Failed() {
			d.Logf("/readyz: %q", last)
		}
	}()
	until(d.T, "/readyz of the collector: "+want, func() bool {
		code, why := p.ready()
		last = why
		return code == 503 && strings.Contains(why, want)
	})
}

// unauthorized starts a collector without permissions and grants them one after the other.
func (d *delivery) unauthorized() {
	d.begin().stop() // the database
	dir := d.TempDir()
	file, password := filepath.Join(dir, "collector.yaml"), filepath.Join(dir, "password")
	text := fmt.Sprintf("listen: 127.0.0.1:0\nhealth: 127.0.0.1:0\ndatabase: %s\nkafka:\n  brokers: [%s]\n  group: restricted\n  sasl: {mechanism: PLAIN, user: collector, password_file: %s}\n",
		d.path, d.cluster.Brokers(cluster.SASLPlaintext), password)
	for path, s := range map[string]string{file: text, password: cluster.Password("collector")} {
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			d.Fatal(err)
		}
	}
	topics := []string{schemas.AlertTopic, schemas.IncidentTopic, schemas.DeviceTopic, schemas.EvidenceTopic, schemas.StatusTopic, queue.DeadLetterTopic}
	for _, topic := range topics {
		d.allow(kafka.ResourceTypeTopic, topic, "analyst", kafka.ACLOperationTypeRead)
	}
	d.allow(kafka.ResourceTypeGroup, "restricted", "analyst", kafka.ACLOperationTypeRead)
	p := start(d.T, "--config", file)
	d.waitForProblem(p, `user "collector" is not authorized for this topic`)
	for _, topic := range topics {
		d.allow(kafka.ResourceTypeTopic, topic, "collector", kafka.ACLOperationTypeRead)
		d.allow(kafka.ResourceTypeTopic, topic, "collector", kafka.ACLOperationTypeWrite)
	}
	d.waitForProblem(p, `user "collector" is not authorized for the consumer group`)
	d.allow(kafka.ResourceTypeGroup, "restricted", "collector", kafka.ACLOperationTypeRead)
	d.fill(0, 1000)
	d.finish(1000)
	until(d.T, "the collector is ready", func() bool { code, _ := p.ready(); return code == 200 })
	p.stop()
}

// inSync sets how many replicas of a topic must be in sync.
func (d *delivery) inSync(topic, n string) {
	d.Helper()
	res, err := d.client.IncrementalAlterConfigs(d.Context(), &kafka.IncrementalAlterConfigsRequest{Resources: []kafka.IncrementalAlterConfigsRequestResource{{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: topic,
		Configs: []kafka.IncrementalAlterConfigsRequestConfig{{Name: "min.insync.replicas", Value: n, ConfigOperation: kafka.ConfigOperationSet}}}}})
	if err == nil {
		err = res.Resources[0].Error
	}
	if err != nil {
		d.Fatal(err)
	}
}

// notEnoughReplicas requires three replicas while one broker is down: both programs report it and wait, and continue when two suffice.
func (d *delivery) notEnoughReplicas(p *process) {
	for _, topic := range []string{schemas.AlertTopic, queue.DeadLetterTopic} {
		d.inSync(topic, "3")
	}
	s := d.startSensor(filepath.Join(d.TempDir(), "spool"))
	s.write(10)
	until(d.T, "the sensor reports missing replicas", func() bool {
		code, why := s.get("/readyz")
		return code == 503 && strings.Contains(why, "topic "+schemas.AlertTopic+" has fewer replicas in sync than its min.insync.replicas")
	})
	d.inSync(schemas.AlertTopic, "2")
	d.produce(1, []kafka.Record{{Key: kafka.NewBytes([]byte("rejected")), Value: kafka.NewBytes([]byte("no JSON"))}})
	d.waitForProblem(p, "fewer replicas are in sync")
	d.inSync(queue.DeadLetterTopic, "2")
	s.finish()
	d.checkRevisions()
	until(d.T, "the rejected record is sent", func() bool { return p.metric("stillwatch_collector_dead_letters_sent_total") == 1 })
}
