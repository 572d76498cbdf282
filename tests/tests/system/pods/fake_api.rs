//! A Kubernetes API server that knows pods and nothing else: it lists them, and streams what
//! changes from any version that it still remembers.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header::USER_AGENT};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::BoxBody};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    sync::mpsc,
    task::{JoinHandle, JoinSet},
};
use tokio_stream::{StreamExt as _, wrappers::UnboundedReceiverStream};

/// The API server. Dropping it stops it.
pub(super) struct FakeApi {
    address: SocketAddr,
    folder: TempDir,
    state: Arc<Mutex<State>>,
    serving: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    version: u64,
    pods: BTreeMap<String, Value>,
    /// What changed, by version.
    changes: BTreeMap<u64, Bytes>,
    /// The newest version whose successors are not all in `changes` any more.
    forgotten: u64,
    watchers: Vec<mpsc::UnboundedSender<Bytes>>,
    lists: usize,
}

impl FakeApi {
    /// An API server that has an address and is down.
    pub(super) async fn down() -> Self {
        // An address of its own: others that look for a free port do not find this one.
        let listener = TcpListener::bind("127.77.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (folder, state) = (TempDir::new().unwrap(), Arc::default());
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "fake",
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
            "clusters": [{"name": "fake", "cluster": {"server": format!("http://{address}")}}],
            "users": [{"name": "fake", "user": {}}],
        });
        std::fs::write(folder.path().join("kubeconfig"), kubeconfig.to_string()).unwrap();
        Self { address, folder, state, serving: None }
    }

    /// An API server that serves.
    pub(super) async fn start() -> Self {
        let mut api = Self::down().await;
        api.serve().await;
        api
    }

    /// The file by which to reach it.
    pub(super) fn kubeconfig(&self) -> String {
        self.folder.path().join("kubeconfig").display().to_string()
    }

    /// Begins to serve.
    pub(super) async fn serve(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        let state = Arc::clone(&self.state);
        self.serving = Some(tokio::spawn(async move {
            // Connections end with this task.
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let state = Arc::clone(&state);
                connections.spawn(async move {
                    let service = service_fn(|request| {
                        let response = answer(&state, &request);
                        async { Ok::<_, Infallible>(response) }
                    });
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service).await
                });
            }
        }));
    }

    /// Goes down, and every connection with it.
    pub(super) async fn stop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            serving.await.unwrap_err();
        }
        self.state().watchers.clear();
    }

    /// How often all pods were listed.
    pub(super) fn lists(&self) -> usize {
        self.state().lists
    }

    /// How many watches are open.
    pub(super) fn watches(&self) -> usize {
        let mut state = self.state();
        state.watchers.retain(|watcher| !watcher.is_closed());
        state.watchers.len()
    }

    /// Creates or changes a pod.
    pub(super) fn apply(&self, pod: Value) {
        let name = pod["metadata"]["name"].as_str().unwrap().to_owned();
        let mut state = self.state();
        let kind = if state.pods.contains_key(&name) { "MODIFIED" } else { "ADDED" };
        let pod = state.change(kind, pod);
        state.pods.insert(name, pod);
    }

    /// Deletes a pod, as when its containers have ended.
    pub(super) fn delete(&self, name: &str) {
        let mut state = self.state();
        let pod = state.pods.remove(name).unwrap();
        state.change("DELETED", pod);
    }

    /// Ends all watches, as an API server does from time to time.
    pub(super) fn cut(&self) {
        self.state().watchers.clear();
    }

    /// Forgets what changed so far, as etcd does every five minutes.
    pub(super) fn compact(&self) {
        let mut state = self.state();
        state.changes.clear();
        state.forgotten = state.version;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Drop for FakeApi {
    fn drop(&mut self) {
        if let Some(serving) = &self.serving {
            serving.abort();
        }
    }
}

impl State {
    fn change(&mut self, kind: &str, mut pod: Value) -> Value {
        self.version += 1;
        pod["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let line = event(kind, &pod);
        self.changes.insert(self.version, line.clone());
        self.watchers.retain(|watcher| watcher.send(line.clone()).is_ok());
        pod
    }

    fn list(&mut self) -> Value {
        self.lists += 1;
        json!({
            "apiVersion": "v1",
            "kind": "PodList",
            "metadata": {"resourceVersion": self.version.to_string()},
            "items": self.pods.values().collect::<Vec<_>>(),
        })
    }

    /// Lines of what changed after a version, and of all that will.
    fn watch(&mut self, from: u64) -> mpsc::UnboundedReceiver<Bytes> {
        let (sender, lines) = mpsc::unbounded_channel();
        if from < self.forgotten {
            let status = json!({
                "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
                "message": "too old resource version", "reason": "Expired", "code": 410,
            });
            sender.send(event("ERROR", &status)).unwrap();
            return lines;
        }
        for line in self.changes.range(from + 1..).map(|(_, line)| line) {
            sender.send(line.clone()).unwrap();
        }
        self.watchers.push(sender);
        lines
    }
}

fn event(kind: &str, object: &Value) -> Bytes {
    format!("{}\n", json!({"type": kind, "object": object})).into()
}

fn answer(
    state: &Mutex<State>,
    request: &Request<Incoming>,
) -> Response<BoxBody<Bytes, Infallible>> {
    let whole = |status, body: Value| {
        let body = Full::new(Bytes::from(body.to_string())).boxed();
        Response::builder().status(status).body(body).unwrap()
    };
    let query = request.uri().query().unwrap_or_default();
    let parameter =
        |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let agent = request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    // No other pods are to be asked for, and nobody else asks.
    if request.uri().path() != "/api/v1/pods"
        || parameter("labelSelector") != Some("hpa-selector")
        || !agent.is_some_and(|agent| agent.starts_with("fluxgauge-gateway/"))
    {
        let message = format!("{agent:?} asks for {}", request.uri());
        let status = json!({
            "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
            "message": message, "reason": "Forbidden", "code": 403,
        });
        return whole(StatusCode::FORBIDDEN, status);
    }
    let mut state = state.lock().unwrap();
    if parameter("watch") != Some("true") {
        return whole(StatusCode::OK, state.list());
    }
    let from = parameter("resourceVersion").and_then(|version| version.parse().ok());
    let lines = UnboundedReceiverStream::new(state.watch(from.unwrap_or_default()));
    let body = StreamBody::new(lines.map(|line| Ok(Frame::data(line))));
    Response::new(body.boxed())
}
