package conformance

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	apidiscovery "k8s.io/api/apidiscovery/v2"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	custom1 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta1"
	custom2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	external "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"
)

// types are those that a gateway sends.
func types() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	v1 := schema.GroupVersion{Version: "v1"}
	scheme.AddUnversionedTypes(v1, &metav1.Status{}, &metav1.APIGroup{}, &metav1.APIGroupList{}, &metav1.APIResourceList{})
	for _, add := range []func(*runtime.Scheme) error{
		custom1.AddToScheme, custom2.AddToScheme, external.AddToScheme, apidiscovery.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	return scheme, nil
}

// checkGolden reads NAME.json and NAME.pb of a folder by Kubernetes' types: both say the same, and
// Kubernetes writes the same bytes.
func checkGolden(folder string) error {
	scheme, err := types()
	if err != nil {
		return err
	}
	asJSON := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{Strict: true})
	asProtobuf := protobuf.NewSerializer(scheme, scheme)
	names, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return fmt.Errorf("%s has no documents", folder)
	}
	for _, name := range names {
		said, err := sameBytes(name, asJSON)
		if err != nil {
			return err
		}
		binary := strings.TrimSuffix(name, ".json") + ".pb"
		if _, err := os.Stat(binary); os.IsNotExist(err) {
			fmt.Printf("%s: JSON alone\n", filepath.Base(name))
			continue
		}
		sent, err := sameBytes(binary, asProtobuf)
		if err != nil {
			return err
		}
		if !equality.Semantic.DeepEqual(said, sent) {
			return fmt.Errorf("%s says\n%v\nand %s\n%v", name, said, binary, sent)
		}
		fmt.Printf("%s: JSON and protobuf agree\n", filepath.Base(name))
	}
	return checkGoldenOpenAPI(filepath.Join(folder, "openapi"))
}

// checkGoldenOpenAPI does the same for OpenAPI documents.
func checkGoldenOpenAPI(folder string) error {
	names, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return fmt.Errorf("%s has no documents", folder)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		document, err := parse(text)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		wire, err := os.ReadFile(strings.TrimSuffix(name, ".json") + ".pb")
		if err != nil {
			return err
		}
		if err := document.check(wire); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fmt.Printf("openapi/%s: JSON and protobuf agree\n", filepath.Base(name))
	}
	return nil
}

// sameBytes reads a file, and checks that what was read is written as it stands there.
func sameBytes(name string, serializer runtime.Serializer) (runtime.Object, error) {
	want, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	object, kind, err := serializer.Decode(want, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	object.GetObjectKind().SetGroupVersionKind(*kind)
	var got bytes.Buffer
	if err := serializer.Encode(object, &got); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if bytes.Equal(bytes.TrimSuffix(got.Bytes(), []byte("\n")), bytes.TrimSuffix(want, []byte("\n"))) {
		return object, nil
	}
	return nil, fmt.Errorf("%s is written otherwise by Kubernetes:\n%q\n%q", name, want, got.Bytes())
}
