package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	openapi_v2 "github.com/google/gnostic-models/openapiv2"
	openapi_v3 "github.com/google/gnostic-models/openapiv3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"k8s.io/kube-openapi/pkg/spec3"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// document is what Kubernetes reads from JSON: a message, and an empty one of the same type.
type document struct {
	message, empty proto.Message
}

// parse reads a document as gnostic does, and as kube-openapi does, which must keep everything.
func parse(text []byte) (*document, error) {
	var version struct{ Swagger, OpenAPI string }
	if err := json.Unmarshal(text, &version); err != nil {
		return nil, err
	}
	if version.Swagger == "2.0" {
		if err := keepsAll(text, new(spec.Swagger)); err != nil {
			return nil, err
		}
		message, err := openapi_v2.ParseDocument(text)
		return &document{message, new(openapi_v2.Document)}, err
	}
	if strings.HasPrefix(version.OpenAPI, "3.0") {
		if err := keepsAll(text, new(spec3.OpenAPI)); err != nil {
			return nil, err
		}
		message, err := openapi_v3.ParseDocument(text)
		return &document{message, new(openapi_v3.Document)}, err
	}
	return nil, fmt.Errorf("neither OpenAPI 2.0 nor 3.0: %q %q", version.Swagger, version.OpenAPI)
}

// keepsAll says what is lost when a type reads and writes JSON.
func keepsAll(text []byte, typed any) error {
	if err := json.Unmarshal(text, typed); err != nil {
		return err
	}
	again, err := json.Marshal(typed)
	if err != nil {
		return err
	}
	var want, got any
	if err := json.Unmarshal(text, &want); err != nil {
		return err
	}
	if err := json.Unmarshal(again, &got); err != nil {
		return err
	}
	if difference := cmp.Diff(want, got); difference != "" {
		return fmt.Errorf("%T loses something (-sent +kept):\n%s", typed, difference)
	}
	return nil
}

func (d *document) marshal() ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(d.message)
}

// check compares the protobuf of a server: the same message, and the same bytes.
func (d *document) check(wire []byte) error {
	got := proto.Clone(d.empty)
	if err := proto.Unmarshal(wire, got); err != nil {
		return err
	}
	if difference := cmp.Diff(d.message, got, protocmp.Transform()); difference != "" {
		return fmt.Errorf("other messages (-gnostic +server):\n%s", difference)
	}
	want, err := d.marshal()
	if err != nil {
		return err
	}
	if !bytes.Equal(want, wire) {
		return fmt.Errorf("equal messages in other bytes: %d of gnostic, %d of the server", len(want), len(wire))
	}
	return nil
}
