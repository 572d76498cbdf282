package conformance

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"k8s.io/kube-openapi/pkg/handler3"
)

const (
	protobufV2 = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
	protobufV3 = "application/com.github.proto-openapi.spec.v3.v1.0+protobuf"
)

// checkOpenAPI reads all documents of a server in both forms, as kube-apiserver and its clients do.
func checkOpenAPI(server, authority string) error {
	client, err := newClient(authority)
	if err != nil {
		return err
	}
	get := func(path, accept string) ([]byte, http.Header, error) {
		return get(client, server+path, accept)
	}
	check := func(path, protobuf string) (string, error) {
		text, headers, err := get(path, "application/json")
		if err != nil {
			return "", err
		}
		document, err := parse(text)
		if err != nil {
			return "", fmt.Errorf("%s: %w", path, err)
		}
		for _, spelling := range []string{protobuf, strings.Replace(protobuf, ".v1.0", "@v1.0", 1)} {
			wire, binary, err := get(path, spelling)
			if err != nil {
				return "", err
			}
			if binary.Get("Content-Type") != protobuf {
				return "", fmt.Errorf("%s: is of type %s", path, binary.Get("Content-Type"))
			}
			if err := document.check(wire); err != nil {
				return "", fmt.Errorf("%s: %w", path, err)
			}
			fmt.Printf("%s: %d bytes of JSON, %d of protobuf: agree\n", path, len(text), len(wire))
		}
		return headers.Get("Etag"), nil
	}

	if _, err := check("/openapi/v2", protobufV2); err != nil {
		return err
	}
	text, _, err := get("/openapi/v3", "")
	if err != nil {
		return err
	}
	var index handler3.OpenAPIV3Discovery
	if err := json.Unmarshal(text, &index); err != nil {
		return err
	}
	if len(index.Paths) == 0 {
		return fmt.Errorf("/openapi/v3 lists nothing")
	}
	for name, entry := range index.Paths {
		etag, err := check(entry.ServerRelativeURL, protobufV3)
		if err != nil {
			return err
		}
		relative, err := url.Parse(entry.ServerRelativeURL)
		if err != nil {
			return err
		}
		if relative.Path != "/openapi/v3/"+name {
			return fmt.Errorf("%s is said to be at %s", name, relative.Path)
		}
		if hash := relative.Query().Get("hash"); etag != `"`+hash+`"` {
			return fmt.Errorf("%s: hash %s, entity tag %s", name, hash, etag)
		}
	}
	return nil
}

func newClient(authority string) (*http.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if authority != "" {
		pem, err := os.ReadFile(authority)
		if err != nil {
			return nil, err
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: x509.NewCertPool()}
		if !transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s has no certificate", authority)
		}
	}
	refuse := func(request *http.Request, _ []*http.Request) error {
		return fmt.Errorf("redirected to %s, which kube-apiserver does not allow", request.URL)
	}
	return &http.Client{Transport: transport, CheckRedirect: refuse}, nil
}

func get(client *http.Client, url, accept string) ([]byte, http.Header, error) {
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return nil, nil, err
	}
	if accept != "" {
		request.Header.Set("Accept", accept)
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", url, response.Status, body)
	}
	return body, response.Header, err
}
