// Package buckettest answers one question: what does a real S3 server do? It runs versitygw, built from tools/go.mod,
// on 127.0.0.1, over a folder of the test.
package buckettest

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/gofrs/flock"

	"sandkeeper/internal/disk"
)

// Credentials of the server's root user.
const (
	Access = "sandkeeper-test"
	Secret = "not-a-secret-of-anybody"
)

// Server is an S3 server with versions and object lock.
type Server struct {
	Endpoint string
	Client   *s3.Client
}

// Start starts a server for the test, and names it and its credentials in the environment, as an operator does. The
// test is skipped where the server cannot be built; SANDKEEPER_REQUIRE_S3=1 makes that a failure.
func Start(t testing.TB) *Server {
	t.Helper()
	program, err := Build()
	if err != nil {
		if os.Getenv("SANDKEEPER_REQUIRE_S3") == "1" {
			t.Fatal(err)
		}
		t.Skipf("versitygw cannot be built here: %v", err)
	}

	root := t.TempDir()
	for _, dir := range []string{"objects", "versions"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}

	address := freeAddress(t)
	run := exec.Command(program, "--port", address, "--quiet", "--access", Access, "--secret", Secret, "posix",
		"--versioning-dir", filepath.Join(root, "versions"), filepath.Join(root, "objects"))
	log, err := os.Create(filepath.Join(root, "log"))
	if err != nil {
		t.Fatal(err)
	}
	run.Stdout, run.Stderr = log, log
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = run.Process.Kill(); _ = run.Wait(); _ = log.Close() })
	s := &Server{Endpoint: "http://" + address}
	s.Client = s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: &s.Endpoint, UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider(Access, Secret, ""),
	})
	s.wait(t, log.Name())
	s.Use(t, s.Endpoint)
	return s
}

// Use names an address of the server, its own or that of a proxy before it, in the environment of the test.
func (s *Server) Use(t testing.TB, endpoint string) {
	none := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": Access, "AWS_SECRET_ACCESS_KEY": Secret, "AWS_REGION": "us-east-1",
		"AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_EC2_METADATA_DISABLED": "true", "AWS_PROFILE": "", "AWS_SESSION_TOKEN": "",
	} {
		t.Setenv(name, value)
	}
}

// Bucket makes a bucket, with object lock or without.
func (s *Server) Bucket(t testing.TB, name string, lock bool) {
	t.Helper()
	if _, err := s.Client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name, ObjectLockEnabledForBucket: &lock}); err != nil {
		t.Fatal(err)
	}
}

// Keys are all objects of a bucket that can be seen, with their length.
func (s *Server) Keys(t testing.TB, bucket string) map[string]int64 {
	t.Helper()
	keys := map[string]int64{}
	pages := s3.NewListObjectsV2Paginator(s.Client, &s3.ListObjectsV2Input{Bucket: &bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			keys[aws.ToString(o.Key)] = aws.ToInt64(o.Size)
		}
	}

	return keys
}

func (s *Server) wait(t testing.TB, log string) {
	t.Helper()
	for range 200 {
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		_, err := s.Client.ListBuckets(ctx, &s3.ListBucketsInput{})
		stop()
		if err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}

	said, _ := os.ReadFile(log)
	t.Fatalf("versitygw does not answer at %s:\n%s", s.Endpoint, said)
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Build gives the server's program, built once for all tests of this checkout and version.
func Build() (string, error) {
	_, here, _, _ := runtime.Caller(0)
	root := filepath.Join(filepath.Dir(here), "..", "..")
	dir := filepath.Join(root, ".cache", "tools")
	program := filepath.Join(dir, "versitygw")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	lock := flock.New(program + ".lock")
	if err := lock.Lock(); err != nil {
		return "", err
	}
	defer func() { _ = lock.Unlock() }() // the kernel takes it back in any case
	if current(program, filepath.Join(root, "tools", "go.mod")) {
		return program, nil
	}
	ctx, stop := context.WithTimeout(context.Background(), 15*time.Minute)
	defer stop()
	part := program + disk.StagingPrefix + "new"
	compile := exec.CommandContext(ctx, "go", "build", "-C", filepath.Join(root, "tools"), "-o", part, "github.com/versity/versitygw/cmd/versitygw")
	compile.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if said, err := compile.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, said)
	}
	return program, os.Rename(part, program)
}

// current reports whether a program is there and of the version that a go.mod names.
func current(program, goMod string) bool {
	made, err := buildinfo.ReadFile(program)
	if err != nil {
		return false
	}
	wanted, err := os.ReadFile(goMod)
	return err == nil && strings.Contains(string(wanted), made.Main.Path+" "+made.Main.Version+" ")
}
