package private

import "testing"

func TestAfar(t *testing.T) {
	for kind, want := range map[int64]bool{0x6969: true, 0xff534d42: true, 0x65735546: true, 0x4d44: true, 0xef53: false, 0x58465342: false, 0x01021994: false, 0x794c7630: false} {
		if got := afar(kind) != ""; got != want {
			t.Errorf("file system %#x leaves the host: %v, want %v", kind, got, want)
		}
	}
}
