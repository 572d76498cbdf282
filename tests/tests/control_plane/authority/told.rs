//! Who is told the CA, and what others do to that.

use super::*;

#[tokio::test]
async fn what_others_do_to_api_services_and_config_maps_is_put_right_where_they_are_ours() {
    let Some(cluster) = Cluster::start().await else { return };
    for namespace in ["hpc", "other"] {
        cluster.plane.kubectl(&["create", "namespace", namespace]).await.unwrap();
    }
    let example = read("examples/publish-ca.yaml");
    let args = ["apply", "--namespace=hpc", "--filename=-"];
    cluster.plane.kubectl_with_input(&args, &example).await.unwrap();
    let replicas = [
        cluster.replica(&["--publish-ca=hpc"]).await,
        cluster.replica(&["--publish-ca=hpc"]).await,
    ];
    cluster.register(replicas[0].api.port(), "fluxgauge-api").await;
    let bundle = cluster.bundle("hpc").await;
    assert_eq!(cluster.bundle(NAMESPACE).await, bundle);

    // Another's APIService: one product owns an API.
    let keda = "v1beta1.external.metrics.k8s.io";
    let theirs = json!({ "spec": { "caBundle": null, "service": { "name": "keda" } } });
    cluster.change_api_service(keda, &theirs).await;
    for name in ["v1beta1.custom.metrics.k8s.io", "v1beta2.custom.metrics.k8s.io"] {
        for wrong in [
            json!({ "caBundle": ByteString(TestCa::new().pem().into_bytes()) }),
            json!({ "caBundle": null, "insecureSkipTLSVerify": true }),
        ] {
            cluster.change_api_service(name, &json!({ "spec": wrong })).await;
            eventually("the CA is put back", async || {
                let spec = cluster.api_service(name).await.spec.unwrap();
                let right = spec.ca_bundle == Some(ByteString(bundle.clone().into_bytes()));
                is(right && spec.insecure_skip_tls_verify != Some(true))
            })
            .await;
        }
        cluster.is_available(name).await;
    }
    let config_maps = Api::<ConfigMap>::namespaced(cluster.client.clone(), "hpc");
    let wrong = json!({ "data": { "ca.crt": "mine", "another": "stays" } });
    config_maps.patch(CONFIG_MAP, &PatchParams::default(), &Patch::Merge(&wrong)).await.unwrap();
    eventually("the ConfigMap is put right", async || is(cluster.bundle("hpc").await == bundle))
        .await;
    let data = config_maps.get(CONFIG_MAP).await.unwrap().data.unwrap();
    assert_eq!(data["another"], "stays");
    config_maps.delete(CONFIG_MAP, &DeleteParams::default()).await.unwrap();
    assert_eq!(cluster.bundle("hpc").await, bundle, "it is made again");

    // By now what was not to be touched would have been.
    let spec = cluster.api_service(keda).await.spec.unwrap();
    assert_eq!(spec.ca_bundle, None, "another's APIService was changed");
    for replica in &replicas {
        let log = replica.log();
        let named: Vec<_> =
            log.lines().filter(|line| line.contains(keda) && line.contains("WARN")).collect();
        assert_eq!(named.len(), 1, "{log}");
        assert!(named[0].contains("left alone") && named[0].contains("fluxgauge/keda"), "{log}");
    }
    let elsewhere = Api::<ConfigMap>::namespaced(cluster.client.clone(), "other");
    assert!(elsewhere.get_opt(CONFIG_MAP).await.unwrap().is_none());
}

#[tokio::test]
async fn everybody_in_the_cluster_can_print_the_ca_for_a_namespace_where_it_is_not_published() {
    let Some(cluster) = Cluster::start().await else { return };
    let _replica = cluster.replica(&[]).await;
    let bundle = cluster.bundle(NAMESPACE).await;
    let somebody = cluster.plane.user_kubeconfig("somebody", None).unwrap();
    let mut args =
        Ca { namespace: NAMESPACE.to_owned(), config_map: false, kubeconfig: Some(somebody) };
    assert_eq!(ca::text(&args).await.unwrap(), bundle);
    args.config_map = true;
    let manifest = ca::text(&args).await.unwrap();
    let apply = ["apply", "--namespace=default", "--filename=-"];
    cluster.plane.kubectl_with_input(&apply, &manifest).await.unwrap();
    assert_eq!(cluster.bundle("default").await, bundle);

    args.kubeconfig = Some(cluster.plane.admin_kubeconfig().to_owned());
    args.namespace = "kube-public".to_owned();
    let error = format!("{:#}", ca::text(&args).await.unwrap_err());
    assert!(error.contains("no CA in ConfigMap kube-public/fluxgauge-ca: is that the"), "{error}");
}
