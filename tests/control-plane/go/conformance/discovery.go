package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"k8s.io/api/apidiscovery/v2beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"
)

const (
	inJSON     = "application/json"
	inProtobuf = "application/vnd.kubernetes.protobuf"
	inYAML     = "application/yaml"
)

var groupVersions = []string{
	"custom.metrics.k8s.io/v1beta1", "custom.metrics.k8s.io/v1beta2", "external.metrics.k8s.io/v1beta1",
}

// checkDiscovery reads what there is to ask for in every way that a client can, and finds the same.
func checkDiscovery(server, authority string) error {
	config := &rest.Config{Host: server, TLSClientConfig: rest.TLSClientConfig{CAFile: authority}, QPS: -1}
	want, err := discovered(config, func(client *discovery.DiscoveryClient) { client.UseLegacyDiscovery = true })
	if err != nil {
		return fmt.Errorf("legacy discovery: %w", err)
	}
	for way, change := range map[string]func(*discovery.DiscoveryClient){
		"aggregated": func(*discovery.DiscoveryClient) {},
		"no peers":   func(client *discovery.DiscoveryClient) { client.NoPeerDiscovery = true },
	} {
		got, err := discovered(config, change)
		if err != nil {
			return fmt.Errorf("%s discovery: %w", way, err)
		}
		if err := same(want, got); err != nil {
			return fmt.Errorf("legacy and %s discovery %w", way, err)
		}
	}
	return checkDocuments(server, authority, want)
}

// group is what clients make of a group, whatever the way in which they read it.
type group struct {
	Versions  []string
	Preferred string
	Resources map[string][]metav1.APIResource
}

// discovered reads everything by client-go.
func discovered(config *rest.Config, change func(*discovery.DiscoveryClient)) (map[string]group, error) {
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	change(client)
	groups, resources, err := client.ServerGroupsAndResources()
	if err != nil {
		return nil, err
	}
	return assembled(groups, resources)
}

func assembled(groups []*metav1.APIGroup, resources []*metav1.APIResourceList) (map[string]group, error) {
	found := map[string]group{}
	for _, read := range groups {
		group := group{Preferred: read.PreferredVersion.Version, Resources: map[string][]metav1.APIResource{}}
		for _, version := range read.Versions {
			group.Versions = append(group.Versions, version.Version)
		}
		found[read.Name] = group
	}
	var listed []string
	for _, list := range resources {
		listed = append(listed, list.GroupVersion)
		of, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		for at, resource := range list.APIResources {
			if resource.Kind == "" || !slices.Equal(resource.Verbs, []string{"get"}) {
				return nil, fmt.Errorf("%s %s: kind %q, verbs %v", of, resource.Name, resource.Kind, resource.Verbs)
			}
			// The aggregated form says whose the kind is, the older one means the list's own.
			if kind := (schema.GroupVersion{Group: resource.Group, Version: resource.Version}); !kind.Empty() && kind != of {
				return nil, fmt.Errorf("%s %s: the kind is of %s", of, resource.Name, kind)
			}
			list.APIResources[at].Group, list.APIResources[at].Version = "", ""
		}
		slices.SortFunc(list.APIResources, func(a, b metav1.APIResource) int { return strings.Compare(a.Name, b.Name) })
		found[of.Group].Resources[of.Version] = list.APIResources
	}
	slices.Sort(listed)
	if !slices.Equal(groupVersions, listed) {
		return nil, fmt.Errorf("listed are %v, not %v", listed, groupVersions)
	}
	return found, nil
}

// checkDocuments reads every document in every encoding, and the aggregated one as older clusters do.
func checkDocuments(server, authority string, want map[string]group) error {
	scheme, err := types()
	if err != nil {
		return err
	}
	client, err := newClient(authority)
	if err != nil {
		return err
	}
	decoder := serializer.NewCodecFactory(scheme).UniversalDeserializer()
	paths := []string{"/apis", "/apis/custom.metrics.k8s.io", "/apis/external.metrics.k8s.io"}
	for _, version := range groupVersions {
		paths = append(paths, "/apis/"+version)
	}
	for _, path := range paths {
		read := map[string]runtime.Object{}
		for _, encoding := range []string{inJSON, inProtobuf, inYAML} {
			body, headers, err := get(client, server+path, encoding)
			if err != nil {
				return err
			}
			if got := headers.Get("Content-Type"); got != encoding {
				return fmt.Errorf("%s: asked for %s, got %s", path, encoding, got)
			}
			if encoding == inYAML {
				if body, err = yaml.YAMLToJSONStrict(body); err != nil {
					return fmt.Errorf("%s: %w", path, err)
				}
			}
			object, kind, err := decoder.Decode(body, nil, nil)
			if err != nil {
				return fmt.Errorf("%s as %s: %w", path, encoding, err)
			}
			object.GetObjectKind().SetGroupVersionKind(*kind)
			read[encoding] = object
		}
		for _, encoding := range []string{inProtobuf, inYAML} {
			if err := same(read[inJSON], read[encoding]); err != nil {
				return fmt.Errorf("%s in JSON and %s %w", path, encoding, err)
			}
		}
		fmt.Printf("%s: the same in all encodings\n", path)
	}

	older := inJSON + ";g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"
	body, _, err := get(client, server+"/apis", older)
	if err != nil {
		return err
	}
	var document v2beta1.APIGroupDiscoveryList
	strict := json.NewDecoder(bytes.NewReader(body))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&document); err != nil {
		return err
	}
	list, resources, failed := discovery.SplitGroupsAndResourcesV2Beta1(document)
	if len(failed) > 0 {
		return fmt.Errorf("v2beta1 discovery: %v", failed)
	}
	var groups []*metav1.APIGroup
	for at := range list.Groups {
		groups = append(groups, &list.Groups[at])
	}
	var lists []*metav1.APIResourceList
	for _, version := range groupVersions {
		parsed, err := schema.ParseGroupVersion(version)
		if err != nil {
			return err
		}
		lists = append(lists, resources[parsed])
	}
	got, err := assembled(groups, lists)
	if err != nil {
		return err
	}
	if err := same(want, got); err != nil {
		return fmt.Errorf("legacy and v2beta1 discovery %w", err)
	}
	return nil
}
