//! The examples work as they are: with the gateway of the base, with one another, with the metrics
//! that there are.

use clap::{CommandFactory as _, Parser as _};
use fluxgauge_collector::args::Args;
use fluxgauge_proto::catalogue::{self, Scope};
use serde_json::{Value, json};

use super::{find, flags, kustomization, manifests, namespace, parse, read, text};

#[test]
fn the_collector_starts_with_the_variables_of_the_minicluster_and_nothing_else() {
    let minicluster = minicluster();
    let environment = collector(&minicluster)["environment"].as_object().unwrap();
    let variables = environment.iter().map(|(name, value)| (&**name, text(value).to_owned()));
    // What kubelet and the Job controller leave in every pod.
    let pod = tempfile::tempdir().unwrap();
    std::fs::create_dir(pod.path().join("etc")).unwrap();
    let resolv_conf = "search hpc.svc.cluster.local svc.cluster.local cluster.local\n";
    std::fs::write(pod.path().join("etc/resolv.conf"), resolv_conf).unwrap();
    let given =
        [("HOSTNAME", "flux-sample-0".to_owned()), ("JOB_COMPLETION_INDEX", "0".to_owned())];
    let mut flags = flags(&Args::command(), variables.chain(given));
    flags.push(format!("--root={}", pod.path().display()));

    let config = Args::try_parse_from(flags).unwrap().check().unwrap();
    assert_eq!(config.identity.minicluster, text(&minicluster["metadata"]["name"]));
    assert_eq!(config.identity.namespace, "hpc", "the example fits any namespace");
    let base = read("base");
    let ingest = &find(&base, "Service", "fluxgauge-ingest");
    let name = text(&ingest["metadata"]["name"]);
    assert_eq!(config.gateway.host, format!("{name}.{}.svc", namespace()));
    // A headless Service maps no ports.
    assert_eq!(ingest["spec"]["ports"][0]["port"], config.gateway.port);
    assert_eq!(super::gateway().ingest_listen.port(), config.gateway.port);
}

#[test]
fn the_collector_is_the_last_container_and_keeps_its_own_entry_point() {
    let minicluster = minicluster();
    let containers = minicluster["spec"]["containers"].as_array().unwrap();
    let (collector, others) = containers.split_last().unwrap();
    assert_eq!(collector["noWrapEntrypoint"], true);
    assert_eq!(collector["command"], Value::Null, "it would be ignored");
    assert_eq!(collector["ports"], Value::Null, "the operator would make a Service");
    assert_eq!(collector["resources"]["requests"], collector["resources"]["limits"]);
    // Root, as brokers want it, and nothing of what root can do.
    let rights = json!({
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    });
    assert_eq!(collector["securityContext"], rights);
    let tag = &kustomization("base")["images"][0]["newTag"];
    assert!(text(&collector["image"]).ends_with(&format!("/fluxgauge-collector:{}", text(tag))));
    let runs_flux = others.iter().filter(|container| container["runFlux"] == true);
    assert_eq!(runs_flux.count(), 1, "with several containers, one has to say it");
    assert_eq!(minicluster["spec"]["pod"]["labels"]["fluxgauge.io/collect"], "true");
    let token = &minicluster["spec"]["pod"]["automountServiceAccountToken"];
    assert_eq!(*token, true, "without, collectors could not prove who they are");

    let (name, volume) = collector["volumes"].as_object().unwrap().iter().next().unwrap();
    assert_eq!(volume["configMapName"], **name, "the operator wants both equal");
    let file = text(&volume["items"]["ca.crt"]);
    let mounted = format!("{}/{file}", text(&volume["path"]));
    assert_eq!(collector["environment"]["FLUXGAUGE_CA"], mounted);
}

#[test]
fn each_autoscaler_keeps_the_nodes_that_jobs_use() {
    for (file, autoscaler) in autoscalers() {
        let metrics = autoscaler["spec"]["metrics"].as_array().unwrap();
        assert!(metrics.len() > 1, "{file}: nothing to scale by");
        let safe = json!({
            "type": "Object",
            "object": {
                "describedObject": target(),
                "metric": {"name": "cluster_size_min_safe"},
                "target": {"type": "AverageValue", "averageValue": "1"},
            },
        });
        assert!(metrics.contains(&safe), "{file} lets the autoscaler kill jobs");
    }
}

#[test]
fn each_autoscaler_stays_within_the_minicluster_that_it_scales() {
    let spec = &minicluster()["spec"];
    let max_size = spec["maxSize"].as_u64().unwrap();
    assert!(spec["size"].as_u64().unwrap() <= max_size);
    for (file, autoscaler) in autoscalers() {
        let spec = &autoscaler["spec"];
        assert_eq!(spec["scaleTargetRef"], target(), "{file}");
        // The operator would set back what is above, and the two would fight.
        assert!(spec["maxReplicas"].as_u64().unwrap() <= max_size, "{file}");
        assert!(spec["minReplicas"].as_u64().unwrap() >= 1, "{file}: a lead broker stays");
    }
}

#[test]
fn autoscalers_show_each_kind_of_metric_by_names_that_exist() {
    let mut kinds = Vec::new();
    for (file, autoscaler) in autoscalers() {
        for metric in autoscaler["spec"]["metrics"].as_array().unwrap() {
            let kind = text(&metric["type"]);
            let source = &metric[kind.to_lowercase()];
            let name = text(&source["metric"]["name"]);
            let known = catalogue::find(name).unwrap_or_else(|| panic!("{file}: no {name}"));
            assert_eq!(known.scope == Scope::Broker, kind == "Pods", "{file}: {name} as {kind}");
            // `Value` multiplies by the number of pods, and never settles.
            assert_eq!(source["target"]["type"], "AverageValue", "{file}: {name}");
            if kind == "External" {
                let labels = json!({"minicluster": target()["name"]});
                assert_eq!(source["metric"]["selector"]["matchLabels"], labels, "{file}");
            }
            kinds.push(kind.to_owned());
        }
    }
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds, ["External", "Object", "Pods"]);
}

fn minicluster() -> Value {
    parse("examples/minicluster.yaml").remove(0)
}

fn collector(minicluster: &Value) -> &Value {
    minicluster["spec"]["containers"].as_array().unwrap().last().unwrap()
}

/// The example autoscalers, by file.
fn autoscalers() -> Vec<(String, Value)> {
    let files = manifests("examples").into_iter().filter(|file| file.starts_with("hpa-"));
    files.map(|file| (file.clone(), parse(&format!("examples/{file}")).remove(0))).collect()
}

/// The example MiniCluster, as an autoscaler refers to it.
fn target() -> Value {
    let minicluster = minicluster();
    json!({
        "apiVersion": minicluster["apiVersion"],
        "kind": minicluster["kind"],
        "name": minicluster["metadata"]["name"],
    })
}

#[test]
fn prometheus_gets_the_right_that_its_page_needs_and_asks_where_the_gateway_is() {
    let documents = parse("examples/prometheus.yaml");
    let role = find(&documents, "ClusterRole", "fluxgauge-metrics-reader");
    assert_eq!(role["rules"], json!([{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]));
    let binding = find(&documents, "ClusterRoleBinding", "fluxgauge-metrics-reader");
    assert_eq!(binding["roleRef"]["name"], role["metadata"]["name"]);
    let config =
        text(&find(&documents, "ConfigMap", "prometheus-fluxgauge")["data"]["fluxgauge.yml"]);
    let config: Value = serde_saphyr::from_str(config).unwrap();
    let [values, health] = &config["scrape_configs"].as_array().unwrap()[..] else {
        panic!("{config}")
    };
    let base = read("base");
    let service = find(&base, "Service", "fluxgauge-api");
    let host = format!("{}.{}.svc", text(&service["metadata"]["name"]), namespace());
    let port = &service["spec"]["ports"][0];
    assert_eq!(values["static_configs"][0]["targets"][0], format!("{host}:{}", port["port"]));
    assert_eq!(health["tls_config"]["server_name"], host);
    assert_eq!(health["kubernetes_sd_configs"][0]["namespaces"]["names"], json!([namespace()]));
    assert_eq!(health["relabel_configs"][0]["regex"], port["targetPort"]);
    // Whose values these are is not replaced by where they were read.
    assert_eq!(values["honor_labels"], true);
    for (job, action) in [(values, "keep"), (health, "drop")] {
        assert_eq!(job["scheme"], "https");
        let relabel =
            json!([{"source_labels": ["__name__"], "regex": "flux_.*", "action": action}]);
        assert_eq!(job["metric_relabel_configs"], relabel);
    }
}
