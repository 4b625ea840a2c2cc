package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
)

// machineFacts say on what the figures were taken.
func machineFacts(ctx context.Context) string {
	cpu, flags := processor()
	sha := "without"
	if slices.Contains(flags, "sha_ni") || slices.Contains(flags, "sha2") {
		sha = "with"
	}
	docker := "no Docker"
	if version := said(ctx, "docker", "version", "--format", "{{.Server.Version}}"); version != "" {
		docker = "Docker " + version + " with " + said(ctx, "docker", "info", "--format", "{{.Driver}}")
	}
	facts := []string{
		fmt.Sprintf("%s, %d cores, %s SHA instructions", cpu, runtime.NumCPU(), sha), said(ctx, "uname", "-sr"), docker, runtime.Version(),
	}
	for _, tool := range [][]string{{"zstd", "--version"}, {"restic", "version"}, {"borg", "--version"}} {
		if words := strings.Fields(said(ctx, tool...)); len(words) > 0 {
			facts = append(facts, tool[0]+" "+versionIn(words))
		}
	}
	return strings.Join(facts, "; ")
}

// versionIn is the first word that looks like a version.
func versionIn(words []string) string {
	for _, word := range words {
		if version := strings.Trim(word, "v,"); version != "" && version[0] >= '0' && version[0] <= '9' {
			return version
		}
	}
	return "of unknown version"
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

// said is the first line that a program prints; "" when it is not there, or fails.
func said(ctx context.Context, argv ...string) string {
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).Output()
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return strings.Trim(line, "* ")
}
