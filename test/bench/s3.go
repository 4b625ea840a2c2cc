package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"sandkeeper/internal/buckettest"
)

const (
	syncFirst  = "sandkeeper backups sync: a first backup, encrypted"
	syncAgain  = "sandkeeper backups sync: nothing is new"
	putTheSame = "a multipart put of the same archive as it is, 8 MiB parts, 4 at once"
	copyRestic = "restic copy: a first backup, to the same server"
	putCommand = "put" // this program's own, for the peer that aws s3 cp is elsewhere
	putBucket  = "bench"
)

// s3 measures how a backup gets to a bucket on this host, beside a put of the same bytes and what restic does.
func (b *bench) s3(ctx context.Context, r *section) (err error) {
	s, err := b.saved(ctx, r)
	if s == nil || err != nil {
		return err
	}
	endpoint, stop, err := b.bucketServer(ctx)
	if err != nil {
		r.lacks("an S3 server", err.Error())
		return nil
	}
	defer func() { err = errors.Join(err, stop()) }()
	restic := s.restic("s3")
	hasRestic := installed(restic.name)
	before := []step{again(s.backup("backup", s.root), s.root)}
	if hasRestic {
		defer func() { err = errors.Join(err, dropTools([]tool{restic})) }()
		before = append(before, restic.init, restic.save(restic.name, s.plain))
	} else {
		r.lacks(restic.name, "it is not installed")
	}
	if err := unmeasured(ctx, before...); err != nil {
		return err
	}
	archives, err := filepath.Glob(filepath.Join(s.root, s.full.sandbox, "*", "archive.tar.zst"))
	if err != nil || len(archives) != 1 {
		return fmt.Errorf("%d archives: %w", len(archives), err)
	}
	steps, err := s.bucketSteps(ctx, endpoint, archives[0])
	if err != nil {
		return err
	}
	if hasRestic {
		steps = append(steps, s.copied(restic, endpoint))
	}
	samples, err := rounds(ctx, b.rounds, b.enough, steps, b.say)
	if err != nil {
		return err
	}
	size, err := fileSize(archives[0])
	if err != nil {
		return err
	}
	r.s3(samples, map[string]int64{syncFirst: size, putTheSame: size})
	return os.RemoveAll(s.root)
}

// bucketSteps bring the backup to a bucket that is made anew in every round.
func (s *saving) bucketSteps(ctx context.Context, endpoint, archive string) ([]step, error) {
	key, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, err
	}
	aws := bucketEnv(endpoint)
	sync := func(name string) step {
		return s.sandkeeper(name, append(aws, s.env...), "backups", "sync", "--backup-dir", s.root, "--store", "s3://"+putBucket+"/host", "--seal-to", key.Recipient().String())
	}
	own, err := os.Executable()
	if err != nil {
		return nil, err
	}
	put := step{name: putTheSame, argv: []string{own, putCommand, endpoint, archive}}
	first := sync(syncFirst)
	first.before = func(context.Context) error { return newBucket(ctx, endpoint) }
	return []step{first, sync(syncAgain), put}, nil
}

// copied brings what restic has in its local repository to a repository of its own in the bucket, sealed anew as sandkeeper's is.
func (s *saving) copied(local tool, endpoint string) step {
	env := append(bucketEnv(endpoint), local.init.env...)
	env = append(env, "RESTIC_FROM_REPOSITORY="+local.folder, "RESTIC_FROM_PASSWORD_COMMAND=echo bench", "RESTIC_REPOSITORY=s3:"+endpoint+"/"+putBucket+"/restic")
	repository := step{name: "restic init", argv: []string{"restic", "-q", "init", "--copy-chunker-params"}, env: env}
	return step{
		name: copyRestic, argv: []string{"restic", "-q", "copy"}, env: env,
		before: func(ctx context.Context) error { return unmeasured(ctx, repository) },
	}
}

func bucketEnv(endpoint string) []string {
	return []string{
		"AWS_ENDPOINT_URL=" + endpoint, "AWS_ACCESS_KEY_ID=" + buckettest.Access, "AWS_SECRET_ACCESS_KEY=" + buckettest.Secret,
		"AWS_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true",
	}
}

func bucketClient(endpoint string) *s3.Client {
	return s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: &endpoint, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(buckettest.Access, buckettest.Secret, ""),
	})
}

// bucketServer starts versitygw over a folder of the benchmark.
func (b *bench) bucketServer(ctx context.Context) (endpoint string, stop func() error, err error) {
	program, err := buckettest.Build()
	if err != nil {
		return "", nil, err
	}
	objects := filepath.Join(b.dir, "objects")
	if err := os.Mkdir(objects, 0o700); err != nil {
		return "", nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return "", nil, err
	}
	server := exec.CommandContext(ctx, program, "--port", address, "--quiet", "--access", buckettest.Access, "--secret", buckettest.Secret, "posix", objects)
	if err := server.Start(); err != nil {
		return "", nil, err
	}
	stop = func() error {
		_ = server.Process.Kill()
		_ = server.Wait() // it says that it was killed
		return os.RemoveAll(objects)
	}
	return "http://" + address, stop, errorsWith(answers(ctx, "http://"+address), stop)
}

func answers(ctx context.Context, endpoint string) (err error) {
	for range 200 {
		if _, err = bucketClient(endpoint).ListBuckets(ctx, &s3.ListBucketsInput{}); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("versitygw does not answer: %w", err)
}

// newBucket makes the bucket, without what a round before left in it.
func newBucket(ctx context.Context, endpoint string) error {
	client, bucket := bucketClient(endpoint), putBucket
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil && strings.Contains(err.Error(), "NoSuchBucket") {
			_, err = client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &bucket})
			return err
		}
		if err != nil {
			return err
		}
		for _, object := range page.Contents {
			if _, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: object.Key}); err != nil {
				return err
			}
		}
	}
	return nil
}

// put brings one file to the bucket in parts, as aws s3 cp does.
func put(ctx context.Context, endpoint, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	client, bucket, key := bucketClient(endpoint), putBucket, "plain/"+filepath.Base(path)
	upload, err := client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return err
	}
	parts, err := putParts(ctx, client, file, upload)
	if err != nil {
		return err
	}
	_, err = client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &bucket, Key: &key, UploadId: upload.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	return err
}

func putParts(ctx context.Context, client *s3.Client, file *os.File, upload *s3.CreateMultipartUploadOutput) ([]types.CompletedPart, error) {
	const partSize, atOnce = 8 << 20, 4
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	parts := make([]types.CompletedPart, (info.Size()+partSize-1)/partSize)
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(atOnce)
	buffers := make(chan []byte, atOnce)
	for range atOnce {
		buffers <- make([]byte, partSize)
	}
	for i := range parts {
		work.Go(func() error {
			buffer := <-buffers
			defer func() { buffers <- buffer }()
			n, err := file.ReadAt(buffer, int64(i)*partSize)
			if err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			sent, err := client.UploadPart(ctx, &s3.UploadPartInput{
				Bucket: upload.Bucket, Key: upload.Key, UploadId: upload.UploadId, PartNumber: aws.Int32(int32(i + 1)), Body: bytes.NewReader(buffer[:n]),
			})
			if err == nil {
				parts[i] = types.CompletedPart{ETag: sent.ETag, PartNumber: aws.Int32(int32(i + 1)), ChecksumCRC32: sent.ChecksumCRC32}
			}
			return err
		})
	}
	return parts, work.Wait()
}
