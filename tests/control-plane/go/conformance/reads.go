package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/metrics/pkg/apis/custom_metrics/v1beta1"
	"k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	"k8s.io/metrics/pkg/client/custom_metrics"
	"k8s.io/metrics/pkg/client/external_metrics"
	"sigs.k8s.io/yaml"
)

// read is a line on standard input: what to ask for.
type read struct {
	// Of custom metrics the kind and group of objects: Pod, MiniCluster.flux-framework.org; none asks for
	// an external metric.
	Kind string
	// None asks for what is in no namespace.
	Namespace string
	// None asks for all objects that Selector selects.
	Name, Metric   string
	Selector       string
	MetricSelector string
}

// answer is a line on standard output: items, or why there are none.
type answer struct {
	Items any            `json:"items,omitempty"`
	Error *metav1.Status `json:"error,omitempty"`
	// An error that is the client's own, such as that of a list that should have one item.
	ClientError string `json:"clientError,omitempty"`
}

// answerReads asks for each line in every version and encoding. They all must say the same.
func answerReads(kubeconfig string, in io.Reader, out io.Writer) error {
	clients, err := newClients(kubeconfig)
	if err != nil {
		return err
	}
	lines, answers := json.NewDecoder(in), json.NewEncoder(out)
	lines.DisallowUnknownFields()
	for {
		var read read
		if err := lines.Decode(&read); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		answer, err := clients.ask(&read)
		if err != nil {
			return fmt.Errorf("%+v: %w", read, err)
		}
		if err := answers.Encode(answer); err != nil {
			return err
		}
	}
}

// clients are those that read one encoding each.
type clients map[string]*client

// client reads metrics in one encoding.
type client struct {
	last     exchange
	custom   map[string]custom_metrics.CustomMetricsClient
	external external_metrics.ExternalMetricsClient
}

// exchange keeps what a server sent last.
type exchange struct {
	contentType string
	body        []byte
}

func newClients(kubeconfig string) (clients, error) {
	base, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	base.QPS = -1
	finder, err := discovery.NewDiscoveryClientForConfig(base)
	if err != nil {
		return nil, err
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(finder))
	available := custom_metrics.NewAvailableAPIsGetter(finder)
	preferred, err := available.PreferredVersion()
	if err != nil {
		return nil, err
	}
	if preferred != v1beta2.SchemeGroupVersion {
		return nil, fmt.Errorf("an autoscaler prefers %s", preferred)
	}
	clients := clients{}
	for _, encoding := range []string{inJSON, inProtobuf, inYAML} {
		if clients[encoding], err = newReader(base, encoding, mapper, available); err != nil {
			return nil, err
		}
	}
	return clients, nil
}

func newReader(
	base *rest.Config, encoding string, mapper meta.RESTMapper, available custom_metrics.AvailableAPIsGetter,
) (*client, error) {
	client := &client{custom: map[string]custom_metrics.CustomMetricsClient{}}
	config := rest.CopyConfig(base)
	if encoding == inProtobuf {
		// As kube-controller-manager has it: Accept then ends in */*.
		config.ContentType = inProtobuf
	} else {
		config.AcceptContentTypes = encoding
	}
	config.Wrap(func(transport http.RoundTripper) http.RoundTripper {
		return recorder{transport, &client.last}
	})
	client.custom["preferred"] = custom_metrics.NewForConfig(config, mapper, available)
	var err error
	for _, version := range []schema.GroupVersion{v1beta1.SchemeGroupVersion, v1beta2.SchemeGroupVersion} {
		client.custom[version.Version], err = custom_metrics.NewForVersionForConfig(config, mapper, version)
		if err != nil {
			return nil, err
		}
	}
	client.external, err = external_metrics.NewForConfig(config)
	return client, err
}

// ask asks in every version and encoding.
func (clients clients) ask(read *read) (*answer, error) {
	// By version, what JSON says: the answer, and the bytes.
	answers, bodies := map[string]*answer{}, map[string]json.RawMessage{}
	for _, encoding := range []string{inJSON, inProtobuf, inYAML} {
		client := clients[encoding]
		versions := []string{"preferred", "v1beta1", "v1beta2"}
		if read.Kind == "" {
			versions = []string{"external"}
		}
		for _, version := range versions {
			got, err := client.ask(version, read)
			if err != nil {
				return nil, err
			}
			if client.last.contentType != encoding {
				return nil, fmt.Errorf("asked for %s, got %s", encoding, client.last.contentType)
			}
			want, known := answers[versions[0]]
			if !known {
				want = got
			}
			if err := same(want, got); err != nil {
				return nil, fmt.Errorf("the answer in JSON and that of %s as %s %w", version, encoding, err)
			}
			if encoding == inJSON {
				answers[version] = got
				bodies[version] = json.RawMessage(client.last.body)
			}
			if encoding == inYAML {
				body, err := yaml.YAMLToJSONStrict(client.last.body)
				if err != nil {
					return nil, err
				}
				if err := same(bodies[version], json.RawMessage(body)); err != nil {
					return nil, fmt.Errorf("JSON and YAML of %s %w", version, err)
				}
			}
		}
		if read.Kind == "" {
			answers["preferred"] = answers["external"]
		}
	}
	return answers["preferred"], nil
}

// ask asks in one version.
func (client *client) ask(version string, read *read) (*answer, error) {
	selector, err := labels.Parse(read.Selector)
	if err != nil {
		return nil, err
	}
	metricSelector, err := labels.Parse(read.MetricSelector)
	if err != nil {
		return nil, err
	}
	var items any
	if read.Kind == "" {
		list, failure := client.external.NamespacedMetrics(read.Namespace).List(read.Metric, metricSelector)
		if err = failure; err == nil {
			items = list.Items
		}
	} else {
		kind := schema.ParseGroupKind(read.Kind)
		var metrics custom_metrics.MetricsInterface = client.custom[version].RootScopedMetrics()
		if read.Namespace != "" {
			metrics = client.custom[version].NamespacedMetrics(read.Namespace)
		}
		if read.Name == "" {
			list, failure := metrics.GetForObjects(kind, selector, read.Metric, metricSelector)
			if err = failure; err == nil {
				items = list.Items
			}
		} else {
			item, failure := metrics.GetForObject(kind, read.Name, read.Metric, metricSelector)
			if err = failure; err == nil {
				items = []v1beta2.MetricValue{*item}
			}
		}
	}
	var status apierrors.APIStatus
	switch {
	case err == nil:
		return &answer{Items: items}, nil
	case errors.As(err, &status):
		failure := status.Status()
		return &answer{Error: &failure}, nil
	default:
		return &answer{ClientError: err.Error()}, nil
	}
}

// recorder keeps the last answer.
type recorder struct {
	transport http.RoundTripper
	last      *exchange
}

func (recorder recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := recorder.transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	response.Body.Close()
	*recorder.last = exchange{response.Header.Get("Content-Type"), body}
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, err
}
