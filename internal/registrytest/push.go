package registrytest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// Pusher pushes an image of an engine to the registry that its name names, and hands over the engine's report, one JSON
// object a line.
type Pusher func(ctx context.Context, ref string) (io.ReadCloser, error)

// Push has an engine push an image. An engine answers 200 and says in its report what went wrong.
func Push(ctx context.Context, push Pusher, ref string) error {
	report, err := push(ctx, ref)
	if err != nil {
		return err
	}
	defer report.Close()
	for lines := bufio.NewScanner(report); lines.Scan(); {
		var said struct{ Error string }
		if err := json.Unmarshal(lines.Bytes(), &said); err != nil {
			return err
		}
		if said.Error != "" {
			return errors.New(strings.TrimSpace(said.Error))
		}
	}

	return nil
}
