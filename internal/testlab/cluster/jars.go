// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// Version is the version of Apache Kafka; pom.xml names it too.
const Version = "4.4.0"

//go:embed pom.xml
var pom []byte

//go:embed log4j2.properties
var log4j []byte

// ErrMissing is returned if this machine lacks a program that Kafka needs.
var ErrMissing = errors.New("not installed")

// Jars returns the directory with the Java archives of Kafka: STILLWATCH_KAFKA_LIBS, else one in the user's cache that
// Maven fills the first time (45 files, 43 MB). Several processes may call it at the same time.
func Jars(ctx context.Context) (string, error) {
	if dir := os.Getenv("STILLWATCH_KAFKA_LIBS"); dir != "" {
		return dir, nil
	}
	if _, err := exec.LookPath("java"); err != nil {
		return "", fmt.Errorf("java is %w (Debian: openjdk-17-jre-headless)", ErrMissing)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	home := filepath.Join(cache, "stillwatch", "kafka-"+Version)
	libs := filepath.Join(home, "libs")
	if err := os.MkdirAll(home, 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(filepath.Join(home, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(libs); err == nil {
		return libs, nil
	}
	return libs, fetch(ctx, home, libs)
}

// fetch lets Maven copy the archives into a temporary directory, and renames it when they are complete.
func fetch(ctx context.Context, home, libs string) error {
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return fmt.Errorf("mvn is %w (Debian: maven)", ErrMissing)
	}
	if err := os.WriteFile(filepath.Join(home, "pom.xml"), pom, 0o644); err != nil {
		return err
	}
	part := libs + ".part"
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, mvn, "-B", "-q", "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+part)
	cmd.Dir = home
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mvn: %w\n%s", err, out)
	}
	return os.Rename(part, libs)
}

func lock(name string) (func(), error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil
}
