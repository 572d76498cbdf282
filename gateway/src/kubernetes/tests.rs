use std::fs;

use tempfile::TempDir;

use super::*;

const KUBECONFIG: &str = "
apiVersion: v1
kind: Config
current-context: here
contexts: [{name: here, context: {cluster: here, user: me}}]
clusters: [{name: here, cluster: {server: 'http://127.0.0.1:1'}}]
users: [{name: me, user: {}}]
";

async fn with_file(text: &str) -> Result<Option<Kubernetes>, String> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("kubeconfig");
    fs::write(&path, text).unwrap();
    connect(&Reach::Kubeconfig(path)).await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_kubeconfig_makes_a_client_though_nobody_listens() {
    assert!(with_file(KUBECONFIG).await.expect("a client").is_some());
}

#[tokio::test]
async fn a_kubeconfig_that_cannot_be_used_is_refused_with_the_reason() {
    for (text, want) in [
        ("{", "parse"),
        ("apiVersion: v1\nkind: Config\n", "current context"),
        (&KUBECONFIG.replace("current-context: here", "current-context: there"), "there"),
        (&KUBECONFIG.replace("{server: 'http://127.0.0.1:1'}", "{}"), "url is missing"),
        (
            &KUBECONFIG.replace("user: {}", "user: {client-certificate: gone, client-key: gone}"),
            "gone",
        ),
    ] {
        let error = with_file(text).await.expect_err(want);
        assert!(error.contains(want), "{want}: {error}");
    }
    let absent = connect(&Reach::Kubeconfig("/nonexistent".into())).await.expect_err("absent");
    assert!(absent.to_string().contains("/nonexistent"), "{absent}");
}

#[tokio::test]
async fn without_kubernetes_there_is_no_client() {
    assert!(connect(&Reach::Off).await.expect("no error").is_none());
    // Tests do not run in a pod with a service account.
    if !is_pod() {
        assert!(connect(&Reach::Auto).await.expect("no error").is_none());
        assert!(matches!(connect(&Reach::InCluster).await, Err(ReachError::InCluster(_))));
    }
}
