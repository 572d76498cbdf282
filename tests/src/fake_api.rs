//! A Kubernetes API server that knows what gateways ask for and nothing else: pods, Jobs, one ConfigMap,
//! and reviews of users. Whoever asks it for more is refused, and it is asked by gateways alone.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::SystemTime,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header::USER_AGENT};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::BoxBody};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinHandle, JoinSet},
};
use tokio_stream::{StreamExt as _, wrappers::UnboundedReceiverStream};

mod collection;
mod reviews;

use collection::Collection;
use reviews::{AUDIENCE, Reviews};

const PODS: &str = "/api/v1/pods";
const CONFIG_MAPS: &str = "/api/v1/namespaces/kube-system/configmaps";
const JOBS: &str = "/apis/batch/v1/namespaces/hpc/jobs";
const TOKEN_REVIEWS: &str = "/apis/authentication.k8s.io/v1/tokenreviews";
const ACCESS_REVIEWS: &str = "/apis/authorization.k8s.io/v1/subjectaccessreviews";

/// The one ConfigMap.
const TRUST: &str = "extension-apiserver-authentication";

/// The API server. Dropping it stops it.
pub struct FakeApi {
    address: SocketAddr,
    folder: TempDir,
    state: Arc<Mutex<State>>,
    /// What happens to reviews.
    mood: watch::Sender<Mood>,
    serving: Option<JoinHandle<()>>,
}

/// What happens to reviews.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// They are answered.
    Answers,
    /// They are answered with this status.
    Fails(u16),
    /// They are not answered until that changes.
    Waits,
}

#[derive(Default)]
struct State {
    pods: Collection,
    config_maps: Collection,
    /// The metadata of Jobs, by path.
    jobs: BTreeMap<String, Value>,
    reviews: Reviews,
    /// Whether gateways are refused who read the ConfigMap.
    keeps_trust: bool,
    /// Reviews that have arrived, whatever became of them.
    arrived: usize,
}

impl FakeApi {
    /// An API server that has an address and is down.
    pub async fn down() -> Self {
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
        let mood = watch::Sender::new(Mood::Answers);
        Self { address, folder, state, mood, serving: None }
    }

    /// An API server that serves.
    pub async fn start() -> Self {
        let mut api = Self::down().await;
        api.serve().await;
        api
    }

    /// The file by which to reach it.
    pub fn kubeconfig(&self) -> String {
        self.folder.path().join("kubeconfig").display().to_string()
    }

    /// Begins to serve.
    pub async fn serve(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        let (state, mood) = (Arc::clone(&self.state), self.mood.subscribe());
        self.serving = Some(tokio::spawn(async move {
            // Connections end with this task.
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (state, mood) = (Arc::clone(&state), mood.clone());
                connections.spawn(async move {
                    let service = service_fn(|request| {
                        let (state, mood) = (Arc::clone(&state), mood.clone());
                        async move { Ok::<_, Infallible>(answer(&state, mood, request).await) }
                    });
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service).await
                });
            }
        }));
    }

    /// Goes down, and every connection with it.
    pub async fn stop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            serving.await.unwrap_err();
        }
        let mut state = self.state();
        state.pods.cut();
        state.config_maps.cut();
    }

    /// How often all pods were listed.
    pub fn lists(&self) -> usize {
        self.state().pods.lists
    }

    /// How many watches of pods are open.
    pub fn watches(&self) -> usize {
        self.state().pods.watches()
    }

    /// Creates or changes a pod.
    pub fn apply(&self, pod: Value) {
        self.state().pods.apply(pod);
    }

    /// Deletes a pod, as when its containers have ended.
    pub fn delete(&self, name: &str) {
        self.state().pods.delete(name);
    }

    /// Ends all watches, as an API server does from time to time.
    pub fn cut(&self) {
        let mut state = self.state();
        state.pods.cut();
        state.config_maps.cut();
    }

    /// Forgets what changed so far, as etcd does every five minutes.
    pub fn compact(&self) {
        self.state().pods.compact();
    }

    /// Says whom gateways may believe: keys and values of the ConfigMap.
    pub fn trust(&self, data: &[(&str, &str)]) {
        let data: serde_json::Map<_, _> =
            data.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        self.state().config_maps.apply(json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"namespace": "kube-system", "name": TRUST},
            "data": data,
        }));
    }

    /// Whether gateways are refused who read the ConfigMap.
    pub fn keep_trust(&self, keeps: bool) {
        self.state().keeps_trust = keeps;
    }

    /// Gives a user a token.
    pub fn give_token(&self, token: &str, user: &str, groups: &[&str]) {
        let user = json!({"username": user, "uid": format!("uid-{user}"), "groups": groups});
        self.state().reviews.tokens.insert(token.to_owned(), (user, vec![AUDIENCE.to_owned()]));
    }

    /// Makes a token of the service account `default` of namespace `hpc`, for a pod where there is one,
    /// as kubelet gets it: for this audience or the API server's own, and until then.
    pub fn make_token(
        &self,
        pod: Option<&Value>,
        audience: Option<&str>,
        expires: SystemTime,
    ) -> String {
        let mut extra = json!({});
        if let Some(pod) = pod {
            let metadata = &pod["metadata"];
            extra["authentication.kubernetes.io/pod-name"] = json!([metadata["name"]]);
            extra["authentication.kubernetes.io/pod-uid"] = json!([metadata["uid"]]);
        }
        let user = json!({
            "username": "system:serviceaccount:hpc:default",
            "groups": ["system:serviceaccounts"],
            "extra": extra,
        });
        let audience = audience.unwrap_or(AUDIENCE);
        let expires = expires.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let mut state = self.state();
        let number = state.reviews.tokens.len();
        let claims = json!({"aud": [audience], "exp": expires, "jti": number}).to_string();
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        state.reviews.tokens.insert(token.clone(), (user, vec![audience.to_owned()]));
        token
    }

    /// Creates the Job that makes the pods of a MiniCluster of namespace `hpc`, under this owner.
    pub fn add_job(&self, name: &str, uid: &str, owner: &Value) {
        let path = format!("{JOBS}/{name}");
        let metadata = json!({
            "namespace": "hpc",
            "name": name,
            "uid": uid,
            "ownerReferences": [owner],
        });
        self.state().jobs.insert(path, metadata);
    }

    /// Takes a token back.
    pub fn take_token(&self, token: &str) {
        self.state().reviews.tokens.remove(token);
    }

    /// Gives a user a right, as [`Self::access_reviews`] spells it.
    pub fn allow(&self, line: &str) {
        self.state().reviews.rights.insert(line.to_owned());
    }

    /// Takes a right back.
    pub fn forbid(&self, line: &str) {
        self.state().reviews.rights.remove(line);
    }

    /// What becomes of reviews from now on.
    pub fn be(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    /// How many reviews have arrived, whatever became of them.
    pub fn arrived(&self) -> usize {
        self.state().arrived
    }

    /// The tokens that were asked about.
    pub fn token_reviews(&self) -> Vec<String> {
        self.state().reviews.of_tokens.clone()
    }

    /// The questions that were asked, with what is not said as `-`: `USER VERB PATH`, or `USER VERB
    /// GROUP/VERSION RESOURCE SUBRESOURCE NAME NAMESPACE`.
    pub fn access_reviews(&self) -> Vec<String> {
        self.state().reviews.of_access.clone()
    }

    /// The last question, as it was asked.
    pub fn last_access_review(&self) -> Value {
        self.state().reviews.last.clone()
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

type Answer = Response<BoxBody<Bytes, Infallible>>;

async fn answer(
    state: &Mutex<State>,
    mut mood: watch::Receiver<Mood>,
    request: Request<Incoming>,
) -> Answer {
    let agent = request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    if !agent.is_some_and(|agent| agent.starts_with("fluxgauge-gateway/")) {
        return failure(403, &format!("{agent:?} asks"));
    }
    let path = request.uri().path().to_owned();
    if request.method() == Method::POST {
        state.lock().unwrap().arrived += 1;
        let mood = *mood.wait_for(|mood| *mood != Mood::Waits).await.unwrap();
        if let Mood::Fails(status) = mood {
            return failure(status, "the test says so");
        }
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let review = serde_json::from_slice(&body).unwrap();
        let mut state = state.lock().unwrap();
        return match &*path {
            TOKEN_REVIEWS => whole(201, &state.reviews.token(review)),
            ACCESS_REVIEWS => whole(201, &state.reviews.access(review)),
            _ => failure(403, &path),
        };
    }
    let query = request.uri().query().unwrap_or_default();
    let parameter =
        |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let mut state = state.lock().unwrap();
    if let Some(job) = state.jobs.get(&path) {
        let kind = "PartialObjectMetadata";
        let job = json!({"apiVersion": "meta.k8s.io/v1", "kind": kind, "metadata": job});
        return whole(200, &job);
    }
    let of_trust = format!("metadata.name%3D{TRUST}");
    // No others are to be asked for.
    let collection = match &*path {
        PODS if parameter("labelSelector") == Some("hpa-selector") => &mut state.pods,
        CONFIG_MAPS if parameter("fieldSelector") == Some(&*of_trust) && !state.keeps_trust => {
            &mut state.config_maps
        }
        _ => return failure(403, &format!("{} is not for gateways", request.uri())),
    };
    if parameter("watch") != Some("true") {
        return whole(200, &collection.list());
    }
    let from = parameter("resourceVersion").and_then(|version| version.parse().ok());
    let lines = UnboundedReceiverStream::new(collection.watch(from.unwrap_or_default()));
    let body = StreamBody::new(lines.map(|line| Ok(Frame::data(line))));
    Response::new(body.boxed())
}

fn whole(status: u16, body: &Value) -> Answer {
    let body = Full::new(Bytes::from(body.to_string())).boxed();
    let status = StatusCode::from_u16(status).unwrap();
    Response::builder().status(status).body(body).unwrap()
}

fn failure(code: u16, message: &str) -> Answer {
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
        "message": message, "reason": "Forbidden", "code": code,
    });
    whole(code, &status)
}
