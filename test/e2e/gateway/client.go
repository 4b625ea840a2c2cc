package gateway

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// Health asks the gateway at address for its version, without TLS.
func Health(ctx context.Context, address string) (version string, err error) {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	var answer message
	if err := conn.Invoke(ctx, "/openshell.v1.OpenShell/Health", message{}, &answer, grpc.ForceCodec(raw{})); err != nil {
		return "", err
	}
	fields, err := decode(answer)
	if err != nil {
		return "", err
	}
	for _, f := range fields {
		if f.number == 2 {
			return string(f.bytes), nil
		}
	}

	return "", fmt.Errorf("the gateway at %s did not say its version", address)
}
