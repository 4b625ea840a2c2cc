package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// machineFacts say on what the figures were taken.
func machineFacts(ctx context.Context) []string {
	cpu, flags := processor()
	sha := "no"
	if slices.Contains(flags, "sha_ni") || slices.Contains(flags, "sha2") {
		sha = "yes"
	}
	return []string{
		fmt.Sprintf("%s, %d cores, SHA instructions: %s", cpu, runtime.NumCPU(), sha),
		"kernel " + said(ctx, "uname", "-srm"),
		"Docker " + said(ctx, "docker", "version", "--format", "{{.Server.Version}}") + ", storage " + said(ctx, "docker", "info", "--format", "{{.Driver}}"),
		runtime.Version() + "; " + said(ctx, "zstd", "--version") + "; " + said(ctx, "restic", "version"),
		"load before the run: " + load() + "; " + time.Now().UTC().Format("2006-01-02 15:04 UTC"),
	}
}

// processor is its name and its flags, from /proc/cpuinfo.
func processor() (name string, flags []string) {
	name = runtime.GOARCH
	content, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(content)) {
		key, value, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(key) {
		case "model name":
			name = strings.TrimSpace(value)
		case "flags", "Features":
			flags = strings.Fields(value)
		}
	}
	return name, flags
}

func load() string {
	content, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(content))[:1], " ")
}

// said is the first line that a program prints, or that there is none.
func said(ctx context.Context, argv ...string) string {
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).Output()
	if err != nil {
		return argv[0] + " (not there)"
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return strings.Trim(line, "* ")
}
