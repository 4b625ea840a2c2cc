// Package bucket answers one question: what of a host's backups lies off the host, and can it be brought back? It keeps
// backups in a bucket of an S3 server, always encrypted, each visible whole or not at all. Its files are those of
// backup/store, sealed in pieces; it knows no sandbox and no engine.
//
// Below the prefix of a host, HOST/SERIES/ID/ has what only one backup has, manifest.json last, and HOST/SERIES/packs/
// the packs, which several backups of a series share. A manifest there can be read by anybody who may read the bucket:
// it has neither paths nor digests of content, and lists the objects that the backup is made of. Everything else is
// sealed to the recipients.
package bucket

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"sandkeeper/backup/archive"
)

// Options say how a bucket is written to and read. Credentials, region and endpoint are those of the SDK's own chain:
// its environment variables, its files, the instance's role.
type Options struct {
	Host       string   // whose backups: a clean path component
	Recipients []string // age public keys; without any nothing can be written
	Identities archive.Identities
	Retain     Retention
	Tool       string // version of this program

	Now      func() time.Time                     // nil: time.Now
	Stall    time.Duration                        // an answer that brings nothing for so long is given up and asked for again; 0: a minute
	Progress func(object string, done, all int64) // told of the bytes that are sent of a file, by several goroutines at once; nil: nobody is
	Warn     func(string)                         // told what a person should know; nil: nobody is
}

// Bucket is the place of one host's backups in a bucket.
type Bucket struct {
	name   string // of the bucket
	prefix string // "" or ending in /
	o      Options
	piece  int64 // how much of a file is sealed into one object

	parts chan []byte // the memory for what travels, shared by all objects that are written

	connect func() (*s3.Client, error)

	mu     sync.Mutex
	facts  map[string]objectFacts // of objects that were looked at, or put
	ignore bool                   // the server does not know If-None-Match
}

// Parse takes an address such as s3://bucket/prefix apart.
func Parse(address string) (bucket, prefix string, err error) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return "", "", fmt.Errorf("%q is not an address of a bucket: %w", address, err)
	case u.Scheme != "s3" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return "", "", fmt.Errorf("%q is not an address of a bucket, such as s3://bucket/prefix", address)
	}

	prefix = strings.Trim(u.Path, "/")
	if prefix != "" && (path.Clean(prefix) != prefix || strings.HasPrefix(prefix, "..")) {
		return "", "", fmt.Errorf("%q has a prefix with empty parts or dots", address)
	}
	return u.Host, prefix, nil
}

// Open names the place at address. Nothing is asked of the server before the first use.
func Open(address string, o Options) (*Bucket, error) {
	name, prefix, err := Parse(address)
	if err != nil {
		return nil, err
	}
	if err := CheckHost(o.Host); err != nil {
		return nil, err
	}
	if err := archive.CheckRecipients(o.Recipients); err != nil {
		return nil, err
	}
	if prefix != "" {
		prefix += "/"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Stall == 0 {
		o.Stall = time.Minute
	}
	b := &Bucket{name: name, prefix: prefix, o: o, piece: pieceSize, facts: map[string]objectFacts{}, parts: make(chan []byte, partsAtOnce)}
	for range partsAtOnce {
		b.parts <- nil // made when it is needed
	}
	b.connect = sync.OnceValues(func() (*s3.Client, error) { return connect(context.Background(), o.Stall) })
	return b, nil
}

// CheckHost refuses a host's name that cannot be a part of a key of its own.
func CheckHost(host string) error {
	if host == "" || len(host) > 200 || strings.HasPrefix(host, "_") || strings.HasPrefix(host, ".") || strings.ContainsAny(host, "/\\\x00 \t\n") {
		return fmt.Errorf("%q cannot be the name of a host in a bucket", host)
	}
	return nil
}

// Address is how people write the place of the host's backups.
func (b *Bucket) Address() string { return "s3://" + b.name + "/" + strings.TrimSuffix(b.home(), "/") }

// Fleet is how people write the place of all hosts' backups.
func (b *Bucket) Fleet() string { return "s3://" + strings.TrimSuffix(b.name+"/"+b.prefix, "/") }

// Host is whose backups it holds.
func (b *Bucket) Host() string { return b.o.Host }

// home is the prefix of all that belongs to the host's backups.
func (b *Bucket) home() string { return b.prefix + b.o.Host + "/" }

func (b *Bucket) warn(format string, args ...any) {
	if b.o.Warn != nil {
		b.o.Warn(fmt.Sprintf(format, args...))
	}
}

// object is a key for people.
func (b *Bucket) object(key string) string { return "s3://" + b.name + "/" + key }

// listed is an object of a listing.
type listed struct {
	size     int64
	modified time.Time
	tag      string // the server's name for the content
}

// list gives every object whose key begins with prefix.
func (b *Bucket) list(ctx context.Context, prefix string) (map[string]listed, error) {
	client, err := b.connect()
	if err != nil {
		return nil, b.fail("list", prefix, err)
	}
	found := map[string]listed{}
	for in := (&s3.ListObjectsV2Input{Bucket: &b.name, Prefix: &prefix}); ; {
		page, err := client.ListObjectsV2(ctx, in)
		if err != nil {
			return nil, b.fail("list", prefix, err)
		}
		for _, o := range page.Contents {
			found[aws.ToString(o.Key)] = listed{size: aws.ToInt64(o.Size), modified: aws.ToTime(o.LastModified), tag: aws.ToString(o.ETag)}
		}
		if in.ContinuationToken = page.NextContinuationToken; in.ContinuationToken == nil {
			return found, nil
		}
	}
}

// Hosts are the names under which hosts keep backups below the same prefix, sorted.
func (b *Bucket) Hosts(ctx context.Context) ([]string, error) {
	client, err := b.connect()
	if err != nil {
		return nil, b.fail("list", b.prefix, err)
	}
	var hosts []string
	for in := (&s3.ListObjectsV2Input{Bucket: &b.name, Prefix: &b.prefix, Delimiter: aws.String("/")}); ; {
		page, err := client.ListObjectsV2(ctx, in)
		if err != nil {
			return nil, b.fail("list", b.prefix, err)
		}
		for _, p := range page.CommonPrefixes {
			if host := path.Base(aws.ToString(p.Prefix)); CheckHost(host) == nil {
				hosts = append(hosts, host)
			}
		}

		if in.ContinuationToken = page.NextContinuationToken; in.ContinuationToken == nil {
			slices.Sort(hosts)
			return hosts, nil
		}
	}
}

// ErrNoRecipients means that something was to be written without a key to seal it to.
var ErrNoRecipients = errors.New("a bucket holds encrypted backups only, and no key was given to encrypt to")
