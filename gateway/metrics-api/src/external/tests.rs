use super::*;
use crate::Encoding;

fn value<'a>(labels: &[(&'a str, &'a str)], window: Option<u32>, value: f64) -> MetricValue<'a> {
    MetricValue {
        metric: "flux_queue_depth",
        labels: labels.iter().copied().collect(),
        timestamp: "2026-11-23T19:00:00Z".parse().unwrap(),
        window_seconds: window,
        value: Quantity::try_from(value).unwrap(),
    }
}

#[test]
fn a_list_is_written_as_kubernetes_writes_it() {
    let one = [value(&[("cluster", "mc0")], Some(30), 1.5)];
    let two =
        [value(&[("queue", "batch"), ("minicluster", "mc0")], None, 0.0), value(&[], None, 12e3)];
    let table: [(&[MetricValue<'_>], &[u8], &[u8]); 2] = [
        (
            &one,
            include_bytes!("../../testdata/external.json"),
            include_bytes!("../../testdata/external.pb"),
        ),
        (
            &two,
            include_bytes!("../../testdata/external-queue.json"),
            include_bytes!("../../testdata/external-queue.pb"),
        ),
    ];
    for (items, json, protobuf) in table {
        assert_eq!(Encoding::Json.encode(&List { items }), json);
        assert_eq!(Encoding::Protobuf.encode(&List { items }), protobuf);
    }
}
