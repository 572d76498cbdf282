//! Rights that are missing, and an API server that is.

use super::*;

#[tokio::test]
async fn each_right_that_is_missing_is_one_line_and_the_rest_goes_on() {
    let Some(cluster) = Cluster::start().await else { return };
    let needs = [
        ("cannot watch Secret fluxgauge/fluxgauge-serving", "cannot list resource \"secrets\""),
        ("cannot watch ConfigMap fluxgauge/fluxgauge-ca", "cannot list resource \"configmaps\""),
        ("cannot watch APIService v1beta2.custom.metrics.k8s.io", "resource \"apiservices\""),
        ("cannot watch APIService v1beta1.external.metrics.k8s.io", "resource \"apiservices\""),
    ];
    let kubectl = async |args: &str| {
        let args: Vec<_> = args.split(' ').collect();
        cluster.plane.kubectl(&args).await.unwrap()
    };
    kubectl("delete rolebinding -n fluxgauge fluxgauge-gateway").await;
    kubectl("delete clusterrolebinding fluxgauge-gateway fluxgauge-gateway:external-metrics").await;
    let without = cluster.replica(&[]).await;
    for (what, why) in needs {
        without.logs_once(what, why).await;
    }
    without.lives().await;
    within(DEADLINE * 3, "it has tried again and again", async || {
        is(cluster.refusals("secrets") >= ATTEMPTS
            && cluster.refusals("apiservices") >= ATTEMPTS * 3)
    })
    .await;
    for (what, why) in needs {
        without.logs_once(what, why).await;
    }

    // It may see that there is no Secret, and may not make one.
    cluster.apply("base/rbac.yaml").await;
    let verbs = |rule: usize, verbs: &str| {
        format!(
            "patch role -n fluxgauge fluxgauge-gateway --type=json --patch \
             [{{\"op\":\"replace\",\"path\":\"/rules/{rule}/verbs\",\"value\":{verbs}}}]"
        )
    };
    let look = "[\"list\",\"watch\"]";
    kubectl(&verbs(0, look)).await;
    kubectl(&verbs(1, look)).await;
    let may_not = "\"system:serviceaccount:fluxgauge:fluxgauge-gateway\" cannot patch resource";
    without.logs_once("cannot create Secret fluxgauge/fluxgauge-serving", may_not).await;

    // Once it may, it serves, and says what else it may not.
    let all = "[\"list\",\"watch\",\"create\",\"patch\"]";
    kubectl(&verbs(0, all)).await;
    without.logs_once("put the gateway's CA into ConfigMap fluxgauge/fluxgauge-ca", may_not).await;
    let bundle = text(&cluster.secret().await, "ca.crt");
    Client::trusting(&bundle, without.api, None).try_certificate().await.unwrap();
    kubectl(&verbs(1, all)).await;
    assert_eq!(cluster.bundle(NAMESPACE).await, bundle);
}

#[tokio::test]
async fn a_gateway_that_starts_while_the_api_server_is_down_answers_probes_and_says_why_once() {
    let Some(cluster) = Cluster::start().await else { return };
    // Nobody listens where this file says.
    let text = fs::read_to_string(&cluster.kubeconfig).unwrap();
    let mut nowhere: Value = serde_json::from_str(&text).unwrap();
    nowhere["clusters"][0]["cluster"]["server"] = json!("https://127.0.0.1:1");
    let file = cluster.logs.path().join("nowhere");
    fs::write(&file, nowhere.to_string()).unwrap();
    let down = Cluster { kubeconfig: file, ..cluster };
    let replica = down.replica(&[]).await;
    replica.logs_once("cannot watch Secret fluxgauge/fluxgauge-serving", "onnection refused").await;
    let probe = replica.lives().await;
    let ready = probe.get("/readyz").await;
    assert!(String::from_utf8_lossy(&ready.body).contains("[-]certificate failed"), "{ready:?}");
    let trusting = Client::trusting(&TestCa::new().pem(), replica.api, None);
    assert!(trusting.try_certificate().await.is_err(), "who does not trust it is served");
}
