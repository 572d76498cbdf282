//! In which form an answer is written.

use std::io::Read as _;

use flate2::read::GzDecoder;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, USER_AGENT, VARY};

use super::*;

const JSON: &str = "application/json";
const YAML: &str = "application/yaml";
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

#[test]
fn every_document_is_written_in_the_form_that_a_client_reads() {
    let fixture = Fixture::new();
    let uris = [
        format!("{HPC}/services/mc0/node_up_count"),
        "/apis/external.metrics.k8s.io/v1beta1/namespaces/hpc/node_up_count".to_owned(),
        "/apis".to_owned(),
        "/apis/custom.metrics.k8s.io".to_owned(),
        "/apis/custom.metrics.k8s.io/v1beta1".to_owned(),
        "/apis/external.metrics.k8s.io/v1beta1".to_owned(),
        // Failures are documents too.
        format!("{HPC}/services/other/node_up_count"),
        format!("{HPC}/services/mc0/node_up_count?watch=true"),
        format!("{HPC}/pods"),
        "/unknown".to_owned(),
    ];
    let table = [
        // An autoscaler.
        ("application/vnd.kubernetes.protobuf, */*", PROTOBUF),
        ("application/json, */*", JSON),
        ("*/*", JSON),
        (YAML, YAML),
        ("application/json;q=0.5,application/yaml", YAML),
        ("application/cbor, application/json", JSON),
        ("application/cbor;q=1, application/vnd.kubernetes.protobuf;q=0.9, */*;q=0.1", PROTOBUF),
        // kubectl get.
        (
            "application/json;as=Table;v=v1;g=meta.k8s.io,\
             application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
            JSON,
        ),
    ];
    for uri in &uris {
        let json = fixture.get(uri);
        assert_eq!(json.headers[CONTENT_TYPE], JSON, "{uri}");
        assert_eq!(json.bytes.last(), Some(&b'\n'), "{uri}");
        for (accept, want) in table {
            let answer = fixture.get_as(uri, accept);
            assert_eq!(answer.headers[CONTENT_TYPE], want, "{uri} of {accept}");
            assert_eq!(answer.status, json.status);
            match want {
                PROTOBUF => {
                    assert!(answer.bytes.starts_with(b"k8s\0"));
                    // The envelope names the kind.
                    assert!(answer.body.contains(json.json()["kind"].as_str().expect("a kind")));
                }
                YAML => assert!(answer.body.starts_with("kind: ")),
                _ => assert_eq!(answer.body, json.body),
            }
        }
    }
}

#[test]
fn a_client_that_reads_none_of_the_forms_is_told_so_as_json() {
    let fixture = Fixture::new();
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
    for accept in ["text/html", "application/cbor", table] {
        for uri in [
            &format!("{HPC}/services/mc0/node_up_count"),
            "/apis/external.metrics.k8s.io/v1beta1/namespaces/hpc/node_up_count",
            "/apis",
            "/apis/custom.metrics.k8s.io/v1beta1",
        ] {
            let answer = fixture.get_as(uri, accept);
            assert_eq!(answer.status, 406, "{uri}");
            assert_eq!(answer.headers[CONTENT_TYPE], JSON);
            assert_eq!(answer.json()["reason"], "NotAcceptable");
            assert_eq!(
                answer.message(),
                "only the following media types are accepted: application/json, \
                 application/yaml, application/vnd.kubernetes.protobuf"
            );
        }
        // What went wrong matters more than in which form it is said.
        let missing = fixture.get_as(&format!("{HPC}/pods"), accept);
        assert_eq!((missing.status, missing.message().as_str()), (400, "invalid request path"));
    }
}

#[test]
fn an_autoscaler_gets_the_bytes_that_kubernetes_would_send() {
    let answer = Fixture::new().get_as(
        &format!("{HPC}/miniclusters.flux-framework.org/mc0/node_up_count"),
        "application/vnd.kubernetes.protobuf, */*",
    );
    let golden = "6b3873000a300a1d637573746f6d2e6d6574726963732e6b38732e696f2f7631626574613212\
                  0f4d657472696356616c75654c69737412660a060a0012001a00125c0a3a0a0b4d696e69436c75\
                  7374657212036870631a036d633022002a1b666c75782d6672616d65776f726b2e6f72672f7631\
                  616c7068613232003a00120f0a0d6e6f64655f75705f636f756e741a0808b09a92d80610002a03\
                  0a01331a002200";
    let hexadecimal: String = answer.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hexadecimal, golden);
}

#[test]
fn people_get_json_on_many_lines() {
    let fixture = Fixture::new();
    let uri = format!("{HPC}/services/mc0/node_up_count");
    let lines = |uri: &str, agent: &str| {
        let request = Request::get(uri).header(USER_AGENT, agent);
        fixture.answer(request, fixture.now).body.lines().count()
    };
    let (people, program) = ("curl/8.5.0", "kube-controller-manager/v1.36.0");
    assert!(lines(&uri, people) > 10);
    assert_eq!(lines(&uri, program), 1);
    assert!(lines(&format!("{uri}?pretty=true"), program) > 10);
    assert_eq!(lines(&format!("{uri}?pretty=false"), people), 1);
    assert!(lines("/apis", people) > 10, "discovery too");
    assert!(lines("/unknown", people) > 5, "failures too");
}

#[test]
fn a_large_answer_is_compressed_for_those_who_ask() {
    let fixture = Fixture::of(&[Fake { brokers: 1_000, ..Fake::default() }]);
    let large = format!("{HPC}/pods/*/broker_up");
    let get = |uri: &str, accepted: Option<&str>| {
        let mut request = Request::get(uri);
        if let Some(accepted) = accepted {
            request = request.header(ACCEPT_ENCODING, accepted);
        }
        fixture.answer(request, fixture.now)
    };
    let plain = get(&large, None);
    assert!(plain.bytes.len() > form::GZIP_THRESHOLD);
    assert_eq!(plain.headers[VARY], "Accept-Encoding");
    for accepted in ["gzip", "deflate, gzip;q=0.5", "*", "GZIP"] {
        let small = get(&large, Some(accepted));
        assert_eq!(small.headers[CONTENT_ENCODING], "gzip", "of {accepted}");
        assert_eq!(small.headers[VARY], "Accept-Encoding");
        let mut body = String::new();
        GzDecoder::new(&*small.bytes).read_to_string(&mut body).expect("gzip");
        assert_eq!(body, plain.body);
        assert!(small.bytes.len() * 4 < plain.bytes.len());
    }
    for accepted in [None, Some("identity"), Some("gzip;q=0"), Some("gzip;q=0, *"), Some("br")] {
        let answer = get(&large, accepted);
        assert!(!answer.headers.contains_key(CONTENT_ENCODING), "of {accepted:?}");
        assert_eq!(answer.bytes, plain.bytes);
    }
    let small = get(&format!("{HPC}/services/mc0/node_up_count"), Some("gzip"));
    assert!(!small.headers.contains_key(CONTENT_ENCODING));
}
