//! What a gateway may do in a cluster is what it does there, no more and no less, and where it may not
//! its log says so.
//!
//! The rights are read from `deploy/`, and from the roles of Kubernetes that it binds.

use std::collections::BTreeSet;

use system_tests::{Client, TestCa, eventually, is};

mod binding;
mod cluster;
mod uses;

use cluster::{Cluster, USER};
use uses::{ALICE, PROXY, USES, Use, may};

/// Each right of the manifests, what does not work without it, and what the log says then beside the
/// API server's words. `None`: Kubernetes' own role has it, and no gateway uses it.
const RIGHTS: [(&str, &[Use], Option<&str>); 8] = [
    ("list pods", &[Use::Pods, Use::Collector], Some(OF_PODS)),
    ("watch pods", &[], Some(OF_PODS)),
    (
        "create tokenreviews.authentication.k8s.io",
        &[Use::Token, Use::Collector],
        // One line of readers, and one of collectors.
        Some("cannot ask whose tokens are, so that no"),
    ),
    (
        "get jobs.batch",
        &[Use::Collector],
        Some("cannot get Jobs, by which it is known of which MiniCluster a pod is that reports: "),
    ),
    (
        "create subjectaccessreviews.authorization.k8s.io",
        &[Use::Proxy, Use::Token],
        Some("cannot ask what those who read may, so that nobody may: "),
    ),
    ("list configmaps of kube-system", &[Use::Proxy, Use::Certificate], Some(OF_TRUST)),
    ("watch configmaps of kube-system", &[], Some(OF_TRUST)),
    ("get configmaps of kube-system", &[], None),
];

const OF_PODS: &str =
    "cannot watch pods, by which metrics of pods and sums over a namespace are found: ";
const OF_TRUST: &str = "cannot watch ConfigMap kube-system/extension-apiserver-authentication, by \
                        which it is known whose certificates to believe: ";

/// Attempts after which a line that comes with each would have come again.
const ATTEMPTS: usize = 3;

#[tokio::test]
async fn a_gateway_does_all_that_it_may_and_nothing_else() {
    let Some(cluster) = Cluster::start().await else { return };
    let gateway = cluster.gateway().await;
    for one in USES {
        eventually(&format!("{one:?} works"), async || cluster.works(&gateway, one).await).await;
    }
    cluster.add_pod("mc1").await;
    eventually("a new pod is seen", async || cluster.sees_pod(&gateway, "mc1").await).await;
    let next = TestCa::new();
    cluster.trust(&next).await;
    let proxy = Client::new(&cluster.ca, gateway.api);
    let proxy = proxy.with_certificate(&cluster.ca, &next.client(PROXY));
    let alice = [("x-remote-user", ALICE)];
    eventually("another authority is believed", async || may(&proxy, &alice).await).await;

    let unused: Vec<_> = RIGHTS.iter().filter(|(_, _, line)| line.is_none()).collect();
    let is_used = |right: &&str| !unused.iter().any(|(unused, ..)| unused == right);
    let given = cluster.rights().map(|(_, right)| right).filter(is_used);
    let given: BTreeSet<_> = given.map(str::to_owned).collect();
    eventually("what it has done is all that it may", async || {
        let done: BTreeSet<_> = cluster.requests().into_iter().map(|(right, _)| right).collect();
        if done == given { Ok(()) } else { Err(done) }
    })
    .await;
    let refused = cluster.requests().into_iter().filter(|(_, code)| *code == 403);
    assert_eq!(refused.collect::<Vec<_>>(), []);
    assert_eq!(gateway.errors(), [""; 0]);
}

#[tokio::test]
async fn without_any_one_right_a_line_says_which_and_all_else_works() {
    let Some(cluster) = Cluster::start().await else { return };
    for (binding, right) in cluster.rights() {
        let (_, fails, line) =
            *RIGHTS.iter().find(|(known, ..)| *known == right).unwrap_or_else(|| {
                panic!("say what does not work without the right to {right}, which deploy/ gives")
            });
        cluster.take(binding, right).await;
        let gateway = cluster.gateway().await;
        let works = USES.into_iter().filter(|one| !fails.contains(one));
        for one in works {
            let what = format!("{one:?} works without the right to {right}");
            eventually(&what, async || cluster.works(&gateway, one).await).await;
        }
        if let Some(line) = line {
            let before = cluster.refused(right);
            eventually(&format!("the right to {right} is missed again and again"), async || {
                for one in fails {
                    let works = cluster.works(&gateway, *one).await;
                    assert!(works.is_err(), "{one:?} works without the right to {right}");
                }
                is(cluster.refused(right) >= before + ATTEMPTS)
            })
            .await;
            let errors = gateway.errors();
            let different: BTreeSet<_> = errors.iter().collect();
            assert!(!errors.is_empty(), "of {right}");
            assert_eq!(different.len(), errors.len(), "of {right}: {errors:#?}");
            let (verb, resource) = right.split_once(' ').unwrap();
            let resource = resource.split(['.', ' ']).next().unwrap();
            let words = format!("User \"{USER}\" cannot {verb} resource \"{resource}\"");
            for error in &errors {
                assert!(error.starts_with(line), "of {right}: {error}");
                assert!(error.contains(&words), "of {right}: {error}");
            }
        } else {
            assert_eq!(gateway.errors(), [""; 0], "of {right}");
        }
        cluster.give(binding, right).await;
    }
    let given: BTreeSet<_> = cluster.rights().map(|(_, right)| right).collect();
    let known: BTreeSet<_> = RIGHTS.iter().map(|(right, ..)| *right).collect();
    assert_eq!(given, known);
}
