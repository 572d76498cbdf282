//! Every form of a read, by the clients of the autoscaler, through a real kube-apiserver.

use control_plane::{ControlPlane, MINICLUSTER_CRD, Options};
use fluxgauge_proto::v1::Hello;
use serde_json::{Value, json};
use system_tests::{
    FakeCollector, TestCa, TestGateway, aggregation, eventually, fake_collector::hello, is, plane,
};

use super::conformance;

#[tokio::test]
async fn clients_read_every_form_in_every_version_and_encoding() {
    let Some(fixture) = Fixture::start().await else { return };
    let table = [
        (custom("MiniCluster.flux-framework.org", "mc0", "node_up_count"), found(&[("mc0", "4")])),
        (
            custom("MiniCluster.flux-framework.org", "", "node_up_count"),
            found(&[("mc0", "4"), ("mc1", "2500m")]),
        ),
        (custom("Service", "mc1", "node_up_count"), found(&[("mc1", "2500m")])),
        (custom("Job.batch", "mc0", "node_free_count"), found(&[("mc0", "0")])),
        (
            with(custom("Job.batch", "mc0", "node_up_count"), "MetricSelector", "queue in (batch)"),
            found(&[("mc0", "3")]),
        ),
        // As the autoscaler asks for what describes its namespace.
        (
            json!({"Kind": "Namespace", "Name": "hpc", "Metric": "node_up_count"}),
            found(&[("hpc", "6500m")]),
        ),
        (custom("Pod", "mc0-1-abcde", "broker_rank"), found(&[("mc0-1-abcde", "1")])),
        (
            with(custom("Pod", "", "broker_rank"), "Selector", "hpa-selector=mc0"),
            found(&[("mc0-0-abcde", "0"), ("mc0-1-abcde", "1")]),
        ),
        (
            with(custom("Pod", "", "broker_rank"), "Selector", "color notin (red),hpa-selector"),
            found(&[("mc0-1-abcde", "1"), ("mc1-0-abcde", "0")]),
        ),
        (external("node_up_count", ""), found(&[("mc0", "4"), ("mc1", "2500m")])),
        (external("node_up_count", "minicluster!=mc1"), found(&[("mc0", "4")])),
        (external("node_up_count", "queue=batch"), found(&[("mc0", "3")])),
        (external("node_free_count", "minicluster=mc0"), found(&[("mc0", "0")])),
        (
            custom("MiniCluster.flux-framework.org", "mc0", "nonsense"),
            missing(
                "the server could not find the metric nonsense for miniclusters.flux-framework.org",
            ),
        ),
        (
            custom("MiniCluster.flux-framework.org", "mc9", "node_up_count"),
            missing(
                "the server could not find the metric node_up_count for \
                 miniclusters.flux-framework.org mc9",
            ),
        ),
        (
            with(custom("Pod", "", "broker_rank"), "Selector", "hpa-selector=mc9"),
            missing(
                "the server could not find the metric broker_rank for pods * with selector \
                 hpa-selector=mc9",
            ),
        ),
        (
            with(custom("Service", "mc0", "node_up_count"), "MetricSelector", "queue=none"),
            missing(
                "the server could not find the metric node_up_count for services mc0 with selector \
                 queue=none",
            ),
        ),
        // A kind that lives in no namespace, on the path that the autoscaler makes of it and on
        // its own.
        (
            custom("Node", "node-0", "node_up_count"),
            missing("the server could not find the metric node_up_count for nodes node-0"),
        ),
        (
            json!({"Kind": "Node", "Name": "node-0", "Metric": "node_up_count"}),
            missing("the server could not find the metric node_up_count for nodes node-0"),
        ),
        (
            external("node_up_count", "queue=none"),
            missing(
                "the server could not find the metric node_up_count for namespaces hpc with \
                 selector queue=none",
            ),
        ),
        (
            with(custom("Service", "mc0", "node_up_count"), "MetricSelector", "queue"),
            Err((400, "metricLabelSelector queue leaves several series of node_up_count".into())),
        ),
    ];
    let answers = fixture.read(table.iter().map(|(question, _)| question)).await;
    assert_eq!(answers.len(), table.len());
    for ((question, want), answer) in table.iter().zip(&answers) {
        match want {
            Ok(want) => assert_eq!(values(answer), *want, "{question}: {answer}"),
            Err((code, text)) => {
                let error = &answer["error"];
                assert_eq!(error["code"], *code, "{question}: {answer}");
                let message = error["message"].as_str().unwrap();
                assert!(message.starts_with(text.as_str()), "{question}: {message}");
            }
        }
    }

    // What an item says beside its value.
    let pod = &answers[6]["items"][0];
    assert_eq!(pod["describedObject"]["kind"], "Pod");
    assert_eq!(pod["describedObject"]["apiVersion"], "v1");
    let uid = ["get", "pod", "mc0-1-abcde", "--namespace=hpc", "--output=jsonpath={.metadata.uid}"];
    assert_eq!(pod["describedObject"]["uid"], fixture.plane.kubectl(&uid).await.unwrap());
    let namespace = &answers[5]["items"][0]["describedObject"];
    assert_eq!(*namespace, json!({"kind": "Namespace", "name": "hpc", "apiVersion": "v1"}));
    let queue = &answers[4]["items"][0]["metric"];
    let selector = json!({"matchExpressions": [
        {"key": "queue", "operator": "In", "values": ["batch"]}
    ]});
    assert_eq!(*queue, json!({"name": "node_up_count", "selector": selector}));
    let labels = &answers[11]["items"][0]["metricLabels"];
    assert_eq!(*labels, json!({"minicluster": "mc0", "queue": "batch"}));

    fixture.forget_a_pod().await;
}

/// Names and values of items, or a status code and the beginning of a message.
type Want = Result<Vec<(String, String)>, (u16, String)>;

fn found(items: &[(&str, &str)]) -> Want {
    Ok(items.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

fn missing(text: &str) -> Want {
    Err((404, text.to_owned()))
}

fn custom(kind: &str, name: &str, metric: &str) -> Value {
    json!({"Kind": kind, "Namespace": "hpc", "Name": name, "Metric": metric})
}

fn external(metric: &str, selector: &str) -> Value {
    json!({"Namespace": "hpc", "Metric": metric, "MetricSelector": selector})
}

fn with(mut question: Value, field: &str, value: &str) -> Value {
    question[field] = value.into();
    question
}

/// What an answer's items are of, and their values.
fn values(answer: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let item = |item: &Value| {
        let name = match &item["describedObject"] {
            Value::Null => &item["metricLabels"]["minicluster"],
            object => &object["name"],
        };
        (text(name), text(&item["value"]))
    };
    answer["items"].as_array().into_iter().flatten().map(item).collect()
}

/// A gateway that watches pods, behind a control plane, and what collectors told it.
struct Fixture {
    plane: ControlPlane,
    gateway: TestGateway,
    _collectors: [FakeCollector; 4],
}

impl Fixture {
    async fn start() -> Option<Self> {
        let plane = plane::start(&Options::default()).await?;
        plane.apply(MINICLUSTER_CRD).await.unwrap();
        for namespace in ["hpc", "other"] {
            plane.kubectl(&["create", "namespace", namespace]).await.unwrap();
            // What the controller of accounts would make, which does not run.
            let account = ["create", "serviceaccount", "default", "--namespace", namespace];
            plane.kubectl(&account).await.unwrap();
        }
        for (namespace, minicluster, index, color) in [
            ("hpc", "mc0", 0, "red"),
            ("hpc", "mc0", 1, "blue"),
            ("hpc", "mc1", 0, "blue"),
            ("other", "mc2", 0, "blue"),
        ] {
            plane.apply(&pod(namespace, minicluster, index, color)).await.unwrap();
        }

        let ca = TestCa::new();
        let kubeconfig = plane.admin_kubeconfig().to_str().unwrap();
        let flags = ["--kubeconfig", kubeconfig, "--max-age", "10m"];
        let gateway = TestGateway::start(&ca, &flags).await;
        let manifests = aggregation::by_external_name(&ca.pem(), gateway.api.port());
        plane.apply(&manifests).await.unwrap();
        let ready = async || is(gateway.client().get("/readyz").await.status == 200);
        eventually("the gateway knows the pods", ready).await;

        let report = async |hello: Hello, values: &[(&str, f64)]| {
            let channel = gateway.channel().await;
            let mut collector = FakeCollector::connect(channel, hello).await.unwrap();
            collector.report(values).await.unwrap();
            collector
        };
        let lead = [
            ("node_up_count", 4.0),
            ("node_up_count{batch}", 3.0),
            ("node_up_count{debug}", 1.0),
            ("node_free_count", 0.0),
            ("broker_rank", 0.0),
        ];
        let second = Hello { rank: 1, pod_name: "mc0-1".to_owned(), ..hello("mc0") };
        let elsewhere = Hello { namespace: "other".to_owned(), ..hello("mc2") };
        let collectors = [
            report(hello("mc0"), &lead).await,
            report(second, &[("broker_rank", 1.0)]).await,
            report(hello("mc1"), &[("node_up_count", 2.5), ("broker_rank", 0.0)]).await,
            report(elsewhere, &lead).await,
        ];
        for name in aggregation::names() {
            let condition = format!("apiservice/{name}");
            plane.kubectl(&["wait", "--for=condition=Available", &condition]).await.unwrap();
        }
        Some(Self { plane, gateway, _collectors: collectors })
    }

    /// What the clients read, one answer for each question.
    async fn read<'a>(&self, questions: impl Iterator<Item = &'a Value>) -> Vec<Value> {
        let lines: Vec<_> = questions.map(Value::to_string).collect();
        let kubeconfig = self.plane.admin_kubeconfig().to_str().unwrap();
        let args = ["reads", "--kubeconfig", kubeconfig];
        let said = conformance(self.plane.programs(), &args, &lines.join("\n")).await;
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// A pod that is deleted leaves the answers, whatever its collector goes on to say.
    async fn forget_a_pod(&self) {
        let delete = ["delete", "pod", "mc0-1-abcde", "--namespace=hpc", "--now"];
        self.plane.kubectl(&delete).await.unwrap();
        let path = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/hpc/pods/*/broker_rank";
        eventually("the pod is gone", async || {
            let list = self.gateway.client().get(path).await.json();
            let names = values(&list);
            is(names == [pair("mc0-0-abcde", "0"), pair("mc1-0-abcde", "0")]).map_err(|_| list)
        })
        .await;
    }
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// A pod as the Job controller makes it of a MiniCluster.
fn pod(namespace: &str, minicluster: &str, index: u32, color: &str) -> String {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": format!("{minicluster}-{index}-abcde"),
            "namespace": namespace,
            "labels": {
                "hpa-selector": minicluster,
                "batch.kubernetes.io/job-completion-index": index.to_string(),
                "color": color,
            },
        },
        "spec": {
            "hostname": format!("{minicluster}-{index}"),
            "containers": [{ "name": minicluster, "image": "example.org/flux:1" }],
        },
    })
    .to_string()
}
