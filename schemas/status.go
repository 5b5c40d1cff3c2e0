// SPDX-License-Identifier: Apache-2.0

package schemas

// Status is a sign of life of a live sensor. It sends one every 30 seconds, and a last one when it stops.
type Status struct {
	Schema          string           `json:"schema"`
	Sensor          AlertSensor      `json:"sensor"` // without seq; its hashes are of the active rules and configuration
	InventoryHash   string           `json:"inventory_hash,omitempty"`
	Time            Time             `json:"time"`  // clock of the machine
	State           string           `json:"state"` // running, stopped
	UptimeSeconds   int64            `json:"uptime_seconds"`
	IntervalSeconds float64          `json:"interval_seconds"` // of the rates
	Rates           StatusRates      `json:"rates"`
	Loss            StatusLoss       `json:"loss"` // totals of this run
	Spool           StatusSpool      `json:"spool"`
	Tables          []StatusTable    `json:"tables"`
	Blind           string           `json:"blind,omitempty"` // why no frame can arrive
	Obstacles       []StatusObstacle `json:"obstacles,omitempty"`
}

// StatusRates are rates since the previous status.
type StatusRates struct {
	Packets float64 `json:"packets_per_second"`
	Bits    float64 `json:"bits_per_second"`
	Alerts  float64 `json:"alerts_per_second"`
}

// StatusLoss counts frames that were dropped, by place.
type StatusLoss struct {
	Received uint64 `json:"received"` // frames that the kernel received for the sensor
	NIC      uint64 `json:"nic"`
	Ring     uint64 `json:"ring"`
	XDP      uint64 `json:"xdp"`
	Queue    uint64 `json:"queue"`
}

// StatusSpool is how far the delivery to Kafka is behind.
type StatusSpool struct {
	Records       uint64  `json:"records"`
	Bytes         int64   `json:"bytes"`
	OldestSeconds float64 `json:"oldest_seconds"` // age of the oldest record that is not acknowledged
	Dropped       uint64  `json:"dropped"`        // records that were dropped because there was no space
}

// StatusTable is how full a table of the sensor is.
type StatusTable struct {
	Name  string `json:"name"` // sessions, devices, silence_bytes
	Used  uint64 `json:"used"`
	Limit uint64 `json:"limit"`
}

// StatusObstacle is why the sensor could not have found anything.
type StatusObstacle struct {
	Reason string `json:"reason"`
	Text   string `json:"text"`
}
