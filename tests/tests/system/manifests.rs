//! What `deploy/` says is what the programs do. Read as text: a cluster checks the spelling, these
//! check that ports, times, names and variables agree with the code and with one another.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::{CommandFactory as _, Parser as _};
use fluxgauge_gateway::{
    args::{Args, Config},
    authority::CONFIG_MAP,
};
use serde_json::{Value, json};

use certificates::{may_keep, registered};

mod certificates;
mod examples;
mod network_policies;

/// The label by which all that is installed is found, and removed.
const PART_OF: &str = "app.kubernetes.io/part-of";

/// The Role by which who serves an API learns whom to believe.
const OF_KUBERNETES: &str = "extension-apiserver-authentication-reader";

#[test]
fn the_gateway_starts_with_the_variables_of_its_deployment() {
    gateway();
}

#[test]
fn ports_are_those_on_which_the_gateway_listens_by_default() {
    let base = read("base");
    let config = gateway();
    let container = container(&base);
    let expected = json!([
        {"name": "api", "containerPort": config.listen.port()},
        {"name": "ingest", "containerPort": config.ingest_listen.port()},
    ]);
    assert_eq!(container["ports"], expected);
    for (service, port) in [("fluxgauge-api", "api"), ("fluxgauge-ingest", "ingest")] {
        let spec = &find(&base, "Service", service)["spec"];
        assert_eq!(spec["ports"][0]["targetPort"], port, "{service}");
        assert_eq!(spec["ports"][0]["name"], port, "{service}");
    }
    for (probe, path) in
        [("startupProbe", "/livez"), ("readinessProbe", "/readyz"), ("livenessProbe", "/livez")]
    {
        let expected = json!({"path": path, "port": "api", "scheme": "HTTPS"});
        assert_eq!(container[probe]["httpGet"], expected, "{probe}");
    }
}

#[test]
fn a_replica_has_the_time_to_drain() {
    let base = read("base");
    let config = gateway();
    let grace = pod(&base)["terminationGracePeriodSeconds"].as_u64().unwrap();
    let drain = (config.drain_delay + config.drain_timeout).as_secs();
    assert!(grace > drain, "killed after {grace}s, while draining takes up to {drain}s");

    let probe = &container(&base)["readinessProbe"];
    let seconds = |key: &str| probe[key].as_u64().unwrap();
    let noticed = seconds("periodSeconds") * seconds("failureThreshold");
    let delay = config.drain_delay.as_secs();
    assert!(noticed < delay, "not ready is noticed after {noticed}s, the delay is {delay}s");
}

#[test]
fn neither_an_update_nor_a_drained_node_leaves_no_replica() {
    let base = read("base");
    let deployment = &find(&base, "Deployment", "fluxgauge-gateway")["spec"];
    let replicas = deployment["replicas"].as_u64().unwrap();
    let update = json!({
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
    });
    assert_eq!(deployment["strategy"], update);
    let budget = &find(&base, "PodDisruptionBudget", "fluxgauge-gateway")["spec"];
    let kept = budget["minAvailable"].as_u64().unwrap();
    assert!((1..replicas).contains(&kept), "{kept} of {replicas} replicas stay");

    // All of them mean the same pods.
    let labels = &deployment["template"]["metadata"]["labels"];
    let pod = pod(&base);
    let preferred =
        &pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"];
    for selector in [
        &deployment["selector"]["matchLabels"],
        &budget["selector"]["matchLabels"],
        &preferred[0]["podAffinityTerm"]["labelSelector"]["matchLabels"],
        &pod["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
        &find(&base, "Service", "fluxgauge-api")["spec"]["selector"],
        &find(&base, "Service", "fluxgauge-ingest")["spec"]["selector"],
    ] {
        assert_eq!(selector, labels);
    }
}

#[test]
fn collectors_reach_replicas_that_are_not_ready_and_readers_do_not() {
    let base = read("base");
    let ingest = &find(&base, "Service", "fluxgauge-ingest")["spec"];
    assert_eq!(ingest["clusterIP"], "None", "collectors open a stream to each address");
    assert_eq!(ingest["publishNotReadyAddresses"], true, "they make it ready");
    let api = &find(&base, "Service", "fluxgauge-api")["spec"];
    assert_eq!(api["type"], "ClusterIP", "the aggregation layer refuses headless Services");
    assert_eq!(api["clusterIP"], Value::Null);
    assert_eq!(api["publishNotReadyAddresses"], Value::Null);
}

#[test]
fn the_base_registers_custom_metrics_and_a_component_external_metrics() {
    let base = read("base");
    let registered = |folder: &str| -> Vec<(String, u64)> {
        let documents = read(folder);
        let all = documents.iter().filter(|document| document["kind"] == "APIService");
        all.map(|document| {
            let spec = &document["spec"];
            let (group, version) = (text(&spec["group"]), text(&spec["version"]));
            assert_eq!(document["metadata"]["name"], format!("{version}.{group}"));
            assert_eq!(spec["groupPriorityMinimum"], 100);
            let service = &spec["service"];
            let behind = find(&base, "Service", text(&service["name"]));
            assert_eq!(service["namespace"], namespace());
            assert_eq!(service["port"], behind["spec"]["ports"][0]["port"]);
            (format!("{group}/{version}"), spec["versionPriority"].as_u64().unwrap())
        })
        .collect()
    };
    // The autoscaler takes the version of the highest priority.
    let custom = ["custom.metrics.k8s.io/v1beta2", "custom.metrics.k8s.io/v1beta1"];
    assert_eq!(registered("base"), [(custom[0].into(), 200), (custom[1].into(), 100)]);
    let external = registered("components/external-metrics");
    assert_eq!(external, [("external.metrics.k8s.io/v1beta1".into(), 100)]);
    assert_eq!(kustomization("components/external-metrics")["kind"], "Component");
}

#[test]
fn external_metrics_are_served_where_the_component_registers_them_and_nowhere_else() {
    let groups =
        |config: &Config| -> Vec<_> { config.groups.iter().map(|group| group.name()).collect() };
    assert_eq!(groups(&gateway()), ["custom.metrics.k8s.io"]);
    let component = kustomization("components/external-metrics");
    let [patch] = component["patches"].as_array().unwrap().as_slice() else { panic!("one patch") };
    let patch: Value = serde_saphyr::from_str(text(&patch["patch"])).unwrap();
    let base = read("base");
    let patched = find(&base, text(&patch["kind"]), text(&patch["metadata"]["name"]));
    assert_eq!(patch["apiVersion"], patched["apiVersion"]);
    let container_of =
        |deployment: &Value| deployment["spec"]["template"]["spec"]["containers"][0].clone();
    let changed = container_of(&patch);
    assert_eq!(changed["name"], container_of(patched)["name"], "lists are merged by name");
    let changed = changed["env"].as_array().unwrap();
    // What kustomize makes of both: variables by their names.
    let is_kept = |one: &&Value| !changed.iter().any(|other| other["name"] == one["name"]);
    let env = container_of(patched)["env"].clone();
    let kept = env.as_array().unwrap().iter().filter(is_kept);
    let variables: Vec<_> = kept.chain(changed).cloned().collect();
    assert_eq!(variables.len(), env.as_array().unwrap().len(), "no new variable");
    let both = ["custom.metrics.k8s.io", "external.metrics.k8s.io"];
    assert_eq!(groups(&config(&variables)), both);
}

#[test]
fn the_gateway_may_read_pods_and_jobs_and_ask_about_users_and_nothing_else() {
    let base = read("base");
    let role = find(&base, "ClusterRole", "fluxgauge-gateway");
    let rules = json!([
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]},
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get"]},
        may_keep("apiregistration.k8s.io", "apiservices", &registered("base"), &[]),
    ]);
    assert_eq!(role["rules"], rules);
    let external = read("components/external-metrics");
    let name = "fluxgauge-gateway:external-metrics";
    let apis = registered("components/external-metrics");
    let rules = json!([may_keep("apiregistration.k8s.io", "apiservices", &apis, &[])]);
    assert_eq!(find(&external, "ClusterRole", name)["rules"], rules);
    assert_eq!(find(&external, "ClusterRoleBinding", name)["roleRef"]["name"], name);
    let account = text(&pod(&base)["serviceAccountName"]);
    find(&base, "ServiceAccount", account);
    let subject = json!({"kind": "ServiceAccount", "name": account, "namespace": namespace()});
    let bindings = base.iter().filter(|object| {
        text(&object["kind"]).ends_with("Binding") && object["metadata"]["name"] != CONFIG_MAP
    });
    let bound: Vec<_> = bindings
        .map(|binding| {
            assert_eq!(binding["subjects"], json!([subject]));
            let role = &binding["roleRef"];
            (&binding["metadata"]["namespace"], &role["kind"], &role["name"])
        })
        .collect();
    let (everywhere, own) = (&Value::Null, &json!(namespace()));
    let (cluster_role, of_kubernetes) = (&json!("ClusterRole"), &json!("kube-system"));
    let trust = &json!(OF_KUBERNETES);
    assert_eq!(
        bound,
        [
            (everywhere, cluster_role, &role["metadata"]["name"]),
            (everywhere, cluster_role, &json!("system:auth-delegator")),
            (of_kubernetes, &json!("Role"), trust),
            (own, &json!("Role"), &json!("fluxgauge-gateway")),
        ]
    );
    assert_eq!(pod(&base)["automountServiceAccountToken"], true, "it authenticates by its token");
}

#[test]
fn every_object_names_its_namespace() {
    // kustomize would move the one of kube-system too.
    for folder in ["base", "all", "components/external-metrics", "components/view-role"] {
        assert_eq!(kustomization(folder)["namespace"], Value::Null, "{folder}");
    }
    const CLUSTER: [&str; 4] = ["APIService", "ClusterRole", "ClusterRoleBinding", "Namespace"];
    for object in read("base") {
        let kind = text(&object["kind"]);
        let namespace = match (kind, CLUSTER.contains(&kind)) {
            (_, true) => Value::Null,
            ("RoleBinding", _) if object["roleRef"]["name"] == OF_KUBERNETES => {
                json!("kube-system")
            }
            _ => json!(namespace()),
        };
        assert_eq!(object["metadata"]["namespace"], namespace, "{kind}");
    }
}

#[test]
fn every_pod_keeps_the_restricted_standard_of_its_namespace() {
    let base = read("base");
    let labels = &find(&base, "Namespace", &namespace())["metadata"]["labels"];
    assert_eq!(labels["pod-security.kubernetes.io/enforce"], "restricted");
    let mut pods = 0;
    for folder in ["base", "components/external-metrics", "components/view-role", "examples"] {
        for object in read(folder) {
            // Of a Deployment, a Job and the like; a CronJob's is one level deeper.
            let spec = &object["spec"];
            let templates = [&spec["template"], &spec["jobTemplate"]["spec"]["template"]];
            for pod in templates.into_iter().filter_map(|template| template.get("spec")) {
                is_restricted(pod);
                pods += 1;
            }
            assert_ne!(object["kind"], "Pod", "{folder}: a pod by itself is not made again");
        }
    }
    assert!(pods > 0);
}

/// Checks that a pod has no power that it does not need.
fn is_restricted(pod: &Value) {
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{pod}");
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{pod}");
    for shared in ["hostNetwork", "hostPID", "hostIPC"] {
        assert_eq!(pod[shared], Value::Null, "{pod}");
    }
    let containers = ["containers", "initContainers"].into_iter();
    for container in containers.filter_map(|key| pod[key].as_array()).flatten() {
        let rights = json!({
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
        });
        assert_eq!(container["securityContext"], rights, "{container}");
        assert_ne!(container["resources"]["limits"]["memory"], Value::Null, "{container}");
    }
}

#[test]
fn all_that_is_installed_is_found_by_one_label() {
    let components = ["external-metrics", "view-role", "cert-manager"];
    let components = components.map(|name| format!("components/{name}"));
    for folder in ["base".to_owned()].into_iter().chain(components) {
        let folder = &*folder;
        let kustomization = kustomization(folder);
        assert_eq!(kustomization["labels"][0]["pairs"][PART_OF], "fluxgauge", "{folder}");
        let mut listed: Vec<_> = strings(&kustomization["resources"]).collect();
        listed.sort_unstable();
        assert_eq!(listed, manifests(folder), "{folder}: each file is a resource");
    }
    let all = kustomization("all");
    assert_eq!(all["resources"], json!(["../base"]));
    let components = json!(["../components/external-metrics", "../components/view-role"]);
    assert_eq!(all["components"], components);
}

#[test]
fn images_are_of_this_version_and_run_without_arguments() {
    let base = read("base");
    let images = &kustomization("base")["images"][0];
    assert_eq!(container(&base)["image"], images["name"]);
    assert_eq!(images["newTag"], env!("CARGO_PKG_VERSION"));
    let user = &pod(&base)["securityContext"]["runAsUser"];
    for (program, user) in [("gateway", format!("{user}:{user}")), ("collector", "0:0".into())] {
        let dockerfile = read_text(&format!("images/{program}.Dockerfile"));
        let last = |word: &str| dockerfile.lines().rfind(|line| line.starts_with(word));
        let entry = format!("ENTRYPOINT [\"/fluxgauge-{program}\"]");
        assert_eq!(last("ENTRYPOINT"), Some(&*entry), "the operator gives it no command");
        assert_eq!(last("CMD"), None);
        assert_eq!(last("USER"), Some(&*format!("USER {user}")));
    }
}

/// The gateway's configuration in its Deployment.
fn gateway() -> Config {
    config(container(&read("base"))["env"].as_array().unwrap())
}

/// What these environment variables make of the gateway.
fn config(variables: &[Value]) -> Config {
    let variables = variables.iter();
    let variables =
        variables.map(|variable| (text(&variable["name"]), text(&variable["value"]).to_owned()));
    let args = Args::try_parse_from(flags(&Args::command(), variables)).unwrap();
    Config::try_from(args).unwrap()
}

/// The flags that these environment variables stand for.
fn flags<'a>(
    program: &clap::Command,
    variables: impl Iterator<Item = (&'a str, String)>,
) -> Vec<String> {
    let flag = |(name, value): (&str, String)| {
        let mut known = program.get_arguments();
        let argument = known
            .find(|argument| argument.get_env().is_some_and(|variable| variable == name))
            .unwrap_or_else(|| panic!("{} knows no {name}", program.get_name()));
        format!("--{}={value}", argument.get_long().unwrap())
    };
    [program.get_name().to_owned()].into_iter().chain(variables.map(flag)).collect()
}

/// Where it is installed.
fn namespace() -> String {
    let base = read("base");
    let mut namespaces = base.iter().filter(|document| document["kind"] == "Namespace");
    let namespace = text(&namespaces.next().expect("a namespace")["metadata"]["name"]).to_owned();
    assert_eq!(namespaces.next(), None);
    namespace
}

fn pod(base: &[Value]) -> &Value {
    &find(base, "Deployment", "fluxgauge-gateway")["spec"]["template"]["spec"]
}

fn container(base: &[Value]) -> &Value {
    &pod(base)["containers"][0]
}

fn find<'a>(documents: &'a [Value], kind: &str, name: &str) -> &'a Value {
    documents
        .iter()
        .find(|document| document["kind"] == kind && document["metadata"]["name"] == name)
        .unwrap_or_else(|| panic!("no {kind} {name}"))
}

/// All objects in the files of a folder of `deploy/`.
fn read(folder: &str) -> Vec<Value> {
    let files = manifests(folder);
    files.iter().flat_map(|file| parse(&format!("{folder}/{file}"))).collect()
}

/// The names of the files of a folder with objects in them, sorted.
fn manifests(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(deploy().join(folder)).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".yaml") && name != "kustomization.yaml")
        .collect();
    names.sort_unstable();
    names
}

fn kustomization(folder: &str) -> Value {
    parse(&format!("{folder}/kustomization.yaml")).remove(0)
}

fn parse(file: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(&read_text(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn read_text(file: &str) -> String {
    fs::read_to_string(deploy().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("deploy")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is not text"))
}

fn strings(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().unwrap().iter().map(text)
}
