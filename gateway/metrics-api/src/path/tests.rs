use proptest::prelude::*;

use super::*;

const PREFIX: &str = "/apis/custom.metrics.k8s.io";

fn metric(rest: &str) -> Metric<'static> {
    let path = format!("{PREFIX}{rest}").leak();
    match parse(path) {
        Ok(Target::Metric(metric)) => metric,
        other => panic!("{path}: {other:?}"),
    }
}

fn object(resource: &'static str, name: &'static str) -> Object<'static> {
    named(resource.into(), name.into())
}

#[test]
fn all_five_forms_are_read_in_both_versions() {
    for (text, version) in [("v1beta1", Version::V1Beta1), ("v1beta2", Version::V1Beta2)] {
        let table = [
            ("namespaces/hpc/jobs.batch/mc0/m", Some("hpc"), object("jobs.batch", "mc0")),
            ("namespaces/hpc/pods/*/m", Some("hpc"), object("pods", "*")),
            ("namespaces/hpc/metrics/m", Some("hpc"), Object::Namespace),
            ("nodes/n1/m", None, object("nodes", "n1")),
            ("nodes/*/m", None, object("nodes", "*")),
        ];
        for (path, namespace, object) in table {
            let want = Metric {
                version,
                namespace: namespace.map(Cow::Borrowed),
                object,
                metric: "m".into(),
            };
            assert_eq!(metric(&format!("/{text}/{path}")), want, "of {path}");
        }
    }
}

#[test]
fn an_escaped_asterisk_means_all() {
    let (plain, escaped) = ("/v1beta2/namespaces/a/pods/*/m", "/v1beta2/namespaces/a/pods/%2A/m");
    assert_eq!(metric(plain), metric(escaped));
    assert_eq!(metric(escaped).object, Object::Named(Resource("pods".into()), Name::All));
}

#[test]
fn odd_names_of_metrics_are_kept() {
    for (path, want) in [("UPPER", "UPPER"), ("a%3Ab%40c", "a:b@c"), ("%2A", "*"), ("a+b", "a+b")] {
        assert_eq!(metric(&format!("/v1beta1/namespaces/a/metrics/{path}")).metric, want);
    }
}

#[test]
fn a_resource_is_split_at_its_first_dot() {
    for (text, want) in [
        ("pods", ("pods", "")),
        ("jobs.batch", ("jobs", "batch")),
        ("miniclusters.flux-framework.org", ("miniclusters", "flux-framework.org")),
    ] {
        assert_eq!(Resource(text.into()).split(), want);
    }
}

#[test]
fn discovery_and_health_are_read() {
    let table = [
        ("/", Target::Root),
        ("/version", Target::Version),
        ("/apis", Target::Groups),
        ("/openapi/v2", Target::OpenApiV2),
        ("/openapi/v3", Target::OpenApiV3),
        ("/metrics", Target::Metrics),
        ("/metrics/", Target::Metrics),
        ("/apis/custom.metrics.k8s.io", Target::Group(Group::Custom)),
        ("/apis/external.metrics.k8s.io", Target::Group(Group::External)),
        ("/healthz", Target::Health(Endpoint::Healthz, None)),
        ("/livez", Target::Health(Endpoint::Livez, None)),
        ("/readyz/tls", Target::Health(Endpoint::Readyz, Some("tls".into()))),
    ];
    for (path, want) in table {
        assert_eq!(parse(path), Ok(want), "of {path}");
    }
    for known in GroupVersion::all() {
        let name = known.name();
        assert_eq!(parse(&format!("/apis/{name}")), Ok(Target::Resources(known)));
        let document = Target::OpenApiV3Document(known);
        assert_eq!(parse(&format!("/openapi/v3/apis/{name}")), Ok(document));
    }
}

#[test]
fn an_external_metric_has_a_namespace_and_a_name() {
    let prefix = "/apis/external.metrics.k8s.io/v1beta1";
    let parsed = |rest: &str| {
        let path: &str = format!("{prefix}{rest}").leak();
        parse(path)
    };
    let want = External { namespace: "hpc".into(), metric: "node_up_count".into() };
    assert_eq!(parsed("/namespaces/hpc/node_up_count"), Ok(Target::External(want)));
    for rest in [
        "/node_up_count",
        "/namespaces",
        "/namespaces/hpc",
        "/namespaces/hpc/node_up_count/mc0",
        "/nodes/n1/node_up_count",
    ] {
        assert_eq!(parsed(rest), Err(PathError::Unknown), "of {rest}");
    }
    assert_eq!(parsed("/namespaces/hpc/a%2Fb"), Err(PathError::Invalid));
    let unknown = parse("/apis/external.metrics.k8s.io/v1beta2/namespaces/hpc/m");
    assert_eq!(unknown, Err(PathError::Unknown));
}

#[test]
fn names_of_parts_of_a_namespace_are_no_metrics() {
    for metric in ["status", "finalize", "%73tatus"] {
        for path in [
            format!("/apis/external.metrics.k8s.io/v1beta1/namespaces/hpc/{metric}"),
            format!("{PREFIX}/v1beta2/namespaces/hpc/metrics/{metric}"),
            format!("{PREFIX}/v1beta1/namespaces/hpc/pods/p0/{metric}"),
            format!("{PREFIX}/v1beta1/nodes/n1/{metric}"),
        ] {
            assert_eq!(parse(&path), Err(PathError::Unknown), "of {path}");
        }
    }
}

#[test]
fn what_names_nothing_is_refused() {
    use PathError::{Invalid, Unknown};
    let table = [
        ("/v1beta2/namespaces/hpc/x", Invalid),
        ("/v1beta2/namespaces/hpc/metrics", Invalid),
        ("/v1beta2/namespaces/hpc", Unknown),
        ("/v1beta2/namespaces", Unknown),
        ("/v1beta2/namespaces/hpc/pods/p0", Unknown),
        ("/v1beta2/namespaces/hpc/pods/p0/m/more", Unknown),
        ("/v1beta2/nodes/n1", Unknown),
        ("/v1beta2/nodes/n1/m/more", Unknown),
        ("/v1beta3", Unknown),
        ("/v1beta2/namespaces/a%2Fb/pods/p/m", Invalid),
        ("/v1beta2/namespaces/%2e%2E/pods/p/m", Invalid),
        ("/v1beta2/namespaces/./pods/p/m", Invalid),
        ("/v1beta2/namespaces//pods/p/m", Invalid),
        ("/v1beta2/namespaces/a/pods/p/m//", Invalid),
        ("/v1beta2/namespaces/a/pods/p/%", Invalid),
        ("/v1beta2/namespaces/a/pods/p/%zz", Invalid),
        ("/v1beta2/namespaces/a/pods/p/%ff", Invalid),
        ("/v1beta2/namespaces/a/pods/p/%00", Invalid),
    ];
    for (rest, want) in table {
        assert_eq!(parse(&format!("{PREFIX}{rest}")), Err(want), "of {rest}");
    }
    for path in [
        "/metrics/a",
        "/version/a",
        "/apis/apps",
        "/readyz/a/b",
        "/openapi",
        "/openapi/v1",
        "/openapi/v2/a",
        "/openapi/v3/apis",
        "/openapi/v3/apis/custom.metrics.k8s.io",
        "/openapi/v3/apis/custom.metrics.k8s.io/v1",
        "/openapi/v3/apis/custom.metrics.k8s.io/v1beta2/a",
    ] {
        assert_eq!(parse(path), Err(Unknown), "of {path}");
    }
    for path in ["", "*", "apis"] {
        assert_eq!(parse(path), Err(Invalid), "of {path:?}");
    }
}

#[test]
fn a_path_over_the_bound_is_refused() {
    let path = format!("/{}", "a".repeat(MAX_PATH_BYTES));
    assert_eq!(parse(&path), Err(PathError::TooLong(MAX_PATH_BYTES + 1)));
}

proptest! {
    #[test]
    fn no_path_panics(path in ".{0,80}", rest in "(/[a-z%2fFA*.]{0,6}){0,7}") {
        drop(parse(&path));
        drop(parse(&format!("{PREFIX}/v1beta2{rest}")));
    }

    #[test]
    fn no_segment_ever_holds_a_slash(rest in r"(/([ab*]|\.|%2[fFeE]){1,3}){4}") {
        if let Ok(Target::Metric(asked)) = parse(&format!("{PREFIX}/v1beta2/namespaces{rest}")) {
            let Object::Named(resource, name) = &asked.object else { panic!("{asked:?}") };
            let name = match name {
                Name::Exact(name) => name,
                Name::All => "*",
            };
            let namespace = asked.namespace.as_deref().unwrap();
            for segment in [namespace, resource.as_str(), name, &asked.metric] {
                prop_assert!(!segment.contains('/'), "{:?}", asked);
                prop_assert!(segment != "." && segment != "..", "{:?}", asked);
            }
        }
    }
}

#[test]
fn one_slash_at_the_end_changes_nothing() {
    for path in [
        "/apis",
        "/apis/custom.metrics.k8s.io",
        "/apis/custom.metrics.k8s.io/v1beta2",
        "/apis/custom.metrics.k8s.io/v1beta2/namespaces/a/pods/p/m",
        "/apis/external.metrics.k8s.io/v1beta1/namespaces/a/m",
        "/openapi/v3",
    ] {
        assert_eq!(parse(&format!("{path}/")), parse(path));
        assert!(parse(path).is_ok(), "{path}");
        assert_eq!(parse(&format!("{path}//")), Err(PathError::Invalid), "{path}");
    }
    assert_eq!(parse("//"), Err(PathError::Invalid));
}
