package lifecycle

import (
	"errors"
	"strings"
	"testing"

	"sandkeeper/internal/text"
)

// newer leaves alpha with state of "a" that this build does not read.
func newer(t *testing.T) *bench {
	t.Helper()
	b := newBench(t, "a", "b")
	b.mustCreate(t, "alpha")
	b.kill(t, StatusReady, func(e *entry) { e.states["a"] = storedState{State: State{SchemaVersion: 7, Payload: []byte("future")}} })
	b.log.take()
	return b
}

func checkSchema(t *testing.T, err error) {
	t.Helper()
	schema, ok := errors.AsType[*SchemaError](err)
	if !ok || schema.Version != 7 || schema.Extension != "a" || schema.Sandbox.Name != "alpha" {
		t.Fatalf("error %v is not about version 7 of a for alpha", err)
	}
	for _, command := range []string{"`sandkeeper extensions state show id-alpha a`", "`sandkeeper extensions state clear id-alpha a`"} {
		if !strings.Contains(err.Error(), command) {
			t.Errorf("error %v lacks %s", err, command)
		}
	}
}

func TestSchemaVersionMismatch(t *testing.T) {
	b := newer(t)
	ref := Reference{ID: "id-alpha", Name: "alpha", Gateway: "gw"}
	checkSchema(t, b.driver.DeleteSandbox(t.Context(), ref))
	same(t, "nothing was done", b.log.take(), []string(nil))
	same(t, "stored", b.stored(t), []string{"id-alpha ready a=future b=b"})

	reports := b.reconcile(t)
	checkSchema(t, reports[0].Err)
	same(t, "the other extension goes on", b.log.take(), []string{"b reconcile b"})

	b.mustCreate(t, "beta") // the error is this sandbox's only
	if err := b.store.Clear("alpha", "a"); err != nil {
		t.Fatal(err)
	}
	if err := b.driver.DeleteSandbox(t.Context(), ref); err != nil {
		t.Errorf("after the operator cleared it: %v", err)
	}
}

func TestSchemaVersionMismatchWhileRollingBack(t *testing.T) {
	b := newer(t)
	b.kill(t, StatusRollingBack, func(e *entry) { e.Owed = []string{"a", "b"} })
	checkSchema(t, b.reconcile(t)[0].Err)
	same(t, "the other one rolled back", b.log.take(), []string{"b after_create_failed b"})
	same(t, "its state waits", b.stored(t), []string{"id-alpha rolling_back a=future"})
}

func TestQuotedCommandsArePasteable(t *testing.T) {
	for word, want := range map[string]string{"id-1": "id-1", "": "''", "a b": "'a b'", "x';rm -rf /;'": `'x'\'';rm -rf /;'\'''`, "$(id)": "'$(id)'"} {
		same(t, word, text.ShellWord(word), want)
	}
}
