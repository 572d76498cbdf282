//! The instructions, from the first command to the last.

use super::*;

#[test]
fn the_instructions_install_and_remove_everything_without_a_warning() {
    let name = "instructions::the_instructions_install_and_remove_everything_without_a_warning";
    run(name, async |cluster| {
        // The base by itself knows nothing of external metrics.
        cluster.shell("kubectl apply -k deploy/base").await;
        differs_in_nothing(cluster, "deploy/base").await;
        let apis = cluster.shell(APIS).await;
        assert!(!apis.contains("external.metrics.k8s.io"), "{apis}");

        cluster.install().await;
        differs_in_nothing(cluster, "deploy/all").await;
        // Applied again, the APIServices still trust the CA.
        cluster.shell("kubectl apply -k deploy/all").await;
        cluster.is_available().await;
        // One of two replicas may be drained.
        let budget = "kubectl -n fluxgauge get poddisruptionbudget fluxgauge-gateway \
                      --output=jsonpath={.status.disruptionsAllowed}";
        assert_eq!(cluster.shell(budget).await, "1");

        cluster.follow("3. A namespace with MiniClusters").await;
        assert_eq!(cluster.bundle_in("default").await, cluster.bundle().await);
        let hello =
            Hello { namespace: "default".to_owned(), ..fake_collector::hello("flux-sample") };
        let replicas = cluster.replicas().await;
        let collectors = report(cluster, &replicas, &hello, &[("node_up_count", 4.0)]).await;
        let read = cluster.follow("4. A MiniCluster").await;
        assert!(read.contains(r#""value":"4""#), "{read}");
        cluster.follow("5. An autoscaler").await;
        cluster.follow("6. Network policies").await;
        delete_a_namespace(cluster).await;
        drop(collectors);

        cluster.follow("Leaving").await;
        delete_a_namespace(cluster).await;
        let apis = cluster.shell(APIS).await;
        assert!(!apis.contains("metrics.k8s.io"), "{apis}");
        let left = cluster.shell(LABELLED).await;
        assert_eq!(left, "");
    });
}

const APIS: &str = "kubectl get apiservices --output=name";

/// All objects that the manifests may have made, of whatever kind but those that Kubernetes warns of.
const LABELLED: &str = "
    kinds=$(kubectl api-resources --verbs=list --output=name | grep -vxE 'componentstatuses|endpoints' |
      paste -sd,)
    kubectl get $kinds --all-namespaces --output=name --ignore-not-found \
      --selector=app.kubernetes.io/part-of=fluxgauge";

/// Waits until what there is is what the manifests say: controllers may write at the same moment.
async fn differs_in_nothing(cluster: &Installation, folder: &str) {
    let diff = format!("kubectl diff -k {folder}");
    eventually("nothing differs", async || cluster.try_shell(&diff).await).await;
}

/// Kubernetes deletes no namespace while an API server that is registered does not answer.
async fn delete_a_namespace(cluster: &Installation) {
    cluster
        .shell("kubectl create namespace user && kubectl delete namespace user --timeout=60s")
        .await;
}
