//! A reader without rights: it has a name in the cluster, and everything in namespace `lab`.

use system_tests::ca::ClientPair;

use super::*;

/// Paths below a namespace, with `NAME` for a name that there may be or not.
const OF_CUSTOM: [&str; 5] = [
    "miniclusters.flux-framework.org/NAME/node_up_count",
    "miniclusters.flux-framework.org/*/node_up_count",
    "services/NAME/node_up_count",
    "pods/*/broker_up",
    "metrics/node_up_count",
];

#[tokio::test]
async fn a_reader_without_rights_learns_nothing_of_a_namespace() {
    let Some(world) = World::start().await else { return };
    let mut bystander = world.bystander().await;
    let lead = world.pod("lab", "mc0", 0).await;
    let mut own = world.connect(hello("lab", "mc0", 0), &world.token(&lead).await).await.unwrap();
    own.report(&[("node_up_count", 7.0)]).await.unwrap();
    world.add_view_role().await;
    world.bind("carol", "fluxgauge-view", "lab").await;
    let kubeconfig = world.plane().user_kubeconfig("carol", None).unwrap();
    let by = format!("--kubeconfig={}", kubeconfig.display());
    let raw = async |path: &str| {
        let read = world.plane().kubectl(&["get", "--raw", path, &by]).await;
        read.map_err(|error| error.to_string())
    };
    let own = metric("lab", "miniclusters.flux-framework.org/mc0");
    eventually("what is its own is read", async || raw(&own).await).await;

    let pair = ClientPair::of_kubeconfig(&kubeconfig);
    let direct = world.gateway().client().from(ELSEWHERE).with_certificate(&world.0.ca, &pair);
    let mut paths = Vec::new();
    for version in ["v1beta1", "v1beta2"] {
        let base = format!("/apis/custom.metrics.k8s.io/{version}/namespaces/hpc");
        paths.extend(OF_CUSTOM.map(|path| format!("{base}/{path}")));
    }
    let base = "/apis/external.metrics.k8s.io/v1beta1/namespaces/hpc";
    paths.push(format!("{base}/node_up_count"));
    bystander
        .beside(async {
            for path in &paths {
                // Those who may not learn no more of what there is than of what there is not.
                let told = [("hpc", "mc0"), ("nowhere", "mc9")].map(|(namespace, name)| {
                    (
                        path.replace("/hpc/", &format!("/{namespace}/")).replace("NAME", name),
                        namespace,
                        name,
                    )
                });
                let mut said = Vec::new();
                for (path, namespace, name) in &told {
                    let refusal = direct.get(path).await.refusal(403);
                    assert!(refusal.contains("User \"carol\" cannot"), "{path}: {refusal}");
                    said.push(refusal.replace(namespace, "NAMESPACE").replace(name, "NAME"));
                    let refusal = raw(path).await.expect_err(path);
                    assert!(refusal.to_lowercase().contains("forbidden"), "{path}: {refusal}");
                }
                assert_eq!(said[0], said[1], "{path}");
            }
        })
        .await;

    // It is ready once every collector has had the time to report.
    eventually("the gateway is ready", async || {
        let answer = direct.get("/readyz?verbose").await;
        if answer.status == 200 { Ok(()) } else { Err(answer.body) }
    })
    .await;
    // What everybody may read names no object.
    for path in [
        "/apis/custom.metrics.k8s.io/v1beta2",
        "/apis/external.metrics.k8s.io/v1beta1",
        "/openapi/v2",
        "/readyz?verbose",
        "/livez?verbose",
    ] {
        let answer = direct.get(path).await;
        let text = String::from_utf8_lossy(&answer.body);
        assert!(matches!(answer.status, 200 | 403), "{path}: {text}");
        for name in ["mc0", "hpc"] {
            assert!(!text.contains(name), "{path} names {name}");
        }
    }
}
