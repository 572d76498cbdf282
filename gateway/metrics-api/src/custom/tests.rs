use super::*;
use crate::Encoding;

const NOTHING: ObjectReference<'_> =
    ObjectReference { kind: "", namespace: "", name: "", uid: "", api_version: "" };

/// One value in a list.
fn encoded(
    encoding: Encoding,
    version: Version,
    selector: &str,
    window_seconds: Option<u32>,
) -> Vec<u8> {
    let selector = Selector::parse(selector).unwrap();
    let item = MetricValue {
        object: ObjectReference {
            kind: "MiniCluster",
            namespace: "hpc",
            name: "mc0",
            uid: "",
            api_version: "flux-framework.org/v1alpha2",
        },
        metric: "flux_queue_depth",
        selector: &selector,
        timestamp: "2026-11-23T19:00:00.999Z".parse().unwrap(),
        window_seconds,
        value: Quantity::try_from(1.5).unwrap(),
    };
    encoding.encode(&List { version, items: &[item] })
}

fn body(version: Version, selector: &str, window_seconds: Option<u32>) -> String {
    String::from_utf8(encoded(Encoding::Json, version, selector, window_seconds)).unwrap()
}

#[test]
fn v1beta2_is_written_as_kubernetes_writes_it() {
    assert_eq!(body(Version::V1Beta2, "", Some(30)), include_str!("../../testdata/v1beta2.json"));
}

#[test]
fn v1beta1_is_written_as_kubernetes_writes_it() {
    assert_eq!(body(Version::V1Beta1, "", Some(30)), include_str!("../../testdata/v1beta1.json"));
}

/// Equalities, one of them twice, and every operator that a `LabelSelector` has.
const SELECTOR: &str = "a=1,queue=batch,a=2,b!=3,c in (x,y),!d,e";

#[test]
fn a_selector_is_written_as_kubernetes_writes_it() {
    let v1beta1 = include_str!("../../testdata/v1beta1-selector.json");
    assert_eq!(body(Version::V1Beta1, SELECTOR, None), v1beta1);
    let v1beta2 = include_str!("../../testdata/v1beta2-selector.json");
    assert_eq!(body(Version::V1Beta2, SELECTOR, None), v1beta2);
}

#[test]
fn protobuf_has_the_bytes_of_kubernetes() {
    use Version::{V1Beta1, V1Beta2};
    let table: [(_, _, _, &[u8]); 4] = [
        (V1Beta1, "", Some(30), include_bytes!("../../testdata/v1beta1.pb")),
        (V1Beta2, "", Some(30), include_bytes!("../../testdata/v1beta2.pb")),
        (V1Beta1, SELECTOR, None, include_bytes!("../../testdata/v1beta1-selector.pb")),
        (V1Beta2, SELECTOR, None, include_bytes!("../../testdata/v1beta2-selector.pb")),
    ];
    for (version, selector, window, golden) in table {
        let body = encoded(Encoding::Protobuf, version, selector, window);
        assert_eq!(body, golden, "{version:?} with {selector:?}");
    }
}

#[test]
fn a_list_of_nothing_is_a_list() {
    let empty = List { version: Version::V1Beta2, items: &[] };
    assert_eq!(Encoding::Json.encode(&empty), include_bytes!("../../testdata/v1beta2-empty.json"));
    assert_eq!(
        Encoding::Protobuf.encode(&empty),
        include_bytes!("../../testdata/v1beta2-empty.pb")
    );
}

#[test]
fn yaml_keeps_texts_that_look_like_something_else() {
    let body = String::from_utf8(encoded(Encoding::Yaml, Version::V1Beta2, "", None)).unwrap();
    assert_eq!(
        body,
        "kind: MetricValueList
apiVersion: custom.metrics.k8s.io/v1beta2
metadata: {}
items:
- describedObject:
    kind: MiniCluster
    namespace: hpc
    name: mc0
    apiVersion: flux-framework.org/v1alpha2
  metric:
    name: flux_queue_depth
    selector: null
  timestamp: \"2026-11-23T19:00:00Z\"
  value: 1500m
"
    );
}

#[test]
fn json_for_people_is_indented_by_two_spaces() {
    let empty = List { version: Version::V1Beta1, items: &[] };
    assert_eq!(
        String::from_utf8(Encoding::PrettyJson.encode(&empty)).unwrap(),
        "{
  \"kind\": \"MetricValueList\",
  \"apiVersion\": \"custom.metrics.k8s.io/v1beta1\",
  \"metadata\": {},
  \"items\": []
}
"
    );
}

#[test]
fn a_value_of_one_moment_has_no_window() {
    for version in Version::ALL {
        assert!(!body(version, "", None).contains("indow"), "{}", body(version, "", None));
    }
}

#[test]
fn the_selector_is_echoed_as_a_label_selector() {
    let echoed = r#""selector":{"matchLabels":{"queue":"batch"}}"#;
    for version in Version::ALL {
        let body = body(version, "queue=batch", None);
        assert!(body.contains(echoed), "{body}");
    }
}

#[test]
fn empty_texts_of_an_object_are_left_out() {
    let namespace = ObjectReference { kind: "Namespace", name: "hpc", ..NOTHING };
    let object = ObjectReference { api_version: "v1", ..namespace };
    let text = serde_json::to_string(&object).unwrap();
    assert_eq!(text, r#"{"kind":"Namespace","name":"hpc","apiVersion":"v1"}"#);
}

#[test]
fn a_pod_has_its_uid_where_kubernetes_writes_it() {
    let pod = ObjectReference { kind: "Pod", name: "mc0-0-abcde", ..NOTHING };
    let object = ObjectReference { uid: "1bf3", api_version: "v1", ..pod };
    let text = serde_json::to_string(&object).unwrap();
    let want = r#"{"kind":"Pod","name":"mc0-0-abcde","uid":"1bf3","apiVersion":"v1"}"#;
    assert_eq!(text, want);
}

#[test]
fn names_are_escaped() {
    let selector = Selector::default();
    let item = MetricValue {
        object: ObjectReference { name: "a\"\n", ..NOTHING },
        metric: "\\",
        selector: &selector,
        timestamp: Timestamp::UNIX_EPOCH,
        window_seconds: None,
        value: Quantity::try_from(0.0).unwrap(),
    };
    let body = Encoding::Json.encode(&List { version: Version::V1Beta2, items: &[item] });
    let read: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(read["items"][0]["describedObject"]["name"], "a\"\n");
    assert_eq!(read["items"][0]["metric"]["name"], "\\");
    assert_eq!(read["items"][0]["timestamp"], "1970-01-01T00:00:00Z");
}

proptest::proptest! {
    /// What is written by hand is what serde writes.
    #[test]
    fn json_is_that_of_serde(
        texts in proptest::collection::vec(".{0,12}|[a-z\"\\\\/\u{1}<>&]{0,12}", 6..=6),
        selector in proptest::sample::select(vec!["", SELECTOR, "queue=a"]),
        window in proptest::option::of(0_u32..1000),
        value in -1e6..1e6_f64,
        items in 0_usize..4,
    ) {
        let selector = Selector::parse(selector).unwrap();
        let [kind, namespace, name, uid, api_version, metric] =
            [0, 1, 2, 3, 4, 5].map(|nth| texts[nth].as_str());
        let item = MetricValue {
            object: ObjectReference { kind, namespace, name, uid, api_version },
            metric,
            selector: &selector,
            timestamp: Timestamp::from_second(1_700_000_000).unwrap(),
            window_seconds: window,
            value: Quantity::try_from(value).unwrap(),
        };
        for version in Version::ALL {
            let list = List { version, items: &vec![item; items] };
            let mut by_hand = Vec::new();
            list.write_json(&mut by_hand).unwrap();
            let by_serde = serde_json::to_string(&list).unwrap();
            proptest::prop_assert_eq!(String::from_utf8(by_hand).unwrap(), by_serde);
        }
    }
}
