package bucket

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
)

// attempts is how often a request is made before its failure counts.
const attempts = 5

// connect makes a client from the SDK's own chain. A server that is not Amazon's is addressed by path: few others have
// a name for each bucket.
func connect(ctx context.Context, stall time.Duration) (*s3.Client, error) {
	web := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.ResponseHeaderTimeout = stall
		t.MaxIdleConnsPerHost = 32
		t.DialContext = (&net.Dialer{Timeout: min(stall, 30*time.Second), KeepAlive: 30 * time.Second}).DialContext
	})
	settings, err := config.LoadDefaultConfig(ctx,
		config.WithLogger(logging.Nop{}), // what goes wrong is told once, by the error
		config.WithHTTPClient(web), config.WithRetryer(func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = attempts, stall/3 })
		}),
		config.WithRequestChecksumCalculation(aws.RequestChecksumCalculationWhenRequired),
		config.WithResponseChecksumValidation(aws.ResponseChecksumValidationWhenRequired), config.WithDefaultRegion("us-east-1"))
	if err != nil {
		return nil, err
	}
	return s3.NewFromConfig(settings, func(o *s3.Options) { o.UsePathStyle = o.BaseEndpoint != nil }), nil
}

// signed tells the SDK the SHA-256 of what is sent, which it would take once more to sign it.
func signed(sum [sha256.Size]byte) func(*s3.Options) {
	tell := func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
		return next.HandleFinalize(v4.SetPayloadHash(ctx, hex.EncodeToString(sum[:])), in)
	}
	return s3.WithAPIOptions(func(stack *middleware.Stack) error {
		return stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("sandkeeper.PayloadHash", tell), middleware.Before)
	})
}
