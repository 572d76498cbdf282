use super::*;

const CUSTOM: &str = "/apis/custom.metrics.k8s.io/v1beta2";
const EXTERNAL: &str = "/apis/external.metrics.k8s.io/v1beta1";

fn with<T>(method: &str, uri: &str, read: impl FnOnce(Question<'_>) -> T) -> T {
    let (method, uri): (_, Uri) = (method.parse().unwrap(), uri.parse().unwrap());
    read(Question::of(&method, &uri, &path::parse(uri.path())))
}

/// Verb, group, version, resource, subresource, name, namespace.
fn attributes(method: &str, uri: &str) -> [String; 7] {
    with(method, uri, |question| {
        let (Some(asked), None) = question.attributes() else { panic!("{uri} is a path") };
        let fields = [
            asked.verb,
            asked.group,
            asked.version,
            asked.resource,
            asked.subresource,
            asked.name,
            asked.namespace,
        ];
        assert!(asked.field_selector.is_none() && asked.label_selector.is_none());
        fields.map(Option::unwrap_or_default)
    })
}

#[test]
fn attributes_are_those_of_kubernetes_for_every_form() {
    const C: &str = "custom.metrics.k8s.io";
    const E: &str = "external.metrics.k8s.io";
    const M: &str = "miniclusters.flux-framework.org";
    let table = [
        (format!("{CUSTOM}/namespaces/ns/{M}/mc0/m"), ["get", C, "v1beta2", M, "m", "mc0", "ns"]),
        (
            format!("{CUSTOM}/namespaces/ns/pods/%2A/m?labelSelector=a%3Db"),
            ["get", C, "v1beta2", "pods", "m", "*", "ns"],
        ),
        (
            format!("{CUSTOM}/namespaces/ns/metrics/m"),
            ["get", C, "v1beta2", "metrics", "", "m", "ns"],
        ),
        (format!("{CUSTOM}/nodes/n1/m"), ["get", C, "v1beta2", "nodes", "m", "n1", ""]),
        (
            "/apis/custom.metrics.k8s.io/v1beta1/namespaces/ns/pods/p/m?watch=1".to_owned(),
            ["get", C, "v1beta1", "pods", "m", "p", "ns"],
        ),
        (
            format!("{EXTERNAL}/namespaces/ns/m?labelSelector=a%3Db"),
            ["list", E, "v1beta1", "m", "", "", "ns"],
        ),
        (format!("{EXTERNAL}/namespaces/ns/m?watch=1"), ["watch", E, "v1beta1", "m", "", "", "ns"]),
    ];
    for (uri, want) in table {
        assert_eq!(attributes("GET", &uri), want, "{uri}");
        assert_eq!(attributes("HEAD", &uri), want, "{uri}");
    }
}

#[test]
fn a_method_that_writes_needs_the_right_to_write() {
    for (method, of_object, of_external) in [
        ("POST", "create", "create"),
        ("PUT", "update", "update"),
        ("PATCH", "patch", "patch"),
        ("DELETE", "delete", "deletecollection"),
        ("OPTIONS", "options", "options"),
    ] {
        let verb = |uri: String| attributes(method, &uri)[0].clone();
        assert_eq!(verb(format!("{CUSTOM}/namespaces/ns/pods/p/m")), of_object);
        assert_eq!(verb(format!("{EXTERNAL}/namespaces/ns/m?watch=1")), of_external);
    }
}

#[test]
fn all_else_is_a_path() {
    for path in ["/", "/apis", CUSTOM, "/openapi/v2", "/metrics", "/readyz/pods", "/x", "//"] {
        with("GET", path, |question| {
            let (None, Some(asked)) = question.attributes() else { panic!("{path}") };
            assert_eq!(asked.path.as_deref(), Some(path));
            assert_eq!(asked.verb.as_deref(), Some("get"));
        });
    }
}

#[test]
fn only_probes_and_what_cannot_be_answered_are_for_anybody() {
    let anonymous = User::anonymous();
    let granted = |uri: &str| with("GET", uri, |asked| asked.is_granted_to(&anonymous, false));
    let too_long = format!("/{}", "x".repeat(path::MAX_PATH_BYTES));
    for uri in ["/healthz", "/livez", "/readyz", "/readyz?verbose", &too_long] {
        assert!(granted(uri), "{uri}");
    }
    let metric = format!("{CUSTOM}/namespaces/ns/pods/p/m");
    for uri in ["/readyz/pods", "/apis", "/", "/openapi/v2", "/version", "/healthzz", &metric] {
        assert!(!granted(uri), "{uri}");
    }
}

#[test]
fn what_there_is_to_ask_for_is_granted_to_whom_a_front_proxy_lets_through() {
    let user = User { name: "u".to_owned(), ..User::default() }.authenticated();
    let metric = format!("{CUSTOM}/namespaces/ns/pods/p/m");
    for uri in ["/apis", "/apis/custom.metrics.k8s.io", CUSTOM, EXTERNAL, "/openapi/v2"] {
        with("GET", uri, |asked| {
            assert!(asked.is_granted_to(&user, true), "{uri}");
            assert!(!asked.is_granted_to(&user, false), "{uri} of who comes directly");
            assert!(!asked.is_granted_to(&User::anonymous(), true), "{uri} of a stranger");
        });
        with("POST", uri, |asked| assert!(!asked.is_granted_to(&user, true), "{uri}"));
    }
    for uri in [&*metric, "/version", "/readyz/pods"] {
        with("GET", uri, |asked| assert!(!asked.is_granted_to(&user, true), "{uri}"));
    }
}

#[test]
fn the_group_of_masters_may_do_everything() {
    let groups = vec![MASTERS.to_owned()];
    let master = User { name: "admin".to_owned(), groups, ..User::default() };
    with("DELETE", &format!("{CUSTOM}/nodes/n/m"), |asked| {
        assert!(asked.is_granted_to(&master, false));
    });
}

#[test]
fn no_two_questions_and_no_two_users_have_one_name() {
    let user = |name: &str, groups: &[&str], extra: &[(&str, &[&str])]| User {
        name: name.to_owned(),
        uid: String::new(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        extra: extra
            .iter()
            .map(|(key, values)| {
                ((*key).to_owned(), values.iter().map(|v| (*v).to_owned()).collect())
            })
            .collect(),
    };
    let users = [
        user("a", &[], &[]),
        user("a", &["b"], &[]),
        user("ab", &[], &[]),
        user("a", &["b", "c"], &[]),
        user("a", &["bc"], &[]),
        user("a", &[], &[("b", &["c"])]),
        user("a", &[], &[("b", &["c", "d"])]),
        user("a", &[], &[("b", &[]), ("c", &[])]),
        User { uid: "b".to_owned(), ..user("a", &[], &[]) },
    ];
    let requests = [
        ("GET", format!("{CUSTOM}/namespaces/ns/pods/p/m")),
        ("PUT", format!("{CUSTOM}/namespaces/ns/pods/p/m")),
        ("GET", format!("{CUSTOM}/namespaces/ns/pods/%2A/m")),
        ("GET", format!("{CUSTOM}/namespaces/ns/pods/p/mm")),
        ("GET", format!("{CUSTOM}/namespaces/n/pods/sp/m")),
        ("GET", format!("{CUSTOM}/pods/p/m")),
        ("GET", format!("{CUSTOM}/namespaces/ns/metrics/m")),
        ("GET", format!("{EXTERNAL}/namespaces/ns/m")),
        ("GET", "/apis/custom.metrics.k8s.io/v1beta1/namespaces/ns/pods/p/m".to_owned()),
        ("GET", "/apis".to_owned()),
        ("GET", "/api".to_owned()),
    ];
    let users = users.map(Reader::from);
    let mut digests = std::collections::HashSet::new();
    for user in &users {
        for (method, uri) in &requests {
            let digest = with(method, uri, |question| question.digest(user));
            assert!(digests.insert(digest), "{user:?} {method} {uri}");
            assert_eq!(with(method, uri, |question| question.digest(user)), digest);
        }
    }
    // Selectors narrow what is seen, not who may see it.
    let all = format!("{CUSTOM}/namespaces/ns/pods/p/m?labelSelector=a");
    assert!(!digests.insert(with("GET", &all, |question| question.digest(&users[0]))));
}

#[test]
fn a_refusal_is_in_the_words_of_kubernetes() {
    let user = User { name: "u".to_owned(), ..User::default() };
    let text = |uri: &str, reason: &str| {
        let status = with("GET", uri, |asked| asked.forbidden(&user, reason));
        assert_eq!(status.reason().code(), 403);
        status.message().to_owned()
    };
    for (uri, want) in [
        (
            format!("{CUSTOM}/namespaces/ns/pods/*/m"),
            r#"pods.custom.metrics.k8s.io "*" is forbidden: User "u" cannot get resource "pods/m" in API group "custom.metrics.k8s.io" in the namespace "ns""#,
        ),
        (
            format!("{CUSTOM}/nodes/n1/m"),
            r#"nodes.custom.metrics.k8s.io "n1" is forbidden: User "u" cannot get resource "nodes/m" in API group "custom.metrics.k8s.io" at the cluster scope"#,
        ),
        (
            format!("{EXTERNAL}/namespaces/ns/m"),
            r#"m.external.metrics.k8s.io is forbidden: User "u" cannot list resource "m" in API group "external.metrics.k8s.io" in the namespace "ns""#,
        ),
        ("/metrics".to_owned(), r#"forbidden: User "u" cannot get path "/metrics""#),
    ] {
        assert_eq!(text(&uri, ""), want);
        assert_eq!(text(&uri, "no rule"), format!("{want}: no rule"));
    }
}

#[test]
fn a_refusal_holds_no_html() {
    let user = User { name: "<b>&".to_owned(), ..User::default() };
    let status = with("GET", "/x", |asked| asked.forbidden(&user, "<i>"));
    let want = r#"forbidden: User "&lt;b&gt;&amp;" cannot get path "/x": &lt;i&gt;"#;
    assert_eq!(status.message(), want);
}
