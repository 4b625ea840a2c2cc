package standin

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"

	"sandkeeper/test/e2e/gateway"
	"sandkeeper/test/standin/openshell"
)

// trailer is what stands before the version at the very end of a stand-in's executable. The version is in the file
// itself and not beside it or in the environment, because a running process must keep its own when its file is replaced
// or deleted.
const trailer = "\nstand-in gateway version "

// Gateway runs the stand-in gateway and returns its exit status. It has the sandboxes of a script (see
// openshell.Backend).
func Gateway(ctx context.Context, args []string, port, script string, stdout, stderr io.Writer) int {
	version, err := OwnVersion()
	if err != nil {
		fmt.Fprintln(stderr, "openshell-gateway stand-in:", err)
		return 70
	}
	if slices.Contains(args, "--version") {
		fmt.Fprintf(stdout, "openshell-gateway %s\n", version)
		return 0
	}
	sandboxes, err := openshell.Backend(script)
	if err != nil {
		fmt.Fprintln(stderr, "openshell-gateway stand-in: OPENSHELL_STANDIN:", err)
		return 70
	}
	l, err := net.Listen("tcp", "127.0.0.1:"+cmp.Or(port, "17670"))
	if err != nil {
		fmt.Fprintln(stderr, "Error:", err)
		return 1
	}
	fmt.Fprintf(stdout, "openshell-gateway %s listens on %s\n", version, l.Addr())
	if err := (&gateway.Server{Version: version, Backend: sandboxes}).Serve(ctx, l); err != nil {
		fmt.Fprintln(stderr, "Error:", err)
		return 1
	}
	return 0
}

// OwnVersion is the version at the end of the executable that this process runs, also when its file is gone.
func OwnVersion() (string, error) {
	image, err := os.Open("/proc/self/exe")
	if err != nil {
		path, err := os.Executable()
		if err != nil {
			return "", err
		}
		if image, err = os.Open(path); err != nil {
			return "", err
		}
	}

	defer image.Close()
	return versionAtEnd(image)
}

func versionAtEnd(image io.ReadSeeker) (string, error) {
	const reach = 128
	if _, err := image.Seek(-reach, io.SeekEnd); err != nil {
		return "", err
	}
	end, err := io.ReadAll(image)
	if err != nil {
		return "", err
	}
	_, version, found := strings.Cut(string(end), trailer)
	if !found {
		return "", fmt.Errorf("this executable has no version: make one with package standin")
	}
	return strings.TrimSpace(version), nil
}
